/*
 * What claude-proxy-admin prints; see print.h.
 */
#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/settings.h"
#include "command.h"
#include "store/config.h"
#include "store/store.h"

/* An escape sequence on a terminal whose user did not say NO_COLOR, else nothing. */
static const char *
style(const char *sequence)
{
	const char *no_color = getenv("NO_COLOR");

	return (no_color == NULL || no_color[0] == '\0') && isatty(STDOUT_FILENO) ? sequence : "";
}

const char *
print_bold(void)
{
	return style("\033[1m");
}

const char *
print_plain(void)
{
	return style("\033[0m");
}

/* ---- keys ---- */

enum key_state { READY, RESTING, DISABLED };

static enum key_state
state_of(const struct api_key *key)
{
	if (!key->enabled)
		return DISABLED;
	return key->rests_until > clock_now_ms() ? RESTING : READY;
}

static void
print_state(const struct api_key *key)
{
	time_t until = (time_t)(key->rests_until / 1000);
	struct tm local;
	char clock[16];

	switch (state_of(key)) {
	case READY:
		fputs("ready", stdout);
		break;
	case DISABLED:
		fputs("disabled", stdout);
		break;
	case RESTING:
		localtime_r(&until, &local);
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
		printf("resting until %s (in %lld s)", clock,
			(long long)((key->rests_until - clock_now_ms() + 999) / 1000));
		break;
	}
	if (key->last_error != NULL)
		printf("  last error: %s", key->last_error);
}

void
print_keys(const struct upstream *u, const char *indent)
{
	char mask[SECRET_MASK_SIZE];

	if (u->key_count == 0)
		printf("%sno keys: claude-proxy-admin key %s add -\n", indent, u->name);
	for (size_t i = 0; i < u->key_count; i++) {
		secret_mask(u->keys[i].secret, mask);
		printf("%s%zu  %s  ", indent, i, mask);
		print_state(&u->keys[i]);
		putchar('\n');
	}
}

static void
write_keys(struct buffer *out, const struct upstream *u)
{
	static const char *const names[] = {
		[READY] = "ready", [RESTING] = "resting", [DISABLED] = "disabled"};
	char mask[SECRET_MASK_SIZE];

	buffer_putc(out, '[');
	for (size_t i = 0; i < u->key_count; i++) {
		const struct api_key *key = &u->keys[i];
		secret_mask(key->secret, mask);
		buffer_printf(out, "%s{\"index\":%zu,\"key\":", i > 0 ? "," : "", i);
		json_write_text(out, mask);
		buffer_printf(out,
			",\"state\":\"%s\",\"enabled\":%s,\"restsUntil\":", names[state_of(key)],
			key->enabled ? "true" : "false");
		if (state_of(key) == RESTING)
			buffer_printf(out, "%lld", (long long)key->rests_until);
		else
			buffer_puts(out, "null");
		buffer_puts(out, ",\"lastError\":");
		if (key->last_error != NULL)
			json_write_text(out, key->last_error);
		else
			buffer_puts(out, "null");
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}

/* Print the buffer as one line. */
static void
put_line(struct buffer *out)
{
	puts(out->failed ? "null" : buffer_text(out));
	buffer_free(out);
}

void
print_keys_json(const struct upstream *u)
{
	struct buffer out = BUFFER_INIT(0);

	write_keys(&out, u);
	put_line(&out);
}

/* ---- routes ---- */

void
print_routes(const struct config *config, const char *indent)
{
	int width = 0;

	if (config->route_count == 0)
		printf("%sno routes: every model's name goes out unchanged\n", indent);
	for (size_t i = 0; i < config->route_count; i++)
		if ((int)strlen(config->routes[i].pattern) > width)
			width = (int)strlen(config->routes[i].pattern);
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *r = &config->routes[i];
		printf("%s%zu  %-*s  ->  %s%s%s\n", indent, i, width, r->pattern, r->model,
			r->upstream != NULL ? "  at " : "",
			r->upstream != NULL ? r->upstream->name : "");
	}
}

static void
write_routes(struct buffer *out, const struct config *config)
{
	buffer_putc(out, '[');
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *r = &config->routes[i];
		buffer_printf(out, "%s{\"index\":%zu,\"pattern\":", i > 0 ? "," : "", i);
		json_write_text(out, r->pattern);
		buffer_puts(out, ",\"model\":");
		json_write_text(out, r->model);
		buffer_puts(out, ",\"upstream\":");
		if (r->upstream != NULL)
			json_write_text(out, r->upstream->name);
		else
			buffer_puts(out, "null");
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}

void
print_routes_json(const struct config *config)
{
	struct buffer out = BUFFER_INIT(0);

	write_routes(&out, config);
	put_line(&out);
}

/* ---- everything ---- */

const char *
print_strategy(const struct admin *a)
{
	return a->config->has_strategy ? strategy_name(a->config->strategy) : a->settings->strategy;
}

const char *
print_proxy(const char *proxy)
{
	return strchr(proxy, '@') != NULL ? "(with a password: not shown)" : proxy;
}

/* Header values may be secrets. */
static void
mask_value(const char *value, char mask[SECRET_MASK_SIZE])
{
	secret_mask(value, mask);
}

static void
print_options(const struct upstream_options *o)
{
	char mask[SECRET_MASK_SIZE];

	if (o->max_output_tokens != 0)
		printf("     max-output-tokens %lld\n", (long long)o->max_output_tokens);
	if (o->timeout != 0)
		printf("     timeout %lld ms\n", (long long)o->timeout);
	if (o->reasoning_off)
		printf("     reasoning off\n");
	if (o->proxy != NULL)
		printf("     proxy %s\n", print_proxy(o->proxy));
	if (o->fallback != NULL)
		printf("     fallback %s\n", o->fallback);
	for (size_t i = 0; i < o->header_count; i++) {
		mask_value(o->headers[i].value, mask);
		printf("     header.%s %s\n", o->headers[i].name, mask);
	}
}

static void
print_upstream(const struct config *config, size_t index)
{
	const struct upstream *u = &config->upstreams[index];
	bool current = u == config->current;

	printf("%s%c %zu  %s%s  %s  %s\n", current ? print_bold() : "", current ? '*' : ' ', index,
		u->name, current ? print_plain() : "", u->service_type, u->base_url);
	print_options(&u->options);
	print_keys(u, "     key ");
}

void
print_config(const struct admin *a)
{
	const struct config *config = a->config;

	printf("database  %s\n", store_path(a->store));
	printf("strategy  %s%s\n\n", print_strategy(a),
		config->has_strategy ? "" : " (the default)");
	printf("%supstreams%s (* is current)\n", print_bold(), print_plain());
	if (config->upstream_count == 0)
		puts("  none: claude-proxy-admin add <name> <baseUrl> <serviceType>");
	for (size_t i = 0; i < config->upstream_count; i++)
		print_upstream(config, i);
	printf("\n%sroutes%s\n", print_bold(), print_plain());
	print_routes(config, "  ");
}

static void
write_number_option(struct buffer *out, const char **between, const char *name, int64_t number)
{
	if (number == 0)
		return;
	buffer_printf(out, "%s\"%s\":%lld", *between, name, (long long)number);
	*between = ",";
}

static void
write_text_option(struct buffer *out, const char **between, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buffer_puts(out, *between);
	json_write_text(out, name);
	buffer_putc(out, ':');
	json_write_text(out, text);
	*between = ",";
}

static void
write_options(struct buffer *out, const struct upstream_options *o)
{
	const char *between = "";
	char mask[SECRET_MASK_SIZE];
	char name[300];

	buffer_putc(out, '{');
	write_number_option(out, &between, "max-output-tokens", o->max_output_tokens);
	write_number_option(out, &between, "timeout", o->timeout);
	write_text_option(out, &between, "reasoning", o->reasoning_off ? "off" : NULL);
	write_text_option(out, &between, "proxy", o->proxy != NULL ? print_proxy(o->proxy) : NULL);
	write_text_option(out, &between, "fallback", o->fallback);
	for (size_t i = 0; i < o->header_count; i++) {
		snprintf(name, sizeof(name), "header.%s", o->headers[i].name);
		mask_value(o->headers[i].value, mask);
		write_text_option(out, &between, name, mask);
	}
	buffer_putc(out, '}');
}

static void
write_upstream(struct buffer *out, const struct config *config, size_t index)
{
	const struct upstream *u = &config->upstreams[index];

	buffer_printf(out, "{\"index\":%zu,\"name\":", index);
	json_write_text(out, u->name);
	buffer_puts(out, ",\"baseUrl\":");
	json_write_text(out, u->base_url);
	buffer_puts(out, ",\"serviceType\":");
	json_write_text(out, u->service_type);
	buffer_printf(out, ",\"current\":%s,\"options\":", u == config->current ? "true" : "false");
	write_options(out, &u->options);
	buffer_puts(out, ",\"keys\":");
	write_keys(out, u);
	buffer_putc(out, '}');
}

void
print_config_json(const struct admin *a)
{
	const struct config *config = a->config;
	struct buffer out = BUFFER_INIT(0);

	buffer_puts(&out, "{\"database\":");
	json_write_text(&out, store_path(a->store));
	buffer_puts(&out, ",\"strategy\":");
	json_write_text(&out, print_strategy(a));
	buffer_puts(&out, ",\"currentUpstream\":");
	if (config->current != NULL)
		json_write_text(&out, config->current->name);
	else
		buffer_puts(&out, "null");
	buffer_puts(&out, ",\"upstreams\":[");
	for (size_t i = 0; i < config->upstream_count; i++) {
		if (i > 0)
			buffer_putc(&out, ',');
		write_upstream(&out, config, i);
	}
	buffer_puts(&out, "],\"routes\":");
	write_routes(&out, config);
	buffer_putc(&out, '}');
	put_line(&out);
}

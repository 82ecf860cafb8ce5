/*
 * The configuration as JSON; see config_json.h.
 */
#include "store/config_json.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "base/secret.h"
#include "store/config.h"

const char *
config_json_proxy(const char *proxy)
{
	return strchr(proxy, '@') != NULL ? "(with a password: not shown)" : proxy;
}

void
config_json_keys(struct buffer *out, const struct upstream *u, int64_t now)
{
	char mask[SECRET_MASK_SIZE];

	buffer_putc(out, '[');
	for (size_t i = 0; i < u->key_count; i++) {
		const struct api_key *key = &u->keys[i];
		enum key_state state = api_key_state(key, now);
		secret_mask(key->secret, mask);
		buffer_printf(out, "%s{\"index\":%zu,\"key\":", i > 0 ? "," : "", i);
		json_write_text(out, mask);
		buffer_printf(out,
			",\"state\":\"%s\",\"enabled\":%s,\"restsUntil\":", key_state_name(state),
			key->enabled ? "true" : "false");
		if (state == KEY_RESTING)
			buffer_printf(out, "%lld", (long long)key->rests_until);
		else
			buffer_puts(out, "null");
		buffer_puts(out, ",\"lastError\":");
		json_write_text(out, key->last_error);
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}

void
config_json_routes(struct buffer *out, const struct config *config)
{
	buffer_putc(out, '[');
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *r = &config->routes[i];
		buffer_printf(out, "%s{\"index\":%zu,\"pattern\":", i > 0 ? "," : "", i);
		json_write_text(out, r->pattern);
		buffer_puts(out, ",\"model\":");
		json_write_text(out, r->model);
		buffer_puts(out, ",\"upstream\":");
		json_write_text(out, r->upstream != NULL ? r->upstream->name : NULL);
		const struct route *first = config_shadowing_route(config, i);
		if (first != NULL)
			buffer_printf(out, ",\"shadowedBy\":%td", first - config->routes);
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
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
	write_text_option(
		out, &between, "proxy", o->proxy != NULL ? config_json_proxy(o->proxy) : NULL);
	write_text_option(out, &between, "fallback", o->fallback);
	for (size_t i = 0; i < o->header_count; i++) {
		snprintf(name, sizeof(name), "header.%s", o->headers[i].name);
		secret_mask(o->headers[i].value, mask);
		write_text_option(out, &between, name, mask);
	}
	buffer_putc(out, '}');
}

static void
write_upstream(struct buffer *out, const struct config *config, size_t index, int64_t now,
	url_writer *write_url)
{
	const struct upstream *u = &config->upstreams[index];
	struct buffer url = BUFFER_INIT(0);

	buffer_printf(out, "{\"index\":%zu,\"name\":", index);
	json_write_text(out, u->name);
	buffer_puts(out, ",\"baseUrl\":");
	write_url(&url, u->base_url);
	json_write_text(out, buffer_text(&url));
	buffer_free(&url);
	buffer_puts(out, ",\"serviceType\":");
	json_write_text(out, u->service_type);
	buffer_printf(out, ",\"current\":%s,\"options\":", u == config->current ? "true" : "false");
	write_options(out, &u->options);
	buffer_puts(out, ",\"keys\":");
	config_json_keys(out, u, now);
	buffer_putc(out, '}');
}

void
config_json_config(struct buffer *out, const struct config *config, const char *strategy,
	int64_t now, url_writer *write_url)
{
	buffer_puts(out, "\"strategy\":");
	json_write_text(out, strategy);
	buffer_puts(out, ",\"currentUpstream\":");
	json_write_text(out, config->current != NULL ? config->current->name : NULL);
	buffer_puts(out, ",\"upstreams\":[");
	for (size_t i = 0; i < config->upstream_count; i++) {
		if (i > 0)
			buffer_putc(out, ',');
		write_upstream(out, config, i, now, write_url);
	}
	buffer_puts(out, "],\"routes\":");
	config_json_routes(out, config);
}

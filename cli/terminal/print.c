/*
 * What claude-proxy-admin prints; see print.h.
 */
#include "terminal/print.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json/json_writer.h"
#include "base/secret.h"
#include "base/settings/settings.h"
#include "command.h"
#include "terminal/output.h"
#include "store/config.h"
#include "store/config_json.h"
#include "store/options.h"
#include "store/store.h"
#include "upstream/search_provider.h"

/* ---- keys ---- */

static void
print_state(const struct api_key *key)
{
	time_t until = (time_t)(key->rests_until / 1000);
	struct tm local;
	char clock[16];

	switch (api_key_state(key, clock_now_ms())) {
	case KEY_READY:
		print_styled(STYLE_GOOD, "ready");
		break;
	case KEY_DISABLED:
		print_styled(STYLE_WARNING, "disabled");
		break;
	case KEY_RESTING:
		localtime_r(&until, &local);
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
		print_styled(STYLE_BAD, "paused");
		print(" until %s (for %lld s)", clock,
			(long long)((key->rests_until - clock_now_ms() + 999) / 1000));
		break;
	}
}

/* Below the key, whose line begins with that many characters before its mask. */
static void
print_last_error(const struct api_key *key, int indent)
{
	static const char label[] = "last error: ";

	if (key->last_error == NULL)
		return;
	printf("%*s%s", indent, "", label);
	print_paragraph(indent + (int)sizeof(label) - 1, key->last_error);
}

void
print_keys(const struct upstream *u, const char *indent)
{
	char mask[SECRET_MASK_SIZE];

	if (u->key_count == 0)
		print("%*sno keys: %s\n", (int)strspn(indent, " "), "",
			HINT("key", u->name, "add", "-"));
	for (size_t i = 0; i < u->key_count; i++) {
		secret_mask(u->keys[i].secret, mask);
		/* A short secret is masked completely. */
		print("%s%zu  %s  ", indent, i,
			u->keys[i].secret[0] == '\0' ? "(not fetched yet)"
			: strcmp(mask, "…") == 0     ? "(masked)"
						     : mask);
		print_state(&u->keys[i]);
		if (u->keys[i].command != NULL)
			print("  command: %s", u->keys[i].command);
		putchar('\n');
		print_last_error(&u->keys[i], (int)strlen(indent) + (i > 9 ? 4 : 3));
	}
}

void
print_keys_json(const struct upstream *u)
{
	struct buffer out = BUFFER_INIT(0);

	config_json_keys(&out, u, clock_now_ms());
	print_json(&out);
	buffer_free(&out);
}

/* ---- routes ---- */

void
print_routes(const struct config *config, const char *indent)
{
	int width = 0;

	if (config->route_count == 0)
		print("%sno routes: every model name is passed on unchanged\n", indent);
	for (size_t i = 0; i < config->route_count; i++)
		if ((int)strlen(config->routes[i].pattern) > width)
			width = (int)strlen(config->routes[i].pattern);
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *r = &config->routes[i];
		print("%s%zu  %-*s  ->  %s%s%s", indent, i, width, r->pattern, r->model,
			r->upstream != NULL ? "  at " : "",
			r->upstream != NULL ? r->upstream->name : "");
		const struct route *first = config_shadowing_route(config, i);
		if (first != NULL) {
			print("  ");
			print_styled(STYLE_WARNING, "never used:");
			print(" route %zu matches first", (size_t)(first - config->routes));
		}
		putchar('\n');
	}
}

void
print_routes_json(const struct config *config)
{
	struct buffer out = BUFFER_INIT(0);

	config_json_routes(&out, config);
	print_json(&out);
	buffer_free(&out);
}

/* ---- search ---- */

void
print_search(const struct search_config *search)
{
	struct buffer url = BUFFER_INIT(0);
	char mask[SECRET_MASK_SIZE];

	url_write_masked(&url, search_url(search));
	print("%s  %s", search->provider, buffer_text(&url));
	buffer_free(&url);
	if (search->key[0] != '\0') {
		secret_mask(search->key, mask);
		print("  key %s", strcmp(mask, "…") == 0 ? "(masked)" : mask);
	}
	putchar('\n');
}

/* ---- everything ---- */

const char *
print_strategy(const struct admin *a)
{
	return config_strategy_name(a->config, a->settings->strategy);
}

/* Where options go, each on its line. */
static void
print_option(void *context, const char *name, const char *value)
{
	const char *indent = context;
	char mask[SECRET_MASK_SIZE];

	if (strcmp(name, "proxy") == 0) {
		value = config_json_proxy(value);
	} else if (option_is_secret(name)) {
		secret_mask(value, mask);
		value = mask;
	}
	print("%s%s %s%s\n", indent, name, value, strcmp(name, "timeout") == 0 ? " ms" : "");
}

void
print_options_of(const struct upstream *u)
{
	const char *name;

	options_each(&u->options, print_option, (void *)"");
	print("%s", "options:");
	for (unsigned i = 0; (name = option_name_at(i)) != NULL; i++)
		print("%s %s", i > 0 ? "," : "", name);
	print(" (%s explains them)\n", HINT("set", "--help"));
}

/* Of one option: its name, and whether it was met. */
struct wanted_option {
	const char *name;
	bool found;
};

static void
print_wanted(void *context, const char *name, const char *value)
{
	struct wanted_option *wanted = context;

	if (strcmp(name, wanted->name) != 0)
		return;
	wanted->found = true;
	print_option((void *)"", name, value);
}

void
print_option_of(const struct upstream *u, const char *name)
{
	struct wanted_option wanted = {.name = name};

	options_each(&u->options, print_wanted, &wanted);
	if (!wanted.found)
		print("%s of %s is not set\n", name, u->name);
}

static void
print_heading(const char *heading)
{
	fputs(print_bold(), stdout);
	fputs(heading, stdout);
	fputs(print_plain(), stdout);
}

static void
print_upstream(const struct config *config, size_t index)
{
	const struct upstream *u = &config->upstreams[index];
	bool current = u == config->current;
	struct buffer url = BUFFER_INIT(0);

	url_write_masked(&url, u->base_url);
	fputs(current ? print_bold() : "", stdout);
	print("%c %zu  %s", current ? '*' : ' ', index, u->name);
	fputs(current ? print_plain() : "", stdout);
	print("  %s  %s\n", u->service_type, buffer_text(&url));
	buffer_free(&url);
	options_each(&u->options, print_option, (void *)"     ");
	print_keys(u, "     key ");
	for (size_t i = 0; i < u->lesson_count; i++)
		print("     learned of %s: %s\n", u->lessons[i].model, u->lessons[i].text);
}

void
print_config(const struct admin *a)
{
	const struct config *config = a->config;

	print("database  %s\n", store_path(a->store));
	print("strategy  %s%s\n\n", print_strategy(a),
		config->has_strategy ? "" : " (the default)");
	if (config->search.provider != NULL) {
		print("search    ");
		print_search(&config->search);
		putchar('\n');
	}
	print_heading("upstreams");
	puts(" (* is current)");
	if (config->upstream_count == 0)
		print("  none: %s\n", hint_first_upstream(&(struct hint){{0}}));
	for (size_t i = 0; i < config->upstream_count; i++)
		print_upstream(config, i);
	putchar('\n');
	print_heading("routes");
	putchar('\n');
	print_routes(config, "  ");
}

void
print_config_json(const struct admin *a)
{
	struct buffer out = BUFFER_INIT(0);

	buffer_puts(&out, "{\"database\":");
	json_write_text(&out, store_path(a->store));
	buffer_putc(&out, ',');
	config_json_config(&out, a->config, print_strategy(a), clock_now_ms(), url_write_masked);
	buffer_putc(&out, '}');
	print_json(&out);
	buffer_free(&out);
}

/*
 * The configuration as JSON; see config_json.h.
 */
#include "store/config_json.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json_writer.h"
#include "base/secret.h"
#include "store/config.h"
#include "store/options.h"

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
		if (key->command != NULL) {
			buffer_puts(out, ",\"command\":");
			json_write_text(out, key->command);
		}
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

/* Numbers as numbers, everything else as text, secrets masked. */
static void
write_option(void *context, const char *name, const char *value)
{
	struct json_writer *w = context;
	char mask[SECRET_MASK_SIZE];

	json_put_any_name(w, name, strlen(name));
	if (strcmp(name, "max-output-tokens") == 0 || strcmp(name, "timeout") == 0) {
		json_put_raw(w, value, strlen(value));
	} else if (strcmp(name, "proxy") == 0) {
		json_put_text(w, config_json_proxy(value));
	} else if (option_is_secret(name)) {
		secret_mask(value, mask);
		json_put_text(w, mask);
	} else {
		json_put_text(w, value);
	}
}

static void
write_options(struct buffer *out, const struct upstream_options *o)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	options_each(o, write_option, &w);
	json_close_object(&w);
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
config_json_search(struct buffer *out, const struct search_config *search, url_writer *write_url)
{
	struct json_writer w = JSON_WRITER(out);
	struct buffer url = BUFFER_INIT(0);
	char mask[SECRET_MASK_SIZE];

	if (search->provider == NULL) {
		json_put_null(&w);
		return;
	}
	write_url(&url, search->url);
	secret_mask(search->key, mask);
	json_open_object(&w);
	json_put_text_member(&w, "provider", search->provider);
	json_put_text_member(&w, "url", url.length > 0 ? buffer_text(&url) : NULL);
	json_put_text_member(&w, "key", search->key[0] != '\0' ? mask : NULL);
	json_close_object(&w);
	buffer_free(&url);
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
	buffer_puts(out, ",\"search\":");
	config_json_search(out, &config->search, write_url);
}

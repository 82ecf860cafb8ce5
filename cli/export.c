/*
 * The command `export`: the configuration in the shape of the original's config.json, with members
 * of our own for what that has no place for (SPEC §7).  `import` reads it.
 */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json_tree.h"
#include "base/secret.h"
#include "base/settings/settings.h"
#include "base/text/url.h"
#include "command.h"
#include "terminal/output.h"
#include "terminal/print.h"
#include "store/config.h"
#include "store/config_json.h"
#include "store/options.h"

static void
add_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

static void
add_url(const struct admin *a, struct json_object *object, const char *name, const char *url)
{
	struct buffer masked = BUFFER_INIT(0);

	url_write_masked(&masked, url);
	add_text(object, name, a->secrets ? url : buffer_text(&masked));
	buffer_free(&masked);
}

/* Secrets are whole only on request. */
static struct json_object *
secret_text(const struct admin *a, const char *secret)
{
	char mask[SECRET_MASK_SIZE];

	secret_mask(secret, mask);
	return json_object_new_string(a->secrets ? secret : mask);
}

/* A command is not secret; what it prints is, and stays here. */
static struct json_object *
key_text(const struct admin *a, const struct api_key *key)
{
	struct buffer text = BUFFER_INIT(0);
	struct json_object *object;

	if (key->command == NULL)
		return secret_text(a, key->secret);
	buffer_putc(&text, KEY_COMMAND_MARK);
	buffer_puts(&text, key->command);
	object = json_object_new_string(buffer_text(&text));
	buffer_free(&text);
	return object;
}

static struct json_object *
keys_of(const struct admin *a, const struct upstream *u, bool enabled)
{
	struct json_object *keys = json_object_new_array();

	for (size_t i = 0; i < u->key_count; i++)
		if (u->keys[i].enabled == enabled)
			json_object_array_add(keys, key_text(a, &u->keys[i]));
	return keys;
}

struct option_target {
	const struct admin *admin;
	struct json_object *object;
};

static void
add_option(void *context, const char *name, const char *value)
{
	const struct option_target *target = context;
	bool secret = strncmp(name, "header.", strlen("header.")) == 0;

	if (strcmp(name, "proxy") == 0 && !target->admin->secrets)
		value = config_json_proxy(value);
	if (secret)
		json_object_object_add(target->object, name, secret_text(target->admin, value));
	else
		add_text(target->object, name, value);
}

static struct json_object *
upstream_object(const struct admin *a, const struct upstream *u)
{
	struct json_object *object = json_object_new_object();
	struct option_target target = {a, json_object_new_object()};
	struct json_object *disabled = keys_of(a, u, false);

	add_text(object, "name", u->name);
	add_url(a, object, "baseUrl", u->base_url);
	add_text(object, "serviceType", u->service_type);
	json_object_object_add(object, "apiKeys", keys_of(a, u, true));
	if (json_object_array_length(disabled) > 0)
		json_object_object_add(object, "disabledKeys", disabled);
	else
		json_object_put(disabled);
	options_each(&u->options, add_option, &target);
	if (json_object_object_length(target.object) > 0)
		json_object_object_add(object, "options", target.object);
	else
		json_object_put(target.object);
	return object;
}

static struct json_object *
route_object(const struct route *r)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "pattern", r->pattern);
	add_text(object, "model", r->model);
	if (r->upstream != NULL)
		add_text(object, "upstream", r->upstream->name);
	return object;
}

static struct json_object *
search_object(const struct admin *a)
{
	const struct search_config *search = &a->config->search;
	struct json_object *object = json_object_new_object();

	add_text(object, "provider", search->provider);
	if (search->url[0] != '\0')
		add_url(a, object, "url", search->url);
	if (search->key[0] != '\0')
		json_object_object_add(object, "key", secret_text(a, search->key));
	return object;
}

static struct json_object *
config_object(const struct admin *a)
{
	const struct config *config = a->config;
	struct json_object *object = json_object_new_object();
	struct json_object *upstreams = json_object_new_array();
	struct json_object *routes = json_object_new_array();

	for (size_t i = 0; i < config->upstream_count; i++)
		json_object_array_add(upstreams, upstream_object(a, &config->upstreams[i]));
	for (size_t i = 0; i < config->route_count; i++)
		json_object_array_add(routes, route_object(&config->routes[i]));
	json_object_object_add(object, "upstream", upstreams);
	if (config->current != NULL)
		json_object_object_add(object, "currentUpstream",
			json_object_new_int64(config->current - config->upstreams));
	add_text(object, "loadBalance", print_strategy(a));
	json_object_object_add(object, "routes", routes);
	if (config->search.provider != NULL)
		json_object_object_add(object, "search", search_object(a));
	return object;
}

int
run_export(struct admin *a, int count, char **arguments)
{
	struct json_object *object = config_object(a);
	struct buffer out = BUFFER_INIT(0);
	const char *text = json_object_to_json_string_ext(object,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);

	(void)count;
	(void)arguments;
	bool written = text != NULL && buffer_puts(&out, text) == 0;
	json_object_put(object);
	if (written)
		print_json(&out);
	buffer_free(&out);
	return written ? EXIT_DONE : fail("out of memory");
}

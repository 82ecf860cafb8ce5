/*
 * A snapshot of the configuration; see config.h.
 */
#include "store/config.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/options.h"

static const char *const strategies[] = {
	[STRATEGY_ROUND_ROBIN] = "round-robin",
	[STRATEGY_RANDOM] = "random",
	[STRATEGY_FAILOVER] = "failover",
};

const char *
strategy_name(enum strategy strategy)
{
	return strategies[strategy];
}

int
strategy_parse(const char *name, enum strategy *strategy)
{
	for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++) {
		if (strcmp(strategies[i], name) == 0) {
			*strategy = (enum strategy)i;
			return 0;
		}
	}
	return -1;
}

struct config *
config_retain(struct config *config)
{
	atomic_fetch_add(&config->references, 1);
	return config;
}

static void
free_upstream(struct upstream *u)
{
	for (size_t i = 0; i < u->key_count; i++) {
		if (u->keys[i].secret != NULL)
			secret_erase(u->keys[i].secret, strlen(u->keys[i].secret));
		free(u->keys[i].secret);
		free(u->keys[i].last_error);
	}
	free(u->keys);
	free(u->name);
	free(u->base_url);
	free(u->service_type);
	options_free(&u->options);
}

void
config_release(struct config *config)
{
	if (config == NULL || atomic_fetch_sub(&config->references, 1) != 1)
		return;
	for (size_t i = 0; i < config->upstream_count; i++)
		free_upstream(&config->upstreams[i]);
	for (size_t i = 0; i < config->route_count; i++) {
		free(config->routes[i].pattern);
		free(config->routes[i].model);
	}
	free(config->upstreams);
	free(config->routes);
	free(config);
}

/* "0", "12"; anything else: SIZE_MAX. */
static size_t
parse_index(const char *text)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return SIZE_MAX;
	errno = 0;
	unsigned long index = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' ? index : SIZE_MAX;
}

const struct upstream *
config_find_upstream_by_id(const struct config *config, int64_t id)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (config->upstreams[i].id == id)
			return &config->upstreams[i];
	return NULL;
}

const struct upstream *
config_find_upstream(const struct config *config, const char *name_or_index)
{
	size_t index = parse_index(name_or_index);

	for (size_t i = 0; i < config->upstream_count; i++)
		if (strcmp(config->upstreams[i].name, name_or_index) == 0)
			return &config->upstreams[i];
	return index < config->upstream_count ? &config->upstreams[index] : NULL;
}

const struct api_key *
upstream_find_key(const struct upstream *upstream, const char *key_or_index)
{
	size_t index = parse_index(key_or_index);

	for (size_t i = 0; i < upstream->key_count; i++)
		if (strcmp(upstream->keys[i].secret, key_or_index) == 0)
			return &upstream->keys[i];
	return index < upstream->key_count ? &upstream->keys[index] : NULL;
}

const struct route *
config_find_route(const struct config *config, const char *model)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (fnmatch(config->routes[i].pattern, model, 0) == 0)
			return &config->routes[i];
	return NULL;
}

const struct route *
config_find_route_to(
	const struct config *config, const char *model, const struct upstream *upstream)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].upstream == upstream &&
			fnmatch(config->routes[i].pattern, model, 0) == 0)
			return &config->routes[i];
	return NULL;
}

size_t
config_route_index(const struct config *config, const char *pattern_or_index)
{
	size_t index = parse_index(pattern_or_index);

	for (size_t i = 0; i < config->route_count; i++)
		if (strcmp(config->routes[i].pattern, pattern_or_index) == 0)
			return i;
	return index < config->route_count ? index : SIZE_MAX;
}

enum key_state
api_key_state(const struct api_key *key, int64_t now)
{
	if (!key->enabled)
		return KEY_DISABLED;
	/* A rest that is longer than any was stored while the clock was wrong. */
	bool rests = key->rests_until > now && key->rests_until - now <= KEY_LONGEST_REST;
	return rests ? KEY_RESTING : KEY_READY;
}

const char *
key_state_name(enum key_state state)
{
	static const char *const names[] = {
		[KEY_READY] = "ready", [KEY_RESTING] = "resting", [KEY_DISABLED] = "disabled"};

	return names[state];
}

const char *
config_strategy_name(const struct config *config, const char *preset)
{
	return config != NULL && config->has_strategy ? strategy_name(config->strategy) : preset;
}

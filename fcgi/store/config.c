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
		free(u->keys[i].command);
		free(u->keys[i].last_error);
	}
	free(u->keys);
	free(u->name);
	free(u->base_url);
	free(u->service_type);
	options_free(&u->options);
	for (size_t i = 0; i < u->lesson_count; i++) {
		free(u->lessons[i].model);
		free(u->lessons[i].text);
	}
	free(u->lessons);
	if (u->message_url != NULL)
		free(atomic_load(u->message_url));
	free(u->message_url);
}

static void
free_search(struct search_config *search)
{
	if (search->key != NULL)
		secret_erase(search->key, strlen(search->key));
	free(search->provider);
	free(search->url);
	free(search->key);
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
	free_search(&config->search);
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

const struct api_key *
upstream_enabled_key(const struct upstream *upstream)
{
	for (size_t i = 0; i < upstream->key_count; i++)
		if (upstream->keys[i].enabled)
			return &upstream->keys[i];
	return NULL;
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

/* Does ${pattern} match every name that ${other} matches?  True only if that is certain. */
static bool
covers(const char *pattern, const char *other)
{
	const char *star = NULL; /* the last one in the pattern, and where it took up */
	const char *resume = NULL;

	if (strcmp(pattern, other) == 0)
		return true;
	if (strpbrk(pattern, "[\\") != NULL || strpbrk(other, "[\\") != NULL)
		return false;
	while (*other != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			resume = other;
		} else if (*pattern != '\0' && *other != '*' &&
			   (*pattern == *other || *pattern == '?')) {
			pattern++;
			other++;
		} else if (star != NULL) {
			pattern = star;
			other = ++resume;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool
is_fallback(const struct config *config, const struct upstream *upstream)
{
	for (size_t i = 0; i < config->upstream_count && upstream != NULL; i++) {
		const char *fallback = config->upstreams[i].options.fallback;
		if (fallback != NULL && strcmp(fallback, upstream->name) == 0)
			return true;
	}
	return false;
}

const struct route *
config_shadowing_route(const struct config *config, size_t index)
{
	const struct route *shadowed = &config->routes[index];
	bool fallback = is_fallback(config, shadowed->upstream);

	for (const struct route *r = config->routes; r < shadowed; r++)
		if ((!fallback || r->upstream == shadowed->upstream) &&
			covers(r->pattern, shadowed->pattern))
			return r;
	return NULL;
}

enum key_state
api_key_state(const struct api_key *key, int64_t now)
{
	if (!key->enabled)
		return KEY_DISABLED;
	/* Ignore rests beyond the maximum: the clock was wrong when they were stored. */
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

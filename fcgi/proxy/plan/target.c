/*
 * Where a request goes; see target.h.
 */
#include "proxy/plan/target.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/settings/settings.h"
#include "store/config.h"
#include "store/store.h"
#include "upstream/key_command.h"

/* The upstream and its fallbacks, one after the other. */
struct chain {
	const struct config *config;
	const struct upstream *at;
	size_t left; /* also ends a cycle of fallbacks */
};

static const struct upstream *
next_in_chain(struct chain *c)
{
	const struct upstream *u = c->at;

	if (u == NULL || c->left == 0)
		return NULL;
	c->left--;
	c->at = u->options.fallback != NULL ? config_find_upstream(c->config, u->options.fallback)
					    : NULL;
	return u;
}

static const struct route *
route_of(const struct target *d)
{
	return d->asked_model != NULL ? config_find_route(d->config, d->asked_model) : NULL;
}

/* The model to request from ${u}: a fallback may have routes of its own, else it gets the same
 * name. */
static const char *
model_at(const struct target *d, const struct upstream *u)
{
	const struct route *route = route_of(d);

	if (u->id != d->first_upstream && d->asked_model != NULL) {
		const struct route *own = config_find_route_to(d->config, d->asked_model, u);
		route = own != NULL ? own : route;
	}
	return route != NULL ? route->model : d->asked_model;
}

int
target_find(
	struct target *d, struct config *config, const char *asked_model, struct api_error *error)
{
	*d = (struct target){.config = config, .asked_model = asked_model};
	const struct route *route = route_of(d);
	d->upstream = route != NULL && route->upstream != NULL ? route->upstream : config->current;
	if (d->upstream == NULL) {
		api_error_set(error, 500,
			"no upstream is configured: claude-proxy-admin setup, or "
			"claude-proxy-admin add <name> <baseUrl> <serviceType>");
		return api_error_set_permanent(error);
	}
	d->first_upstream = d->upstream->id;
	d->model = model_at(d, d->upstream);
	return 0;
}

static enum strategy
strategy_of(const struct target *d, const struct settings *settings)
{
	enum strategy strategy = d->config->strategy;

	if (!d->config->has_strategy)
		strategy_parse(settings->strategy, &strategy);
	return strategy;
}

/* Choose by the configuration as it is; the model is not. */
static int
choose(struct target *d, struct store *store, const struct settings *settings)
{
	const struct chain whole = {d->config,
		config_find_upstream_by_id(d->config, d->first_upstream),
		d->config->upstream_count};
	enum strategy strategy = strategy_of(d, settings);
	const struct upstream *u;
	struct chain c = whole;
	int64_t now = clock_now_ms();

	d->key = NULL;
	while (d->key == NULL && (u = next_in_chain(&c)) != NULL) {
		d->key = balance_choose_ready(store, strategy, u, &d->tried, now);
		d->upstream = u;
	}
	for (c = whole; d->key == NULL && (u = next_in_chain(&c)) != NULL;) {
		d->key = balance_choose_resting(u, &d->tried);
		d->upstream = u;
	}
	return d->key != NULL ? 0 : -1;
}

/* Find upstream and key in the configuration now in force, which has the key's new secret. */
static int
find_again(struct target *d, struct store *store)
{
	struct config *config = store_config(store);
	int64_t upstream = d->upstream->id;
	int64_t key = d->key->id;

	if (config == NULL)
		return -1;
	config_release(d->config);
	d->config = config;
	d->key = NULL;
	d->upstream = config_find_upstream_by_id(config, upstream);
	for (size_t i = 0; d->upstream != NULL && i < d->upstream->key_count; i++)
		if (d->upstream->keys[i].id == key)
			d->key = &d->upstream->keys[i];
	return d->key != NULL ? 0 : -1;
}

/* See to it that the chosen key has a secret.  Return 0 or -1. */
static int
see_to_secret(struct target *d, struct store *store)
{
	struct buffer problem = BUFFER_INIT(0);
	int status = key_command_see_to(store, d->key, &problem);

	d->command_failed = d->command_failed || status < 0;
	buffer_free(&problem);
	return status > 0 ? find_again(d, store) : status;
}

int
target_choose_key(struct target *d, struct store *store, const struct settings *settings)
{
	d->command_failed = false;
	while (choose(d, store, settings) == 0) {
		int64_t id = d->key->id;
		if (see_to_secret(d, store) == 0) {
			d->model = model_at(d, d->upstream);
			return 0;
		}
		if (key_set_add(&d->tried, id) != 0)
			break;
	}
	return -1;
}

int
target_choose_next(struct target *d, struct store *store, const struct settings *settings)
{
	struct config *config = store_config(store);

	if (config == NULL)
		return -1;
	int status = d->key != NULL ? key_set_add(&d->tried, d->key->id) : 0;
	config_release(d->config);
	d->config = config;
	d->upstream = NULL;
	d->key = NULL;
	return status == 0 ? target_choose_key(d, store, settings) : -1;
}

int
target_exclude(struct target *d)
{
	for (size_t i = 0; i < d->upstream->key_count; i++)
		if (key_set_add(&d->tried, d->upstream->keys[i].id) != 0)
			return -1;
	return 0;
}

int
target_copy(const struct target *d, struct target *copy)
{
	*copy = *d;
	copy->tried = (struct key_set){0};
	config_retain(copy->config);
	for (size_t i = 0; i < d->tried.count; i++)
		if (key_set_add(&copy->tried, d->tried.ids[i]) != 0)
			return -1;
	return 0;
}

void
target_free(struct target *d)
{
	key_set_free(&d->tried);
	config_release(d->config);
	*d = (struct target){0};
}

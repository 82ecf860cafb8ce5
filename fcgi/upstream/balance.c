/*
 * Which API key of an upstream is next; see balance.h.
 */
#include "upstream/balance.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/random.h"
#include "store/store.h"

/* What a choice is made among. */
struct choice {
	const struct upstream *upstream;
	const struct key_set *tried;
	int64_t now;
};

int
key_set_add(struct key_set *set, int64_t id)
{
	int64_t *added = array_add(&set->ids, &set->count, sizeof(*added));

	if (added == NULL)
		return -1;
	*added = id;
	return 0;
}

void
key_set_free(struct key_set *set)
{
	free(set->ids);
	*set = (struct key_set){0};
}

static bool
has(const struct key_set *set, int64_t id)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->ids[i] == id)
			return true;
	return false;
}

static bool
is_ready(const struct choice *c, const struct api_key *key)
{
	return api_key_state(key, c->now) == KEY_READY && !has(c->tried, key->id);
}

static size_t
count_ready(const struct choice *c)
{
	size_t count = 0;

	for (size_t i = 0; i < c->upstream->key_count; i++)
		count += is_ready(c, &c->upstream->keys[i]);
	return count;
}

/* The ready key at that position among the ready ones. */
static const struct api_key *
ready_at(const struct choice *c, size_t position)
{
	for (size_t i = 0; i < c->upstream->key_count; i++)
		if (is_ready(c, &c->upstream->keys[i]) && position-- == 0)
			return &c->upstream->keys[i];
	return NULL;
}

const struct api_key *
balance_choose_ready(struct store *store, enum strategy strategy, const struct upstream *upstream,
	const struct key_set *tried, int64_t now)
{
	const struct choice c = {upstream, tried, now};
	size_t ready = count_ready(&c);
	uint64_t count = 0;

	if (strategy == STRATEGY_FAILOVER || ready <= 1)
		return ready_at(&c, 0);
	if (strategy == STRATEGY_ROUND_ROBIN &&
		store_rotate(store, upstream->id, &count) == STORE_OK)
		return ready_at(&c, (size_t)(count % ready));
	return ready_at(&c, random_below((uint32_t)ready));
}

const struct api_key *
balance_choose_resting(const struct upstream *upstream, const struct key_set *tried)
{
	const struct api_key *end = upstream->keys + upstream->key_count;
	const struct api_key *first = NULL;

	for (const struct api_key *key = upstream->keys; key < end; key++)
		if (key->enabled && !has(tried, key->id) &&
			(first == NULL || key->rests_until < first->rests_until))
			first = key;
	return first;
}

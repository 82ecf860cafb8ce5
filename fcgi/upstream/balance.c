/*
 * Which API key of an upstream is next; see balance.h.
 */
#include "upstream/balance.h"

#include <stdbool.h>

#include "base/random.h"
#include "store/store.h"

/* What a choice is made among. */
struct choice {
	const struct upstream *upstream;
	const int64_t *tried;
	size_t tried_count;
	int64_t now;
};

static bool
is_tried(const struct choice *c, const struct api_key *key)
{
	for (size_t i = 0; i < c->tried_count; i++)
		if (c->tried[i] == key->id)
			return true;
	return false;
}

static bool
is_ready(const struct choice *c, const struct api_key *key)
{
	return key->enabled && key->rests_until <= c->now && !is_tried(c, key);
}

static size_t
count_enabled(const struct choice *c)
{
	size_t count = 0;

	for (size_t i = 0; i < c->upstream->key_count; i++)
		count += c->upstream->keys[i].enabled;
	return count;
}

/* Counting only enabled keys, from 0 and around: the first ready one at or after position ${start}.
 */
static const struct api_key *
first_ready_from(const struct choice *c, size_t start, size_t enabled)
{
	const struct api_key *wrapped = NULL;
	size_t position = 0;

	start %= enabled;
	for (size_t i = 0; i < c->upstream->key_count; i++) {
		const struct api_key *key = &c->upstream->keys[i];
		if (!key->enabled)
			continue;
		bool ready = is_ready(c, key);
		if (ready && position >= start)
			return key;
		if (ready && wrapped == NULL)
			wrapped = key;
		position++;
	}
	return wrapped;
}

static const struct api_key *
random_ready(const struct choice *c)
{
	const struct api_key *chosen = NULL;
	uint32_t seen = 0;

	/* Each new one takes the place with the chance that makes all equally likely. */
	for (size_t i = 0; i < c->upstream->key_count; i++)
		if (is_ready(c, &c->upstream->keys[i]) && random_below(++seen) == 0)
			chosen = &c->upstream->keys[i];
	return chosen;
}

/* All rest: the one that is back first. */
static const struct api_key *
first_back(const struct choice *c)
{
	const struct api_key *end = c->upstream->keys + c->upstream->key_count;
	const struct api_key *first = NULL;

	for (const struct api_key *key = c->upstream->keys; key < end; key++)
		if (key->enabled && !is_tried(c, key) &&
			(first == NULL || key->rests_until < first->rests_until))
			first = key;
	return first;
}

enum balance_result
balance_choose(struct store *store, enum strategy strategy, const struct upstream *upstream,
	const int64_t *tried, size_t tried_count, int64_t now, const struct api_key **key)
{
	const struct choice c = {upstream, tried, tried_count, now};
	size_t enabled = count_enabled(&c);
	uint64_t count = 0;

	*key = NULL;
	if (enabled == 0)
		return BALANCE_NO_KEYS;
	if (strategy == STRATEGY_FAILOVER || enabled == 1)
		*key = first_ready_from(&c, 0, enabled);
	else if (strategy == STRATEGY_ROUND_ROBIN &&
		 store_rotate(store, upstream->id, &count) == STORE_OK)
		*key = first_ready_from(&c, (size_t)(count % enabled), enabled);
	else
		*key = random_ready(&c);
	if (*key == NULL)
		*key = first_back(&c);
	return *key != NULL ? BALANCE_OK : BALANCE_EXHAUSTED;
}

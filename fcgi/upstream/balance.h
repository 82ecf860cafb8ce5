/*
 * Which API key of an upstream is next (SPEC §5 "Keys and strategies").
 */
#ifndef BALANCE_H
#define BALANCE_H

#include <stddef.h>
#include <stdint.h>

#include "store/config.h"

struct store;

enum balance_result {
	BALANCE_OK,
	BALANCE_NO_KEYS,   /* the upstream has none, or all are disabled */
	BALANCE_EXHAUSTED, /* every usable key is in ${tried} */
};

/**
 * Choose a key of ${upstream} by ${strategy} that is enabled and not among the ${tried_count} ids
 * of ${tried}, skipping keys that rest at ${now} (ms since 1970); if all of them rest, the one
 * whose rest ends first.  Round-robin order is exact over all processes; should the counter fail
 * (logged), the choice is random.  The key is lent by the snapshot.
 */
enum balance_result
balance_choose(struct store *store, enum strategy strategy, const struct upstream *upstream,
	const int64_t *tried, size_t tried_count, int64_t now, const struct api_key **key);

#endif

/*
 * Which API key of an upstream is next (SPEC §5 "Keys and strategies").
 */
#ifndef BALANCE_H
#define BALANCE_H

#include <stddef.h>
#include <stdint.h>

#include "store/config.h"

struct store;

/* The keys that a request has tried, by their ids. */
struct key_set {
	int64_t *ids; /* owned */
	size_t count;
};

/** Return 0, or -1 if memory ran out. */
int key_set_add(struct key_set *, int64_t id);

void key_set_free(struct key_set *);

/**
 * Choose by ${strategy} among the keys of ${upstream} that are enabled, do not rest at ${now} (ms
 * since 1970) and are not ${tried}.  Round-robin order is exact over all processes; should the
 * counter fail (logged), the choice is random.  The key is lent by the snapshot; NULL: there is
 * none.
 */
const struct api_key *balance_choose_ready(struct store *, enum strategy strategy,
	const struct upstream *upstream, const struct key_set *tried, int64_t now);

/** The enabled, untried key whose rest ends first: for when none is ready.  NULL: there is none. */
const struct api_key *balance_choose_resting(const struct upstream *, const struct key_set *tried);

#endif

/*
 * Where a request goes: upstream, API key and model, by routes, strategy, rests and fallbacks
 * (SPEC §5).  Blocks in SQLite: for acceptor and worker threads.
 */
#ifndef DESTINATION_H
#define DESTINATION_H

#include <stdint.h>

#include "upstream/balance.h"

struct api_error;
struct config;
struct settings;
struct store;
struct upstream;

struct destination {
	struct config *config; /* a reference; lends upstream and key */
	const struct upstream *upstream;
	const struct api_key *key; /* NULL: none was chosen yet */
	const char *model;         /* as the upstream is asked for it; lent by config or caller */
	const char *asked_model;   /* as the client named it, lent by the caller; NULL: none */
	int64_t first_upstream;    /* the id of the one that route or `use` named */
	struct key_set tried;
};

/**
 * The upstream and the model that the routes name in ${config}, else the current upstream; no key
 * yet. Takes the reference.  Return 0, or -1 and a 500.  Either way free it with destination_free.
 */
int destination_find(
	struct destination *, struct config *config, const char *asked_model, struct api_error *);

/**
 * Choose a key: a ready one of the upstream or of its fallbacks, in their order; if all of them
 * rest, the one of the first upstream that has any whose rest ends first.  Upstream and model go
 * with it.  Return 0, or -1: every key was tried, or there is none.
 */
int destination_choose_key(struct destination *, struct store *, const struct settings *);

/** The key failed: choose the next one, by the configuration now in force.  As the one above. */
int destination_choose_next(struct destination *, struct store *, const struct settings *);

/** Nothing can be sent to this upstream: none of its keys is chosen any more.  Return 0 or -1. */
int destination_exclude(struct destination *);

/** Return 0, or -1 if memory ran out. */
int destination_copy(const struct destination *, struct destination *copy);
void destination_free(struct destination *);

#endif

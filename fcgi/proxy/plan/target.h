/*
 * Where a request goes: upstream, API key and model, by routes, strategy, pauses and fallbacks
 * (SPEC §5).  Blocks in SQLite: for acceptor and worker threads.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "upstream/balance.h"

struct api_error;
struct config;
struct settings;
struct store;
struct upstream;

struct target {
	struct config *config; /* a reference; lends upstream and key */
	const struct upstream *upstream;
	const struct api_key *key; /* NULL: none was chosen yet */
	const char *model;         /* as the upstream knows it; lent by config or caller */
	const char *asked_model;   /* as the client named it, lent by the caller; NULL: none */
	int64_t first_upstream;    /* the id of the one that route or `use` named */
	struct key_set tried;
	bool command_failed; /* no key was chosen, and a key's command did not print it */
};

/**
 * The upstream and the model that the routes name in ${config}, else the current upstream; no key
 * yet. Takes the reference.  Return 0, or -1 and a 500.  Either way free it with target_free.
 */
int
target_find(struct target *, struct config *config, const char *asked_model, struct api_error *);

/**
 * Choose a key: a ready one of the upstream or of its fallbacks, in their order; if all of them
 * rest, the one of the first upstream that has any whose rest ends first.  Upstream and model go
 * with it.  A key that a command prints gets its secret here, where that is due: then the
 * configuration may be another one afterwards.  Return 0, or -1: every key was tried, or there is
 * none.
 */
int target_choose_key(struct target *, struct store *, const struct settings *);

/** The key failed: choose the next one, by the configuration now in force.  As the one above. */
int target_choose_next(struct target *, struct store *, const struct settings *);

/** Nothing can be sent to this upstream: none of its keys is chosen any more.  Return 0 or -1. */
int target_exclude(struct target *);

/** Return 0, or -1 if memory ran out. */
int target_copy(const struct target *, struct target *copy);
void target_free(struct target *);

#endif

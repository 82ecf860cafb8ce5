/*
 * What follows a failed attempt (SPEC §5): the request is corrected, or else the key rests, and the
 * next key or the fallback is chosen. A worker thread does it, because SQLite may block.  It also
 * writes the request of a model's next turn, after the proxy has searched the web for it.
 */
#ifndef RETRY_H
#define RETRY_H

#include <stdbool.h>
#include <uv.h>

#include "base/buffer.h"

struct api_error;
struct client_request;
struct plan;
struct store;

/** May another key cure this failure? */
bool retry_may_help(const struct api_error *);

/* What a retry works with; all of it is lent until ${done} was called. */
struct retry_request {
	uv_loop_t *loop;
	struct store *store;
	const struct plan *failed;
	bool next_turn; /* nothing failed: the same key is used for the model's next turn */
	struct client_request *client; /* only this job touches what is parsed of it */
	const struct api_error *error;
	struct buffer refusal; /* the body that came with it; taken */
	bool correct;          /* the same key may be asked otherwise (correction.h) */
	bool next_key;         /* another key may be asked, and this one rests */

	/** On the loop: the next plan, which the callee takes; NULL: nothing is left to try. */
	void (*done)(void *context, struct plan *next);
	void *context;
};

/** Begin.  Return 0, or -1 if memory ran out: then there is no retry, and ${refusal} is not taken.
 */
int retry_begin(const struct retry_request *);

#endif

/*
 * The plan that follows another, written by a worker thread, because SQLite may block.  After a
 * failed attempt (SPEC §5) the request is corrected, or else its key is paused, and the next key or
 * the fallback is chosen.  After a search of the proxy's own it is the model's next turn.
 */
#ifndef NEXT_PLAN_H
#define NEXT_PLAN_H

#include <stdbool.h>
#include <uv.h>

#include "base/buffer.h"

struct api_error;
struct client_request;
struct plan;
struct store;

/** May another key cure this failure? */
bool next_key_may_help(const struct api_error *);

/* What the worker works with; all of it is lent until ${done} was called. */
struct next_plan_request {
	uv_loop_t *loop;
	struct store *store;
	const struct plan *previous;
	struct client_request *client; /* only this job touches what is parsed of it */

	const struct api_error *error; /* of the attempt that failed; NULL: none did, and the same
					  key gets the model's next turn; then the rest is unset */
	struct buffer refusal;         /* the body that came with it; taken */
	bool correct;                  /* the same key may get a corrected request (correction.h) */
	bool next_key;                 /* another key may be used, and this one is paused */

	/** On the loop: the next plan, which the callee takes; NULL: nothing is left to try. */
	void (*done)(void *context, struct plan *next);
	void *context;
};

/** Begin.  Return 0, or -1 if memory ran out: then ${done} is not called, and ${refusal} is not
 * taken. */
int next_plan_begin(const struct next_plan_request *);

#endif

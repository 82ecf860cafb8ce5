/*
 * Where a client's request goes and what is sent there: the chosen upstream and key, and the
 * request in the upstream's terms.  Made by an acceptor thread, carried out by the exchange.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "translate/answer.h"

struct api_error;
struct api_key;
struct config;
struct curl_slist;
struct inquiry;
struct service;
struct settings;
struct store;
struct tool_names;
struct upstream;

struct plan {
	struct config *config; /* a reference; lends the rest of this block */
	const struct upstream *upstream;
	const struct api_key *key; /* NULL: none is needed */
	const char *model; /* as the upstream is asked for it; lent by the config or the request */
	const struct service *service;
	struct tool_names *tool_names;

	const char *method;
	struct buffer url; /* empty: nothing is sent, the answer is known already */
	struct buffer body;
	struct curl_slist *headers;

	/* How the answer is made: passed through, converted from a whole body, or else a message.
	 */
	bool pass;
	answer_converter *convert;
	uint64_t input_tokens; /* an estimate */
	char *query;           /* of a request for models */
	char *model_id;        /* the one model that is asked for; NULL: all */
};

/**
 * Is anything served at a path that is not ours: by a current upstream that speaks Claude's
 * language? Return 0, or -1 and a 404.
 */
int plan_check_other(struct store *, struct api_error *);

/**
 * Choose by the routes and the strategy, and translate (SPEC §4, §5, §6).  Return 0, or -1 and what
 * the client must be told.  The request inside the inquiry outlives the plan; the rest of the
 * inquiry need not.  Either way free it with plan_free.
 */
int plan_make(struct plan *, struct store *, const struct settings *, struct inquiry *,
	struct api_error *);

/** Append the answer of a plan that sends nothing. */
int plan_write_answer(const struct plan *, struct buffer *out);

void plan_free(struct plan *);

#endif

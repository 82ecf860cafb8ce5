/*
 * Where a client's request goes and what is sent there: the chosen upstream and key, and the
 * request in the upstream's terms.  Made by an acceptor thread, carried out by the exchange.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "proxy/plan/target.h"
#include "proxy/web_search.h"
#include "translate/answer/answer.h"
#include "upstream/upstream_request.h"

struct api_error;
struct claude_request;
struct config;
struct client_request;
struct store;

/* The refusals that a plan follows. */
struct correction_made {
	unsigned count; /* 0: it follows none */
	char *refusal;  /* the words of the last; owned */
	char *lesson;   /* what that taught, a line each; owned */
};

struct plan {
	struct target to;
	struct upstream_request request; /* without a URL: the answer is known already */
	struct correction_made corrects;
	bool searches; /* the model's searches are the proxy's to make: by these terms */
	struct web_search_terms search;
	bool repeatable; /* may it be sent again where the upstream may have got it already? */

	/* How the answer is made: passed through, converted from a whole body, or else a message.
	 */
	bool pass;
	answer_converter *convert;
	uint64_t input_tokens; /* an estimate; 0: none could be made */
	uint64_t max_tokens;   /* of output that a message asks for; 0: not known */
	char **stop_sequences; /* the client's, which the answer ends before whether or not the
				  upstream heeds them; owned, ends in NULL; NULL: none */
	char *query;           /* of a request for models */
	char *model_id;        /* the one model that the client wants; NULL: all */
};

/**
 * Is anything served at a path that is not ours: by a current upstream that speaks Claude's
 * language? ${config} may be NULL.  Return 0, or -1 and a 404.
 */
int plan_check_other(const struct config *, struct api_error *);

/**
 * Choose by the routes and the strategy in the client request's configuration, and translate
 * (SPEC §4, §5, §6).  ${request} is the client request's, parsed; it may be freed afterwards.
 * Return 0, or -1 and the error for the client.  The client request outlives the plan.  Either
 * way free it with plan_free.
 */
int plan_make(struct plan *, struct store *, const struct client_request *, struct claude_request *,
	struct api_error *);

/**
 * The same request for the next key, or the fallback, after ${failed}: blocks in SQLite, and may
 * run while the loop reads the failed one.  Return 0 and the plan, for plan_replace; or -1: there
 * is nothing left to try.
 */
int plan_next(const struct plan *failed, struct plan *next, struct store *,
	const struct client_request *);

/**
 * The same request to the same target with the same key, with the lessons that ${refused} has and
 * ${lesson} (NULL: none more) beside.  Return 0 and the plan, or -1.
 */
int plan_repeat(const struct plan *refused, struct plan *next, const struct client_request *,
	const char *lesson);

/** Put the next plan in the place of the one that failed.  Takes ${next}. */
void plan_replace(struct plan *failed, struct plan *next);

/** Append the answer of a plan that sends nothing. */
int plan_write_answer(const struct plan *, struct buffer *out);

void plan_free(struct plan *);

#endif

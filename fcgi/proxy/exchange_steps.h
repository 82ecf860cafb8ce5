/*
 * What the files of the exchange share, and nobody else: its states (drawn in fcgi/DESIGN.md, "The
 * life of an exchange"), what it owns, its steps.
 */
#ifndef EXCHANGE_STEPS_H
#define EXCHANGE_STEPS_H

#include <uv.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "proxy/accounting.h"
#include "proxy/client_request.h"
#include "proxy/exchange.h"
#include "proxy/plan/plan.h"
#include "proxy/reply.h"
#include "proxy/web_search.h"
#include "translate/answer/answer.h"
#include "translate/answer/upstream_error.h"
#include "upstream/transfer.h"

enum exchange_state {
	ASKING,    /* a transfer runs, and its answer goes to the client as it comes */
	SEARCHING, /* a turn of the model ended, and the proxy searches for it */
	PLANNING,  /* a worker looks for the next key, or writes the request of the model's next
		      turn; it reads client request, plan and web request */
	ABANDONED, /* the same, but the client is gone */
	ENDING,    /* all of the response is in the reply; the transfer may still run */
	DRAINING,  /* the client has its response; the transfer still runs */
};

struct exchange {
	struct exchanges *all;
	struct exchange *next;
	struct exchange *previous;
	enum exchange_state state;

	struct client_request client;
	struct plan plan;
	struct error_context error_context;

	struct transfer *transfer; /* in ASKING and DRAINING; until it ends, in ENDING, and from
				      SEARCHING to the next attempt */
	struct answer *answer;
	struct web_search search;
	size_t drained;           /* bytes that came after the answer's end */
	struct api_error failure; /* of the attempt that a retry follows */

	struct reply reply; /* has its web request but in DRAINING */

	uv_timer_t timer;
	uint64_t timer_due; /* UINT64_MAX: it does not run; ms of the loop's clock, as the rest */
	uint64_t attempt_began;
	uint64_t
		last_input; /* from the upstream, or since the transfer goes on after it was held */
	uint64_t last_output; /* to the client, or since it is waited for */
	uint64_t whole_since; /* the answer, in ENDING and DRAINING, or the model's turn */
	struct accounting accounting;
};

/* The steps, in the order of the flow.  Each may end the exchange: a caller does nothing after it.
 */

/* exchange.c */

/** Send what the plan says. */
void exchange_attempt(struct exchange *);

/** How its answer is read and written; what it points to belongs to the exchange. */
struct answer_options exchange_answer_options(struct exchange *);

/** Give the client what it takes, and go on from there. */
void exchange_flush(struct exchange *);

/** All of the response is in the reply. */
void exchange_begin_ending(struct exchange *);

/** The client is gone: stop the upstream, which would only bill tokens. */
void exchange_abandon(struct exchange *);

/** A worker is done.  Return whether the exchange goes on, with ${next} for the caller; or the
 * client left in the meantime, the exchange has ended, and ${next} is freed. */
bool exchange_resume(struct exchange *, struct plan *next);

/** Harmless where none runs. */
void exchange_cancel_transfer(struct exchange *);

/** Response and transfer are both over: free it. */
void exchange_dispose(struct exchange *);

/* exchange_failure.c */

/**
 * The attempt failed.  While the client has got nothing of an answer, another key may do better, or
 * a corrected request where the upstream refused this one.
 * ${refused}: the upstream said so; otherwise it may still have processed the request.
 */
void exchange_fail_attempt(struct exchange *, const struct api_error *, bool refused);

/** Tell the client, and end. */
void exchange_fail(struct exchange *, const struct api_error *);

/** The proxy itself ran out of something: no key is at fault, and another would not help. */
void exchange_fail_without_room(struct exchange *, const char *problem);

/* exchange_search.c */

/** A turn of the model ended, and the proxy has to search for it. */
void exchange_begin_searching(struct exchange *);

/* exchange_timer.c */

/** How long the upstream may take to accept a connection, in ms. */
int64_t exchange_connect_timeout(const struct exchange *);

/** Does the client have to take something before the exchange can go on? */
bool exchange_waits_for_client(const struct exchange *);

/**
 * To be called whatever changed the exchange, so that its deadlines are those of the state that it
 * is in now.
 */
void exchange_arm_timer(struct exchange *);

/** The answer is whole, and the transfer is given no more time to end. */
void exchange_stop_draining(struct exchange *);

#endif

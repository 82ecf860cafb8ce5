/*
 * HTTP transfers to upstreams: libcurl's multi interface on a libuv loop.  All of them share one
 * connection cache, so connections and TLS sessions are used again.
 *
 * Nothing here ever waits: not for a socket, and not for a name that is still being looked up when
 * its transfer is cancelled.  Everything belongs to the loop's thread.
 */
#ifndef TRANSFER_H
#define TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct curl_slist;
struct transfer;
struct transfers;
struct watches;

/* What to send.  Everything is lent until the transfer has ended or was cancelled. */
struct transfer_request {
	const char *url;
	const char *method; /* "POST" */
	const char *body;   /* sent by any method but GET and HEAD */
	size_t body_length;
	struct curl_slist *headers;
	const char *proxy;        /* curl proxy URL; NULL: as the environment says */
	const char *certificates; /* CA bundle; NULL: the system's */
	int64_t connect_timeout;  /* ms; the caller cancels then, libcurl itself gives up later */
	bool once; /* never sent again by curl itself, as it does where a kept connection is closed
		    */
};

enum transfer_outcome {
	TRANSFER_COMPLETE,  /* the whole response came */
	TRANSFER_BROKEN,    /* the response began, then the connection broke */
	TRANSFER_NO_ANSWER, /* no response: not connected, TLS or DNS failure, closed at once */
	TRANSFER_STOPPED,   /* by the handler */
	TRANSFER_EXCESSIVE, /* the upstream sent what no answer needs, see "Bounds" in DESIGN.md */
	TRANSFER_NO_ROOM,   /* the proxy itself ran out of something: no upstream is to blame */
};

/* Whose bytes they are.  ${head} and ${body} must not call anything that changes a transfer. */
struct transfer_handler {
	/** The head is there: called once, before any bytes and, where none come, before ${ended}.
	 */
	void (*head)(void *context);

	/** The request's body was sent, and will not be asked for again: it is no longer lent.  At
	 * most once; may be NULL. */
	void (*body_sent)(void *context);

	/** Bytes of the response's body, decoded.  False: no more is wanted, end it. */
	bool (*body)(void *context, const char *bytes, size_t length);

	/** All data available for now has been delivered: flush here.  May hold the transfer, or
	 * cancel any. */
	void (*batch_end)(void *context);

	/**
	 * It is over and the transfer is gone; what came since the last ${batch_end} is the end.
	 * ${problem} says what went wrong, "" if nothing did: after TRANSFER_EXCESSIVE in words
	 * that follow on the upstream's name, else a sentence of its own.
	 */
	void (*ended)(void *context, enum transfer_outcome outcome, const char *problem);
};

/** NULL if memory ran out.  Free it after every transfer is over, before the watches and the loop,
 * and only if no lookup is left. */
struct transfers *transfers_new(uv_loop_t *loop, struct watches *watches);
void transfers_free(struct transfers *);

/** Is the name of a transfer that was cancelled still being looked up, by a thread of libcurl's? */
bool transfers_leave_lookups(const struct transfers *);

/** Begin; the first call of the handler comes later, from the loop.  NULL if memory ran out. */
struct transfer *transfer_start(struct transfers *, const struct transfer_request *,
	const struct transfer_handler *, void *context);

/** Read no more for now.  What was read already has been brought. */
void transfer_hold(struct transfer *);

/** Read on after transfer_hold.  Bytes may come at once; the end of their batch comes later. */
void transfer_go_on(struct transfer *);

bool transfer_is_held(const struct transfer *);

/** End it now, without a further call of the handler; its connection is closed. */
void transfer_cancel(struct transfer *);

/** How long the connection took, in ms; -1: there is none yet. */
int64_t transfer_connect_time(struct transfer *);

/** What a transfer without a connection waits for, as a ${problem}.  Static. */
const char *transfer_obstacle(const struct transfer *);

/* The response's head, from ${head} on; 0 or NULL when there is none. */
int transfer_status(struct transfer *);
const char *transfer_content_type(struct transfer *);
int64_t transfer_retry_after(struct transfer *); /* seconds; 0: it says nothing */

/** Call ${take} with each header of the response. */
void transfer_each_header(struct transfer *,
	void (*take)(void *context, const char *name, const char *value), void *context);

#endif

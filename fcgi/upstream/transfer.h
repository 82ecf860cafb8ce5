/*
 * HTTP transfers to upstreams: libcurl's multi interface on a libuv loop.  All of them share one
 * connection cache, so connections, TLS sessions and HTTP/2 are used again.
 *
 * Everything here belongs to the loop's thread.
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
	const char *certificates; /* file of the authorities' certificates; NULL: the system's */
	int64_t connect_timeout;  /* ms */
	bool once; /* never sent again by curl itself, as it does where a kept connection is closed
		    */
};

enum transfer_take {
	TRANSFER_TAKEN, /* go on */
	TRANSFER_PAUSE, /* nothing was taken: bring the same bytes again after transfer_resume */
	TRANSFER_STOP,  /* no more is wanted: end it */
};

enum transfer_outcome {
	TRANSFER_COMPLETE,  /* the whole response came */
	TRANSFER_BROKEN,    /* the response began, then the connection broke */
	TRANSFER_NO_ANSWER, /* no response: not connected, TLS or DNS failure, closed at once */
	TRANSFER_NO_TIME,   /* no connection within connect_timeout */
	TRANSFER_STOPPED,   /* by TRANSFER_STOP */
};

/* Whose bytes they are.  No function of it may call transfer_cancel, ended excepted (where it is
 * not needed). */
struct transfer_handler {
	/** Bytes of the response's body. */
	enum transfer_take (*body)(void *context, const char *bytes, size_t length);

	/** What could be read at once has been brought: a good moment to send on. */
	void (*pause_in_bytes)(void *context);

	/** It is over and the transfer is gone.  ${problem} is curl's text for what failed, "" if
	 * nothing did. */
	void (*ended)(void *context, enum transfer_outcome outcome, const char *problem);
};

/** NULL if memory ran out.  Free it after every transfer is over, before the watches and the loop.
 */
struct transfers *transfers_new(uv_loop_t *loop, struct watches *watches);
void transfers_free(struct transfers *);

/** Begin; the first call of the handler comes later, from the loop.  NULL if memory ran out. */
struct transfer *transfer_start(struct transfers *, const struct transfer_request *,
	const struct transfer_handler *, void *context);

/** Take bytes again after TRANSFER_PAUSE. */
void transfer_resume(struct transfer *);

/** End it now, without a further call of the handler; its connection is closed. */
void transfer_cancel(struct transfer *);

/* The response's head, once bytes of the body came or it ended; 0 or NULL when there is none. */
int transfer_status(struct transfer *);
const char *transfer_content_type(struct transfer *);
int64_t transfer_retry_after(struct transfer *); /* seconds; 0: it says nothing */

/** Call ${take} with each header of the response. */
void transfer_each_header(struct transfer *,
	void (*take)(void *context, const char *name, const char *value), void *context);

/** How long the connection took, in ms; -1: there is none yet. */
int64_t transfer_connect_time(struct transfer *);

#endif

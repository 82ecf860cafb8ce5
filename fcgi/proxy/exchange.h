/*
 * The life of one request to an upstream on the loop: transfer → answer → write → record.
 *
 * The loop never waits: what the client does not take is kept, and the transfer pauses; what the
 * upstream does not send is covered by pings and ends in a timeout; a client that goes away ends
 * the transfer.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdatomic.h>
#include <uv.h>

#include "base/buffer.h"
#include "proxy/accounting.h"

struct api_error;
struct client_request;
struct exchange;
struct live_settings;
struct usage_writer;
struct store;
struct transfers;
struct watches;

/* What all exchanges of a process share. */
struct exchanges {
	uv_loop_t *loop;
	struct store *store;
	struct transfers *transfers;
	struct watches *watches;
	struct usage_writer *usage_writer;
	struct live_settings *live;
	atomic_int in_flight;   /* requests taken from the web server and not yet answered */
	struct exchange *first; /* those that the loop runs */
	int streaming;          /* those of them whose stream has begun and not ended */
	unsigned forgotten;     /* how often the text of a request was freed before its end */
};

/**
 * Read and check the request whose body has come, and plan it: on an acceptor thread.  The caller
 * has counted it in ${in_flight}.  Return it for exchange_run, having taken all of ${client} (which
 * is empty then), its web request and the count; or NULL with ${error}, and all that is still the
 * caller's.
 */
struct exchange *
exchange_new(struct exchanges *, struct client_request *client, struct api_error *error);

/** Run it to its end, on the loop's thread, which owns it from now on; it frees itself. */
void exchange_run(struct exchange *);

/** Tell every client that the service stops, and end every transfer: when waiting has taken too
 * long. */
void exchanges_abort(struct exchanges *);

#endif

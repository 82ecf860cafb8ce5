/*
 * The response on its way to the client: its head, what the client has still to get, and the
 * web request that takes it when there is room.
 *
 * Everything here belongs to the loop's thread.
 */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

struct api_error;
struct client_request;
struct web_request;
struct accounting;
struct transfer;
struct watches;

enum reply_head { REPLY_NO_HEAD, REPLY_WHOLE, REPLY_STREAM };

struct reply {
	struct web_request *web;
	struct accounting *accounting; /* of what the client gets */
	const struct client_request *client;
	bool pass; /* the upstream's own head is passed through */

	enum reply_head head; /* that was written */
	int passed_status;
	struct buffer passed_head;
	struct buffer out; /* append the body here; bytes before ${sent} are gone already */
	size_t sent;

	struct watches *watches;
	int watched; /* events that the web request's descriptor is watched for; 0: it is not */
	void (*ready)(void *context, bool gone);
	void *context;
};

/** Keep the head of the upstream's response, for where it is passed through. */
void reply_keep_head(struct reply *, struct transfer *);

/** Make the whole response this error.  Only while there is no head. */
void reply_write_error(struct reply *, const struct api_error *);

/** How many bytes the client has still to get. */
size_t reply_pending(const struct reply *);

/**
 * Give the client what it takes ${now} (ms of the loop's clock), after the head that belongs there;
 * with ${last}, end the response after it.  Return how many bytes it took, or -1: it is gone, or
 * memory ran out.
 */
ssize_t reply_write(struct reply *, bool last, uint64_t now);

/** End the response, of which nothing is pending.  False: not now, but when ${ready} is called. */
bool reply_end(struct reply *);

/**
 * Call ${ready} when the client goes away, and with ${for_room} also when it takes more.  Return
 * whether room is waited for now, and was not before.
 */
bool reply_watch(struct reply *, bool for_room);

/** Call it no more. */
void reply_unwatch(struct reply *);

/** Give up the web request; a response that was not ended is broken off. */
void reply_close(struct reply *);

/** Free the rest. */
void reply_free(struct reply *);

#endif

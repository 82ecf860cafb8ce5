/*
 * What is recorded of one request: its line on the log, its usage and part in the totals, and the
 * start of the response for ENABLE_RESPONSE_LOGS.
 */
#ifndef ACCOUNTING_H
#define ACCOUNTING_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "http/router.h"

struct answer;
struct client_request;
struct plan;
struct usage_writer;
struct settings;

struct accounting {
	uint64_t began;      /* ms of the loop's clock, as the next */
	uint64_t first_byte; /* to the client; 0: none yet */
	int status;          /* sent to the client; 0: none yet */
	const char *error_type;
	int error_status; /* of the error, which a stream that failed could not send; 0: none */
	int attempts;
	int64_t searches;    /* that the proxy made for the model */
	struct buffer shown; /* the start of the response */
	size_t response_bytes;
};

/** Bytes that the client has got. */
void
accounting_bytes(struct accounting *, const struct settings *, const char *bytes, size_t length);

/** Log that an attempt failed, and that the key is paused for ${rest} ms. */
void accounting_failed_attempt(
	const struct client_request *, const struct plan *, const char *error_type, int64_t rest);

/** The request was refused before it had an upstream.  For any thread. */
void accounting_refusal(struct usage_writer *, enum endpoint, int status);

/**
 * The response has ended at ${now}, ${message} says how: log it, and give what it used to the
 * usage writer.
 */
void accounting_end(struct accounting *, const struct plan *, const struct client_request *,
	struct answer *, struct usage_writer *, uint64_t now, const char *message);

#endif

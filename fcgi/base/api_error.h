/*
 * An error to report to the client, as a value in the terms of the Claude API (PROTOCOL.md §E).
 */
#ifndef API_ERROR_H
#define API_ERROR_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;

struct api_error {
	int status;       /* HTTP status; 0 if no error */
	const char *type; /* the Claude error type that goes with the status; static */
	char *message;    /* what happened and what to do; never a secret; owned */
	const char *code; /* details.error_code, for clients that act on it; static; NULL if none */
	int64_t retry_after; /* seconds, for the retry-after header; 0 if none */
	bool lasting;        /* retrying cannot help: the owner of the proxy has to act */
};

#define API_ERROR_NONE ((struct api_error){0})

/**
 * Fill ${error}, replacing what it had: ${status} gives the type, the rest is the message as
 * printf writes it.  Always returns -1, so that a function can end with `return api_error_set(…)`.
 */
int api_error_set(struct api_error *error, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Fill it with a 500: memory ran out.  Always -1, as above. */
int api_error_no_memory(struct api_error *error);

/** Mark the error as one that lasts.  Always -1, as above. */
int api_error_set_permanent(struct api_error *error);

/** The Claude error type of an HTTP status: "rate_limit_error" for 429 and so on.  Static. */
const char *api_error_type(int status);

/**
 * Append the error as Claude's JSON.  ${request_id} may be NULL (events of a stream carry none).
 * Return 0 or -1.
 */
int api_error_write(const struct api_error *error, const char *request_id, struct buffer *out);

/** Make ${copy} the same, replacing what it had.  Return 0, or -1 if memory ran out. */
int api_error_copy(const struct api_error *error, struct api_error *copy);

/** Free the message and make it API_ERROR_NONE. */
void api_error_clear(struct api_error *error);

#endif

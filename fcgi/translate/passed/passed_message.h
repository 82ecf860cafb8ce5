/*
 * A whole Claude message that is passed through (PROTOCOL.md §B.4, §C.1): is it one, and how would
 * it have been streamed?
 */
#ifndef PASSED_MESSAGE_H
#define PASSED_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

struct api_error;
struct buffer;
struct passed_usage;
struct error_context;

/** Check that the body is a message, and take what it tells.  Return 0, or -1 and the error. */
int passed_message_check(const char *body, size_t length, const struct error_context *,
	struct passed_usage *, struct api_error *);

/**
 * Append such a message as the event stream that was asked for.  ${skips_start}: the client got a
 * message_start already.  Every value goes over as it came.  Return 0, or -1 if memory ran out.
 */
int passed_message_play(struct buffer *out, const char *body, size_t length, bool skips_start);

#endif

/*
 * A Claude event stream that is passed through (PROTOCOL.md §B.4, §D.1): not a byte of a good one
 * changes, but each event is looked at before it goes on, so that an error among them is told like
 * any other, a stream that is none reaches nobody, and one that just ends does not look whole.
 * `event:` lines that a service leaves out are added: clients need them.
 */
#ifndef PASSED_STREAM_H
#define PASSED_STREAM_H

#include <stdbool.h>
#include <stddef.h>

struct api_error;
struct buffer;
struct passed_stream;
struct passed_usage;
struct error_context;

/**
 * A stream that appends to ${out}.  ${skips_start}: the client got a message_start already, so that
 * this one's is left out.  What is given outlives it.  NULL if memory ran out.
 */
struct passed_stream *
passed_stream_new(struct buffer *out, const struct error_context *, bool skips_start);
void passed_stream_free(struct passed_stream *);

/** Bytes of the body.  Return 0, or -1 and what the client must be told: the stream has failed. */
int
passed_stream_feed(struct passed_stream *, const char *bytes, size_t length, struct api_error *);

/**
 * The body ended; ${complete}: properly.  Return 0, the message being whole (a message_stop that a
 * service left out is added), or -1 and the error.
 */
int passed_stream_end(struct passed_stream *, bool complete, struct api_error *);

/** Was message_stop passed on, so that nothing more is to come? */
bool passed_stream_is_over(const struct passed_stream *);

/** Was message_start passed on, or left out as it had to be?  A content block? */
bool passed_stream_has_begun(const struct passed_stream *);
bool passed_stream_has_content(const struct passed_stream *);

/** What it told so far; valid as long as the stream. */
const struct passed_usage *passed_stream_usage(const struct passed_stream *);

#endif

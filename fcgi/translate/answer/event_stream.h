/*
 * The parser of an upstream's event stream (text/event-stream), fed in pieces of any size
 * (PROTOCOL.md §D.2).  A byte order mark is skipped, and a JSON object without `data:` is an event.
 */
#ifndef EVENT_STREAM_H
#define EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

enum { EVENT_STREAM_MAX_EVENT = 8 << 20 }; /* bytes of one event's data */

struct event_stream;

/** Called with each event's data, whole.  Return 0 to go on, -1 to stop the parser. */
typedef int event_stream_handler(void *context, const char *data, size_t length);

/** NULL if memory ran out. */
struct event_stream *event_stream_new(event_stream_handler *, void *context);
void event_stream_free(struct event_stream *);

/** Return 0; -1 when the handler stopped it or an event is larger than the bound
 * (event_stream_overflowed). */
int event_stream_feed(struct event_stream *, const char *bytes, size_t length);

/** The stream ended: a last event without its blank line counts.  As event_stream_feed. */
int event_stream_end(struct event_stream *);

/** Was an event larger than EVENT_STREAM_MAX_EVENT, or memory exhausted? */
bool event_stream_overflowed(const struct event_stream *);

/**
 * For the handler: how many of the bytes that are being fed had been read when the event was whole.
 * What comes after them belongs to the next one.
 */
size_t event_stream_position(const struct event_stream *);

/** Is no event under way: was the last line an empty one, or did nothing come yet? */
bool event_stream_is_between(const struct event_stream *);

#endif

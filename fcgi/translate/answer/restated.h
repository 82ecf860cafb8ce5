/*
 * A text that comes in pieces.  Most services send each piece once; some repeat in every piece what
 * came before it, or all of the text at the end (MiniMax, gateways).  What of a piece is new?
 *
 * Texts are contents of JSON strings as they came: who repeats a text writes it the same way twice.
 */
#ifndef RESTATED_H
#define RESTATED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum restating {
	RESTATING_UNKNOWN, /* fewer than two pieces came */
	RESTATING_NOTHING, /* each piece follows the one before it */
	RESTATING_ALL,     /* each piece begins with all that came before it */
};

/* What came so far.  Zero-initialised: nothing. */
struct restated {
	struct buffer begin; /* the first bytes of it */
	size_t length;       /* of all of it, in bytes */
	struct buffer held;  /* a second piece that begins with the first: the third decides */
	bool holds;          /* it has not been decided */
	enum restating mode;
};

/* What is new: first ${held}, then ${content}.  Valid until the next call, and as long as the piece
 * is. */
struct restated_news {
	const char *held;
	size_t held_length;
	const char *content;
	size_t length;
};

/** Take a piece. */
struct restated_news restated_take(struct restated *, const char *content, size_t length);

/** No more pieces follow for now: what was held. */
struct restated_news restated_settle(struct restated *);

/** Is a piece held? */
static inline bool
restated_holds(const struct restated *r)
{
	return r->holds;
}

/** Note what was given without asking what of it is new. */
void restated_note(struct restated *, const char *content, size_t length);

/**
 * The service tells the whole text, of which ${content} stands at ${offset}: how many bytes of it
 * came before.  Where it differs from what came, that counts as all of it.
 */
size_t restated_known(const struct restated *, size_t offset, const char *content, size_t length);

void restated_free(struct restated *);

#endif

/*
 * Thinking that a service leaves in the text, between <think> or <thought> and the tag's end, as
 * the model wrote it (MiniMax, LM Studio, llama.cpp, Gemini's compatible endpoint).  Only what
 * begins the text is taken for it: later a tag is something that the model writes about.  Blanks
 * alone between the tags are none (Qwen that was told not to think).
 *
 * Texts are contents of JSON strings, in which the tags may be escaped; they may be cut anywhere
 * between two pieces.
 */
#ifndef THINK_TAGS_H
#define THINK_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum think_state {
	THINK_BEFORE, /* no text yet */
	THINK_OPENED, /* inside, and nothing but blanks yet */
	THINK_INSIDE,
	THINK_AFTER, /* the tag ended, and no text yet */
	THINK_TEXT,
};

/* Zero-initialised: at the beginning of a text. */
struct think_tags {
	enum think_state state;
	size_t tag;         /* with THINK_OPENED and THINK_INSIDE, which */
	struct buffer held; /* blanks or a tag's beginning, until more tells what it is */
};

/* Where the pieces go; ${tag} is the name of the tag, static. */
struct think_sink {
	void (*text)(void *context, const char *content, size_t length);
	void (*thinking)(void *context, const char *tag, const char *content, size_t length);
	void *context;
};

/** Is all that comes plain text from here on? */
static inline bool
think_tags_are_over(const struct think_tags *t)
{
	return t->state == THINK_TEXT;
}

/** Take a piece of the text. */
void
think_tags_take(struct think_tags *, const char *content, size_t length, const struct think_sink *);

/** Is something held that is more than blanks? */
bool think_tags_hold(const struct think_tags *);

/** The text is over: hand on what was held, and be at the beginning of the next. */
void think_tags_end(struct think_tags *, const struct think_sink *);

void think_tags_free(struct think_tags *);

#endif

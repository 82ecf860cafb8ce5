/*
 * The lessons (lesson.h) that a refusal teaches, a function for each kind of row in the table of
 * refusals.c.  Each appends its lesson, or returns false and appends nothing.
 */
#ifndef REFUSAL_LEARN_H
#define REFUSAL_LEARN_H

#include <stdbool.h>

#include "translate/refusals/refusals.h"

struct buffer;
struct reading;

/** The member takes other values: those listed after ${words} or, in "only 1 is allowed", before
 * them. */
bool learn_values(struct reading *, const char *words, struct buffer *lesson);

/** The number is too large or too small. */
bool learn_limit(struct reading *, struct buffer *lesson);

/** The list or the text is too long. */
bool learn_length(struct reading *, struct buffer *lesson);

/**
 * Prompt and output do not fit together, as Claude's clients are told: "A + B > C" (overflow.h).
 * What fits is known of this request only, unless the output alone does not.
 */
enum refusal_scope learn_what_fits(struct reading *, struct buffer *lesson);

/** A header, or a value of anthropic-beta, is not taken; one line for each value. */
bool learn_header(struct reading *, struct buffer *lesson);

/** The service looks for the key elsewhere (${as}: bearer, x-api-key), which is not to say that the
 * key is wrong. */
bool learn_auth(struct reading *, const char *as, struct buffer *lesson);

/** The member is not known, as ${words} say, or has another name.  The limit of the output may be
 * renamed, and is never dropped. */
bool learn_member(struct reading *, const char *words, struct buffer *lesson);

/** ${text} itself, if it changes the request. */
bool learn_fixed(struct reading *, const char *text, struct buffer *lesson);

/** The model or its host has no web search: the request goes without, and the answer says so. */
bool learn_no_search(struct reading *, struct buffer *lesson);

/** The fix of that name (lesson_fixes), if the request contains what it is about.  Whether it
 * changes anything, only the translation shows. */
bool learn_fix(struct reading *, const char *word, struct buffer *lesson);

#endif

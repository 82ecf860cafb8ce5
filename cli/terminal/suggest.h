/*
 * What somebody who mistyped a word may have meant.
 */
#ifndef SUGGEST_H
#define SUGGEST_H

#include <stddef.h>

struct suggestion {
	char text[192];
};

/* The ${index}th word that could have been meant, or NULL beyond the last. */
typedef const char *word_at(const void *context, size_t index);

/**
 * Write "; did you mean 'show'?" with the word that is nearest to ${given}, or "" if none is near
 * enough to be a typo.  Return the text, which is that of ${suggestion}.
 */
const char *
suggest(struct suggestion *suggestion, const char *given, word_at *at, const void *context);

#endif

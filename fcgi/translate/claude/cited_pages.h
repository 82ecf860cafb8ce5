/*
 * The pages that a text may cite: those that searches have found before it.  A model that was given
 * them as a function's result cites by address, and no service says so apart from the text.
 */
#ifndef CITED_PAGES_H
#define CITED_PAGES_H

#include <stddef.h>

#include "base/buffer.h"

/* Zero-initialised there are none. */
struct cited_pages {
	struct buffer lines; /* of each its address, a tab, and the citation */
};

/** Add a page, unless it is there: ${url} has neither spaces nor control characters; ${citation} is
 * the text of a JSON object on one line.  Out of memory sticks in ${lines}. */
void cited_pages_add(struct cited_pages *, const char *url, const char *citation, size_t length);

/** Call ${take} with the citation of each page whose address stands in the ${length} bytes of
 * ${content}, the content of a JSON string; of a long one only the beginning is looked at. */
void cited_pages_find(const struct cited_pages *, const char *content, size_t length,
	void (*take)(void *context, const char *citation, size_t length), void *context);

void cited_pages_free(struct cited_pages *);

#endif

/*
 * What a web search found, or why it found nothing.
 *
 * Whatever an answer says comes from strangers.  Of it a bounded number of pages is taken, each
 * text bounded, on one line, and without a character that acts.
 */
#ifndef SEARCH_RESULT_H
#define SEARCH_RESULT_H

#include <stddef.h>

#include "base/buffer.h"
#include "upstream/search_provider.h"

struct search_config;
struct search_sites;

enum { SEARCH_MOST_HITS = 10 };

/* A page; UTF-8. */
struct search_hit {
	struct buffer url;   /* http:// or https:// */
	struct buffer title; /* the URL, if it has none */
	struct buffer text;  /* an excerpt */
	struct buffer age;   /* when it was written, in words; empty: not told */
};

/* Zero-initialised: nothing was found. */
struct search_result {
	enum search_outcome outcome;
	char problem[256]; /* why it failed, for the owner of the proxy; no secret is in it */
	struct search_hit hits[SEARCH_MOST_HITS];
	size_t count;
};

/** Read the pages that ${sites} admit from an answer with this status. */
void search_read(struct search_result *, const struct search_config *, int status, const char *body,
	size_t length, const struct search_sites *);

/** It failed so. */
void search_fail(struct search_result *, enum search_outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void search_result_free(struct search_result *);

#endif

/*
 * What one answer found on the web: the queries, the pages, and what the text cites of them, each
 * once, in the words of Claude's blocks (PROTOCOL.md §C.5).  Services repeat what they told before.
 */
#ifndef WEB_FINDINGS_H
#define WEB_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/text/text_map.h"

struct claude_writer;
struct json;

/* A page; strings, lent.  NULL or another value: not told. */
struct web_page {
	const struct json *url; /* without one there is no page */
	const struct json *title;
	const struct json *age;   /* when it was written, in words */
	const struct json *quote; /* what of it is cited */
};

/* Zero-initialised: nothing was found. */
struct web_findings {
	struct buffer searches;  /* that wait to be written; each a line: the query, a JSON string,
				    a tab, and what it found, but for the last one's */
	struct buffer pages;     /* what the last found: blocks web_search_result, with commas */
	struct buffer citations; /* that wait to be written, each a line */
	struct text_map known;   /* queries, pages and citations */
	bool searched;           /* searches were written */
	bool last_failed;        /* the last search did, unless it has pages all the same */
	bool failed;             /* memory ran out */
};

void web_findings_free(struct web_findings *);

/** Add a search for ${query}, a string, or NULL; what is found from now on is its. */
void web_findings_add_search(struct web_findings *, const struct json *query);

/** The last search failed. */
void web_findings_fail_search(struct web_findings *);

/* Add a search for a query, a page, or a citation, unless it is known, too long, or one of too
 * many. */
void web_findings_add_query(struct web_findings *, const struct json *query);
void web_findings_add_page(struct web_findings *, const struct web_page *);
void web_findings_add_citation(struct web_findings *, const struct web_page *);

/** Write the searches; one of its own for pages that were found without any. */
void web_findings_write_searches(struct web_findings *, struct claude_writer *);

/** Write the citations into the text block that is open. */
void web_findings_write_citations(struct web_findings *, struct claude_writer *);

#endif

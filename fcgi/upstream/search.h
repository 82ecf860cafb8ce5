/*
 * The proxy's own web search (SPEC §5 "Web search"): the services that it can use, what each is
 * sent, and the pages that are read from its answer.  One search is one transfer on the loop; its
 * owner sees to the time that it may take.
 *
 * Whatever an answer says comes from strangers.  Of it a bounded number of pages is taken, each
 * text bounded, without a character that acts.
 */
#ifndef SEARCH_H
#define SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct curl_slist;
struct search;
struct search_config;
struct settings;
struct transfers;

enum {
	SEARCH_MOST_HITS = 10,       /* of one search */
	SEARCH_LONGEST_QUERY = 2048, /* bytes, for those that name no smaller bound */
	SEARCH_LONGEST_TEXT = 2048,  /* bytes of what is quoted from a page, as of its URL */
	SEARCH_LONGEST_TITLE = 300,  /* bytes */
	SEARCH_LONGEST_AGE = 64,     /* bytes */
	SEARCH_MOST_BODY = 1 << 20,  /* bytes of an answer */
	SEARCH_PATIENCE = 15000,     /* ms for one search, unless REQUEST_TIMEOUT is shorter */
};

/* ---- the services ---- */

struct search_provider {
	const char *name;
	const char *url; /* its base URL; NULL: everybody has his own */
	bool needs_key;
};

/** The ${index}th of them, or NULL beyond the last; and by name, or NULL. */
const struct search_provider *search_provider_at(size_t index);
const struct search_provider *search_provider_find(const char *name);

/** Does the configuration name one that this version knows? */
bool search_is_configured(const struct search_config *);

/** The base URL in force.  Valid as long as the configuration. */
const char *search_url(const struct search_config *);

/* ---- one search ---- */

/* The sites that a search is limited to, and those that it leaves out: a host, which stands for
 * those below it, too, and perhaps the beginning of a path ("example.com/docs").  Lists that end in
 * NULL; NULL: nothing is said. */
struct search_sites {
	char **allowed;
	char **blocked;
};

/** Does the page with this URL satisfy both? */
bool search_sites_admit(const struct search_sites *, const char *url);

void search_sites_free(struct search_sites *);

/* A page that was found: UTF-8 in which no character acts. */
struct search_hit {
	struct buffer url; /* http:// or https:// */
	struct buffer title;
	struct buffer text;
	struct buffer age; /* when it was written, in words; empty: not told */
};

enum search_outcome {
	SEARCH_DONE,
	SEARCH_UNAVAILABLE,
	SEARCH_TOO_MANY_REQUESTS,
	SEARCH_INVALID_INPUT,
	SEARCH_QUERY_TOO_LONG,
	SEARCH_MAX_USES_EXCEEDED, /* told by whoever counts them */
};

/** "unavailable" and so on, as Claude's API calls it; NULL for SEARCH_DONE. */
const char *search_error_code(enum search_outcome);

struct search_result {
	enum search_outcome outcome;
	char problem[256]; /* why it failed, for the owner of the proxy; no secret is in it */
	struct search_hit hits[SEARCH_MOST_HITS];
	size_t count;
};

void search_result_free(struct search_result *);

/** Read the pages from an answer with status 200, or why there are none. */
void search_read(struct search_result *, const struct search_config *, int status, const char *body,
	size_t length, const struct search_sites *);

/* What a search works with; lent until it has ended or was cancelled. */
struct search_job {
	const struct search_config *config; /* a provider is configured */
	const char *query;                  /* UTF-8 */
	const struct search_sites *sites;
	const char *certificates; /* CA bundle; NULL: the system's */

	/** It is over; ${result}, whose content the callee may take, is gone after the return, as
	 * is the search. */
	void (*done)(void *context, struct search_result *result);
	void *context;
};

/** Begin; ${done} is called later, from the loop.  NULL: nothing could be sent, and ${result} says
 * why. */
struct search *
search_start(struct transfers *, const struct search_job *, struct search_result *result);

/** How long one search may take, in ms. */
int64_t search_patience(const struct settings *);

/** It took too long: ${done} is called now. */
void search_time_out(struct search *);

/** End it now, without a call of ${done}. */
void search_cancel(struct search *);

/* What is sent, for tests. */
struct search_request {
	const char *method;
	struct buffer url;
	struct buffer body;
	struct curl_slist *headers;
};

/** Write the request.  Return SEARCH_DONE, or why there is none.  Either way free it. */
enum search_outcome search_request_write(struct search_request *, const struct search_config *,
	const char *query, const struct search_sites *);
void search_request_free(struct search_request *);

#endif

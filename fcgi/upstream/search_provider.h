/*
 * The services that can search the web for the proxy, what each is sent, and what its answer is
 * called.
 */
#ifndef SEARCH_PROVIDER_H
#define SEARCH_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct curl_slist;
struct query;
struct search_config;
struct search_request;
struct search_sites;

/** Write what says what is searched for, and the headers. Return 0, or -1 if memory ran out. */
typedef int query_writer(struct search_request *, const struct query *);

struct search_provider {
	const char *name;
	const char *url; /* its base URL; NULL: everybody has his own */
	bool needs_key;

	/* The request. */
	const char *endpoint;
	size_t longest; /* query, in characters */
	query_writer *write;

	/* The answer: a list `results` of pages with `url` and `title`. */
	const char *group;   /* the object that has the list; NULL: the answer itself */
	const char *text;    /* the excerpt of a page */
	const char *more;    /* a list of further excerpts; NULL: none */
	const char *age;     /* when the page was written */
	bool may_lack;       /* an answer without the list found nothing */
	const char *refusal; /* what status 403 means */
};

/** The ${index}th of them, or NULL beyond the last; and by name, or NULL. */
const struct search_provider *search_provider_at(size_t index);
const struct search_provider *search_provider_find(const char *name);

/** Does the configuration name one that this version knows? */
bool search_is_configured(const struct search_config *);

/** The base URL in force.  Valid as long as the configuration. */
const char *search_url(const struct search_config *);

/* How a search ended. */
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

/* What is sent. */
struct search_request {
	const char *method;
	struct buffer url;
	struct buffer body;
	struct curl_slist *headers;
};

/** Write the request of a search for ${query}, which is UTF-8.  Return SEARCH_DONE, or why there is
 * none.  Either way free it. */
enum search_outcome search_request_write(struct search_request *, const struct search_config *,
	const char *query, const struct search_sites *);
void search_request_free(struct search_request *);

#endif

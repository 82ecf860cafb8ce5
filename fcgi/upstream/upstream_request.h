/*
 * One request to an upstream, as it is sent: for the responder's exchanges and for what the admin
 * command tries.
 */
#ifndef UPSTREAM_REQUEST_H
#define UPSTREAM_REQUEST_H

#include "base/buffer.h"
#include "translate/lesson.h"
#include "translate/translator.h"

struct api_error;
struct api_key;
struct claude_request;
struct curl_slist;
struct search_config;
struct service;
struct service_head;
struct tool_names;
struct upstream;

/* Empty at first, but for upstream, service and key. */
struct upstream_request {
	const struct upstream *upstream; /* lent, as the next three */
	const struct service *service;
	const struct api_key *key; /* NULL: none */
	const char *model;         /* as the upstream is asked for it; NULL: none */

	const char *method;
	struct buffer url; /* empty: nothing is sent */
	struct buffer body;
	struct curl_slist *headers;
	const char **secrets;          /* what of them is secret, the key first; ends in NULL */
	struct tool_names *tool_names; /* of a translated request: what they are called there */
	char *lessons; /* what is learned of this request alone, a line each; owned; NULL: nothing
			*/
	bool builtin_search;      /* of struct translate_target */
	struct model_facts facts; /* of the base URL's host and the model; empty: not looked up */
	struct buffer origin;     /* marks what upstream and model have carried through the
				     client (round_trip.h) */
};

/** One of a translator's functions that write a request. */
typedef int request_writer(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *, struct api_error *);

/** A model that Chat does not serve, or not with tools, is asked by Responses where the service has
 * both: change the service type of a message to that. */
void upstream_request_choose_interface(struct upstream_request *, const struct claude_request *);

/** Does the service have a search that the model calls (model_facts.h HOST_BUILTIN_SEARCH)? */
bool upstream_request_has_builtin_search(struct upstream_request *);

/** Does a request, which was checked, go out with a function in the place of the web search that it
 * offers, whose calls the proxy answers?  So it does where the service's search is of that kind, or
 * where the proxy has one, and the service none, or the owner does not let it. */
bool upstream_request_runs_search(
	struct upstream_request *, const struct claude_request *, const struct search_config *);

/* Lessons gathered for a request. */
struct upstream_lessons {
	struct lessons list;
	char *lines; /* lends those of the request alone */
};

/**
 * What was learned of requests to this upstream and model (translate/lesson.h): by others, and of
 * this one alone.  Return 0, or -1 if memory ran out; either way free it with
 * upstream_lessons_free.
 */
int upstream_lessons_gather(struct upstream_lessons *, const struct upstream_request *);
void upstream_lessons_free(struct upstream_lessons *);

/**
 * Write the body: the Claude request by ${write}, by the upstream's options.  Return 0, or -1 and
 * the error for the client.
 */
int upstream_request_translate(struct upstream_request *, const struct claude_request *,
	request_writer *write, struct api_error *);

/**
 * Write URL, headers and secrets, when the body, if there is one, is written; into that of a
 * message the members that the upstream's owner decided are put.  ${query}: of
 * service_write_url.  What ${head} says of a body is not looked at.  Return 0, or -1 and the error
 * for the client.
 */
int upstream_request_address(struct upstream_request *, const char *endpoint, const char *query,
	const struct service_head *head, struct api_error *);

/** Free what was written. */
void upstream_request_free(struct upstream_request *);

#endif

/*
 * Path and method to what is asked for (SPEC §4).
 */
#ifndef ROUTER_H
#define ROUTER_H

struct api_error;
struct web_request;
struct settings;

enum endpoint {
	ENDPOINT_MESSAGES,
	ENDPOINT_COUNT_TOKENS,
	ENDPOINT_MODELS, /* the list */
	ENDPOINT_MODEL,  /* one of them */
	ENDPOINT_OTHER, /* any other path below /v1/: for a service that speaks Claude's language */
	ENDPOINT_HEALTH,
	ENDPOINT_ROOT,  /* the front page */
	ENDPOINT_HELLO, /* is anybody there?  Claude Code asks so, to have a connection early */
	ENDPOINT_RELOAD,
	ENDPOINT_METRICS,
	ENDPOINT_DEV_INFO,  /* only in development */
	ENDPOINT_PREFLIGHT, /* OPTIONS of any path */
	ENDPOINT_NONE,      /* ${error} says why */
};

enum { ROUTER_LONGEST_PATH = 2048 }; /* bytes */

/* What a request asks for. */
struct endpoint_match {
	enum endpoint endpoint;
	const char *allow; /* with a 405 and with OPTIONS: the methods that the path has; static;
			      else NULL */
	char *path; /* what follows /v1: "/models/claude-x"; still encoded; owned; NULL: it is not
		       below /v1 */
};

/**
 * What the request asks for.  Only the end of the path counts, whatever the web server puts before
 * it (fcgi/DESIGN.md).  With ENDPOINT_NONE ${error} is 404 or 405, or 500 where memory ran out.
 * Whoever gets ${match} frees its path.
 */
void router_find(const struct web_request *, const struct settings *, struct endpoint_match *,
	struct api_error *error);

#endif

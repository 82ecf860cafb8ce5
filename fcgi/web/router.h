/*
 * Path and method to what is asked for (SPEC §4).
 */
#ifndef ROUTER_H
#define ROUTER_H

struct api_error;
struct gateway;
struct settings;

enum endpoint {
	ENDPOINT_MESSAGES,
	ENDPOINT_HEALTH,
	ENDPOINT_NONE, /* ${error} says why */
};

/**
 * What the request asks for.  Only the end of the path counts, whatever the web server puts before
 * it (FASTCGI.md §5). With ENDPOINT_NONE: 404, or 405 and in ${allow} the methods that the path has
 * (static), else NULL.
 */
enum endpoint router_find(const struct gateway *, const struct settings *, struct api_error *error,
	const char **allow);

#endif

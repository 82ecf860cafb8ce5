/*
 * The headers that a service which speaks Claude's language gets from the client: anthropic-*.
 */
#ifndef FORWARDED_HEADERS_H
#define FORWARDED_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "upstream/service.h"

struct lessons;
struct web_request;

enum { FORWARDED_HEADERS_MOST = 32 };

struct forwarded_headers {
	struct forwarded_header list[FORWARDED_HEADERS_MOST];
	size_t count;
	bool failed; /* memory ran out: it is not to be used */
};

/** Add those of the request to an empty list, and a version where the client sends none. */
void forwarded_headers_read(struct forwarded_headers *, const struct web_request *);

/** Leave out what an upstream has refused of them. */
void forwarded_headers_withhold(struct forwarded_headers *, const struct lessons *);

void forwarded_headers_free(struct forwarded_headers *);

#endif

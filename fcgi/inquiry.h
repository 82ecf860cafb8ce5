/*
 * What a client asks of an upstream, read from its web request.
 */
#ifndef INQUIRY_H
#define INQUIRY_H

#include "base/buffer.h"
#include "translate/claude.h"
#include "web/router.h"

struct api_error;
struct gateway;
struct settings;

struct inquiry {
	struct asked asked;
	const char *method;            /* lent by the gateway, as the next two */
	const char *query;             /* "beta=true"; "" */
	const char *content_type;      /* of the body; NULL: not said */
	struct gateway *gateway;       /* for the headers that are forwarded */
	struct buffer body;            /* as it came */
	struct claude_request request; /* parsed, where the endpoint takes one */
};

/**
 * Read the body, of at most MAX_REQUEST_BYTES, and parse it where the endpoint takes a Claude
 * request.  Return 0, or -1 and what the client must be told.  Either way end it with inquiry_end.
 */
int inquiry_read(struct inquiry *, struct gateway *, const struct asked *, const struct settings *,
	const char *request_id, struct api_error *);

/** Free all but the request, which is given away: free it with claude_request_free. */
struct claude_request inquiry_end(struct inquiry *);

#endif

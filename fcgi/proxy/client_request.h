/*
 * What a client asks of an upstream, read from its web request.
 */
#ifndef INQUIRY_H
#define INQUIRY_H

#include <stdbool.h>

#include "base/buffer.h"
#include "http/router.h"

struct api_error;
struct claude_request;
struct gateway;
struct settings;

struct inquiry {
	struct asked asked;
	const char *method;       /* lent by the gateway, as the next two */
	const char *query;        /* "beta=true"; "" */
	const char *content_type; /* of the body; NULL: not said */
	struct gateway *gateway;  /* for the headers that are forwarded */
	struct buffer body;       /* as it came */

	/* Of a Claude request, where the endpoint takes one. */
	char *model; /* owned */
	bool stream;
	bool no_thinking; /* thinking is disabled */
};

/** The error of a body that is larger than MAX_REQUEST_BYTES.  Always -1. */
int inquiry_refuse_size(const struct settings *, struct api_error *);

/**
 * Take the body that the gateway has received, and parse it into ${request} where the endpoint
 * takes a Claude request (else that is left empty).  Return 0, or -1 and what the client must be
 * told. Either way free the request with claude_request_free, and the inquiry after it with
 * inquiry_free, before the gateway.
 */
int inquiry_read(struct inquiry *, struct gateway *, const struct asked *, const struct settings *,
	const char *request_id, struct claude_request *request, struct api_error *);

/** Parse the body again, for another upstream.  As inquiry_read. */
int inquiry_read_again(const struct inquiry *, struct claude_request *request, struct api_error *);

/** It will not be sent again: free the body. */
void inquiry_forget_body(struct inquiry *);

void inquiry_free(struct inquiry *);

#endif

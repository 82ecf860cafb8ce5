/*
 * What a client asks of an upstream, read from its web request.
 */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include <stdbool.h>

#include "base/buffer.h"
#include "http/router.h"

struct api_error;
struct claude_request;
struct web_request;
struct settings;

struct client_request {
	struct endpoint_match match;
	const char *method;       /* lent by the web request, as the next two */
	const char *query;        /* "beta=true"; "" */
	const char *content_type; /* of the body; NULL: not said */
	struct web_request *web;  /* for the headers that are forwarded */
	struct buffer body;       /* as it came */

	/* Of a Claude request, where the endpoint takes one. */
	char *model; /* owned */
	bool stream;
	bool no_thinking; /* thinking is disabled */
};

/** The error of a body that is larger than MAX_REQUEST_BYTES.  Always -1. */
int client_request_refuse_size(const struct settings *, struct api_error *);

/**
 * Take the body that the web request has received, and parse it into ${request} where the endpoint
 * takes a Claude request (else that is left empty).  Return 0, or -1 and what the client must be
 * told. Either way free the request with claude_request_free, and the client request after it with
 * client_request_free, before the web request.
 */
int client_request_read(struct client_request *, struct web_request *,
	const struct endpoint_match *, const struct settings *, const char *request_id,
	struct claude_request *request, struct api_error *);

/** Parse the body again, for another upstream.  As client_request_read. */
int client_request_read_again(
	const struct client_request *, struct claude_request *request, struct api_error *);

/** It will not be sent again: free the body. */
void client_request_forget_body(struct client_request *);

void client_request_free(struct client_request *);

#endif

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
	char *model;                   /* its model; owned */
};

/** The error of a body that is larger than MAX_REQUEST_BYTES.  Always -1. */
int inquiry_refuse_size(const struct settings *, struct api_error *);

/**
 * Take the body that the gateway has received, and parse it where the endpoint takes a Claude
 * request.  Return 0, or -1 and what the client must be told.  Either way free it with
 * inquiry_free, before the gateway.
 */
int inquiry_read(struct inquiry *, struct gateway *, const struct asked *, const struct settings *,
	const char *request_id, struct api_error *);

/** It will not be sent again: free the body and what was parsed.  Of the request only the model and
 * plain values stay. */
void inquiry_forget_body(struct inquiry *);

void inquiry_free(struct inquiry *);

#endif

/*
 * What a client wants from an upstream: the request as it came, the settings and the configuration
 * that were in force then, and what was read of it.  One object from the head to the usage row; its
 * owner is the intake, then the exchange.
 */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/random.h"
#include "http/router.h"

struct api_error;
struct claude_request;
struct config;
struct settings;
struct web_request;

enum { REQUEST_ID_SIZE = sizeof("req_") + RANDOM_ID_LENGTH };

struct client_request {
	char id[REQUEST_ID_SIZE];
	struct web_request *web;   /* not freed with it: a reply outlives it */
	struct settings *settings; /* a reference */
	struct config *config;     /* a reference; NULL: it cannot be read */
	struct endpoint_match match;
	struct buffer headers; /* lines for the response's head */

	const char *method;       /* lent by the web request, as the next two */
	const char *query;        /* "beta=true"; "" */
	const char *content_type; /* of the body; NULL: not given */
	struct buffer body;       /* as it came */

	/* What the model and the proxy's own searches have added to the conversation: messages,
	 * each after a comma, and how many turns of the model that is (web_search.h). */
	struct buffer turns;
	unsigned turn_count;
	bool last_turn; /* the next turn may search no more */

	/* Of a Claude request, where the endpoint takes one. */
	char *model; /* owned */
	bool stream;
	bool no_thinking; /* thinking is disabled */
};

/** Begin with what is known before anything is read.  Takes two references; ${config} may be NULL.
 * Free it with client_request_free. */
void client_request_init(
	struct client_request *, struct web_request *, struct settings *, struct config *config);

/** The error of a body that is larger than MAX_REQUEST_BYTES.  Always -1. */
int client_request_refuse_size(const struct client_request *, struct api_error *);

/**
 * Take the body that has come, and parse it into ${request} where the endpoint takes a Claude
 * request (else that is left empty).  Return 0, or -1 and the error for the client.  Either way
 * free ${request} with claude_request_free before the client request.
 */
int
client_request_read(struct client_request *, struct claude_request *request, struct api_error *);

/** Parse the body again, for another upstream.  As client_request_read. */
int client_request_read_again(
	const struct client_request *, struct claude_request *request, struct api_error *);

/** It will not be sent again: free the body. */
void client_request_forget_body(struct client_request *);

void client_request_free(struct client_request *);

#endif

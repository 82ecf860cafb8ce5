/*
 * What the files of the plan share, and nobody else: one function for each endpoint, and the
 * addressing that they end with.
 */
#ifndef PLAN_STEPS_H
#define PLAN_STEPS_H

#include <stdbool.h>

#include "proxy/plan/plan.h"

/*
 * Each writes what is sent, and says how it is answered, for the target that is chosen.  Return 0,
 * or -1 and the error for the client.
 */

/** A message (message.c); the parsed request must be writable: it is checked here. */
int plan_message(
	struct plan *, const struct client_request *, struct claude_request *, struct api_error *);

/** A count of tokens (token_count.c): without a URL where the service has no such endpoint. */
int plan_token_count(
	struct plan *, const struct client_request *, struct claude_request *, struct api_error *);

/** The list of models, or one of them (models.c). */
int plan_models(struct plan *, const struct client_request *, struct api_error *);

/* What they share (plan.c). */

/** Does the upstream speak Claude's language? */
bool plan_speaks_claude(const struct plan *);

/** The client's query, for a service that knows it; else NULL. */
const char *plan_own_query(const struct plan *, const struct client_request *);

/** Write URL and headers of a request whose body, if it has one, is written.  Return 0 or -1. */
int plan_address(struct plan *, const struct client_request *, const char *endpoint,
	const char *query, struct api_error *);

#endif

/*
 * One request to an upstream, sent as the responder would send it.  For the commands `test` and
 * `doctor`.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/api_error.h"
#include "base/buffer.h"

struct api_key;
struct settings;
struct upstream;

/* Where it goes. */
struct probe {
	const struct settings *settings;
	const struct upstream *upstream;
	const struct api_key *key; /* may be NULL */
};

struct probe_answer {
	int status;             /* HTTP; 0 if there was no response */
	int64_t ms;             /* until the end of the answer */
	struct buffer body;     /* at most a few MiB of it */
	struct api_error error; /* what a client of the proxy would get; status 0 if none */
};

/** GET the upstream's list of models. */
void probe_models(const struct probe *, struct probe_answer *);

/** Send one short message to ${model}, and read the answer as the responder does. */
void probe_message(const struct probe *, const char *model, struct probe_answer *);

/**
 * A model that a test can use: from the upstream's own list, a small one if there is one.  Return
 * an owned string, or NULL; ${list} is the answer to the request for the list, to be freed.
 */
char *probe_choose_model(const struct probe *, struct probe_answer *list);

void probe_answer_free(struct probe_answer *);

#endif

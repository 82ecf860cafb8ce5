/*
 * Asking an upstream, as the responder would: one request, and waiting for its answer.  For the
 * commands `test` and `doctor`.
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

/* Whom to ask. */
struct probe {
	const struct settings *settings;
	const struct upstream *upstream;
	const struct api_key *key; /* NULL: none */
};

struct probe_answer {
	int status;             /* HTTP; 0: there was no answer */
	int64_t ms;             /* until the end of the answer */
	struct buffer body;     /* at most a few MiB of it */
	struct api_error error; /* what the client of a proxy would be told; status 0: nothing */
};

/** GET the upstream's list of models. */
void probe_models(const struct probe *, struct probe_answer *);

/** Send one short message to ${model}, and read the answer as the responder does. */
void probe_message(const struct probe *, const char *model, struct probe_answer *);

/**
 * A model that may be asked something: from the upstream's own list, a small one if there is one.
 * Return an owned string, or NULL: there is none.
 */
char *probe_choose_model(const struct probe *);

void probe_answer_free(struct probe_answer *);

#endif

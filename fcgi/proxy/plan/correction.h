/*
 * What follows a request that an upstream refused as it was (SPEC §5 "Refusals that are learned"):
 * where the refusal says what would be right, it is sent once more, and the lesson is stored.  A
 * worker thread does it, because SQLite may block.
 */
#ifndef CORRECTION_H
#define CORRECTION_H

#include <stdbool.h>

#include "base/buffer.h"

struct api_error;
struct client_request;
struct plan;
struct store;

/**
 * The plan that follows ${refused}, which was refused with ${error} and ${body} (as it came; may be
 * empty).  Each further refusal of the same request must say something else and teach something
 * new, and there is a most of them; a lesson that was of no use is forgotten.  Return 0 and the
 * plan, or -1: there is none.
 */
int correction_find(const struct plan *refused, struct plan *next, struct store *,
	const struct client_request *, const struct api_error *error, const struct buffer *body);

/** May a refusal with this error be one that teaches? */
bool correction_may_help(const struct api_error *);

#endif

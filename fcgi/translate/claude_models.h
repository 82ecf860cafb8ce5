/*
 * A service's list of models in Claude's shape (PROTOCOL.md §F).
 */
#ifndef CLAUDE_MODELS_H
#define CLAUDE_MODELS_H

#include <stddef.h>

struct api_error;
struct buffer;
struct json_object;

/* The models that a client may ask for.  A list is a JSON array in Claude's shape. */

/** Add a model of that name, which a route serves, unless the list has it. */
void claude_models_add(struct json_object *models, const char *name);

/**
 * Add the models in an upstream's answer, whichever service's shape it has, but for those that were
 * there before.  Return 0, or -1: it holds no list.
 */
int claude_models_read(struct json_object *models, struct json_object *answer);

/**
 * Append the page of the list that the query string (`limit`, `after_id`, `before_id`; may be NULL)
 * asks for.  Return 0, or -1 and a 400.
 */
int claude_models_write_page(
	struct json_object *models, const char *query, struct buffer *out, struct api_error *error);

/** Append the model of that id.  Return 0, or -1 and a 404. */
int claude_models_write_one(
	struct json_object *models, const char *id, struct buffer *out, struct api_error *error);

#endif

/*
 * A service's list of models in Claude's shape (PROTOCOL.md §F).
 */
#ifndef CLAUDE_MODELS_H
#define CLAUDE_MODELS_H

#include <stdbool.h>
#include <stddef.h>

struct api_error;
struct buffer;
struct json;

/* One model that a client may ask for. */
struct claude_model;

/* The models that a client may ask for, in order; zero-initialised none.  Free it with
 * claude_models_free. */
struct claude_models {
	struct claude_model *list;
	size_t count;
	bool failed; /* memory ran out */
};

void claude_models_free(struct claude_models *);

/** The id of model ${index}; lent. */
const char *claude_models_id(const struct claude_models *, size_t index);

/** Add a model of that name, which a route serves and people see as ${title}, unless the list has
 * it.  Its time and limits are those of the model ${served_by}, once that is in the list; NULL if
 * it will not be. */
void claude_models_add(
	struct claude_models *, const char *name, const char *title, const char *served_by);

/** Is an upstream's answer a list of models, or one model, in Claude's own shape? */
bool claude_models_is_answer(const struct json *answer);

/**
 * Add the models in an upstream's answer, a list or one model, whichever service's shape it has,
 * but for those that were there before.  Return 0, or -1 if it contains none.
 */
int claude_models_read(struct claude_models *, const struct json *answer);

/**
 * Append the page of the list that the query string (`limit`, `after_id`, `before_id`; may be NULL)
 * asks for.  Return 0, or -1 and a 400.
 */
int claude_models_write_page(const struct claude_models *, const char *query, struct buffer *out,
	struct api_error *error);

/** Append the model of that id.  Return 0, or -1 and a 404. */
int claude_models_write_one(
	const struct claude_models *, const char *id, struct buffer *out, struct api_error *error);

#endif

/*
 * The head of an upstream's response, taken line by line as libcurl brings it.  Trailers, and the
 * heads of interim responses (1xx), come the same way: they are counted, and not kept.
 */
#ifndef RESPONSE_HEAD_H
#define RESPONSE_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct response_head {
	struct buffer fields; /* "name\0value\0" for each header of the latest head */
	size_t lines;         /* of all heads and trailers, as the next */
	size_t bytes;
	bool whole; /* the empty line of the latest head came */
};

/**
 * Take the next line, with its line break.  Return NULL, or what is wrong with the response, in
 * words that follow on the upstream's name; static.
 */
const char *response_head_add(struct response_head *, const char *line, size_t length);

/** The value of the first header of that name, or NULL; valid until the next line. */
const char *response_head_find(const struct response_head *, const char *name);

/** Call ${take} with each header, in the order they came. */
void response_head_each(const struct response_head *,
	void (*take)(void *context, const char *name, const char *value), void *context);

/** Forget everything, and free it. */
void response_head_free(struct response_head *);

#endif

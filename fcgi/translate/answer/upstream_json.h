/*
 * What the readers of all services do with an upstream's JSON alike.
 */
#ifndef UPSTREAM_JSON_H
#define UPSTREAM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_error;
struct json;
struct json_document;
struct error_context;

/**
 * The first of the JSON texts in an event's payload, read into ${index}: usually there is one. Some
 * services put several on a line, or do not keep their events apart.  ${data} and ${length} are
 * what follows it.  NULL if it is not valid JSON, and they are left as they were; the first few
 * failures are logged, and ${skipped} counts them.
 */
const struct json *upstream_json_next(struct json_document *index, const char **data,
	size_t *length, const struct error_context *, int *skipped);

/** The body of a whole answer as JSON, read into ${index}; or NULL and a 502 that quotes it. */
const struct json *upstream_json_message(struct json_document *index, const char *body,
	size_t length, const struct error_context *, struct api_error *error);

/** A member that counts something: never negative, 0 where there is none, and bounded by what can
 * be a count. */
uint64_t upstream_json_count(const struct json *object, const char *name);

/** Set ${count} to such a member.  One that is absent, or cannot be a count, leaves it as it is:
 * false. */
bool upstream_json_take_count(const struct json *object, const char *name, uint64_t *count);

#endif

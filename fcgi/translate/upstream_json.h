/*
 * What the readers of all services do with an upstream's JSON alike.
 */
#ifndef UPSTREAM_JSON_H
#define UPSTREAM_JSON_H

#include <stddef.h>
#include <stdint.h>

struct api_error;
struct json_object;
struct upstream_identity;

/**
 * The payload of an event as JSON; free with json_object_put.  NULL where it is none, which is
 * logged the first few times: ${skipped} counts them.
 */
struct json_object *upstream_json_event(
	const char *data, size_t length, const struct upstream_identity *, int *skipped);

/** The body of a whole answer as JSON, or NULL and a 502 that quotes it. */
struct json_object *upstream_json_message(
	const char *body, size_t length, const struct upstream_identity *, struct api_error *error);

/** A member that counts something: never negative, 0 where there is none. */
uint64_t upstream_json_count(struct json_object *object, const char *name);

#endif

/*
 * A JSON Schema without its references: what $ref and allOf bring stands beside its own keywords.
 */
#ifndef GEMINI_SCHEMA_FLATTEN_H
#define GEMINI_SCHEMA_FLATTEN_H

#include <stdbool.h>

struct cleaning;
struct json_object;

/**
 * The schema with what it refers to beside its own keywords, which win; of most that is the schema
 * itself.  The caller frees it (json_object_put); NULL if memory ran out.  The references that it
 * opened stay open for the schemas inside, until the caller restores ${open_count}.
 */
struct json_object *schema_flatten(struct cleaning *, struct json_object *schema, int level);

/** Does the schema say what a value is, and not only narrow what another says? */
bool schema_says_type(struct json_object *schema);

/** Add properties to those of ${into}, unless they are there. */
void schema_merge_properties(
	struct cleaning *, struct json_object *into, struct json_object *properties);

#endif

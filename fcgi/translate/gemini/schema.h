/*
 * JSON Schemas of tools, rewritten into what Gemini's Schema knows: it refuses a request over any
 * other keyword (PROTOCOL.md §B.2 "Schema cleaning").
 */
#ifndef GEMINI_SCHEMA_H
#define GEMINI_SCHEMA_H

#include <stddef.h>

struct json;
struct json_object;

/* What the schemas of all tools of one request may cost, in values: about what they become. */
enum { GEMINI_SCHEMA_BUDGET = 100000 };

/**
 * A new schema, of type object, that says of the parameters of a function what Gemini can be told
 * of ${schema} (any JSON value, or NULL).  References are resolved inside it, and cut where they
 * turn in circles or grow without bound.
 *
 * ${budget}: how many values the schemas of one request may still cost.  What this one costs is
 * taken off.  It may cost a quarter of it, so that one that explodes leaves something for others:
 * what would cost more is cut, and all of a schema that is larger as it comes.
 *
 * Free with json_object_put; NULL if memory ran out.
 */
struct json_object *gemini_schema_clean(const struct json *schema, size_t *budget);

#endif

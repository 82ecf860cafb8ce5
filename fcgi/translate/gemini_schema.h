/*
 * JSON Schemas of tools, rewritten into what Gemini's Schema knows: it refuses a request over any
 * other keyword (PROTOCOL.md §B.2 "Schema cleaning").
 */
#ifndef GEMINI_SCHEMA_H
#define GEMINI_SCHEMA_H

struct json_object;

/**
 * A new schema, of type object, that says of the parameters of a function what Gemini can be told
 * of
 * ${schema} (lent; never changed; any JSON value).  References are resolved inside it, and cut
 * where they turn in circles or grow without bound.  Free with json_object_put; NULL if memory ran
 * out.
 */
struct json_object *gemini_schema_clean(struct json_object *schema);

#endif

/*
 * JSON Schemas as OpenAI's services and those like them take them.
 */
#ifndef OPENAI_TOOL_SCHEMA_H
#define OPENAI_TOOL_SCHEMA_H

#include <stdbool.h>

struct json;
struct json_writer;
struct model_facts;

/**
 * Put the schema of a tool (NULL for a function without parameters): as it came, but that `$schema`
 * is left out, that the top is an object, that its properties are an object and each array says
 * something of its items; and what else the host refuses (model_facts.h).
 */
void
openai_put_tool_schema(struct json_writer *, const struct json *schema, const struct model_facts *);

/** Does the schema satisfy what OpenAI demands beside "strict": true, that every object is closed
 * and requires all of its properties? */
bool openai_schema_is_strict(const struct json *schema);

/** Put what an answer in JSON is asked for with: `name`, `schema` as it came, and `strict`. */
void openai_put_format_members(struct json_writer *, const struct json *schema);

#endif

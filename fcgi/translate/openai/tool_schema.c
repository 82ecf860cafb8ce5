/*
 * Schemas for OpenAI's services; see tool_schema.h.  A schema is at most as deep as JSON may be.
 */
#include "translate/openai/tool_schema.h"

#include <stddef.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/text/text_map.h"
#include "translate/model_facts.h"

/* What the value of a keyword is. */
enum keyword {
	A_VALUE,  /* no schema */
	A_SCHEMA, /* or a list of them */
	SCHEMAS,  /* by name */
};

static const struct json_name of_schemas[] = {
	JSON_NAME("properties"),
	JSON_NAME("patternProperties"),
	JSON_NAME("$defs"),
	JSON_NAME("definitions"),
	JSON_NAME("dependentSchemas"),
};

static const struct json_name of_a_schema[] = {
	JSON_NAME("items"),
	JSON_NAME("prefixItems"),
	JSON_NAME("additionalProperties"),
	JSON_NAME("anyOf"),
	JSON_NAME("oneOf"),
	JSON_NAME("allOf"),
	JSON_NAME("not"),
	JSON_NAME("if"),
	JSON_NAME("then"),
	JSON_NAME("else"),
	JSON_NAME("contains"),
};

/* Choices, which may not stand at the top. */
static const char *const choices[] = {"anyOf", "oneOf", "allOf"};
static const struct json_name closed_at_top[] = {
	JSON_NAME("anyOf"),
	JSON_NAME("oneOf"),
	JSON_NAME("allOf"),
	JSON_NAME("enum"),
	JSON_NAME("not"),
};

static enum keyword
keyword_of(const struct json *member)
{
	if (json_name_among(member, of_schemas, COUNT(of_schemas)) < COUNT(of_schemas))
		return SCHEMAS;
	if (json_name_among(member, of_a_schema, COUNT(of_a_schema)) < COUNT(of_a_schema))
		return A_SCHEMA;
	return A_VALUE;
}

/* Is it of that type, alone or among others? */
static bool
has_type(const struct json *schema, const char *wanted)
{
	const struct json *type = json_member(schema, "type");

	if (!json_is_array(type))
		return json_is_text(type, wanted);
	JSON_EACH (one, type)
		if (json_is_text(one, wanted))
			return true;
	return false;
}

struct schema_writer {
	struct json_writer *out;
	bool closed_top;
	bool type_in_branches;
};

/* ---- what stays as it came ---- */

/*
 * Might something in the value have to be written in another way?  Nearly every schema goes on as
 * it came, and one look over its names is much cheaper than to write it member by member.  Whatever
 * is an object counts as a schema here: a false alarm only costs time.
 */
static bool
may_change(const struct json *value)
{
	bool has_items = false;
	bool is_array = false;

	JSON_EACH (inner, value) {
		if (json_is_named(inner, "type"))
			is_array = is_array || json_is_array(inner) || json_is_text(inner, "array");
		else if (json_is_named(inner, "items") || json_is_named(inner, "prefixItems"))
			has_items = !json_is(inner, JSON_NULL);
		else if (json_is_named(inner, "properties") && !json_is_object(inner))
			return true;
		if (inner->span > 1 && may_change(inner))
			return true;
	}
	return is_array && !has_items;
}

/* ---- writing ---- */

static void put_schema(struct schema_writer *, const struct json *, const struct json *type);

/* The schemas of an object by their names, whatever these are. */
static void
put_named(struct schema_writer *s, const struct json *members)
{
	JSON_EACH (member, members) {
		json_put_member_name(s->out, member);
		put_schema(s, member, NULL);
	}
}

/* ${type}: what the branches of a choice are to say, where they do not. */
static void
put_schema_or_list(struct schema_writer *s, const struct json *value, const struct json *type)
{
	if (!json_is_array(value)) {
		put_schema(s, value, type);
		return;
	}
	json_open_array(s->out);
	JSON_EACH (element, value)
		put_schema(s, element, type);
	json_close_array(s->out);
}

/* The type that goes from beside a choice into its branches; NULL if none does. */
static const struct json *
type_for_branches(const struct schema_writer *s, const struct json *schema)
{
	if (!s->type_in_branches || json_member_array(schema, "anyOf") == NULL)
		return NULL;
	return json_member(schema, "type");
}

/* ${type}: the one that goes into the branches of a choice; NULL if none. */
static void
put_keyword(struct schema_writer *s, const struct json *member, const struct json *type)
{
	switch (keyword_of(member)) {
	case SCHEMAS:
		if (!json_is_object(member)) {
			json_put_member(s->out, member);
			break;
		}
		json_put_member_name(s->out, member);
		json_open_object(s->out);
		put_named(s, member);
		json_close_object(s->out);
		break;
	case A_SCHEMA:
		if (s->type_in_branches && json_is_named(member, "items") && json_is_array(member))
			json_put_name(s->out, "prefixItems");
		else
			json_put_member_name(s->out, member);
		put_schema_or_list(s, member, json_is_named(member, "anyOf") ? type : NULL);
		break;
	case A_VALUE:
		json_put_member(s->out, member);
		break;
	}
}

/* Is the member not written?  ${type} as above. */
static bool
is_left_out(const struct schema_writer *s, const struct json *member, const struct json *type)
{
	if (json_is_named(member, "type"))
		return type != NULL;
	if (json_is_named(member, "properties"))
		return !json_is_object(member);
	return s->type_in_branches && json_is_named(member, "$schema");
}

static void
put_items(struct schema_writer *s, const struct json *schema)
{
	if (!has_type(schema, "array") || json_member(schema, "items") != NULL ||
		json_member(schema, "prefixItems") != NULL)
		return;
	json_open_object_member(s->out, "items");
	json_close_object(s->out);
}

/* ${type}: to be said where the schema does not; NULL if none. */
static void
put_schema(struct schema_writer *s, const struct json *schema, const struct json *type)
{
	if (!json_is_object(schema)) {
		json_put_value(s->out, schema);
		return;
	}
	const struct json *inner = type_for_branches(s, schema);
	json_open_object(s->out);
	if (type != NULL && json_member(schema, "type") == NULL)
		json_put_value_member(s->out, "type", type);
	JSON_EACH (member, schema)
		if (!is_left_out(s, member, inner))
			put_keyword(s, member, inner);
	put_items(s, schema);
	json_close_object(s->out);
}

/* ---- the top ---- */

/* What the branches of a choice at the top call their properties: with the choice gone, all of
 * them may come. */
static void
put_properties_of_branches(struct schema_writer *s, const struct json *schema)
{
	json_open_object_member(s->out, "properties");
	for (size_t i = 0; s->closed_top && i < COUNT(choices); i++)
		JSON_EACH (branch, json_member_array(schema, choices[i]))
			put_named(s, json_member_object(branch, "properties"));
	json_close_object(s->out);
}

/* What the service insists on at the top is never moved into branches. */
static bool
is_left_out_at_top(const struct schema_writer *s, const struct json *member)
{
	if (json_is_named(member, "$schema") || is_left_out(s, member, NULL))
		return true;
	return s->closed_top &&
	       json_name_among(member, closed_at_top, COUNT(closed_at_top)) < COUNT(closed_at_top);
}

static void
put_at_top(struct schema_writer *s, const struct json *member)
{
	if (s->type_in_branches || may_change(member))
		put_keyword(s, member, NULL);
	else
		json_put_member(s->out, member);
}

void
openai_put_tool_schema(
	struct json_writer *w, const struct json *schema, const struct model_facts *facts)
{
	struct schema_writer s = {
		.out = w,
		.closed_top = model_facts_host_is(facts, HOST_CLOSED_TOP),
		.type_in_branches = model_facts_host_is(facts, HOST_TYPE_IN_BRANCHES),
	};
	const struct json *type = json_member(schema, "type");
	bool object = type == NULL || json_is_text(type, "object");

	json_open_object(w);
	JSON_EACH (member, schema)
		if (!is_left_out_at_top(&s, member))
			put_at_top(&s, member);
	if (type == NULL)
		json_put_text_member(w, "type", "object");
	if (object && json_member_object(schema, "properties") == NULL)
		put_properties_of_branches(&s, schema);
	put_items(&s, schema);
	json_close_object(w);
}

/* ---- strict ---- */

/* Does the object require all of its properties?  By hashing: a client decides how many. */
static bool
requires_all(const struct json *schema)
{
	struct text_map required = {0};
	struct buffer name = BUFFER_INIT(0);
	bool all = true;

	JSON_EACH (one, json_member_array(schema, "required")) {
		buffer_clear(&name);
		all = all && json_append(&name, one) == 0 &&
		      text_map_set(&required, buffer_text(&name), name.length, 0) == 0;
	}
	JSON_EACH (property, json_member_object(schema, "properties")) {
		buffer_clear(&name);
		all = all && json_append_name(&name, property) == 0 &&
		      text_map_get(&required, buffer_text(&name), name.length, NULL);
	}
	text_map_free(&required);
	buffer_free(&name);
	return all;
}

static bool
is_strict_object(const struct json *schema)
{
	if (!has_type(schema, "object") && json_member(schema, "properties") == NULL)
		return true;
	return json_is(json_member(schema, "additionalProperties"), JSON_FALSE) &&
	       requires_all(schema);
}

static bool
all_are_strict(const struct json *container)
{
	JSON_EACH (schema, container)
		if (!openai_schema_is_strict(schema))
			return false;
	return true;
}

bool
openai_schema_is_strict(const struct json *schema)
{
	if (!json_is_object(schema))
		return true;
	if (!is_strict_object(schema))
		return false;
	JSON_EACH (member, schema) {
		enum keyword kind = keyword_of(member);
		bool several = kind == SCHEMAS || (kind == A_SCHEMA && json_is_array(member));
		if (several ? !all_are_strict(member)
			    : kind == A_SCHEMA && !openai_schema_is_strict(member))
			return false;
	}
	return true;
}

void
openai_put_format_members(struct json_writer *w, const struct json *schema)
{
	json_put_text_member(w, "name", "output");
	json_put_value_member(w, "schema", schema);
	json_put_bool_member(w, "strict", openai_schema_is_strict(schema));
}

/*
 * Flattening a schema; see schema_flatten.h.
 */
#include "translate/gemini/schema_flatten.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>

#include "base/json/json_tree.h"
#include "translate/gemini/schema_cleaning.h"

/* ---- references ---- */

/* What "#/$defs/x" leads to; NULL if that is nothing in this schema. */
static struct json_object *
resolve(const struct cleaning *c, const char *reference)
{
	struct json_object *target = NULL;

	if (reference[0] != '#')
		return NULL;
	char *pointer = curl_easy_unescape(NULL, reference + 1, 0, NULL);
	if (pointer == NULL || json_pointer_get(c->root, pointer, &target) != 0)
		target = NULL;
	curl_free(pointer);
	return json_object_is_type(target, json_type_object) ? target : NULL;
}

static bool
is_open(const struct cleaning *c, struct json_object *target)
{
	for (size_t i = 0; i < c->open_count; i++)
		if (c->open[i] == target)
			return true;
	return false;
}

/* ---- flattening ---- */

bool
schema_says_type(struct json_object *schema)
{
	static const char *const words[] = {
		"type", "anyOf", "oneOf", "allOf", "enum", "const", "properties", "items", "$ref"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (json_tree_member(schema, words[i]) != NULL)
			return true;
	return false;
}

/* What ${into} has of these is a copy already, made here. */
static void
merge_lists(
	struct cleaning *c, struct json_object *into, const char *name, struct json_object *list)
{
	struct json_object *own = json_tree_member_array(into, name);

	if (own == NULL)
		cleaning_put(c, into, name, own = cleaning_array(c));
	for (size_t i = 0;
		i < json_object_array_length(list) && !c->failed && cleaning_afford(c, 1); i++)
		cleaning_add(c, own, json_object_get(json_object_array_get_idx(list, i)));
}

void
schema_merge_properties(
	struct cleaning *c, struct json_object *into, struct json_object *properties)
{
	struct json_object *own = json_tree_member_object(into, "properties");

	if (own == NULL)
		cleaning_put(c, into, "properties", own = cleaning_object(c));
	json_object_object_foreach(properties, name, value)
	{
		if (c->failed || !cleaning_afford_text(c, strlen(name)))
			break;
		cleaning_put_missing(c, own, name, value);
	}
}

static void
flatten(struct cleaning *, struct json_object *schema, struct json_object *into, int level);

/* Add the keywords of one schema; those that came before win. */
static void
merge(struct cleaning *c, struct json_object *schema, struct json_object *into, int level)
{
	json_object_object_foreach(schema, name, value)
	{
		if (strcmp(name, "$ref") == 0 || strcmp(name, "allOf") == 0)
			continue;
		if (strcmp(name, "properties") == 0 && json_object_is_type(value, json_type_object))
			schema_merge_properties(c, into, value);
		else if (strcmp(name, "required") == 0 &&
			 json_object_is_type(value, json_type_array))
			merge_lists(c, into, name, value);
		else
			cleaning_put_missing(c, into, name, value);
	}
	struct json_object *all = json_tree_member_array(schema, "allOf");
	for (size_t i = 0; all != NULL && i < json_object_array_length(all); i++)
		flatten(c, json_object_array_get_idx(all, i), into, level + 1);
}

/*
 * Put the schema's own keywords and what its references bring into ${into}.  What was opened stays
 * open until the caller closes it: the references inside must see it.
 */
static void
flatten(struct cleaning *c, struct json_object *schema, struct json_object *into, int level)
{
	const char *reference = json_tree_member_string(schema, "$ref");

	if (!json_object_is_type(schema, json_type_object) || level > CLEANING_LEVELS ||
		c->failed || !cleaning_afford_schema(c, schema) ||
		(reference != NULL && !cleaning_afford_text(c, strlen(reference))))
		return;
	merge(c, schema, into, level);
	struct json_object *target = reference != NULL ? resolve(c, reference) : NULL;
	if (target == NULL)
		return;
	if (is_open(c, target) || c->open_count == CLEANING_OPEN) {
		if (!schema_says_type(into))
			cleaning_put_text(c, into, "type", "object");
		return;
	}
	c->open[c->open_count++] = target;
	flatten(c, target, into, level + 1);
}

struct json_object *
schema_flatten(struct cleaning *c, struct json_object *schema, int level)
{
	if (json_object_is_type(schema, json_type_object) &&
		json_tree_member(schema, "$ref") == NULL &&
		json_tree_member(schema, "allOf") == NULL)
		return json_object_get(schema);
	struct json_object *into = cleaning_object(c);
	if (into != NULL)
		flatten(c, schema, into, level);
	return into;
}

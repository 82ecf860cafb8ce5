/*
 * Building a cleaned schema, and paying for it; see schema_cleaning.h.
 */
#include "translate/gemini/schema_cleaning.h"

#include <string.h>

#include "base/json/json_tree.h"

enum {
	TEXT_OF_ONE = 64,    /* bytes of text that cost as much as a value */
	MEMBERS_OF_ONE = 16, /* members that are only looked at, likewise */
};

struct json_object *
cleaning_object(struct cleaning *c)
{
	struct json_object *object = json_object_new_object();

	c->failed = c->failed || object == NULL;
	return object;
}

struct json_object *
cleaning_array(struct cleaning *c)
{
	struct json_object *array = json_object_new_array();

	c->failed = c->failed || array == NULL;
	return array;
}

void
cleaning_put(
	struct cleaning *c, struct json_object *object, const char *name, struct json_object *value)
{
	if (value == NULL)
		return;
	if (object == NULL || json_object_object_add(object, name, value) != 0) {
		json_object_put(value);
		c->failed = true;
	}
}

void
cleaning_add(struct cleaning *c, struct json_object *array, struct json_object *value)
{
	if (array == NULL || json_object_array_add(array, value) != 0) {
		json_object_put(value);
		c->failed = true;
	}
}

void
cleaning_put_text(
	struct cleaning *c, struct json_object *object, const char *name, const char *text)
{
	struct json_object *value = json_object_new_string(text);

	c->failed = c->failed || value == NULL;
	cleaning_put(c, object, name, value);
}

void
cleaning_put_true(struct cleaning *c, struct json_object *object, const char *name)
{
	struct json_object *value = json_object_new_boolean(true);

	c->failed = c->failed || value == NULL;
	cleaning_put(c, object, name, value);
}

void
cleaning_put_missing(
	struct cleaning *c, struct json_object *object, const char *name, struct json_object *lent)
{
	if (!json_object_object_get_ex(object, name, NULL))
		cleaning_put(c, object, name, json_object_get(lent));
}

void
cleaning_put_filled(
	struct cleaning *c, struct json_object *object, const char *name, struct json_object *list)
{
	if (list != NULL && json_object_array_length(list) > 0)
		cleaning_put(c, object, name, list);
	else
		json_object_put(list);
}

struct json_object *
cleaning_of_type(struct cleaning *c, const char *type)
{
	struct json_object *object = cleaning_object(c);

	cleaning_put_text(c, object, "type", type);
	return object;
}

/* ---- cost ---- */

bool
cleaning_afford(struct cleaning *c, size_t values)
{
	bool enough = values <= c->left;

	c->left = enough ? c->left - values : 0;
	return enough;
}

bool
cleaning_afford_text(struct cleaning *c, size_t length)
{
	return cleaning_afford(c, 1 + length / TEXT_OF_ONE);
}

bool
cleaning_afford_value(struct cleaning *c, struct json_object *value)
{
	if (json_tree_is_string(value))
		return cleaning_afford_text(c, (size_t)json_object_get_string_len(value));
	bool enough = cleaning_afford(c, 1);
	if (json_object_is_type(value, json_type_array))
		for (size_t i = 0; enough && i < json_object_array_length(value); i++)
			enough = cleaning_afford_value(c, json_object_array_get_idx(value, i));
	if (value != NULL && json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, member)
		{
			enough = enough && cleaning_afford_text(c, strlen(name)) &&
				 cleaning_afford_value(c, member);
		}
	}
	return enough;
}

bool
cleaning_afford_schema(struct cleaning *c, struct json_object *schema)
{
	size_t members = json_object_is_type(schema, json_type_object)
				 ? (size_t)json_object_object_length(schema)
				 : 0;

	return cleaning_afford(c, 1 + members / MEMBERS_OF_ONE);
}

/*
 * JSON as trees; see json_tree.h.
 *
 * json-c neither reads nor writes JSON here: its versions differ in what they take and in what they
 * escape.  A tree is built from an index, which is strict already, and written by the writer.
 * Recursion ends: an index is at most JSON_MAX_DEPTH deep, and what is built around a tree of it
 * adds a bounded number of levels.
 */
#include "base/json/json_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"

enum { MOST_DIGITS = 20 }; /* of an integer of 64 bits, with its sign */

/* ---- building ---- */

static struct json_object *build(const struct json *value, bool *failed);

/* What was made, which is NULL only if memory ran out. */
static struct json_object *
made(struct json_object *object, bool *failed)
{
	*failed = *failed || object == NULL;
	return object;
}

static struct json_object *
build_string(const struct json *value, bool *failed)
{
	struct buffer decoded = BUFFER_INIT(0);
	struct json_object *string = NULL;

	if ((value->flags & JSON_ESCAPED) == 0)
		return made(json_object_new_string_len(
				    json_content(value), (int)json_content_length(value)),
			failed);
	if (json_append(&decoded, value) == 0)
		string = json_object_new_string_len(buffer_text(&decoded), (int)decoded.length);
	buffer_free(&decoded);
	return made(string, failed);
}

/* Is it an integer that is spelled again just so? */
static bool
fits_int64(const struct json *value, int64_t *number)
{
	char digits[MOST_DIGITS + 1];

	if (!json_is_integer(value) || value->length > MOST_DIGITS)
		return false;
	memcpy(digits, value->text, value->length);
	digits[value->length] = '\0';
	errno = 0;
	*number = strtoll(digits, NULL, 10);
	return errno == 0 && strcmp(digits, "-0") != 0;
}

static struct json_object *
build_number(const struct json *value, bool *failed)
{
	int64_t number;

	if (fits_int64(value, &number))
		return made(json_object_new_int64(number), failed);
	char *spelling = strndup(value->text, value->length);
	struct json_object *built = spelling != NULL ? json_object_new_double_s(
							       json_double(value, 0), spelling)
						     : NULL;
	free(spelling);
	return made(built, failed);
}

static struct json_object *
build_array(const struct json *value, bool *failed)
{
	struct json_object *array = made(json_object_new_array(), failed);

	for (const struct json *v = json_first(value); v != NULL && !*failed; v = json_next(v)) {
		struct json_object *element = build(v, failed);
		if (*failed || json_object_array_add(array, element) != 0) {
			json_object_put(element);
			*failed = true;
		}
	}
	return array;
}

/* Add a member to ${object}, of duplicates the last; ${name} is memory for its name. */
static void
build_member(
	struct json_object *object, const struct json *value, struct buffer *name, bool *failed)
{
	buffer_clear(name);
	json_append_name(name, value);
	if (strlen(buffer_text(name)) != name->length)
		return;
	struct json_object *member = build(value, failed);
	if (*failed || name->failed ||
		json_object_object_add(object, buffer_text(name), member) != 0) {
		json_object_put(member);
		*failed = true;
	}
}

static struct json_object *
build_object(const struct json *value, bool *failed)
{
	struct json_object *object = made(json_object_new_object(), failed);
	struct buffer name = BUFFER_INIT(0);

	for (const struct json *v = json_first(value); v != NULL && !*failed; v = json_next(v))
		build_member(object, v, &name, failed);
	buffer_free(&name);
	return object;
}

/* A tree of the value; what there is of it if memory ran out. */
static struct json_object *
build(const struct json *value, bool *failed)
{
	switch (value->kind) {
	case JSON_FALSE:
	case JSON_TRUE:
		return made(json_object_new_boolean(value->kind == JSON_TRUE), failed);
	case JSON_NUMBER:
		return build_number(value, failed);
	case JSON_STRING:
		return build_string(value, failed);
	case JSON_ARRAY:
		return build_array(value, failed);
	case JSON_OBJECT:
		return build_object(value, failed);
	default:
		return NULL;
	}
}

struct json_object *
json_tree(const struct json *value, bool *failed)
{
	bool out_of_memory = false;
	struct json_object *tree = value != NULL ? build(value, &out_of_memory) : NULL;

	if (!out_of_memory)
		return tree;
	json_object_put(tree);
	if (failed != NULL)
		*failed = true;
	return NULL;
}

/* ---- writing ---- */

/* json-c keeps a spelling as the text of the number. */
static void
put_number(struct json_writer *w, struct json_object *number)
{
	const char *spelling = json_object_to_json_string_ext(number, JSON_C_TO_STRING_PLAIN);

	if (spelling == NULL)
		w->out->failed = true;
	else
		json_put_raw(w, spelling, strlen(spelling));
}

static void
put_array(struct json_writer *w, struct json_object *array)
{
	json_open_array(w);
	for (size_t i = 0; i < json_object_array_length(array); i++)
		json_put_tree(w, json_object_array_get_idx(array, i));
	json_close_array(w);
}

static void
put_object(struct json_writer *w, struct json_object *object)
{
	json_open_object(w);
	json_object_object_foreach(object, name, member)
	{
		json_put_any_name(w, name, strlen(name));
		json_put_tree(w, member);
	}
	json_close_object(w);
}

void
json_put_tree(struct json_writer *w, struct json_object *tree)
{
	switch (json_object_get_type(tree)) {
	case json_type_null:
		json_put_null(w);
		break;
	case json_type_boolean:
		json_put_bool(w, json_object_get_boolean(tree));
		break;
	case json_type_int:
	case json_type_double:
		put_number(w, tree);
		break;
	case json_type_string:
		json_put_string(
			w, json_object_get_string(tree), (size_t)json_object_get_string_len(tree));
		break;
	case json_type_array:
		put_array(w, tree);
		break;
	case json_type_object:
		put_object(w, tree);
		break;
	}
}

/* ---- members ---- */

struct json_object *
json_tree_member(struct json_object *object, const char *name)
{
	struct json_object *member = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &member);
	return member;
}

static struct json_object *
member_of_type(struct json_object *object, const char *name, enum json_type type)
{
	struct json_object *member = json_tree_member(object, name);

	return json_object_is_type(member, type) ? member : NULL;
}

struct json_object *
json_tree_member_object(struct json_object *object, const char *name)
{
	return member_of_type(object, name, json_type_object);
}

struct json_object *
json_tree_member_array(struct json_object *object, const char *name)
{
	return member_of_type(object, name, json_type_array);
}

const char *
json_tree_member_string(struct json_object *object, const char *name)
{
	struct json_object *member = member_of_type(object, name, json_type_string);

	return member != NULL ? json_object_get_string(member) : NULL;
}

bool
json_tree_is_string(struct json_object *value)
{
	return json_object_is_type(value, json_type_string);
}

bool
json_tree_is_text(struct json_object *value, const char *text)
{
	size_t length = strlen(text);

	return json_tree_is_string(value) && (size_t)json_object_get_string_len(value) == length &&
	       memcmp(json_object_get_string(value), text, length) == 0;
}

/*
 * JSON Schema to Gemini's Schema; see schema.h.
 *
 * Each schema is first flattened: what $ref and allOf bring is put beside its own keywords
 * (schema_flatten.h).  Then the keywords that Gemini knows are copied, each only if it fits the
 * type, for Gemini checks that as well.
 */
#include "translate/gemini/schema.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json/json.h"
#include "base/json/json_tree.h"
#include "translate/gemini/schema_cleaning.h"
#include "translate/gemini/schema_flatten.h"

enum {
	SHARE = 4,          /* one schema may cost this part of what is left for all */
	VALUES_OF_ONE = 16, /* values that are only looked at, which cost as much as one */
};

static struct json_object *clean(struct cleaning *, struct json_object *schema, int level);

/* A string that is not empty, and has no U+0000, where json-c's names end? */
static bool
is_word(struct json_object *value)
{
	size_t length = json_tree_is_string(value) ? (size_t)json_object_get_string_len(value) : 0;

	return length > 0 && strlen(json_object_get_string(value)) == length;
}

/* Add a word to a list unless it is there already; ${seen} has a member for each that is. */
static void
add_once(struct cleaning *c, struct json_object *list, struct json_object *seen,
	struct json_object *lent)
{
	const char *word = json_object_get_string(lent);

	if (json_object_object_get_ex(seen, word, NULL))
		return;
	cleaning_put_true(c, seen, word);
	cleaning_add(c, list, json_object_get(lent));
}

static bool
is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) ||
	       json_object_is_type(value, json_type_double);
}

/* ---- types ---- */

/* Gemini's word for a type; NULL if it has none. */
static const char *
type_name(struct json_object *value)
{
	static const char *const names[] = {
		"string", "number", "integer", "boolean", "array", "object"};

	for (size_t i = 0; json_tree_is_string(value) && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(json_object_get_string(value), names[i]) == 0)
			return names[i];
	return NULL;
}

static bool
is_null_type(struct json_object *value)
{
	return json_tree_is_string(value) && strcasecmp(json_object_get_string(value), "null") == 0;
}

static const char *
type_of_value(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		return "boolean";
	case json_type_int:
		return "integer";
	case json_type_double:
		return "number";
	case json_type_array:
		return "array";
	case json_type_object:
		return "object";
	default:
		return "string";
	}
}

/* The type of listed values: string if any is one, else that of the first that is not null. */
static const char *
type_of_values(struct cleaning *c, struct json_object *values)
{
	struct json_object *first = NULL;
	size_t count = json_object_array_length(values);

	for (size_t i = 0; i < count && (i % VALUES_OF_ONE != 0 || cleaning_afford(c, 1)); i++) {
		struct json_object *each = json_object_array_get_idx(values, i);
		if (json_tree_is_string(each))
			return "string";
		first = first != NULL ? first : each;
	}
	return type_of_value(first);
}

/* The type of a schema that does not say it; NULL if nothing tells. */
static const char *
deduced_type(struct cleaning *c, struct json_object *flat)
{
	struct json_object *values = json_tree_member_array(flat, "enum");
	struct json_object *constant = NULL;

	if (json_object_object_get_ex(flat, "const", &constant) && constant != NULL)
		return type_of_value(constant);
	if (values != NULL && json_object_array_length(values) > 0)
		return type_of_values(c, values);
	if (json_tree_member_object(flat, "properties") != NULL)
		return "object";
	if (json_tree_member(flat, "items") != NULL ||
		json_tree_member(flat, "prefixItems") != NULL)
		return "array";
	return NULL;
}

/* ---- keywords ---- */

/* Where a keyword is understood. */
enum fits { ANY = 0, STRING = 1, NUMBER = 2, ARRAY = 4, OBJECT = 8 };

static enum fits
fits_of(const char *type)
{
	return strcmp(type, "string") == 0    ? STRING
	       : strcmp(type, "number") == 0  ? NUMBER
	       : strcmp(type, "integer") == 0 ? NUMBER
	       : strcmp(type, "array") == 0   ? ARRAY
	       : strcmp(type, "object") == 0  ? OBJECT
					      : ANY;
}

/* Keywords that are taken over as they are, if their value is of the right kind. */
static const struct {
	const char *name;
	const char *as; /* Gemini's name */
	enum fits fits;
	enum { TEXT, COUNT, AMOUNT, TRUTH, VALUE } kind;
} plain[] = {
	{"title", "title", ANY, TEXT},
	{"description", "description", ANY, TEXT},
	{"nullable", "nullable", ANY, TRUTH},
	{"default", "default", ANY, VALUE},
	{"example", "example", ANY, VALUE},
	{"pattern", "pattern", STRING, TEXT},
	{"minLength", "minLength", STRING, COUNT},
	{"maxLength", "maxLength", STRING, COUNT},
	{"minItems", "minItems", ARRAY, COUNT},
	{"maxItems", "maxItems", ARRAY, COUNT},
	{"minProperties", "minProperties", OBJECT, COUNT},
	{"maxProperties", "maxProperties", OBJECT, COUNT},
	{"minimum", "minimum", NUMBER, AMOUNT},
	{"maximum", "maximum", NUMBER, AMOUNT},
	{"exclusiveMinimum", "minimum", NUMBER, AMOUNT},
	{"exclusiveMaximum", "maximum", NUMBER, AMOUNT},
};

/* Gemini's counts are int64, as json_tree's integers are. */
static bool
is_count(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0;
}

static void
put_plain(struct cleaning *c, struct json_object *out, struct json_object *flat, const char *type)
{
	enum fits fits = fits_of(type);

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		struct json_object *value = json_tree_member(flat, plain[i].name);
		bool right = plain[i].kind == VALUE ||
			     (plain[i].kind == TEXT && json_tree_is_string(value)) ||
			     (plain[i].kind == COUNT && is_count(value)) ||
			     (plain[i].kind == AMOUNT && is_number(value)) ||
			     (plain[i].kind == TRUTH &&
				     json_object_is_type(value, json_type_boolean));
		if (value != NULL && right && (plain[i].fits == ANY || plain[i].fits == fits) &&
			cleaning_afford_value(c, value))
			cleaning_put_missing(c, out, plain[i].as, value);
	}
}

/* Strings alone may be listed. */
static void
put_enum(struct cleaning *c, struct json_object *out, struct json_object *values)
{
	struct json_object *kept = cleaning_array(c);
	struct json_object *seen = cleaning_object(c);

	for (size_t i = 0; i < json_object_array_length(values) && !c->failed; i++) {
		struct json_object *value = json_object_array_get_idx(values, i);
		if (!cleaning_afford_value(c, value))
			break;
		if (is_word(value))
			add_once(c, kept, seen, value);
	}
	json_object_put(seen);
	cleaning_put_filled(c, out, "enum", kept);
}

/* What const gives is a list of one. */
static void
put_choice(struct cleaning *c, struct json_object *out, struct json_object *flat)
{
	struct json_object *constant = json_tree_member(flat, "const");
	struct json_object *values = json_tree_member_array(flat, "enum");

	if (constant == NULL && values != NULL) {
		put_enum(c, out, values);
	} else if (is_word(constant) && cleaning_afford_value(c, constant)) {
		struct json_object *kept = cleaning_array(c);
		cleaning_add(c, kept, json_object_get(constant));
		cleaning_put(c, out, "enum", kept);
	}
}

static void
put_format(struct cleaning *c, struct json_object *out, struct json_object *flat, const char *type)
{
	static const struct {
		const char *type, *format;
	} known[] = {{"string", "enum"}, {"string", "date-time"}, {"integer", "int32"},
		{"integer", "int64"}, {"number", "float"}, {"number", "double"},
		{"number", "int32"}, {"number", "int64"}};
	struct json_object *format = json_tree_member(flat, "format");

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(type, known[i].type) == 0 && json_tree_is_text(format, known[i].format))
			cleaning_put(c, out, "format", json_object_get(format));
}

static void
put_items(struct cleaning *c, struct json_object *out, struct json_object *flat, int level)
{
	struct json_object *items = json_tree_member(flat, "items");

	/* Of a tuple, the first stands for all. */
	if (!json_object_is_type(items, json_type_object) &&
		!json_object_is_type(items, json_type_array))
		items = json_tree_member(flat, "prefixItems");
	if (json_object_is_type(items, json_type_array))
		items = json_object_array_get_idx(items, 0);
	cleaning_put(c, out, "items", clean(c, items, level + 1));
}

/* Those of the names that are properties, each once. */
static void
put_names(struct cleaning *c, struct json_object *out, struct json_object *flat, const char *name,
	struct json_object *properties)
{
	struct json_object *names = json_tree_member_array(flat, name);

	if (names == NULL)
		return;
	struct json_object *kept = cleaning_array(c);
	struct json_object *seen = cleaning_object(c);
	for (size_t i = 0; i < json_object_array_length(names) && !c->failed; i++) {
		struct json_object *each = json_object_array_get_idx(names, i);
		if (!cleaning_afford_value(c, each))
			break;
		if (is_word(each) &&
			json_tree_member(properties, json_object_get_string(each)) != NULL)
			add_once(c, kept, seen, each);
	}
	json_object_put(seen);
	cleaning_put_filled(c, out, name, kept);
}

static void
put_properties(struct cleaning *c, struct json_object *out, struct json_object *flat, int level)
{
	struct json_object *properties = json_tree_member_object(flat, "properties");

	if (properties == NULL)
		return;
	struct json_object *cleaned = cleaning_object(c);
	json_object_object_foreach(properties, name, schema)
	{
		if (c->failed || !cleaning_afford_text(c, strlen(name)))
			break;
		if (schema != NULL)
			cleaning_put(c, cleaned, name, clean(c, schema, level + 1));
	}
	if (cleaned == NULL || json_object_object_length(cleaned) == 0) {
		json_object_put(cleaned);
		return;
	}
	cleaning_put(c, out, "properties", cleaned);
	if (c->failed)
		return;
	put_names(c, out, flat, "required", cleaned);
	put_names(c, out, flat, "propertyOrdering", cleaned);
}

/* A schema of one known type. */
static void
put_typed(struct cleaning *c, struct json_object *out, struct json_object *flat, const char *type,
	int level)
{
	cleaning_put_text(c, out, "type", type);
	put_plain(c, out, flat, type);
	switch (fits_of(type)) {
	case STRING:
		put_choice(c, out, flat);
		put_format(c, out, flat, type);
		break;
	case NUMBER:
		put_format(c, out, flat, type);
		break;
	case ARRAY:
		put_items(c, out, flat, level);
		break;
	case OBJECT:
		put_properties(c, out, flat, level);
		break;
	case ANY:
		break;
	}
}

/* ---- alternatives ---- */

static bool
is_null_schema(struct json_object *schema)
{
	struct json_object *constant = NULL;

	return is_null_type(json_tree_member(schema, "type")) ||
	       (json_object_object_get_ex(schema, "const", &constant) && constant == NULL);
}

/* Gather the alternatives of anyOf and oneOf; ${nullable} if null is one of them. */
static struct json_object *
alternatives(struct cleaning *c, struct json_object *flat, int level, bool *nullable)
{
	static const char *const words[] = {"anyOf", "oneOf"};
	struct json_object *kept = cleaning_array(c);

	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		struct json_object *list = json_tree_member_array(flat, words[w]);
		size_t count = list != NULL ? json_object_array_length(list) : 0;
		for (size_t i = 0; i < count && !c->failed && cleaning_afford(c, 1); i++) {
			struct json_object *each = json_object_array_get_idx(list, i);
			if (json_object_is_type(each, json_type_object) && is_null_schema(each))
				*nullable = true;
			else if (schema_says_type(each))
				cleaning_add(c, kept, clean(c, each, level + 1));
		}
	}
	return kept;
}

/* The alternatives that a list of types is; null among them makes it nullable. */
static struct json_object *
typed_alternatives(struct cleaning *c, struct json_object *flat, struct json_object *types,
	int level, bool *nullable)
{
	static const char *const common[] = {"title", "description", "default", "nullable"};
	struct json_object *kept = cleaning_array(c);
	struct json_object *seen = cleaning_object(c);
	size_t count = json_object_array_length(types);

	for (size_t i = 0; i < count && !c->failed && cleaning_afford(c, 1); i++) {
		struct json_object *each = json_object_array_get_idx(types, i);
		const char *type = type_name(each);
		*nullable = *nullable || is_null_type(each);
		if (type == NULL || json_object_object_get_ex(seen, type, NULL))
			continue;
		cleaning_put_true(c, seen, type);
		struct json_object *out = cleaning_object(c);
		put_typed(c, out, flat, type, level);
		for (size_t w = 0; out != NULL && w < sizeof(common) / sizeof(common[0]); w++)
			json_object_object_del(out, common[w]);
		cleaning_add(c, kept, out);
	}
	json_object_put(seen);
	return kept;
}

/* Put the alternatives, of which one alone needs no anyOf; takes ${kept}. */
static void
put_alternatives(struct cleaning *c, struct json_object *out, struct json_object *flat,
	struct json_object *kept)
{
	struct json_object *description = json_tree_member(flat, "description");
	size_t count = kept != NULL ? json_object_array_length(kept) : 0;

	if (json_tree_is_string(description) && cleaning_afford_value(c, description))
		cleaning_put(c, out, "description", json_object_get(description));
	if (count > 1) {
		cleaning_put(c, out, "anyOf", kept);
		return;
	}
	if (count == 1) {
		json_object_object_foreach(json_object_array_get_idx(kept, 0), name, value)
		{
			cleaning_put_missing(c, out, name, value);
		}
	}
	json_object_put(kept);
}

/* ---- a schema ---- */

/* An object that says only in its alternatives what is in it. */
static bool
is_split_object(struct json_object *flat, const char *type)
{
	return type != NULL && strcmp(type, "object") == 0 &&
	       json_tree_member_object(flat, "properties") == NULL &&
	       (json_tree_member_array(flat, "anyOf") != NULL ||
		       json_tree_member_array(flat, "oneOf") != NULL);
}

static void
put_schema(struct cleaning *c, struct json_object *out, struct json_object *flat, int level)
{
	struct json_object *types = json_tree_member_array(flat, "type");
	const char *type = type_name(json_tree_member(flat, "type"));
	bool nullable = is_null_type(json_tree_member(flat, "type"));
	struct json_object *kept = NULL;
	/* Where nothing tells, a string can hold anything. */
	const char *otherwise = "string";

	if (is_split_object(flat, type)) {
		otherwise = type;
		type = NULL;
	}
	if (type == NULL)
		type = deduced_type(c, types != NULL ? NULL : flat);
	if (type != NULL) {
		put_typed(c, out, flat, type, level);
	} else {
		kept = types != NULL ? typed_alternatives(c, flat, types, level, &nullable)
				     : alternatives(c, flat, level, &nullable);
		bool any = kept != NULL && json_object_array_length(kept) > 0;
		put_alternatives(c, out, flat, kept);
		if (!any)
			put_typed(c, out, flat, otherwise, level);
		else if (types != NULL && json_tree_member(out, "anyOf") == NULL)
			put_plain(c, out, flat, json_tree_member_string(out, "type"));
	}
	if (nullable)
		cleaning_put_true(c, out, "nullable");
}

static struct json_object *
clean(struct cleaning *c, struct json_object *schema, int level)
{
	size_t open = c->open_count;

	if (level > CLEANING_LEVELS || c->failed || !cleaning_afford_schema(c, schema))
		return cleaning_of_type(c, "object");
	struct json_object *flat = schema_flatten(c, schema, level);
	struct json_object *out = cleaning_object(c);
	if (!c->failed)
		put_schema(c, out, flat, level);
	c->open_count = open;
	json_object_put(flat);
	return out;
}

/* Parameters are an object: of alternatives, all that any of them knows, none of it required. */
static struct json_object *
as_object(struct cleaning *c, struct json_object *cleaned)
{
	struct json_object *list = json_tree_member_array(cleaned, "anyOf");
	struct json_object *object = cleaning_of_type(c, "object");
	struct json_object *description = json_tree_member(cleaned, "description");
	size_t count = list != NULL ? json_object_array_length(list) : 0;

	cleaning_put(c, object, "description", json_object_get(description));
	for (size_t i = 0; i < count; i++) {
		struct json_object *properties = json_tree_member_object(
			json_object_array_get_idx(list, i), "properties");
		if (properties != NULL)
			schema_merge_properties(c, object, properties);
	}
	json_object_put(cleaned);
	return object;
}

struct json_object *
gemini_schema_clean(const struct json *schema, size_t *budget)
{
	const size_t share = *budget / SHARE;
	struct cleaning c = {.left = share};

	if (schema != NULL && schema->span <= share && cleaning_afford(&c, schema->span))
		c.root = json_tree(schema, &c.failed);
	struct json_object *cleaned = clean(&c, c.root, 0);
	if (!json_tree_is_text(json_tree_member(cleaned, "type"), "object"))
		cleaned = as_object(&c, cleaned);
	json_object_put(c.root);
	*budget -= share - c.left;
	if (!c.failed)
		return cleaned;
	json_object_put(cleaned);
	return NULL;
}

/*
 * JSON Schema to Gemini's Schema; see schema.h.
 *
 * Each schema is first flattened: what $ref and allOf bring is put beside its own keywords.  Then
 * the keywords that Gemini knows are taken over, each only where it fits the type, for Gemini
 * checks that as well.
 */
#include "translate/gemini/schema.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/json_tree.h"

enum {
	MOST_LEVELS = 32, /* of schemas in schemas */
	MOST_OPEN = 64,   /* references being resolved */
	SHARE = 4,        /* one schema may cost this part of what is left for all */
	TEXT_OF_ONE = 64, /* bytes of text that cost as much as a value */
	SEEN_OF_ONE = 16, /* values that are only looked at, likewise */
};

struct cleaning {
	struct json_object *root;
	struct json_object *open[MOST_OPEN]; /* what the references lead to, from the outside in */
	size_t open_count;
	size_t left; /* values that this schema may still cost */
	bool failed; /* memory ran out */
};

static struct json_object *clean(struct cleaning *, struct json_object *schema, int level);

/* ---- small things; out of memory sticks ---- */

static struct json_object *
new_object(struct cleaning *c)
{
	struct json_object *object = json_object_new_object();

	c->failed = c->failed || object == NULL;
	return object;
}

static struct json_object *
new_array(struct cleaning *c)
{
	struct json_object *array = json_object_new_array();

	c->failed = c->failed || array == NULL;
	return array;
}

/* Put a member, unless ${value} is NULL; takes it. */
static void
put(struct cleaning *c, struct json_object *object, const char *name, struct json_object *value)
{
	if (value == NULL)
		return;
	if (object == NULL || json_object_object_add(object, name, value) != 0) {
		json_object_put(value);
		c->failed = true;
	}
}

/* Add an element, which may be null; takes it. */
static void
add(struct cleaning *c, struct json_object *array, struct json_object *value)
{
	if (array == NULL || json_object_array_add(array, value) != 0) {
		json_object_put(value);
		c->failed = true;
	}
}

static void
put_text(struct cleaning *c, struct json_object *object, const char *name, const char *text)
{
	struct json_object *value = json_object_new_string(text);

	c->failed = c->failed || value == NULL;
	put(c, object, name, value);
}

static void
put_true(struct cleaning *c, struct json_object *object, const char *name)
{
	struct json_object *value = json_object_new_boolean(true);

	c->failed = c->failed || value == NULL;
	put(c, object, name, value);
}

/* Take over a member that is not there yet. */
static void
put_missing(
	struct cleaning *c, struct json_object *object, const char *name, struct json_object *lent)
{
	if (!json_object_object_get_ex(object, name, NULL))
		put(c, object, name, json_object_get(lent));
}

/* Put a list, unless it is empty; takes it. */
static void
put_filled(
	struct cleaning *c, struct json_object *object, const char *name, struct json_object *list)
{
	if (list != NULL && json_object_array_length(list) > 0)
		put(c, object, name, list);
	else
		json_object_put(list);
}

static struct json_object *
of_type(struct cleaning *c, const char *type)
{
	struct json_object *object = new_object(c);

	put_text(c, object, "type", type);
	return object;
}

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
	put_true(c, seen, word);
	add(c, list, json_object_get(lent));
}

static bool
is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) ||
	       json_object_is_type(value, json_type_double);
}

/* ---- cost: a reference is a few bytes, what it leads to may be a million ---- */

/* Pay for ${values}; false if that is more than is left, and then nothing is. */
static bool
afford(struct cleaning *c, size_t values)
{
	bool enough = values <= c->left;

	c->left = enough ? c->left - values : 0;
	return enough;
}

/* Pay for a value, and ${length} bytes of text in it or before it. */
static bool
afford_text(struct cleaning *c, size_t length)
{
	return afford(c, 1 + length / TEXT_OF_ONE);
}

static bool
afford_value(struct cleaning *c, struct json_object *value)
{
	if (json_tree_is_string(value))
		return afford_text(c, (size_t)json_object_get_string_len(value));
	bool enough = afford(c, 1);
	if (json_object_is_type(value, json_type_array))
		for (size_t i = 0; enough && i < json_object_array_length(value); i++)
			enough = afford_value(c, json_object_array_get_idx(value, i));
	if (value != NULL && json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, member)
		{
			enough = enough && afford_text(c, strlen(name)) && afford_value(c, member);
		}
	}
	return enough;
}

/* Pay for looking at a schema. */
static bool
afford_schema(struct cleaning *c, struct json_object *schema)
{
	size_t members = json_object_is_type(schema, json_type_object)
				 ? (size_t)json_object_object_length(schema)
				 : 0;

	return afford(c, 1 + members / SEEN_OF_ONE);
}

/* ---- references ---- */

/* What "#/$defs/x" leads to; NULL: nothing in this schema. */
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

/* Does the schema say what a value is, or only narrow what another says? */
static bool
says_type(struct json_object *schema)
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
		put(c, into, name, own = new_array(c));
	for (size_t i = 0; i < json_object_array_length(list) && !c->failed && afford(c, 1); i++)
		add(c, own, json_object_get(json_object_array_get_idx(list, i)));
}

static void
merge_properties(struct cleaning *c, struct json_object *into, struct json_object *properties)
{
	struct json_object *own = json_tree_member_object(into, "properties");

	if (own == NULL)
		put(c, into, "properties", own = new_object(c));
	json_object_object_foreach(properties, name, value)
	{
		if (c->failed || !afford_text(c, strlen(name)))
			break;
		put_missing(c, own, name, value);
	}
}

static void
flatten(struct cleaning *, struct json_object *schema, struct json_object *into, int level);

/* Take over the keywords of one schema; what came before wins. */
static void
merge(struct cleaning *c, struct json_object *schema, struct json_object *into, int level)
{
	json_object_object_foreach(schema, name, value)
	{
		if (strcmp(name, "$ref") == 0 || strcmp(name, "allOf") == 0)
			continue;
		if (strcmp(name, "properties") == 0 && json_object_is_type(value, json_type_object))
			merge_properties(c, into, value);
		else if (strcmp(name, "required") == 0 &&
			 json_object_is_type(value, json_type_array))
			merge_lists(c, into, name, value);
		else
			put_missing(c, into, name, value);
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

	if (!json_object_is_type(schema, json_type_object) || level > MOST_LEVELS || c->failed ||
		!afford_schema(c, schema) ||
		(reference != NULL && !afford_text(c, strlen(reference))))
		return;
	merge(c, schema, into, level);
	struct json_object *target = reference != NULL ? resolve(c, reference) : NULL;
	if (target == NULL)
		return;
	if (is_open(c, target) || c->open_count == MOST_OPEN) {
		if (!says_type(into))
			put_text(c, into, "type", "object");
		return;
	}
	c->open[c->open_count++] = target;
	flatten(c, target, into, level + 1);
}

/* The schema with what it refers to beside its own keywords; of most that is the schema itself. */
static struct json_object *
flattened(struct cleaning *c, struct json_object *schema, int level)
{
	if (json_object_is_type(schema, json_type_object) &&
		json_tree_member(schema, "$ref") == NULL &&
		json_tree_member(schema, "allOf") == NULL)
		return json_object_get(schema);
	struct json_object *into = new_object(c);
	if (into != NULL)
		flatten(c, schema, into, level);
	return into;
}

/* ---- types ---- */

/* Gemini's word for a type; NULL: it has none. */
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

	for (size_t i = 0; i < count && (i % SEEN_OF_ONE != 0 || afford(c, 1)); i++) {
		struct json_object *each = json_object_array_get_idx(values, i);
		if (json_tree_is_string(each))
			return "string";
		first = first != NULL ? first : each;
	}
	return type_of_value(first);
}

/* The type of a schema that does not say it; NULL: nothing tells. */
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
			afford_value(c, value))
			put_missing(c, out, plain[i].as, value);
	}
}

/* Strings alone may be listed. */
static void
put_enum(struct cleaning *c, struct json_object *out, struct json_object *values)
{
	struct json_object *kept = new_array(c);
	struct json_object *seen = new_object(c);

	for (size_t i = 0; i < json_object_array_length(values) && !c->failed; i++) {
		struct json_object *value = json_object_array_get_idx(values, i);
		if (!afford_value(c, value))
			break;
		if (is_word(value))
			add_once(c, kept, seen, value);
	}
	json_object_put(seen);
	put_filled(c, out, "enum", kept);
}

/* What const gives is a list of one. */
static void
put_choice(struct cleaning *c, struct json_object *out, struct json_object *flat)
{
	struct json_object *constant = json_tree_member(flat, "const");
	struct json_object *values = json_tree_member_array(flat, "enum");

	if (constant == NULL && values != NULL) {
		put_enum(c, out, values);
	} else if (is_word(constant) && afford_value(c, constant)) {
		struct json_object *kept = new_array(c);
		add(c, kept, json_object_get(constant));
		put(c, out, "enum", kept);
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
			put(c, out, "format", json_object_get(format));
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
	put(c, out, "items", clean(c, items, level + 1));
}

/* Those of the names that are properties, each once. */
static void
put_names(struct cleaning *c, struct json_object *out, struct json_object *flat, const char *name,
	struct json_object *properties)
{
	struct json_object *names = json_tree_member_array(flat, name);

	if (names == NULL)
		return;
	struct json_object *kept = new_array(c);
	struct json_object *seen = new_object(c);
	for (size_t i = 0; i < json_object_array_length(names) && !c->failed; i++) {
		struct json_object *each = json_object_array_get_idx(names, i);
		if (!afford_value(c, each))
			break;
		if (is_word(each) &&
			json_tree_member(properties, json_object_get_string(each)) != NULL)
			add_once(c, kept, seen, each);
	}
	json_object_put(seen);
	put_filled(c, out, name, kept);
}

static void
put_properties(struct cleaning *c, struct json_object *out, struct json_object *flat, int level)
{
	struct json_object *properties = json_tree_member_object(flat, "properties");

	if (properties == NULL)
		return;
	struct json_object *cleaned = new_object(c);
	json_object_object_foreach(properties, name, schema)
	{
		if (c->failed || !afford_text(c, strlen(name)))
			break;
		if (schema != NULL)
			put(c, cleaned, name, clean(c, schema, level + 1));
	}
	if (cleaned == NULL || json_object_object_length(cleaned) == 0) {
		json_object_put(cleaned);
		return;
	}
	put(c, out, "properties", cleaned);
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
	put_text(c, out, "type", type);
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
	struct json_object *kept = new_array(c);

	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		struct json_object *list = json_tree_member_array(flat, words[w]);
		size_t count = list != NULL ? json_object_array_length(list) : 0;
		for (size_t i = 0; i < count && !c->failed && afford(c, 1); i++) {
			struct json_object *each = json_object_array_get_idx(list, i);
			if (json_object_is_type(each, json_type_object) && is_null_schema(each))
				*nullable = true;
			else if (says_type(each))
				add(c, kept, clean(c, each, level + 1));
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
	struct json_object *kept = new_array(c);
	struct json_object *seen = new_object(c);
	size_t count = json_object_array_length(types);

	for (size_t i = 0; i < count && !c->failed && afford(c, 1); i++) {
		struct json_object *each = json_object_array_get_idx(types, i);
		const char *type = type_name(each);
		*nullable = *nullable || is_null_type(each);
		if (type == NULL || json_object_object_get_ex(seen, type, NULL))
			continue;
		put_true(c, seen, type);
		struct json_object *out = new_object(c);
		put_typed(c, out, flat, type, level);
		for (size_t w = 0; out != NULL && w < sizeof(common) / sizeof(common[0]); w++)
			json_object_object_del(out, common[w]);
		add(c, kept, out);
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

	if (json_tree_is_string(description) && afford_value(c, description))
		put(c, out, "description", json_object_get(description));
	if (count > 1) {
		put(c, out, "anyOf", kept);
		return;
	}
	if (count == 1) {
		json_object_object_foreach(json_object_array_get_idx(kept, 0), name, value)
		{
			put_missing(c, out, name, value);
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
		put_true(c, out, "nullable");
}

static struct json_object *
clean(struct cleaning *c, struct json_object *schema, int level)
{
	size_t open = c->open_count;

	if (level > MOST_LEVELS || c->failed || !afford_schema(c, schema))
		return of_type(c, "object");
	struct json_object *flat = flattened(c, schema, level);
	struct json_object *out = new_object(c);
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
	struct json_object *object = of_type(c, "object");
	struct json_object *description = json_tree_member(cleaned, "description");
	size_t count = list != NULL ? json_object_array_length(list) : 0;

	put(c, object, "description", json_object_get(description));
	for (size_t i = 0; i < count; i++) {
		struct json_object *properties = json_tree_member_object(
			json_object_array_get_idx(list, i), "properties");
		if (properties != NULL)
			merge_properties(c, object, properties);
	}
	json_object_put(cleaned);
	return object;
}

struct json_object *
gemini_schema_clean(const struct json *schema, size_t *budget)
{
	const size_t share = *budget / SHARE;
	struct cleaning c = {.left = share};

	if (schema != NULL && schema->span <= share && afford(&c, schema->span))
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

/*
 * JSON Schema to Gemini's Schema; see gemini_schema.h.
 *
 * Each schema is first flattened: what $ref and allOf bring is put beside its own keywords.  Then
 * the keywords that Gemini knows are taken over, each only where it fits the type, for Gemini
 * checks that as well.
 */
#include "translate/gemini_schema.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

enum {
	MOST_NODES = 20000,  /* schemas in one result: references can multiply */
	MOST_LEVELS = 32,    /* of schemas in schemas */
	MOST_OPEN = 64,      /* references being resolved */
	MOST_COST = 4 << 20, /* about the bytes of the result and the members looked at */
	COST_OF_ONE = 16,
};

struct cleaning {
	struct json_object *root;
	struct json_object *open[MOST_OPEN]; /* what the references lead to, from the outside in */
	size_t open_count;
	size_t nodes;
	size_t cost;
};

static struct json_object *clean(struct cleaning *, struct json_object *schema, int level);

/* ---- small things ---- */

static void
put(struct json_object *object, const char *name, struct json_object *value)
{
	if (value != NULL)
		json_object_object_add(object, name, value);
}

static void
put_text(struct json_object *object, const char *name, const char *text)
{
	put(object, name, json_object_new_string(text));
}

/* Take over a member that is not there yet. */
static void
put_missing(struct json_object *object, const char *name, struct json_object *lent)
{
	if (!json_object_object_get_ex(object, name, NULL))
		put(object, name, json_object_get(lent));
}

static struct json_object *
of_type(const char *type)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "type", type);
	return object;
}

/* Add a string to a list unless it is there already; ${seen} knows which are. */
static void
add_once(struct json_object *list, struct json_object *seen, struct json_object *lent)
{
	const char *text = json_object_get_string(lent);

	if (json_object_object_get_ex(seen, text, NULL))
		return;
	json_object_object_add(seen, text, NULL);
	json_object_array_add(list, json_object_get(lent));
}

static bool
is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) ||
	       json_object_is_type(value, json_type_double);
}

/* ---- cost: a reference is a few bytes, what it leads to may be a million ---- */

/* Count ${cost}; false if that is more than a schema may take. */
static bool
afford(struct cleaning *c, size_t cost)
{
	c->cost += cost;
	return c->cost <= MOST_COST;
}

static bool
afford_value(struct cleaning *c, struct json_object *value)
{
	bool enough = afford(c, COST_OF_ONE);

	if (json_is_string(value))
		return afford(c, (size_t)json_object_get_string_len(value));
	if (json_object_is_type(value, json_type_array))
		for (size_t i = 0; enough && i < json_object_array_length(value); i++)
			enough = afford_value(c, json_object_array_get_idx(value, i));
	if (value != NULL && json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, member)
		{
			enough = enough && afford(c, strlen(name)) && afford_value(c, member);
		}
	}
	return enough;
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
		if (json_member(schema, words[i]) != NULL)
			return true;
	return false;
}

/* What ${into} has of these is a copy already, made here. */
static void
merge_lists(
	struct cleaning *c, struct json_object *into, const char *name, struct json_object *list)
{
	struct json_object *own = json_member_array(into, name);

	if (own == NULL)
		put(into, name, own = json_object_new_array());
	for (size_t i = 0; i < json_object_array_length(list) && afford(c, COST_OF_ONE); i++)
		json_object_array_add(own, json_object_get(json_object_array_get_idx(list, i)));
}

static void
merge_properties(struct cleaning *c, struct json_object *into, struct json_object *properties)
{
	struct json_object *own = json_member_object(into, "properties");

	if (own == NULL)
		put(into, "properties", own = json_object_new_object());
	json_object_object_foreach(properties, name, value)
	{
		if (!afford(c, COST_OF_ONE + strlen(name)))
			break;
		put_missing(own, name, value);
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
		if (strcmp(name, "properties") == 0 &&
			json_object_is_type(value, json_type_object) && value != NULL)
			merge_properties(c, into, value);
		else if (strcmp(name, "required") == 0 &&
			 json_object_is_type(value, json_type_array))
			merge_lists(c, into, name, value);
		else
			put_missing(into, name, value);
	}
	struct json_object *all = json_member_array(schema, "allOf");
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
	const char *reference = json_member_string(schema, "$ref");

	if (!json_object_is_type(schema, json_type_object) || schema == NULL ||
		level > MOST_LEVELS || c->nodes++ > MOST_NODES ||
		!afford(c, COST_OF_ONE + (size_t)json_object_object_length(schema)) ||
		(reference != NULL && !afford(c, strlen(reference))))
		return;
	merge(c, schema, into, level);
	struct json_object *target = reference != NULL ? resolve(c, reference) : NULL;
	if (target == NULL)
		return;
	if (is_open(c, target) || c->open_count == MOST_OPEN) {
		if (!says_type(into))
			put_text(into, "type", "object");
		return;
	}
	c->open[c->open_count++] = target;
	flatten(c, target, into, level + 1);
}

/* ---- types ---- */

/* Gemini's word for a type; NULL: it has none. */
static const char *
type_name(struct json_object *value)
{
	static const char *const names[] = {
		"string", "number", "integer", "boolean", "array", "object"};

	for (size_t i = 0; json_is_string(value) && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(json_object_get_string(value), names[i]) == 0)
			return names[i];
	return NULL;
}

static bool
is_null_type(struct json_object *value)
{
	return json_is_string(value) && strcasecmp(json_object_get_string(value), "null") == 0;
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

	for (size_t i = 0; i < json_object_array_length(values) && afford(c, 1); i++) {
		struct json_object *each = json_object_array_get_idx(values, i);
		if (json_is_string(each))
			return "string";
		first = first != NULL ? first : each;
	}
	return type_of_value(first);
}

/* The type of a schema that does not say it; NULL: nothing tells. */
static const char *
deduced_type(struct cleaning *c, struct json_object *flat)
{
	struct json_object *values = json_member_array(flat, "enum");
	struct json_object *constant = NULL;

	if (json_object_object_get_ex(flat, "const", &constant) && constant != NULL)
		return type_of_value(constant);
	if (values != NULL && json_object_array_length(values) > 0)
		return type_of_values(c, values);
	if (json_member_object(flat, "properties") != NULL)
		return "object";
	if (json_member(flat, "items") != NULL || json_member(flat, "prefixItems") != NULL)
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

/* Gemini's counts are int64. */
static bool
is_count(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0 &&
	       json_object_get_uint64(value) <= INT64_MAX;
}

static void
put_plain(struct cleaning *c, struct json_object *out, struct json_object *flat, const char *type)
{
	enum fits fits = fits_of(type);

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		struct json_object *value = json_member(flat, plain[i].name);
		bool right = plain[i].kind == VALUE ||
			     (plain[i].kind == TEXT && json_is_string(value)) ||
			     (plain[i].kind == COUNT && is_count(value)) ||
			     (plain[i].kind == AMOUNT && is_number(value)) ||
			     (plain[i].kind == TRUTH &&
				     json_object_is_type(value, json_type_boolean));
		if (value != NULL && right && (plain[i].fits == ANY || plain[i].fits == fits) &&
			afford_value(c, value))
			put_missing(out, plain[i].as, value);
	}
}

/* Strings alone may be listed; those that const gives, too. */
static void
put_enum(struct cleaning *c, struct json_object *out, struct json_object *flat)
{
	struct json_object *constant = json_member(flat, "const");
	struct json_object *values = json_member_array(flat, "enum");
	struct json_object *kept = json_object_new_array();
	struct json_object *seen = json_object_new_object();

	if (json_is_string(constant) && json_object_get_string_len(constant) > 0 &&
		afford_value(c, constant))
		json_object_array_add(kept, json_object_get(constant));
	for (size_t i = 0;
		constant == NULL && values != NULL && i < json_object_array_length(values); i++) {
		struct json_object *value = json_object_array_get_idx(values, i);
		if (!afford_value(c, value))
			break;
		if (json_is_string(value) && json_object_get_string_len(value) > 0)
			add_once(kept, seen, value);
	}
	json_object_put(seen);
	if (json_object_array_length(kept) > 0)
		put(out, "enum", kept);
	else
		json_object_put(kept);
}

static void
put_format(struct json_object *out, struct json_object *flat, const char *type)
{
	static const struct {
		const char *type, *format;
	} known[] = {{"string", "enum"}, {"string", "date-time"}, {"integer", "int32"},
		{"integer", "int64"}, {"number", "float"}, {"number", "double"},
		{"number", "int32"}, {"number", "int64"}};
	struct json_object *format = json_member(flat, "format");

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(type, known[i].type) == 0 && json_is_text(format, known[i].format))
			put(out, "format", json_object_get(format));
}

static void
put_items(struct cleaning *c, struct json_object *out, struct json_object *flat, int level)
{
	struct json_object *items = json_member(flat, "items");

	/* Of a tuple, the first stands for all. */
	if (!json_object_is_type(items, json_type_object) &&
		!json_object_is_type(items, json_type_array))
		items = json_member(flat, "prefixItems");
	if (json_object_is_type(items, json_type_array))
		items = json_object_array_get_idx(items, 0);
	put(out, "items", clean(c, items, level + 1));
}

/* Those of the names that are properties, each once. */
static void
put_names(struct cleaning *c, struct json_object *out, struct json_object *flat, const char *name,
	struct json_object *properties)
{
	struct json_object *names = json_member_array(flat, name);
	struct json_object *kept = json_object_new_array();
	struct json_object *seen = json_object_new_object();

	for (size_t i = 0; names != NULL && i < json_object_array_length(names); i++) {
		struct json_object *each = json_object_array_get_idx(names, i);
		if (!afford_value(c, each))
			break;
		if (json_is_string(each) &&
			json_member(properties, json_object_get_string(each)) != NULL)
			add_once(kept, seen, each);
	}
	json_object_put(seen);
	if (json_object_array_length(kept) > 0)
		put(out, name, kept);
	else
		json_object_put(kept);
}

static void
put_properties(struct cleaning *c, struct json_object *out, struct json_object *flat, int level)
{
	struct json_object *properties = json_member_object(flat, "properties");
	struct json_object *cleaned = NULL;

	if (properties == NULL || json_object_object_length(properties) == 0)
		return;
	cleaned = json_object_new_object();
	json_object_object_foreach(properties, name, schema)
	{
		put(cleaned, name, clean(c, schema, level + 1));
	}
	put(out, "properties", cleaned);
	put_names(c, out, flat, "required", cleaned);
	put_names(c, out, flat, "propertyOrdering", cleaned);
}

/* A schema of one known type. */
static void
put_typed(struct cleaning *c, struct json_object *out, struct json_object *flat, const char *type,
	int level)
{
	put_text(out, "type", type);
	put_plain(c, out, flat, type);
	switch (fits_of(type)) {
	case STRING:
		put_enum(c, out, flat);
		put_format(out, flat, type);
		break;
	case NUMBER:
		put_format(out, flat, type);
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

	return is_null_type(json_member(schema, "type")) ||
	       (json_object_object_get_ex(schema, "const", &constant) && constant == NULL);
}

/* Gather the alternatives of anyOf and oneOf; ${nullable} if null is one of them. */
static struct json_object *
alternatives(struct cleaning *c, struct json_object *flat, int level, bool *nullable)
{
	static const char *const words[] = {"anyOf", "oneOf"};
	struct json_object *kept = json_object_new_array();

	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		struct json_object *list = json_member_array(flat, words[w]);
		for (size_t i = 0; list != NULL && i < json_object_array_length(list) &&
				   afford(c, COST_OF_ONE);
			i++) {
			struct json_object *each = json_object_array_get_idx(list, i);
			if (json_object_is_type(each, json_type_object) && is_null_schema(each))
				*nullable = true;
			else if (says_type(each))
				json_object_array_add(kept, clean(c, each, level + 1));
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
	struct json_object *kept = json_object_new_array();
	struct json_object *seen = json_object_new_object();

	for (size_t i = 0; i < json_object_array_length(types) && afford(c, 1); i++) {
		struct json_object *each = json_object_array_get_idx(types, i);
		const char *type = type_name(each);
		*nullable = *nullable || is_null_type(each);
		if (type == NULL || json_object_object_get_ex(seen, type, NULL))
			continue;
		json_object_object_add(seen, type, NULL);
		struct json_object *out = json_object_new_object();
		put_typed(c, out, flat, type, level);
		for (size_t w = 0; w < sizeof(common) / sizeof(common[0]); w++)
			json_object_object_del(out, common[w]);
		json_object_array_add(kept, out);
	}
	json_object_put(seen);
	return kept;
}

/* Put the alternatives, of which one alone needs no anyOf; takes ${kept}. */
static void
put_alternatives(struct cleaning *c, struct json_object *out, struct json_object *flat,
	struct json_object *kept)
{
	struct json_object *description = json_member(flat, "description");
	size_t count = json_object_array_length(kept);

	if (json_is_string(description) && afford_value(c, description))
		put(out, "description", json_object_get(description));
	if (count > 1) {
		put(out, "anyOf", kept);
		return;
	}
	if (count == 1) {
		json_object_object_foreach(json_object_array_get_idx(kept, 0), name, value)
		{
			put_missing(out, name, value);
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
	       json_member_object(flat, "properties") == NULL &&
	       (json_member_array(flat, "anyOf") != NULL ||
		       json_member_array(flat, "oneOf") != NULL);
}

static void
put_schema(struct cleaning *c, struct json_object *out, struct json_object *flat, int level)
{
	struct json_object *types = json_member_array(flat, "type");
	const char *type = type_name(json_member(flat, "type"));
	bool nullable = is_null_type(json_member(flat, "type"));
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
		bool any = json_object_array_length(kept) > 0;
		put_alternatives(c, out, flat, kept);
		if (!any)
			put_typed(c, out, flat, otherwise, level);
		else if (types != NULL && json_member(out, "anyOf") == NULL)
			put_plain(c, out, flat, json_member_string(out, "type"));
	}
	if (nullable)
		put(out, "nullable", json_object_new_boolean(true));
}

static struct json_object *
clean(struct cleaning *c, struct json_object *schema, int level)
{
	size_t open = c->open_count;

	if (level > MOST_LEVELS || c->nodes > MOST_NODES || c->cost > MOST_COST)
		return of_type("object");
	struct json_object *flat = json_object_new_object();
	struct json_object *out = json_object_new_object();
	flatten(c, schema, flat, level);
	c->nodes++;
	put_schema(c, out, flat, level);
	c->open_count = open;
	json_object_put(flat);
	return out;
}

/* Parameters are an object: of alternatives, all that any of them knows, none of it required. */
static struct json_object *
as_object(struct cleaning *c, struct json_object *cleaned)
{
	struct json_object *list = json_member_array(cleaned, "anyOf");
	struct json_object *object = of_type("object");
	struct json_object *description = json_member(cleaned, "description");

	put(object, "description", json_object_get(description));
	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
		struct json_object *properties = json_member_object(
			json_object_array_get_idx(list, i), "properties");
		if (properties != NULL)
			merge_properties(c, object, properties);
	}
	json_object_put(cleaned);
	return object;
}

struct json_object *
gemini_schema_clean(struct json_object *schema)
{
	struct cleaning c = {.root = schema};
	struct json_object *cleaned = clean(&c, schema, 0);

	return json_is_text(json_member(cleaned, "type"), "object") ? cleaned
								    : as_object(&c, cleaned);
}

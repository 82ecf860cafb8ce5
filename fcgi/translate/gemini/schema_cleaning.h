/*
 * The cleaning of one schema for Gemini: the trees that it builds, and what it may cost.  Running
 * out of memory sticks in ${failed}; the functions may be called on after it.
 */
#ifndef GEMINI_SCHEMA_CLEANING_H
#define GEMINI_SCHEMA_CLEANING_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

enum {
	CLEANING_LEVELS = 32, /* of schemas in schemas */
	CLEANING_OPEN = 64,   /* references being resolved */
};

struct cleaning {
	struct json_object *root;
	struct json_object
		*open[CLEANING_OPEN]; /* what the references lead to, from the outside in */
	size_t open_count;
	size_t left; /* values that this schema may still cost */
	bool failed; /* memory ran out */
};

/** A new value, NULL if memory ran out; of_type: {"type": ${type}}. */
struct json_object *cleaning_object(struct cleaning *);
struct json_object *cleaning_array(struct cleaning *);
struct json_object *cleaning_of_type(struct cleaning *, const char *type);

/** Put a member, unless ${value} is NULL; takes it. */
void cleaning_put(
	struct cleaning *, struct json_object *object, const char *name, struct json_object *value);
void cleaning_put_text(
	struct cleaning *, struct json_object *object, const char *name, const char *text);
void cleaning_put_true(struct cleaning *, struct json_object *object, const char *name);

/** Put a member of that name unless there is one; ${lent} stays the caller's. */
void cleaning_put_missing(
	struct cleaning *, struct json_object *object, const char *name, struct json_object *lent);

/** Put a list, unless it is empty; takes it. */
void cleaning_put_filled(
	struct cleaning *, struct json_object *object, const char *name, struct json_object *list);

/** Add an element, which may be null; takes it. */
void cleaning_add(struct cleaning *, struct json_object *array, struct json_object *value);

/*
 * A reference is a few bytes, what it leads to may be a million: so each value is paid for.  These
 * return false if that costs more than is left, and then nothing is left.
 */

bool cleaning_afford(struct cleaning *, size_t values);

/** A value with ${length} bytes of text in it or before it. */
bool cleaning_afford_text(struct cleaning *, size_t length);

/** A value with all that is inside it. */
bool cleaning_afford_value(struct cleaning *, struct json_object *value);

/** A look at a schema. */
bool cleaning_afford_schema(struct cleaning *, struct json_object *schema);

#endif

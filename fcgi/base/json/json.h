/*
 * JSON where it lies.  One pass over a text checks it strictly (RFC 8259: grammar, UTF-8, depth)
 * and leaves an index over it: a flat array with one small entry for each value, in the order of
 * the text.  Values are read in place, and what is only handed on is copied as the bytes that came:
 * numbers, escapes, lone surrogates, the order of members and duplicates are exact by construction.
 *
 * What looks at a value takes NULL for one that is absent, and answers as for a value of another
 * kind; json_next, and what writes a member's name, need a value.
 * json_writer.h writes JSON; json_tree.h has trees, for what is built or changed.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer;

enum {
	JSON_MAX_DEPTH = 128,              /* arrays and objects inside each other */
	JSON_MAX_REQUEST_VALUES = 1000000, /* values in a client's request, in an import */
	JSON_MAX_ANSWER_VALUES = 200000,   /* values in one message or event of an upstream */
};

enum json_kind {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* A value.  Its members are for json_read.c, json.c and the inline functions below. */
struct json {
	const char *text; /* where it begins; lent by whoever had it read */
	uint32_t length;  /* in bytes; of a string with its quotes */
	uint32_t name;    /* bytes from its member's name, a string, to it; 0 if no member */
	uint32_t
		span; /* entries of the value and all inside it: the next value stands after them */
	uint8_t kind;
	uint8_t flags;
	uint8_t mark; /* what was found out about it (json_mark); 0 at first */
};

/* The index over one text.  Zero-initialised it is empty, and keeps its memory between texts. */
struct json_document {
	struct json *values;
	size_t count;
	size_t capacity;
};

struct json_problem {
	const char *what; /* static, reads after "the body is not valid JSON: " */
	size_t offset;    /* in the text, in bytes */
};

/**
 * Read one text of ${length} bytes into ${document}, replacing what it had.  At most
 * ${most_values} values are taken.  The text must outlive the use of the values.  Return the value,
 * lent until the document is read into or freed, or NULL and the problem (which may be NULL).
 */
const struct json *json_read(struct json_document *document, const char *text, size_t length,
	size_t most_values, struct json_problem *problem);

/** Keep with a value of ${document} what was found out about it, for whoever asks again. */
static inline void
json_mark(struct json_document *document, const struct json *value, uint8_t mark)
{
	document->values[value - document->values].mark = mark;
}

/** Free the memory; the document is empty and may be used again. */
void json_document_free(struct json_document *);

/** Free the memory if it is more than the events of a stream usually need. */
void json_document_trim(struct json_document *);

/* ---- kinds ---- */

static inline bool
json_is(const struct json *value, enum json_kind kind)
{
	return value != NULL && value->kind == kind;
}

static inline bool
json_is_string(const struct json *value)
{
	return json_is(value, JSON_STRING);
}

static inline bool
json_is_array(const struct json *value)
{
	return json_is(value, JSON_ARRAY);
}

static inline bool
json_is_object(const struct json *value)
{
	return json_is(value, JSON_OBJECT);
}

static inline bool
json_is_number(const struct json *value)
{
	return json_is(value, JSON_NUMBER);
}

static inline bool
json_is_bool(const struct json *value)
{
	return json_is(value, JSON_TRUE) || json_is(value, JSON_FALSE);
}

/** A number without fraction and exponent? */
bool json_is_integer(const struct json *value);

/* ---- what is inside an array or an object ---- */

enum { JSON_LAST = 1, JSON_ESCAPED = 2, JSON_NAME_ESCAPED = 4, JSON_SPACED = 8 };

/** The first element or member's value, and the one after ${value}; NULL if there is none. */
static inline const struct json *
json_first(const struct json *container)
{
	return container != NULL && container->span > 1 ? container + 1 : NULL;
}

static inline const struct json *
json_next(const struct json *value)
{
	return (value->flags & JSON_LAST) != 0 ? NULL : value + value->span;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): what is declared cannot stand in parentheses. */
#define JSON_EACH(value, container)                                                                \
	for (const struct json *value = json_first(container); value != NULL;                      \
		value = json_next(value))
/* NOLINTEND(bugprone-macro-parentheses) */

/** How many elements or members there are; counts them. */
size_t json_count(const struct json *container);

/**
 * The value of ${object}'s member ${name}, of duplicates the last.  NULL if ${object} is not one,
 * or has none; the second to fourth also if the value is of another kind.
 */
static inline const struct json *json_member(const struct json *object, const char *name);
const struct json *json_member_object(const struct json *object, const char *name);
const struct json *json_member_array(const struct json *object, const char *name);
const struct json *json_member_string(const struct json *object, const char *name);
int64_t json_member_int(const struct json *object, const char *name, int64_t otherwise);
bool json_member_bool(const struct json *object, const char *name, bool otherwise);

/* A name to look for: JSON_NAME("index"). */
struct json_name {
	const char *text;
	size_t length;
};

#define JSON_NAME(literal)                                                                         \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

/**
 * The values of ${count} members in one pass, each as json_member: ${values}[i] is the one of
 * ${names}[i].  For objects of which several members are wanted, again and again.
 */
void json_members(const struct json *object, const struct json_name *names, size_t count,
	const struct json **values);

/** Which of the ${count} names is the member's; ${count} if none of them. */
size_t json_name_among(const struct json *member, const struct json_name *names, size_t count);

/** Is it a member called ${name}? */
static inline bool json_is_named(const struct json *value, const char *name);

/* ---- numbers ---- */

/** A number as an integer: cut towards 0, and saturated.  ${otherwise} if it is no number. */
int64_t json_int(const struct json *value, int64_t otherwise);
double json_double(const struct json *value, double otherwise);

/* ---- strings ---- */

/*
 * A string's content is what stands between its quotes, as it came.  Decoded, escapes are resolved:
 * UTF-8, in which a surrogate without its other half is kept in three bytes as UTF-8 would have
 * them; json_write_string turns these into the escape again.
 */

/** The content of a string, and how long it is; "" and 0 if it is not one.  Not NUL-terminated. */
static inline const char *
json_content(const struct json *string)
{
	return json_is_string(string) ? string->text + 1 : "";
}

static inline size_t
json_content_length(const struct json *string)
{
	return json_is_string(string) ? string->length - 2 : 0;
}

/** For "%.*s": the content of a string, or the text of another value; bounded. */
#define JSON_SHOWN(value) json_shown_length(value), json_shown(value)
int json_shown_length(const struct json *value);
const char *json_shown(const struct json *value);

/** Is it a string that is, begins with, or ends with ${text} when it is decoded? */
static inline bool json_is_text(const struct json *value, const char *text);
bool json_starts_with(const struct json *value, const char *text);
bool json_ends_with(const struct json *value, const char *text);

/** Does the string contain U+0000, or a surrogate without its other half? */
bool json_has_unusual(const struct json *string);

/** The string decoded and NUL-terminated; the caller frees it.  NULL if it is not one, or memory
 * ran out. */
char *json_copy(const struct json *string);

/** Append the string decoded; nothing if it is not one.  Return 0 or -1. */
int json_append(struct buffer *, const struct json *string);

/** Append ${length} bytes of a string's content decoded.  Return 0 or -1. */
int json_append_content(struct buffer *, const char *content, size_t length);

/**
 * Decode what stands at ${at} in a string's content, before ${end}: one escape, or one byte.  Its
 * bytes, at most 4, and how many they are.  Where the next one begins.
 */
const char *json_content_next(const char *at, const char *end, char bytes[4], size_t *length);

/** Append a member's name decoded.  Return 0 or -1. */
int json_append_name(struct buffer *, const struct json *member);

/* ---- as it came ---- */

/** Append the value as it came, but for white space between its parts; null if it is absent.
 * Return 0 or -1. */
int json_write(struct buffer *, const struct json *value);

/** Append a member's name as it came, with its quotes.  Return 0 or -1. */
int json_write_name(struct buffer *, const struct json *member);

/* ---- a list of values, as no array of the text has it ---- */

struct json_list {
	const struct json **values;
	size_t count;
	size_t capacity;
};

/** Append a value, or all elements of an array.  Return 0, or -1 if memory ran out. */
int json_list_add(struct json_list *, const struct json *value);
int json_list_add_all(struct json_list *, const struct json *array);
void json_list_free(struct json_list *);

/* ---- inline: what is asked of each value of a request, with literals, whose lengths the compiler
 * knows ---- */

/* The same where the name, or the string, has escapes. */
bool json_is_named_with_escapes(const struct json *member, const char *name, size_t length);
bool json_is_text_with_escapes(const struct json *string, const char *text, size_t length);

/* As json_member, by the length of the name. */
const struct json *json_member_of(const struct json *object, const char *name, size_t length);

/* Is it called so?  It is a member. */
static inline bool
json_has_name(const struct json *member, const char *name, size_t length)
{
	const char *quote = member->text - member->name;

	if ((member->flags & JSON_NAME_ESCAPED) != 0)
		return json_is_named_with_escapes(member, name, length);
	return member->name >= length + 3 && quote[length + 1] == '"' &&
	       memcmp(quote + 1, name, length) == 0;
}

static inline bool
json_is_named(const struct json *value, const char *name)
{
	return value != NULL && value->name > 0 && json_has_name(value, name, strlen(name));
}

static inline const struct json *
json_member(const struct json *object, const char *name)
{
	return json_member_of(object, name, strlen(name));
}

/* As json_is_text, by the length of the text. */
static inline bool
json_is_bytes(const struct json *value, const char *text, size_t length)
{
	if (!json_is_string(value))
		return false;
	if ((value->flags & JSON_ESCAPED) != 0)
		return json_is_text_with_escapes(value, text, length);
	return value->length - 2 == length && memcmp(value->text + 1, text, length) == 0;
}

static inline bool
json_is_text(const struct json *value, const char *text)
{
	return json_is_bytes(value, text, strlen(text));
}

#endif

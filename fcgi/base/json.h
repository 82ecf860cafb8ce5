/*
 * JSON in and out, on json-c: strict, bounded in depth, and faithful.  A number leaves as it was
 * spelled, whatever its size (json-c alone clamps integers beyond 64 bits and loses the sign of
 * -0); keys keep their order.
 */
#ifndef JSON_H
#define JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

enum { JSON_MAX_DEPTH = 128 };

/**
 * Parse one JSON text of ${length} bytes: RFC 8259, valid UTF-8 (control characters inside strings
 * are taken: some services send them), at most JSON_MAX_DEPTH arrays and objects deep.  Return 0
 * and the value (NULL for `null`; free with json_object_put), or -1 and in ${problem} what is
 * wrong: a static text that reads after "the body is not valid JSON: ".
 */
int json_parse(const char *text, size_t length, struct json_object **value, const char **problem);

/**
 * The value as one line of JSON text, valid until the value is freed or changed; ${length} may be
 * NULL. NULL if memory ran out.
 */
const char *json_text(struct json_object *value, size_t *length);

/**
 * Where the value of the outermost object's member ${name} stands in ${text}, which json_parse has
 * taken: the text from ${start} to ${end} (offsets in bytes).  Searched from offset ${from} on, so
 * that of a name that stands twice both can be found.  False: there is none.
 */
bool json_find_member(
	const char *text, size_t length, const char *name, size_t from, size_t *start, size_t *end);

/** Append the value as one line of JSON text.  Return 0 or -1. */
int json_write(struct buffer *, struct json_object *value);

/** Append ${length} bytes of UTF-8 as a JSON string, with its quotes.  Return 0 or -1. */
int json_write_string(struct buffer *, const char *text, size_t length);

/** Append the NUL-terminated ${text} as a JSON string, with its quotes.  Return 0 or -1. */
int json_write_text(struct buffer *, const char *text);

/** The same, or null where ${text} is NULL. */
int json_write_text_or_null(struct buffer *, const char *text);

/*
 * Members by name.  ${object} may be NULL or any kind of value: then, and where the member is
 * absent or of another type, the answer is NULL or ${otherwise}.  Everything is lent, never given.
 */
struct json_object *json_member(struct json_object *object, const char *name);
struct json_object *json_member_object(struct json_object *object, const char *name);
struct json_object *json_member_array(struct json_object *object, const char *name);
const char *json_member_string(struct json_object *object, const char *name);
int64_t json_member_int(struct json_object *object, const char *name, int64_t otherwise);
bool json_member_bool(struct json_object *object, const char *name, bool otherwise);

/** Is the value a string?  NULL is none. */
bool json_is_string(struct json_object *value);

/** Is the value the string ${text}? */
bool json_is_text(struct json_object *value, const char *text);

#endif

/*
 * JSON out: a writer that puts the commas itself.  It appends to a buffer, whose failure sticks:
 * check out->failed once, at the end.
 */
#ifndef JSON_WRITER_H
#define JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct json;

struct json_writer {
	struct buffer *out;
	bool comma; /* a value stands before the next one, in the same array or object */
};

/** A writer whose next value is the first. */
#define JSON_WRITER(buffer) ((struct json_writer){.out = (buffer)})

void json_open_object(struct json_writer *);
void json_close_object(struct json_writer *);
void json_open_array(struct json_writer *);
void json_close_array(struct json_writer *);

/** The name of the member whose value follows; a literal that needs no escapes. */
void json_put_name(struct json_writer *, const char *name);

/** The name of the member whose value follows, whatever it contains. */
void json_put_any_name(struct json_writer *, const char *name, size_t length);

/* One value each. */
void json_put_value(struct json_writer *, const struct json *value); /* as it came; NULL: null */
void json_put_raw(struct json_writer *, const char *json, size_t length); /* JSON on one line */
void json_put_string(struct json_writer *, const char *text, size_t length);
void json_put_text(struct json_writer *, const char *text); /* NULL: null */
void json_put_int(struct json_writer *, int64_t number);
void json_put_uint(struct json_writer *, uint64_t number);
void json_put_bool(struct json_writer *, bool value);
void json_put_null(struct json_writer *);

/** A member as it came: its name and its value. */
void json_put_member(struct json_writer *, const struct json *member);

/** The same, where another value follows than the one that came. */
void json_put_member_name(struct json_writer *, const struct json *member);

/* A member: its name, which needs no escapes, and its value. */
void json_put_value_member(struct json_writer *, const char *name, const struct json *value);
void json_put_text_member(struct json_writer *, const char *name, const char *text);
void json_put_int_member(struct json_writer *, const char *name, int64_t number);
void json_put_uint_member(struct json_writer *, const char *name, uint64_t number);
void json_put_bool_member(struct json_writer *, const char *name, bool value);
void json_open_object_member(struct json_writer *, const char *name);
void json_open_array_member(struct json_writer *, const char *name);

/* A string in pieces, between its quotes. */
void json_open_string(struct json_writer *);
void json_close_string(struct json_writer *);
void json_string_text(struct json_writer *, const char *text);             /* escaped here */
void json_string_bytes(struct json_writer *, const char *, size_t length); /* escaped here */
void json_string_content(struct json_writer *, const char *content, size_t length); /* as it is */
void json_string_value(struct json_writer *, const struct json *string); /* its content */

/* The same without a writer, where no comma can be due.  Each returns 0 or -1. */
int json_write_string(struct buffer *, const char *text, size_t length);
int json_write_text(struct buffer *, const char *text); /* NULL: null */

/** Append UTF-8 escaped for a string, without quotes. */
int json_write_escaped(struct buffer *, const char *text, size_t length);

#endif

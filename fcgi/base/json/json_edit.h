/*
 * One member of a JSON object set or removed, wherever it lies; all the rest stays as it came.
 */
#ifndef JSON_EDIT_H
#define JSON_EDIT_H

#include <stdbool.h>

struct buffer;
struct json;

enum {
	JSON_EDIT_MOST_NAMES = 16,    /* in a path */
	JSON_EDIT_LONGEST_PATH = 256, /* bytes */
};

/** Is it a path: names joined by dots, none of them empty, within the bounds above? */
bool json_edit_is_path(const char *path);

/**
 * Append the object with the member at ${path} set to ${value}, a JSON text on one line; "null"
 * removes it.  Objects on the way are created, and replace what is not an object.  Return 0 or -1
 * as buffer_append.  A value that is not an object is appended as it is.
 */
int json_edit(struct buffer *, const struct json *object, const char *path, const char *value);

#endif

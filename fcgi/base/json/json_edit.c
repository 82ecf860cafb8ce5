/*
 * One member of a JSON object set or removed; see json_edit.h.
 */
#include "base/json/json_edit.h"

#include <stddef.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"

bool
json_edit_is_path(const char *path)
{
	size_t names = 1;

	for (const char *c = path; *c != '\0'; c++) {
		if (*c == '.' && (c == path || c[1] == '.' || c[1] == '\0'))
			return false;
		if ((unsigned char)*c < ' ')
			return false;
		names += *c == '.';
	}
	return path[0] != '\0' && strlen(path) <= JSON_EDIT_LONGEST_PATH &&
	       names <= JSON_EDIT_MOST_NAMES;
}

static bool
removes(const char *value)
{
	return strcmp(value, "null") == 0;
}

/* Is it the first name of the path, which has ${length} bytes? */
static bool
is_first(const struct json *member, const char *path, size_t length)
{
	char name[JSON_EDIT_LONGEST_PATH + 1];

	memcpy(name, path, length);
	name[length] = '\0';
	return json_is_named(member, name);
}

/* Objects for the rest of the path, and the value in the innermost. */
static void
put_new(struct json_writer *w, const char *path, const char *value)
{
	size_t length = strcspn(path, ".");
	bool last = path[length] == '\0';

	json_put_any_name(w, path, length);
	if (last) {
		json_put_raw(w, value, strlen(value));
		return;
	}
	json_open_object(w);
	put_new(w, path + length + 1, value);
	json_close_object(w);
}

/* The object with the change at ${path}; at most JSON_EDIT_MOST_NAMES inside each other. */
static void
put_edited(struct json_writer *w, const struct json *object, const char *path, const char *value)
{
	size_t length = strcspn(path, ".");
	const char *rest = path[length] == '.' ? path + length + 1 : NULL;
	bool done = removes(value);

	json_open_object(w);
	JSON_EACH (member, object) {
		bool named = is_first(member, path, length);
		/* Of what is no object, nothing can be removed. */
		if (!named || (rest != NULL && done && !json_is_object(member))) {
			json_put_member(w, member);
		} else if (rest != NULL && json_is_object(member)) {
			json_put_any_name(w, path, length);
			put_edited(w, member, rest, value);
			done = true;
		} else if (!done) {
			put_new(w, path, value);
			done = true;
		}
	}
	if (!done)
		put_new(w, path, value);
	json_close_object(w);
}

int
json_edit(struct buffer *out, const struct json *object, const char *path, const char *value)
{
	struct json_writer w = JSON_WRITER(out);

	if (json_is_object(object))
		put_edited(&w, object, path, value);
	else
		json_put_value(&w, object);
	return out->failed ? -1 : 0;
}

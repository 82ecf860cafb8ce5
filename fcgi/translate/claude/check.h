/*
 * The checks of a Claude request's parts, and the paths that their messages name.
 */
#ifndef CLAUDE_CHECK_H
#define CLAUDE_CHECK_H

#include <stddef.h>

struct api_error;
struct json;

/* Where a value stands in the request.  Lives on the stack of the check; the path is put together
 * only for an error. */
struct place {
	const struct place *parent; /* NULL for the request itself */
	const char *name;           /* NULL for an element, with ${index} */
	size_t index;
};

#define PLACE_MEMBER(of, member)    ((struct place){(of), (member), 0})
#define PLACE_ELEMENT(of, position) ((struct place){(of), NULL, (position)})

/** Fill ${error} with 400 `<path>: <what>`.  Always -1. */
int claude_refuse(const struct place *, struct api_error *, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Is it a string that is not empty, without U+0000 and surrogates that lack their other half?
 * Return 0, or -1 and the error. */
int claude_check_name(const struct place *, const struct json *value, struct api_error *);

/** Check `messages`, `system` (may be NULL) and `tools` (may be NULL).  Return 0, or -1 and the
 * error. */
int claude_check_messages(const struct place *, const struct json *messages, struct api_error *);
int claude_check_system(const struct place *, const struct json *system, struct api_error *);
int claude_check_tools(const struct place *, const struct json *tools, struct api_error *);

/** Check one tool, as `tools` or a system turn defines it.  Return 0, or -1 and the error. */
int claude_check_tool(const struct place *, const struct json *tool, struct api_error *);

#endif

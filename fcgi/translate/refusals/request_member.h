/*
 * Finding the member of a request that a service names in its refusal, by a path or by a name
 * alone.  Services spell names in their own way: thinking_config is found as thinkingConfig.
 */
#ifndef REQUEST_MEMBER_H
#define REQUEST_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

struct json;

enum { MEMBER_LONGEST = 256 /* bytes of a path, with its NUL */ };

/* One request, and the member that was found in it last. */
struct member_search {
	const struct json *request;
	size_t looks;              /* members looked at so far: bounds all searches together */
	char path[MEMBER_LONGEST]; /* as in a lesson (lesson.h); "": none was found */
	const struct json *value;
};

/* Each of these sets ${path} and ${value}, or returns false and leaves them as they were. */

/** A member that may be left out, by what may be its path or its name alone. */
bool member_find(struct member_search *, const char *text, size_t length);

/** Likewise by a path as services write it: "messages.1.assistant.reasoning_content", or
 * "tools[0].function.strict". */
bool member_find_path(struct member_search *, const char *path, size_t length);

/** A member at the top that may be left out, by its exact name. */
bool member_find_at_top(struct member_search *, const char *name, size_t length);

/** The limit of the output, by whatever name the request has it. */
bool member_find_output_limit(struct member_search *);

/** Can a request do without the member at this path? */
bool member_is_optional(const char *path);

#endif

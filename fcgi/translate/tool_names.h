/*
 * Function names that a service refuses (too long, other characters: MCP tools), made to fit and
 * translated back in the answer (PROTOCOL.md §B.1 "Service limits").
 */
#ifndef TOOL_NAMES_H
#define TOOL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct json;
struct json_writer;
struct tool_names;

/* What a service takes as a name; all of them at most 64 characters. */
enum tool_name_rule {
	TOOL_NAMES_OPENAI, /* [a-zA-Z0-9_-] */
	TOOL_NAMES_GEMINI, /* [a-zA-Z0-9_.-], the first a letter or _ */
};

/** An empty map, or NULL if memory ran out.  One per request; free with tool_names_free. */
struct tool_names *tool_names_new(enum tool_name_rule);
void tool_names_free(struct tool_names *);

/**
 * Put the name to send for ${name} (a string): itself if the service takes it, else 55
 * characters of it, `_` and 8 hex digits of a hash.  The map remembers it for the way back.  Out of
 * memory sticks in the writer's buffer.
 */
void tool_names_put(struct tool_names *, struct json_writer *, const struct json *name);

/**
 * The function ${name} is the service's own, which calls it ${builtin}; both static.
 * tool_names_builtin gives what the service calls ${name}, a string, if that is the function's,
 * else NULL.
 */
void tool_names_set_builtin(struct tool_names *, const char *name, const char *builtin);
const char *tool_names_builtin(const struct tool_names *, const struct json *name);

/* A tool that only Claude's own service runs, and that is all the client can have meant to use. */
enum lacking_tool { LACKS_NOTHING, LACKS_SEARCH, LACKS_FETCH };

/** Note that this service has no such tool, so that the answer has to say so; and what was noted
 * (the map may be NULL). */
void tool_names_lack(struct tool_names *, enum lacking_tool);
enum lacking_tool tool_names_lacking(const struct tool_names *);

/** Note that the client forces the service's own search, which the service reports with the text or
 * after it: in the answer it comes first.  And whether that was noted (the map may be NULL). */
void tool_names_search_first(struct tool_names *);
bool tool_names_searches_first(const struct tool_names *);

/** The client's name for what the upstream calls ${name}; ${name} itself when it was never changed.
 */
const char *tool_names_to_client(const struct tool_names *, const char *name);

#endif

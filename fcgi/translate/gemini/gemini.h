/*
 * Gemini's generateContent: the request (request.c) and its contents (contents.c),
 * the answer (answer.c), and the schemas of tools (schema.c).  PROTOCOL.md §B.2, §C,
 * §D.2 "Gemini chunks".
 */
#ifndef GEMINI_H
#define GEMINI_H

#include <stdbool.h>

struct api_error;
struct buffer;
struct claude_request;
struct json_writer;
struct tool_names;
struct translate_target;

/** The write_request and the write_count_request of the translator. */
int gemini_write_request(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *body, struct api_error *);
int gemini_write_count_request(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *body, struct api_error *);

/** The has_search of the translator. */
bool gemini_has_search(const struct claude_request *, const struct translate_target *);

/** Put the array of contents.  Return 0, or -1 and what the client must be told. */
int gemini_put_contents(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct json_writer *, struct api_error *);

/** Does the model take no system instruction, so that the contents must begin with it? */
bool gemini_system_is_said(const struct translate_target *);

/** The system prompt, and what else only words can tell, into the string that is open. */
void gemini_string_system(
	struct json_writer *, const struct claude_request *, const struct translate_target *);

/** Is there something to tell by the one above? */
bool gemini_has_system(const struct claude_request *, const struct translate_target *);

#endif

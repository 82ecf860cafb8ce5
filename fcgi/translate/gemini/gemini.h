/*
 * Gemini's generateContent: the request (request.c) and its contents (contents.c),
 * the answer (answer.c), and the schemas of tools (schema.c).  PROTOCOL.md §B.2, §C,
 * §D.2 "Gemini chunks".
 */
#ifndef GEMINI_H
#define GEMINI_H

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

/** Put the array of contents.  ${model}: Gemini's name for it, without "models/".  Return 0, or -1
 * and what the client must be told. */
int gemini_put_contents(const struct claude_request *, const char *model, struct tool_names *,
	struct json_writer *, struct api_error *);

/** The generation of a Gemini model: 2.5 for gemini-2.5-flash, 3 for gemini-3-pro; 0: not told. */
double gemini_generation(const char *model);

#endif

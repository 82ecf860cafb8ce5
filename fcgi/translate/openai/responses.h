/*
 * OpenAI's Responses: the request (responses_request.c), its input items
 * (responses_input.c), and the answer (responses_answer.c).  PROTOCOL.md §B.3, §C,
 * §D.2 "Responses events".
 */
#ifndef OPENAI_RESPONSES_H
#define OPENAI_RESPONSES_H

struct api_error;
struct buffer;
struct claude_request;
struct json_writer;
struct tool_names;
struct translate_target;

/** The write_request and the write_count_request of the translator. */
int openai_responses_write_request(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *body, struct api_error *);
int
openai_responses_write_count_request(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *body, struct api_error *);

/** Write the array of input items.  Return 0, or -1 and what the client must be told. */
int openai_responses_write_input(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct json_writer *, struct api_error *);

#endif

/*
 * Chat Completions: the request side (openai_chat_request.c), the answer side
 * (openai_chat_answer.c), and the tool calls of an answer (openai_chat_tool_calls.c).  PROTOCOL.md
 * §B.1, §C, §D.2 "Chat chunks".
 */
#ifndef OPENAI_CHAT_H
#define OPENAI_CHAT_H

#include <stdbool.h>

struct api_error;
struct buffer;
struct claude_request;
struct claude_writer;
struct json_object;
struct tool_names;
struct translate_target;

/** The write_request of the translator. */
int openai_chat_write_request(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *body, struct api_error *);

/*
 * The tool calls of one answer.  Claude's blocks may not interleave, the service's calls may: one
 * call streams live, what comes of others meanwhile is kept, and follows when the arguments of the
 * first are a complete JSON text.
 */
struct tool_calls;

/** NULL if memory ran out.  The arguments outlive it. */
struct tool_calls *tool_calls_new(struct claude_writer *, const struct tool_names *);
void tool_calls_free(struct tool_calls *);

/**
 * Take an element of `tool_calls`: a piece of a call, or with ${whole} a call of its own whatever
 * its id.  Return 0, or -1 if more would have to be kept than is allowed, or memory ran out.
 */
int tool_calls_take(struct tool_calls *, struct json_object *element, bool whole);

/** Is a call under way whose arguments are not complete, so that no other block may begin? */
bool tool_calls_busy(const struct tool_calls *);

/** The answer is over: write what was kept.  Return 0, or -1 if a call came without a name. */
int tool_calls_finish(struct tool_calls *);

#endif

/*
 * Chat Completions: the request (chat_request.c), its messages (chat_messages.c), and
 * the answer (chat_answer.c).  PROTOCOL.md §B.1, §C, §D.2 "Chat chunks".
 */
#ifndef OPENAI_CHAT_H
#define OPENAI_CHAT_H

struct api_error;
struct buffer;
struct claude_request;
struct tool_names;
struct translate_target;

/** The write_request of the translator. */
int openai_chat_write_request(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *body, struct api_error *);

#endif

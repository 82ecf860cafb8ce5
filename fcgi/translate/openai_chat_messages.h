/*
 * The `messages` of a Chat Completions request (PROTOCOL.md §B.1).
 */
#ifndef OPENAI_CHAT_MESSAGES_H
#define OPENAI_CHAT_MESSAGES_H

struct api_error;
struct buffer;
struct claude_request;
struct tool_names;

/** Append the array of messages.  Return 0, or -1 and what the client must be told. */
int openai_chat_write_messages(const struct claude_request *, struct tool_names *,
	struct buffer *out, struct api_error *error);

#endif

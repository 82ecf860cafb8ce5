/*
 * The `messages` of a Chat Completions request (PROTOCOL.md §B.1).
 */
#ifndef OPENAI_CHAT_MESSAGES_H
#define OPENAI_CHAT_MESSAGES_H

struct api_error;
struct claude_request;
struct json_writer;
struct tool_names;
struct translate_target;

/** Write the array of messages.  Return 0, or -1 and what the client must be told. */
int openai_chat_write_messages(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct json_writer *, struct api_error *error);

#endif

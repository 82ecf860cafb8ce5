/*
 * An assistant turn as one message of a Chat Completions request: what was said and thought, the
 * calls, and what the upstream must get back unchanged (PROTOCOL.md §B.1, §C.4).
 */
#ifndef OPENAI_CHAT_ASSISTANT_H
#define OPENAI_CHAT_ASSISTANT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json/json.h"
#include "translate/claude/history_calls.h"
#include "translate/round_trip.h"

struct claude_request;
struct json_writer;
struct tool_names;
struct translate_target;

struct chat_assistant {
	const struct translate_target *target;
	const char *origin; /* of what is our own to send back */
	struct tool_names *names;
	bool wants_thinking; /* each message has a member for thinking, which may be empty */

	/* The turn; its values are lent by the request and by ${carried}. */
	struct json_list said; /* texts, and what a web search found; NULL stands between two
				  messages */
	struct json_list thought;
	size_t place;              /* of the thought, among those that services have */
	struct json_list details;  /* the parts of reasoning_details, which go back as they came */
	const struct json *opaque; /* reasoning_opaque, likewise; NULL if there is none */
	struct carried *carried;   /* owned */
	size_t carried_count;
	struct history_calls calls;
};

/** Make ready for the turns of a request, which outlives it.  Free with chat_assistant_free. */
void chat_assistant_init(struct chat_assistant *, const struct claude_request *,
	const struct translate_target *, struct tool_names *);

/** Add the content of one message to the turn.  Return 0, or -1 if memory ran out. */
int chat_assistant_gather(struct chat_assistant *, const struct json *content);

/** Is there nothing to write? */
bool chat_assistant_is_empty(const struct chat_assistant *);

/** Write the turn as a message.  ${last}: the conversation ends with it. */
void chat_assistant_write(const struct chat_assistant *, bool last, struct json_writer *);

/** Begin another turn. */
void chat_assistant_clear(struct chat_assistant *);

void chat_assistant_free(struct chat_assistant *);

#endif

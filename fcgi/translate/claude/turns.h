/*
 * The conversation of a checked request in turns: what the assistant said and what the user
 * answered, each in as many messages as the client likes (PROTOCOL.md §B.1 "Ordering", §B.2).
 */
#ifndef CLAUDE_TURNS_H
#define CLAUDE_TURNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json/json.h"
#include "translate/claude/request.h"

/* Where a system message belongs that stands between two turns. */
enum claude_system_side {
	CLAUDE_SYSTEM_EITHER, /* to neither side, and so to the turn that it stands in */
	CLAUDE_SYSTEM_USER,   /* to the user */
};

/* Messages in a row of one side. */
struct claude_turn {
	bool assistant;                     /* or else the user */
	const struct json *const *messages; /* lent by the request */
	size_t count;                       /* 0 when the conversation is over */
	size_t after;                       /* messages that follow it */
	enum claude_system_side system;
};

struct claude_turn claude_first_turn(const struct claude_request *, enum claude_system_side);
struct claude_turn claude_next_turn(const struct claude_turn *);

/* NOLINTBEGIN(bugprone-macro-parentheses): what is declared cannot stand in parentheses. */
#define CLAUDE_EACH_TURN(turn, request, system)                                                    \
	for (struct claude_turn turn = claude_first_turn(request, system); turn.count > 0;         \
		turn = claude_next_turn(&turn))

/* Each message of a turn, as JSON. */
#define CLAUDE_EACH_MESSAGE(message, turn)                                                         \
	for (const struct json *const *message##_at = (turn)->messages, *message = NULL;           \
		message##_at < (turn)->messages + (turn)->count &&                                 \
		(message = *message##_at) != NULL;                                                 \
		message##_at++)
/* NOLINTEND(bugprone-macro-parentheses) */

/** The content of a message, a string or an array of blocks. */
static inline const struct json *
claude_content(const struct json *message)
{
	return json_member(message, "content");
}

#endif

/*
 * A conversation in turns; see turns.h.
 */
#include "translate/claude/turns.h"

static bool
belongs(const struct claude_turn *turn, const struct json *message)
{
	enum claude_role role = claude_message_role(message);

	if (role == CLAUDE_SYSTEM)
		return !turn->assistant || turn->system == CLAUDE_SYSTEM_EITHER;
	return (role == CLAUDE_ASSISTANT) == turn->assistant;
}

static struct claude_turn
turn_at(const struct json *const *messages, size_t left, enum claude_system_side system)
{
	struct claude_turn turn = {.messages = messages, .after = left, .system = system};

	turn.assistant = left > 0 && claude_message_role(messages[0]) == CLAUDE_ASSISTANT;
	while (turn.after > 0 && belongs(&turn, messages[turn.count])) {
		turn.count++;
		turn.after--;
	}
	return turn;
}

struct claude_turn
claude_first_turn(const struct claude_request *r, enum claude_system_side system)
{
	return turn_at(r->messages.values, r->messages.count, system);
}

struct claude_turn
claude_next_turn(const struct claude_turn *turn)
{
	return turn_at(turn->messages + turn->count, turn->after, turn->system);
}

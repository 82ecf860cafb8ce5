/*
 * Tool calls and their results; see history_calls.h.
 */
#include "translate/claude/history_calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "translate/claude/turns.h"

enum {
	LONGEST_ID = 40, /* PROTOCOL.md §B.1 "Service limits" */
	ID_DIGITS = 24,
	LENGTH_OF_NINE = 9,
};

void
history_calls_init(struct history_calls *calls, const char *kind, enum claude_ids ids)
{
	*calls = (struct history_calls){.kind = kind, .ids = ids};
}

/* ---- ids ---- */

static bool
is_fit_id(const struct history_calls *calls, const char *id)
{
	size_t length = strlen(id);

	if (calls->ids == CLAUDE_IDS_OF_NINE)
		return length == LENGTH_OF_NINE && strpbrk(id, "-_") == NULL &&
		       round_trip_is_id(id, length);
	return length <= LONGEST_ID && round_trip_is_id(id, length);
}

static char *
hashed_id(const struct history_calls *calls, const char *id)
{
	bool short_one = calls->ids == CLAUDE_IDS_OF_NINE;
	char digits[ID_DIGITS + 1];
	char *made = NULL;

	hash_hex(id, strlen(id), short_one ? LENGTH_OF_NINE : ID_DIGITS, digits);
	return asprintf(&made, "%s%s", short_one ? "" : "call_", digits) < 0 ? NULL : made;
}

/* The id that stands for ${id} where it is wanted for the ${time}th time. */
static char *
repeated_id(const struct history_calls *calls, const char *id, uint64_t time)
{
	char *text = NULL;

	if (asprintf(&text, "%s#%" PRIu64, id, time) < 0)
		return NULL;
	char *made = hashed_id(calls, text);
	free(text);
	return made;
}

/* Take the id that the call wants, or where another call has it, one made from it: a service
 * refuses two calls of one turn with the same id.  Return 0 or -1. */
static int
take_id(struct history_calls *calls, struct history_call *call)
{
	char *wanted = call->id;
	size_t length = strlen(wanted);
	uint64_t times = 0;

	if (!text_map_get(&calls->taken, wanted, length, &times))
		return text_map_set(&calls->taken, wanted, length, 1);
	char *made = NULL;
	do {
		free(made);
		made = repeated_id(calls, wanted, ++times);
	} while (made != NULL && text_map_get(&calls->taken, made, strlen(made), NULL));
	call->id = made;
	int status = made != NULL ? text_map_set(&calls->taken, wanted, length, times) : -1;
	free(wanted);
	return status == 0 ? text_map_set(&calls->taken, made, strlen(made), 1) : -1;
}

/* What came with the client's id: the service's own, and what must go back with the call. */
static void
read_carried(struct history_calls *calls, struct history_call *call)
{
	size_t most = JSON_MAX_REQUEST_VALUES - calls->carried_values;

	if (!round_trip_read_call_id(call->client_id, calls->kind, most, &call->carried))
		return;
	/* The service made it: it goes back whatever it looks like. */
	call->id = json_copy(json_member_string(call->carried.object, "id"));
	call->extra = json_member(call->carried.object, "x");
	if (call->extra != NULL)
		calls->carried_values += call->carried.index.count;
	else
		carried_free(&call->carried);
}

/* Return 0, or -1 if memory ran out. */
static int
set_ids(struct history_calls *calls, struct history_call *call)
{
	call->client_id = json_copy(json_member(call->block, "id"));
	if (call->client_id == NULL)
		return -1;
	read_carried(calls, call);
	if (call->id == NULL)
		call->id = is_fit_id(calls, call->client_id) ? strdup(call->client_id)
							     : hashed_id(calls, call->client_id);
	return call->id != NULL ? take_id(calls, call) : -1;
}

/* ---- calls ---- */

static void
free_call(struct history_call *call)
{
	free(call->client_id);
	free(call->id);
	carried_free(&call->carried);
}

/* Positions in the list are counted from 1; 0 if none. */
static size_t
position_in(const struct text_map *map, const void *key, size_t length)
{
	uint64_t position;

	return text_map_get(map, key, length, &position) ? (size_t)position : 0;
}

/* Let the newest call wait after the others with the client's id.  Return 0 or -1. */
static int
queue(struct history_calls *calls)
{
	size_t newest = calls->count;
	struct history_call *call = &calls->list[newest - 1];
	size_t length = strlen(call->client_id);
	size_t first = position_in(&calls->waiting, call->client_id, length);

	if (first == 0) {
		call->last = newest;
		return text_map_set(&calls->waiting, call->client_id, length, newest);
	}
	struct history_call *head = &calls->list[first - 1];
	calls->list[head->last - 1].next = newest;
	head->last = newest;
	return 0;
}

int
history_calls_add(struct history_calls *calls, const struct json *tool_use)
{
	struct history_call call = {.block = tool_use};

	/* The list doubles at powers of two. */
	if ((calls->count & (calls->count - 1)) == 0) {
		size_t capacity = calls->count > 0 ? 2 * calls->count : 1;
		struct history_call *grown = reallocarray(calls->list, capacity, sizeof(*grown));
		if (grown == NULL)
			return -1;
		calls->list = grown;
	}
	if (set_ids(calls, &call) != 0) {
		free_call(&call);
		return -1;
	}
	calls->list[calls->count++] = call;
	return queue(calls);
}

/* The first call with the client's id no longer waits; the next one does.  Return 0 or -1. */
static int
dequeue(struct history_calls *calls, const struct history_call *call)
{
	size_t length = strlen(call->client_id);

	if (call->next == 0) {
		text_map_remove(&calls->waiting, call->client_id, length);
		return 0;
	}
	calls->list[call->next - 1].last = call->last;
	return text_map_set(&calls->waiting, call->client_id, length, call->next);
}

struct history_call *
history_calls_answer(struct history_calls *calls, const struct json *tool_result)
{
	const void *address = tool_result;
	char *id = json_copy(json_member(tool_result, "tool_use_id"));
	size_t position = id != NULL ? position_in(&calls->waiting, id, strlen(id)) : 0;

	free(id);
	if (position == 0)
		return NULL;
	struct history_call *call = &calls->list[position - 1];
	if (dequeue(calls, call) != 0 ||
		text_map_set(&calls->answering, &address, sizeof(address), position) != 0)
		return NULL;
	call->result = tool_result;
	return call;
}

const struct history_call *
history_calls_find(const struct history_calls *calls, const struct json *tool_result)
{
	const void *address = tool_result;
	size_t position = position_in(&calls->answering, &address, sizeof(address));

	return position > 0 ? &calls->list[position - 1] : NULL;
}

void
history_calls_clear(struct history_calls *calls)
{
	for (size_t i = 0; i < calls->count; i++)
		free_call(&calls->list[i]);
	free(calls->list);
	calls->list = NULL;
	calls->count = 0;
	calls->carried_values = 0;
	text_map_clear(&calls->waiting);
	text_map_clear(&calls->answering);
	if (calls->ids == CLAUDE_IDS)
		text_map_clear(&calls->taken);
}

void
history_calls_free(struct history_calls *calls)
{
	history_calls_clear(calls);
	text_map_free(&calls->waiting);
	text_map_free(&calls->answering);
	text_map_free(&calls->taken);
}

void
history_calls_answer_turn(struct history_calls *calls, const struct claude_turn *user)
{
	CLAUDE_EACH_MESSAGE (message, user)
		CLAUDE_EACH_BLOCK (block, claude_content(message))
			if (claude_block_type(block) == CLAUDE_TOOL_RESULT)
				history_calls_answer(calls, block);
}

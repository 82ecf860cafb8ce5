/*
 * Tool calls and their results; see claude_calls.h.
 */
#include "translate/claude_calls.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "translate/carry.h"

enum { LONGEST_ID = 40, ID_DIGITS = 24 }; /* PROTOCOL.md §B.1 "Service limits" */

const char claude_no_result[] = "(no result)";

/* ---- ids ---- */

static bool
is_fit_id(const char *id)
{
	size_t length = strlen(id);

	return length <= LONGEST_ID && carry_is_id(id, length);
}

static char *
hashed_id(const char *id)
{
	char digits[ID_DIGITS + 1];
	char *made = NULL;

	hash_hex(id, strlen(id), ID_DIGITS, digits);
	return asprintf(&made, "call_%s", digits) < 0 ? NULL : made;
}

static bool
is_id_taken(const struct claude_calls *calls, const char *id)
{
	for (size_t i = 0; i < calls->count; i++)
		if (strcmp(calls->list[i].id, id) == 0)
			return true;
	return false;
}

/* The id that the service gets, and what it must get back with it.  Return 0 or -1. */
static int
set_id(const struct claude_calls *calls, struct claude_call *call, const char *id)
{
	bool carried = carry_read_call_id(id, calls->kind, &call->id, &call->extra);

	if (carried && call->id != NULL && !is_fit_id(call->id)) {
		free(call->id);
		call->id = NULL;
	}
	if (call->id == NULL)
		call->id = is_fit_id(id) ? strdup(id) : hashed_id(id);
	/* Two calls of one turn with the same id: the service would refuse both. */
	while (call->id != NULL && is_id_taken(calls, call->id)) {
		char *other = hashed_id(call->id);
		free(call->id);
		call->id = other;
	}
	return call->id != NULL ? 0 : -1;
}

/* ---- calls ---- */

int
claude_calls_add(struct claude_calls *calls, struct json_object *tool_use)
{
	struct claude_call *grown = reallocarray(calls->list, calls->count + 1, sizeof(*grown));
	struct claude_call call = {.block = tool_use};

	if (grown == NULL)
		return -1;
	calls->list = grown;
	if (set_id(calls, &call, json_member_string(tool_use, "id")) != 0) {
		json_object_put(call.extra);
		return -1;
	}
	grown[calls->count++] = call;
	return 0;
}

struct claude_call *
claude_calls_answer(struct claude_calls *calls, struct json_object *tool_result)
{
	const char *id = json_member_string(tool_result, "tool_use_id");

	for (size_t i = 0; i < calls->count; i++) {
		struct claude_call *call = &calls->list[i];
		if (call->result != NULL || strcmp(json_member_string(call->block, "id"), id) != 0)
			continue;
		call->result = tool_result;
		return call;
	}
	return NULL;
}

const struct claude_call *
claude_calls_find(const struct claude_calls *calls, struct json_object *tool_result)
{
	for (size_t i = 0; i < calls->count; i++)
		if (calls->list[i].result == tool_result)
			return &calls->list[i];
	return NULL;
}

void
claude_calls_clear(struct claude_calls *calls)
{
	for (size_t i = 0; i < calls->count; i++) {
		free(calls->list[i].id);
		json_object_put(calls->list[i].extra);
	}
	calls->count = 0;
}

void
claude_calls_free(struct claude_calls *calls)
{
	claude_calls_clear(calls);
	free(calls->list);
	calls->list = NULL;
}

/* ---- turns ---- */

enum claude_role
claude_role_at(const struct claude_request *r, size_t index)
{
	return claude_message_role(json_object_array_get_idx(r->messages, index));
}

struct json_object *
claude_content_at(const struct claude_request *r, size_t index)
{
	return json_member(json_object_array_get_idx(r->messages, index), "content");
}

size_t
claude_turn_end(const struct claude_request *r, size_t first, enum claude_role role)
{
	size_t count = json_object_array_length(r->messages);
	size_t end = first;

	while (end < count) {
		enum claude_role found = claude_role_at(r, end);
		if (found != role && found != CLAUDE_SYSTEM)
			break;
		end++;
	}
	return end;
}

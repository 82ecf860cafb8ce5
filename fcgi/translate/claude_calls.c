/*
 * Tool calls and their results; see claude_calls.h.
 */
#include "translate/claude_calls.h"

#include <stdint.h>
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
	while (call->id != NULL && json_object_object_get_ex(calls->taken, call->id, NULL)) {
		char *other = hashed_id(call->id);
		free(call->id);
		call->id = other;
	}
	return call->id != NULL ? json_object_object_add(calls->taken, call->id, NULL) : -1;
}

/* ---- the tables, which hold positions in the list, counted from 1, as if they were pointers ----
 */

static size_t
position_in(struct lh_table *table, const void *key)
{
	void *value = NULL;

	return lh_table_lookup_ex(table, key, &value) ? (size_t)(uintptr_t)value : 0;
}

/* Set what the key leads to; 0: nothing.  Return 0 or -1. */
static int
set_position(struct lh_table *table, const void *key, size_t position)
{
	lh_table_delete(table, key);
	if (position == 0)
		return 0;
	return lh_table_insert(table, key, (void *)(uintptr_t)position);
}

int
claude_calls_init(struct claude_calls *calls, const char *kind, bool unique_always)
{
	*calls = (struct claude_calls){.kind = kind, .unique_always = unique_always};
	calls->waiting = lh_kchar_table_new(16, NULL);
	calls->answering = lh_kptr_table_new(16, NULL);
	calls->taken = json_object_new_object();
	return calls->waiting != NULL && calls->answering != NULL && calls->taken != NULL ? 0 : -1;
}

/* ---- calls ---- */

/* Let the newest call wait behind the others of the client's id.  Return 0 or -1. */
static int
queue(struct claude_calls *calls, const char *id)
{
	size_t first = position_in(calls->waiting, id);
	size_t newest = calls->count;

	if (first == 0) {
		calls->list[newest - 1].last = newest;
		return set_position(calls->waiting, id, newest);
	}
	struct claude_call *head = &calls->list[first - 1];
	calls->list[head->last - 1].next = newest;
	head->last = newest;
	return 0;
}

int
claude_calls_add(struct claude_calls *calls, struct json_object *tool_use)
{
	const char *id = json_member_string(tool_use, "id");
	struct claude_call *grown = NULL;
	struct claude_call call = {.block = tool_use};

	/* The list doubles at powers of two. */
	if ((calls->count & (calls->count - 1)) == 0) {
		grown = reallocarray(
			calls->list, calls->count > 0 ? 2 * calls->count : 1, sizeof(*grown));
		if (grown == NULL)
			return -1;
		calls->list = grown;
	}
	if (set_id(calls, &call, id) != 0) {
		free(call.id);
		json_object_put(call.extra);
		return -1;
	}
	calls->list[calls->count++] = call;
	return queue(calls, id);
}

struct claude_call *
claude_calls_answer(struct claude_calls *calls, struct json_object *tool_result)
{
	const char *id = json_member_string(tool_result, "tool_use_id");
	size_t position = position_in(calls->waiting, id);

	if (position == 0)
		return NULL;
	struct claude_call *call = &calls->list[position - 1];
	const char *key = json_member_string(call->block, "id");
	if (call->next != 0)
		calls->list[call->next - 1].last = call->last;
	if (set_position(calls->waiting, key, call->next) != 0 ||
		set_position(calls->answering, tool_result, position) != 0)
		return NULL;
	call->result = tool_result;
	return call;
}

const struct claude_call *
claude_calls_find(const struct claude_calls *calls, struct json_object *tool_result)
{
	size_t position = position_in(calls->answering, tool_result);

	return position > 0 ? &calls->list[position - 1] : NULL;
}

void
claude_calls_clear(struct claude_calls *calls)
{
	for (size_t i = 0; i < calls->count; i++) {
		struct claude_call *call = &calls->list[i];
		lh_table_delete(calls->waiting, json_member_string(call->block, "id"));
		if (call->result != NULL)
			lh_table_delete(calls->answering, call->result);
		if (!calls->unique_always)
			json_object_object_del(calls->taken, call->id);
		free(call->id);
		json_object_put(call->extra);
	}
	free(calls->list);
	calls->list = NULL;
	calls->count = 0;
}

void
claude_calls_free(struct claude_calls *calls)
{
	claude_calls_clear(calls);
	if (calls->waiting != NULL)
		lh_table_free(calls->waiting);
	if (calls->answering != NULL)
		lh_table_free(calls->answering);
	json_object_put(calls->taken);
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

void
claude_calls_answer_all(
	struct claude_calls *calls, const struct claude_request *r, size_t first, size_t end)
{
	for (size_t m = first; m < end; m++) {
		struct json_object *content = claude_content_at(r, m);
		for (size_t i = 0; i < claude_content_length(content); i++) {
			struct json_object *block = claude_content_block(content, i);
			if (claude_block_type(block) == CLAUDE_TOOL_RESULT)
				claude_calls_answer(calls, block);
		}
	}
}

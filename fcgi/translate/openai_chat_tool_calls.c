/*
 * The tool calls of a Chat Completions answer; see openai_chat.h and PROTOCOL.md §D.2.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/claude_writer.h"
#include "translate/openai_chat.h"
#include "translate/tool_names.h"

enum { MOST_CALLS = 1024, MOST_KEPT = 32 << 20 /* bytes of arguments that wait for their turn */ };

enum call_state { WAITING, LIVE, WRITTEN };

struct call {
	enum call_state state;
	int64_t index; /* the service's; -1: it gave none */
	char *id;
	char *name;
	struct json_object *extra; /* extra_content: must come back with the call */
	struct buffer kept;        /* arguments that wait */

	/* How far the arguments are, as a JSON text. */
	int depth;
	bool in_string;
	bool escaped;
	bool complete;
};

struct tool_calls {
	struct claude_writer *writer;
	const struct tool_names *names;
	struct call *calls; /* in order of appearance */
	size_t count;
	size_t kept; /* bytes */
};

struct tool_calls *
tool_calls_new(struct claude_writer *writer, const struct tool_names *names)
{
	struct tool_calls *t = calloc(1, sizeof(*t));

	if (t != NULL) {
		t->writer = writer;
		t->names = names;
	}
	return t;
}

void
tool_calls_free(struct tool_calls *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++) {
		free(t->calls[i].id);
		free(t->calls[i].name);
		json_object_put(t->calls[i].extra);
		buffer_free(&t->calls[i].kept);
	}
	free(t->calls);
	free(t);
}

/* ---- which call a piece belongs to ---- */

static const char *
text_or_null(struct json_object *object, const char *name)
{
	const char *text = json_member_string(object, name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static struct call *
find_by_index(struct tool_calls *t, int64_t index)
{
	for (size_t i = t->count; i-- > 0;)
		if (t->calls[i].index == index)
			return &t->calls[i];
	return NULL;
}

static struct call *
find_by_id(struct tool_calls *t, const char *id)
{
	for (size_t i = t->count; i-- > 0;)
		if (t->calls[i].id != NULL && strcmp(t->calls[i].id, id) == 0)
			return &t->calls[i];
	return NULL;
}

static struct call *
add_call(struct tool_calls *t, int64_t index)
{
	if (t->count == MOST_CALLS)
		return NULL;
	struct call *grown = reallocarray(t->calls, t->count + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	t->calls = grown;
	grown[t->count] = (struct call){.index = index};
	return &grown[t->count++];
}

/*
 * A service that numbers every parallel call 0 (Gemini's compatible endpoint) tells them apart by
 * their ids: a complete call does not go on under another id.
 */
static bool
is_another(const struct call *call, const char *id, const char *name)
{
	return call->complete && id != NULL && name != NULL && call->id != NULL &&
	       strcmp(call->id, id) != 0;
}

static struct call *
call_of(struct tool_calls *t, struct json_object *element, bool whole)
{
	int64_t index = json_member_int(element, "index", -1);
	const char *id = text_or_null(element, "id");
	const char *name = text_or_null(json_member(element, "function"), "name");
	struct call *call = NULL;

	if (whole)
		return add_call(t, -1);
	if (index >= 0) {
		call = find_by_index(t, index);
		if (call != NULL && is_another(call, id, name))
			call = NULL;
	} else if (id != NULL) {
		call = find_by_id(t, id);
	} else if (name == NULL && t->count > 0) {
		call = &t->calls[t->count - 1];
	}
	return call != NULL ? call : add_call(t, index);
}

/* ---- writing ---- */

/* Follow the arguments' JSON text: complete when its outermost object closes. */
static void
follow(struct call *call, const char *json, size_t length)
{
	for (size_t i = 0; i < length && !call->complete; i++) {
		char c = json[i];
		if (call->escaped)
			call->escaped = false;
		else if (call->in_string && c == '\\')
			call->escaped = true;
		else if (c == '"')
			call->in_string = !call->in_string;
		else if (!call->in_string && (c == '{' || c == '['))
			call->depth++;
		else if (!call->in_string && (c == '}' || c == ']'))
			call->complete = --call->depth <= 0;
	}
}

static void
begin_live(struct tool_calls *t, struct call *call)
{
	call->state = LIVE;
	claude_writer_tool_start(
		t->writer, call->id, tool_names_to_client(t->names, call->name), call->extra);
	claude_writer_tool_input(t->writer, buffer_text(&call->kept), call->kept.length);
	t->kept -= call->kept.length;
	buffer_free(&call->kept);
}

static void
end_live(struct tool_calls *t, struct call *call)
{
	claude_writer_tool_end(t->writer);
	call->state = WRITTEN;
}

static struct call *
live_call(const struct tool_calls *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->calls[i].state == LIVE)
			return &t->calls[i];
	return NULL;
}

/* The call whose turn is next: the lowest index, or else the first that came. */
static struct call *
next_waiting(const struct tool_calls *t)
{
	struct call *next = NULL;

	for (size_t i = 0; i < t->count; i++)
		if (t->calls[i].state == WAITING &&
			(next == NULL || t->calls[i].index < next->index))
			next = &t->calls[i];
	return next;
}

/* Let the next calls begin as far as the grammar of blocks allows. */
static void
advance(struct tool_calls *t)
{
	struct call *live = live_call(t);
	struct call *next;

	while ((next = next_waiting(t)) != NULL && next->name != NULL &&
		(live == NULL || live->complete)) {
		if (live != NULL)
			end_live(t, live);
		begin_live(t, next);
		live = next;
	}
}

static int
take_arguments(struct tool_calls *t, struct call *call, const char *json, size_t length)
{
	if (call->state == WRITTEN) {
		if (strspn(json, " \t\r\n") < length)
			log_warn("a tool call went on after its arguments were complete: the rest "
				 "is dropped");
		return 0;
	}
	follow(call, json, length);
	if (call->state == LIVE) {
		claude_writer_tool_input(t->writer, json, length);
		return 0;
	}
	if (length > MOST_KEPT - t->kept || buffer_append(&call->kept, json, length) != 0)
		return -1;
	t->kept += length;
	return 0;
}

/* Remember the first id, name and extra content. */
static int
take_head(struct call *call, struct json_object *element, struct json_object *function)
{
	const char *id = text_or_null(element, "id");
	const char *name = text_or_null(function, "name");
	struct json_object *extra = json_member_object(element, "extra_content");

	if (call->id == NULL && id != NULL && (call->id = strdup(id)) == NULL)
		return -1;
	if (call->name == NULL && name != NULL && (call->name = strdup(name)) == NULL)
		return -1;
	if (call->extra == NULL)
		call->extra = json_object_get(extra);
	return 0;
}

int
tool_calls_take(struct tool_calls *t, struct json_object *element, bool whole)
{
	struct json_object *function = json_member_object(element, "function");
	struct json_object *arguments = json_member(function, "arguments");
	size_t length = 0;

	if (!json_object_is_type(element, json_type_object))
		return 0;
	struct call *call = call_of(t, element, whole);
	if (call == NULL || take_head(call, element, function) != 0)
		return -1;
	if (json_is_string(arguments)) {
		const char *text = json_object_get_string(arguments);
		if (take_arguments(t, call, text, (size_t)json_object_get_string_len(arguments)) !=
			0)
			return -1;
	} else if (arguments != NULL) {
		const char *text = json_text(arguments, &length);
		if (text == NULL || take_arguments(t, call, text, length) != 0)
			return -1;
	}
	advance(t);
	return 0;
}

bool
tool_calls_busy(const struct tool_calls *t)
{
	const struct call *live = live_call(t);

	return (live != NULL && !live->complete) || next_waiting(t) != NULL;
}

int
tool_calls_finish(struct tool_calls *t)
{
	struct call *live = live_call(t);
	struct call *next;
	int status = 0;

	if (live != NULL)
		end_live(t, live);
	while ((next = next_waiting(t)) != NULL) {
		if (next->name == NULL) {
			/* Nobody can run it; without arguments nothing of it is worth an error. */
			if (next->kept.length > 0)
				status = -1;
			log_warn("a tool call came without a name");
			next->state = WRITTEN;
			continue;
		}
		begin_live(t, next);
		end_live(t, next);
	}
	return status;
}

/*
 * The tool calls of one answer; see stream_calls.h.
 */
#include "translate/stream_calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/claude/writer.h"
#include "translate/tool_names.h"

enum { MOST_CALLS = 1024, MOST_KEPT = 32 << 20 /* bytes of arguments that wait for their turn */ };

enum call_state { WAITING, LIVE, WRITTEN };

struct call {
	enum call_state state;
	int64_t index; /* the service's; -1: it gave none */
	char *id;
	char *name;
	struct buffer extra; /* JSON text that must come back with the call; empty: none */
	struct buffer kept;  /* arguments that wait */

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
		buffer_free(&t->calls[i].extra);
		buffer_free(&t->calls[i].kept);
	}
	free(t->calls);
	free(t);
}

/* ---- which call a piece belongs to ---- */

static struct call *
find_by_index(struct tool_calls *t, int64_t index)
{
	for (size_t i = t->count; i-- > 0;)
		if (t->calls[i].index == index)
			return &t->calls[i];
	return NULL;
}

static struct call *
find_by_id(struct tool_calls *t, const struct json *id)
{
	for (size_t i = t->count; i-- > 0;)
		if (t->calls[i].id != NULL && json_is_text(id, t->calls[i].id))
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
is_another(const struct call *call, const struct json *id, const struct json *name)
{
	return call->complete && id != NULL && name != NULL && call->id != NULL &&
	       !json_is_text(id, call->id);
}

static struct call *
call_of(struct tool_calls *t, const struct tool_call_piece *piece)
{
	struct call *call = NULL;

	if (piece->whole)
		return add_call(t, -1);
	if (piece->index >= 0) {
		call = find_by_index(t, piece->index);
		if (call != NULL && is_another(call, piece->id, piece->name))
			call = NULL;
	} else if (piece->id != NULL) {
		call = find_by_id(t, piece->id);
	} else if (piece->name == NULL && t->count > 0) {
		call = &t->calls[t->count - 1];
	}
	return call != NULL ? call : add_call(t, piece->index);
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
	claude_writer_tool_start(t->writer, call->id, tool_names_to_client(t->names, call->name),
		call->extra.data, call->extra.length);
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
take_head(struct call *call, const struct tool_call_piece *piece)
{
	if (call->id == NULL && piece->id != NULL && (call->id = json_copy(piece->id)) == NULL)
		return -1;
	if (call->name == NULL && piece->name != NULL &&
		(call->name = json_copy(piece->name)) == NULL)
		return -1;
	if (call->extra.length == 0 && piece->extra != NULL)
		return json_write(&call->extra, piece->extra);
	return 0;
}

int
tool_calls_take(struct tool_calls *t, const struct tool_call_piece *piece)
{
	struct call *call = call_of(t, piece);

	if (call == NULL || take_head(call, piece) != 0)
		return -1;
	if (piece->length > 0 && take_arguments(t, call, piece->arguments, piece->length) != 0)
		return -1;
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

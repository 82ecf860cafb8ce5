/*
 * The tool calls of one answer; see stream_calls.h.
 */
#include "translate/answer/stream_calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "translate/answer/call_arguments.h"
#include "translate/claude/writer.h"
#include "translate/tool_names.h"

enum { MOST_CALLS = 1024, MOST_KEPT = 32 << 20 /* bytes of arguments */ };

/* REPEATED: another choice told one of that id already, perhaps the same. */
enum call_state { WAITING, LIVE, WRITTEN, REPEATED };

struct call {
	enum call_state state;
	int64_t choice;
	int64_t index; /* the service's; -1: it gave none */
	char *id;
	char *name;
	struct buffer extra; /* JSON text that must come back with the call; empty: none */
	struct call_arguments arguments;
	bool headed; /* its name came again after its arguments, perhaps for another call */
};

struct stream_calls {
	struct claude_writer *writer;
	const struct tool_names *names;
	struct call *calls; /* in order of appearance */
	size_t count;
	size_t kept; /* bytes of arguments */
};

struct stream_calls *
stream_calls_new(struct claude_writer *writer, const struct tool_names *names)
{
	struct stream_calls *t = calloc(1, sizeof(*t));

	if (t != NULL) {
		t->writer = writer;
		t->names = names;
	}
	return t;
}

void
stream_calls_free(struct stream_calls *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++) {
		free(t->calls[i].id);
		free(t->calls[i].name);
		buffer_free(&t->calls[i].extra);
		call_arguments_free(&t->calls[i].arguments);
	}
	free(t->calls);
	free(t);
}

/* ---- which call a piece belongs to ---- */

static bool
has_index(const struct call *call, const struct tool_call_piece *piece)
{
	return call->index == piece->index && call->choice == piece->choice;
}

static bool
has_id(const struct call *call, const struct json *id)
{
	return call->id != NULL && id != NULL && json_is_text(id, call->id);
}

static bool
has_name(const struct call *call, const struct json *name)
{
	return call->name != NULL && name != NULL && json_is_text(name, call->name);
}

static struct call *
find_by_index(struct stream_calls *t, const struct tool_call_piece *piece)
{
	for (size_t i = t->count; i-- > 0 && piece->index >= 0;)
		if (has_index(&t->calls[i], piece))
			return &t->calls[i];
	return NULL;
}

static struct call *
find_by_id(struct stream_calls *t, const struct json *id)
{
	for (size_t i = t->count; i-- > 0 && id != NULL;)
		if (has_id(&t->calls[i], id))
			return &t->calls[i];
	return NULL;
}

static struct call *
find_last(struct stream_calls *t, int64_t choice)
{
	for (size_t i = t->count; i-- > 0;)
		if (t->calls[i].choice == choice)
			return &t->calls[i];
	return NULL;
}

static bool
repeats_arguments(const struct call *call, const struct tool_call_piece *piece)
{
	return call_arguments_are_repeated(&call->arguments, piece->arguments, piece->length);
}

/* The first call of that name that was not told whole; ${alike}: with arguments like these. */
static struct call *
find_by_name(struct stream_calls *t, const struct tool_call_piece *piece, bool alike)
{
	for (size_t i = 0; t->calls != NULL && i < t->count; i++)
		if (!t->calls[i].arguments.all && has_name(&t->calls[i], piece->name) &&
			(!alike || repeats_arguments(&t->calls[i], piece)))
			return &t->calls[i];
	return NULL;
}

static bool
is_under_way(const struct call *call)
{
	const struct json_progress *progress = &call->arguments.progress;

	return !progress->complete && (progress->depth > 0 || progress->in_string);
}

/* Does the piece have more of a complete call's arguments than could be repeated ones? */
static bool
has_more(const struct call *call, const struct tool_call_piece *piece)
{
	const struct buffer *text = &call->arguments.text;

	return call->arguments.progress.complete && piece->length > 0 &&
	       !(piece->length >= text->length && repeats_arguments(call, piece));
}

/*
 * Does a piece that has the call's place begin another call?  Services number every parallel call
 * 0 (Gemini's compatible endpoint) or give all of them one id (Kimi); others repeat a call's head
 * with each piece, or change its id (Copilot).
 */
static bool
is_another(const struct call *call, const struct tool_call_piece *piece)
{
	bool same_id = has_id(call, piece->id);
	bool other_id = piece->id != NULL && call->id != NULL && !same_id;

	if (is_under_way(call))
		return false;
	/* An empty object may stand for what follows. */
	bool may_follow = call_arguments_are_empty(&call->arguments);
	if (piece->name == NULL)
		return call->headed && !may_follow && has_more(call, piece);
	if (other_id || (call->name != NULL && !has_name(call, piece->name)))
		return true;
	return !(same_id && may_follow) && has_more(call, piece);
}

/* May the piece, which has no number, go on with the last call, whose id it does not have? */
static bool
goes_on(const struct call *last, const struct tool_call_piece *piece)
{
	if (piece->name == NULL)
		return !is_another(last, piece);
	if (!has_name(last, piece->name) || (piece->id != NULL && last->id != NULL))
		return false;
	return last->arguments.text.length == 0 ||
	       (repeats_arguments(last, piece) && !has_more(last, piece));
}

static struct call *
find_without_index(struct stream_calls *t, const struct tool_call_piece *piece)
{
	struct call *call = find_by_id(t, piece->id);
	struct call *last = find_last(t, piece->choice);

	if (call != NULL)
		return is_another(call, piece) ? NULL : call;
	return last != NULL && goes_on(last, piece) ? last : NULL;
}

/* The call that a whole one restates: without a number, by id or else by order. */
static struct call *
find_restated(struct stream_calls *t, const struct tool_call_piece *piece)
{
	if (piece->index >= 0)
		return find_by_index(t, piece);
	struct call *call = find_by_id(t, piece->id);
	if (call != NULL && has_name(call, piece->name) && !call->arguments.all)
		return call;
	call = find_by_name(t, piece, true);
	return call != NULL ? call : find_by_name(t, piece, false);
}

static struct call *
find(struct stream_calls *t, const struct tool_call_piece *piece)
{
	struct call *call;

	if (piece->whole)
		return NULL;
	if (piece->all)
		return find_restated(t, piece);
	if (piece->index < 0)
		return find_without_index(t, piece);
	call = find_by_index(t, piece);
	return call != NULL && is_another(call, piece) ? NULL : call;
}

/* Did another choice tell a call of that id? */
static bool
is_told_elsewhere(struct stream_calls *t, const struct tool_call_piece *piece)
{
	const struct call *call = find_by_id(t, piece->id);

	return call != NULL && call->choice != piece->choice && has_name(call, piece->name);
}

/* Did it tell the same? */
static bool
is_told_twice(const struct stream_calls *t, const struct call *call)
{
	const struct buffer *text = &call->arguments.text;

	for (size_t i = 0; i < t->count; i++) {
		const struct call *other = &t->calls[i];
		const struct buffer *known = &other->arguments.text;
		if (other->choice != call->choice && other->id != NULL &&
			strcmp(other->id, call->id) == 0 && known->length == text->length &&
			memcmp(buffer_text(known), buffer_text(text), text->length) == 0)
			return true;
	}
	return false;
}

static struct call *
add_call(struct stream_calls *t, const struct tool_call_piece *piece)
{
	bool repeated = is_told_elsewhere(t, piece);

	if (t->count == MOST_CALLS)
		return NULL;
	struct call *grown = reallocarray(t->calls, t->count + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	t->calls = grown;
	grown[t->count] = (struct call){
		.state = repeated ? REPEATED : WAITING,
		.choice = piece->choice,
		.index = piece->whole ? -1 : piece->index,
	};
	return &grown[t->count++];
}

/* The call whose head came before its arguments, and was taken for that of the one before it. */
static const struct call *
headed_call(struct stream_calls *t, const struct tool_call_piece *piece)
{
	const struct call *call = piece->index >= 0 ? find_by_index(t, piece)
						    : find_last(t, piece->choice);

	return piece->name == NULL && call != NULL && call->headed ? call : NULL;
}

/* Return 0, or -1 if memory ran out. */
static int
copy_head(struct call *call, const char *id, const char *name)
{
	if (id != NULL && (call->id = strdup(id)) == NULL)
		return -1;
	return (call->name = strdup(name)) != NULL ? 0 : -1;
}

static struct call *
begin_call(struct stream_calls *t, const struct tool_call_piece *piece)
{
	const struct call *headed = headed_call(t, piece);
	size_t position = headed != NULL ? (size_t)(headed - t->calls) : 0;
	struct call *call = add_call(t, piece);

	if (call == NULL || headed == NULL)
		return call;
	headed = &t->calls[position];
	return copy_head(call, headed->id, headed->name) == 0 ? call : NULL;
}

static struct call *
call_of(struct stream_calls *t, const struct tool_call_piece *piece)
{
	struct call *call = find(t, piece);

	if (call == NULL)
		return begin_call(t, piece);
	call->headed = call->headed ||
		       (piece->name != NULL && !piece->all && call->arguments.progress.complete);
	return call;
}

/* ---- writing ---- */

/* Hand on what came of the arguments, if they are an object; an empty one may stand for others that
 * follow. */
static void
give(struct stream_calls *t, struct call *call)
{
	struct call_arguments *a = &call->arguments;
	const char *text = buffer_text(&a->text);

	if (a->text.length == a->given)
		return;
	if (!call_arguments_were_given(a) &&
		(text[strspn(text, " \t\r\n")] != '{' ||
			(a->progress.complete && call_arguments_are_empty(a))))
		return;
	size_t before = call_arguments_size(a);
	claude_writer_tool_input(t->writer, text + a->given, a->text.length - a->given);
	call_arguments_give(a);
	t->kept -= before - call_arguments_size(a);
}

/* Arguments that are no object: nothing, or one that was encoded twice, or what we cannot tell. */
static void
give_odd(struct stream_calls *t, const struct call *call)
{
	const struct buffer *text = &call->arguments.text;
	struct buffer object = BUFFER_INIT(0);

	call_arguments_write_odd(&object, buffer_text(text), text->length);
	claude_writer_tool_input(t->writer, buffer_text(&object), object.length);
	buffer_free(&object);
}

static void
begin_live(struct stream_calls *t, struct call *call)
{
	call->state = LIVE;
	claude_writer_tool_start(t->writer, call->id, tool_names_to_client(t->names, call->name),
		call->extra.data, call->extra.length);
	give(t, call);
}

static int
end_live(struct stream_calls *t, struct call *call)
{
	int status = call_arguments_settle(&call->arguments);

	give(t, call);
	if (!call_arguments_were_given(&call->arguments) &&
		!call_arguments_are_empty(&call->arguments))
		give_odd(t, call);
	claude_writer_tool_end(t->writer);
	call->state = WRITTEN;
	return status;
}

static struct call *
live_call(const struct stream_calls *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->calls[i].state == LIVE)
			return &t->calls[i];
	return NULL;
}

/* Does the call come before the other, as the service numbered them? */
static bool
is_before(const struct call *call, const struct call *other)
{
	return call->choice != other->choice ? call->choice < other->choice
					     : call->index < other->index;
}

/* The call whose turn is next: the lowest index, or else the first that came. */
static struct call *
next_waiting(const struct stream_calls *t)
{
	struct call *next = NULL;

	for (size_t i = 0; i < t->count; i++)
		if (t->calls[i].state == WAITING && (next == NULL || is_before(&t->calls[i], next)))
			next = &t->calls[i];
	return next;
}

/* Are all its arguments here?  An empty object may yet prove to stand for others. */
static bool
is_complete(const struct call *call)
{
	const struct call_arguments *a = &call->arguments;

	return a->progress.complete &&
	       (a->all || call_arguments_were_given(a) || !call_arguments_are_empty(a));
}

/* Let the next calls begin as far as the grammar of blocks allows. */
static int
advance(struct stream_calls *t)
{
	struct call *live = live_call(t);
	struct call *next;
	int status = 0;

	while (status == 0 && (next = next_waiting(t)) != NULL && next->name != NULL &&
		(live == NULL || is_complete(live))) {
		if (live != NULL)
			status = end_live(t, live);
		begin_live(t, next);
		live = next;
	}
	return status;
}

static int
take_arguments(struct stream_calls *t, struct call *call, const struct tool_call_piece *piece)
{
	struct call_arguments *a = &call->arguments;
	size_t before = call_arguments_size(a);
	int status = piece->all ? call_arguments_take_all(a, piece->arguments, piece->length)
				: call_arguments_take(a, piece->arguments, piece->length);

	t->kept = t->kept - before + call_arguments_size(a);
	if (status != 0 || t->kept > MOST_KEPT)
		return -1;
	if (call->state == LIVE)
		give(t, call);
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
stream_calls_take(struct stream_calls *t, const struct tool_call_piece *piece)
{
	struct call *call = call_of(t, piece);

	if (call == NULL || take_head(call, piece) != 0)
		return -1;
	if ((piece->length > 0 || piece->all) && take_arguments(t, call, piece) != 0)
		return -1;
	return advance(t);
}

bool
stream_calls_busy(const struct stream_calls *t)
{
	const struct call *live = live_call(t);

	return (live != NULL && !is_complete(live)) || next_waiting(t) != NULL;
}

bool
stream_calls_cut(const struct stream_calls *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (is_under_way(&t->calls[i]) && t->calls[i].state != REPEATED)
			return true;
	return false;
}

int
stream_calls_finish(struct stream_calls *t)
{
	struct call *live = live_call(t);
	struct call *next;
	int status = 0;

	if (live != NULL)
		status = end_live(t, live);
	for (size_t i = 0; i < t->count; i++)
		if (t->calls[i].state == REPEATED && !is_told_twice(t, &t->calls[i]))
			t->calls[i].state = WAITING;
	while ((next = next_waiting(t)) != NULL) {
		if (next->name == NULL) {
			/* Nobody can run it; without arguments nothing of it is worth an error. */
			if (next->arguments.text.length > 0)
				status = -1;
			log_warn("a tool call came without a name");
			next->state = WRITTEN;
			continue;
		}
		begin_live(t, next);
		if (end_live(t, next) != 0)
			status = -1;
	}
	return status;
}

/*
 * The writer of Claude's answer; see writer.h, PROTOCOL.md §C.1 and §D.1.
 */
#include "translate/claude/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/json/json_writer.h"
#include "translate/claude/writer_steps.h"

enum {
	CHARACTERS_PER_TOKEN = 4,
	LONGEST_ID = 256,          /* bytes of an id that is given to the client as it is */
	LONGEST_CARRIED_ID = 1024, /* bytes of one that its own id carries */
};

struct claude_writer *
claude_writer_new(const struct claude_writer_options *options, struct buffer *out)
{
	struct claude_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->out = out;
	w->model = strdup(options->model);
	w->kind = strdup(options->kind);
	w->stream = options->stream;
	w->hide_thinking = options->hide_thinking;
	w->estimated_input = options->estimated_input_tokens;
	random_id(w->message_id, sizeof(w->message_id), "msg_");
	if (options->stop_sequences != NULL)
		w->stops = stop_sequences_new(options->stop_sequences);
	if (w->model == NULL || w->kind == NULL ||
		(options->stop_sequences != NULL && w->stops == NULL) ||
		(options->searches && writer_begin_turn(w) != 0)) {
		claude_writer_free(w);
		return NULL;
	}
	return w;
}

void
claude_writer_free(struct claude_writer *w)
{
	if (w == NULL)
		return;
	buffer_free(&w->members);
	buffer_free(&w->input);
	buffer_free(&w->message);
	buffer_free(&w->citations);
	text_map_free(&w->ids);
	stop_sequences_free(w->stops);
	claude_writer_free(w->turn);
	buffer_free(&w->turn_text);
	cited_pages_free(&w->pages);
	free(w->model);
	free(w->kind);
	free(w);
}

/* Nothing of this turn was given to the client: as if it had not begun. */
static void
rewind_turn(struct claude_writer *w)
{
	buffer_cut(&w->message, w->mark.message);
	buffer_free(&w->input);
	buffer_free(&w->citations);
	w->index = w->mark.index;
	w->has_tool = w->mark.has_tool;
	w->open = NO_BLOCK;
	w->has_content = false;
}

int
claude_writer_redirect(struct claude_writer *w, const struct claude_writer_options *options)
{
	char *copy = strdup(options->kind);

	if (copy == NULL)
		return -1;
	if (w->stops != NULL)
		stop_sequences_restart(w->stops);
	free(w->kind);
	w->kind = copy;
	w->hide_thinking = options->hide_thinking;
	w->usage = (struct claude_usage){0};
	w->characters = 0;
	buffer_free(&w->members);
	rewind_turn(w);
	if (options->searches)
		return writer_begin_turn(w);
	claude_writer_free(w->turn);
	w->turn = NULL;
	return 0;
}

/* ---- text and thinking ---- */

static void
put_text(struct claude_writer *w, const char *content, size_t length)
{
	if (length == 0)
		return;
	if (w->open != TEXT_BLOCK)
		writer_open_block(w, TEXT_BLOCK, "{\"type\":\"text\",\"text\":\"", "\"}");
	writer_put_content(w, content, length);
}

void
writer_end_text(struct claude_writer *w)
{
	const char *held;
	size_t length;

	if (w->stops == NULL)
		return;
	stop_sequences_end(w->stops, &held, &length);
	put_text(w, held, length);
}

bool
claude_writer_is_stopped(const struct claude_writer *w)
{
	return w->stops != NULL && stop_sequences_found(w->stops) != NULL;
}

bool
writer_is_over(const struct claude_writer *w)
{
	return w->ended || claude_writer_is_stopped(w);
}

void
claude_writer_text(struct claude_writer *w, const char *content, size_t length)
{
	const char *given = content;
	size_t given_length = length;

	if (length == 0 || writer_is_over(w))
		return;
	if (w->stops != NULL) {
		stop_sequences_take(w->stops, &given, &given_length);
		if (stop_sequences_failed(w->stops))
			w->out->failed = true;
	}
	put_text(w, given, given_length);
	if (w->turn != NULL)
		claude_writer_text(w->turn, content, length);
}

static void
open_thinking(struct claude_writer *w)
{
	writer_open_block(w, THINKING_BLOCK, "{\"type\":\"thinking\",\"thinking\":\"",
		"\",\"signature\":\"\"}");
}

static void
put_thinking(struct claude_writer *w, const char *content, size_t length)
{
	if (w->hide_thinking) {
		writer_count_content(w, content, length);
		return;
	}
	writer_end_text(w);
	if (w->open != THINKING_BLOCK)
		open_thinking(w);
	writer_put_content(w, content, length);
}

void
claude_writer_thinking(struct claude_writer *w, const char *content, size_t length)
{
	if (length == 0 || writer_is_over(w))
		return;
	put_thinking(w, content, length);
	if (w->turn != NULL)
		claude_writer_thinking(w->turn, content, length);
}

void
claude_writer_set_signature(struct claude_writer *w, const char *members, size_t length)
{
	buffer_clear(&w->members);
	buffer_append(&w->members, members, length);
	if (w->turn != NULL)
		claude_writer_set_signature(w->turn, members, length);
}

bool
claude_writer_is_thinking(const struct claude_writer *w)
{
	return w->open == THINKING_BLOCK;
}

bool
claude_writer_is_text(const struct claude_writer *w)
{
	return w->open == TEXT_BLOCK;
}

bool
claude_writer_hides_thinking(const struct claude_writer *w)
{
	return w->hide_thinking;
}

bool
claude_writer_sign(struct claude_writer *w, const char *members, size_t length)
{
	if (w->hide_thinking || writer_is_over(w))
		return false;
	writer_end_text(w);
	if (w->open != THINKING_BLOCK)
		open_thinking(w);
	buffer_clear(&w->members);
	buffer_append(&w->members, members, length);
	writer_close_block(w);
	if (w->turn != NULL)
		claude_writer_sign(w->turn, members, length);
	return true;
}

/* Can the client be given this id: characters, length? */
static bool
is_fit_id(const char *id)
{
	size_t length = strlen(id);

	return length <= LONGEST_ID && round_trip_is_id(id, length);
}

/* The id that the client sees: the upstream's own, one that carries it, or a fresh one (PROTOCOL.md
 * §C.1, §C.4). */
static void
put_tool_id(struct claude_writer *w, struct buffer *out, const char *id, const char *extra,
	size_t extra_length)
{
	char fresh[sizeof("toolu_") + RANDOM_ID_LENGTH];
	bool usable = id != NULL && *id != '\0' && strlen(id) <= LONGEST_CARRIED_ID &&
		      !text_map_get(&w->ids, id, strlen(id), NULL);
	bool carries = extra != NULL || (usable && !is_fit_id(id));

	random_id(fresh, sizeof(fresh), "toolu_");
	const char *given = usable ? id : fresh;
	if (text_map_set(&w->ids, given, strlen(given), 0) != 0)
		out->failed = true;
	if (carries)
		round_trip_write_call_id(out, w->kind, given, extra, extra_length);
	else
		buffer_puts(out, given);
}

static void
open_tool(struct claude_writer *w, const char *id, const char *name, const char *extra,
	size_t extra_length)
{
	struct buffer head = BUFFER_INIT(0);

	PUT(&head, "{\"type\":\"tool_use\",\"id\":\"");
	put_tool_id(w, &head, id, extra, extra_length);
	PUT(&head, "\",\"name\":");
	json_write_text(&head, name);
	PUT(&head, ",\"input\":");
	writer_open_block(w, TOOL_BLOCK, buffer_text(&head), "{}}");
	if (head.failed)
		w->out->failed = true;
	buffer_free(&head);
	w->has_tool = true;
	w->has_input = false;
}

void
claude_writer_tool_start(struct claude_writer *w, const char *id, const char *name,
	const char *extra, size_t extra_length)
{
	bool search = w->turn != NULL && strcmp(name, CLAUDE_SEARCH_FUNCTION) == 0;

	if (writer_is_over(w))
		return;
	writer_end_text(w);
	w->characters += strlen(name);
	w->called_search = w->called_search || search;
	if (w->called_search)
		writer_close_block(w);
	else
		open_tool(w, id, name, extra, extra_length);
	if (w->turn != NULL)
		claude_writer_tool_start(w->turn, id, name, extra, extra_length);
}

void
claude_writer_tool_input(struct claude_writer *w, const char *json, size_t length)
{
	if (length == 0 || writer_is_over(w))
		return;
	w->characters += length;
	if (w->open == TOOL_BLOCK)
		writer_put_input(w, json, length);
	if (w->turn != NULL)
		claude_writer_tool_input(w->turn, json, length);
}

void
claude_writer_tool_end(struct claude_writer *w)
{
	if (w->open == TOOL_BLOCK)
		writer_close_block(w);
	if (w->turn != NULL)
		claude_writer_tool_end(w->turn);
}

void
claude_writer_citation(struct claude_writer *w, const char *citation, size_t length)
{
	if (!writer_is_over(w) && w->open == TEXT_BLOCK)
		writer_put_citation(w, citation, length);
}

void
claude_writer_set_usage(struct claude_writer *w, const struct claude_usage *usage)
{
	w->usage = *usage;
}

/* ---- the end ---- */

void
writer_settle_usage(struct claude_writer *w)
{
	struct claude_usage *u = &w->usage;

	if (!u->input_known)
		u->input_tokens = w->estimated_input;
	u->input_known = true;
	/* An output of 0 is no count. */
	if (!u->output_known || u->output_tokens == 0)
		u->output_tokens = (w->characters + CHARACTERS_PER_TOKEN - 1) /
				   CHARACTERS_PER_TOKEN;
	u->output_known = true;
	u->input_tokens += w->earlier.input_tokens;
	u->output_tokens += w->earlier.output_tokens;
	u->cache_read_input_tokens += w->earlier.cache_read_input_tokens;
	u->cache_creation_input_tokens += w->earlier.cache_creation_input_tokens;
}

/* An answer that was cut may have a call that is not whole: the client must not run it. */
static bool
is_cut(const char *stop_reason)
{
	return strcmp(stop_reason, "max_tokens") == 0 ||
	       strcmp(stop_reason, "model_context_window_exceeded") == 0;
}

/* The stop reason, where the answer itself tells more than the upstream's word. */
static const char *
settled_reason(const struct claude_writer *w, const char *told)
{
	if (w->has_tool)
		return is_cut(told) ? told : "tool_use";
	if (claude_writer_is_stopped(w))
		return "stop_sequence";
	return strcmp(told, "tool_use") == 0 ? "end_turn" : told;
}

/* Does the answer go on after what was searched? */
static bool
pauses(const struct claude_writer *w, const char *stop_reason)
{
	return w->called_search && !is_cut(stop_reason) && !claude_writer_is_stopped(w) &&
	       strcmp(stop_reason, "refusal") != 0;
}

static void
await_searches(struct claude_writer *w)
{
	claude_writer_finish(w->turn, "tool_use", NULL);
	w->waits = true;
}

static void
finish(struct claude_writer *w, const char *stop_reason, const char *stop_sequence)
{
	w->stop_reason = settled_reason(w, stop_reason);
	if (strcmp(w->stop_reason, "stop_sequence") != 0)
		stop_sequence = NULL;
	else if (claude_writer_is_stopped(w))
		stop_sequence = stop_sequences_found(w->stops);
	writer_settle_usage(w);
	writer_put_end(w, stop_sequence);
	w->started = true;
	w->ended = true;
}

void
claude_writer_finish(struct claude_writer *w, const char *stop_reason, const char *stop_sequence)
{
	if (w->ended || w->waits)
		return;
	claude_writer_start(w);
	writer_end_text(w);
	if (w->lacks != LACKS_NOTHING && w->searches == 0)
		writer_put_failed_use(w);
	writer_close_block(w);
	if (pauses(w, stop_reason))
		await_searches(w);
	else
		finish(w, stop_reason, stop_sequence);
}

/* ---- what was told ---- */

void
claude_writer_resume(struct claude_writer *w)
{
	w->started = true;
}

bool
claude_writer_started(const struct claude_writer *w)
{
	return w->started;
}

bool
claude_writer_has_content(const struct claude_writer *w)
{
	return w->has_content;
}

bool
claude_writer_ended(const struct claude_writer *w)
{
	return w->ended;
}

const struct claude_usage *
claude_writer_usage_told(const struct claude_writer *w)
{
	return &w->usage;
}

const char *
claude_writer_stop_reason(const struct claude_writer *w)
{
	return w->stop_reason;
}

/*
 * Answers of Chat Completions, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C,
 * §D.2 "Chat chunks").
 *
 * Nothing here depends on which service it is: each form in which one of them tells something is
 * taken wherever it comes.
 */
#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "translate/claude/writer.h"
#include "translate/openai/hosted_search.h"
#include "translate/openai/chat/chat.h"
#include "translate/openai/chat/chat_findings.h"
#include "translate/openai/errors.h"
#include "translate/openai/chat/reasoning_details.h"
#include "translate/openai/usage.h"
#include "translate/answer/reader.h"
#include "translate/answer/stream_calls.h"
#include "translate/translator.h"
#include "translate/answer/upstream_error.h"
#include "translate/answer/upstream_json.h"

struct chat_reader {
	struct reader base;
	struct restated text;
	struct restated thinking;
	bool has_choice; /* the next is known */
	int64_t choice;  /* whose text is given; calls are taken from all */
	bool has_other;  /* the next is known */
	int64_t other;   /* one whose text is not given, nor how it ended */

	/* What the next request must bring back with the thinking, or else with the next call. */
	struct reasoning_details *details; /* NULL if none came */
	struct buffer opaque;              /* Copilot's `reasoning_opaque`, JSON; empty: none */
	struct buffer hidden;              /* the same for a call, where thinking is hidden; JSON */
	struct json_document hidden_index;
};

static void
clear(struct reader *base)
{
	struct chat_reader *c = (struct chat_reader *)base;

	restated_free(&c->text);
	restated_free(&c->thinking);
	reasoning_details_free(c->details);
	buffer_free(&c->opaque);
	buffer_free(&c->hidden);
	json_document_free(&c->hidden_index);
}

/*
 * PROTOCOL.md §C.2.  Without a stop reason: the answer went wrong, an error with this status.  eos
 * is Together's, model_length Mistral's, sensitive and model_context_window_exceeded are GLM's, the
 * faults are those of OpenRouter, Mistral, GLM, DeepSeek, and vLLM or SGLang.
 */
static const struct {
	const char *finish_reason;
	const char *stop_reason;
	int status;
} stop_reasons[] = {
	{"stop", "end_turn", 0},
	{"eos", "end_turn", 0},
	{"length", "max_tokens", 0},
	{"model_length", "max_tokens", 0},
	{"max_tokens", "max_tokens", 0},
	{"model_context_window_exceeded", "model_context_window_exceeded", 0},
	{"tool_calls", "tool_use", 0},
	{"function_call", "tool_use", 0},
	{"content_filter", "refusal", 0},
	{"sensitive", "refusal", 0},
	{"error", NULL, 502},
	{"network_error", NULL, 502},
	{"abort", NULL, 502},
	{"insufficient_system_resource", NULL, 529},
};

enum { STOP_REASONS = sizeof(stop_reasons) / sizeof(stop_reasons[0]) };

/* ---- what must come back ---- */

/* The members of an assistant message that go back as they came, in an object. */
static void
write_carried(struct chat_reader *c, struct buffer *out)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	if (c->base.origin != NULL)
		json_put_text_member(&w, "m", c->base.origin);
	if (c->details != NULL && reasoning_details_have_news(c->details)) {
		json_put_name(&w, "reasoning_details");
		reasoning_details_put(c->details, &w);
	}
	if (c->opaque.length > 0) {
		json_put_name(&w, "reasoning_opaque");
		json_put_raw(&w, c->opaque.data, c->opaque.length);
		buffer_clear(&c->opaque);
	}
	json_close_object(&w);
}

static bool
has_to_carry(const struct chat_reader *c)
{
	return c->opaque.length > 0 ||
	       (c->details != NULL && reasoning_details_have_news(c->details));
}

/* Thinking is over: its signature carries what must come back with it. */
static void
sign_thinking(struct chat_reader *c)
{
	struct buffer carried = BUFFER_INIT(0);

	if (!has_to_carry(c) || claude_writer_hides_thinking(c->base.writer) ||
		stream_calls_busy(c->base.calls))
		return;
	reader_release(&c->base);
	write_carried(c, &carried);
	claude_writer_sign(c->base.writer, buffer_text(&carried), carried.length);
	buffer_free(&carried);
}

/* What a call must carry: what belongs to it, and to thinking that the client is not given. */
static const struct json *
carried_by_call(struct chat_reader *c, const struct json *own)
{
	struct json_writer w = JSON_WRITER(&c->hidden);
	struct buffer carried = BUFFER_INIT(0);

	if (!has_to_carry(c) || !claude_writer_hides_thinking(c->base.writer))
		return own;
	write_carried(c, &carried);
	buffer_clear(&c->hidden);
	json_open_object(&w);
	if (!carried.failed)
		json_put_raw(&w, carried.data + 1, carried.length - 2);
	if (own != NULL)
		json_put_value_member(&w, "extra_content", own);
	json_close_object(&w);
	buffer_free(&carried);
	return json_read(&c->hidden_index, buffer_text(&c->hidden), c->hidden.length,
		JSON_MAX_ANSWER_VALUES, NULL);
}

/* ---- thinking ---- */

static void
take_thought(struct chat_reader *c, const char *origin, const struct json *string, bool all,
	size_t *offset)
{
	if (all)
		*offset = reader_whole_thinking(&c->base, &c->thinking, *offset, origin, string);
	else
		reader_thinking(&c->base, &c->thinking, origin, string);
}

/* A string, or parts that have one. */
static void
take_thoughts(struct chat_reader *c, const char *origin, const struct json *thoughts, bool all,
	size_t *offset)
{
	if (!json_is_array(thoughts)) {
		take_thought(c, origin, thoughts, all, offset);
		return;
	}
	JSON_EACH (part, thoughts)
		take_thought(c, origin, json_is_string(part) ? part : json_member(part, "text"),
			all, offset);
}

static void
take_details(struct chat_reader *c, const struct json *details, bool all)
{
	if (json_first(details) == NULL)
		return;
	if (c->details == NULL)
		c->details = reasoning_details_new();
	if (c->details != NULL && reasoning_details_take(c->details, details, all) == 0)
		return;
	log_warn("upstream '%s': more reasoning_details than can be kept are not carried",
		c->base.error_context->name);
	reasoning_details_free(c->details);
	c->details = NULL;
}

/* ---- one message, or a piece of it ---- */

enum delta_member {
	CONTENT,
	REASONING_CONTENT, /* DeepSeek, Kimi, GLM, Qwen, Fireworks, llama.cpp, … */
	REASONING,         /* OpenRouter, Groq, Cerebras, Ollama, vLLM */
	REASONING_TEXT,    /* Copilot */
	REASONING_DETAILS,
	REASONING_OPAQUE,
	REFUSAL,
	TOOL_CALLS,
	FUNCTION_CALL, /* the older form: one call, without an id */
	ANNOTATIONS,
	EXECUTED_TOOLS,
	DELTA_ERROR,
	DELTA_MEMBERS
};

static const struct json_name delta_names[DELTA_MEMBERS] = {
	[CONTENT] = JSON_NAME("content"),
	[REASONING_CONTENT] = JSON_NAME("reasoning_content"),
	[REASONING] = JSON_NAME("reasoning"),
	[REASONING_TEXT] = JSON_NAME("reasoning_text"),
	[REASONING_DETAILS] = JSON_NAME("reasoning_details"),
	[REASONING_OPAQUE] = JSON_NAME("reasoning_opaque"),
	[REFUSAL] = JSON_NAME("refusal"),
	[TOOL_CALLS] = JSON_NAME("tool_calls"),
	[FUNCTION_CALL] = JSON_NAME("function_call"),
	[ANNOTATIONS] = JSON_NAME("annotations"),
	[EXECUTED_TOOLS] = JSON_NAME("executed_tools"),
	[DELTA_ERROR] = JSON_NAME("error"),
};

/* A message or a piece of one, as it is being taken. */
struct delta {
	const struct json *members[DELTA_MEMBERS];
	int64_t choice;
	bool all;   /* a message: all of what it tells, of which pieces may have come before */
	bool whole; /* the answer is not streamed */
};

/* Some send the same under two names, or in the details, too. */
static void
take_reasoning(struct chat_reader *c, const struct delta *delta)
{
	static const enum delta_member names[] = {REASONING_CONTENT, REASONING, REASONING_TEXT};
	const struct json *details = delta->members[REASONING_DETAILS];
	const struct json *opaque = delta->members[REASONING_OPAQUE];
	size_t offset = 0;
	bool found = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !found; i++) {
		const struct json *thoughts = delta->members[names[i]];
		const char *origin = names[i] == REASONING_CONTENT ? NULL
								   : delta_names[names[i]].text;
		found = json_content_length(thoughts) > 0 || json_first(thoughts) != NULL;
		if (found)
			take_thoughts(c, origin, thoughts, delta->all, &offset);
	}
	if (json_is_array(details)) {
		take_details(c, details, delta->all);
		JSON_EACH (piece, found ? NULL : details)
			take_thought(c, delta_names[REASONING_DETAILS].text,
				reasoning_detail_text(piece), delta->all, &offset);
	}
	if (json_content_length(opaque) > 0) {
		buffer_clear(&c->opaque);
		json_write(&c->opaque, opaque);
	}
}

static bool
is_thinking_part(const struct json *part)
{
	const struct json *type = json_member(part, "type");

	return json_is_text(type, "thinking") || json_is_text(type, "reasoning");
}

/* Mistral's content is an array of parts; its thinking parts contain text parts of their own. */
static void
take_parts(struct chat_reader *c, const struct json *parts, bool all)
{
	size_t text = 0;
	size_t thinking = 0;

	JSON_EACH (part, parts) {
		const struct json *thought = json_member(part, "thinking");
		const struct json *string = json_is_string(part) ? part
								 : json_member_string(part, "text");
		if (is_thinking_part(part)) {
			take_thoughts(c, delta_names[CONTENT].text,
				thought != NULL ? thought : string, all, &thinking);
			continue;
		}
		sign_thinking(c);
		if (all) {
			text = reader_whole_text(&c->base, &c->text, text, string);
			continue;
		}
		reader_text(&c->base, NULL, string);
		restated_note(&c->text, json_content(string), json_content_length(string));
	}
}

static void
take_content(struct chat_reader *c, const struct json *content, bool all)
{
	if (json_is_array(content)) {
		take_parts(c, content, all);
		return;
	}
	if (json_content_length(content) == 0)
		return;
	sign_thinking(c);
	if (all)
		reader_whole_text(&c->base, &c->text, 0, content);
	else
		reader_text(&c->base, &c->text, content);
}

static void
take_refusal(struct chat_reader *c, const struct json *refusal)
{
	c->base.refused = c->base.refused || json_content_length(refusal) > 0;
	reader_text(&c->base, NULL, refusal);
}

/* ---- tool calls ---- */

/* The string, unless it is absent or blank (Kimi's ids). */
static const struct json *
text_or_null(const struct json *object, const char *name)
{
	const struct json *text = json_member_string(object, name);
	const char *content = json_content(text);

	for (size_t i = 0; i < json_content_length(text); i++)
		if (content[i] != ' ')
			return text;
	return NULL;
}

/* Take a piece whose name and arguments are in ${function}. */
static int
take_function(struct chat_reader *c, const struct json *function, struct tool_call_piece piece)
{
	piece.name = text_or_null(function, "name");
	if (piece.name != NULL)
		piece.extra = carried_by_call(c, piece.extra);
	if (reader_arguments(&c->base, json_member(function, "arguments"), &piece) != 0)
		return -1;
	c->base.produced = true;
	return stream_calls_take(c->base.calls, &piece);
}

static int
take_call(struct chat_reader *c, const struct json *call, const struct tool_call_piece *piece)
{
	const struct json *function = json_member_object(call, "function");
	struct tool_call_piece own = *piece;

	/* A message may number its calls otherwise than the stream did. */
	own.index = piece->all ? -1 : json_member_int(call, "index", -1);
	own.id = text_or_null(call, "id");
	own.extra = json_member_object(call, "extra_content");
	return take_function(c, function != NULL ? function : call, own);
}

static int
take_tool_calls(struct chat_reader *c, const struct delta *delta)
{
	const struct json *calls = delta->members[TOOL_CALLS];
	const struct json *only = delta->members[FUNCTION_CALL];
	const struct tool_call_piece piece = {
		.index = -1,
		.choice = delta->choice,
		.whole = delta->whole,
		.all = delta->all,
	};

	if (json_first(calls) == NULL && !json_is_object(only))
		return 0;
	reader_settle(&c->base);
	sign_thinking(c);
	/* A single one may come without a list around it. */
	if (json_is_object(calls) && take_call(c, calls, &piece) != 0)
		return -1;
	JSON_EACH (call, json_is_array(calls) ? calls : NULL)
		if (json_is_object(call) && take_call(c, call, &piece) != 0)
			return -1;
	return json_is_object(only) ? take_function(c, only, piece) : 0;
}

/* ---- a choice ---- */

/* Several choices are parts of one answer (Copilot: text in one, the call in another); should two
 * have text, it is said twice. */
static bool
has_the_text(struct chat_reader *c, const struct delta *delta)
{
	bool any = false;

	for (size_t i = CONTENT; i <= REFUSAL; i++)
		any = any || json_content_length(delta->members[i]) > 0 ||
		      json_first(delta->members[i]) != NULL;
	if (any && !c->has_choice) {
		c->has_choice = true;
		c->choice = delta->choice;
	}
	if (any && c->choice != delta->choice) {
		c->has_other = true;
		c->other = delta->choice;
	}
	return any && c->choice == delta->choice;
}

static int
take_delta(struct chat_reader *c, const struct json *object, struct delta *delta,
	struct api_error *error)
{
	json_members(object, delta_names, DELTA_MEMBERS, delta->members);
	if (openai_error_in(object, delta->members[DELTA_ERROR], c->base.error_context, error))
		return -1;
	if (has_the_text(c, delta)) {
		take_reasoning(c, delta);
		take_content(c, delta->members[CONTENT], delta->all);
		take_refusal(c, delta->members[REFUSAL]);
	}
	if (chat_findings_take_annotations(&c->base, delta->members[ANNOTATIONS]) != 0 ||
		chat_findings_take_executed(&c->base, delta->members[EXECUTED_TOOLS]) != 0 ||
		take_tool_calls(c, delta) != 0)
		return reader_too_much(&c->base, error);
	return 0;
}

/* vLLM and SGLang say which stop sequence it was; a number there is a token's. */
static void
take_stop_sequence(struct reader *r, const struct json *choice)
{
	const struct json *sequence = json_member_string(choice, "stop_reason");

	if (sequence == NULL)
		sequence = json_member_string(choice, "matched_stop");
	if (sequence == NULL)
		return;
	free(r->stop_sequence);
	r->stop_sequence = json_copy(sequence);
	r->stop_reason = "stop_sequence";
}

static int
take_finish_reason(struct reader *r, const struct json *choice, const struct json *reason,
	struct api_error *error)
{
	size_t i = 0;

	if (json_content_length(reason) == 0)
		return 0;
	while (i < STOP_REASONS && !json_is_text(reason, stop_reasons[i].finish_reason))
		i++;
	if (i == STOP_REASONS)
		log_warn("upstream '%s': unknown finish_reason '%.*s' is taken for the end",
			r->error_context->name, JSON_SHOWN(reason));
	else if (stop_reasons[i].stop_reason == NULL)
		return reader_failed(
			r, stop_reasons[i].status, stop_reasons[i].finish_reason, error);
	r->stop_reason = i < STOP_REASONS ? stop_reasons[i].stop_reason : "end_turn";
	if (json_is_text(reason, "stop"))
		take_stop_sequence(r, choice);
	return 0;
}

enum choice_member {
	INDEX,
	DELTA,
	MESSAGE,
	FINISH_REASON,
	CHOICE_ERROR,
	CHOICE_USAGE,
	CHOICE_MEMBERS
};

static int
take_choice(struct chat_reader *c, const struct json *choice, int64_t position, bool whole,
	struct api_error *error)
{
	static const struct json_name names[CHOICE_MEMBERS] = {
		[INDEX] = JSON_NAME("index"),
		[DELTA] = JSON_NAME("delta"),
		[MESSAGE] = JSON_NAME("message"),
		[FINISH_REASON] = JSON_NAME("finish_reason"),
		[CHOICE_ERROR] = JSON_NAME("error"),
		[CHOICE_USAGE] = JSON_NAME("usage"), /* Kimi */
	};
	const struct json *members[CHOICE_MEMBERS];

	json_members(choice, names, CHOICE_MEMBERS, members);
	if (openai_error_in(choice, members[CHOICE_ERROR], c->base.error_context, error))
		return -1;
	openai_take_usage(&c->base, members[CHOICE_USAGE]);
	struct delta delta = {.choice = json_int(members[INDEX], position), .whole = whole};
	if (take_delta(c, members[DELTA], &delta, error) != 0)
		return -1;
	/* Some end a stream with the whole message, some send it instead of a piece. */
	delta.all = true;
	if (members[MESSAGE] != NULL && take_delta(c, members[MESSAGE], &delta, error) != 0)
		return -1;
	if (c->has_other && c->other == delta.choice)
		return 0;
	return take_finish_reason(&c->base, choice, members[FINISH_REASON], error);
}

/* ---- a chunk, or a whole answer ---- */

enum chunk_member {
	CHOICES,
	USAGE,
	ERROR,
	X_GROQ,
	BASE_RESP,
	TIMINGS,
	WEB_SEARCH,
	CITATIONS,
	CHUNK_MEMBERS
};

static const struct json_name chunk_names[CHUNK_MEMBERS] = {
	[CHOICES] = JSON_NAME("choices"),
	[USAGE] = JSON_NAME("usage"),
	[ERROR] = JSON_NAME("error"),
	[X_GROQ] = JSON_NAME("x_groq"),
	[BASE_RESP] = JSON_NAME("base_resp"),
	[TIMINGS] = JSON_NAME("timings"),
	[WEB_SEARCH] = JSON_NAME("web_search"),
	[CITATIONS] = JSON_NAME("citations"),
};

/* The chunk's own usage, Groq's, and what llama.cpp says of its cache. */
static void
take_usage(struct chat_reader *c, const struct json *const *members)
{
	openai_take_usage(&c->base, members[USAGE]);
	if (members[X_GROQ] != NULL)
		openai_take_usage(&c->base, json_member(members[X_GROQ], "usage"));
	if (members[TIMINGS] != NULL)
		reader_usage(&c->base,
			&(struct reader_usage){
				.cached = upstream_json_count(members[TIMINGS], "cache_n")});
}

/* Does the chunk tell that it is an error, in whatever form? */
static bool
is_failure(struct chat_reader *c, const struct json *chunk, const struct json *const *members,
	struct api_error *error)
{
	const struct error_context *who = c->base.error_context;

	return openai_error_in(chunk, members[ERROR], who, error) ||
	       (members[X_GROQ] != NULL &&
		       openai_error_in(members[X_GROQ], json_member(members[X_GROQ], "error"), who,
			       error)) ||
	       (members[BASE_RESP] != NULL &&
		       openai_error_in(chunk, json_member(members[BASE_RESP], "status_code"), who,
			       error)) ||
	       (members[CHOICES] == NULL && openai_error_instead(chunk, who, error));
}

/* Anything that is neither is skipped. */
static int
take_chunk(struct chat_reader *c, const struct json *chunk, bool whole, struct api_error *error)
{
	const struct json *members[CHUNK_MEMBERS];
	int64_t position = 0;

	json_members(chunk, chunk_names, CHUNK_MEMBERS, members);
	const struct json *choices = json_is_array(members[CHOICES]) ? members[CHOICES] : NULL;
	if (is_failure(c, chunk, members, error))
		return -1;
	if (whole && json_first(choices) == NULL)
		return reader_no_answer(&c->base, "answered without choices", chunk, error);
	if (choices == NULL && !json_is_object(members[USAGE]))
		return 0;
	take_usage(c, members);
	claude_writer_start(c->base.writer);
	if (chat_findings_take_found(&c->base, members[WEB_SEARCH]) != 0 ||
		chat_findings_take_addresses(&c->base, members[CITATIONS]) != 0)
		return reader_too_much(&c->base, error);
	JSON_EACH (choice, choices)
		if (json_is_object(choice) && take_choice(c, choice, position++, whole, error) != 0)
			return -1;
	return 0;
}

static int
take_event(struct reader *base, const struct json *chunk, struct api_error *error)
{
	return take_chunk((struct chat_reader *)base, chunk, false, error);
}

static int
take_message(struct reader *base, const struct json *message, struct api_error *error)
{
	/* An error may come in a list (Gemini's compatible endpoint). */
	if (json_is_array(message) && json_first(message) != NULL)
		message = json_first(message);
	return take_chunk((struct chat_reader *)base, message, true, error);
}

/* What must come back with the next request, and no text or call followed. */
static void
finish(struct reader *base)
{
	sign_thinking((struct chat_reader *)base);
}

static const struct reader_kind reader = {
	.size = sizeof(struct chat_reader),
	.take_event = take_event,
	.take_message = take_message,
	.finish = finish,
	.clear = clear,
};

const struct translator openai_chat = {
	.kind = "openai",
	.name_rule = TOOL_NAMES_OPENAI,
	.write_request = openai_chat_write_request,
	.has_search = openai_chat_has_search,
	.reader = &reader,
};

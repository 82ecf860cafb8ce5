/*
 * Answers of Chat Completions, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C,
 * §D.2 "Chat chunks").
 */
#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "translate/claude/writer.h"
#include "translate/openai/chat.h"
#include "translate/reader.h"
#include "translate/stream_calls.h"
#include "translate/translator.h"
#include "translate/upstream_error.h"
#include "translate/upstream_json.h"

/* PROTOCOL.md §C.2; model_length is Mistral's. */
static const struct {
	const char *finish_reason;
	const char *stop_reason;
} stop_reasons[] = {
	{"stop", "end_turn"},
	{"length", "max_tokens"},
	{"model_length", "max_tokens"},
	{"max_tokens", "max_tokens"},
	{"tool_calls", "tool_use"},
	{"function_call", "tool_use"},
	{"content_filter", "refusal"},
};

/* ---- text and thinking ---- */

/* Mistral's content is an array of parts; its thinking parts contain text parts of their own. */
static void
take_parts(struct reader *r, const struct json *parts)
{
	JSON_EACH (part, parts) {
		const struct json *thinking = json_member(part, "thinking");
		if (!json_is_text(json_member(part, "type"), "thinking")) {
			reader_text(r, json_member(part, "text"));
		} else if (json_is_array(thinking)) {
			JSON_EACH (thought, thinking)
				reader_thinking(r, json_member(thought, "text"));
		} else {
			reader_thinking(r, thinking);
		}
	}
}

static void
take_content(struct reader *r, const struct json *content)
{
	if (json_is_array(content))
		take_parts(r, content);
	else
		reader_text(r, content);
}

/* Services name it one way or the other; OpenRouter sends both at once. */
static void
take_reasoning(struct reader *r, const struct json *delta)
{
	const struct json *reasoning = json_member(delta, "reasoning_content");

	if (json_content_length(reasoning) == 0)
		reasoning = json_member(delta, "reasoning");
	reader_thinking(r, reasoning);
}

static void
take_refusal(struct reader *r, const struct json *delta)
{
	const struct json *refusal = json_member(delta, "refusal");

	r->refused = r->refused || json_content_length(refusal) > 0;
	reader_text(r, refusal);
}

/* ---- tool calls ---- */

static const struct json *
text_or_null(const struct json *object, const char *name)
{
	const struct json *text = json_member_string(object, name);

	return json_content_length(text) > 0 ? text : NULL;
}

/* Take a piece whose name and arguments are in ${function}. */
static int
take_function(struct reader *r, const struct json *function, struct tool_call_piece piece)
{
	piece.name = text_or_null(function, "name");
	if (reader_arguments(r, json_member(function, "arguments"), &piece) != 0)
		return -1;
	r->produced = true;
	return tool_calls_take(r->calls, &piece);
}

/* The `tool_calls`, or the older form: one call, without an id. */
static int
take_tool_calls(struct reader *r, const struct json *delta, bool whole)
{
	const struct json *only = json_member_object(delta, "function_call");

	JSON_EACH (call, json_member_array(delta, "tool_calls")) {
		const struct tool_call_piece piece = {
			.index = json_member_int(call, "index", -1),
			.id = text_or_null(call, "id"),
			.extra = json_member_object(call, "extra_content"),
			.whole = whole,
		};
		if (json_is_object(call) &&
			take_function(r, json_member_object(call, "function"), piece) != 0)
			return -1;
	}
	if (only == NULL)
		return 0;
	return take_function(r, only, (struct tool_call_piece){.whole = whole});
}

/* ---- the rest of a chunk ---- */

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

static void
take_finish_reason(struct reader *r, const struct json *choice)
{
	const struct json *reason = text_or_null(choice, "finish_reason");

	if (reason == NULL)
		return;
	r->stop_reason = "end_turn";
	for (size_t i = 0; i < sizeof(stop_reasons) / sizeof(stop_reasons[0]); i++)
		if (json_is_text(reason, stop_reasons[i].finish_reason))
			r->stop_reason = stop_reasons[i].stop_reason;
	if (json_is_text(reason, "stop"))
		take_stop_sequence(r, choice);
}

static void
take_usage(struct reader *r, const struct json *usage)
{
	if (usage == NULL)
		return;
	uint64_t cached = upstream_json_count(
		json_member(usage, "prompt_tokens_details"), "cached_tokens");
	if (cached == 0)
		cached = upstream_json_count(usage, "prompt_cache_hit_tokens");
	reader_usage(r, upstream_json_count(usage, "prompt_tokens"), cached,
		upstream_json_count(usage, "completion_tokens"),
		json_member(usage, "completion_tokens") != NULL);
}

static int
take_choice(struct reader *r, const struct json *choice, bool whole, struct api_error *error)
{
	const struct json *delta = json_member_object(choice, "delta");

	if (delta == NULL)
		delta = json_member_object(choice, "message");
	take_reasoning(r, delta);
	take_content(r, json_member(delta, "content"));
	take_refusal(r, delta);
	if (take_tool_calls(r, delta, whole) != 0)
		return reader_too_much(r, error);
	take_finish_reason(r, choice);
	return 0;
}

/* A chunk, or a whole answer.  Anything that is neither is skipped. */
static int
take_chunk(struct reader *r, const struct json *chunk, bool whole, struct api_error *error)
{
	const struct json *choices = json_member_array(chunk, "choices");
	const struct json *usage = json_member_object(chunk, "usage");

	if (json_member(chunk, "error") != NULL) {
		upstream_error_from_object(chunk, r->identity, error);
		return -1;
	}
	if (choices == NULL && usage == NULL)
		return 0;
	take_usage(r, usage);
	claude_writer_start(r->writer);
	const struct json *choice = reader_first(choices);
	return choice != NULL ? take_choice(r, choice, whole, error) : 0;
}

static int
take_event(struct reader *r, const struct json *chunk, struct api_error *error)
{
	return take_chunk(r, chunk, false, error);
}

static int
take_message(struct reader *r, const struct json *message, struct api_error *error)
{
	if (json_member(message, "error") == NULL &&
		reader_first(json_member_array(message, "choices")) == NULL)
		return reader_no_answer(r, "answered without choices", message, error);
	return take_chunk(r, message, true, error);
}

static struct reader *
new_reader(const struct reader_context *context)
{
	static const struct reader_kind kind = {
		.size = sizeof(struct reader),
		.take_event = take_event,
		.take_message = take_message,
	};

	return reader_new(&kind, context);
}

const struct translator openai_chat = {
	.kind = "openai",
	.name_rule = TOOL_NAMES_OPENAI,
	.write_request = openai_chat_write_request,
	.reader_new = new_reader,
	.read_event = reader_read_event,
	.read_message = reader_read_message,
	.read_end = reader_read_end,
	.is_over = reader_is_over,
	.reader_free = reader_free,
};

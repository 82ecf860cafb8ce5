/*
 * Answers of Chat Completions, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C,
 * §D.2 "Chat chunks").
 */
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "translate/claude_writer.h"
#include "translate/openai_chat.h"
#include "translate/tool_calls.h"
#include "translate/translator.h"
#include "translate/upstream_error.h"
#include "translate/upstream_json.h"

enum { MOST_DEFERRED = 32 << 20 };

struct reader {
	struct claude_writer *writer;
	const struct upstream_identity *identity;
	struct tool_calls *calls;
	struct buffer deferred_thinking; /* came while a tool call was under way */
	struct buffer deferred_text;
	const char *stop_reason; /* by finish_reason; NULL: none came */
	char *stop_sequence;
	bool refused;
	bool produced; /* text, thinking or a tool call came */
	bool over;
	int skipped; /* events that were no JSON */
};

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

static struct reader *
reader_new(const struct reader_context *context)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->writer = context->writer;
	r->identity = context->identity;
	r->deferred_text = BUFFER_INIT(MOST_DEFERRED);
	r->deferred_thinking = BUFFER_INIT(MOST_DEFERRED);
	r->calls = tool_calls_new(context->writer, context->names);
	if (r->calls == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

static void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	tool_calls_free(r->calls);
	buffer_free(&r->deferred_thinking);
	buffer_free(&r->deferred_text);
	free(r->stop_sequence);
	free(r);
}

static bool
is_over(const struct reader *r)
{
	return r->over;
}

/* ---- text and thinking ---- */

static void
take_text(struct reader *r, const char *text, size_t length)
{
	if (length == 0)
		return;
	r->produced = true;
	if (tool_calls_busy(r->calls))
		buffer_append(&r->deferred_text, text, length);
	else
		claude_writer_text(r->writer, text, length);
}

static void
take_thinking(struct reader *r, const char *text, size_t length)
{
	if (length == 0)
		return;
	r->produced = true;
	if (tool_calls_busy(r->calls))
		buffer_append(&r->deferred_thinking, text, length);
	else
		claude_writer_thinking(r->writer, text, length);
}

typedef void taker(struct reader *, const char *text, size_t length);

static void
take_string(struct reader *r, struct json_object *value, taker *take)
{
	if (json_is_string(value))
		take(r, json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

/* Mistral's content is an array of parts; its thinking parts hold text parts of their own. */
static void
take_parts(struct reader *r, struct json_object *parts, taker *take)
{
	for (size_t i = 0; i < json_object_array_length(parts); i++) {
		struct json_object *part = json_object_array_get_idx(parts, i);
		struct json_object *thinking = json_member(part, "thinking");
		if (json_is_text(json_member(part, "type"), "thinking") && take == take_text) {
			if (json_object_is_type(thinking, json_type_array))
				take_parts(r, thinking, take_thinking);
			else
				take_string(r, thinking, take_thinking);
		} else {
			take_string(r, json_member(part, "text"), take);
		}
	}
}

static void
take_content(struct reader *r, struct json_object *content)
{
	if (content != NULL && json_object_is_type(content, json_type_array))
		take_parts(r, content, take_text);
	else
		take_string(r, content, take_text);
}

/* Services name it one way or the other; OpenRouter sends both at once. */
static void
take_reasoning(struct reader *r, struct json_object *delta)
{
	struct json_object *reasoning = json_member(delta, "reasoning_content");

	if (!json_is_string(reasoning) || json_object_get_string_len(reasoning) == 0)
		reasoning = json_member(delta, "reasoning");
	take_string(r, reasoning, take_thinking);
}

static void
take_refusal(struct reader *r, struct json_object *delta)
{
	struct json_object *refusal = json_member(delta, "refusal");

	if (!json_is_string(refusal) || json_object_get_string_len(refusal) == 0)
		return;
	r->refused = true;
	take_string(r, refusal, take_text);
}

/* ---- tool calls ---- */

static const char *
text_or_null(struct json_object *object, const char *name)
{
	const char *text = json_member_string(object, name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

/* An element of `tool_calls`.  Arguments are text; Ollama sends an object. */
static int
take_tool_call(struct reader *r, struct json_object *element, bool whole)
{
	struct json_object *function = json_member_object(element, "function");
	struct json_object *arguments = json_member(function, "arguments");
	struct tool_call_piece piece = {
		.index = json_member_int(element, "index", -1),
		.id = text_or_null(element, "id"),
		.name = text_or_null(function, "name"),
		.extra = json_member_object(element, "extra_content"),
		.whole = whole,
	};

	if (!json_object_is_type(element, json_type_object))
		return 0;
	if (json_is_string(arguments)) {
		piece.arguments = json_object_get_string(arguments);
		piece.length = (size_t)json_object_get_string_len(arguments);
	} else if (arguments != NULL) {
		piece.arguments = json_text(arguments, &piece.length);
		if (piece.arguments == NULL)
			return -1;
	}
	r->produced = true;
	return tool_calls_take(r->calls, &piece);
}

static int
take_tool_calls(struct reader *r, struct json_object *delta, bool whole)
{
	struct json_object *calls = json_member_array(delta, "tool_calls");
	struct json_object *function = json_member_object(delta, "function_call");
	int status = 0;

	for (size_t i = 0; calls != NULL && i < json_object_array_length(calls) && status == 0; i++)
		status = take_tool_call(r, json_object_array_get_idx(calls, i), whole);
	if (function != NULL && status == 0) {
		/* The older form: one call, without an id. */
		struct json_object *element = json_object_new_object();
		json_object_object_add(element, "index", json_object_new_int(0));
		json_object_object_add(element, "function", json_object_get(function));
		status = take_tool_call(r, element, whole);
		json_object_put(element);
	}
	return status;
}

/* ---- the rest of a chunk ---- */

static void
take_finish_reason(struct reader *r, struct json_object *choice)
{
	const char *reason = json_member_string(choice, "finish_reason");

	if (reason == NULL || reason[0] == '\0')
		return;
	r->stop_reason = "end_turn";
	for (size_t i = 0; i < sizeof(stop_reasons) / sizeof(stop_reasons[0]); i++)
		if (strcmp(stop_reasons[i].finish_reason, reason) == 0)
			r->stop_reason = stop_reasons[i].stop_reason;
	if (strcmp(reason, "stop") != 0)
		return;
	/* vLLM and SGLang say which stop sequence it was; a number there is a token's. */
	const char *sequence = json_member_string(choice, "stop_reason");
	if (sequence == NULL)
		sequence = json_member_string(choice, "matched_stop");
	if (sequence == NULL)
		return;
	free(r->stop_sequence);
	r->stop_sequence = strdup(sequence);
	r->stop_reason = "stop_sequence";
}

static void
take_usage(struct reader *r, struct json_object *chunk)
{
	struct json_object *usage = json_member_object(chunk, "usage");
	struct claude_usage told = {0};

	if (usage == NULL)
		return;
	uint64_t prompt = upstream_json_count(usage, "prompt_tokens");
	uint64_t cached = upstream_json_count(
		json_member(usage, "prompt_tokens_details"), "cached_tokens");
	if (cached == 0)
		cached = upstream_json_count(usage, "prompt_cache_hit_tokens");
	told.input_tokens = prompt > cached ? prompt - cached : 0;
	told.cache_read_input_tokens = cached;
	told.output_tokens = upstream_json_count(usage, "completion_tokens");
	told.input_known = prompt > 0;
	told.output_known = json_member(usage, "completion_tokens") != NULL;
	claude_writer_usage(r->writer, &told);
}

/* The choice with index 0, or without one. */
static struct json_object *
first_choice(struct json_object *choices)
{
	for (size_t i = 0; i < json_object_array_length(choices); i++) {
		struct json_object *choice = json_object_array_get_idx(choices, i);
		if (json_object_is_type(choice, json_type_object) &&
			json_member_int(choice, "index", 0) == 0)
			return choice;
	}
	return NULL;
}

static int
take_choice(struct reader *r, struct json_object *choice, bool whole, struct api_error *error)
{
	struct json_object *delta = json_member_object(choice, "delta");

	if (delta == NULL)
		delta = json_member_object(choice, "message");
	take_reasoning(r, delta);
	take_content(r, json_member(delta, "content"));
	take_refusal(r, delta);
	if (take_tool_calls(r, delta, whole) != 0 || r->deferred_text.failed ||
		r->deferred_thinking.failed)
		return upstream_error_bad_answer(
			"sent more interleaved tool calls than can be kept", "", 0, r->identity,
			error);
	take_finish_reason(r, choice);
	return 0;
}

/* A chunk, or a whole answer.  Anything that is neither is skipped. */
static int
take_chunk(struct reader *r, struct json_object *chunk, bool whole, struct api_error *error)
{
	struct json_object *problem = json_member(chunk, "error");
	struct json_object *choices = json_member_array(chunk, "choices");

	if (problem != NULL) {
		upstream_error_from_object(chunk, r->identity, error);
		return -1;
	}
	if (choices == NULL && json_member_object(chunk, "usage") == NULL)
		return 0;
	take_usage(r, chunk);
	claude_writer_start(r->writer);
	struct json_object *choice = choices != NULL ? first_choice(choices) : NULL;
	return choice != NULL ? take_choice(r, choice, whole, error) : 0;
}

/* ---- the end ---- */

static int
finish(struct reader *r, struct api_error *error)
{
	const char *reason = r->stop_reason != NULL ? r->stop_reason : "end_turn";

	r->over = true;
	if (tool_calls_finish(r->calls) != 0)
		return upstream_error_bad_answer(
			"called a tool without a name", "", 0, r->identity, error);
	claude_writer_thinking(
		r->writer, buffer_text(&r->deferred_thinking), r->deferred_thinking.length);
	claude_writer_text(r->writer, buffer_text(&r->deferred_text), r->deferred_text.length);
	if (r->refused)
		reason = "refusal";
	claude_writer_finish(r->writer, reason, r->stop_sequence);
	return 0;
}

static int
read_end(struct reader *r, bool complete, struct api_error *error)
{
	if (r->over)
		return 0;
	if (r->stop_reason != NULL || (complete && r->produced))
		return finish(r, error);
	if (!complete)
		return upstream_error_bad_answer("broke off its answer", "", 0, r->identity, error);
	return upstream_error_bad_answer(
		"ended its answer without content", "", 0, r->identity, error);
}

static int
read_event(struct reader *r, const char *data, size_t length, struct api_error *error)
{
	if (r->over || length == 0)
		return 0;
	if (length == 6 && memcmp(data, "[DONE]", 6) == 0)
		return read_end(r, true, error);
	struct json_object *chunk = upstream_json_event(data, length, r->identity, &r->skipped);
	if (chunk == NULL)
		return 0;
	int status = take_chunk(r, chunk, false, error);
	json_object_put(chunk);
	return status;
}

static int
read_message(struct reader *r, const char *body, size_t length, struct api_error *error)
{
	struct json_object *message = upstream_json_message(body, length, r->identity, error);

	if (message == NULL)
		return -1;
	struct json_object *choices = json_member_array(message, "choices");
	int status = 0;
	if (json_member(message, "error") == NULL &&
		(choices == NULL || first_choice(choices) == NULL))
		status = upstream_error_bad_answer(
			"answered without choices", body, length, r->identity, error);
	else
		status = take_chunk(r, message, true, error);
	json_object_put(message);
	return status == 0 ? finish(r, error) : -1;
}

const struct translator openai_chat = {
	.kind = "openai",
	.name_rule = TOOL_NAMES_OPENAI,
	.write_request = openai_chat_write_request,
	.reader_new = reader_new,
	.read_event = read_event,
	.read_message = read_message,
	.read_end = read_end,
	.is_over = is_over,
	.reader_free = reader_free,
};

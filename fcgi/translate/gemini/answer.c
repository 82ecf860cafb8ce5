/*
 * Answers of Gemini, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C, §D.2 "Gemini
 * chunks").  Each chunk is a whole response, so a whole answer is a stream of one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "translate/claude/writer.h"
#include "translate/gemini/gemini.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "translate/upstream_error.h"
#include "translate/upstream_json.h"

enum { KEPT_SCRATCH = 64 << 10 }; /* bytes that the reader keeps for the next event */

struct reader {
	struct claude_writer *writer;
	const struct tool_names *names;
	const struct upstream_identity *identity;
	struct json_document index; /* of the event, or the message, that is being read */
	struct buffer scratch;      /* for what has to be put together */
	const char *stop_reason;    /* NULL: no finishReason came */
	const char *failure;        /* a finishReason that says that the model went wrong */
	bool produced;              /* a part came */
	bool answered;              /* a candidate came, or the reason why there is none */
	bool over;
	bool out_of_memory;
	int skipped; /* events that were no JSON */
};

/* PROTOCOL.md §C.2.  Those without a stop reason are failures of the model. */
static const struct {
	const char *finish_reason;
	const char *stop_reason;
} stop_reasons[] = {
	{"STOP", "end_turn"},
	{"MAX_TOKENS", "max_tokens"},
	{"SAFETY", "refusal"},
	{"RECITATION", "refusal"},
	{"BLOCKLIST", "refusal"},
	{"PROHIBITED_CONTENT", "refusal"},
	{"SPII", "refusal"},
	{"LANGUAGE", "refusal"},
	{"IMAGE_SAFETY", "refusal"},
	{"IMAGE_PROHIBITED_CONTENT", "refusal"},
	{"IMAGE_RECITATION", "refusal"},
	{"IMAGE_OTHER", "refusal"},
	{"NO_IMAGE", "refusal"},
	{"MALFORMED_FUNCTION_CALL", NULL},
	{"UNEXPECTED_TOOL_CALL", NULL},
	{"TOO_MANY_TOOL_CALLS", NULL},
	{"MALFORMED_RESPONSE", NULL},
};

static struct reader *
reader_new(const struct reader_context *context)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->writer = context->writer;
	r->names = context->names;
	r->identity = context->identity;
	return r;
}

static void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	json_document_free(&r->index);
	buffer_free(&r->scratch);
	free(r);
}

static bool
is_over(const struct reader *r)
{
	return r->over;
}

/* ---- parts ---- */

/* A writer into the scratch buffer, whose content lasts until the next one. */
static struct json_writer
scratch_writer(struct reader *r)
{
	buffer_clear(&r->scratch);
	return JSON_WRITER(&r->scratch);
}

/* Out of memory ends the answer: what was to be written is not whole. */
static bool
is_whole(struct reader *r)
{
	r->out_of_memory = r->out_of_memory || r->scratch.failed;
	return !r->out_of_memory;
}

/* The text of an object with one member, for what is carried through the client. */
static bool
write_carried(struct reader *r, const char *name, const struct json *value)
{
	struct json_writer w = scratch_writer(r);

	json_open_object(&w);
	json_put_value_member(&w, name, value);
	json_close_object(&w);
	return is_whole(r);
}

static void
take_text(struct reader *r, const struct json *part, const struct json *signature)
{
	const struct json *text = json_member(part, "text");
	const char *content = json_content(text);
	size_t length = json_content_length(text);
	bool thought = json_member_bool(part, "thought", false);

	r->produced = r->produced || length > 0;
	if (thought)
		claude_writer_thinking(r->writer, content, length);
	/* A text's own signature has no place in Claude's text block; the thinking before it has.
	 */
	if (signature != NULL && claude_writer_is_thinking(r->writer) &&
		write_carried(r, thought ? "s" : "t", signature))
		claude_writer_signature(r->writer, r->scratch.data, r->scratch.length);
	if (!thought)
		claude_writer_text(r->writer, content, length);
}

/* Arguments that are no object, as the text of one. */
static void
write_raw_arguments(struct reader *r, const struct json *args)
{
	struct buffer text = BUFFER_INIT(0);
	struct json_writer w = scratch_writer(r);

	log_warn("upstream '%s': a function call's args are no object: passed on as _raw",
		r->identity->name);
	if (json_write(&text, args) != 0)
		r->scratch.failed = true;
	json_open_object(&w);
	json_put_name(&w, "_raw");
	json_put_string(&w, buffer_text(&text), text.length);
	json_close_object(&w);
	buffer_free(&text);
}

static void
take_arguments(struct reader *r, const struct json *args)
{
	buffer_clear(&r->scratch);
	if (json_is_object(args))
		json_write(&r->scratch, args);
	else
		write_raw_arguments(r, args);
	if (is_whole(r))
		claude_writer_tool_input(r->writer, r->scratch.data, r->scratch.length);
}

static void
take_call(struct reader *r, const struct json *call, const struct json *signature)
{
	const struct json *args = json_member(call, "args");
	char *id = json_copy(json_member(call, "id"));
	char *name = json_copy(json_member(call, "name"));
	bool carries = signature != NULL && write_carried(r, "s", signature);

	r->produced = true;
	claude_writer_tool_start(r->writer, id,
		tool_names_to_client(r->names, name != NULL ? name : ""),
		carries ? r->scratch.data : NULL, carries ? r->scratch.length : 0);
	if (args != NULL)
		take_arguments(r, args);
	claude_writer_tool_end(r->writer);
	free(id);
	free(name);
}

/* What Claude's text can only show (code, its output, a file) goes into a fenced block of it. */
static struct json_writer
open_fence(struct reader *r, const char *label)
{
	struct json_writer w = scratch_writer(r);

	r->produced = true;
	json_string_text(&w, "```");
	json_string_text(&w, label);
	json_string_text(&w, "\n");
	return w;
}

static void
close_fence(struct reader *r, struct json_writer *w)
{
	json_string_text(w, "\n```\n");
	if (is_whole(r))
		claude_writer_text(r->writer, r->scratch.data, r->scratch.length);
}

static void
take_fenced(struct reader *r, const char *label, const struct json *text)
{
	if (text == NULL)
		return;
	struct json_writer w = open_fence(r, label);
	json_string_value(&w, text);
	close_fence(r, &w);
}

static void
take_executable_code(struct reader *r, const struct json *code)
{
	bool python = json_is_text(json_member(code, "language"), "PYTHON");

	take_fenced(r, python ? "python" : "", json_member_string(code, "code"));
}

static void
take_file(struct reader *r, const struct json *file)
{
	const struct json *type = json_member_string(file, "mimeType");
	const struct json *data = json_member_string(file, "data");

	if (data == NULL)
		return;
	struct json_writer w = open_fence(r, "");
	json_string_text(&w, "data:");
	if (type != NULL)
		json_string_value(&w, type);
	else
		json_string_text(&w, "application/octet-stream");
	json_string_text(&w, ";base64,");
	json_string_value(&w, data);
	close_fence(r, &w);
}

static void
take_part(struct reader *r, const struct json *part)
{
	const struct json *signature = json_member_string(part, "thoughtSignature");
	const struct json *call = json_member_object(part, "functionCall");
	const struct json *result = json_member(part, "codeExecutionResult");

	if (json_content_length(signature) == 0)
		signature = NULL;
	if (json_member_string(part, "text") != NULL)
		take_text(r, part, signature);
	if (call != NULL)
		take_call(r, call, signature);
	take_executable_code(r, json_member(part, "executableCode"));
	take_fenced(r, "", json_member_string(result, "output"));
	take_file(r, json_member(part, "inlineData"));
}

/* ---- the rest of a chunk ---- */

static void
take_finish_reason(struct reader *r, const struct json *reason)
{
	if (reason == NULL || json_is_text(reason, "FINISH_REASON_UNSPECIFIED"))
		return;
	r->stop_reason = "end_turn";
	for (size_t i = 0; i < sizeof(stop_reasons) / sizeof(stop_reasons[0]); i++) {
		if (!json_is_text(reason, stop_reasons[i].finish_reason))
			continue;
		if (stop_reasons[i].stop_reason != NULL)
			r->stop_reason = stop_reasons[i].stop_reason;
		else
			r->failure = stop_reasons[i].finish_reason;
	}
}

static void
take_candidate(struct reader *r, const struct json *candidate)
{
	r->answered = true;
	JSON_EACH (part, json_member_array(json_member(candidate, "content"), "parts"))
		take_part(r, part);
	take_finish_reason(r, json_member_string(candidate, "finishReason"));
}

static void
take_usage(struct reader *r, const struct json *usage)
{
	struct claude_usage told = {0};

	if (usage == NULL)
		return;
	uint64_t prompt = upstream_json_count(usage, "promptTokenCount") +
			  upstream_json_count(usage, "toolUsePromptTokenCount");
	uint64_t cached = upstream_json_count(usage, "cachedContentTokenCount");
	told.input_tokens = prompt > cached ? prompt - cached : 0;
	told.cache_read_input_tokens = cached;
	told.output_tokens = upstream_json_count(usage, "candidatesTokenCount") +
			     upstream_json_count(usage, "thoughtsTokenCount");
	told.input_known = prompt > 0;
	told.output_known = json_member(usage, "candidatesTokenCount") != NULL ||
			    json_member(usage, "thoughtsTokenCount") != NULL;
	claude_writer_usage(r->writer, &told);
}

/* The candidate with index 0, or without one. */
static const struct json *
first_candidate(const struct json *chunk)
{
	JSON_EACH (candidate, json_member_array(chunk, "candidates"))
		if (json_is_object(candidate) && json_member_int(candidate, "index", 0) == 0)
			return candidate;
	return NULL;
}

static int
take_chunk(struct reader *r, const struct json *chunk, struct api_error *error)
{
	const struct json *candidate = first_candidate(chunk);
	const struct json *usage = json_member_object(chunk, "usageMetadata");

	if (json_member(chunk, "error") != NULL) {
		upstream_error_from_object(chunk, r->identity, error);
		return -1;
	}
	take_usage(r, usage);
	if (json_member_string(json_member(chunk, "promptFeedback"), "blockReason") != NULL) {
		r->answered = true;
		r->stop_reason = "refusal";
	}
	if (candidate != NULL || usage != NULL)
		claude_writer_start(r->writer);
	if (candidate != NULL)
		take_candidate(r, candidate);
	return r->out_of_memory ? api_error_set(error, 500, "out of memory") : 0;
}

/* ---- the end ---- */

static int
finish(struct reader *r, struct api_error *error)
{
	if (r->failure != NULL && !r->produced) {
		api_error_set(error, 502,
			"upstream '%s' ended its answer with %s: please ask again",
			r->identity->name, r->failure);
		return -1;
	}
	r->over = true;
	claude_writer_finish(r->writer, r->stop_reason != NULL ? r->stop_reason : "end_turn", NULL);
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
	if (r->over || length == 0 || (length == 6 && memcmp(data, "[DONE]", 6) == 0))
		return 0;
	const struct json *chunk = upstream_json_event(
		&r->index, data, length, r->identity, &r->skipped);
	int status = chunk != NULL ? take_chunk(r, chunk, error) : 0;
	json_document_trim(&r->index);
	if (r->scratch.capacity > KEPT_SCRATCH)
		buffer_free(&r->scratch);
	return status;
}

/* Without alt=sse a stream is an array of chunks. */
static int
take_all(struct reader *r, const struct json *message, struct api_error *error)
{
	if (!json_is_array(message))
		return take_chunk(r, message, error);
	JSON_EACH (chunk, message)
		if (take_chunk(r, chunk, error) != 0)
			return -1;
	return 0;
}

static int
read_message(struct reader *r, const char *body, size_t length, struct api_error *error)
{
	const struct json *message = upstream_json_message(
		&r->index, body, length, r->identity, error);

	if (message == NULL || take_all(r, message, error) != 0)
		return -1;
	if (!r->answered)
		return upstream_error_bad_answer(
			"answered without candidates", body, length, r->identity, error);
	return finish(r, error);
}

const struct translator gemini = {
	.kind = "gemini",
	.name_rule = TOOL_NAMES_GEMINI,
	.write_request = gemini_write_request,
	.write_count_request = gemini_write_count_request,
	.count_member = "totalTokens",
	.reader_new = reader_new,
	.read_event = read_event,
	.read_message = read_message,
	.read_end = read_end,
	.is_over = is_over,
	.reader_free = reader_free,
};

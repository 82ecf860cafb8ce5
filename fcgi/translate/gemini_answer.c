/*
 * Answers of Gemini, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C, §D.2 "Gemini
 * chunks").  Each chunk is a whole response, so a whole answer is a stream of one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/claude_writer.h"
#include "translate/gemini.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "translate/upstream_error.h"
#include "translate/upstream_json.h"

struct reader {
	struct claude_writer *writer;
	const struct tool_names *names;
	const struct upstream_identity *identity;
	const char *stop_reason; /* NULL: no finishReason came */
	char *failure;           /* a finishReason that says that the model went wrong */
	bool produced;           /* a part came */
	bool answered;           /* a candidate came, or the reason why there is none */
	bool over;
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
	free(r->failure);
	free(r);
}

static bool
is_over(const struct reader *r)
{
	return r->over;
}

/* ---- parts ---- */

/* An object with one member, for what is carried through the client. */
static struct json_object *
carried(const char *name, struct json_object *value)
{
	struct json_object *object = json_object_new_object();

	if (object != NULL)
		json_object_object_add(object, name, json_object_get(value));
	return object;
}

static void
take_text(struct reader *r, struct json_object *part, struct json_object *signature)
{
	struct json_object *text = json_member(part, "text");
	const char *bytes = json_object_get_string(text);
	size_t length = (size_t)json_object_get_string_len(text);
	bool thought = json_member_bool(part, "thought", false);

	r->produced = r->produced || length > 0;
	if (thought)
		claude_writer_thinking(r->writer, bytes, length);
	/* A text's own signature has no place in Claude's text block; the thinking before it has.
	 */
	if (signature != NULL && claude_writer_is_thinking(r->writer))
		claude_writer_signature(r->writer, carried(thought ? "s" : "t", signature));
	if (!thought)
		claude_writer_text(r->writer, bytes, length);
}

static void
take_arguments(struct reader *r, struct json_object *args)
{
	struct buffer raw = BUFFER_INIT(0);
	size_t length;
	const char *text = json_text(args, &length);

	if (text != NULL && json_object_is_type(args, json_type_object)) {
		claude_writer_tool_input(r->writer, text, length);
		return;
	}
	log_warn("upstream '%s': a function call's args are no object: passed on as _raw",
		r->identity->name);
	buffer_puts(&raw, "{\"_raw\":");
	json_write_string(&raw, text != NULL ? text : "", text != NULL ? length : 0);
	buffer_putc(&raw, '}');
	claude_writer_tool_input(r->writer, buffer_text(&raw), raw.length);
	buffer_free(&raw);
}

static void
take_call(struct reader *r, struct json_object *call, struct json_object *signature)
{
	struct json_object *args = json_member(call, "args");
	const char *name = json_member_string(call, "name");
	struct json_object *extra = signature != NULL ? carried("s", signature) : NULL;

	r->produced = true;
	claude_writer_tool_start(r->writer, json_member_string(call, "id"),
		tool_names_to_client(r->names, name != NULL ? name : ""), extra);
	if (args != NULL)
		take_arguments(r, args);
	claude_writer_tool_end(r->writer);
	json_object_put(extra);
}

/* What Claude's text can only show: code, its output, a file. */
static void
take_fenced(struct reader *r, const char *label, const char *before, const char *text)
{
	struct buffer fenced = BUFFER_INIT(0);

	r->produced = true;
	buffer_puts(&fenced, "```");
	buffer_puts(&fenced, label);
	buffer_putc(&fenced, '\n');
	buffer_puts(&fenced, before);
	buffer_puts(&fenced, text);
	buffer_puts(&fenced, "\n```\n");
	claude_writer_text(r->writer, buffer_text(&fenced), fenced.length);
	buffer_free(&fenced);
}

static void
take_executable_code(struct reader *r, struct json_object *code)
{
	const char *language = json_member_string(code, "language");
	const char *text = json_member_string(code, "code");

	if (text != NULL)
		take_fenced(r, language != NULL && strcmp(language, "PYTHON") == 0 ? "python" : "",
			"", text);
}

static void
take_file(struct reader *r, struct json_object *file)
{
	const char *type = json_member_string(file, "mimeType");
	const char *data = json_member_string(file, "data");
	struct buffer before = BUFFER_INIT(0);

	if (data == NULL)
		return;
	buffer_puts(&before, "data:");
	buffer_puts(&before, type != NULL ? type : "application/octet-stream");
	buffer_puts(&before, ";base64,");
	take_fenced(r, "", buffer_text(&before), data);
	buffer_free(&before);
}

static void
take_part(struct reader *r, struct json_object *part)
{
	struct json_object *signature = json_member(part, "thoughtSignature");
	struct json_object *call = json_member_object(part, "functionCall");
	struct json_object *code = json_member_object(part, "executableCode");
	struct json_object *file = json_member_object(part, "inlineData");
	const char *output = json_member_string(json_member(part, "codeExecutionResult"), "output");

	if (!json_is_string(signature) || json_object_get_string_len(signature) == 0)
		signature = NULL;
	if (json_is_string(json_member(part, "text")))
		take_text(r, part, signature);
	if (call != NULL)
		take_call(r, call, signature);
	if (code != NULL)
		take_executable_code(r, code);
	if (output != NULL)
		take_fenced(r, "", "", output);
	if (file != NULL)
		take_file(r, file);
}

/* ---- the rest of a chunk ---- */

static void
take_finish_reason(struct reader *r, const char *reason)
{
	if (reason == NULL || strcmp(reason, "FINISH_REASON_UNSPECIFIED") == 0)
		return;
	r->stop_reason = "end_turn";
	for (size_t i = 0; i < sizeof(stop_reasons) / sizeof(stop_reasons[0]); i++) {
		if (strcmp(stop_reasons[i].finish_reason, reason) != 0)
			continue;
		if (stop_reasons[i].stop_reason != NULL) {
			r->stop_reason = stop_reasons[i].stop_reason;
		} else {
			free(r->failure);
			r->failure = strdup(reason);
		}
	}
}

static void
take_candidate(struct reader *r, struct json_object *candidate)
{
	struct json_object *parts = json_member_array(json_member(candidate, "content"), "parts");

	r->answered = true;
	for (size_t i = 0; parts != NULL && i < json_object_array_length(parts); i++)
		take_part(r, json_object_array_get_idx(parts, i));
	take_finish_reason(r, json_member_string(candidate, "finishReason"));
}

static void
take_usage(struct reader *r, struct json_object *usage)
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
static struct json_object *
first_candidate(struct json_object *chunk)
{
	struct json_object *candidates = json_member_array(chunk, "candidates");

	for (size_t i = 0; candidates != NULL && i < json_object_array_length(candidates); i++) {
		struct json_object *candidate = json_object_array_get_idx(candidates, i);
		if (json_object_is_type(candidate, json_type_object) &&
			json_member_int(candidate, "index", 0) == 0)
			return candidate;
	}
	return NULL;
}

static int
take_chunk(struct reader *r, struct json_object *chunk, struct api_error *error)
{
	struct json_object *candidate = first_candidate(chunk);
	struct json_object *usage = json_member_object(chunk, "usageMetadata");

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
	return 0;
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
	struct json_object *chunk = upstream_json_event(data, length, r->identity, &r->skipped);
	int status = chunk != NULL ? take_chunk(r, chunk, error) : 0;
	json_object_put(chunk);
	return status;
}

/* Without alt=sse a stream is an array of chunks. */
static int
take_all(struct reader *r, struct json_object *message, struct api_error *error)
{
	if (!json_object_is_type(message, json_type_array))
		return take_chunk(r, message, error);
	for (size_t i = 0; i < json_object_array_length(message); i++)
		if (take_chunk(r, json_object_array_get_idx(message, i), error) != 0)
			return -1;
	return 0;
}

static int
read_message(struct reader *r, const char *body, size_t length, struct api_error *error)
{
	struct json_object *message = upstream_json_message(body, length, r->identity, error);

	if (message == NULL)
		return -1;
	int status = take_all(r, message, error);
	json_object_put(message);
	if (status == 0 && !r->answered)
		return upstream_error_bad_answer(
			"answered without candidates", body, length, r->identity, error);
	return status == 0 ? finish(r, error) : -1;
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

/*
 * Answers of Gemini, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C, §D.2 "Gemini
 * chunks").  Each chunk is a whole response, so a whole answer is a stream of one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "translate/answer/call_arguments.h"
#include "translate/claude/writer.h"
#include "translate/gemini/gemini.h"
#include "translate/answer/reader.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "translate/answer/upstream_error.h"
#include "translate/answer/upstream_json.h"
#include "translate/answer/web_findings.h"

enum { MOST_CHUNKS = 256 /* of what grounds an answer, that are cited */ };

/* Tokens; what a chunk does not tell stays as an earlier one told it. */
struct counts {
	uint64_t prompt;
	uint64_t tool_prompt;
	uint64_t cached;
	uint64_t candidates;
	uint64_t thoughts;
};

struct gemini_reader {
	struct reader base;
	struct counts counts;
	bool output_known;
	bool answered; /* a candidate came, or the reason why there is none */
	bool said;     /* something came that is no thought */
	bool out_of_memory;
};

/* PROTOCOL.md §C.2.  A fault of the model is an error, unless it has said something by then. */
static const struct {
	const char *finish_reason;
	const char *stop_reason;
	bool fault;
} endings[] = {
	{"STOP", "end_turn", false},
	{"MAX_TOKENS", "max_tokens", false},
	{"CONTINUATION", "max_tokens", false},
	{"SAFETY", "refusal", false},
	{"RECITATION", "refusal", false},
	{"BLOCKLIST", "refusal", false},
	{"PROHIBITED_CONTENT", "refusal", false},
	{"SPII", "refusal", false},
	{"LANGUAGE", "refusal", false},
	{"MODEL_ARMOR", "refusal", false},
	{"ESCALATION", "refusal", false},
	{"PUP_LIMITED_DISABLED", "refusal", false},
	{"IMAGE_SAFETY", "refusal", false},
	{"IMAGE_PROHIBITED_CONTENT", "refusal", false},
	{"IMAGE_RECITATION", "refusal", false},
	{"IMAGE_OTHER", "refusal", false},
	{"NO_IMAGE", "refusal", false},
	{"MALFORMED_FUNCTION_CALL", "end_turn", true},
	{"MALFORMED_RESPONSE", "end_turn", true},
	{"UNEXPECTED_TOOL_CALL", "end_turn", true},
	{"TOO_MANY_TOOL_CALLS", "end_turn", true},
	{"MISSING_THOUGHT_SIGNATURE", "end_turn", true},
	{"OTHER", "end_turn", true},
};

static struct gemini_reader *
gemini_of(struct reader *r)
{
	return (struct gemini_reader *)r;
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
	struct gemini_reader *g = gemini_of(r);

	g->out_of_memory = g->out_of_memory || r->scratch.failed;
	return !g->out_of_memory;
}

/* What comes is part of the answer, and no thought. */
static void
note_said(struct reader *r)
{
	r->produced = true;
	gemini_of(r)->said = true;
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
	bool thought = json_member_bool(part, "thought", false);

	if (thought) {
		reader_thinking(r, NULL, NULL, text);
		r->produced = gemini_of(r)->said; /* thoughts alone are no answer */
	}
	/* A text's own signature has no place in Claude's text block; the thinking before it has.
	 */
	if (signature != NULL && claude_writer_is_thinking(r->writer) &&
		write_carried(r, thought ? "s" : "t", signature))
		claude_writer_set_signature(r->writer, r->scratch.data, r->scratch.length);
	if (thought || json_content_length(text) == 0)
		return;
	note_said(r);
	reader_text(r, NULL, text);
}

/* Into the scratch buffer. */
static void
write_arguments(struct reader *r, const struct json *args)
{
	struct buffer text = BUFFER_INIT(0);

	buffer_clear(&r->scratch);
	if (json_is_object(args)) {
		json_write(&r->scratch, args);
		return;
	}
	json_write(&text, args);
	call_arguments_write_odd(&r->scratch, buffer_text(&text), text.length);
	r->scratch.failed = r->scratch.failed || text.failed;
	buffer_free(&text);
}

static void
take_call(struct reader *r, const struct json *call, const struct json *signature)
{
	const struct json *args = json_member(call, "args");
	char *id = json_copy(json_member(call, "id"));
	char *name = json_copy(json_member(call, "name"));
	bool carries = signature != NULL && write_carried(r, "s", signature);

	note_said(r);
	reader_settle(r);
	claude_writer_tool_start(r->writer, id,
		tool_names_to_client(r->names, name != NULL ? name : ""),
		carries ? r->scratch.data : NULL, carries ? r->scratch.length : 0);
	if (args != NULL) {
		write_arguments(r, args);
		if (is_whole(r))
			claude_writer_tool_input(
				r->writer, buffer_text(&r->scratch), r->scratch.length);
	}
	claude_writer_tool_end(r->writer);
	free(id);
	free(name);
}

/* What Claude's text can only show (code, its output, a file) goes into a fenced block of it. */
static struct json_writer
open_fence(struct reader *r, const char *label)
{
	struct json_writer w = scratch_writer(r);

	note_said(r);
	reader_settle(r);
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
		reader_plain_text(r, r->scratch.data, r->scratch.length);
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

static int
take_part(struct reader *r, const struct json *part, struct api_error *error)
{
	const struct json *signature = json_member_string(part, "thoughtSignature");
	const struct json *call = json_member_object(part, "functionCall");
	const struct json *result = json_member(part, "codeExecutionResult");

	if (json_content_length(signature) == 0)
		signature = NULL;
	if (json_member_string(part, "text") != NULL)
		take_text(r, part, signature);
	/* Nobody can run it. */
	if (call != NULL && json_content_length(json_member_string(call, "name")) == 0)
		return reader_no_answer(r, "called a tool without a name", call, error);
	if (call != NULL)
		take_call(r, call, signature);
	take_executable_code(r, json_member(part, "executableCode"));
	take_fenced(r, "", json_member_string(result, "output"));
	take_file(r, json_member(part, "inlineData"));
	return 0;
}

/* ---- the rest of a chunk ---- */

/* 502: the model failed in a way that the service calls ${reason}.  Another try may well succeed.
 */
static int
tell_fault(struct reader *r, const char *reason, const struct json *words, struct api_error *error)
{
	struct buffer what = BUFFER_INIT(0);
	struct buffer said = BUFFER_INIT(0);

	buffer_printf(&what, "ended its answer with %s", reason);
	json_append(&said, words);
	upstream_error_bad_answer(
		buffer_text(&what), buffer_text(&said), said.length, r->error_context, error);
	buffer_free(&said);
	buffer_free(&what);
	return -1;
}

static int
take_finish_reason(struct reader *r, const struct json *candidate, struct api_error *error)
{
	const struct json *reason = json_member_string(candidate, "finishReason");

	if (reason == NULL || json_is_text(reason, "FINISH_REASON_UNSPECIFIED"))
		return 0;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (!json_is_text(reason, endings[i].finish_reason))
			continue;
		if (endings[i].fault && !gemini_of(r)->said)
			return tell_fault(r, endings[i].finish_reason,
				json_member(candidate, "finishMessage"), error);
		r->stop_reason = endings[i].stop_reason;
		return 0;
	}
	log_warn("upstream '%s': unknown finishReason %.*s", r->error_context->name,
		JSON_SHOWN(reason));
	r->stop_reason = "end_turn";
	return 0;
}

/* The page of a chunk of what grounds the answer; its address is one that redirects. */
static struct web_page
page_of(const struct json *chunk)
{
	const struct json *web = json_member_object(chunk, "web");

	return (struct web_page){
		.url = json_member(web, "uri"), .title = json_member(web, "title")};
}

static int
take_cited(struct reader *r, const struct json *chunks, const struct json *support)
{
	JSON_EACH (number, json_member_array(support, "groundingChunkIndices")) {
		int64_t before = json_int(number, -1);
		const struct json *chunk = json_first(chunks);
		if (before < 0 || before >= MOST_CHUNKS)
			continue;
		while (chunk != NULL && before-- > 0)
			chunk = json_next(chunk);
		const struct web_page page = page_of(chunk);
		if (reader_citation(r, &page) != 0)
			return -1;
	}
	return 0;
}

/* What the service searched for and found: with any chunk, and with more than one. */
static int
take_grounding(struct reader *r, const struct json *grounding)
{
	const struct json *chunks = json_member_array(grounding, "groundingChunks");

	JSON_EACH (query, json_member_array(grounding, "webSearchQueries"))
		if (reader_search_query(r, query) != 0)
			return -1;
	JSON_EACH (chunk, chunks) {
		const struct web_page page = page_of(chunk);
		if (reader_search_page(r, &page) != 0)
			return -1;
	}
	JSON_EACH (support, json_member_array(grounding, "groundingSupports"))
		if (take_cited(r, chunks, support) != 0)
			return -1;
	return 0;
}

static int
take_candidate(struct reader *r, const struct json *candidate, struct api_error *error)
{
	gemini_of(r)->answered = true;
	JSON_EACH (part, json_member_array(json_member(candidate, "content"), "parts"))
		if (take_part(r, part, error) != 0)
			return -1;
	const struct json *grounding = json_member_object(candidate, "groundingMetadata");
	if (grounding != NULL && take_grounding(r, grounding) != 0)
		return reader_too_much(r, error);
	return take_finish_reason(r, candidate, error);
}

/* Gemini counts what the cache and the tools brought to the prompt, and thoughts apart. */
static void
take_usage(struct reader *r, const struct json *usage)
{
	struct gemini_reader *g = gemini_of(r);
	struct counts *c = &g->counts;

	upstream_json_take_count(usage, "promptTokenCount", &c->prompt);
	upstream_json_take_count(usage, "toolUsePromptTokenCount", &c->tool_prompt);
	upstream_json_take_count(usage, "cachedContentTokenCount", &c->cached);
	if (upstream_json_take_count(usage, "candidatesTokenCount", &c->candidates))
		g->output_known = true;
	if (upstream_json_take_count(usage, "thoughtsTokenCount", &c->thoughts))
		g->output_known = true;
	uint64_t prompt = c->prompt + c->tool_prompt;
	const struct claude_usage told = {
		.input_tokens = prompt > c->cached ? prompt - c->cached : 0,
		.cache_read_input_tokens = c->cached,
		.output_tokens = c->candidates + c->thoughts,
		.input_known = prompt > 0,
		.output_known = g->output_known,
	};
	claude_writer_set_usage(r->writer, &told);
}

/* One is asked for; should there be more, the others are other answers. */
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
	const struct json *feedback = json_member(chunk, "promptFeedback");

	/* Only what has no answer in it is searched for an error of any shape. */
	if (candidate == NULL ? upstream_error_is(chunk)
			      : json_member_object(chunk, "error") != NULL) {
		upstream_error_from_object(chunk, r->error_context, error);
		return -1;
	}
	if (usage != NULL)
		take_usage(r, usage);
	if (json_member_string(feedback, "blockReason") != NULL) {
		gemini_of(r)->answered = true;
		r->stop_reason = "refusal";
	}
	if (candidate != NULL || usage != NULL)
		claude_writer_start(r->writer);
	if (candidate != NULL && take_candidate(r, candidate, error) != 0)
		return -1;
	return gemini_of(r)->out_of_memory ? api_error_no_memory(error) : 0;
}

/* Without alt=sse a stream is an array of chunks. */
static int
take_event(struct reader *r, const struct json *event, struct api_error *error)
{
	if (!json_is_array(event))
		return take_chunk(r, event, error);
	JSON_EACH (chunk, event)
		if (take_chunk(r, chunk, error) != 0)
			return -1;
	return 0;
}

static int
take_message(struct reader *r, const struct json *message, struct api_error *error)
{
	if (take_event(r, message, error) != 0)
		return -1;
	if (!gemini_of(r)->answered)
		return reader_no_answer(r, "answered without candidates", message, error);
	if (r->stop_reason == NULL && !r->produced)
		return reader_no_answer(r, "answered without content", message, error);
	return 0;
}

static const struct reader_kind reader = {
	.size = sizeof(struct gemini_reader),
	.take_event = take_event,
	.take_message = take_message,
};

const struct translator gemini = {
	.kind = "gemini",
	.name_rule = TOOL_NAMES_GEMINI,
	.write_request = gemini_write_request,
	.has_search = gemini_has_search,
	.write_count_request = gemini_write_count_request,
	.count_member = "totalTokens",
	.reader = &reader,
};

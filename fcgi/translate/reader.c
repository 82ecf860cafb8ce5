/*
 * What the readers of all services have in common; see reader.h.
 */
#include "translate/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "translate/claude/writer.h"
#include "translate/stream_calls.h"
#include "translate/translator.h"
#include "translate/upstream_error.h"
#include "translate/upstream_json.h"

enum {
	MOST_DEFERRED = 32 << 20, /* bytes of text, and of thinking */
	KEPT_SCRATCH = 64 << 10,  /* bytes that are kept from event to event */
};

struct reader *
reader_new(const struct reader_kind *kind, const struct reader_context *context)
{
	struct reader *r = calloc(1, kind->size);

	if (r == NULL)
		return NULL;
	r->kind = kind;
	r->writer = context->writer;
	r->names = context->names;
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

void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	if (r->kind->clear != NULL)
		r->kind->clear(r);
	tool_calls_free(r->calls);
	json_document_free(&r->index);
	buffer_free(&r->scratch);
	buffer_free(&r->deferred_thinking);
	buffer_free(&r->deferred_text);
	free(r->stop_sequence);
	free(r);
}

bool
reader_is_over(const struct reader *r)
{
	return r->over;
}

/* ---- for the takers ---- */

void
reader_text(struct reader *r, const struct json *string)
{
	size_t length = json_content_length(string);

	if (length == 0)
		return;
	r->produced = true;
	if (tool_calls_busy(r->calls))
		buffer_append(&r->deferred_text, json_content(string), length);
	else
		claude_writer_text(r->writer, json_content(string), length);
}

void
reader_thinking(struct reader *r, const struct json *string)
{
	size_t length = json_content_length(string);

	if (length == 0)
		return;
	r->produced = true;
	if (tool_calls_busy(r->calls))
		buffer_append(&r->deferred_thinking, json_content(string), length);
	else
		claude_writer_thinking(r->writer, json_content(string), length);
}

int
reader_arguments(struct reader *r, const struct json *value, struct tool_call_piece *piece)
{
	buffer_clear(&r->scratch);
	if (json_is_string(value))
		json_append(&r->scratch, value);
	else if (value != NULL)
		json_write(&r->scratch, value);
	piece->arguments = buffer_text(&r->scratch);
	piece->length = r->scratch.length;
	return r->scratch.failed ? -1 : 0;
}

const struct json *
reader_first(const struct json *choices)
{
	JSON_EACH (choice, choices)
		if (json_is_object(choice) && json_member_int(choice, "index", 0) == 0)
			return choice;
	return NULL;
}

void
reader_usage(struct reader *r, uint64_t input, uint64_t cached, uint64_t output, bool output_known)
{
	const struct claude_usage told = {
		.input_tokens = input > cached ? input - cached : 0,
		.cache_read_input_tokens = cached,
		.output_tokens = output,
		.input_known = input > 0,
		.output_known = output_known,
	};

	claude_writer_usage(r->writer, &told);
}

int
reader_no_answer(
	struct reader *r, const char *what, const struct json *message, struct api_error *error)
{
	return upstream_error_bad_answer(what, message->text, message->length, r->identity, error);
}

int
reader_too_much(struct reader *r, struct api_error *error)
{
	return upstream_error_bad_answer("sent more than can be kept", "", 0, r->identity, error);
}

/* ---- the end ---- */

static bool
has_overflowed(const struct reader *r)
{
	return r->deferred_text.failed || r->deferred_thinking.failed;
}

/* After the last tool call. */
static void
write_deferred(struct reader *r)
{
	claude_writer_thinking(
		r->writer, buffer_text(&r->deferred_thinking), r->deferred_thinking.length);
	claude_writer_text(r->writer, buffer_text(&r->deferred_text), r->deferred_text.length);
}

int
reader_finish(struct reader *r, struct api_error *error)
{
	const char *reason = r->stop_reason != NULL ? r->stop_reason : "end_turn";

	if (r->failure != NULL && !r->produced)
		return api_error_set(error, 502,
			"upstream '%s' ended its answer with %s: please ask again",
			r->identity->name, r->failure);
	r->over = true;
	if (has_overflowed(r))
		return reader_too_much(r, error);
	if (tool_calls_finish(r->calls) != 0)
		return upstream_error_bad_answer(
			"called a tool without a name", "", 0, r->identity, error);
	write_deferred(r);
	claude_writer_finish(r->writer, r->refused ? "refusal" : reason, r->stop_sequence);
	return 0;
}

int
reader_read_end(struct reader *r, bool complete, struct api_error *error)
{
	if (r->over)
		return 0;
	if (r->stop_reason != NULL || (complete && r->produced))
		return reader_finish(r, error);
	return upstream_error_bad_answer(
		complete ? "ended its answer without content" : "broke off its answer", "", 0,
		r->identity, error);
}

/* ---- events and whole answers ---- */

static int
take(struct reader *r, reader_taker *taker, const struct json *value, struct api_error *error)
{
	int status = taker(r, value, error);

	if (status == 0 && has_overflowed(r))
		status = reader_too_much(r, error);
	json_document_trim(&r->index);
	if (r->scratch.capacity > KEPT_SCRATCH)
		buffer_free(&r->scratch);
	return status;
}

int
reader_read_event(struct reader *r, const char *data, size_t length, struct api_error *error)
{
	if (r->over || length == 0)
		return 0;
	if (length == 6 && memcmp(data, "[DONE]", 6) == 0)
		return reader_read_end(r, true, error);
	const struct json *event = upstream_json_event(
		&r->index, data, length, r->identity, &r->skipped);
	return event != NULL ? take(r, r->kind->take_event, event, error) : 0;
}

int
reader_read_message(struct reader *r, const char *body, size_t length, struct api_error *error)
{
	const struct json *message = upstream_json_message(
		&r->index, body, length, r->identity, error);

	if (message == NULL || take(r, r->kind->take_message, message, error) != 0)
		return -1;
	return r->over ? 0 : reader_finish(r, error);
}

/*
 * What the readers of all services have in common; see reader.h.
 */
#include "translate/answer/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/json/json_writer.h"
#include "translate/claude/writer.h"
#include "translate/answer/stream_calls.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "translate/answer/upstream_error.h"
#include "translate/answer/upstream_json.h"
#include "translate/answer/web_findings.h"

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
	r->error_context = context->error_context;
	claude_writer_lack(r->writer, tool_names_lacking(r->names));
	r->holds_text = tool_names_searches_first(r->names);
	r->deferred_text = BUFFER_INIT(MOST_DEFERRED);
	r->deferred_thinking = BUFFER_INIT(MOST_DEFERRED);
	r->calls = stream_calls_new(context->writer, context->names);
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
	stream_calls_free(r->calls);
	json_document_free(&r->index);
	buffer_free(&r->scratch);
	buffer_free(&r->deferred_thinking);
	buffer_free(&r->deferred_text);
	think_tags_free(&r->tags);
	if (r->web != NULL)
		web_findings_free(r->web);
	free(r->web);
	free(r->stop_sequence);
	free(r);
}

bool
reader_is_over(const struct reader *r)
{
	return r->over;
}

/* ---- text and thinking ---- */

static const char blank_line[] = "\\n\\n"; /* as it stands in a JSON string */

static void
put_text(void *context, const char *content, size_t length)
{
	struct reader *r = context;
	bool busy = r->holds_text || stream_calls_busy(r->calls);
	bool apart = r->paragraph &&
		     (busy ? r->deferred_text.length > 0 : claude_writer_is_text(r->writer));

	r->paragraph = false;
	if (apart)
		put_text(r, blank_line, sizeof(blank_line) - 1);
	if (busy)
		buffer_append(&r->deferred_text, content, length);
	else
		claude_writer_text(r->writer, content, length);
}

/* The signature of thinking that comes from elsewhere than most says where. */
static void
sign_origin(struct reader *r)
{
	struct buffer members = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&members);

	json_open_object(&w);
	json_put_text_member(&w, "m", r->origin);
	json_close_object(&w);
	claude_writer_set_signature(r->writer, buffer_text(&members), members.length);
	buffer_free(&members);
}

static void
put_thinking(void *context, const char *origin, const char *content, size_t length)
{
	struct reader *r = context;

	if (length == 0)
		return;
	r->origin = origin;
	if (stream_calls_busy(r->calls)) {
		buffer_append(&r->deferred_thinking, content, length);
		return;
	}
	if (origin != NULL && !claude_writer_is_thinking(r->writer))
		sign_origin(r);
	claude_writer_thinking(r->writer, content, length);
}

static struct think_sink
sink_of(struct reader *r)
{
	return (struct think_sink){.text = put_text, .thinking = put_thinking, .context = r};
}

static void
take_text(struct reader *r, const char *content, size_t length)
{
	const struct think_sink sink = sink_of(r);

	if (length == 0)
		return;
	if (think_tags_are_over(&r->tags))
		put_text(r, content, length);
	else
		think_tags_take(&r->tags, content, length, &sink);
}

static void
take_either(struct reader *r, bool thinking, const char *content, size_t length)
{
	if (thinking)
		put_thinking(r, r->origin, content, length);
	else
		take_text(r, content, length);
}

/* What is new in a piece. */
static void
take_piece(struct reader *r, struct restated *pieces, bool thinking, const struct json *string)
{
	const struct restated_news news = restated_take(
		pieces, json_content(string), json_content_length(string));

	take_either(r, thinking, news.held, news.held_length);
	take_either(r, thinking, news.content, news.length);
	r->held = restated_holds(pieces) ? pieces : NULL;
	r->held_thinking = thinking;
}

void
reader_release(struct reader *r)
{
	if (r->held == NULL)
		return;
	const struct restated_news news = restated_settle(r->held);
	r->held = NULL;
	take_either(r, r->held_thinking, news.content, news.length);
}

void
reader_settle(struct reader *r)
{
	const struct think_sink sink = sink_of(r);

	reader_release(r);
	think_tags_end(&r->tags, &sink);
}

void
reader_paragraph(struct reader *r)
{
	reader_settle(r);
	r->paragraph = true;
}

void
reader_text(struct reader *r, struct restated *pieces, const struct json *string)
{
	if (json_content_length(string) == 0)
		return;
	r->produced = true;
	if (r->held != pieces)
		reader_release(r);
	if (pieces != NULL)
		take_piece(r, pieces, false, string);
	else
		take_text(r, json_content(string), json_content_length(string));
}

void
reader_plain_text(struct reader *r, const char *content, size_t length)
{
	reader_settle(r);
	put_text(r, content, length);
}

void
reader_thinking(
	struct reader *r, struct restated *pieces, const char *origin, const struct json *string)
{
	if (json_content_length(string) == 0)
		return;
	r->produced = true;
	if (r->held != pieces)
		reader_release(r);
	/* Blanks before the text may still come before a tag. */
	if (think_tags_hold(&r->tags))
		reader_settle(r);
	r->origin = origin;
	if (pieces != NULL)
		take_piece(r, pieces, true, string);
	else
		put_thinking(r, origin, json_content(string), json_content_length(string));
}

static size_t
take_whole(struct reader *r, struct restated *pieces, size_t offset, bool thinking,
	const struct json *string)
{
	const char *content = json_content(string);
	size_t length = json_content_length(string);

	reader_release(r);
	size_t known = restated_known(pieces, offset, content, length);
	r->produced = r->produced || length > 0;
	restated_note(pieces, content + known, length - known);
	take_either(r, thinking, content + known, length - known);
	return offset + length;
}

size_t
reader_whole_text(
	struct reader *r, struct restated *pieces, size_t offset, const struct json *string)
{
	return take_whole(r, pieces, offset, false, string);
}

size_t
reader_whole_thinking(struct reader *r, struct restated *pieces, size_t offset, const char *origin,
	const struct json *string)
{
	if (think_tags_hold(&r->tags))
		reader_settle(r);
	r->origin = origin;
	return take_whole(r, pieces, offset, true, string);
}

/* ---- for the takers ---- */

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

/* ---- what was found on the web ---- */

static struct web_findings *
findings(struct reader *r)
{
	if (r->web == NULL)
		r->web = calloc(1, sizeof(*r->web));
	return r->web;
}

static int
status_of(const struct reader *r)
{
	return r->web == NULL || r->web->failed ? -1 : 0;
}

int
reader_search(struct reader *r, const struct json *query)
{
	if (findings(r) == NULL)
		return -1;
	web_findings_add_search(r->web, query);
	r->produced = true;
	r->holds_text = true;
	return status_of(r);
}

int
reader_search_failed(struct reader *r)
{
	if (findings(r) != NULL)
		web_findings_fail_search(r->web);
	return status_of(r);
}

int
reader_search_query(struct reader *r, const struct json *query)
{
	if (findings(r) != NULL)
		web_findings_add_query(r->web, query);
	return status_of(r);
}

int
reader_search_page(struct reader *r, const struct web_page *page)
{
	if (findings(r) != NULL)
		web_findings_add_page(r->web, page);
	return status_of(r);
}

int
reader_citation(struct reader *r, const struct web_page *page)
{
	if (reader_search_page(r, page) != 0)
		return -1;
	web_findings_add_citation(r->web, page);
	/* Before the text there may still be thinking between tags. */
	if (claude_writer_is_text(r->writer) && !r->holds_text) {
		reader_settle(r);
		web_findings_write_citations(r->web, r->writer);
	}
	return status_of(r);
}

int
reader_search_end(struct reader *r)
{
	if (!r->holds_text || stream_calls_busy(r->calls))
		return 0;
	reader_settle(r);
	if (findings(r) == NULL)
		return -1;
	web_findings_write_searches(r->web, r->writer);
	r->holds_text = false;
	claude_writer_text(r->writer, buffer_text(&r->deferred_text), r->deferred_text.length);
	buffer_clear(&r->deferred_text);
	web_findings_write_citations(r->web, r->writer);
	return status_of(r);
}

static void
update(uint64_t *count, uint64_t told)
{
	if (told > 0)
		*count = told;
}

void
reader_usage(struct reader *r, const struct reader_usage *told)
{
	struct reader_usage *u = &r->usage;

	update(&u->input, told->input);
	update(&u->cached, told->cached);
	update(&u->written, told->written);
	update(&u->output, told->output);
	uint64_t apart = u->cached + u->written;
	const struct claude_usage usage = {
		.input_tokens = u->input > apart ? u->input - apart : 0,
		.cache_read_input_tokens = u->cached,
		.cache_creation_input_tokens = u->written,
		.output_tokens = u->output,
		.input_known = u->input > 0,
		.output_known = u->output > 0,
	};
	claude_writer_set_usage(r->writer, &usage);
}

int
reader_failed(struct reader *r, int status, const char *word, struct api_error *error)
{
	return api_error_set(error, status, "upstream '%s' ended its answer with %s",
		r->error_context->name, word);
}

int
reader_no_answer(
	struct reader *r, const char *what, const struct json *message, struct api_error *error)
{
	return upstream_error_bad_answer(
		what, message->text, message->length, r->error_context, error);
}

int
reader_too_much(struct reader *r, struct api_error *error)
{
	return upstream_error_bad_answer(
		"sent more than can be kept", "", 0, r->error_context, error);
}

/* ---- the end ---- */

static bool
has_overflowed(const struct reader *r)
{
	return r->deferred_text.failed || r->deferred_thinking.failed || r->tags.held.failed;
}

/* After the last tool call. */
static void
write_deferred(struct reader *r)
{
	claude_writer_thinking(
		r->writer, buffer_text(&r->deferred_thinking), r->deferred_thinking.length);
	claude_writer_text(r->writer, buffer_text(&r->deferred_text), r->deferred_text.length);
}

/* Pages and queries that were told with the text. */
static void
finish_web(struct reader *r)
{
	web_findings_write_citations(r->web, r->writer);
	web_findings_write_searches(r->web, r->writer);
}

static int
broke_off(struct reader *r, const char *what, struct api_error *error)
{
	return upstream_error_bad_answer(what, "", 0, r->error_context, error);
}

int
reader_finish(struct reader *r, struct api_error *error)
{
	const char *reason = r->stop_reason != NULL ? r->stop_reason : "end_turn";

	if (r->stop_reason == NULL && stream_calls_cut(r->calls))
		return broke_off(r, "broke off its answer in the middle of a tool call", error);
	r->over = true;
	reader_settle(r);
	if (has_overflowed(r))
		return reader_too_much(r, error);
	if (stream_calls_finish(r->calls) != 0)
		return broke_off(r, "called a tool without a name", error);
	if (reader_search_end(r) != 0)
		return reader_too_much(r, error);
	write_deferred(r);
	if (r->web != NULL)
		finish_web(r);
	if (r->kind->finish != NULL)
		r->kind->finish(r);
	claude_writer_finish(r->writer, r->refused ? "refusal" : reason, r->stop_sequence);
	return 0;
}

/* No more comes; ${whole}: which is the end of the answer, if there is one. */
static int
end(struct reader *r, bool whole, struct api_error *error)
{
	/* What could not be read may have been what is missing, or why. */
	bool readable = r->skipped == 0 || (r->produced && r->stop_reason != NULL);

	if (r->over)
		return 0;
	if (readable && (r->stop_reason != NULL || (whole && r->produced)))
		return reader_finish(r, error);
	return broke_off(r,
		whole && !r->produced ? "ended its answer without content" : "broke off its answer",
		error);
}

int
reader_read_end(struct reader *r, bool complete, struct api_error *error)
{
	bool cut = !complete || (r->produced && r->kind->tells_its_end);

	return end(r, !cut, error);
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

static bool
is_done(const char *data, size_t length)
{
	static const char done[] = "[DONE]";

	return length >= strlen(done) && memcmp(data, done, strlen(done)) == 0;
}

/* An event that is not JSON is skipped; half of one may be the answer's content. */
static int
skip_event(struct reader *r, const char *data, size_t length, struct api_error *error)
{
	if (*data != '{' || r->stop_reason != NULL)
		return 0;
	return upstream_error_bad_answer(
		"sent an event that cannot be read", data, length, r->error_context, error);
}

int
reader_read_event(struct reader *r, const char *data, size_t length, struct api_error *error)
{
	while (!r->over && length > 0) {
		if (is_done(data, length))
			return end(r, true, error);
		const struct json *event = upstream_json_next(
			&r->index, &data, &length, r->error_context, &r->skipped);
		if (event == NULL)
			return skip_event(r, data, length, error);
		if (take(r, r->kind->take_event, event, error) != 0)
			return -1;
	}
	return 0;
}

int
reader_read_message(struct reader *r, const char *body, size_t length, struct api_error *error)
{
	const struct json *message = upstream_json_message(
		&r->index, body, length, r->error_context, error);

	if (message == NULL || take(r, r->kind->take_message, message, error) != 0)
		return -1;
	if (r->over)
		return 0;
	if (!r->produced && r->stop_reason == NULL)
		return upstream_error_bad_answer(
			"answered without content", body, length, r->error_context, error);
	return reader_finish(r, error);
}

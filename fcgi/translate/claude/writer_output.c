/*
 * How Claude's answer is written, as a stream of events or as a whole message; see writer_steps.h,
 * PROTOCOL.md §C.1 and §D.1.
 *
 * A stream writes each event as it comes.  A whole message is collected as JSON text and handed
 * over at the end, since nothing may be written of an answer that fails.  What is written for each
 * piece of text is literal here, for this is the path of every streamed event.
 */
#include <string.h>

#include "base/api_error.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "translate/claude/writer_steps.h"

/* ---- events ---- */

/* `{"type":"…"`, the beginning of an event's data; type is a literal. */
#define BEGIN_EVENT(w, type) PUT((w)->out, "event: " type "\ndata: {\"type\":\"" type "\"")

static void
end_event(struct claude_writer *w)
{
	PUT(w->out, "}\n\n");
}

static void
put_index(struct claude_writer *w)
{
	PUT(w->out, ",\"index\":");
	buffer_put_uint(w->out, w->index);
}

/* A delta whose value is a string: up to its opening quote, and from its closing one on. */
#define BEGIN_DELTA(w, type, member)                                                               \
	do {                                                                                       \
		BEGIN_EVENT(w, "content_block_delta");                                             \
		put_index(w);                                                                      \
		PUT((w)->out, ",\"delta\":{\"type\":\"" type "\",\"" member "\":\"");              \
	} while (0)

static void
end_delta(struct claude_writer *w)
{
	PUT(w->out, "\"}}\n\n");
}

static void
put_usage(struct claude_writer *w, struct json_writer *out, uint64_t output_tokens)
{
	const struct claude_usage *usage = &w->usage;

	json_open_object_member(out, "usage");
	json_put_uint_member(
		out, "input_tokens", usage->input_known ? usage->input_tokens : w->estimated_input);
	json_put_uint_member(
		out, "cache_creation_input_tokens", usage->cache_creation_input_tokens);
	json_put_uint_member(out, "cache_read_input_tokens", usage->cache_read_input_tokens);
	json_put_uint_member(out, "output_tokens", output_tokens);
	if (w->searches > 0) {
		json_open_object_member(out, "server_tool_use");
		json_put_uint_member(out, "web_search_requests", w->searches);
		json_put_uint_member(out, "web_fetch_requests", 0);
		json_close_object(out);
	}
	json_close_object(out);
}

/* A message up to its list of blocks. */
static void
open_message(struct claude_writer *w, struct json_writer *out)
{
	json_open_object(out);
	json_put_text_member(out, "id", w->message_id);
	json_put_text_member(out, "type", "message");
	json_put_text_member(out, "role", "assistant");
	json_put_text_member(out, "model", w->model);
	json_open_array_member(out, "content");
}

static void
put_stop(struct json_writer *out, const char *stop_reason, const char *stop_sequence)
{
	json_put_text_member(out, "stop_reason", stop_reason);
	json_put_text_member(out, "stop_sequence", stop_sequence);
}

void
claude_writer_start(struct claude_writer *w)
{
	struct json_writer out = JSON_WRITER(w->out);

	if (w->started || !w->stream)
		return;
	w->started = true;
	BEGIN_EVENT(w, "message_start");
	PUT(w->out, ",\"message\":");
	open_message(w, &out);
	json_close_array(&out);
	put_stop(&out, NULL, NULL);
	put_usage(w, &out, 0);
	json_close_object(&out);
	end_event(w);
	claude_writer_ping(w);
}

void
claude_writer_ping(struct claude_writer *w)
{
	if (!w->stream || w->ended)
		return;
	claude_writer_start(w);
	BEGIN_EVENT(w, "ping");
	end_event(w);
}

void
writer_put_citation(void *context, const char *citation, size_t length)
{
	struct claude_writer *w = context;

	if (!w->stream) {
		if (w->citations.length > 0)
			buffer_putc(&w->citations, ',');
		buffer_append(&w->citations, citation, length);
		return;
	}
	BEGIN_EVENT(w, "content_block_delta");
	put_index(w);
	PUT(w->out, ",\"delta\":{\"type\":\"citations_delta\",\"citation\":");
	buffer_append(w->out, citation, length);
	PUT(w->out, "}}\n\n");
}

/* ---- the end of a block ---- */

/* The tool input of a whole message: as it came if it is a JSON object, on one line. */
static void
put_whole_input(struct claude_writer *w)
{
	struct json_document index = {0};

	if (w->input.length == 0) {
		PUT(&w->message, "{}");
		return;
	}
	const struct json *input = json_read(
		&index, w->input.data, w->input.length, JSON_MAX_ANSWER_VALUES, NULL);
	if (json_is_object(input)) {
		json_write(&w->message, input);
	} else {
		log_warn("a tool call's arguments are not a JSON object: passed on as _raw");
		PUT(&w->message, "{\"_raw\":");
		json_write_string(&w->message, w->input.data, w->input.length);
		buffer_putc(&w->message, '}');
	}
	json_document_free(&index);
}

static void
close_citations(struct claude_writer *w)
{
	if (w->citations.length == 0)
		return;
	PUT(&w->message, ",\"citations\":[");
	buffer_append(&w->message, w->citations.data, w->citations.length);
	buffer_putc(&w->message, ']');
	if (w->citations.failed)
		w->message.failed = true;
	buffer_free(&w->citations);
}

static void
close_whole_block(struct claude_writer *w, const char *signature)
{
	struct buffer *out = &w->message;

	switch (w->open) {
	case TOOL_BLOCK:
		put_whole_input(w);
		break;
	case THINKING_BLOCK:
		PUT(out, "\",\"signature\":");
		json_write_text(out, signature);
		break;
	case TEXT_BLOCK:
		buffer_putc(out, '"');
		close_citations(w);
		break;
	case RESULT_BLOCK:
	case NO_BLOCK:
		break;
	}
	buffer_putc(out, '}');
	if (w->input.failed)
		out->failed = true;
	buffer_free(&w->input);
}

static void
close_streamed_block(struct claude_writer *w, const char *signature)
{
	if (w->open == THINKING_BLOCK) {
		BEGIN_DELTA(w, "signature_delta", "signature");
		buffer_puts(w->out, signature);
		end_delta(w);
	}
	if (w->open == TOOL_BLOCK && !w->has_input) {
		BEGIN_DELTA(w, "input_json_delta", "partial_json");
		PUT(w->out, "{}");
		end_delta(w);
	}
	BEGIN_EVENT(w, "content_block_stop");
	put_index(w);
	end_event(w);
}

/* Cite the pages whose addresses stand in the text that is open. */
static void
cite_pages(struct claude_writer *w)
{
	const struct claude_writer *turn = w->turn;

	if (turn == NULL || turn->open != TEXT_BLOCK || turn->message.failed)
		return;
	cited_pages_find(&w->pages, turn->message.data + turn->content_at,
		turn->message.length - turn->content_at, writer_put_citation, w);
}

void
writer_close_block(struct claude_writer *w)
{
	struct buffer signature = BUFFER_INIT(0);

	if (w->open == NO_BLOCK)
		return;
	if (w->open == TEXT_BLOCK)
		cite_pages(w);
	if (w->open == THINKING_BLOCK) {
		round_trip_write_signature(&signature, w->kind, w->members.data, w->members.length);
		buffer_free(&w->members);
	}
	if (w->stream)
		close_streamed_block(w, buffer_text(&signature));
	else
		close_whole_block(w, buffer_text(&signature));
	if (signature.failed)
		w->out->failed = true;
	buffer_free(&signature);
	w->open = NO_BLOCK;
	w->index++;
}

/* ---- blocks ---- */

void
writer_open_block(struct claude_writer *w, enum block block, const char *before, const char *after)
{
	writer_close_block(w);
	claude_writer_start(w);
	w->open = block;
	w->has_content = true;
	if (w->stream) {
		BEGIN_EVENT(w, "content_block_start");
		put_index(w);
		PUT(w->out, ",\"content_block\":");
		buffer_puts(w->out, before);
		buffer_puts(w->out, after);
		end_event(w);
		return;
	}
	if (w->index > 0)
		buffer_putc(&w->message, ',');
	else
		open_message(w, &JSON_WRITER(&w->message));
	buffer_puts(&w->message, before);
	w->content_at = w->message.length;
}

/* How many bytes the content of a string is, roughly, when it is decoded. */
static size_t
decoded_length(const char *content, size_t length)
{
	enum { UNICODE_ESCAPE = 6, USUAL_CHARACTER = 3 };
	const char *end = content + length;
	const char *at = content;

	while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
		bool unicode = at[1] == 'u';
		length -= unicode ? UNICODE_ESCAPE - USUAL_CHARACTER : 1;
		at += unicode ? UNICODE_ESCAPE : 2;
	}
	return length;
}

void
writer_count_content(struct claude_writer *w, const char *content, size_t length)
{
	w->characters += decoded_length(content, length);
}

void
writer_put_content(struct claude_writer *w, const char *content, size_t length)
{
	writer_count_content(w, content, length);
	if (!w->stream) {
		buffer_append(&w->message, content, length);
		return;
	}
	if (w->open == TEXT_BLOCK)
		BEGIN_DELTA(w, "text_delta", "text");
	else
		BEGIN_DELTA(w, "thinking_delta", "thinking");
	buffer_append(w->out, content, length);
	end_delta(w);
}

void
writer_put_input(struct claude_writer *w, const char *json, size_t length)
{
	w->has_input = true;
	if (!w->stream) {
		buffer_append(&w->input, json, length);
		return;
	}
	BEGIN_DELTA(w, "input_json_delta", "partial_json");
	json_write_escaped(w->out, json, length);
	end_delta(w);
}

/* ---- the end of the answer ---- */

static void
finish_stream(struct claude_writer *w, const char *stop_sequence)
{
	struct json_writer out = JSON_WRITER(w->out);

	BEGIN_EVENT(w, "message_delta");
	PUT(w->out, ",\"delta\":");
	json_open_object(&out);
	put_stop(&out, w->stop_reason, stop_sequence);
	json_close_object(&out);
	put_usage(w, &out, w->usage.output_tokens);
	end_event(w);
	BEGIN_EVENT(w, "message_stop");
	end_event(w);
}

static void
finish_message(struct claude_writer *w, const char *stop_sequence)
{
	struct json_writer out = JSON_WRITER(&w->message);

	if (w->index == 0)
		open_message(w, &out);
	json_close_array(&out);
	put_stop(&out, w->stop_reason, stop_sequence);
	put_usage(w, &out, w->usage.output_tokens);
	json_close_object(&out);
	buffer_move(w->out, &w->message);
}

void
writer_put_end(struct claude_writer *w, const char *stop_sequence)
{
	if (w->stream)
		finish_stream(w, stop_sequence);
	else
		finish_message(w, stop_sequence);
}

void
claude_writer_error(struct claude_writer *w, const struct api_error *error)
{
	if (w->ended || !w->stream)
		return;
	buffer_puts(w->out, "event: error\ndata: ");
	api_error_write(error, NULL, w->out);
	buffer_puts(w->out, "\n\n");
	w->ended = true;
}

/*
 * The writer of Claude's answer; see claude_writer.h, PROTOCOL.md §C.1 and §D.1.
 *
 * Both forms run through the same states.  A stream writes each event as it comes; a whole message
 * collects the blocks as JSON text and is written at the end.  No printf and no JSON tree: this is
 * the path of every chunk.
 */
#include "translate/claude_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "translate/carry.h"

enum { CHARACTERS_PER_TOKEN = 4, LONGEST_ID = 256 };

enum block { NO_BLOCK, TEXT_BLOCK, THINKING_BLOCK, TOOL_BLOCK };

struct claude_writer {
	struct buffer *out;
	char *model;
	char *kind;
	bool stream;
	bool hide_thinking;

	struct claude_usage usage;
	uint64_t estimated_input;
	uint64_t characters; /* of output, for the estimate */

	enum block open;
	unsigned index; /* of the open or else the next block */
	bool has_input; /* the open tool block got some */
	bool has_tool;  /* the answer has a tool block */
	bool has_content;
	struct json_object *members; /* for the signature of the thinking block */
	struct buffer piece;         /* whole form: the text or input of the open block */
	struct buffer blocks;        /* whole form: the finished blocks, joined by commas */
	struct json_object *ids;     /* those given out, as names */

	bool started;
	bool ended;
	const char *stop_reason;
	char message_id[sizeof("msg_") + RANDOM_ID_LENGTH];
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
	w->ids = json_object_new_object();
	if (w->model == NULL || w->kind == NULL || w->ids == NULL) {
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
	json_object_put(w->members);
	buffer_free(&w->piece);
	buffer_free(&w->blocks);
	json_object_put(w->ids);
	free(w->model);
	free(w->kind);
	free(w);
}

int
claude_writer_redirect(struct claude_writer *w, const char *kind, bool hide_thinking)
{
	char *copy = strdup(kind);

	if (copy == NULL)
		return -1;
	free(w->kind);
	w->kind = copy;
	w->hide_thinking = hide_thinking;
	w->usage = (struct claude_usage){0};
	json_object_put(w->members);
	w->members = NULL;
	return 0;
}

/* ---- events ---- */

static void
begin_event(struct claude_writer *w, const char *type)
{
	buffer_puts(w->out, "event: ");
	buffer_puts(w->out, type);
	buffer_puts(w->out, "\ndata: {\"type\":\"");
	buffer_puts(w->out, type);
	buffer_putc(w->out, '"');
}

static void
end_event(struct claude_writer *w)
{
	buffer_append(w->out, "}\n\n", 3);
}

static void
begin_block_event(struct claude_writer *w, const char *type)
{
	begin_event(w, type);
	buffer_append(w->out, ",\"index\":", 9);
	buffer_put_uint(w->out, w->index);
}

static void
write_delta(struct claude_writer *w, const char *type, const char *member, const char *text,
	size_t length)
{
	begin_block_event(w, "content_block_delta");
	buffer_puts(w->out, ",\"delta\":{\"type\":\"");
	buffer_puts(w->out, type);
	buffer_puts(w->out, "\",\"");
	buffer_puts(w->out, member);
	buffer_append(w->out, "\":", 2);
	json_write_string(w->out, text, length);
	buffer_putc(w->out, '}');
	end_event(w);
}

static void
write_usage(struct claude_writer *w, uint64_t output_tokens)
{
	bool known = w->usage.input_known;

	buffer_puts(w->out, "\"usage\":{\"input_tokens\":");
	buffer_put_uint(w->out, known ? w->usage.input_tokens : w->estimated_input);
	buffer_puts(w->out, ",\"cache_creation_input_tokens\":");
	buffer_put_uint(w->out, w->usage.cache_creation_input_tokens);
	buffer_puts(w->out, ",\"cache_read_input_tokens\":");
	buffer_put_uint(w->out, w->usage.cache_read_input_tokens);
	buffer_puts(w->out, ",\"output_tokens\":");
	buffer_put_uint(w->out, output_tokens);
	buffer_putc(w->out, '}');
}

static void
write_message_head(struct claude_writer *w)
{
	buffer_puts(w->out, "{\"id\":\"");
	buffer_puts(w->out, w->message_id);
	buffer_puts(w->out, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
	json_write_text(w->out, w->model);
	buffer_puts(w->out, ",\"content\":[");
}

void
claude_writer_start(struct claude_writer *w)
{
	if (w->started || !w->stream)
		return;
	w->started = true;
	begin_event(w, "message_start");
	buffer_puts(w->out, ",\"message\":");
	write_message_head(w);
	buffer_puts(w->out, "],\"stop_reason\":null,\"stop_sequence\":null,");
	write_usage(w, 0);
	buffer_putc(w->out, '}');
	end_event(w);
	claude_writer_ping(w);
}

void
claude_writer_ping(struct claude_writer *w)
{
	if (!w->stream || w->ended)
		return;
	claude_writer_start(w);
	begin_event(w, "ping");
	end_event(w);
}

/* ---- the end of a block ---- */

/* The tool input of a whole message: as it came if it is a JSON object, on one line. */
static void
write_whole_input(struct claude_writer *w)
{
	struct json_object *input = NULL;
	const char *problem;

	if (w->piece.length == 0) {
		buffer_puts(&w->blocks, "{}");
		return;
	}
	if (json_parse(w->piece.data, w->piece.length, &input, &problem) == 0 &&
		json_object_is_type(input, json_type_object)) {
		json_write(&w->blocks, input);
	} else {
		log_warn("a tool call's arguments are no JSON object: passed on as _raw");
		buffer_puts(&w->blocks, "{\"_raw\":");
		json_write_string(&w->blocks, w->piece.data, w->piece.length);
		buffer_putc(&w->blocks, '}');
	}
	json_object_put(input);
}

static void
close_whole_block(struct claude_writer *w, const char *signature)
{
	struct buffer *b = &w->blocks;

	switch (w->open) {
	case TOOL_BLOCK:
		write_whole_input(w);
		break;
	case THINKING_BLOCK:
		json_write_string(b, buffer_text(&w->piece), w->piece.length);
		buffer_puts(b, ",\"signature\":");
		json_write_text(b, signature);
		break;
	case TEXT_BLOCK:
	case NO_BLOCK:
		json_write_string(b, buffer_text(&w->piece), w->piece.length);
		break;
	}
	buffer_putc(b, '}');
	if (w->piece.failed)
		b->failed = true;
	buffer_clear(&w->piece);
}

static void
close_streamed_block(struct claude_writer *w, const char *signature)
{
	if (w->open == THINKING_BLOCK)
		write_delta(w, "signature_delta", "signature", signature, strlen(signature));
	if (w->open == TOOL_BLOCK && !w->has_input)
		write_delta(w, "input_json_delta", "partial_json", "{}", 2);
	begin_block_event(w, "content_block_stop");
	end_event(w);
}

static void
close_block(struct claude_writer *w)
{
	struct buffer signature = BUFFER_INIT(0);

	if (w->open == NO_BLOCK)
		return;
	if (w->open == THINKING_BLOCK) {
		carry_write_signature(&signature, w->kind, w->members);
		json_object_put(w->members);
		w->members = NULL;
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

/* ${before} and ${after}: of the block's JSON, around what the whole form fills in. */
static void
open_block(struct claude_writer *w, enum block block, const char *before, const char *after)
{
	close_block(w);
	claude_writer_start(w);
	w->open = block;
	w->has_content = true;
	if (w->stream) {
		begin_block_event(w, "content_block_start");
		buffer_puts(w->out, ",\"content_block\":");
		buffer_puts(w->out, before);
		buffer_puts(w->out, after);
		end_event(w);
	} else {
		if (w->blocks.length > 0)
			buffer_putc(&w->blocks, ',');
		buffer_puts(&w->blocks, before);
	}
}

void
claude_writer_text(struct claude_writer *w, const char *text, size_t length)
{
	if (length == 0 || w->ended)
		return;
	if (w->open != TEXT_BLOCK)
		open_block(w, TEXT_BLOCK, "{\"type\":\"text\",\"text\":", "\"\"}");
	w->characters += length;
	if (w->stream)
		write_delta(w, "text_delta", "text", text, length);
	else
		buffer_append(&w->piece, text, length);
}

static void
open_thinking(struct claude_writer *w)
{
	open_block(w, THINKING_BLOCK,
		"{\"type\":\"thinking\",\"thinking\":", "\"\",\"signature\":\"\"}");
}

void
claude_writer_thinking(struct claude_writer *w, const char *text, size_t length)
{
	if (length == 0 || w->ended)
		return;
	w->characters += length;
	if (w->hide_thinking)
		return;
	if (w->open != THINKING_BLOCK)
		open_thinking(w);
	if (w->stream)
		write_delta(w, "thinking_delta", "thinking", text, length);
	else
		buffer_append(&w->piece, text, length);
}

void
claude_writer_signature(struct claude_writer *w, struct json_object *members)
{
	json_object_put(w->members);
	w->members = members;
}

bool
claude_writer_is_thinking(const struct claude_writer *w)
{
	return w->open == THINKING_BLOCK;
}

bool
claude_writer_sign(struct claude_writer *w, struct json_object *members)
{
	if (w->hide_thinking || w->ended)
		return false;
	if (w->open != THINKING_BLOCK)
		open_thinking(w);
	claude_writer_signature(w, members);
	close_block(w);
	return true;
}

/* Can the client be given this id: characters, length, not given before? */
static bool
is_fit_id(const struct claude_writer *w, const char *id)
{
	size_t length = strlen(id);

	return length <= LONGEST_ID && carry_is_id(id, length) &&
	       !json_object_object_get_ex(w->ids, id, NULL);
}

/* The id that the client sees: the upstream's own, one that carries it, or a fresh one (PROTOCOL.md
 * §C.1, §C.4). */
static void
write_tool_id(
	struct claude_writer *w, struct buffer *out, const char *id, struct json_object *extra)
{
	char fresh[sizeof("toolu_") + RANDOM_ID_LENGTH];
	struct buffer carried = BUFFER_INIT(0);

	random_id(fresh, sizeof(fresh), "toolu_");
	const char *given = id != NULL && is_fit_id(w, id) ? id : fresh;
	json_object_object_add(w->ids, given, NULL);
	if (extra != NULL) {
		carry_write_call_id(&carried, w->kind, given, extra);
		given = buffer_text(&carried);
	}
	buffer_puts(out, given);
	buffer_free(&carried);
}

void
claude_writer_tool_start(
	struct claude_writer *w, const char *id, const char *name, struct json_object *extra)
{
	struct buffer head = BUFFER_INIT(0);

	if (w->ended)
		return;
	buffer_puts(&head, "{\"type\":\"tool_use\",\"id\":\"");
	write_tool_id(w, &head, id, extra);
	buffer_puts(&head, "\",\"name\":");
	json_write_text(&head, name);
	buffer_puts(&head, ",\"input\":");
	open_block(w, TOOL_BLOCK, buffer_text(&head), "{}}");
	if (head.failed)
		w->out->failed = true;
	buffer_free(&head);
	w->has_tool = true;
	w->has_input = false;
	w->characters += strlen(name);
}

void
claude_writer_tool_input(struct claude_writer *w, const char *json, size_t length)
{
	if (length == 0 || w->ended || w->open != TOOL_BLOCK)
		return;
	w->has_input = true;
	w->characters += length;
	if (w->stream)
		write_delta(w, "input_json_delta", "partial_json", json, length);
	else
		buffer_append(&w->piece, json, length);
}

void
claude_writer_tool_end(struct claude_writer *w)
{
	if (w->open == TOOL_BLOCK)
		close_block(w);
}

void
claude_writer_usage(struct claude_writer *w, const struct claude_usage *usage)
{
	w->usage = *usage;
}

/* ---- the end ---- */

/* Absent usage: an estimate rather than 0 (PROTOCOL.md §C.3). */
static void
settle_usage(struct claude_writer *w)
{
	if (!w->usage.input_known)
		w->usage.input_tokens = w->estimated_input;
	w->usage.input_known = true;
	if (!w->usage.output_known)
		w->usage.output_tokens = (w->characters + CHARACTERS_PER_TOKEN - 1) /
					 CHARACTERS_PER_TOKEN;
	w->usage.output_known = true;
}

static void
write_stop(struct claude_writer *w, const char *stop_sequence)
{
	buffer_puts(w->out, "\"stop_reason\":\"");
	buffer_puts(w->out, w->stop_reason);
	buffer_puts(w->out, "\",\"stop_sequence\":");
	json_write_text_or_null(w->out, stop_sequence);
}

void
claude_writer_finish(struct claude_writer *w, const char *stop_reason, const char *stop_sequence)
{
	if (w->ended)
		return;
	claude_writer_start(w);
	close_block(w);
	if (w->has_tool && strcmp(stop_reason, "max_tokens") != 0) {
		stop_reason = "tool_use";
		stop_sequence = NULL;
	}
	w->stop_reason = stop_reason;
	settle_usage(w);
	if (w->stream) {
		begin_event(w, "message_delta");
		buffer_puts(w->out, ",\"delta\":{");
		write_stop(w, stop_sequence);
		buffer_puts(w->out, "},");
		write_usage(w, w->usage.output_tokens);
		end_event(w);
		begin_event(w, "message_stop");
		end_event(w);
	} else {
		write_message_head(w);
		buffer_append(w->out, buffer_text(&w->blocks), w->blocks.length);
		buffer_puts(w->out, "],");
		write_stop(w, stop_sequence);
		buffer_putc(w->out, ',');
		write_usage(w, w->usage.output_tokens);
		buffer_putc(w->out, '}');
	}
	if (w->blocks.failed)
		w->out->failed = true;
	w->started = true;
	w->ended = true;
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

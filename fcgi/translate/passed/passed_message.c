/*
 * A whole Claude message that is passed through; see passed_message.h.
 */
#include "translate/passed/passed_message.h"

#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/passed/passed_usage.h"
#include "translate/answer/upstream_error.h"
#include "translate/answer/upstream_json.h"

/* Members of a content block that a stream gives as deltas, after a block that has them empty. */
static const struct streamed {
	const char *name;
	enum json_kind kind;
	const char *empty; /* NULL if left out */
	const char *delta_type;
	const char *delta_name;
} streamed[] = {
	{"text", JSON_STRING, "\"\"", "text_delta", "text"},
	{"thinking", JSON_STRING, "\"\"", "thinking_delta", "thinking"},
	{"signature", JSON_STRING, "\"\"", "signature_delta", "signature"},
	{"input", JSON_OBJECT, "{}", "input_json_delta", "partial_json"},
	{"citations", JSON_ARRAY, NULL, "citations_delta", "citation"},
};

int
passed_message_check(const char *body, size_t length, const struct error_context *error_context,
	struct passed_usage *usage, struct api_error *error)
{
	struct json_document index = {0};
	const struct json *message = upstream_json_message(
		&index, body, length, error_context, error);
	int status = message != NULL ? 0 : -1;

	if (upstream_error_is(message)) {
		upstream_error_from_object(message, error_context, error);
		status = -1;
	} else if (status == 0 && json_member_array(message, "content") == NULL) {
		status = upstream_error_bad_answer("answered with something that is not a message",
			body, length, error_context, error);
	} else {
		passed_usage_take(usage, message);
	}
	json_document_free(&index);
	return status;
}

/* ---- events ---- */

static struct json_writer
open_event(struct buffer *out, const char *type)
{
	struct json_writer w = JSON_WRITER(out);

	buffer_puts(out, "event: ");
	buffer_puts(out, type);
	buffer_puts(out, "\ndata: ");
	json_open_object(&w);
	json_put_text_member(&w, "type", type);
	return w;
}

static void
close_event(struct json_writer *w)
{
	json_close_object(w);
	buffer_puts(w->out, "\n\n");
}

/* The message as it stands before its first block. */
static void
play_start(struct buffer *out, const struct json *message)
{
	struct json_writer w = open_event(out, "message_start");

	json_open_object_member(&w, "message");
	JSON_EACH (member, message) {
		if (json_is_named(member, "content")) {
			json_open_array_member(&w, "content");
			json_close_array(&w);
		} else if (json_is_named(member, "stop_reason")) {
			json_put_text_member(&w, "stop_reason", NULL);
		} else if (json_is_named(member, "stop_sequence")) {
			json_put_text_member(&w, "stop_sequence", NULL);
		} else {
			json_put_member(&w, member);
		}
	}
	json_close_object(&w);
	close_event(&w);
}

/* How the member is streamed; NULL if with its block. */
static const struct streamed *
streamed_as(const struct json *member)
{
	for (size_t i = 0; i < sizeof(streamed) / sizeof(streamed[0]); i++)
		if (json_is_named(member, streamed[i].name) && json_is(member, streamed[i].kind))
			return &streamed[i];
	return NULL;
}

static void
open_block(struct buffer *out, uint64_t index, const struct json *block)
{
	struct json_writer w = open_event(out, "content_block_start");

	json_put_uint_member(&w, "index", index);
	json_open_object_member(&w, "content_block");
	JSON_EACH (member, block) {
		const struct streamed *as = streamed_as(member);
		if (as == NULL) {
			json_put_member(&w, member);
		} else if (as->empty != NULL) {
			json_put_name(&w, as->name);
			json_put_raw(&w, as->empty, strlen(as->empty));
		}
	}
	json_close_object(&w);
	close_event(&w);
}

static void
play_delta(struct buffer *out, uint64_t index, const struct streamed *as, const struct json *value)
{
	struct json_writer w = open_event(out, "content_block_delta");
	struct buffer input = BUFFER_INIT(0);

	json_put_uint_member(&w, "index", index);
	json_open_object_member(&w, "delta");
	json_put_text_member(&w, "type", as->delta_type);
	json_put_name(&w, as->delta_name);
	if (as->kind == JSON_OBJECT) {
		json_write(&input, value);
		json_put_string(&w, buffer_text(&input), input.length);
		if (input.failed)
			out->failed = true;
	} else {
		json_put_value(&w, value);
	}
	json_close_object(&w);
	close_event(&w);
	buffer_free(&input);
}

static void
play_member(struct buffer *out, uint64_t index, const struct json *member)
{
	const struct streamed *as = streamed_as(member);

	if (as == NULL)
		return;
	if (as->kind != JSON_ARRAY) {
		play_delta(out, index, as, member);
		return;
	}
	JSON_EACH (element, member)
		play_delta(out, index, as, element);
}

static void
play_block(struct buffer *out, uint64_t index, const struct json *block)
{
	open_block(out, index, block);
	JSON_EACH (member, block)
		play_member(out, index, member);
	struct json_writer w = open_event(out, "content_block_stop");
	json_put_uint_member(&w, "index", index);
	close_event(&w);
}

static void
play_end(struct buffer *out, const struct json *message)
{
	struct json_writer w = open_event(out, "message_delta");

	json_open_object_member(&w, "delta");
	json_put_value_member(&w, "stop_reason", json_member(message, "stop_reason"));
	json_put_value_member(&w, "stop_sequence", json_member(message, "stop_sequence"));
	json_close_object(&w);
	if (json_member_object(message, "usage") != NULL)
		json_put_value_member(&w, "usage", json_member(message, "usage"));
	close_event(&w);
	w = open_event(out, "message_stop");
	close_event(&w);
}

int
passed_message_play(struct buffer *out, const char *body, size_t length, bool skips_start)
{
	struct json_document document = {0};
	const struct json *message = json_read(
		&document, body, length, JSON_MAX_ANSWER_VALUES, NULL);
	uint64_t index = 0;

	if (!skips_start)
		play_start(out, message);
	JSON_EACH (block, json_member_array(message, "content"))
		play_block(out, index++, block);
	play_end(out, message);
	json_document_free(&document);
	return out->failed ? -1 : 0;
}

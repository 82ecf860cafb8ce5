/* A client's answer, streamed or whole, as the message that it amounts to. */
#ifndef CASE_ANSWER_H
#define CASE_ANSWER_H

#include "unit.h"

#include "base/buffer.h"
#include "base/json/json.h"

/* A block of a stream as it comes to be. */
struct streamed_block {
	struct buffer start; /* the block as content_block_start has it */
	struct buffer text, thinking, signature, input, citations;
};

static inline void
block_take_delta(struct streamed_block *b, const struct json *delta)
{
	const struct json *citation = json_member(delta, "citation");
	static const char *const names[] = {"text", "thinking", "signature"};
	struct buffer *const pieces[] = {&b->text, &b->thinking, &b->signature};

	for (size_t i = 0; i < COUNT(names); i++) {
		const struct json *piece = json_member_string(delta, names[i]);
		buffer_append(pieces[i], json_content(piece), json_content_length(piece));
	}
	json_append(&b->input, json_member_string(delta, "partial_json"));
	if (citation == NULL)
		return;
	buffer_puts(&b->citations, b->citations.length > 0 ? "," : "");
	json_write(&b->citations, citation);
}

/* A member of the block, with the pieces that followed it. */
static inline void
block_write_member(struct streamed_block *b, const struct json *member, struct buffer *out)
{
	const struct buffer *pieces = json_is_named(member, "text")        ? &b->text
				      : json_is_named(member, "thinking")  ? &b->thinking
				      : json_is_named(member, "signature") ? &b->signature
									   : NULL;

	json_write_name(out, member);
	buffer_putc(out, ':');
	if (json_is_named(member, "input") && b->input.length > 0)
		buffer_append(out, b->input.data, b->input.length);
	else
		json_write(out, member);
	if (pieces == NULL)
		return;
	buffer_cut(out, out->length - 1);
	buffer_printf(out, "%s\"", buffer_text(pieces));
}

static inline void
block_end(struct streamed_block *b, struct buffer *out)
{
	struct json_document index = {0};
	const struct json *block = json_read(
		&index, b->start.data, b->start.length, JSON_MAX_ANSWER_VALUES, NULL);

	buffer_putc(out, '{');
	JSON_EACH (member, block) {
		block_write_member(b, member, out);
		buffer_putc(out, ',');
	}
	if (b->citations.length > 0)
		buffer_printf(out, "\"citations\":[%s],", buffer_text(&b->citations));
	buffer_cut(out, out->length - 1);
	buffer_puts(out, "},");
	json_document_free(&index);
}

static inline void
block_free(struct streamed_block *b)
{
	buffer_free(&b->start);
	buffer_free(&b->text);
	buffer_free(&b->thinking);
	buffer_free(&b->signature);
	buffer_free(&b->input);
	buffer_free(&b->citations);
	*b = (struct streamed_block){0};
}

static inline void
message_take_event(struct streamed_block *b, const struct json *event, struct buffer *out)
{
	const struct json *type = json_member(event, "type");

	if (json_is_text(type, "content_block_start")) {
		json_write(&b->start, json_member(event, "content_block"));
	} else if (json_is_text(type, "content_block_delta")) {
		block_take_delta(b, json_member(event, "delta"));
	} else if (json_is_text(type, "content_block_stop")) {
		block_end(b, out);
		block_free(b);
	} else if (json_is_text(type, "message_delta")) {
		const struct json *delta = json_member(event, "delta");
		buffer_cut(out, out->length - (out->data[out->length - 1] == ','));
		buffer_puts(out, "],\"stop_reason\":");
		json_write(out, json_member(delta, "stop_reason"));
		buffer_puts(out, ",\"stop_sequence\":");
		json_write(out, json_member(delta, "stop_sequence"));
		buffer_puts(out, ",\"usage\":");
		json_write(out, json_member(event, "usage"));
		buffer_putc(out, '}');
	}
}

/* What follows the head of the message. */
static inline void
message_of(const char *answer, bool stream, struct buffer *out)
{
	struct json_document index = {0};
	struct streamed_block block = {0};
	const char *content = strstr(answer, "\"content\":");

	if (!stream) {
		buffer_printf(out, "{%s", content != NULL ? content : answer);
		return;
	}
	buffer_puts(out, "{\"content\":[");
	for (const char *at = answer; (at = strstr(at, "\ndata: ")) != NULL;) {
		at += strlen("\ndata: ");
		message_take_event(&block,
			json_read(&index, at, strcspn(at, "\n"), JSON_MAX_ANSWER_VALUES, NULL),
			out);
	}
	block_free(&block);
	json_document_free(&index);
}

/* The payloads of a stream, a line each, but for what begins every one. */
static inline void
events_of(const char *stream, struct buffer *lines)
{
	static const char ping[] = "{\"type\":\"ping\"", start[] = "{\"type\":\"message_start\"";

	for (const char *at = stream; (at = strstr(at, "\ndata: ")) != NULL;) {
		at += strlen("\ndata: ");
		size_t length = strcspn(at, "\n");
		if (strncmp(at, ping, strlen(ping)) != 0 &&
			strncmp(at, start, strlen(start)) != 0) {
			buffer_append(lines, at, length);
			buffer_putc(lines, '\n');
		}
	}
}

/* ---- an outline: thinking[…] text[…] name[arguments] stop_reason stop_sequence ---- */

static inline void
outline_block(const struct json *block, struct buffer *out)
{
	const struct json *name = json_member_string(block, "name");
	const struct json *text = json_member_string(block, "text");

	if (text == NULL)
		text = json_member_string(block, "thinking");
	json_append(out, name != NULL ? name : json_member_string(block, "type"));
	buffer_putc(out, '[');
	if (name != NULL)
		json_write(out, json_member(block, "input"));
	buffer_append(out, json_content(text), json_content_length(text));
	buffer_puts(out, "] ");
}

static inline void
outline_of(const char *message, struct buffer *out)
{
	struct json_document index = {0};
	const struct json *value = json_read(
		&index, message, strlen(message), JSON_MAX_ANSWER_VALUES, NULL);
	const struct json *sequence = json_member_string(value, "stop_sequence");

	if (value == NULL)
		fail_msg("not JSON: %s", message);
	JSON_EACH (block, json_member(value, "content"))
		outline_block(block, out);
	json_append(out, json_member(value, "stop_reason"));
	buffer_puts(out, sequence != NULL ? " " : "");
	json_append(out, sequence);
	json_document_free(&index);
}

static inline void
outline_answer(const char *answer, bool stream, struct buffer *out)
{
	struct buffer message = BUFFER_INIT(0);

	message_of(answer, stream, &message);
	outline_of(buffer_text(&message), out);
	buffer_free(&message);
}

static inline void
usage_of(const char *message, struct buffer *out)
{
	struct json_document index = {0};

	json_write(out, json_member(json_read(&index, message, strlen(message),
					    JSON_MAX_ANSWER_VALUES, NULL),
				"usage"));
	json_document_free(&index);
}

#endif

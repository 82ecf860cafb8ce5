/* Answers of an upstream, cut anywhere, and the events or the message that they become. */
#ifndef ANSWERING_H
#define ANSWERING_H

#include "unit.h"

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/answer.h"
#include "translate/translator.h"

static const struct error_context error_context = {
	.name = "up", .key = "sk-secret-0123456789", .model = "m"};

/* Feed the body in pieces of ${size} bytes; the answer's state, with what it wrote in ${out}. */
static inline enum answer_state
answer_of(const struct translator *translator, const char *type, const char *body, bool stream,
	bool complete, size_t size, struct buffer *out, struct api_error *error)
{
	const struct answer_options options = {
		.translator = translator, .model = "asked", .stream = stream};
	struct answer *a = answer_new(&options, out);
	size_t length = strlen(body);

	answer_begin(a, &error_context);
	answer_head(a, 200, type, 0);
	for (size_t at = 0; at < length; at += size)
		answer_feed(a, body + at, length - at < size ? length - at : size);
	enum answer_state state = answer_end(a, complete);
	if (state == ANSWER_FAILED)
		api_error_set(error, answer_error(a)->status, "%s", answer_error(a)->message);
	answer_free(a);
	return state;
}

/* The events' payloads after message_start and ping, one a line, with ids left out of what is
 * compared. */
static inline void
payloads(const char *stream, struct buffer *lines)
{
	const char *at = stream;

	while ((at = strstr(at, "\ndata: ")) != NULL) {
		at += strlen("\ndata: ");
		size_t length = strcspn(at, "\n");
		if (strncmp(at, "{\"type\":\"ping\"", 14) != 0 &&
			strncmp(at, "{\"type\":\"message_start\"", 22) != 0) {
			buffer_append(lines, at, length);
			buffer_putc(lines, '\n');
		}
	}
}

#define START(i, block)                                                                            \
	"{\"type\":\"content_block_start\",\"index\":" #i ",\"content_block\":" block "}\n"
#define DELTA(i, delta) "{\"type\":\"content_block_delta\",\"index\":" #i ",\"delta\":" delta "}\n"
#define STOP(i)         "{\"type\":\"content_block_stop\",\"index\":" #i "}\n"
#define TEXT(i, text)   DELTA(i, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define JSON(i, text)   DELTA(i, "{\"type\":\"input_json_delta\",\"partial_json\":\"" text "\"}")
#define OPEN_TEXT(i)    START(i, "{\"type\":\"text\",\"text\":\"\"}")
#define OPEN_TOOL(i, id, name)                                                                     \
	START(i, "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}}")
#define END(reason, sequence, in, cached, out)                                                     \
	"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason                         \
	"\",\"stop_sequence\":" sequence "},\"usage\":{\"input_tokens\":" #in                      \
	",\"cache_creation_input_tokens\":0,"                                                      \
	"\"cache_read_input_tokens\":" #cached ",\"output_tokens\":" #out                          \
	"}}\n{\"type\":\"message_stop\"}\n"

/* Stream the body in each of ${sizes}; its payloads must be ${expected}. */
static inline void
check_stream(const struct translator *translator, const char *body, const char *expected)
{
	static const size_t sizes[] = {1, 7, 100000};

	for (size_t s = 0; s < COUNT(sizes); s++) {
		struct buffer out = BUFFER_INIT(0);
		struct buffer lines = BUFFER_INIT(0);
		struct api_error error = API_ERROR_NONE;
		if (answer_of(translator, "text/event-stream", body, true, true, sizes[s], &out,
			    &error) != ANSWER_DONE)
			fail_msg("failed: %s: %s", body, error.message);
		payloads(buffer_text(&out), &lines);
		assert_string_equal(buffer_text(&lines), expected);
		buffer_free(&lines);
		buffer_free(&out);
	}
}

/* Send the body whole; the content and what follows it must be ${expected}. */
static inline void
check_message(const struct translator *translator, const char *body, const char *expected)
{
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	if (answer_of(translator, "application/json", body, false, true, 100000, &out, &error) !=
		ANSWER_DONE)
		fail_msg("failed: %s: %s", body, error.message);
	const char *content = strstr(buffer_text(&out), "\"content\":");
	assert_non_null(content);
	assert_string_equal(content, expected);
	buffer_free(&out);
}

/* ---- answers in outline: thinking[…] text[…] name[arguments] stop_reason ---- */

/* A block as it comes to be. */
struct outlined {
	struct buffer *out;
	struct buffer input;
	bool is_call;
};

static inline void
outline_begin(struct outlined *o, const struct json *block)
{
	const struct json *name = json_member_string(block, "name");
	const struct json *type = json_member_string(block, "type");

	o->is_call = name != NULL;
	json_append(o->out, o->is_call ? name : type);
	buffer_putc(o->out, '[');
	json_append(o->out, json_member_string(block, "text"));
	json_append(o->out, json_member_string(block, "thinking"));
}

static inline void
outline_delta(struct outlined *o, const struct json *delta)
{
	json_append(o->out, json_member_string(delta, "text"));
	json_append(o->out, json_member_string(delta, "thinking"));
	json_append(&o->input, json_member_string(delta, "partial_json"));
}

/* The arguments of a call must be JSON. */
static inline void
outline_end(struct outlined *o)
{
	struct json_document index = {0};

	if (o->is_call) {
		const struct json *input = json_read(&index, buffer_text(&o->input),
			o->input.length, JSON_MAX_ANSWER_VALUES, NULL);
		json_write(o->out, input);
		if (input == NULL)
			fail_msg("no JSON: %s", buffer_text(&o->input));
	}
	buffer_puts(o->out, "] ");
	buffer_clear(&o->input);
	json_document_free(&index);
}

static inline void
outline_stop(struct outlined *o, const struct json *message)
{
	const struct json *sequence = json_member_string(message, "stop_sequence");

	json_append(o->out, json_member_string(message, "stop_reason"));
	if (sequence != NULL) {
		buffer_putc(o->out, ' ');
		json_append(o->out, sequence);
	}
}

static inline void
outline_event(struct outlined *o, const struct json *event)
{
	const struct json *type = json_member(event, "type");

	if (json_is_text(type, "content_block_start"))
		outline_begin(o, json_member(event, "content_block"));
	else if (json_is_text(type, "content_block_delta"))
		outline_delta(o, json_member(event, "delta"));
	else if (json_is_text(type, "content_block_stop"))
		outline_end(o);
	else if (json_is_text(type, "message_delta"))
		outline_stop(o, json_member(event, "delta"));
}

static inline void
outline_message(struct outlined *o, const struct json *message)
{
	JSON_EACH (block, json_member(message, "content")) {
		outline_begin(o, block);
		json_write(&o->input, json_member(block, "input"));
		outline_end(o);
	}
	outline_stop(o, message);
}

static inline void
outline(const char *answer, bool stream, struct buffer *out)
{
	struct outlined o = {.out = out};
	struct json_document index = {0};
	const char *at = answer;

	if (!stream)
		outline_message(
			&o, json_read(&index, at, strlen(at), JSON_MAX_ANSWER_VALUES, NULL));
	while (stream && (at = strstr(at, "\ndata: ")) != NULL) {
		at += strlen("\ndata: ");
		outline_event(
			&o, json_read(&index, at, strcspn(at, "\n"), JSON_MAX_ANSWER_VALUES, NULL));
	}
	json_document_free(&index);
	buffer_free(&o.input);
}

/* The body, an event stream or one JSON text, must become what ${expected} outlines: streamed and
 * not, however it is cut. */
static inline void
check_outline(const struct translator *translator, const char *body, const char *expected)
{
	static const size_t sizes[] = {1, 7, 100000};
	const char *type = *body == '{' ? "application/json" : "text/event-stream";

	for (size_t s = 0; s < 2 * COUNT(sizes); s++) {
		bool stream = s % 2 == 0;
		struct buffer out = BUFFER_INIT(0);
		struct buffer outlined = BUFFER_INIT(0);
		struct api_error error = API_ERROR_NONE;
		if (answer_of(translator, type, body, stream, true, sizes[s / 2], &out, &error) !=
			ANSWER_DONE)
			fail_msg("failed: %s: %s", body, error.message);
		outline(buffer_text(&out), stream, &outlined);
		if (strcmp(buffer_text(&outlined), expected) != 0)
			fail_msg("%s\n-> %s\nnot %s", body, buffer_text(&outlined), expected);
		buffer_free(&outlined);
		buffer_free(&out);
	}
}

/* The body must fail with this status and these words, streamed and whole. */
static inline void
check_failure(const struct translator *translator, const char *type, const char *body,
	bool complete, int status, const char *words)
{
	for (int stream = 0; stream < 2; stream++) {
		struct buffer out = BUFFER_INIT(0);
		struct api_error error = API_ERROR_NONE;
		assert_int_equal(
			answer_of(translator, type, body, stream, complete, 7, &out, &error),
			ANSWER_FAILED);
		assert_int_equal(error.status, status);
		assert_contains(error.message, words);
		api_error_clear(&error);
		buffer_free(&out);
	}
}

#endif

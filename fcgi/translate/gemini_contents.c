/*
 * A conversation as Gemini's contents (PROTOCOL.md §B.2).
 *
 * Roles alternate: parts of neighbouring turns go into one content, whatever was dropped in
 * between. The content after a model's function calls begins with one response for each of them.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "translate/carry.h"
#include "translate/claude.h"
#include "translate/claude_calls.h"
#include "translate/claude_text.h"
#include "translate/gemini.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

/* What Gemini 3 takes for the signature of a call that another model made (PROTOCOL.md §C.4). */
static const char no_signature[] = "skip_thought_signature_validator";

/* Stands before a conversation that begins with the assistant. */
static const char first_words[] = "Continue.";

struct contents {
	const struct claude_request *request;
	struct tool_names *names;
	struct buffer *out;
	struct api_error *error;
	bool needs_signatures;     /* as Gemini 3 does */
	const char *role;          /* of the content that is open; NULL: none yet */
	bool has_call;             /* this assistant turn has one */
	char *text_signature;      /* for the next text part; owned */
	struct claude_calls calls; /* of the assistant turn just written */
};

static int
no_memory(struct contents *c)
{
	return api_error_set(c->error, 500, "out of memory");
}

/* ---- parts ---- */

/* Begin a part of ${role}, in the open content if that is the same. */
static void
begin_part(struct contents *c, const char *role)
{
	if (c->role == NULL && strcmp(role, "user") != 0) {
		begin_part(c, "user");
		buffer_puts(c->out, "{\"text\":");
		json_write_text(c->out, first_words);
		buffer_putc(c->out, '}');
	}
	if (c->role != NULL && strcmp(c->role, role) == 0) {
		buffer_putc(c->out, ',');
		return;
	}
	if (c->role != NULL)
		buffer_puts(c->out, "]},");
	buffer_puts(c->out, "{\"role\":\"");
	buffer_puts(c->out, role);
	buffer_puts(c->out, "\",\"parts\":[");
	c->role = role;
}

static void
write_signature(struct contents *c, const char *signature)
{
	buffer_puts(c->out, ",\"thoughtSignature\":");
	json_write_text(c->out, signature);
}

static void
write_text(struct contents *c, const char *role, const char *text, size_t length)
{
	if (length == 0)
		return;
	begin_part(c, role);
	buffer_puts(c->out, "{\"text\":");
	json_write_string(c->out, text, length);
	if (c->text_signature != NULL)
		write_signature(c, c->text_signature);
	free(c->text_signature);
	c->text_signature = NULL;
	buffer_putc(c->out, '}');
}

/* Writes the buffer as a text part, and frees it. */
static int
write_text_of(struct contents *c, struct buffer *text)
{
	bool failed = text->failed;

	write_text(c, "user", buffer_text(text), text->length);
	buffer_free(text);
	return failed ? no_memory(c) : 0;
}

/* A URL says what is behind it only by its end. */
static const char *
type_of_url(const char *url, const char *otherwise)
{
	static const char *const types[][2] = {{".png", "image/png"}, {".jpg", "image/jpeg"},
		{".jpeg", "image/jpeg"}, {".gif", "image/gif"}, {".webp", "image/webp"},
		{".heic", "image/heic"}, {".heif", "image/heif"}, {".pdf", "application/pdf"}};
	size_t length = strcspn(url, "?#");

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i][0]);
		if (length > n && strncasecmp(url + length - n, types[i][0], n) == 0)
			return types[i][1];
	}
	return otherwise;
}

static void
write_file(struct contents *c, struct json_object *block)
{
	struct json_object *source = json_member(block, "source");
	const char *url = json_member_string(source, "url");
	bool image = claude_block_type(block) == CLAUDE_IMAGE;

	begin_part(c, "user");
	if (json_is_text(json_member(source, "type"), "url")) {
		buffer_puts(c->out, "{\"fileData\":{\"mimeType\":");
		json_write_text(c->out, type_of_url(url, image ? "image/jpeg" : "application/pdf"));
		buffer_puts(c->out, ",\"fileUri\":");
		json_write_text(c->out, url);
	} else {
		buffer_puts(c->out, "{\"inlineData\":{\"mimeType\":");
		json_write(c->out, json_member(source, "media_type"));
		buffer_puts(c->out, ",\"data\":");
		json_write(c->out, json_member(source, "data"));
	}
	buffer_puts(c->out, "}}");
}

/* ---- assistant turns ---- */

/* A thought goes back only where it carries Gemini's own signature. */
static void
write_thinking(struct contents *c, struct json_object *block)
{
	const char *carried = json_member_string(block, "signature");
	struct json_object *thinking = json_member(block, "thinking");
	struct json_object *own = carried != NULL ? carry_read_signature(carried, gemini.kind)
						  : NULL;
	const char *thought = json_member_string(own, "s");
	const char *text = json_member_string(own, "t");

	if (thought != NULL && json_object_get_string_len(thinking) > 0) {
		begin_part(c, "model");
		buffer_puts(c->out, "{\"text\":");
		json_write(c->out, thinking);
		buffer_puts(c->out, ",\"thought\":true");
		write_signature(c, thought);
		buffer_putc(c->out, '}');
	}
	free(c->text_signature);
	c->text_signature = text != NULL ? strdup(text) : NULL;
	json_object_put(own);
}

static int
write_call(struct contents *c, struct json_object *block)
{
	if (claude_calls_add(&c->calls, block) != 0)
		return no_memory(c);
	const struct claude_call *call = &c->calls.list[c->calls.count - 1];
	const char *signature = json_member_string(call->extra, "s");
	const char *name = tool_names_to_upstream(c->names, json_member_string(block, "name"));
	if (name == NULL)
		return no_memory(c);
	if (signature == NULL && c->needs_signatures && !c->has_call)
		signature = no_signature;
	c->has_call = true;
	begin_part(c, "model");
	buffer_puts(c->out, "{\"functionCall\":{\"name\":");
	json_write_text(c->out, name);
	buffer_puts(c->out, ",\"args\":");
	json_write(c->out, json_member(block, "input"));
	buffer_putc(c->out, '}');
	if (signature != NULL)
		write_signature(c, signature);
	return buffer_putc(c->out, '}');
}

static int
write_assistant_block(struct contents *c, struct json_object *block)
{
	struct json_object *said = claude_block_text(block);

	if (said != NULL) {
		write_text(c, "model", json_object_get_string(said),
			(size_t)json_object_get_string_len(said));
		return 0;
	}
	switch (claude_block_type(block)) {
	case CLAUDE_THINKING:
		write_thinking(c, block);
		return 0;
	case CLAUDE_TOOL_USE:
		return write_call(c, block);
	default:
		return 0;
	}
}

/* ---- results ---- */

/* A result that is a JSON object goes as it is; any other text inside one. */
static void
write_response_text(struct contents *c, struct json_object *result, const struct buffer *text)
{
	bool is_error = json_member_bool(result, "is_error", false);
	struct json_object *object = NULL;
	const char *problem;

	if (!is_error && text->length > 0 && strchr(" \t\r\n{", text->data[0]) != NULL &&
		json_parse(text->data, text->length, &object, &problem) == 0 &&
		json_object_is_type(object, json_type_object)) {
		json_write(c->out, object);
	} else {
		buffer_puts(c->out, is_error ? "{\"error\":" : "{\"result\":");
		json_write_string(c->out, buffer_text(text), text->length);
		buffer_putc(c->out, '}');
	}
	json_object_put(object);
}

static int
write_response(struct contents *c, const struct claude_call *call)
{
	struct buffer text = BUFFER_INIT(0);
	const char *name = tool_names_to_upstream(
		c->names, json_member_string(call->block, "name"));

	if (name == NULL)
		return no_memory(c);
	if (call->result != NULL)
		claude_write_result_text(&text, call->result);
	else
		buffer_puts(&text, claude_no_result);
	begin_part(c, "user");
	buffer_puts(c->out, "{\"functionResponse\":{\"name\":");
	json_write_text(c->out, name);
	buffer_puts(c->out, ",\"response\":");
	write_response_text(c, call->result, &text);
	buffer_puts(c->out, "}}");
	int status = text.failed ? no_memory(c) : 0;
	buffer_free(&text);
	return status;
}

/* The responses to the calls just written, in the calls' order, from messages ${first} to ${end}.
 */
static int
write_responses(struct contents *c, size_t first, size_t end)
{
	claude_calls_answer_all(&c->calls, c->request, first, end);
	for (size_t i = 0; i < c->calls.count; i++)
		if (write_response(c, &c->calls.list[i]) != 0)
			return -1;
	return 0;
}

/* ---- user turns ---- */

static int write_user_block(struct contents *, struct json_object *block);

/* What a response cannot hold follows it; a result that answers no call is only text. */
static int
write_rest_of_result(struct contents *c, struct json_object *result)
{
	struct json_object *content = json_member(result, "content");
	struct buffer text = BUFFER_INIT(0);

	if (claude_calls_find(&c->calls, result) == NULL) {
		claude_write_tool_result(&text, result);
		if (write_text_of(c, &text) != 0)
			return -1;
	}
	for (size_t i = 0; i < claude_content_length(content); i++) {
		struct json_object *block = claude_content_block(content, i);
		enum claude_block type = claude_block_type(block);
		if (type == CLAUDE_IMAGE ||
			(type == CLAUDE_DOCUMENT && !claude_document_is_text(block)))
			write_file(c, block);
	}
	return 0;
}

static int
write_user_block(struct contents *c, struct json_object *block)
{
	struct json_object *said = claude_block_text(block);
	struct buffer text = BUFFER_INIT(0);

	if (said != NULL) {
		write_text(c, "user", json_object_get_string(said),
			(size_t)json_object_get_string_len(said));
		return 0;
	}
	switch (claude_block_type(block)) {
	case CLAUDE_IMAGE:
		write_file(c, block);
		return 0;
	case CLAUDE_DOCUMENT:
		if (!claude_document_is_text(block)) {
			write_file(c, block);
			return 0;
		}
		claude_write_document(&text, block);
		return write_text_of(c, &text);
	case CLAUDE_SEARCH_RESULT:
		claude_write_search_result(&text, block);
		return write_text_of(c, &text);
	default:
		return 0;
	}
}

/* First what belongs to tool results, then the rest, each in its order. */
static int
write_user_content(struct contents *c, struct json_object *content, bool results)
{
	for (size_t i = 0; i < claude_content_length(content); i++) {
		struct json_object *block = claude_content_block(content, i);
		bool is_result = claude_block_type(block) == CLAUDE_TOOL_RESULT;
		if (is_result != results)
			continue;
		if (is_result ? write_rest_of_result(c, block) != 0
			      : write_user_block(c, block) != 0)
			return -1;
	}
	return 0;
}

/* Gemini has no system turns. */
static int
write_system_turn(struct contents *c, struct json_object *content)
{
	struct buffer said = BUFFER_INIT(0);
	struct buffer text = BUFFER_INIT(0);

	claude_write_texts(&said, content, "\n\n");
	if (said.length > 0) {
		buffer_puts(&text, "<system>");
		buffer_append(&text, said.data, said.length);
		buffer_puts(&text, "</system>");
	}
	if (said.failed)
		text.failed = true;
	buffer_free(&said);
	return write_text_of(c, &text);
}

/* ---- the conversation ---- */

static bool
is_assistant(const struct contents *c, size_t message)
{
	return claude_role_at(c->request, message) == CLAUDE_ASSISTANT;
}

/* The neighbouring messages of the assistant, or of the others, from ${first} on. */
static size_t
run_end(const struct contents *c, size_t first)
{
	size_t count = json_object_array_length(c->request->messages);
	size_t end = first;

	while (end < count && is_assistant(c, end) == is_assistant(c, first))
		end++;
	return end;
}

static int
write_assistant_run(struct contents *c, size_t first, size_t end)
{
	size_t count = json_object_array_length(c->request->messages);

	claude_calls_clear(&c->calls);
	c->has_call = false;
	for (size_t m = first; m < end; m++) {
		struct json_object *content = claude_content_at(c->request, m);
		for (size_t i = 0; i < claude_content_length(content); i++)
			if (write_assistant_block(c, claude_content_block(content, i)) != 0)
				return -1;
	}
	free(c->text_signature);
	c->text_signature = NULL;
	if (c->calls.count == 0)
		return 0;
	return write_responses(c, end, end < count ? run_end(c, end) : end);
}

static int
write_user_run(struct contents *c, size_t first, size_t end)
{
	for (size_t m = first; m < end; m++)
		if (claude_role_at(c->request, m) == CLAUDE_USER &&
			write_user_content(c, claude_content_at(c->request, m), true) != 0)
			return -1;
	for (size_t m = first; m < end; m++) {
		struct json_object *content = claude_content_at(c->request, m);
		if (claude_role_at(c->request, m) == CLAUDE_SYSTEM
				? write_system_turn(c, content) != 0
				: write_user_content(c, content, false) != 0)
			return -1;
	}
	claude_calls_clear(&c->calls);
	return 0;
}

static int
write_conversation(struct contents *c)
{
	size_t count = json_object_array_length(c->request->messages);

	for (size_t m = 0; m < count;) {
		size_t end = run_end(c, m);
		if (is_assistant(c, m) ? write_assistant_run(c, m, end) != 0
				       : write_user_run(c, m, end) != 0)
			return -1;
		m = end;
	}
	if (c->role == NULL)
		return api_error_set(c->error, 400, "messages: there is no content in any of them");
	buffer_puts(c->out, "]}");
	return c->out->failed ? no_memory(c) : 0;
}

int
gemini_write_contents(const struct claude_request *request, const char *model,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	struct contents c = {.request = request,
		.names = names,
		.out = out,
		.error = error,
		.needs_signatures = gemini_generation(model) >= 3};

	buffer_putc(out, '[');
	int status = claude_calls_init(&c.calls, gemini.kind, false) == 0 ? write_conversation(&c)
									  : no_memory(&c);
	buffer_putc(out, ']');
	claude_calls_free(&c.calls);
	free(c.text_signature);
	return status;
}

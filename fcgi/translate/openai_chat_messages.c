/*
 * The `messages` of a Chat Completions request; see openai_chat_messages.h.
 *
 * The service refuses an assistant message with tool calls that is not followed at once by one tool
 * message for each call. So an assistant turn is written together with the results in the user turn
 * after it; when that turn comes, what is left of it becomes a user message.
 */
#include "translate/openai_chat_messages.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "translate/carry.h"
#include "translate/claude.h"
#include "translate/claude_calls.h"
#include "translate/claude_text.h"
#include "translate/openai_parameters.h"
#include "translate/openai_parts.h"
#include "translate/translator.h"
#include "translate/tool_names.h"

static const char paragraph[] = "\n\n";

struct chat {
	const struct claude_request *request;
	struct tool_names *names;
	struct buffer *out;
	struct api_error *error;
	bool any;                  /* a message was written */
	struct claude_calls calls; /* of the assistant turn just written */
	struct openai_parts parts; /* of the user message that is being written */
};

static int
no_memory(struct chat *c)
{
	return api_error_set(c->error, 500, "out of memory");
}

static void
begin_message(struct chat *c, const char *role)
{
	if (c->any)
		buffer_putc(c->out, ',');
	c->any = true;
	buffer_puts(c->out, "{\"role\":\"");
	buffer_puts(c->out, role);
	buffer_puts(c->out, "\",");
}

/* ---- tool calls and their results ---- */

static int
write_tool_message(struct chat *c, const struct claude_call *call)
{
	struct buffer text = BUFFER_INIT(0);

	if (call->result != NULL)
		claude_write_tool_result(&text, call->result);
	else
		buffer_puts(&text, claude_no_result);
	begin_message(c, "tool");
	buffer_puts(c->out, "\"tool_call_id\":");
	json_write_text(c->out, call->id);
	buffer_puts(c->out, ",\"content\":");
	json_write_string(c->out, buffer_text(&text), text.length);
	buffer_putc(c->out, '}');
	int status = text.failed ? no_memory(c) : 0;
	buffer_free(&text);
	return status;
}

/* The tool messages for the calls just written: results in their order in messages ${first} to
 * ${end}, then stand-ins. */
static int
write_results(struct chat *c, size_t first, size_t end)
{
	struct claude_calls *calls = &c->calls;

	for (size_t m = first; m < end; m++) {
		struct json_object *content = claude_content_at(c->request, m);
		for (size_t i = 0; i < claude_content_length(content); i++) {
			struct json_object *block = claude_content_block(content, i);
			if (claude_block_type(block) != CLAUDE_TOOL_RESULT)
				continue;
			const struct claude_call *call = claude_calls_answer(calls, block);
			if (call != NULL && write_tool_message(c, call) != 0)
				return -1;
		}
	}
	for (size_t i = 0; i < calls->count; i++)
		if (calls->list[i].result == NULL && write_tool_message(c, &calls->list[i]) != 0)
			return -1;
	return 0;
}

/* ---- assistant turns ---- */

static int
write_call(struct chat *c, const struct claude_call *call)
{
	const char *name = tool_names_to_upstream(
		c->names, json_member_string(call->block, "name"));
	size_t length;
	const char *input = json_text(json_member(call->block, "input"), &length);

	if (name == NULL || input == NULL)
		return no_memory(c);
	buffer_puts(c->out, "{\"id\":");
	json_write_text(c->out, call->id);
	buffer_puts(c->out, ",\"type\":\"function\",\"function\":{\"name\":");
	json_write_text(c->out, name);
	buffer_puts(c->out, ",\"arguments\":");
	json_write_string(c->out, input, length);
	buffer_putc(c->out, '}');
	if (call->extra != NULL) {
		buffer_puts(c->out, ",\"extra_content\":");
		json_write(c->out, call->extra);
	}
	return buffer_putc(c->out, '}');
}

/* Thinking goes back only to the kind of service that it came from. */
static void
append_own_thinking(struct buffer *out, struct json_object *block)
{
	const char *signature = json_member_string(block, "signature");
	struct json_object *text = json_member(block, "thinking");
	struct json_object *own = signature != NULL
					  ? carry_read_signature(signature, openai_chat.kind)
					  : NULL;

	if (own != NULL)
		buffer_append(out, json_object_get_string(text),
			(size_t)json_object_get_string_len(text));
	json_object_put(own);
}

/* Gather the text, the thinking and the calls of one assistant message. */
static int
gather_assistant(
	struct chat *c, struct json_object *content, struct buffer *text, struct buffer *thinking)
{
	for (size_t i = 0; i < claude_content_length(content); i++) {
		struct json_object *block = claude_content_block(content, i);
		struct json_object *said = claude_block_text(block);
		enum claude_block type = claude_block_type(block);
		if (said != NULL)
			buffer_append(text, json_object_get_string(said),
				(size_t)json_object_get_string_len(said));
		else if (type == CLAUDE_THINKING)
			append_own_thinking(thinking, block);
		else if (type == CLAUDE_TOOL_USE && claude_calls_add(&c->calls, block) != 0)
			return no_memory(c);
	}
	return 0;
}

static int
write_assistant_message(struct chat *c, const struct buffer *text, const struct buffer *thinking)
{
	if (text->length == 0 && c->calls.count == 0)
		return 0;
	begin_message(c, "assistant");
	buffer_puts(c->out, "\"content\":");
	if (text->length > 0)
		json_write_string(c->out, text->data, text->length);
	else
		buffer_puts(c->out, "null");
	if (thinking->length > 0) {
		buffer_puts(c->out, ",\"reasoning_content\":");
		json_write_string(c->out, thinking->data, thinking->length);
	}
	for (size_t i = 0; i < c->calls.count; i++) {
		buffer_puts(c->out, i == 0 ? ",\"tool_calls\":[" : ",");
		if (write_call(c, &c->calls.list[i]) != 0)
			return -1;
	}
	return buffer_puts(c->out, c->calls.count > 0 ? "]}" : "}");
}

/* ---- user turns ---- */

static void
write_file_part(struct buffer *out, struct json_object *block)
{
	struct json_object *source = json_member(block, "source");
	const char *title = json_member_string(block, "title");

	if (claude_block_type(block) == CLAUDE_IMAGE) {
		buffer_puts(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
		openai_write_data_url(out, source);
	} else {
		buffer_puts(out, "{\"type\":\"file\",\"file\":{\"filename\":");
		json_write_text(out, title != NULL && title[0] != '\0' ? title : "document.pdf");
		buffer_puts(out, ",\"file_data\":");
		openai_write_data_url(out, source);
	}
	buffer_puts(out, "}}");
}

/* Text alone goes as a string: every compatible service takes that. */
static int
write_plain_user_message(struct chat *c)
{
	struct buffer text = BUFFER_INIT(0);

	for (size_t i = 0; i < c->parts.count; i++) {
		if (i > 0)
			buffer_puts(&text, paragraph);
		buffer_append(&text, c->parts.list[i].text, c->parts.list[i].length);
	}
	begin_message(c, "user");
	buffer_puts(c->out, "\"content\":");
	json_write_string(c->out, buffer_text(&text), text.length);
	buffer_putc(c->out, '}');
	int status = text.failed ? no_memory(c) : 0;
	buffer_free(&text);
	return status;
}

static int
write_user_message(struct chat *c)
{
	bool has_file = false;

	for (size_t i = 0; i < c->parts.count; i++)
		has_file = has_file || c->parts.list[i].text == NULL;
	if (c->parts.count == 0)
		return 0;
	if (!has_file)
		return write_plain_user_message(c);
	begin_message(c, "user");
	for (size_t i = 0; i < c->parts.count; i++) {
		buffer_puts(c->out, i == 0 ? "\"content\":[" : ",");
		if (c->parts.list[i].text == NULL) {
			write_file_part(c->out, c->parts.list[i].block);
			continue;
		}
		buffer_puts(c->out, "{\"type\":\"text\",\"text\":");
		json_write_string(c->out, c->parts.list[i].text, c->parts.list[i].length);
		buffer_putc(c->out, '}');
	}
	return buffer_puts(c->out, "]}");
}

/* ---- the conversation ---- */

static int
write_system(struct chat *c, struct json_object *content)
{
	struct buffer text = BUFFER_INIT(0);

	claude_write_texts(&text, content, paragraph);
	if (text.length > 0) {
		begin_message(c, "system");
		buffer_puts(c->out, "\"content\":");
		json_write_string(c->out, text.data, text.length);
		buffer_putc(c->out, '}');
	}
	int status = text.failed ? no_memory(c) : 0;
	buffer_free(&text);
	return status;
}

/* System turns in messages ${first} to ${end}, which may not stand between calls and results. */
static int
write_system_turns(struct chat *c, size_t first, size_t end)
{
	for (size_t m = first; m < end; m++)
		if (claude_role_at(c->request, m) == CLAUDE_SYSTEM &&
			write_system(c, claude_content_at(c->request, m)) != 0)
			return -1;
	return 0;
}

/* The assistant turn from ${first} to ${end}, and the results in the user turn after it. */
static int
write_assistant_turn(struct chat *c, size_t first, size_t end)
{
	struct buffer text = BUFFER_INIT(0);
	struct buffer thinking = BUFFER_INIT(0);
	int status = 0;

	claude_calls_clear(&c->calls);
	for (size_t m = first; m < end && status == 0; m++)
		if (claude_role_at(c->request, m) == CLAUDE_ASSISTANT)
			status = gather_assistant(
				c, claude_content_at(c->request, m), &text, &thinking);
	if (status == 0)
		status = write_assistant_message(c, &text, &thinking);
	if (status == 0 && (text.failed || thinking.failed))
		status = no_memory(c);
	buffer_free(&text);
	buffer_free(&thinking);
	if (status != 0)
		return -1;
	if (c->calls.count > 0 &&
		write_results(c, end, claude_turn_end(c->request, end, CLAUDE_USER)) != 0)
		return -1;
	return write_system_turns(c, first, end);
}

/* The user turn from ${first} to ${end}: one message for each message, system turns at their
 * places. */
static int
write_user_turn(struct chat *c, size_t first, size_t end)
{
	for (size_t m = first; m < end; m++) {
		if (claude_role_at(c->request, m) == CLAUDE_SYSTEM) {
			if (write_system(c, claude_content_at(c->request, m)) != 0)
				return -1;
			continue;
		}
		if (openai_parts_gather(&c->parts, claude_content_at(c->request, m), &c->calls,
			    false, c->error) != 0 ||
			write_user_message(c) != 0)
			return -1;
	}
	claude_calls_clear(&c->calls);
	return 0;
}

static int
write_conversation(struct chat *c)
{
	size_t count = json_object_array_length(c->request->messages);

	if (c->request->system != NULL && write_system(c, c->request->system) != 0)
		return -1;
	bool had_system = c->any;
	c->any = false;
	if (had_system)
		buffer_putc(c->out, ',');
	for (size_t m = 0; m < count;) {
		enum claude_role role = claude_role_at(c->request, m) == CLAUDE_ASSISTANT
						? CLAUDE_ASSISTANT
						: CLAUDE_USER;
		size_t end = claude_turn_end(c->request, m, role);
		if (role == CLAUDE_ASSISTANT ? write_assistant_turn(c, m, end) != 0
					     : write_user_turn(c, m, end) != 0)
			return -1;
		m = end;
	}
	if (!c->any)
		return api_error_set(c->error, 400, "messages: there is no content in any of them");
	return c->out->failed ? no_memory(c) : 0;
}

int
openai_chat_write_messages(const struct claude_request *request, struct tool_names *names,
	struct buffer *out, struct api_error *error)
{
	struct chat c = {.request = request, .names = names, .out = out, .error = error};

	buffer_putc(out, '[');
	int status = claude_calls_init(&c.calls, openai_chat.kind, false) == 0
			     ? write_conversation(&c)
			     : no_memory(&c);
	buffer_putc(out, ']');
	claude_calls_free(&c.calls);
	openai_parts_free(&c.parts);
	return status;
}

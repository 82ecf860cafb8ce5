/*
 * A conversation as the input items of a Responses request (PROTOCOL.md §B.3).
 *
 * Items stand in the order in which they were made: what the model thought comes before what it
 * then said or called, and the outputs of an assistant turn's calls come right behind it.
 */
#include <stdbool.h>
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
#include "translate/openai_responses.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

struct input {
	const struct claude_request *request;
	struct tool_names *names;
	struct buffer *out;
	struct api_error *error;
	bool any;            /* an item was written */
	const char *message; /* the role of the message item that is open; NULL: none is */
	struct json_object *reasoning; /* an item that waits for the one after it; owned */
	struct json_object *summary;   /* its text; lent; NULL: none */
	struct claude_calls calls;     /* of the assistant turn just written */
	struct openai_parts parts;     /* of the user message that is being written */
};

static int
no_memory(struct input *in)
{
	return api_error_set(in->error, 500, "out of memory");
}

/* ---- items ---- */

static void
end_message(struct input *in)
{
	if (in->message != NULL)
		buffer_puts(in->out, "]}");
	in->message = NULL;
}

static void
begin_item(struct input *in)
{
	end_message(in);
	if (in->any)
		buffer_putc(in->out, ',');
	in->any = true;
}

/* The service refuses a reasoning item that nothing follows, so it is written before the next. */
static void
write_reasoning(struct input *in)
{
	struct json_object *item = in->reasoning;

	if (item == NULL)
		return;
	in->reasoning = NULL;
	begin_item(in);
	buffer_puts(in->out, "{\"type\":\"reasoning\",\"id\":");
	json_write(in->out, json_member(item, "id"));
	buffer_puts(in->out, ",\"summary\":[");
	if (in->summary != NULL && json_object_get_string_len(in->summary) > 0) {
		buffer_puts(in->out, "{\"type\":\"summary_text\",\"text\":");
		json_write(in->out, in->summary);
		buffer_putc(in->out, '}');
	}
	buffer_puts(in->out, "],\"encrypted_content\":");
	json_write(in->out, json_member(item, "encrypted_content"));
	buffer_putc(in->out, '}');
	json_object_put(item);
}

/* Keep an item that was carried through the client; takes ${item}. */
static void
keep_reasoning(struct input *in, struct json_object *item, struct json_object *summary)
{
	json_object_put(in->reasoning);
	in->reasoning = item;
	in->summary = summary;
	if (json_member_string(item, "id") == NULL ||
		json_member_string(item, "encrypted_content") == NULL) {
		json_object_put(item);
		in->reasoning = NULL;
	}
}

/* Begin a part of a message of ${role}, in the open message if it is of the same. */
static void
begin_part(struct input *in, const char *role, const char *type)
{
	if (in->message != NULL && strcmp(in->message, role) == 0) {
		buffer_putc(in->out, ',');
	} else {
		begin_item(in);
		buffer_puts(in->out, "{\"role\":\"");
		buffer_puts(in->out, role);
		buffer_puts(in->out, "\",\"content\":[");
		in->message = role;
	}
	buffer_puts(in->out, "{\"type\":\"");
	buffer_puts(in->out, type);
	buffer_putc(in->out, '"');
}

static void
write_text(struct input *in, const char *role, const char *text, size_t length)
{
	if (length == 0)
		return;
	begin_part(in, role, strcmp(role, "assistant") == 0 ? "output_text" : "input_text");
	openai_write_name(in->out, "text");
	json_write_string(in->out, text, length);
	buffer_putc(in->out, '}');
}

/* Writes the buffer as a text part, and frees it. */
static int
write_text_of(struct input *in, const char *role, struct buffer *text)
{
	bool failed = text->failed;

	write_text(in, role, buffer_text(text), text->length);
	buffer_free(text);
	return failed ? no_memory(in) : 0;
}

static void
write_file(struct input *in, struct json_object *block)
{
	struct json_object *source = json_member(block, "source");
	const char *title = json_member_string(block, "title");

	if (claude_block_type(block) == CLAUDE_IMAGE) {
		begin_part(in, "user", "input_image");
		openai_write_name(in->out, "image_url");
		openai_write_data_url(in->out, source);
	} else if (json_is_text(json_member(source, "type"), "url")) {
		begin_part(in, "user", "input_file");
		openai_write_name(in->out, "file_url");
		json_write(in->out, json_member(source, "url"));
	} else {
		begin_part(in, "user", "input_file");
		openai_write_text(in->out, "filename",
			title != NULL && title[0] != '\0' ? title : "document.pdf");
		openai_write_name(in->out, "file_data");
		openai_write_data_url(in->out, source);
	}
	buffer_putc(in->out, '}');
}

/* ---- assistant turns ---- */

static int
write_call(struct input *in, struct json_object *block)
{
	if (claude_calls_add(&in->calls, block) != 0)
		return no_memory(in);
	const struct claude_call *call = &in->calls.list[in->calls.count - 1];
	const char *name = tool_names_to_upstream(in->names, json_member_string(block, "name"));
	size_t length;
	const char *arguments = json_text(json_member(block, "input"), &length);
	if (name == NULL || arguments == NULL)
		return no_memory(in);
	/* Where the client was shown no thinking, the call carries it. */
	if (in->reasoning == NULL && call->extra != NULL)
		keep_reasoning(in, json_object_get(call->extra), NULL);
	write_reasoning(in);
	begin_item(in);
	buffer_puts(in->out, "{\"type\":\"function_call\"");
	openai_write_text(in->out, "call_id", call->id);
	openai_write_text(in->out, "name", name);
	openai_write_name(in->out, "arguments");
	json_write_string(in->out, arguments, length);
	return buffer_putc(in->out, '}');
}

static void
take_thinking(struct input *in, struct json_object *block)
{
	const char *signature = json_member_string(block, "signature");
	struct json_object *own = signature != NULL
					  ? carry_read_signature(signature, openai_responses.kind)
					  : NULL;

	if (own == NULL)
		return;
	/* One item after another: what waits is followed by this one. */
	write_reasoning(in);
	keep_reasoning(in, own, json_member(block, "thinking"));
}

static int
write_assistant_block(struct input *in, struct json_object *block)
{
	struct json_object *said = claude_block_text(block);

	if (said != NULL && json_object_get_string_len(said) > 0) {
		write_reasoning(in);
		write_text(in, "assistant", json_object_get_string(said),
			(size_t)json_object_get_string_len(said));
	} else if (claude_block_type(block) == CLAUDE_THINKING) {
		take_thinking(in, block);
	} else if (claude_block_type(block) == CLAUDE_TOOL_USE) {
		return write_call(in, block);
	}
	return 0;
}

/* ---- results ---- */

static int
write_output(struct input *in, const struct claude_call *call)
{
	struct buffer text = BUFFER_INIT(0);

	if (call->result != NULL)
		claude_write_tool_result(&text, call->result);
	else
		buffer_puts(&text, claude_no_result);
	begin_item(in);
	buffer_puts(in->out, "{\"type\":\"function_call_output\"");
	openai_write_text(in->out, "call_id", call->id);
	openai_write_name(in->out, "output");
	json_write_string(in->out, buffer_text(&text), text.length);
	buffer_putc(in->out, '}');
	int status = text.failed ? no_memory(in) : 0;
	buffer_free(&text);
	return status;
}

/* The outputs of the calls just written, from the results in messages ${first} to ${end}. */
static int
write_outputs(struct input *in, size_t first, size_t end)
{
	claude_calls_answer_all(&in->calls, in->request, first, end);
	for (size_t i = 0; i < in->calls.count; i++)
		if (write_output(in, &in->calls.list[i]) != 0)
			return -1;
	return 0;
}

/* ---- user turns ---- */

/* One message for each message. */
static int
write_user_message(struct input *in, struct json_object *content)
{
	end_message(in);
	if (openai_parts_gather(&in->parts, content, &in->calls, true, in->error) != 0)
		return -1;
	for (size_t i = 0; i < in->parts.count; i++) {
		const struct openai_part *part = &in->parts.list[i];
		if (part->text != NULL)
			write_text(in, "user", part->text, part->length);
		else
			write_file(in, part->block);
	}
	return 0;
}

/* ---- the conversation ---- */

static int
write_system(struct input *in, struct json_object *content)
{
	struct buffer text = BUFFER_INIT(0);

	end_message(in);
	claude_write_texts(&text, content, "\n\n");
	return write_text_of(in, "system", &text);
}

static int
write_assistant_turn(struct input *in, size_t first, size_t end)
{
	claude_calls_clear(&in->calls);
	end_message(in);
	for (size_t m = first; m < end; m++) {
		struct json_object *content = claude_content_at(in->request, m);
		if (claude_role_at(in->request, m) != CLAUDE_ASSISTANT)
			continue;
		for (size_t i = 0; i < claude_content_length(content); i++)
			if (write_assistant_block(in, claude_content_block(content, i)) != 0)
				return -1;
	}
	json_object_put(in->reasoning);
	in->reasoning = NULL;
	if (write_outputs(in, end, claude_turn_end(in->request, end, CLAUDE_USER)) != 0)
		return -1;
	for (size_t m = first; m < end; m++)
		if (claude_role_at(in->request, m) == CLAUDE_SYSTEM &&
			write_system(in, claude_content_at(in->request, m)) != 0)
			return -1;
	return 0;
}

static int
write_user_turn(struct input *in, size_t first, size_t end)
{
	for (size_t m = first; m < end; m++) {
		struct json_object *content = claude_content_at(in->request, m);
		if (claude_role_at(in->request, m) == CLAUDE_SYSTEM
				? write_system(in, content) != 0
				: write_user_message(in, content) != 0)
			return -1;
	}
	claude_calls_clear(&in->calls);
	return 0;
}

static int
write_conversation(struct input *in)
{
	size_t count = json_object_array_length(in->request->messages);

	for (size_t m = 0; m < count;) {
		bool assistant = claude_role_at(in->request, m) == CLAUDE_ASSISTANT;
		size_t end = claude_turn_end(
			in->request, m, assistant ? CLAUDE_ASSISTANT : CLAUDE_USER);
		if (assistant ? write_assistant_turn(in, m, end) != 0
			      : write_user_turn(in, m, end) != 0)
			return -1;
		m = end;
	}
	end_message(in);
	if (!in->any)
		return api_error_set(
			in->error, 400, "messages: there is no content in any of them");
	return in->out->failed ? no_memory(in) : 0;
}

int
openai_responses_write_input(const struct claude_request *request, struct tool_names *names,
	struct buffer *out, struct api_error *error)
{
	struct input in = {.request = request, .names = names, .out = out, .error = error};

	buffer_putc(out, '[');
	int status = claude_calls_init(&in.calls, openai_responses.kind, true) == 0
			     ? write_conversation(&in)
			     : no_memory(&in);
	buffer_putc(out, ']');
	json_object_put(in.reasoning);
	claude_calls_free(&in.calls);
	openai_parts_free(&in.parts);
	return status;
}

/*
 * The `messages` of a Chat Completions request; see chat_messages.h.
 *
 * The service refuses an assistant message with tool calls that is not followed at once by one tool
 * message for each call. So an assistant turn is written together with the results in the user turn
 * after it; when that turn comes, what is left of it becomes a user message.
 */
#include "translate/openai/chat_messages.h"

#include <stdbool.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "translate/round_trip.h"
#include "translate/claude/request.h"
#include "translate/claude/history_calls.h"
#include "translate/claude/text.h"
#include "translate/openai/parameters.h"
#include "translate/openai/parts.h"
#include "translate/translator.h"
#include "translate/tool_names.h"

struct chat {
	const struct claude_request *request;
	struct tool_names *names;
	struct json_writer *writer;
	struct api_error *error;
	bool any;                   /* a message of the conversation was written */
	struct json_list said;      /* by the assistant, in the turn that is being written */
	struct json_list thought;   /* likewise */
	struct history_calls calls; /* of the assistant turn just written */
	struct openai_parts parts;  /* of the user message that is being written */
};

static int
no_memory(struct chat *c)
{
	return api_error_set(c->error, 500, "out of memory");
}

static void
begin_message(struct chat *c, const char *role)
{
	c->any = true;
	json_open_object(c->writer);
	json_put_text_member(c->writer, "role", role);
}

/* ---- tool calls and their results ---- */

static void
write_tool_message(struct chat *c, const struct history_call *call)
{
	struct json_writer *w = c->writer;

	begin_message(c, "tool");
	json_put_text_member(w, "tool_call_id", call->id);
	json_put_name(w, "content");
	json_open_string(w);
	if (call->result != NULL)
		claude_string_tool_result(w, call->result);
	else
		json_string_text(w, claude_no_result);
	json_close_string(w);
	json_close_object(w);
}

/* The tool messages for the results in one message. */
static void
write_results_in(struct chat *c, const struct json *content)
{
	CLAUDE_EACH_BLOCK (block, content) {
		if (claude_block_type(block) != CLAUDE_TOOL_RESULT)
			continue;
		const struct history_call *call = history_calls_answer(&c->calls, block);
		if (call != NULL)
			write_tool_message(c, call);
	}
}

/* The tool messages for the calls just written: results in their order in messages ${first} to
 * ${end}, then stand-ins. */
static void
write_results(struct chat *c, size_t first, size_t end)
{
	for (size_t m = first; m < end; m++)
		write_results_in(c, claude_content_at(c->request, m));
	for (size_t i = 0; i < c->calls.count; i++)
		if (c->calls.list[i].result == NULL)
			write_tool_message(c, &c->calls.list[i]);
}

/* ---- assistant turns ---- */

static void
write_call(struct chat *c, const struct history_call *call)
{
	struct json_writer *w = c->writer;

	json_open_object(w);
	json_put_text_member(w, "id", call->id);
	json_put_text_member(w, "type", "function");
	json_open_object_member(w, "function");
	json_put_name(w, "name");
	tool_names_put(c->names, w, json_member(call->block, "name"));
	json_put_name(w, "arguments");
	openai_put_arguments(w, json_member(call->block, "input"));
	json_close_object(w);
	if (call->extra != NULL)
		json_put_value_member(w, "extra_content", call->extra);
	json_close_object(w);
}

/* Thinking goes back only to the kind of service that it came from. */
static bool
is_own_thinking(const struct json *block)
{
	struct carried carried = {0};
	bool own = round_trip_read_signature(
		json_member_string(block, "signature"), openai_chat.kind, &carried);

	carried_free(&carried);
	return own;
}

/* Add a string to a list of those that are written together, unless it is empty. */
static int
gather_string(struct chat *c, struct json_list *list, const struct json *string)
{
	if (json_content_length(string) == 0 || json_list_add(list, string) == 0)
		return 0;
	return no_memory(c);
}

/* Gather the text, the thinking and the calls of one assistant message. */
static int
gather_assistant(struct chat *c, const struct json *content)
{
	CLAUDE_EACH_BLOCK (block, content) {
		const struct json *text = claude_block_text(block);
		enum claude_block type = claude_block_type(block);
		int status = 0;
		if (text != NULL)
			status = gather_string(c, &c->said, text);
		else if (type == CLAUDE_THINKING && is_own_thinking(block))
			status = gather_string(c, &c->thought, json_member(block, "thinking"));
		else if (type == CLAUDE_TOOL_USE && history_calls_add(&c->calls, block) != 0)
			status = no_memory(c);
		if (status != 0)
			return -1;
	}
	return 0;
}

/* The strings of a list as one. */
static void
put_together(struct json_writer *w, const struct json_list *list)
{
	json_open_string(w);
	for (size_t i = 0; i < list->count; i++)
		json_string_value(w, list->values[i]);
	json_close_string(w);
}

static void
write_assistant_message(struct chat *c)
{
	struct json_writer *w = c->writer;

	if (c->said.count == 0 && c->calls.count == 0)
		return;
	begin_message(c, "assistant");
	json_put_name(w, "content");
	if (c->said.count > 0)
		put_together(w, &c->said);
	else
		json_put_null(w);
	if (c->thought.count > 0) {
		json_put_name(w, "reasoning_content");
		put_together(w, &c->thought);
	}
	if (c->calls.count > 0) {
		json_open_array_member(w, "tool_calls");
		for (size_t i = 0; i < c->calls.count; i++)
			write_call(c, &c->calls.list[i]);
		json_close_array(w);
	}
	json_close_object(w);
}

/* ---- user turns ---- */

static void
write_file_part(struct json_writer *w, const struct json *block)
{
	bool image = claude_block_type(block) == CLAUDE_IMAGE;

	json_put_text_member(w, "type", image ? "image_url" : "file");
	json_open_object_member(w, image ? "image_url" : "file");
	if (image) {
		json_put_name(w, "url");
		openai_put_data_url(w, json_member(block, "source"));
	} else {
		openai_put_file_members(w, block);
	}
	json_close_object(w);
}

static void
write_part(struct json_writer *w, const struct openai_part *part)
{
	json_open_object(w);
	if (part->kind == OPENAI_PART_FILE) {
		write_file_part(w, part->block);
	} else {
		json_put_text_member(w, "type", "text");
		json_put_name(w, "text");
		json_open_string(w);
		openai_string_part(w, part);
		json_close_string(w);
	}
	json_close_object(w);
}

/* Text alone goes as a string: every compatible service takes that. */
static void
put_plain_parts(struct json_writer *w, const struct openai_parts *parts)
{
	json_open_string(w);
	for (size_t i = 0; i < parts->count; i++) {
		if (i > 0)
			json_string_text(w, "\n\n");
		openai_string_part(w, &parts->list[i]);
	}
	json_close_string(w);
}

static void
write_user_message(struct chat *c)
{
	struct json_writer *w = c->writer;

	if (c->parts.count == 0)
		return;
	begin_message(c, "user");
	json_put_name(w, "content");
	if (c->parts.has_file) {
		json_open_array(w);
		for (size_t i = 0; i < c->parts.count; i++)
			write_part(w, &c->parts.list[i]);
		json_close_array(w);
	} else {
		put_plain_parts(w, &c->parts);
	}
	json_close_object(w);
}

/* ---- the conversation ---- */

static void
open_system_message(struct chat *c)
{
	begin_message(c, "system");
	json_put_name(c->writer, "content");
	json_open_string(c->writer);
}

static void
close_system_message(struct chat *c)
{
	json_close_string(c->writer);
	json_close_object(c->writer);
}

static void
write_system_prompt(struct chat *c)
{
	if (!claude_has_system(c->request))
		return;
	open_system_message(c);
	claude_string_system(c->writer, c->request);
	close_system_message(c);
	/* A prompt alone is no conversation. */
	c->any = false;
}

static void
write_system_turn(struct chat *c, const struct json *content)
{
	if (!claude_has_text(content))
		return;
	open_system_message(c);
	claude_string_texts(c->writer, content, "\n\n");
	close_system_message(c);
}

/*
 * The assistant turn from ${first} to ${end}, and the results in the user turn after it; then the
 * system turns in it, which may not stand between calls and results.
 */
static int
write_assistant_turn(struct chat *c, size_t first, size_t end)
{
	c->said.count = 0;
	c->thought.count = 0;
	history_calls_clear(&c->calls);
	for (size_t m = first; m < end; m++)
		if (claude_role_at(c->request, m) == CLAUDE_ASSISTANT &&
			gather_assistant(c, claude_content_at(c->request, m)) != 0)
			return -1;
	write_assistant_message(c);
	if (c->calls.count > 0)
		write_results(c, end, claude_turn_end(c->request, end, CLAUDE_USER));
	for (size_t m = first; m < end; m++)
		if (claude_role_at(c->request, m) == CLAUDE_SYSTEM)
			write_system_turn(c, claude_content_at(c->request, m));
	return 0;
}

/* The user turn from ${first} to ${end}: one message for each message, system turns at their
 * places. */
static int
write_user_turn(struct chat *c, size_t first, size_t end)
{
	bool begins = true;

	for (size_t m = first; m < end; m++) {
		const struct json *content = claude_content_at(c->request, m);
		if (claude_role_at(c->request, m) == CLAUDE_SYSTEM) {
			write_system_turn(c, content);
			continue;
		}
		if (openai_parts_gather(&c->parts, content, begins, &c->calls, false, c->error) !=
			0)
			return -1;
		begins = false;
		write_user_message(c);
	}
	history_calls_clear(&c->calls);
	return 0;
}

static int
write_conversation(struct chat *c)
{
	size_t end;

	for (size_t first = 0; first < c->request->messages.count; first = end) {
		bool assistant = claude_role_at(c->request, first) == CLAUDE_ASSISTANT;
		end = claude_turn_end(
			c->request, first, assistant ? CLAUDE_ASSISTANT : CLAUDE_USER);
		if (assistant ? write_assistant_turn(c, first, end) != 0
			      : write_user_turn(c, first, end) != 0)
			return -1;
	}
	if (!c->any)
		return api_error_set(c->error, 400, "messages: there is no content in any of them");
	return c->writer->out->failed ? no_memory(c) : 0;
}

int
openai_chat_write_messages(const struct claude_request *request, struct tool_names *names,
	struct json_writer *writer, struct api_error *error)
{
	struct chat c = {.request = request, .names = names, .writer = writer, .error = error};

	history_calls_init(&c.calls, openai_chat.kind, false);
	json_open_array(writer);
	write_system_prompt(&c);
	int status = write_conversation(&c);
	json_close_array(writer);
	json_list_free(&c.said);
	json_list_free(&c.thought);
	history_calls_free(&c.calls);
	openai_parts_free(&c.parts);
	return status;
}

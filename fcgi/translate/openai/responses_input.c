/*
 * A conversation as the input items of a Responses request (PROTOCOL.md §B.3).
 *
 * Items stand in the order in which they were made: what the model thought comes before what it
 * then said or called, and the outputs of an assistant turn's calls come right after it.
 */
#include <stdbool.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/history_calls.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/claude/turns.h"
#include "translate/model_facts.h"
#include "translate/openai/parameters.h"
#include "translate/openai/parts.h"
#include "translate/openai/responses.h"
#include "translate/round_trip.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

struct input {
	const struct claude_request *request;
	const char *origin;   /* of what is our own to send back */
	bool system_anywhere; /* system turns are allowed in the middle */
	bool forgets;         /* what was thought does not go back */
	bool has_phases;      /* what the assistant said is commentary, or a final answer */
	struct tool_names *names;
	struct json_writer *writer;
	struct api_error *error;
	bool any;            /* an item was written */
	const char *message; /* the role of the message item that is open; NULL if none is */
	bool is_said;        /* its content is the string of what the assistant said */
	const struct json *reasoning; /* an item that waits for the one after it; NULL if none */
	const struct json *summary;   /* its text; NULL if none */
	struct carried thought;       /* lends ${reasoning}, where a thinking block carried it */
	const char *phase;            /* of the assistant turn that is being written */
	struct history_calls calls;   /* of the assistant turn just written */
	struct openai_parts parts;    /* of the user message that is being written */
};

static int
no_memory(struct input *in)
{
	return api_error_no_memory(in->error);
}

/* ---- items ---- */

static void
end_message(struct input *in)
{
	if (in->message == NULL)
		return;
	if (in->is_said)
		json_close_string(in->writer);
	else
		json_close_array(in->writer);
	json_close_object(in->writer);
	in->message = NULL;
	in->is_said = false;
}

static void
begin_item(struct input *in)
{
	end_message(in);
	json_open_object(in->writer);
	in->any = true;
}

static void
drop_reasoning(struct input *in)
{
	carried_free(&in->thought);
	in->thought = (struct carried){0};
	in->reasoning = NULL;
}

/* The service refuses a reasoning item that nothing follows, so it is written before the next. */
static void
write_reasoning(struct input *in)
{
	struct json_writer *w = in->writer;

	if (in->reasoning == NULL)
		return;
	begin_item(in);
	json_put_text_member(w, "type", "reasoning");
	json_put_value_member(w, "id", json_member(in->reasoning, "id"));
	json_open_array_member(w, "summary");
	if (json_content_length(in->summary) > 0) {
		json_open_object(w);
		json_put_text_member(w, "type", "summary_text");
		json_put_value_member(w, "text", in->summary);
		json_close_object(w);
	}
	json_close_array(w);
	json_put_value_member(
		w, "encrypted_content", json_member(in->reasoning, "encrypted_content"));
	json_close_object(w);
	drop_reasoning(in);
}

/* Keep an item that was carried through the client, unless it is damaged. */
static void
keep_reasoning(struct input *in, const struct json *item, const struct json *summary)
{
	if (json_member_string(item, "id") == NULL ||
		json_member_string(item, "encrypted_content") == NULL) {
		drop_reasoning(in);
		return;
	}
	in->reasoning = item;
	in->summary = summary;
}

/* Begin a part of a message of ${role}, in the open message if it is of the same. */
static void
begin_part(struct input *in, const char *role, const char *type)
{
	if (in->message == NULL || strcmp(in->message, role) != 0) {
		begin_item(in);
		json_put_text_member(in->writer, "role", role);
		json_open_array_member(in->writer, "content");
		in->message = role;
	}
	json_open_object(in->writer);
	json_put_text_member(in->writer, "type", type);
}

/* Begin a part that is a text; the string is open. */
static void
begin_text(struct input *in, const char *role, const char *type)
{
	begin_part(in, role, type);
	json_put_name(in->writer, "text");
	json_open_string(in->writer);
}

static void
end_text(struct input *in)
{
	json_close_string(in->writer);
	json_close_object(in->writer);
}

/* ---- assistant turns ---- */

/* As a plain string, the one form that every service takes.  ${apart}: it begins a message. */
static void
begin_said(struct input *in, bool apart)
{
	if (!in->is_said) {
		begin_item(in);
		json_put_text_member(in->writer, "role", "assistant");
		if (in->has_phases)
			json_put_text_member(in->writer, "phase", in->phase);
		json_put_name(in->writer, "content");
		json_open_string(in->writer);
		in->message = "assistant";
		in->is_said = true;
	} else if (apart) {
		json_string_text(in->writer, "\n\n");
	}
}

static int
write_call(struct input *in, const struct json *block)
{
	struct json_writer *w = in->writer;

	if (history_calls_add(&in->calls, block) != 0)
		return no_memory(in);
	const struct history_call *call = &in->calls.list[in->calls.count - 1];
	/* Where the client was shown no thinking, the call carries it. */
	if (in->reasoning == NULL && call->extra != NULL && !in->forgets)
		keep_reasoning(in, call->extra, NULL);
	write_reasoning(in);
	begin_item(in);
	json_put_text_member(w, "type", "function_call");
	json_put_text_member(w, "call_id", call->id);
	json_put_name(w, "name");
	tool_names_put(in->names, w, json_member(block, "name"));
	json_put_name(w, "arguments");
	openai_put_arguments(w, json_member(block, "input"));
	json_close_object(w);
	return 0;
}

static void
take_thinking(struct input *in, const struct json *block)
{
	struct carried own = {0};

	if (in->forgets || !round_trip_read_signature(
				   json_member_string(block, "signature"), in->origin, &own)) {
		carried_free(&own);
		return;
	}
	/* One item after another: what waits is followed by this one. */
	write_reasoning(in);
	in->thought = own;
	keep_reasoning(in, own.object, json_member(block, "thinking"));
}

static bool
is_said(const struct json *block)
{
	return json_content_length(claude_block_text(block)) > 0 ||
	       (claude_block_type(block) == CLAUDE_WEB_RESULT && claude_has_found(block));
}

static void
write_said(struct input *in, const struct json *block, bool *begun)
{
	const struct json *text = claude_block_text(block);

	begin_said(in, text == NULL || !*begun);
	if (text != NULL)
		json_string_value(in->writer, text);
	else
		claude_string_found(in->writer, block);
	*begun = text != NULL;
}

/* Nothing stands between calls and their outputs: what is said after a call comes before it. */
static void
write_said_after(struct input *in, const struct json *call, bool *begun)
{
	for (const struct json *block = json_next(call); block != NULL; block = json_next(block))
		if (is_said(block))
			write_said(in, block, begun);
}

static int
write_assistant_message(struct input *in, const struct json *content)
{
	bool begun = false;
	bool called = false;

	CLAUDE_EACH_BLOCK (block, content) {
		if (is_said(block) && !called) {
			write_reasoning(in);
			write_said(in, block, &begun);
		} else if (claude_block_type(block) == CLAUDE_THINKING) {
			take_thinking(in, block);
		} else if (claude_block_type(block) == CLAUDE_TOOL_USE) {
			if (!called)
				write_said_after(in, block, &begun);
			called = true;
			if (write_call(in, block) != 0)
				return -1;
		}
	}
	return 0;
}

/* ---- results ---- */

static void
write_output(struct input *in, const struct history_call *call)
{
	struct json_writer *w = in->writer;

	begin_item(in);
	json_put_text_member(w, "type", "function_call_output");
	json_put_text_member(w, "call_id", call->id);
	json_put_name(w, "output");
	json_open_string(w);
	claude_string_tool_result(w, call->result);
	json_close_string(w);
	json_close_object(w);
}

/* The outputs of the calls just written, from the results in the user turn after them. */
static void
write_outputs(struct input *in, const struct claude_turn *user)
{
	history_calls_answer_turn(&in->calls, user);
	for (size_t i = 0; i < in->calls.count; i++)
		write_output(in, &in->calls.list[i]);
}

/* ---- user turns ---- */

static void
write_file(struct input *in, const struct json *block)
{
	struct json_writer *w = in->writer;
	const struct json *source = json_member(block, "source");

	if (claude_block_type(block) == CLAUDE_IMAGE) {
		begin_part(in, "user", "input_image");
		json_put_name(w, "image_url");
		openai_put_data_url(w, source);
	} else if (json_is_text(json_member(source, "type"), "url")) {
		begin_part(in, "user", "input_file");
		json_put_value_member(w, "file_url", json_member(source, "url"));
	} else {
		begin_part(in, "user", "input_file");
		openai_put_file_members(w, block);
	}
	json_close_object(w);
}

static void
write_user_parts(struct input *in)
{
	for (size_t i = 0; i < in->parts.count; i++) {
		const struct openai_part *part = &in->parts.list[i];
		if (part->kind == OPENAI_PART_FILE) {
			write_file(in, part->block);
			continue;
		}
		begin_text(in, "user", "input_text");
		openai_string_part(in->writer, part);
		end_text(in);
	}
	openai_parts_clear(&in->parts);
}

/* One message for each message. */
static int
write_user_message(struct input *in, const struct json *content)
{
	end_message(in);
	if (openai_parts_gather(&in->parts, content, &in->calls, in->error) != 0)
		return -1;
	write_user_parts(in);
	return 0;
}

/* ---- the conversation ---- */

static int
write_system(struct input *in, const struct json *content)
{
	end_message(in);
	if (!claude_has_text(content))
		return 0;
	if (!in->system_anywhere) {
		if (openai_parts_gather_system(&in->parts, content, in->error) != 0)
			return -1;
		write_user_parts(in);
		return 0;
	}
	begin_text(in, "system", "input_text");
	claude_string_texts(in->writer, content, "\n\n");
	end_text(in);
	return 0;
}

/* The client has no place for the phase that the model gave with a text, but it follows from what
 * came then: a call, or the end of the turn. */
static const char *
phase_of(const struct claude_turn *turn)
{
	CLAUDE_EACH_MESSAGE (message, turn)
		CLAUDE_EACH_BLOCK (block, claude_content(message))
			if (claude_block_type(block) == CLAUDE_TOOL_USE)
				return "commentary";
	return "final_answer";
}

/* An assistant turn, the outputs of its calls, and then the system turns in it. */
static int
write_assistant_turn(struct input *in, const struct claude_turn *turn)
{
	const struct claude_turn user = claude_next_turn(turn);

	history_calls_clear(&in->calls);
	end_message(in);
	in->phase = phase_of(turn);
	CLAUDE_EACH_MESSAGE (message, turn)
		if (claude_message_role(message) == CLAUDE_ASSISTANT &&
			write_assistant_message(in, claude_content(message)) != 0)
			return -1;
	drop_reasoning(in);
	write_outputs(in, &user);
	CLAUDE_EACH_MESSAGE (message, turn)
		if (claude_message_role(message) == CLAUDE_SYSTEM &&
			write_system(in, claude_content(message)) != 0)
			return -1;
	return 0;
}

static int
write_user_turn(struct input *in, const struct claude_turn *turn)
{
	if (openai_parts_gather_files(&in->parts, &in->calls, in->error) != 0)
		return -1;
	CLAUDE_EACH_MESSAGE (message, turn) {
		const struct json *content = claude_content(message);
		bool system = claude_message_role(message) == CLAUDE_SYSTEM;
		if (system ? write_system(in, content) != 0 : write_user_message(in, content) != 0)
			return -1;
	}
	history_calls_clear(&in->calls);
	return 0;
}

static int
write_conversation(struct input *in)
{
	CLAUDE_EACH_TURN (turn, in->request, CLAUDE_SYSTEM_EITHER)
		if (turn.assistant ? write_assistant_turn(in, &turn) != 0
				   : write_user_turn(in, &turn) != 0)
			return -1;
	end_message(in);
	if (!in->any)
		return api_error_set(
			in->error, 400, "messages: there is no content in any of them");
	return in->writer->out->failed ? no_memory(in) : 0;
}

int
openai_responses_write_input(const struct claude_request *request,
	const struct translate_target *target, struct tool_names *names, struct json_writer *writer,
	struct api_error *error)
{
	struct input in = {
		.request = request,
		.origin = translate_origin(target, &openai_responses),
		.system_anywhere = model_facts_host_is(&target->facts, HOST_SYSTEM_ANYWHERE) &&
				   (target->fixes & (FIX_SYSTEM_FIRST | FIX_SYSTEM_AS_USER)) == 0,
		.has_phases = target->facts.model->phases &&
			      model_facts_host_is(&target->facts, HOST_PHASES),
		.forgets = (target->fixes & FIX_FORGET_THINKING) != 0,
		.names = names,
		.writer = writer,
		.error = error,
		.parts = {.document_urls = true, .fixes = target->fixes},
	};

	history_calls_init(&in.calls, in.origin, CLAUDE_IDS_UNIQUE);
	json_open_array(writer);
	int status = write_conversation(&in);
	json_close_array(writer);
	drop_reasoning(&in);
	history_calls_free(&in.calls);
	openai_parts_free(&in.parts);
	return status;
}

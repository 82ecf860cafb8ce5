/*
 * The `messages` of a Chat Completions request; see chat_messages.h.
 *
 * The service refuses an assistant message with tool calls that is not followed at once by one tool
 * message for each call. So an assistant turn is written together with the results in the user turn
 * after it; when that turn comes, what is left of it becomes a user message.
 */
#include "translate/openai/chat/chat_messages.h"

#include <stdbool.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/claude/turns.h"
#include "translate/model_facts.h"
#include "translate/openai/chat/chat_assistant.h"
#include "translate/openai/hosted_search.h"
#include "translate/openai/parts.h"
#include "translate/translator.h"

struct chat {
	const struct claude_request *request;
	const struct translate_target *target;
	const struct model_facts *facts; /* the target's */
	struct json_writer *writer;
	struct api_error *error;
	bool system_anywhere; /* system turns are allowed in the middle, and users in a row */
	bool text_in_result;  /* what a user says after a result belongs into it */
	bool any;             /* a message of the conversation was written */
	struct chat_assistant assistant; /* its last turn, and the calls in it */
	struct openai_parts parts;       /* of the user message that is being written */
};

static int
no_memory(struct chat *c)
{
	return api_error_no_memory(c->error);
}

static void write_user_message(struct chat *);

static void
begin_message(struct chat *c, const char *role)
{
	c->any = true;
	json_open_object(c->writer);
	json_put_text_member(c->writer, "role", role);
}

/* ---- tool calls and their results ---- */

/* ${last}: what the user says after it goes with it, where that may not follow. */
static void
write_tool_message(struct chat *c, const struct history_call *call, bool last)
{
	struct json_writer *w = c->writer;

	begin_message(c, "tool");
	json_put_text_member(w, "tool_call_id", call->id);
	json_put_name(w, "content");
	json_open_string(w);
	claude_string_tool_result(w, call->result);
	for (size_t i = 0; last && i < c->parts.count; i++) {
		json_string_text(w, "\n\n");
		openai_string_part(w, &c->parts.list[i]);
	}
	json_close_string(w);
	json_close_object(w);
}

/* The tool messages for the results in one message of the user. */
static void
write_results_in(struct chat *c, const struct json *content)
{
	CLAUDE_EACH_BLOCK (block, content) {
		if (claude_block_type(block) != CLAUDE_TOOL_RESULT)
			continue;
		const struct history_call *call = history_calls_answer(&c->assistant.calls, block);
		if (call != NULL)
			write_tool_message(c, call, false);
	}
}

/* The tool messages for the calls just written: results in the order in which the user sent them,
 * then stand-ins. */
static void
write_results(struct chat *c, const struct claude_turn *user)
{
	CLAUDE_EACH_MESSAGE (message, user)
		write_results_in(c, claude_content(message));
	for (size_t i = 0; i < c->assistant.calls.count; i++)
		if (c->assistant.calls.list[i].result == NULL)
			write_tool_message(c, &c->assistant.calls.list[i], false);
}

static int gather_user_turn(struct chat *, const struct claude_turn *);

/*
 * Likewise, with all that the user says in that turn in the last of them.  It cannot contain a
 * file: then a word of the assistant comes between.
 */
static int
write_results_with_text(struct chat *c, const struct claude_turn *user)
{
	history_calls_answer_turn(&c->assistant.calls, user);
	if (gather_user_turn(c, user) != 0)
		return -1;
	for (size_t i = 0; i < c->assistant.calls.count; i++)
		write_tool_message(c, &c->assistant.calls.list[i],
			!c->parts.has_file && i + 1 == c->assistant.calls.count);
	if (c->parts.has_file) {
		begin_message(c, "assistant");
		json_put_text_member(c->writer, "content", "I see.");
		json_close_object(c->writer);
		write_user_message(c);
	}
	openai_parts_clear(&c->parts);
	return 0;
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
write_part(struct chat *c, const struct openai_part *part)
{
	struct json_writer *w = c->writer;

	json_open_object(w);
	if (part->kind == OPENAI_PART_FILE) {
		write_file_part(w, part->block);
	} else {
		json_put_text_member(w, "type", "text");
		json_put_name(w, "text");
		json_open_string(w);
		openai_string_part(w, part);
		json_close_string(w);
		if (model_facts_host_is(c->facts, HOST_CACHE_CONTROL))
			openai_put_cache_mark(w, part);
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

	bool marked = c->parts.has_mark && model_facts_host_is(c->facts, HOST_CACHE_CONTROL);

	if (c->parts.count == 0)
		return;
	begin_message(c, "user");
	json_put_name(w, "content");
	if (c->parts.has_file || marked) {
		json_open_array(w);
		for (size_t i = 0; i < c->parts.count; i++)
			write_part(c, &c->parts.list[i]);
		json_close_array(w);
	} else {
		put_plain_parts(w, &c->parts);
	}
	json_close_object(w);
}

/* ---- the conversation ---- */

static struct claude_words
words_of(const struct chat *c)
{
	struct claude_words words = {0};

	if ((c->facts->model->flags & (MODEL_OBJECT_FORMAT | MODEL_NO_FORMAT)) != 0 ||
		(c->target->fixes & FIX_NO_FORMAT) != 0)
		words.format = c->request->output_schema;
	openai_set_search_words(&words, c->request, model_facts_chat_search(c->facts));
	return words;
}

static bool
has_marked_system(const struct chat *c)
{
	const struct json_list *system = &c->request->system;

	for (size_t i = 0; i < system->count; i++)
		if (json_is_object(system->values[i]) &&
			json_member_object(system->values[i], "cache_control") != NULL)
			return model_facts_host_is(c->facts, HOST_CACHE_CONTROL);
	return false;
}

/* The system prompt as parts, with the marks up to which it can be cached. */
static void
write_system_parts(struct chat *c, const struct claude_words *words)
{
	const struct json_list *system = &c->request->system;

	json_open_array(c->writer);
	for (size_t i = 0; i < system->count; i++) {
		const struct openai_part part = {
			.kind = OPENAI_PART_TEXT, .block = system->values[i]};
		if (json_content_length(claude_block_text(part.block)) > 0)
			write_part(c, &part);
	}
	if (claude_has_words(words)) {
		json_open_object(c->writer);
		json_put_text_member(c->writer, "type", "text");
		json_put_name(c->writer, "text");
		json_open_string(c->writer);
		claude_string_words(c->writer, words);
		json_close_string(c->writer);
		json_close_object(c->writer);
	}
	json_close_array(c->writer);
}

/* A prompt alone is no conversation. */
static void
write_system_prompt(struct chat *c)
{
	bool as_user = (c->target->fixes & FIX_SYSTEM_AS_USER) != 0;
	const struct claude_words words = words_of(c);

	if (!claude_has_system(c->request) && !claude_has_words(&words))
		return;
	begin_message(c, as_user ? "user" : "system");
	json_put_name(c->writer, "content");
	if (has_marked_system(c)) {
		write_system_parts(c, &words);
	} else {
		json_open_string(c->writer);
		claude_string_instructions(c->writer, c->request, &words);
		json_close_string(c->writer);
	}
	json_close_object(c->writer);
	c->any = false;
}

static int
write_system_turn(struct chat *c, const struct json *content)
{
	if (!c->system_anywhere)
		return openai_parts_gather_system(&c->parts, content, c->error);
	if (!claude_has_text(content))
		return 0;
	begin_message(c, "system");
	json_put_name(c->writer, "content");
	json_open_string(c->writer);
	claude_string_texts(c->writer, content, "\n\n");
	json_close_string(c->writer);
	json_close_object(c->writer);
	return 0;
}

static int
write_system_turns(struct chat *c, const struct claude_turn *turn)
{
	CLAUDE_EACH_MESSAGE (message, turn)
		if (claude_message_role(message) == CLAUDE_SYSTEM &&
			write_system_turn(c, claude_content(message)) != 0)
			return -1;
	return 0;
}

/* What is left of the user turn that follows the calls just written, as one message's parts. */
static int
gather_user_turn(struct chat *c, const struct claude_turn *turn)
{
	if (openai_parts_gather_files(&c->parts, &c->assistant.calls, c->error) != 0)
		return -1;
	CLAUDE_EACH_MESSAGE (message, turn) {
		const struct json *content = claude_content(message);
		bool system = claude_message_role(message) == CLAUDE_SYSTEM;
		if (system ? openai_parts_gather_system(&c->parts, content, c->error) != 0
			   : openai_parts_gather(
				     &c->parts, content, &c->assistant.calls, c->error) != 0)
			return -1;
	}
	return 0;
}

/*
 * An assistant turn, and the results in the user turn after it; then the system turns in it, which
 * may not stand between calls and results.
 */
static int
write_assistant_turn(struct chat *c, const struct claude_turn *turn)
{
	const struct claude_turn user = claude_next_turn(turn);

	chat_assistant_clear(&c->assistant);
	CLAUDE_EACH_MESSAGE (message, turn)
		if (claude_message_role(message) == CLAUDE_ASSISTANT &&
			chat_assistant_gather(&c->assistant, claude_content(message)) != 0)
			return no_memory(c);
	if (!chat_assistant_is_empty(&c->assistant)) {
		chat_assistant_write(&c->assistant, turn->after == 0, c->writer);
		c->any = true;
	}
	bool called = c->assistant.calls.count > 0;
	if (called && !c->text_in_result)
		write_results(c, &user);
	if (write_system_turns(c, turn) != 0)
		return -1;
	return called && c->text_in_result ? write_results_with_text(c, &user) : 0;
}

/* A user turn message by message, with system turns at their places. */
static int
write_user_messages(struct chat *c, const struct claude_turn *turn)
{
	if (openai_parts_gather_files(&c->parts, &c->assistant.calls, c->error) != 0)
		return -1;
	CLAUDE_EACH_MESSAGE (message, turn) {
		const struct json *content = claude_content(message);
		if (claude_message_role(message) == CLAUDE_SYSTEM) {
			write_system_turn(c, content);
			continue;
		}
		if (openai_parts_gather(&c->parts, content, &c->assistant.calls, c->error) != 0)
			return -1;
		write_user_message(c);
		openai_parts_clear(&c->parts);
	}
	return 0;
}

/* A user turn: message by message if the service allows that, otherwise as one. */
static int
write_user_turn(struct chat *c, const struct claude_turn *turn)
{
	bool written = c->text_in_result && c->assistant.calls.count > 0; /* with the results */

	if (c->system_anywhere && write_user_messages(c, turn) != 0)
		return -1;
	if (!c->system_anywhere && !written) {
		if (gather_user_turn(c, turn) != 0)
			return -1;
		write_user_message(c);
	}
	openai_parts_clear(&c->parts);
	history_calls_clear(&c->assistant.calls);
	return 0;
}

static void
write_last_words(struct chat *c, bool assistant)
{
	/* System turns after the assistant. */
	if (c->parts.count > 0) {
		write_user_message(c);
	} else if (assistant && c->assistant.calls.count == 0 &&
		   c->facts->host->trailing == TRAILING_REFUSED) {
		begin_message(c, "user");
		json_put_text_member(c->writer, "content", "Continue.");
		json_close_object(c->writer);
	}
}

static int
write_conversation(struct chat *c)
{
	bool assistant = false;

	CLAUDE_EACH_TURN (turn, c->request, CLAUDE_SYSTEM_EITHER) {
		assistant = turn.assistant;
		if (assistant ? write_assistant_turn(c, &turn) != 0
			      : write_user_turn(c, &turn) != 0)
			return -1;
	}
	write_last_words(c, assistant);
	if (!c->any)
		return api_error_set(c->error, 400, "messages: there is no content in any of them");
	return c->writer->out->failed ? no_memory(c) : 0;
}

int
openai_chat_write_messages(const struct claude_request *request,
	const struct translate_target *target, struct tool_names *names, struct json_writer *writer,
	struct api_error *error)
{
	const struct model_facts *facts = &target->facts;
	const unsigned ordered = FIX_SYSTEM_FIRST | FIX_SYSTEM_AS_USER | FIX_TEXT_IN_RESULT;
	struct chat c = {
		.request = request,
		.target = target,
		.facts = facts,
		.writer = writer,
		.error = error,
		.system_anywhere = model_facts_host_is(facts, HOST_SYSTEM_ANYWHERE) &&
				   (target->fixes & ordered) == 0,
		.text_in_result = model_facts_is(facts, MODEL_MISTRAL) ||
				  (target->fixes & FIX_TEXT_IN_RESULT) != 0,
		.parts = {.fixes = target->fixes},
	};

	if (c.text_in_result)
		c.system_anywhere = false;
	chat_assistant_init(&c.assistant, request, target, names);
	json_open_array(writer);
	write_system_prompt(&c);
	int status = write_conversation(&c);
	json_close_array(writer);
	chat_assistant_free(&c.assistant);
	openai_parts_free(&c.parts);
	return status;
}

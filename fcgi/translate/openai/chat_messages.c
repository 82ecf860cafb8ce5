/*
 * The `messages` of a Chat Completions request; see chat_messages.h.
 *
 * The service refuses an assistant message with tool calls that is not followed at once by one tool
 * message for each call. So an assistant turn is written together with the results in the user turn
 * after it; when that turn comes, what is left of it becomes a user message.
 */
#include "translate/openai/chat_messages.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "translate/claude/history_calls.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/model_facts.h"
#include "translate/openai/hosted_search.h"
#include "translate/openai/parameters.h"
#include "translate/openai/parts.h"
#include "translate/openai/thinking.h"
#include "translate/round_trip.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

/* Where what the model thought stood in its answer, and goes back to. */
enum thought_place {
	THOUGHT_CONTENT, /* parts of the content */
	THOUGHT_TAGS,    /* between tags at the beginning of the content */
	THOUGHT_DETAILS, /* in reasoning_details alone */
	THOUGHT_MEMBER,  /* a member of its own, of which ${name} is the name */
};

static const struct {
	const char *origin; /* as the signature has it */
	enum thought_place place;
	const char *name; /* of the member, or the tag */
} thought_places[] = {
	{"content", THOUGHT_CONTENT, NULL}, {"think", THOUGHT_TAGS, "think"},
	{"thought", THOUGHT_TAGS, "thought"}, {"reasoning_details", THOUGHT_DETAILS, NULL},
	{"reasoning", THOUGHT_MEMBER, "reasoning"},
	{"reasoning_text", THOUGHT_MEMBER, "reasoning_text"},
	{"", THOUGHT_MEMBER, "reasoning_content"}, /* it is not told */
};

/* What the assistant did in the turn that is being written. */
struct assistant {
	struct json_list said; /* texts, and what a web search found; NULL stands between two
				  messages */
	struct json_list thought;
	size_t place;              /* of the thought, in thought_places */
	struct json_list details;  /* the parts of reasoning_details, which go back as they came */
	const struct json *opaque; /* reasoning_opaque, likewise; NULL: none */
	struct carried *carried;   /* what lends them */
	size_t carried_count;
};

struct chat {
	const struct claude_request *request;
	const struct translate_target *target;
	const struct model_facts *facts; /* the target's */
	const char *origin;              /* of what is our own to send back */
	struct tool_names *names;
	struct json_writer *writer;
	struct api_error *error;
	bool system_anywhere; /* system turns may stand in the middle, and users in a row */
	bool text_in_result;  /* what a user says behind a result belongs into it */
	bool wants_thinking;  /* each assistant message has some, be it empty */
	bool any;             /* a message of the conversation was written */
	struct assistant turn;
	struct history_calls calls; /* of the assistant turn just written */
	struct openai_parts parts;  /* of the user message that is being written */
};

static int
no_memory(struct chat *c)
{
	return api_error_set(c->error, 500, "out of memory");
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
	if (call->result != NULL)
		claude_string_tool_result(w, call->result);
	else
		json_string_text(w, claude_no_result);
	for (size_t i = 0; last && i < c->parts.count; i++) {
		json_string_text(w, "\n\n");
		openai_string_part(w, &c->parts.list[i]);
	}
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
			write_tool_message(c, call, false);
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
			write_tool_message(c, &c->calls.list[i], false);
}

static int gather_user_turn(struct chat *, size_t first, size_t end);

/*
 * The same, with what the user says in the turn from ${first} to ${end} in the last of them.  A
 * file cannot stand there: then a word of the assistant comes between.
 */
static int
write_results_with_text(struct chat *c, size_t first, size_t end)
{
	history_calls_answer_all(&c->calls, c->request, first, end);
	if (gather_user_turn(c, first, end) != 0)
		return -1;
	for (size_t i = 0; i < c->calls.count; i++)
		write_tool_message(
			c, &c->calls.list[i], !c->parts.has_file && i + 1 == c->calls.count);
	if (c->parts.has_file) {
		begin_message(c, "assistant");
		json_put_text_member(c->writer, "content", "I see.");
		json_close_object(c->writer);
		write_user_message(c);
	}
	openai_parts_clear(&c->parts);
	return 0;
}

/* ---- assistant turns ---- */

/* What goes back with a call itself, beside what belongs to its message; NULL: nothing. */
static const struct json *
own_extra(const struct json *extra)
{
	bool mixed = json_member(extra, "reasoning_details") != NULL ||
		     json_member(extra, "reasoning_opaque") != NULL;

	return mixed ? json_member(extra, "extra_content") : extra;
}

static void
write_call(struct chat *c, const struct history_call *call)
{
	struct json_writer *w = c->writer;

	json_open_object(w);
	json_put_text_member(w, "id", call->id);
	json_put_text_member(w, "type",
		tool_names_builtin(c->names, json_member(call->block, "name")) != NULL
			? "builtin_function"
			: "function");
	json_open_object_member(w, "function");
	json_put_name(w, "name");
	tool_names_put(c->names, w, json_member(call->block, "name"));
	json_put_name(w, "arguments");
	openai_put_arguments(w, json_member(call->block, "input"));
	json_close_object(w);
	const struct json *extra = own_extra(call->extra);
	if (extra != NULL)
		json_put_value_member(w, "extra_content", extra);
	json_close_object(w);
}

/* Add a string to a list of those that are written together, unless it is empty. */
static int
gather_string(struct chat *c, struct json_list *list, const struct json *string)
{
	if (json_content_length(string) == 0 || json_list_add(list, string) == 0)
		return 0;
	return no_memory(c);
}

/* Keep what must go back as it came. */
static int
keep_members(struct chat *c, const struct json *object)
{
	const struct json *details = json_member_array(object, "reasoning_details");
	const struct json *opaque = json_member(object, "reasoning_opaque");

	if ((c->target->fixes & FIX_FORGET_THINKING) != 0)
		return 0;
	if (opaque != NULL)
		c->turn.opaque = opaque;
	return details == NULL || json_list_add_all(&c->turn.details, details) == 0 ? 0
										    : no_memory(c);
}

static size_t
place_of(const struct json *origin)
{
	size_t i = 0;

	while (*thought_places[i].origin != '\0' && !json_is_text(origin, thought_places[i].origin))
		i++;
	return i;
}

/* Keep what lends the members of a signature.  It is taken, and freed if that fails. */
static int
keep_carried(struct chat *c, struct carried *carried)
{
	struct assistant *turn = &c->turn;
	struct carried *grown = reallocarray(
		turn->carried, turn->carried_count + 1, sizeof(*grown));

	if (grown == NULL) {
		carried_free(carried);
		return no_memory(c);
	}
	turn->carried = grown;
	grown[turn->carried_count++] = *carried;
	return keep_members(c, carried->object);
}

/* Thinking goes back only to the upstream and the model that it came from. */
static int
gather_thinking(struct chat *c, const struct json *block)
{
	struct carried carried = {0};

	if (model_facts_is(c->facts, MODEL_REFUSES_THINKING) ||
		(c->target->fixes & FIX_FORGET_THINKING) != 0 ||
		!round_trip_read_signature(
			json_member_string(block, "signature"), c->origin, &carried))
		return 0;
	c->turn.place = place_of(json_member_string(carried.object, "m"));
	if (keep_carried(c, &carried) != 0)
		return -1;
	return gather_string(c, &c->turn.thought, json_member(block, "thinking"));
}

static int
gather_call(struct chat *c, const struct json *block)
{
	if (history_calls_add(&c->calls, block) != 0)
		return no_memory(c);
	return keep_members(c, c->calls.list[c->calls.count - 1].extra);
}

/* Gather the text, the thinking and the calls of one assistant message. */
static int
gather_assistant(struct chat *c, const struct json *content)
{
	size_t before = c->turn.said.count;

	if (before > 0 && json_list_add(&c->turn.said, NULL) != 0)
		return no_memory(c);
	CLAUDE_EACH_BLOCK (block, content) {
		const struct json *text = claude_block_text(block);
		enum claude_block type = claude_block_type(block);
		int status = 0;
		if (text != NULL)
			status = gather_string(c, &c->turn.said, text);
		else if (type == CLAUDE_THINKING)
			status = gather_thinking(c, block);
		else if (type == CLAUDE_TOOL_USE)
			status = gather_call(c, block);
		else if (type == CLAUDE_WEB_RESULT && claude_has_found(block))
			status = json_list_add(&c->turn.said, block) == 0 ? 0 : no_memory(c);
		if (status != 0)
			return -1;
	}
	/* Nothing was said: nothing is to be kept apart. */
	if (before > 0 && c->turn.said.count == before + 1)
		c->turn.said.count = before;
	return 0;
}

/* The strings of a list, those of one message together, in the string that is open; what a search
 * found stands apart. */
static void
string_together(struct json_writer *w, const struct json_list *list)
{
	bool apart = false;

	for (size_t i = 0; i < list->count; i++) {
		const struct json *value = list->values[i];
		bool found = json_is_object(value);
		if (value == NULL || apart || (found && i > 0 && list->values[i - 1] != NULL))
			json_string_text(w, "\n\n");
		if (found)
			claude_string_found(w, value);
		else
			json_string_value(w, value);
		apart = found && i + 1 < list->count && list->values[i + 1] != NULL;
	}
}

static void
put_together(struct json_writer *w, const struct json_list *list)
{
	json_open_string(w);
	string_together(w, list);
	json_close_string(w);
}

/* Mistral's content: what was thought in a part of its own, before what was said. */
static void
put_content_parts(struct json_writer *w, const struct assistant *turn)
{
	json_open_array(w);
	json_open_object(w);
	json_put_text_member(w, "type", "thinking");
	json_open_array_member(w, "thinking");
	json_open_object(w);
	json_put_text_member(w, "type", "text");
	json_put_name(w, "text");
	put_together(w, &turn->thought);
	json_close_object(w);
	json_close_array(w);
	json_close_object(w);
	if (turn->said.count > 0) {
		json_open_object(w);
		json_put_text_member(w, "type", "text");
		json_put_name(w, "text");
		put_together(w, &turn->said);
		json_close_object(w);
	}
	json_close_array(w);
}

static void
put_tagged_content(struct json_writer *w, const struct assistant *turn, const char *tag)
{
	json_open_string(w);
	json_string_text(w, "<");
	json_string_text(w, tag);
	json_string_text(w, ">\n");
	string_together(w, &turn->thought);
	json_string_text(w, "\n</");
	json_string_text(w, tag);
	json_string_text(w, ">\n\n");
	string_together(w, &turn->said);
	json_close_string(w);
}

static void
put_assistant_content(struct chat *c)
{
	const struct assistant *turn = &c->turn;
	enum thought_place place = thought_places[turn->place].place;

	json_put_name(c->writer, "content");
	if (turn->thought.count > 0 && place == THOUGHT_CONTENT)
		put_content_parts(c->writer, turn);
	else if (turn->thought.count > 0 && place == THOUGHT_TAGS)
		put_tagged_content(c->writer, turn, thought_places[turn->place].name);
	else if (turn->said.count > 0)
		put_together(c->writer, &turn->said);
	else
		json_put_null(c->writer);
}

static void
put_thought(struct chat *c)
{
	const struct assistant *turn = &c->turn;
	bool member = thought_places[turn->place].place == THOUGHT_MEMBER;

	if (turn->thought.count > 0 && member) {
		json_put_name(c->writer, thought_places[turn->place].name);
		put_together(c->writer, &turn->thought);
	} else if (turn->thought.count == 0 && c->wants_thinking) {
		json_put_text_member(c->writer, "reasoning_content", "");
	}
	if (turn->details.count > 0) {
		json_open_array_member(c->writer, "reasoning_details");
		for (size_t i = 0; i < turn->details.count; i++)
			json_put_value(c->writer, turn->details.values[i]);
		json_close_array(c->writer);
	}
	if (turn->opaque != NULL)
		json_put_value_member(c->writer, "reasoning_opaque", turn->opaque);
}

/* ${last}: the conversation ends with it. */
static void
write_assistant_message(struct chat *c, bool last)
{
	struct json_writer *w = c->writer;

	if (c->turn.said.count == 0 && c->calls.count == 0)
		return;
	begin_message(c, "assistant");
	put_assistant_content(c);
	put_thought(c);
	if (last && c->calls.count == 0 && c->facts->host->trailing == TRAILING_PREFIX)
		json_put_bool_member(w, "prefix", true);
	if (last && c->calls.count == 0 && c->facts->host->trailing == TRAILING_PARTIAL)
		json_put_bool_member(w, "partial", true);
	if (c->calls.count > 0) {
		json_open_array_member(w, "tool_calls");
		for (size_t i = 0; i < c->calls.count; i++)
			write_call(c, &c->calls.list[i]);
		json_close_array(w);
	}
	json_close_object(w);
}

static void
clear_assistant(struct assistant *turn)
{
	turn->said.count = 0;
	turn->thought.count = 0;
	turn->details.count = 0;
	turn->opaque = NULL;
	turn->place = place_of(NULL);
	for (size_t i = 0; i < turn->carried_count; i++)
		carried_free(&turn->carried[i]);
	free(turn->carried);
	turn->carried = NULL;
	turn->carried_count = 0;
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

/* The system prompt as parts, with the places up to which it is to be cached. */
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
write_system_turns(struct chat *c, size_t first, size_t end)
{
	for (size_t m = first; m < end; m++)
		if (claude_role_at(c->request, m) == CLAUDE_SYSTEM &&
			write_system_turn(c, claude_content_at(c->request, m)) != 0)
			return -1;
	return 0;
}

/* What is left of the user turn that follows the calls just written, as one message's parts. */
static int
gather_user_turn(struct chat *c, size_t first, size_t end)
{
	if (openai_parts_gather_files(&c->parts, &c->calls, c->error) != 0)
		return -1;
	for (size_t m = first; m < end; m++) {
		const struct json *content = claude_content_at(c->request, m);
		bool system = claude_role_at(c->request, m) == CLAUDE_SYSTEM;
		if (system ? openai_parts_gather_system(&c->parts, content, c->error) != 0
			   : openai_parts_gather(&c->parts, content, &c->calls, c->error) != 0)
			return -1;
	}
	return 0;
}

/*
 * The assistant turn from ${first} to ${end}, and the results in the user turn after it; then the
 * system turns in it, which may not stand between calls and results.
 */
static int
write_assistant_turn(struct chat *c, size_t first, size_t end)
{
	size_t next = claude_turn_end(c->request, end, CLAUDE_USER);

	clear_assistant(&c->turn);
	history_calls_clear(&c->calls);
	for (size_t m = first; m < end; m++)
		if (claude_role_at(c->request, m) == CLAUDE_ASSISTANT &&
			gather_assistant(c, claude_content_at(c->request, m)) != 0)
			return -1;
	write_assistant_message(c, end == c->request->messages.count);
	if (c->calls.count == 0 || !c->text_in_result) {
		if (c->calls.count > 0)
			write_results(c, end, next);
		return write_system_turns(c, first, end);
	}
	return write_system_turns(c, first, end) == 0 ? write_results_with_text(c, end, next) : -1;
}

/* The user turn from ${first} to ${end}: where that may be, one message for each message, and
 * system turns at their places; else one message for all. */
static int
write_user_turn(struct chat *c, size_t first, size_t end)
{
	if (c->system_anywhere && openai_parts_gather_files(&c->parts, &c->calls, c->error) != 0)
		return -1;
	for (size_t m = first; c->system_anywhere && m < end; m++) {
		const struct json *content = claude_content_at(c->request, m);
		if (claude_role_at(c->request, m) == CLAUDE_SYSTEM) {
			write_system_turn(c, content);
			continue;
		}
		if (openai_parts_gather(&c->parts, content, &c->calls, c->error) != 0)
			return -1;
		write_user_message(c);
		openai_parts_clear(&c->parts);
	}
	/* With the results it was written already. */
	if (!c->system_anywhere && !(c->text_in_result && c->calls.count > 0)) {
		if (gather_user_turn(c, first, end) != 0)
			return -1;
		write_user_message(c);
	}
	openai_parts_clear(&c->parts);
	history_calls_clear(&c->calls);
	return 0;
}

static void
write_last_words(struct chat *c, bool assistant)
{
	/* System turns after the assistant. */
	if (c->parts.count > 0) {
		write_user_message(c);
	} else if (assistant && c->calls.count == 0 &&
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
	size_t end;

	for (size_t first = 0; first < c->request->messages.count; first = end) {
		assistant = claude_role_at(c->request, first) == CLAUDE_ASSISTANT;
		end = claude_turn_end(
			c->request, first, assistant ? CLAUDE_ASSISTANT : CLAUDE_USER);
		if (assistant ? write_assistant_turn(c, first, end) != 0
			      : write_user_turn(c, first, end) != 0)
			return -1;
	}
	write_last_words(c, assistant);
	if (!c->any)
		return api_error_set(c->error, 400, "messages: there is no content in any of them");
	return c->writer->out->failed ? no_memory(c) : 0;
}

static bool
wants_thinking(const struct claude_request *r, const struct translate_target *target,
	const struct model_facts *facts)
{
	const struct openai_thinking thinking = openai_thinking_of(r, target, OPENAI_CHAT);
	bool off = thinking.off && model_facts_is(facts, MODEL_CAN_BE_OFF);

	return (target->fixes & FIX_GIVE_THINKING) != 0 ||
	       (model_facts_is(facts, MODEL_WANTS_THINKING) && !off);
}

int
openai_chat_write_messages(const struct claude_request *request,
	const struct translate_target *target, struct tool_names *names, struct json_writer *writer,
	struct api_error *error)
{
	const struct model_facts *facts = &target->facts;
	const unsigned ordered = FIX_SYSTEM_FIRST | FIX_SYSTEM_AS_USER | FIX_TEXT_IN_RESULT;
	bool mistral = model_facts_is(facts, MODEL_MISTRAL);
	struct chat c = {
		.request = request,
		.target = target,
		.facts = facts,
		.origin = translate_origin(target, &openai_chat),
		.names = names,
		.writer = writer,
		.error = error,
		.system_anywhere = model_facts_host_is(facts, HOST_SYSTEM_ANYWHERE) &&
				   (target->fixes & ordered) == 0,
		.text_in_result = mistral || (target->fixes & FIX_TEXT_IN_RESULT) != 0,
		.wants_thinking = wants_thinking(request, target, facts),
		.parts = {.fixes = target->fixes},
	};

	if (c.text_in_result)
		c.system_anywhere = false;
	history_calls_init(&c.calls, c.origin, mistral ? CLAUDE_IDS_OF_NINE : CLAUDE_IDS);
	json_open_array(writer);
	write_system_prompt(&c);
	int status = write_conversation(&c);
	json_close_array(writer);
	clear_assistant(&c.turn);
	json_list_free(&c.turn.said);
	json_list_free(&c.turn.thought);
	json_list_free(&c.turn.details);
	history_calls_free(&c.calls);
	openai_parts_free(&c.parts);
	return status;
}

/*
 * An assistant message of a Chat Completions request; see chat_assistant.h.
 */
#include "translate/openai/chat/chat_assistant.h"

#include <stdlib.h>

#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/model_facts.h"
#include "translate/openai/parameters.h"
#include "translate/openai/parts.h"
#include "translate/openai/thinking.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

/* Where the model's thinking stood in its answer, and goes back to. */
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
	{"", THOUGHT_MEMBER, "reasoning_content"}, /* any other */
};

static bool
wants_thinking(const struct claude_request *r, const struct translate_target *target)
{
	const struct model_facts *facts = &target->facts;
	const struct openai_thinking thinking = openai_thinking_of(r, target, OPENAI_CHAT);
	bool off = thinking.off && model_facts_is(facts, MODEL_CAN_BE_OFF);

	return (target->fixes & FIX_GIVE_THINKING) != 0 ||
	       (model_facts_is(facts, MODEL_WANTS_THINKING) && !off);
}

void
chat_assistant_init(struct chat_assistant *a, const struct claude_request *request,
	const struct translate_target *target, struct tool_names *names)
{
	bool mistral = model_facts_is(&target->facts, MODEL_MISTRAL);

	*a = (struct chat_assistant){
		.target = target,
		.origin = translate_origin(target, &openai_chat),
		.names = names,
		.wants_thinking = wants_thinking(request, target),
	};
	history_calls_init(&a->calls, a->origin, mistral ? CLAUDE_IDS_OF_NINE : CLAUDE_IDS);
}

/* ---- what the turn says ---- */

/* Add a string to a list of those that are written together, unless it is empty. */
static int
gather_string(struct json_list *list, const struct json *string)
{
	return json_content_length(string) > 0 ? json_list_add(list, string) : 0;
}

/* Keep what must go back as it came. */
static int
keep_members(struct chat_assistant *a, const struct json *object)
{
	const struct json *details = json_member_array(object, "reasoning_details");
	const struct json *opaque = json_member(object, "reasoning_opaque");

	if ((a->target->fixes & FIX_FORGET_THINKING) != 0)
		return 0;
	if (opaque != NULL)
		a->opaque = opaque;
	return details != NULL ? json_list_add_all(&a->details, details) : 0;
}

static size_t
place_of(const struct json *origin)
{
	size_t i = 0;

	while (*thought_places[i].origin != '\0' && !json_is_text(origin, thought_places[i].origin))
		i++;
	return i;
}

/* Keep what lends the members of a signature; it is freed if that fails. */
static int
keep_carried(struct chat_assistant *a, struct carried *carried)
{
	struct carried *grown = reallocarray(a->carried, a->carried_count + 1, sizeof(*grown));

	if (grown == NULL) {
		carried_free(carried);
		return -1;
	}
	a->carried = grown;
	grown[a->carried_count++] = *carried;
	return keep_members(a, carried->object);
}

/* Thinking goes back only to the upstream and the model that it came from. */
static int
gather_thinking(struct chat_assistant *a, const struct json *block)
{
	struct carried carried = {0};

	if (model_facts_is(&a->target->facts, MODEL_REFUSES_THINKING) ||
		(a->target->fixes & FIX_FORGET_THINKING) != 0 ||
		!round_trip_read_signature(
			json_member_string(block, "signature"), a->origin, &carried))
		return 0;
	a->place = place_of(json_member_string(carried.object, "m"));
	if (keep_carried(a, &carried) != 0)
		return -1;
	return gather_string(&a->thought, json_member(block, "thinking"));
}

static int
gather_call(struct chat_assistant *a, const struct json *block)
{
	if (history_calls_add(&a->calls, block) != 0)
		return -1;
	return keep_members(a, a->calls.list[a->calls.count - 1].extra);
}

int
chat_assistant_gather(struct chat_assistant *a, const struct json *content)
{
	size_t before = a->said.count;

	if (before > 0 && json_list_add(&a->said, NULL) != 0)
		return -1;
	CLAUDE_EACH_BLOCK (block, content) {
		const struct json *text = claude_block_text(block);
		enum claude_block type = claude_block_type(block);
		int status = 0;
		if (text != NULL)
			status = gather_string(&a->said, text);
		else if (type == CLAUDE_THINKING)
			status = gather_thinking(a, block);
		else if (type == CLAUDE_TOOL_USE)
			status = gather_call(a, block);
		else if (type == CLAUDE_WEB_RESULT && claude_has_found(block))
			status = json_list_add(&a->said, block);
		if (status != 0)
			return -1;
	}
	/* Nothing was said that has to stand apart. */
	if (before > 0 && a->said.count == before + 1)
		a->said.count = before;
	return 0;
}

void
chat_assistant_clear(struct chat_assistant *a)
{
	a->said.count = 0;
	a->thought.count = 0;
	a->details.count = 0;
	a->opaque = NULL;
	a->place = place_of(NULL);
	for (size_t i = 0; i < a->carried_count; i++)
		carried_free(&a->carried[i]);
	free(a->carried);
	a->carried = NULL;
	a->carried_count = 0;
	history_calls_clear(&a->calls);
}

void
chat_assistant_free(struct chat_assistant *a)
{
	chat_assistant_clear(a);
	json_list_free(&a->said);
	json_list_free(&a->thought);
	json_list_free(&a->details);
	history_calls_free(&a->calls);
}

/* ---- the message ---- */

/* What goes back with a call itself, and not with its message; NULL if nothing. */
static const struct json *
own_extra(const struct json *extra)
{
	bool mixed = json_member(extra, "reasoning_details") != NULL ||
		     json_member(extra, "reasoning_opaque") != NULL;

	return mixed ? json_member(extra, "extra_content") : extra;
}

static void
write_call(const struct chat_assistant *a, struct json_writer *w, const struct history_call *call)
{
	json_open_object(w);
	json_put_text_member(w, "id", call->id);
	json_put_text_member(w, "type",
		tool_names_builtin(a->names, json_member(call->block, "name")) != NULL
			? "builtin_function"
			: "function");
	json_open_object_member(w, "function");
	json_put_name(w, "name");
	tool_names_put(a->names, w, json_member(call->block, "name"));
	json_put_name(w, "arguments");
	openai_put_arguments(w, json_member(call->block, "input"));
	json_close_object(w);
	const struct json *extra = own_extra(call->extra);
	if (extra != NULL)
		json_put_value_member(w, "extra_content", extra);
	json_close_object(w);
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

static void
put_text_part(struct json_writer *w, const struct json_list *list)
{
	json_open_object(w);
	json_put_text_member(w, "type", "text");
	json_put_name(w, "text");
	put_together(w, list);
	json_close_object(w);
}

/* Mistral's content: what was thought in a part of its own, before what was said. */
static void
put_content_parts(struct json_writer *w, const struct chat_assistant *a)
{
	json_open_array(w);
	json_open_object(w);
	json_put_text_member(w, "type", "thinking");
	json_open_array_member(w, "thinking");
	put_text_part(w, &a->thought);
	json_close_array(w);
	json_close_object(w);
	if (a->said.count > 0)
		put_text_part(w, &a->said);
	json_close_array(w);
}

static void
put_tagged_content(struct json_writer *w, const struct chat_assistant *a, const char *tag)
{
	json_open_string(w);
	json_string_text(w, "<");
	json_string_text(w, tag);
	json_string_text(w, ">\n");
	string_together(w, &a->thought);
	json_string_text(w, "\n</");
	json_string_text(w, tag);
	json_string_text(w, ">\n\n");
	string_together(w, &a->said);
	json_close_string(w);
}

static void
put_content(const struct chat_assistant *a, struct json_writer *w)
{
	enum thought_place place = thought_places[a->place].place;

	json_put_name(w, "content");
	if (a->thought.count > 0 && place == THOUGHT_CONTENT)
		put_content_parts(w, a);
	else if (a->thought.count > 0 && place == THOUGHT_TAGS)
		put_tagged_content(w, a, thought_places[a->place].name);
	else if (a->said.count > 0)
		put_together(w, &a->said);
	else
		json_put_null(w);
}

static void
put_thought(const struct chat_assistant *a, struct json_writer *w)
{
	bool member = thought_places[a->place].place == THOUGHT_MEMBER;

	if (a->thought.count > 0 && member) {
		json_put_name(w, thought_places[a->place].name);
		put_together(w, &a->thought);
	} else if (a->thought.count == 0 && a->wants_thinking) {
		json_put_text_member(w, "reasoning_content", "");
	}
	if (a->details.count > 0) {
		json_open_array_member(w, "reasoning_details");
		for (size_t i = 0; i < a->details.count; i++)
			json_put_value(w, a->details.values[i]);
		json_close_array(w);
	}
	if (a->opaque != NULL)
		json_put_value_member(w, "reasoning_opaque", a->opaque);
}

bool
chat_assistant_is_empty(const struct chat_assistant *a)
{
	return a->said.count == 0 && a->calls.count == 0;
}

void
chat_assistant_write(const struct chat_assistant *a, bool last, struct json_writer *w)
{
	enum trailing_turn trailing = a->target->facts.host->trailing;

	last = last && a->calls.count == 0;
	json_open_object(w);
	json_put_text_member(w, "role", "assistant");
	put_content(a, w);
	put_thought(a, w);
	if (last && trailing == TRAILING_PREFIX)
		json_put_bool_member(w, "prefix", true);
	if (last && trailing == TRAILING_PARTIAL)
		json_put_bool_member(w, "partial", true);
	if (a->calls.count > 0) {
		json_open_array_member(w, "tool_calls");
		for (size_t i = 0; i < a->calls.count; i++)
			write_call(a, w, &a->calls.list[i]);
		json_close_array(w);
	}
	json_close_object(w);
}

/*
 * What newer clients say beside the conversation; see directives.h.
 *
 * Claude's service offers the model a tool from one place in the conversation on; the others know
 * one list of tools for a request.  They get the list as it is at the end.
 */
#include "translate/claude/directives.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/text/text_map.h"
#include "translate/claude/request.h"

/* Claude Code's note to Anthropic, a block of the system prompt.  It changes from request to
 * request, so that no other service could find the prompt in its cache after it. */
static const char billing_note[] = "x-anthropic-billing-header:";

/* ---- the system prompt ---- */

static int
follow_system(struct claude_request *r)
{
	const struct json *system = json_member(r->body, "system");

	if (json_is_string(system))
		return json_list_add(&r->system, system);
	JSON_EACH (block, system) {
		if (!json_starts_with(claude_block_text(block), billing_note) &&
			json_list_add(&r->system, block) != 0)
			return -1;
	}
	return 0;
}

/* ---- system turns ---- */

static bool
has_result(const struct json *content)
{
	CLAUDE_EACH_BLOCK (block, content) {
		if (claude_block_type(block) == CLAUDE_TOOL_RESULT)
			return true;
	}
	return false;
}

/* The effort of a system turn counts until the user speaks again; results go on with the turn. */
static void
follow_effort(struct claude_request *r, const struct json *messages)
{
	const struct json *asked = r->effort;

	JSON_EACH (message, messages) {
		enum claude_role role = claude_message_role(message);
		const struct json *effort = json_member_string(
			json_member(message, "output_config"), "effort");
		if (role == CLAUDE_USER && !has_result(json_member(message, "content")))
			r->effort = asked;
		else if (role == CLAUDE_SYSTEM && effort != NULL)
			r->effort = effort;
	}
}

/* Is it a system turn that is no longer shown to the model once the user has spoken? */
static bool
ends_with_turn(const struct json *message)
{
	return claude_message_role(message) == CLAUDE_SYSTEM &&
	       json_is_text(json_member(message, "clear_at"), "next_user_message");
}

static int
follow_messages(struct claude_request *r, const struct json *messages)
{
	const struct json *last_user = NULL;

	JSON_EACH (message, messages) {
		if (claude_message_role(message) == CLAUDE_USER)
			last_user = message;
	}
	JSON_EACH (message, messages) {
		bool user_speaks_later = last_user != NULL && message < last_user;
		if (!(user_speaks_later && ends_with_turn(message)) &&
			json_list_add(&r->messages, message) != 0)
			return -1;
	}
	return 0;
}

/* ---- tools ---- */

/* What the conversation says of tools, by their names. */
struct changes {
	struct text_map offered;      /* name: 1 or 0; the last word counts */
	struct text_map defined_at;   /* name: where in the next its definition stands */
	struct json_list definitions; /* of the conversation, in its order; NULL if not needed */
	struct buffer name;           /* the last one that was decoded */
};

/* Decode a name into ${c->name}.  Return 0 or -1. */
static int
take_name(struct changes *c, const struct json *name)
{
	buffer_clear(&c->name);
	return json_append(&c->name, name);
}

/* Say whether the tool called ${c->name} is offered.  Return 0 or -1. */
static int
set_offered(struct changes *c, bool offered)
{
	return text_map_set(&c->offered, buffer_text(&c->name), c->name.length, offered);
}

static bool
is_offered(const struct changes *c, bool otherwise)
{
	uint64_t offered = otherwise;

	text_map_get(&c->offered, buffer_text(&c->name), c->name.length, &offered);
	return offered != 0;
}

/* Where the definition of the tool called ${c->name} stands; NULL if there is none. */
static const struct json **
definition(const struct changes *c)
{
	uint64_t at;

	return text_map_get(&c->defined_at, buffer_text(&c->name), c->name.length, &at)
		       ? &c->definitions.values[at]
		       : NULL;
}

/* Set the definition of the tool called ${c->name}.  Return 0 or -1. */
static int
define(struct changes *c, const struct json *tool)
{
	const struct json **earlier = definition(c);

	if (earlier != NULL) {
		*earlier = tool;
		return 0;
	}
	if (text_map_set(&c->defined_at, buffer_text(&c->name), c->name.length,
		    c->definitions.count) != 0)
		return -1;
	return json_list_add(&c->definitions, tool);
}

/* tool_addition and tool_removal.  Tools of MCP servers that Claude's service asks itself are none
 * that another could call. */
static int
read_change(struct changes *c, const struct json *block)
{
	const struct json *tool = json_member(block, "tool");
	const struct json *type = json_member(tool, "type");
	const struct json *defined = json_is_text(type, "tool_definition")
					     ? json_member(tool, "definition")
					     : NULL;
	bool addition = json_is_text(json_member(block, "type"), "tool_addition");
	const struct json *name = json_member_string(defined != NULL ? defined : tool, "name");

	if (name == NULL || json_is_text(type, "mcp_tool_reference"))
		return 0;
	if (take_name(c, name) != 0 || (defined != NULL && define(c, defined) != 0))
		return -1;
	return set_offered(c, addition);
}

/* What a tool search of the client's own has found. */
static int
read_found(struct changes *c, const struct json *result)
{
	CLAUDE_EACH_BLOCK (block, json_member(result, "content")) {
		if (claude_block_type(block) != CLAUDE_TOOL_REFERENCE)
			continue;
		if (take_name(c, json_member(block, "tool_name")) != 0 || set_offered(c, true) != 0)
			return -1;
	}
	return 0;
}

static int
read_changes(struct changes *c, const struct json *messages)
{
	JSON_EACH (message, messages) {
		CLAUDE_EACH_BLOCK (block, json_member(message, "content")) {
			enum claude_block type = claude_block_type(block);
			if ((type == CLAUDE_TOOL_CHANGE && read_change(c, block) != 0) ||
				(type == CLAUDE_TOOL_RESULT && read_found(c, block) != 0))
				return -1;
		}
	}
	return 0;
}

/* Does the request rely on the search of Claude's service?  There is none elsewhere: what waits to
 * be found would never be. */
static bool
searches_at_the_service(const struct json *tools)
{
	JSON_EACH (tool, tools) {
		if (json_starts_with(json_member(tool, "type"), "tool_search_tool_"))
			return true;
	}
	return false;
}

/* Offer a tool that is declared, unless it waits or was withdrawn.  Return 0 or -1. */
static int
offer_declared(struct claude_request *r, struct changes *c, const struct json *tool, bool waits)
{
	struct claude_tool read;
	bool offered = !waits;

	if (claude_tool_read(tool, &read)) {
		if (take_name(c, read.name) != 0)
			return -1;
		const struct json **defined = definition(c);
		if (defined != NULL)
			*defined = NULL;
		offered = is_offered(c, !waits);
	}
	return offered ? json_list_add(&r->tools, tool) : 0;
}

/* Offer what only the conversation defines.  Return 0 or -1. */
static int
offer_defined(struct claude_request *r, struct changes *c)
{
	for (size_t i = 0; i < c->definitions.count; i++) {
		const struct json *tool = c->definitions.values[i];
		if (tool == NULL)
			continue;
		if (take_name(c, json_member(tool, "name")) != 0)
			return -1;
		if (is_offered(c, false) && json_list_add(&r->tools, tool) != 0)
			return -1;
	}
	return 0;
}

static int
offer(struct claude_request *r, struct changes *c)
{
	const struct json *tools = json_member(r->body, "tools");
	bool all = searches_at_the_service(tools);

	JSON_EACH (tool, tools) {
		bool waits = !all && json_member_bool(tool, "defer_loading", false);
		if (offer_declared(r, c, tool, waits) != 0)
			return -1;
	}
	return offer_defined(r, c);
}

static int
follow_tools(struct claude_request *r, const struct json *messages)
{
	struct changes c = {.name = BUFFER_INIT(0)};
	int status = read_changes(&c, messages);

	if (status == 0)
		status = offer(r, &c);
	text_map_free(&c.offered);
	text_map_free(&c.defined_at);
	json_list_free(&c.definitions);
	buffer_free(&c.name);
	return status;
}

int
claude_follow_directives(struct claude_request *r)
{
	const struct json *messages = json_member(r->body, "messages");

	/* A request is checked again for the next upstream that is tried. */
	json_list_free(&r->messages);
	json_list_free(&r->system);
	json_list_free(&r->tools);
	follow_effort(r, messages);
	if (follow_tools(r, messages) != 0 || follow_system(r) != 0)
		return -1;
	return follow_messages(r, messages);
}

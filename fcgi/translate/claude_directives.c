/*
 * What newer clients say beside the conversation; see claude_directives.h.
 *
 * Claude's service offers the model a tool from one place in the conversation on; the others know
 * one list of tools for a request.  They get the list as it is at the end.
 */
#include "translate/claude_directives.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "translate/claude.h"

/* Claude Code's note to Anthropic, a block of the system prompt.  It changes from request to
 * request, so that no other service could find the prompt in its cache behind it. */
static const char billing_note[] = "x-anthropic-billing-header:";

/* A list that takes the place of one in the body, and lives as long as the request. */
static struct json_object *
new_list(struct claude_request *r)
{
	struct json_object *list = json_object_new_array();

	if (list == NULL || json_object_array_add(r->derived, list) != 0) {
		json_object_put(list);
		return NULL;
	}
	return list;
}

static int
append(struct json_object *list, struct json_object *value)
{
	if (json_object_array_add(list, json_object_get(value)) == 0)
		return 0;
	json_object_put(value);
	return -1;
}

/* ---- the system prompt ---- */

static bool
is_billing_note(struct json_object *block)
{
	struct json_object *text = claude_block_text(block);

	return text != NULL &&
	       strncmp(json_object_get_string(text), billing_note, sizeof(billing_note) - 1) == 0;
}

static int
follow_system(struct claude_request *r)
{
	size_t count = json_object_is_type(r->system, json_type_array)
			       ? json_object_array_length(r->system)
			       : 0;
	struct json_object *kept;
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any = any || is_billing_note(json_object_array_get_idx(r->system, i));
	if (!any)
		return 0;
	if ((kept = new_list(r)) == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct json_object *block = json_object_array_get_idx(r->system, i);
		if (!is_billing_note(block) && append(kept, block) != 0)
			return -1;
	}
	r->system = kept;
	return 0;
}

/* ---- system turns ---- */

static bool
has_result(struct json_object *content)
{
	for (size_t i = 0; i < claude_content_length(content); i++)
		if (claude_block_type(claude_content_block(content, i)) == CLAUDE_TOOL_RESULT)
			return true;
	return false;
}

/* The effort of a system turn counts until the user speaks again; results go on with the turn. */
static void
follow_effort(struct claude_request *r, size_t count)
{
	const char *asked = r->effort;

	for (size_t i = 0; i < count; i++) {
		struct json_object *message = json_object_array_get_idx(r->messages, i);
		enum claude_role role = claude_message_role(message);
		const char *effort = json_member_string(
			json_member(message, "output_config"), "effort");
		if (role == CLAUDE_USER && !has_result(json_member(message, "content")))
			r->effort = asked;
		else if (role == CLAUDE_SYSTEM && effort != NULL)
			r->effort = effort;
	}
}

/* Is it a system turn that is no longer shown to the model once the user has spoken? */
static bool
ends_with_turn(struct json_object *message)
{
	return claude_message_role(message) == CLAUDE_SYSTEM &&
	       json_is_text(json_member(message, "clear_at"), "next_user_message");
}

static int
follow_messages(struct claude_request *r, size_t count)
{
	struct json_object *kept = NULL;
	size_t last_user = 0;

	for (size_t i = 0; i < count; i++)
		if (claude_message_role(json_object_array_get_idx(r->messages, i)) == CLAUDE_USER)
			last_user = i;
	for (size_t i = 0; i < last_user && kept == NULL; i++)
		if (ends_with_turn(json_object_array_get_idx(r->messages, i)) &&
			(kept = new_list(r)) == NULL)
			return -1;
	if (kept == NULL)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct json_object *message = json_object_array_get_idx(r->messages, i);
		if ((i > last_user || !ends_with_turn(message)) && append(kept, message) != 0)
			return -1;
	}
	r->messages = kept;
	return 0;
}

/* ---- tools ---- */

/* What the conversation says of tools, by their names. */
struct changes {
	struct json_object *offered; /* name → true or false; the last word counts */
	struct json_object *defined; /* name → a definition in the conversation */
};

static int
set(struct json_object *object, const char *name, struct json_object *value)
{
	if (value != NULL && json_object_object_add(object, name, value) == 0)
		return 0;
	json_object_put(value);
	return -1;
}

/* tool_addition and tool_removal.  Tools of MCP servers that Claude's service asks itself are none
 * that another could call. */
static int
read_change(struct changes *c, struct json_object *block)
{
	struct json_object *tool = json_member(block, "tool");
	struct json_object *definition = json_member_object(tool, "definition");
	bool addition = json_is_text(json_member(block, "type"), "tool_addition");
	const char *name = json_member_string(definition != NULL ? definition : tool, "name");

	if (name == NULL || json_is_text(json_member(tool, "type"), "mcp_tool_reference"))
		return 0;
	if (definition != NULL && set(c->defined, name, json_object_get(definition)) != 0)
		return -1;
	return set(c->offered, name, json_object_new_boolean(addition));
}

/* What a tool search of the client's own has found. */
static int
read_found(struct changes *c, struct json_object *result)
{
	struct json_object *content = json_member(result, "content");

	for (size_t i = 0; i < claude_content_length(content); i++) {
		struct json_object *block = claude_content_block(content, i);
		if (claude_block_type(block) == CLAUDE_TOOL_REFERENCE &&
			set(c->offered, json_member_string(block, "tool_name"),
				json_object_new_boolean(true)) != 0)
			return -1;
	}
	return 0;
}

static int
read_changes(struct changes *c, const struct claude_request *r, size_t count)
{
	for (size_t m = 0; m < count; m++) {
		struct json_object *content = json_member(
			json_object_array_get_idx(r->messages, m), "content");
		for (size_t i = 0; i < claude_content_length(content); i++) {
			struct json_object *block = claude_content_block(content, i);
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
searches_at_the_service(struct json_object *tools)
{
	static const char prefix[] = "tool_search_tool_";

	for (size_t i = 0; tools != NULL && i < json_object_array_length(tools); i++) {
		const char *type = json_member_string(json_object_array_get_idx(tools, i), "type");
		if (type != NULL && strncmp(type, prefix, sizeof(prefix) - 1) == 0)
			return true;
	}
	return false;
}

static bool
any_deferred(struct json_object *tools)
{
	for (size_t i = 0; tools != NULL && i < json_object_array_length(tools); i++)
		if (json_member_bool(json_object_array_get_idx(tools, i), "defer_loading", false))
			return true;
	return false;
}

/* Offer what is declared, unless it waits or was withdrawn, then what is only defined later. */
static int
offer(struct claude_request *r, const struct changes *c)
{
	size_t count = r->tools != NULL ? json_object_array_length(r->tools) : 0;
	bool all = searches_at_the_service(r->tools);
	struct json_object *offered = new_list(r);

	if (offered == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct json_object *tool = json_object_array_get_idx(r->tools, i);
		struct claude_tool read;
		const char *name = claude_tool_read(tool, &read) ? read.name : NULL;
		bool waits = !all && json_member_bool(tool, "defer_loading", false);
		if (name != NULL)
			json_object_object_del(c->defined, name);
		if ((name != NULL ? json_member_bool(c->offered, name, !waits) : !waits) &&
			append(offered, tool) != 0)
			return -1;
	}
	json_object_object_foreach(c->defined, name, tool)
	{
		if (json_member_bool(c->offered, name, false) && append(offered, tool) != 0)
			return -1;
	}
	r->tools = offered;
	return 0;
}

static int
follow_tools(struct claude_request *r, size_t count)
{
	struct changes c = {json_object_new_object(), json_object_new_object()};
	int status = c.offered != NULL && c.defined != NULL ? read_changes(&c, r, count) : -1;

	if (status == 0 && (json_object_object_length(c.offered) > 0 || any_deferred(r->tools)))
		status = offer(r, &c);
	json_object_put(c.offered);
	json_object_put(c.defined);
	return status;
}

int
claude_follow_directives(struct claude_request *r)
{
	size_t count = json_object_array_length(r->messages);

	/* A request is checked again for the next upstream that is tried. */
	json_object_put(r->derived);
	if ((r->derived = json_object_new_array()) == NULL)
		return -1;
	follow_effort(r, count);
	if (follow_tools(r, count) != 0 || follow_system(r) != 0)
		return -1;
	return follow_messages(r, count);
}

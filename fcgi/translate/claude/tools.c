/*
 * The tools of a Claude request, in either shape (PROTOCOL.md §A `tools`).
 */
#include "base/json/json.h"
#include "translate/claude/check.h"
#include "translate/claude/request.h"

/* Tools that the client runs and whose schema Anthropic has published: any model can call them as
 * functions. */
static const struct {
	const char *prefix; /* of the type, before its date */
	const char *description;
	const char *schema;
} public_tools[] = {
	{"bash_", "Run a command in a bash shell that keeps its state between calls.",
		"{\"type\":\"object\",\"properties\":{"
		"\"command\":{\"type\":\"string\",\"description\":\"The command to run.\"},"
		"\"restart\":{\"type\":\"boolean\",\"description\":\"Set to true to restart the "
		"shell.\"}}}"},
	{"text_editor_", "View, create and edit text files.",
		"{\"type\":\"object\",\"properties\":{"
		"\"command\":{\"type\":\"string\",\"enum\":[\"view\",\"create\",\"str_replace\","
		"\"insert\","
		"\"undo_edit\"]},"
		"\"path\":{\"type\":\"string\",\"description\":\"Absolute path of the file or "
		"folder.\"},"
		"\"file_text\":{\"type\":\"string\",\"description\":\"Content of a file to "
		"create.\"},"
		"\"old_str\":{\"type\":\"string\",\"description\":\"Text to replace; it must occur "
		"once.\"},"
		"\"new_str\":{\"type\":\"string\",\"description\":\"Replacement, or text to "
		"insert.\"},"
		"\"insert_line\":{\"type\":\"integer\",\"description\":\"Insert after this "
		"line.\"},"
		"\"insert_text\":{\"type\":\"string\",\"description\":\"Text to insert.\"},"
		"\"view_range\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},"
		"\"description\":\"First and last line to view.\"}},"
		"\"required\":[\"command\",\"path\"]}"},
};

static bool
is_openai_shape(const struct json *tool)
{
	return json_is_text(json_member(tool, "type"), "function") &&
	       json_member_object(tool, "function") != NULL;
}

/* Of Claude's own tools, with a dated type? */
static bool
is_own_tool(const struct json *tool)
{
	const struct json *type = json_member_string(tool, "type");

	return type != NULL && !json_is_text(type, "custom") && !json_is_text(type, "function");
}

static bool
read_own_tool(const struct json *tool, struct claude_tool *read)
{
	const struct json *type = json_member(tool, "type");

	for (size_t i = 0; i < sizeof(public_tools) / sizeof(public_tools[0]); i++) {
		if (!json_starts_with(type, public_tools[i].prefix))
			continue;
		read->name = json_member_string(tool, "name");
		read->description_text = public_tools[i].description;
		read->schema_text = public_tools[i].schema;
		return read->name != NULL;
	}
	return false;
}

bool
claude_tool_read(const struct json *tool, struct claude_tool *read)
{
	bool openai = is_openai_shape(tool);
	const struct json *function = openai ? json_member_object(tool, "function") : tool;

	*read = (struct claude_tool){0};
	if (is_own_tool(tool))
		return read_own_tool(tool, read);
	read->name = json_member_string(function, "name");
	read->description = json_member_string(function, "description");
	read->schema = json_member_object(function, openai ? "parameters" : "input_schema");
	read->has_strict = json_is_bool(json_member(function, "strict"));
	read->strict = json_member_bool(function, "strict", false);
	return true;
}

bool
claude_tool_is_web_search(const struct json *tool)
{
	return json_starts_with(json_member(tool, "type"), "web_search_");
}

bool
claude_tool_is_web_fetch(const struct json *tool)
{
	return json_starts_with(json_member(tool, "type"), "web_fetch_");
}

bool
claude_has_functions(const struct claude_request *r)
{
	struct claude_tool tool;

	for (size_t i = 0; i < r->tools.count; i++)
		if (!claude_tool_is_web_search(r->tools.values[i]) &&
			claude_tool_read(r->tools.values[i], &tool))
			return true;
	return false;
}

static int
check_function(const struct place *place, const struct json *function, const char *schema_name,
	bool required, struct api_error *error)
{
	const struct place name_place = PLACE_MEMBER(place, "name");
	const struct place schema_place = PLACE_MEMBER(place, schema_name);
	const struct place description_place = PLACE_MEMBER(place, "description");
	const struct json *schema = json_member(function, schema_name);
	const struct json *description = json_member(function, "description");

	if (claude_check_name(&name_place, json_member(function, "name"), error) != 0)
		return -1;
	if (description != NULL && !json_is_string(description))
		return claude_refuse(&description_place, error, "must be a string");
	if (schema == NULL && !required)
		return 0;
	if (!json_is_object(schema))
		return claude_refuse(
			&schema_place, error, schema == NULL ? "is required" : "must be an object");
	return 0;
}

static bool
is_filled(const struct json *list)
{
	return json_first(list) != NULL;
}

/* How much a search may do is not guessed where the client's words make no sense. */
static int
check_search(const struct place *place, const struct json *tool, struct api_error *error)
{
	const struct place uses_place = PLACE_MEMBER(place, "max_uses");
	const struct place blocked_place = PLACE_MEMBER(place, "blocked_domains");
	const struct json *uses = json_member(tool, "max_uses");

	if (uses != NULL && (!json_is_integer(uses) || json_int(uses, 0) < 1))
		return claude_refuse(&uses_place, error, "must be a whole number of at least 1");
	if (is_filled(json_member_array(tool, "allowed_domains")) &&
		is_filled(json_member_array(tool, "blocked_domains")))
		return claude_refuse(
			&blocked_place, error, "must not be given beside allowed_domains");
	return 0;
}

static int
check_own_tool(const struct place *place, const struct json *tool, struct api_error *error)
{
	const struct place name_place = PLACE_MEMBER(place, "name");
	const struct json *name = json_member(tool, "name");

	if (name != NULL && claude_check_name(&name_place, name, error) != 0)
		return -1;
	return claude_tool_is_web_search(tool) ? check_search(place, tool, error) : 0;
}

int
claude_check_tool(const struct place *place, const struct json *tool, struct api_error *error)
{
	const struct place type_place = PLACE_MEMBER(place, "type");
	const struct place function_place = PLACE_MEMBER(place, "function");
	const struct json *type = json_member(tool, "type");

	if (!json_is_object(tool))
		return claude_refuse(place, error, "must be an object");
	if (type != NULL && !json_is_string(type))
		return claude_refuse(&type_place, error, "must be a string");
	if (is_own_tool(tool))
		return check_own_tool(place, tool, error);
	if (is_openai_shape(tool))
		return check_function(
			&function_place, json_member(tool, "function"), "parameters", false, error);
	if (json_is_text(type, "function"))
		return claude_refuse(&function_place, error, "must be an object");
	return check_function(place, tool, "input_schema", true, error);
}

int
claude_check_tools(const struct place *place, const struct json *tools, struct api_error *error)
{
	if (tools == NULL)
		return 0;
	if (!json_is_array(tools))
		return claude_refuse(place, error, "must be an array");
	size_t index = 0;
	JSON_EACH (tool, tools) {
		const struct place element = PLACE_ELEMENT(place, index++);
		if (claude_check_tool(&element, tool, error) != 0)
			return -1;
	}
	return 0;
}

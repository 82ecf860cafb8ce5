/*
 * The request of the Claude Messages API; see claude.h.  The top level; blocks and tools are
 * checked in claude_check.c and claude_tools.c.
 */
#include "translate/claude.h"

#include <string.h>

#include "base/api_error.h"
#include "base/json.h"
#include "translate/claude_check.h"
#include "translate/claude_directives.h"

/* The parts of a request are read one after the other; each returns 0, or -1 and the error. */
typedef int part_reader(struct claude_request *, struct api_error *);

static const struct {
	const char *name;
	enum claude_block type;
} blocks[] = {
	{"text", CLAUDE_TEXT},
	{"image", CLAUDE_IMAGE},
	{"document", CLAUDE_DOCUMENT},
	{"search_result", CLAUDE_SEARCH_RESULT},
	{"tool_use", CLAUDE_TOOL_USE},
	{"tool_result", CLAUDE_TOOL_RESULT},
	{"thinking", CLAUDE_THINKING},
	{"redacted_thinking", CLAUDE_REDACTED_THINKING},
	{"server_tool_use", CLAUDE_SERVER_TOOL},
	{"mcp_tool_use", CLAUDE_SERVER_TOOL},
	{"container_upload", CLAUDE_SERVER_TOOL},
	{"tool_reference", CLAUDE_TOOL_REFERENCE},
	{"tool_addition", CLAUDE_TOOL_CHANGE},
	{"tool_removal", CLAUDE_TOOL_CHANGE},
	{"mcp_tool_listing", CLAUDE_SERVER_TOOL},
	{"browser_state", CLAUDE_SERVER_TOOL},
	{"fallback", CLAUDE_SERVER_TOOL},
};

enum claude_block
claude_block_type(struct json_object *block)
{
	static const char result[] = "_tool_result";
	const char *type = json_member_string(block, "type");

	if (type == NULL)
		return CLAUDE_UNKNOWN;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (strcmp(blocks[i].name, type) == 0)
			return blocks[i].type;
	/* web_search_tool_result, code_execution_tool_result and their kin. */
	size_t length = strlen(type);
	if (length > sizeof(result) - 1 &&
		strcmp(type + length - (sizeof(result) - 1), result) == 0)
		return CLAUDE_SERVER_TOOL;
	return CLAUDE_UNKNOWN;
}

size_t
claude_content_length(struct json_object *content)
{
	if (content == NULL)
		return 0;
	return json_object_is_type(content, json_type_array) ? json_object_array_length(content)
							     : 1;
}

struct json_object *
claude_content_block(struct json_object *content, size_t index)
{
	return json_object_is_type(content, json_type_array)
		       ? json_object_array_get_idx(content, index)
		       : content;
}

struct json_object *
claude_block_text(struct json_object *block)
{
	struct json_object *text = json_is_string(block) ? block : json_member(block, "text");

	return json_is_string(text) ? text : NULL;
}

/* ---- the parts ---- */

static int
read_model(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "model");

	if (claude_check_name(&place, json_member(r->body, "model"), error) != 0)
		return -1;
	r->model = json_member_string(r->body, "model");
	if (strlen(r->model) > CLAUDE_LONGEST_MODEL)
		return claude_refuse(
			&place, error, "must not be longer than %d bytes", CLAUDE_LONGEST_MODEL);
	return 0;
}

static int
read_max_tokens(struct claude_request *r, enum claude_purpose purpose, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "max_tokens");
	struct json_object *value = json_member(r->body, "max_tokens");

	if (value == NULL && purpose == CLAUDE_TO_COUNT)
		return 0;
	if (value == NULL)
		return claude_refuse(&place, error, "is required");
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 1)
		return claude_refuse(&place, error, "must be a whole number of at least 1");
	r->max_tokens = json_object_get_int64(value);
	return 0;
}

static int
read_messages(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "messages");

	r->messages = json_member(r->body, "messages");
	return claude_check_messages(&place, r->messages, error);
}

/* A conversation that the service holds, so that clients need send only what is new.  Nobody else
 * holds one; the official SDKs then send all of it again. */
static int
read_thread(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "thread");
	const struct place type_place = PLACE_MEMBER(&place, "type");
	struct json_object *thread = json_member(r->body, "thread");
	struct json_object *type = json_member(thread, "type");

	if (thread == NULL || json_is_text(type, "create"))
		return 0;
	if (!json_object_is_type(thread, json_type_object))
		return claude_refuse(&place, error, "must be an object");
	if (!json_is_text(type, "continue"))
		return claude_refuse(&type_place, error, "must be one of create, continue");
	api_error_set(error, 404,
		"thread: this upstream holds no conversations: send all messages again");
	error->code = "thread_not_found";
	return -1;
}

static int
read_system(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "system");

	r->system = json_member(r->body, "system");
	return claude_check_system(&place, r->system, error);
}

static int
read_stream(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "stream");
	struct json_object *value = json_member(r->body, "stream");

	if (value != NULL && !json_object_is_type(value, json_type_boolean))
		return claude_refuse(&place, error, "must be true or false");
	r->stream = json_member_bool(r->body, "stream", false);
	return 0;
}

static int
read_number(struct claude_request *r, const char *name, struct json_object **number,
	struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, name);

	*number = json_member(r->body, name);
	if (*number != NULL && !json_object_is_type(*number, json_type_int) &&
		!json_object_is_type(*number, json_type_double))
		return claude_refuse(&place, error, "must be a number");
	return 0;
}

static int
read_sampling(struct claude_request *r, struct api_error *error)
{
	if (read_number(r, "temperature", &r->temperature, error) != 0 ||
		read_number(r, "top_p", &r->top_p, error) != 0)
		return -1;
	return read_number(r, "top_k", &r->top_k, error);
}

static int
read_stop_sequences(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "stop_sequences");

	r->stop_sequences = json_member(r->body, "stop_sequences");
	if (r->stop_sequences == NULL)
		return 0;
	if (!json_object_is_type(r->stop_sequences, json_type_array))
		return claude_refuse(&place, error, "must be an array of strings");
	for (size_t i = 0; i < json_object_array_length(r->stop_sequences); i++) {
		const struct place element = PLACE_ELEMENT(&place, i);
		if (!json_is_string(json_object_array_get_idx(r->stop_sequences, i)))
			return claude_refuse(&element, error, "must be a string");
	}
	return 0;
}

static int
read_tools(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "tools");

	r->tools = json_member(r->body, "tools");
	return claude_check_tools(&place, r->tools, error);
}

static bool
has_tool(const struct claude_request *r, const char *name)
{
	struct claude_tool tool;

	for (size_t i = 0; r->tools != NULL && i < json_object_array_length(r->tools); i++)
		if (claude_tool_read(json_object_array_get_idx(r->tools, i), &tool) &&
			strcmp(tool.name, name) == 0)
			return true;
	return false;
}

static int
read_forced_tool(struct claude_request *r, const struct place *place, struct json_object *choice,
	struct api_error *error)
{
	const struct place name_place = PLACE_MEMBER(place, "name");

	if (claude_check_name(&name_place, json_member(choice, "name"), error) != 0)
		return -1;
	r->tool_choice_name = json_member_string(choice, "name");
	if (r->tools != NULL && !has_tool(r, r->tool_choice_name))
		return claude_refuse(&name_place, error,
			"there is no tool '%s' that this upstream can call", r->tool_choice_name);
	return 0;
}

static int
read_tool_choice(struct claude_request *r, struct api_error *error)
{
	static const struct {
		const char *name;
		enum claude_tool_choice choice;
	} choices[] = {
		{"auto", CLAUDE_CHOICE_AUTO},
		{"any", CLAUDE_CHOICE_ANY},
		{"tool", CLAUDE_CHOICE_TOOL},
		{"none", CLAUDE_CHOICE_NONE},
	};
	const struct place place = PLACE_MEMBER(NULL, "tool_choice");
	const struct place type_place = PLACE_MEMBER(&place, "type");
	struct json_object *choice = json_member(r->body, "tool_choice");

	if (choice == NULL)
		return 0;
	if (!json_object_is_type(choice, json_type_object))
		return claude_refuse(&place, error, "must be an object");
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (json_is_text(json_member(choice, "type"), choices[i].name))
			r->tool_choice = choices[i].choice;
	if (r->tool_choice == CLAUDE_CHOICE_ABSENT)
		return claude_refuse(&type_place, error, "must be one of auto, any, tool, none");
	r->disable_parallel_tool_use = json_member_bool(choice, "disable_parallel_tool_use", false);
	return r->tool_choice == CLAUDE_CHOICE_TOOL ? read_forced_tool(r, &place, choice, error)
						    : 0;
}

static int
read_thinking(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "thinking");
	const struct place budget_place = PLACE_MEMBER(&place, "budget_tokens");
	struct json_object *thinking = json_member(r->body, "thinking");
	struct json_object *budget = json_member(thinking, "budget_tokens");
	struct json_object *type = json_member(thinking, "type");

	if (thinking == NULL)
		return 0;
	if (!json_object_is_type(thinking, json_type_object))
		return claude_refuse(&place, error, "must be an object");
	r->thinking = CLAUDE_THINKING_ADAPTIVE;
	if (json_is_text(type, "disabled"))
		r->thinking = CLAUDE_THINKING_DISABLED;
	if (!json_is_text(type, "enabled"))
		return 0;
	r->thinking = CLAUDE_THINKING_ENABLED;
	if (budget != NULL &&
		(!json_object_is_type(budget, json_type_int) || json_object_get_int64(budget) < 1))
		return claude_refuse(&budget_place, error, "must be a whole number of at least 1");
	r->thinking_budget = json_member_int(thinking, "budget_tokens", 0);
	return 0;
}

static int
read_format(struct claude_request *r, const struct place *place, struct json_object *format,
	struct api_error *error)
{
	const struct place schema_place = PLACE_MEMBER(place, "schema");

	if (format == NULL)
		return 0;
	if (!json_object_is_type(format, json_type_object))
		return claude_refuse(place, error, "must be an object");
	if (!json_is_text(json_member(format, "type"), "json_schema"))
		return 0;
	r->output_schema = json_member_object(format, "schema");
	return r->output_schema != NULL ? 0
					: claude_refuse(&schema_place, error, "must be an object");
}

static int
read_output(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "output_config");
	const struct place format_place = PLACE_MEMBER(&place, "format");
	const struct place old_place = PLACE_MEMBER(NULL, "output_format");
	struct json_object *config = json_member(r->body, "output_config");

	if (config != NULL && !json_object_is_type(config, json_type_object))
		return claude_refuse(&place, error, "must be an object");
	r->effort = json_member_string(config, "effort");
	if (read_format(r, &format_place, json_member(config, "format"), error) != 0)
		return -1;
	if (r->output_schema != NULL)
		return 0;
	return read_format(r, &old_place, json_member(r->body, "output_format"), error);
}

static int
read_metadata(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "metadata");
	const struct place user_place = PLACE_MEMBER(&place, "user_id");
	struct json_object *metadata = json_member(r->body, "metadata");

	if (metadata != NULL && !json_object_is_type(metadata, json_type_object))
		return claude_refuse(&place, error, "must be an object");
	r->user_id = json_member(metadata, "user_id");
	if (r->user_id != NULL && !json_is_string(r->user_id))
		return claude_refuse(&user_place, error, "must be a string");
	return 0;
}

static int
read_directives(struct claude_request *r, struct api_error *error)
{
	return claude_follow_directives(r) == 0 ? 0 : api_error_set(error, 500, "out of memory");
}

int
claude_request_parse(
	const char *text, size_t length, struct claude_request *r, struct api_error *error)
{
	const char *problem;

	*r = (struct claude_request){.text = text, .length = length};
	if (json_parse(text, length, &r->body, &problem) != 0)
		return api_error_set(error, 400, "the request body is not valid JSON: %s", problem);
	if (!json_object_is_type(r->body, json_type_object)) {
		api_error_set(error, 400, "the request body must be a JSON object");
		goto err0;
	}
	if (read_model(r, error) != 0 || read_stream(r, error) != 0)
		goto err0;
	return 0;

err0:
	claude_request_free(r);
	return -1;
}

int
claude_request_check(struct claude_request *r, enum claude_purpose purpose, struct api_error *error)
{
	static part_reader *const readers[] = {read_thread, read_messages, read_system,
		read_sampling, read_stop_sequences, read_tools, read_thinking, read_output,
		read_directives, read_tool_choice, read_metadata};

	if (read_max_tokens(r, purpose, error) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (readers[i](r, error) != 0)
			return -1;
	return 0;
}

void
claude_request_free(struct claude_request *r)
{
	json_object_put(r->derived);
	json_object_put(r->body);
	*r = (struct claude_request){0};
}

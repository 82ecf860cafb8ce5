/*
 * The request of the Claude Messages API; see request.h.  The top level; blocks and tools are
 * checked in check.c and tools.c.
 */
#include "translate/claude/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/json/json.h"
#include "translate/claude/check.h"
#include "translate/claude/directives.h"

/* The parts of a request are read one after the other; each returns 0, or -1 and the error. */
typedef int part_reader(struct claude_request *, struct api_error *);

static const struct {
	struct json_name name;
	enum claude_block type;
} blocks[] = {
	{JSON_NAME("text"), CLAUDE_TEXT},
	{JSON_NAME("image"), CLAUDE_IMAGE},
	{JSON_NAME("document"), CLAUDE_DOCUMENT},
	{JSON_NAME("search_result"), CLAUDE_SEARCH_RESULT},
	{JSON_NAME("tool_use"), CLAUDE_TOOL_USE},
	{JSON_NAME("tool_result"), CLAUDE_TOOL_RESULT},
	{JSON_NAME("thinking"), CLAUDE_THINKING},
	{JSON_NAME("redacted_thinking"), CLAUDE_REDACTED_THINKING},
	{JSON_NAME("web_search_tool_result"), CLAUDE_WEB_RESULT},
	{JSON_NAME("server_tool_use"), CLAUDE_SERVER_TOOL},
	{JSON_NAME("mcp_tool_use"), CLAUDE_SERVER_TOOL},
	{JSON_NAME("container_upload"), CLAUDE_SERVER_TOOL},
	{JSON_NAME("tool_reference"), CLAUDE_TOOL_REFERENCE},
	{JSON_NAME("tool_addition"), CLAUDE_TOOL_CHANGE},
	{JSON_NAME("tool_removal"), CLAUDE_TOOL_CHANGE},
	{JSON_NAME("mcp_tool_listing"), CLAUDE_SERVER_TOOL},
	{JSON_NAME("browser_state"), CLAUDE_SERVER_TOOL},
	{JSON_NAME("fallback"), CLAUDE_SERVER_TOOL},
};

static enum claude_block
read_block_type(const struct json *block)
{
	const struct json *type = json_member_string(block, "type");

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (json_is_bytes(type, blocks[i].name.text, blocks[i].name.length))
			return blocks[i].type;
	/* code_execution_tool_result and its kin. */
	return json_ends_with(type, "_tool_result") ? CLAUDE_SERVER_TOOL : CLAUDE_UNKNOWN;
}

/* The marks of blocks and messages count from 1. */
enum claude_block
claude_block_type(const struct json *block)
{
	return block != NULL && block->mark > 0 ? (enum claude_block)(block->mark - 1)
						: read_block_type(block);
}

static enum claude_role
read_role(const struct json *message)
{
	const struct json *role = json_member(message, "role");

	return json_is_text(role, "assistant") ? CLAUDE_ASSISTANT
	       : json_is_text(role, "system")  ? CLAUDE_SYSTEM
					       : CLAUDE_USER;
}

enum claude_role
claude_message_role(const struct json *message)
{
	return message != NULL && message->mark > 0 ? (enum claude_role)(message->mark - 1)
						    : read_role(message);
}

const struct json *
claude_block_text(const struct json *block)
{
	return json_is_string(block) ? block : json_member_string(block, "text");
}

/* ---- the parts ---- */

static int
read_model(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "model");
	const struct json *model = json_member(r->body, "model");

	if (claude_check_name(&place, model, error) != 0)
		return -1;
	r->model = json_copy(model);
	if (r->model == NULL)
		return api_error_no_memory(error);
	if (strlen(r->model) > CLAUDE_LONGEST_MODEL)
		return claude_refuse(
			&place, error, "must not be longer than %d bytes", CLAUDE_LONGEST_MODEL);
	return 0;
}

static int
read_max_tokens(struct claude_request *r, enum claude_purpose purpose, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "max_tokens");
	const struct json *value = json_member(r->body, "max_tokens");

	if (value == NULL && purpose == CLAUDE_TO_COUNT)
		return 0;
	if (value == NULL)
		return claude_refuse(&place, error, "is required");
	if (!json_is_integer(value) || json_int(value, 0) < 1)
		return claude_refuse(&place, error, "must be a whole number of at least 1");
	r->max_tokens = json_int(value, 0);
	return 0;
}

static void
mark_blocks(struct claude_request *r, const struct json *content)
{
	JSON_EACH (block, json_is_array(content) ? content : NULL) {
		enum claude_block type = read_block_type(block);
		json_mark(&r->index, block, (uint8_t)(type + 1));
		if (type == CLAUDE_TOOL_RESULT)
			mark_blocks(r, json_member(block, "content"));
	}
}

/* Roles and types are asked for at every step that follows. */
static void
mark_messages(struct claude_request *r, const struct json *messages)
{
	JSON_EACH (message, messages) {
		json_mark(&r->index, message, (uint8_t)(read_role(message) + 1));
		mark_blocks(r, json_member(message, "content"));
	}
}

static int
read_messages(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "messages");
	const struct json *messages = json_member_array(r->body, "messages");

	mark_messages(r, messages);
	return claude_check_messages(&place, json_member(r->body, "messages"), error);
}

/* A conversation that the service keeps, so that clients need send only what is new.  Nobody else
 * keeps one; the official SDKs then send all of it again. */
static int
read_thread(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "thread");
	const struct place type_place = PLACE_MEMBER(&place, "type");
	const struct json *thread = json_member(r->body, "thread");
	const struct json *type = json_member(thread, "type");

	if (thread == NULL || json_is_text(type, "create"))
		return 0;
	if (!json_is_object(thread))
		return claude_refuse(&place, error, "must be an object");
	if (!json_is_text(type, "continue"))
		return claude_refuse(&type_place, error, "must be one of create, continue");
	api_error_set(error, 404,
		"thread: this upstream does not store threads: resend the full conversation");
	error->code = "thread_not_found";
	return -1;
}

static int
read_system(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "system");

	return claude_check_system(&place, json_member(r->body, "system"), error);
}

static int
read_stream(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "stream");
	const struct json *value = json_member(r->body, "stream");

	if (value != NULL && !json_is_bool(value))
		return claude_refuse(&place, error, "must be true or false");
	r->stream = json_member_bool(r->body, "stream", false);
	return 0;
}

static int
read_number(struct claude_request *r, const char *name, const struct json **number,
	struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, name);

	*number = json_member(r->body, name);
	if (*number != NULL && !json_is_number(*number))
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
	if (!json_is_array(r->stop_sequences))
		return claude_refuse(&place, error, "must be an array of strings");
	size_t index = 0;
	JSON_EACH (sequence, r->stop_sequences) {
		const struct place element = PLACE_ELEMENT(&place, index++);
		if (!json_is_string(sequence))
			return claude_refuse(&element, error, "must be a string");
	}
	return 0;
}

static int
read_tools(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "tools");

	return claude_check_tools(&place, json_member(r->body, "tools"), error);
}

/* Return 1, 0, or -1 if memory ran out. */
static int
has_tool(const struct claude_request *r, const struct json *name)
{
	struct claude_tool tool;
	char *wanted = json_copy(name);
	int found = wanted != NULL ? 0 : -1;

	for (size_t i = 0; i < r->tools.count && found == 0; i++)
		found = claude_tool_read(r->tools.values[i], &tool) &&
			json_is_text(tool.name, wanted);
	free(wanted);
	return found;
}

/* What of the web is among the tools. */
static void
find_web_tools(struct claude_request *r, const struct json **fetch)
{
	r->web_search = NULL;
	r->forces_search = r->wants_search = r->wants_fetch = false;
	*fetch = NULL;
	for (size_t i = 0; i < r->tools.count; i++)
		if (claude_tool_is_web_search(r->tools.values[i]))
			r->web_search = r->tools.values[i];
		else if (claude_tool_is_web_fetch(r->tools.values[i]))
			*fetch = r->tools.values[i];
	r->offers_fetch = *fetch != NULL;
}

/* Is it the name of the tool?  Return 1, 0, or -1 if memory ran out. */
static int
is_named(const struct json *tool, const struct json *name)
{
	char *wanted = json_copy(name);
	int named = wanted == NULL ? -1 : json_is_text(json_member(tool, "name"), wanted);

	free(wanted);
	return named;
}

/* Which of the tools is forced?  Return 1, 0 if there is none of that name, or -1. */
static int
find_forced(struct claude_request *r, const struct json *name, const struct json *fetch)
{
	int found = has_tool(r, name);

	if (found == 0) {
		found = is_named(r->web_search, name);
		r->forces_search = r->wants_search = found == 1;
	}
	if (found == 0) {
		found = is_named(fetch, name);
		r->wants_fetch = found == 1;
	}
	return found;
}

static int
read_forced_tool(struct claude_request *r, const struct place *place, const struct json *choice,
	const struct json *fetch, struct api_error *error)
{
	const struct place name_place = PLACE_MEMBER(place, "name");
	const struct json *name = json_member(choice, "name");

	if (claude_check_name(&name_place, name, error) != 0)
		return -1;
	r->tool_choice_name = name;
	/* Without any tools the choice is not sent at all. */
	if (r->tools.count == 0 && json_member(r->body, "tools") == NULL)
		return 0;
	switch (find_forced(r, name, fetch)) {
	case 1:
		return 0;
	case 0:
		return claude_refuse(&name_place, error,
			"there is no tool '%.*s' that this upstream can call", JSON_SHOWN(name));
	default:
		return api_error_no_memory(error);
	}
}

/* Where nothing but the web can be called, that is what the client is here for. */
static void
note_wanted(struct claude_request *r)
{
	if (r->tool_choice == CLAUDE_CHOICE_NONE || claude_has_functions(r))
		return;
	r->wants_search = r->web_search != NULL;
	r->forces_search = r->wants_search && r->tool_choice == CLAUDE_CHOICE_ANY;
	r->wants_fetch = r->web_search == NULL && r->offers_fetch;
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
	const struct json *choice = json_member(r->body, "tool_choice");
	const struct json *fetch;

	find_web_tools(r, &fetch);
	if (choice != NULL && !json_is_object(choice))
		return claude_refuse(&place, error, "must be an object");
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (json_is_text(json_member(choice, "type"), choices[i].name))
			r->tool_choice = choices[i].choice;
	if (choice != NULL && r->tool_choice == CLAUDE_CHOICE_ABSENT)
		return claude_refuse(&type_place, error, "must be one of auto, any, tool, none");
	r->disable_parallel_tool_use = json_member_bool(choice, "disable_parallel_tool_use", false);
	if (r->tool_choice == CLAUDE_CHOICE_TOOL)
		return read_forced_tool(r, &place, choice, fetch, error);
	note_wanted(r);
	return 0;
}

bool
claude_forces_function(const struct claude_request *r)
{
	return r->tool_choice == CLAUDE_CHOICE_TOOL && !r->forces_search && !r->wants_fetch;
}

static int
read_thinking(struct claude_request *r, struct api_error *error)
{
	const struct place place = PLACE_MEMBER(NULL, "thinking");
	const struct place budget_place = PLACE_MEMBER(&place, "budget_tokens");
	const struct json *thinking = json_member(r->body, "thinking");
	const struct json *budget = json_member(thinking, "budget_tokens");
	const struct json *type = json_member(thinking, "type");

	if (thinking == NULL)
		return 0;
	if (!json_is_object(thinking))
		return claude_refuse(&place, error, "must be an object");
	r->thinking = CLAUDE_THINKING_ADAPTIVE;
	if (json_is_text(type, "disabled"))
		r->thinking = CLAUDE_THINKING_DISABLED;
	if (!json_is_text(type, "enabled"))
		return 0;
	r->thinking = CLAUDE_THINKING_ENABLED;
	if (budget != NULL && (!json_is_integer(budget) || json_int(budget, 0) < 1))
		return claude_refuse(&budget_place, error, "must be a whole number of at least 1");
	r->thinking_budget = json_member_int(thinking, "budget_tokens", 0);
	return 0;
}

static int
read_format(struct claude_request *r, const struct place *place, const struct json *format,
	struct api_error *error)
{
	const struct place schema_place = PLACE_MEMBER(place, "schema");

	if (format == NULL)
		return 0;
	if (!json_is_object(format))
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
	const struct json *config = json_member(r->body, "output_config");

	if (config != NULL && !json_is_object(config))
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
	const struct json *metadata = json_member(r->body, "metadata");

	if (metadata != NULL && !json_is_object(metadata))
		return claude_refuse(&place, error, "must be an object");
	r->user_id = json_member(metadata, "user_id");
	if (r->user_id != NULL && !json_is_string(r->user_id))
		return claude_refuse(&user_place, error, "must be a string");
	return 0;
}

static int
read_directives(struct claude_request *r, struct api_error *error)
{
	return claude_follow_directives(r) == 0 ? 0 : api_error_no_memory(error);
}

int
claude_request_parse(
	const char *text, size_t length, struct claude_request *r, struct api_error *error)
{
	struct json_problem problem;

	*r = (struct claude_request){.text = text, .length = length};
	r->body = json_read(&r->index, text, length, JSON_MAX_REQUEST_VALUES, &problem);
	if (r->body == NULL) {
		api_error_set(error, 400, "the request body is not valid JSON: %s (at byte %zu)",
			problem.what, problem.offset);
		goto err0;
	}
	if (!json_is_object(r->body)) {
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
	json_list_free(&r->messages);
	json_list_free(&r->system);
	json_list_free(&r->tools);
	free(r->model);
	json_document_free(&r->index);
	*r = (struct claude_request){0};
}

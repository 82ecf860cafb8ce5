/*
 * What the requests of both OpenAI interfaces have in common; see parameters.h.
 */
#include "translate/openai/parameters.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "translate/claude/request.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

enum {
	MOST_USER_BYTES = 64, /* the service refuses more */
	LOW_BUDGET = 4096,    /* thinking tokens below which the effort is low */
	MEDIUM_BUDGET = 16384,
};

/* ---- models ---- */

/* The model's name without the vendors before it. */
static const char *
bare_model(const char *model)
{
	const char *slash = strrchr(model, '/');

	return slash != NULL ? slash + 1 : model;
}

static bool
is_o_model(const char *model)
{
	const char *name = bare_model(model);

	return name[0] == 'o' && isdigit((unsigned char)name[1]);
}

/* The models that think before they answer take other parameters: o1, o3, …, gpt-5 and later. */
bool
openai_is_reasoning_model(const char *model)
{
	const char *name = bare_model(model);

	return is_o_model(model) || (strncmp(name, "gpt-", 4) == 0 && atoi(name + 4) >= 5);
}

/* The effort that a thinking model is asked for; NULL: its own choice. */
const char *
openai_effort(const struct claude_request *r, const struct translate_target *target)
{
	static const char *const efforts[][2] = {{"low", "low"}, {"medium", "medium"},
		{"high", "high"}, {"xhigh", "xhigh"}, {"max", "xhigh"}};

	if (r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off)
		return is_o_model(target->model) ? NULL : "minimal";
	for (size_t i = 0; i < sizeof(efforts) / sizeof(efforts[0]); i++)
		if (json_is_text(r->effort, efforts[i][0]))
			return efforts[i][1];
	if (r->thinking != CLAUDE_THINKING_ENABLED || r->thinking_budget == 0)
		return NULL;
	return r->thinking_budget < LOW_BUDGET      ? "low"
	       : r->thinking_budget < MEDIUM_BUDGET ? "medium"
						    : "high";
}

/* ---- members ---- */

int64_t
openai_max_tokens(const struct claude_request *r, const struct translate_target *target)
{
	int64_t most = target->max_output_tokens;

	return most > 0 && r->max_tokens > most ? most : r->max_tokens;
}

/* As it was spelled, unless it is beyond what the service takes. */
static void
put_clamped(struct json_writer *w, const char *name, const struct json *number, int most)
{
	double value = json_double(number, 0);

	if (number == NULL)
		return;
	if (value < 0)
		json_put_int_member(w, name, 0);
	else if (value > most)
		json_put_int_member(w, name, most);
	else
		json_put_value_member(w, name, number);
}

void
openai_put_sampling(struct json_writer *w, const struct claude_request *r)
{
	put_clamped(w, "temperature", r->temperature, 2);
	put_clamped(w, "top_p", r->top_p, 1);
}

/* The longest beginning of a decoded string that the service takes, without half a character. */
static size_t
user_length(const struct buffer *decoded)
{
	size_t length = decoded->length;

	if (length <= MOST_USER_BYTES)
		return length;
	for (length = MOST_USER_BYTES;
		length > 0 && ((unsigned char)decoded->data[length] & 0xc0) == 0x80;)
		length--;
	return length;
}

void
openai_put_user(struct json_writer *w, const struct json *user_id)
{
	struct buffer decoded = BUFFER_INIT(0);

	if (json_content_length(user_id) == 0)
		return;
	if (json_content_length(user_id) <= MOST_USER_BYTES) {
		json_put_value_member(w, "user", user_id);
		return;
	}
	if (json_append(&decoded, user_id) != 0)
		w->out->failed = true;
	json_put_name(w, "user");
	json_put_string(w, buffer_text(&decoded), user_length(&decoded));
	buffer_free(&decoded);
}

/* ---- functions ---- */

/* Begin the object that declares or names a function.  Chat puts its members one level deeper. */
static void
open_function(struct json_writer *w, enum openai_interface interface)
{
	json_open_object(w);
	json_put_text_member(w, "type", "function");
	if (interface == OPENAI_CHAT)
		json_open_object_member(w, "function");
}

static void
close_function(struct json_writer *w, enum openai_interface interface)
{
	if (interface == OPENAI_CHAT)
		json_close_object(w);
	json_close_object(w);
}

/* The schema as it is, but without $schema, and with the type and properties that the service
 * insists on. */
static void
put_schema(struct json_writer *w, const struct json *schema)
{
	const struct json *type = json_member(schema, "type");

	json_open_object(w);
	JSON_EACH (member, schema)
		if (!json_is_named(member, "$schema"))
			json_put_member(w, member);
	if (type == NULL)
		json_put_text_member(w, "type", "object");
	if ((type == NULL || json_is_text(type, "object")) &&
		json_member(schema, "properties") == NULL) {
		json_open_object_member(w, "properties");
		json_close_object(w);
	}
	json_close_object(w);
}

/* Without `strict`, Responses would take every schema for a strict one. */
static void
put_function(struct json_writer *w, const struct claude_tool *tool, struct tool_names *names,
	enum openai_interface interface)
{
	open_function(w, interface);
	json_put_name(w, "name");
	tool_names_put(names, w, tool->name);
	if (tool->description != NULL)
		json_put_value_member(w, "description", tool->description);
	else if (tool->description_text != NULL)
		json_put_text_member(w, "description", tool->description_text);
	json_put_name(w, "parameters");
	if (tool->schema_text != NULL)
		json_put_raw(w, tool->schema_text, strlen(tool->schema_text));
	else
		put_schema(w, tool->schema);
	if (tool->has_strict || interface == OPENAI_RESPONSES)
		json_put_bool_member(w, "strict", tool->has_strict && tool->strict);
	close_function(w, interface);
}

/* One tool, in the list that the first of them opens (${any}: it is open). */
static void
put_tool(struct json_writer *w, const struct json *declared, struct tool_names *names,
	enum openai_interface interface, bool *any)
{
	bool search = interface == OPENAI_RESPONSES && claude_tool_is_web_search(declared);
	struct claude_tool tool = {0};

	if (!search && !claude_tool_read(declared, &tool)) {
		log_warn("tool '%.*s' runs only on Claude's own service: dropped",
			JSON_SHOWN(json_member(declared, "type")));
		return;
	}
	if (!*any)
		json_open_array_member(w, "tools");
	*any = true;
	if (!search) {
		put_function(w, &tool, names, interface);
		return;
	}
	json_open_object(w);
	json_put_text_member(w, "type", "web_search");
	json_close_object(w);
}

static void
put_tool_choice(struct json_writer *w, const struct claude_request *r, struct tool_names *names,
	enum openai_interface interface)
{
	static const char *const words[] = {
		[CLAUDE_CHOICE_ABSENT] = NULL,
		[CLAUDE_CHOICE_AUTO] = "auto",
		[CLAUDE_CHOICE_ANY] = "required",
		[CLAUDE_CHOICE_NONE] = "none",
		[CLAUDE_CHOICE_TOOL] = NULL,
	};

	if (r->tool_choice == CLAUDE_CHOICE_TOOL) {
		json_put_name(w, "tool_choice");
		open_function(w, interface);
		json_put_name(w, "name");
		tool_names_put(names, w, r->tool_choice_name);
		close_function(w, interface);
	} else if (words[r->tool_choice] != NULL) {
		json_put_text_member(w, "tool_choice", words[r->tool_choice]);
	}
	if (r->disable_parallel_tool_use)
		json_put_bool_member(w, "parallel_tool_calls", false);
}

void
openai_put_tools(struct json_writer *w, const struct claude_request *r, struct tool_names *names,
	enum openai_interface interface)
{
	bool any = false;

	for (size_t i = 0; i < r->tools.count; i++)
		put_tool(w, r->tools.values[i], names, interface, &any);
	if (!any)
		return;
	json_close_array(w);
	put_tool_choice(w, r, names, interface);
}

void
openai_put_arguments(struct json_writer *w, const struct json *input)
{
	struct buffer unspaced = BUFFER_INIT(0);

	json_open_string(w);
	if (input != NULL && (input->flags & JSON_SPACED) == 0) {
		json_string_bytes(w, input->text, input->length);
	} else {
		if (json_write(&unspaced, input) != 0)
			w->out->failed = true;
		json_string_bytes(w, buffer_text(&unspaced), unspaced.length);
	}
	json_close_string(w);
	buffer_free(&unspaced);
}

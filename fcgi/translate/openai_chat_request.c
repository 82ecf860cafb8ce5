/*
 * A Claude request as a Chat Completions request (PROTOCOL.md §B.1).  Written straight into the
 * buffer: no second tree.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/claude.h"
#include "translate/openai_chat.h"
#include "translate/openai_chat_messages.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

enum {
	MOST_STOPS = 4,       /* the service refuses more */
	MOST_USER_BYTES = 64, /* likewise */
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
static bool
is_reasoning_model(const char *model)
{
	const char *name = bare_model(model);

	return is_o_model(model) || (strncmp(name, "gpt-", 4) == 0 && atoi(name + 4) >= 5);
}

/* ---- members ---- */

static void
write_name(struct buffer *out, const char *name)
{
	buffer_puts(out, ",\"");
	buffer_puts(out, name);
	buffer_puts(out, "\":");
}

static void
write_text_member(struct buffer *out, const char *name, const char *text)
{
	write_name(out, name);
	json_write_text(out, text);
}

static void
write_max_tokens(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	int64_t most = target->max_output_tokens;
	int64_t tokens = most > 0 && r->max_tokens > most ? most : r->max_tokens;

	write_name(out, is_reasoning_model(target->model) ? "max_completion_tokens" : "max_tokens");
	buffer_put_uint(out, (uint64_t)tokens);
}

/* As it was spelled, unless it is beyond what the service takes. */
static void
write_clamped(struct buffer *out, const char *name, struct json_object *number, const char *most,
	double limit)
{
	if (number == NULL)
		return;
	double value = json_object_get_double(number);
	write_name(out, name);
	if (value < 0)
		buffer_putc(out, '0');
	else if (value > limit)
		buffer_puts(out, most);
	else
		json_write(out, number);
}

static void
write_stops(struct buffer *out, struct json_object *stops)
{
	size_t written = 0;

	for (size_t i = 0;
		stops != NULL && i < json_object_array_length(stops) && written < MOST_STOPS; i++) {
		struct json_object *stop = json_object_array_get_idx(stops, i);
		if (json_object_get_string_len(stop) == 0)
			continue;
		if (written == 0)
			write_name(out, "stop");
		buffer_putc(out, written++ == 0 ? '[' : ',');
		json_write(out, stop);
	}
	if (written > 0)
		buffer_putc(out, ']');
}

/* The effort that a thinking model is asked for; NULL: its own choice. */
static const char *
effort_of(const struct claude_request *r, const struct translate_target *target)
{
	static const char *const efforts[][2] = {{"low", "low"}, {"medium", "medium"},
		{"high", "high"}, {"xhigh", "xhigh"}, {"max", "xhigh"}};

	if (r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off)
		return is_o_model(target->model) ? NULL : "minimal";
	for (size_t i = 0; r->effort != NULL && i < sizeof(efforts) / sizeof(efforts[0]); i++)
		if (strcmp(efforts[i][0], r->effort) == 0)
			return efforts[i][1];
	if (r->thinking != CLAUDE_THINKING_ENABLED || r->thinking_budget == 0)
		return NULL;
	return r->thinking_budget < LOW_BUDGET      ? "low"
	       : r->thinking_budget < MEDIUM_BUDGET ? "medium"
						    : "high";
}

static void
write_sampling(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	if (is_reasoning_model(target->model)) {
		const char *effort = effort_of(r, target);
		if (effort != NULL)
			write_text_member(out, "reasoning_effort", effort);
		return;
	}
	write_clamped(out, "temperature", r->temperature, "2", 2);
	write_clamped(out, "top_p", r->top_p, "1", 1);
	write_stops(out, r->stop_sequences);
}

/* At most 64 bytes, and no half character. */
static void
write_user(struct buffer *out, struct json_object *user_id)
{
	if (user_id == NULL || json_object_get_string_len(user_id) == 0)
		return;
	const char *text = json_object_get_string(user_id);
	size_t length = (size_t)json_object_get_string_len(user_id);
	if (length > MOST_USER_BYTES)
		for (length = MOST_USER_BYTES;
			length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
			length--;
	write_name(out, "user");
	json_write_string(out, text, length);
}

static void
write_response_format(struct buffer *out, struct json_object *schema)
{
	if (schema == NULL)
		return;
	write_name(out, "response_format");
	buffer_puts(
		out, "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"output\",\"schema\":");
	json_write(out, schema);
	buffer_puts(out, ",\"strict\":true}}");
}

/* ---- tools ---- */

/* The schema as it is, but without $schema, and with the type and properties that the service
 * insists on. */
static void
write_schema(struct buffer *out, struct json_object *schema)
{
	struct json_object *type = json_member(schema, "type");
	bool object = type == NULL || json_is_text(type, "object");
	bool first = true;

	buffer_putc(out, '{');
	if (schema != NULL) {
		json_object_object_foreach(schema, name, value)
		{
			if (strcmp(name, "$schema") == 0)
				continue;
			if (!first)
				buffer_putc(out, ',');
			first = false;
			json_write_text(out, name);
			buffer_putc(out, ':');
			json_write(out, value);
		}
	}
	if (type == NULL)
		buffer_puts(out, first ? "\"type\":\"object\"" : ",\"type\":\"object\"");
	if (object && json_member(schema, "properties") == NULL)
		buffer_puts(out, ",\"properties\":{}");
	buffer_putc(out, '}');
}

static int
write_tool(struct buffer *out, const struct claude_tool *tool, struct tool_names *names)
{
	const char *name = tool_names_to_upstream(names, tool->name);

	if (name == NULL)
		return -1;
	buffer_puts(out, "{\"type\":\"function\",\"function\":{\"name\":");
	json_write_text(out, name);
	if (tool->description != NULL) {
		write_name(out, "description");
		json_write(out, tool->description);
	} else if (tool->description_text != NULL) {
		write_text_member(out, "description", tool->description_text);
	}
	write_name(out, "parameters");
	if (tool->schema_text != NULL)
		buffer_puts(out, tool->schema_text);
	else
		write_schema(out, tool->schema);
	if (tool->has_strict)
		buffer_puts(out, tool->strict ? ",\"strict\":true" : ",\"strict\":false");
	return buffer_puts(out, "}}");
}

static int
write_tool_choice(struct buffer *out, const struct claude_request *r, struct tool_names *names)
{
	static const char *const words[] = {
		[CLAUDE_CHOICE_ABSENT] = NULL,
		[CLAUDE_CHOICE_AUTO] = "auto",
		[CLAUDE_CHOICE_ANY] = "required",
		[CLAUDE_CHOICE_NONE] = "none",
		[CLAUDE_CHOICE_TOOL] = NULL,
	};
	const char *name = NULL;

	if (r->tool_choice == CLAUDE_CHOICE_TOOL) {
		name = tool_names_to_upstream(names, r->tool_choice_name);
		if (name == NULL)
			return -1;
		write_name(out, "tool_choice");
		buffer_puts(out, "{\"type\":\"function\",\"function\":{\"name\":");
		json_write_text(out, name);
		buffer_puts(out, "}}");
	} else if (words[r->tool_choice] != NULL) {
		write_text_member(out, "tool_choice", words[r->tool_choice]);
	}
	if (r->disable_parallel_tool_use)
		buffer_puts(out, ",\"parallel_tool_calls\":false");
	return 0;
}

/* Tools, and what is only allowed beside tools. */
static int
write_tools(struct buffer *out, const struct claude_request *r, struct tool_names *names)
{
	size_t count = r->tools != NULL ? json_object_array_length(r->tools) : 0;
	size_t written = 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *declared = json_object_array_get_idx(r->tools, i);
		struct claude_tool tool;
		if (!claude_tool_read(declared, &tool)) {
			log_warn("tool '%s' runs only on Claude's own service: dropped",
				json_member_string(declared, "type"));
			continue;
		}
		buffer_puts(out, written++ == 0 ? ",\"tools\":[" : ",");
		if (write_tool(out, &tool, names) != 0)
			return -1;
	}
	if (written == 0)
		return 0;
	buffer_putc(out, ']');
	return write_tool_choice(out, r, names);
}

int
openai_chat_write_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	buffer_puts(out, "{\"model\":");
	json_write_text(out, target->model);
	write_name(out, "messages");
	if (openai_chat_write_messages(r, names, out, error) != 0)
		return -1;
	write_max_tokens(out, r, target);
	write_sampling(out, r, target);
	if (write_tools(out, r, names) != 0)
		out->failed = true;
	write_response_format(out, r->output_schema);
	write_user(out, r->user_id);
	if (r->stream)
		buffer_puts(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
	buffer_putc(out, '}');
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

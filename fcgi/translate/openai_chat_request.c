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
#include "translate/openai_parameters.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

enum { MOST_STOPS = 4 }; /* the service refuses more */

static void
write_max_tokens(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	openai_write_name(out,
		openai_is_reasoning_model(target->model) ? "max_completion_tokens" : "max_tokens");
	buffer_put_uint(out, (uint64_t)openai_max_tokens(r, target));
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
			openai_write_name(out, "stop");
		buffer_putc(out, written++ == 0 ? '[' : ',');
		json_write(out, stop);
	}
	if (written > 0)
		buffer_putc(out, ']');
}

static void
write_sampling(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	if (openai_is_reasoning_model(target->model)) {
		const char *effort = openai_effort(r, target);
		if (effort != NULL)
			openai_write_text(out, "reasoning_effort", effort);
		return;
	}
	openai_write_sampling(out, r);
	write_stops(out, r->stop_sequences);
}

static void
write_response_format(struct buffer *out, struct json_object *schema)
{
	if (schema == NULL)
		return;
	openai_write_name(out, "response_format");
	buffer_puts(
		out, "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"output\",\"schema\":");
	json_write(out, schema);
	buffer_puts(out, ",\"strict\":true}}");
}

/* ---- tools ---- */

static int
write_tool(struct buffer *out, const struct claude_tool *tool, struct tool_names *names)
{
	buffer_puts(out, "{\"type\":\"function\",\"function\":{");
	if (openai_write_function(out, tool, names) != 0)
		return -1;
	if (tool->has_strict)
		buffer_puts(out, tool->strict ? ",\"strict\":true" : ",\"strict\":false");
	return buffer_puts(out, "}}");
}

static int
write_tool_choice(struct buffer *out, const struct claude_request *r, struct tool_names *names)
{
	const char *word = openai_tool_choice(r);
	const char *name = NULL;

	if (r->tool_choice == CLAUDE_CHOICE_TOOL) {
		name = tool_names_to_upstream(names, r->tool_choice_name);
		if (name == NULL)
			return -1;
		openai_write_name(out, "tool_choice");
		buffer_puts(out, "{\"type\":\"function\",\"function\":{\"name\":");
		json_write_text(out, name);
		buffer_puts(out, "}}");
	} else if (word != NULL) {
		openai_write_text(out, "tool_choice", word);
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
	openai_write_name(out, "messages");
	if (openai_chat_write_messages(r, names, out, error) != 0)
		return -1;
	write_max_tokens(out, r, target);
	write_sampling(out, r, target);
	if (write_tools(out, r, names) != 0)
		out->failed = true;
	write_response_format(out, r->output_schema);
	openai_write_user(out, r->user_id);
	if (r->stream)
		buffer_puts(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
	buffer_putc(out, '}');
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

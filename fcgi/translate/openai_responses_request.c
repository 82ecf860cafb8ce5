/*
 * A Claude request as a Responses request (PROTOCOL.md §B.3).
 */
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/claude.h"
#include "translate/claude_text.h"
#include "translate/openai_parameters.h"
#include "translate/openai_responses.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

enum { LEAST_OUTPUT_TOKENS = 16 }; /* the service refuses fewer */

static void
write_instructions(struct buffer *out, struct json_object *system)
{
	struct buffer text = BUFFER_INIT(0);

	claude_write_texts(&text, system, "\n\n");
	if (text.length > 0) {
		openai_write_name(out, "instructions");
		json_write_string(out, text.data, text.length);
	}
	if (text.failed)
		out->failed = true;
	buffer_free(&text);
}

/* ---- tools ---- */

static int
write_tool(
	struct buffer *out, struct json_object *declared, struct tool_names *names, size_t *written)
{
	struct claude_tool tool = {0};

	if (!claude_tool_is_web_search(declared) && !claude_tool_read(declared, &tool)) {
		log_warn("tool '%s' runs only on Claude's own service: dropped",
			json_member_string(declared, "type"));
		return 0;
	}
	buffer_puts(out, (*written)++ == 0 ? ",\"tools\":[" : ",");
	if (claude_tool_is_web_search(declared))
		return buffer_puts(out, "{\"type\":\"web_search\"}");
	buffer_puts(out, "{\"type\":\"function\",");
	if (openai_write_function(out, &tool, names) != 0)
		return -1;
	/* Without it the service would take every schema for a strict one. */
	return buffer_puts(
		out, tool.has_strict && tool.strict ? ",\"strict\":true}" : ",\"strict\":false}");
}

static int
write_tool_choice(struct buffer *out, const struct claude_request *r, struct tool_names *names)
{
	const char *word = openai_tool_choice(r);

	if (r->tool_choice == CLAUDE_CHOICE_TOOL) {
		const char *name = tool_names_to_upstream(names, r->tool_choice_name);
		if (name == NULL)
			return -1;
		openai_write_name(out, "tool_choice");
		buffer_puts(out, "{\"type\":\"function\"");
		openai_write_text(out, "name", name);
		buffer_putc(out, '}');
	} else if (word != NULL) {
		openai_write_text(out, "tool_choice", word);
	}
	if (r->disable_parallel_tool_use)
		buffer_puts(out, ",\"parallel_tool_calls\":false");
	return 0;
}

static int
write_tools(struct buffer *out, const struct claude_request *r, struct tool_names *names)
{
	size_t count = r->tools != NULL ? json_object_array_length(r->tools) : 0;
	size_t written = 0;

	for (size_t i = 0; i < count; i++)
		if (write_tool(out, json_object_array_get_idx(r->tools, i), names, &written) != 0)
			return -1;
	if (written == 0)
		return 0;
	buffer_putc(out, ']');
	return write_tool_choice(out, r, names);
}

/* ---- how to answer ---- */

static void
write_reasoning(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	const char *effort = openai_effort(r, target);
	bool off = r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off;

	if (off && effort == NULL)
		return;
	openai_write_name(out, "reasoning");
	buffer_putc(out, '{');
	if (effort != NULL) {
		buffer_puts(out, "\"effort\":");
		json_write_text(out, effort);
	}
	if (!off)
		buffer_puts(out, effort != NULL ? ",\"summary\":\"auto\"" : "\"summary\":\"auto\"");
	buffer_putc(out, '}');
}

static void
write_format(struct buffer *out, struct json_object *schema)
{
	if (schema == NULL)
		return;
	openai_write_name(out, "text");
	buffer_puts(out, "{\"format\":{\"type\":\"json_schema\",\"name\":\"output\",\"schema\":");
	json_write(out, schema);
	buffer_puts(out, ",\"strict\":true}}");
}

/* gpt-4o and its like never think, and refuse to be asked for what they thought. */
static bool
may_think(const char *model)
{
	const char *slash = strrchr(model, '/');
	const char *name = slash != NULL ? slash + 1 : model;

	return strncmp(name, "gpt-4", 5) != 0 && strncmp(name, "gpt-3", 5) != 0 &&
	       strncmp(name, "chatgpt-4", 9) != 0;
}

static void
write_limits(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	int64_t tokens = openai_max_tokens(r, target);

	openai_write_name(out, "max_output_tokens");
	buffer_put_uint(out, tokens < LEAST_OUTPUT_TOKENS ? LEAST_OUTPUT_TOKENS : (uint64_t)tokens);
}

/* What is sent to answer and to count alike. */
static int
write_prompt(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	buffer_puts(out, "{\"model\":");
	json_write_text(out, target->model);
	if (r->system != NULL)
		write_instructions(out, r->system);
	openai_write_name(out, "input");
	if (openai_responses_write_input(r, names, out, error) != 0)
		return -1;
	if (write_tools(out, r, names) != 0)
		return api_error_set(error, 500, "out of memory");
	if (openai_is_reasoning_model(target->model))
		write_reasoning(out, r, target);
	write_format(out, r->output_schema);
	return 0;
}

int
openai_responses_write_request(const struct claude_request *r,
	const struct translate_target *target, struct tool_names *names, struct buffer *out,
	struct api_error *error)
{
	if (write_prompt(r, target, names, out, error) != 0)
		return -1;
	write_limits(out, r, target);
	if (!openai_is_reasoning_model(target->model))
		openai_write_sampling(out, r);
	openai_write_user(out, r->user_id);
	buffer_puts(out, ",\"store\":false");
	if (may_think(target->model))
		buffer_puts(out, ",\"include\":[\"reasoning.encrypted_content\"]");
	buffer_puts(out, r->stream ? ",\"stream\":true}" : "}");
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

int
openai_responses_write_count_request(const struct claude_request *r,
	const struct translate_target *target, struct tool_names *names, struct buffer *out,
	struct api_error *error)
{
	if (write_prompt(r, target, names, out, error) != 0)
		return -1;
	buffer_putc(out, '}');
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

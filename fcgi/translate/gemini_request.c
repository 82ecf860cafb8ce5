/*
 * A Claude request as a request to Gemini (PROTOCOL.md §B.2).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/claude.h"
#include "translate/claude_text.h"
#include "translate/gemini.h"
#include "translate/gemini_schema.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

enum {
	MOST_STOPS = 5, /* the service refuses more */
	MOST_FLASH_BUDGET = 24576,
	MOST_PRO_BUDGET = 32768,
};

/* ---- models ---- */

static const char *
bare_model(const char *model)
{
	return strncmp(model, "models/", 7) == 0 ? model + 7 : model;
}

static bool
begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

double
gemini_generation(const char *model)
{
	return begins_with(model, "gemini-") ? strtod(model + strlen("gemini-"), NULL) : 0;
}

/* ---- members of an object that is being written ---- */

/* Write `"name":`, after a comma unless it is the object's first. */
static void
write_name(struct buffer *out, const char *name)
{
	if (out->length > 0 && out->data[out->length - 1] != '{')
		buffer_putc(out, ',');
	buffer_putc(out, '"');
	buffer_puts(out, name);
	buffer_puts(out, "\":");
}

static void
write_value(struct buffer *out, const char *name, struct json_object *value)
{
	if (value == NULL)
		return;
	write_name(out, name);
	json_write(out, value);
}

/* ---- generationConfig ---- */

static void
write_limits(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	int64_t most = target->max_output_tokens;

	write_name(out, "maxOutputTokens");
	buffer_put_uint(out, (uint64_t)(most > 0 && r->max_tokens > most ? most : r->max_tokens));
	write_value(out, "temperature", r->temperature);
	write_value(out, "topP", r->top_p);
	write_value(out, "topK", r->top_k);
}

static void
write_stops(struct buffer *out, struct json_object *stops)
{
	size_t count = stops != NULL ? json_object_array_length(stops) : 0;
	size_t written = 0;

	for (size_t i = 0; i < count && written < MOST_STOPS; i++) {
		struct json_object *stop = json_object_array_get_idx(stops, i);
		if (json_object_get_string_len(stop) == 0)
			continue;
		if (written == 0)
			write_name(out, "stopSequences");
		buffer_putc(out, written++ == 0 ? '[' : ',');
		json_write(out, stop);
	}
	if (written > 0)
		buffer_putc(out, ']');
}

/* A budget beyond what the model can have is refused. */
static int64_t
budget_for(const char *model, int64_t budget)
{
	int64_t most = begins_with(model, "gemini-2.5-flash") ? MOST_FLASH_BUDGET : MOST_PRO_BUDGET;

	return budget > most ? most : budget;
}

static void
write_enabled_thinking(struct buffer *out, const struct claude_request *r, const char *model)
{
	static const char *const levels[][2] = {{"low", "LOW"}, {"medium", "MEDIUM"}};
	const char *level = "HIGH";

	if (gemini_generation(model) < 3) {
		if (r->thinking_budget > 0) {
			write_name(out, "thinkingBudget");
			buffer_put_uint(out, (uint64_t)budget_for(model, r->thinking_budget));
		}
		return;
	}
	for (size_t i = 0; r->effort != NULL && i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i][0], r->effort) == 0)
			level = levels[i][1];
	write_name(out, "thinkingLevel");
	json_write_text(out, level);
}

static void
write_thinking(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	const char *model = bare_model(target->model);

	if (r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off) {
		if (!begins_with(model, "gemini-2.5-flash"))
			return;
		write_name(out, "thinkingConfig");
		buffer_puts(out, "{\"thinkingBudget\":0}");
		return;
	}
	if (r->thinking == CLAUDE_THINKING_ABSENT || gemini_generation(model) < 2.5)
		return;
	write_name(out, "thinkingConfig");
	buffer_puts(out, "{\"includeThoughts\":true");
	if (r->thinking == CLAUDE_THINKING_ENABLED)
		write_enabled_thinking(out, r, model);
	buffer_putc(out, '}');
}

static void
write_generation_config(
	struct buffer *out, const struct claude_request *r, const struct translate_target *target)
{
	write_name(out, "generationConfig");
	buffer_putc(out, '{');
	write_limits(out, r, target);
	write_stops(out, r->stop_sequences);
	write_thinking(out, r, target);
	if (r->output_schema != NULL) {
		write_name(out, "responseMimeType");
		buffer_puts(out, "\"application/json\"");
		write_value(out, "responseJsonSchema", r->output_schema);
	}
	buffer_putc(out, '}');
}

/* ---- tools ---- */

/* Gemini refuses an object without properties: a function without parameters has none. */
static bool
has_parameters(struct json_object *schema)
{
	struct json_object *properties = json_member_object(schema, "properties");

	return !json_is_text(json_member(schema, "type"), "object") ||
	       (properties != NULL && json_object_object_length(properties) > 0);
}

static int
write_parameters(struct buffer *out, const struct claude_tool *tool)
{
	struct json_object *public_schema = NULL;
	const char *problem;

	if (tool->schema_text != NULL && json_parse(tool->schema_text, strlen(tool->schema_text),
						 &public_schema, &problem) != 0)
		return -1;
	struct json_object *given = public_schema != NULL ? public_schema : tool->schema;
	struct json_object *cleaned = given != NULL ? gemini_schema_clean(given) : NULL;
	int status = given != NULL && cleaned == NULL ? -1 : 0;
	if (cleaned != NULL && has_parameters(cleaned))
		write_value(out, "parameters", cleaned);
	json_object_put(cleaned);
	json_object_put(public_schema);
	return status;
}

static int
write_function(struct buffer *out, const struct claude_tool *tool, struct tool_names *names)
{
	const char *name = tool_names_to_upstream(names, tool->name);

	if (name == NULL)
		return -1;
	buffer_putc(out, '{');
	write_name(out, "name");
	json_write_text(out, name);
	write_value(out, "description", tool->description);
	if (tool->description_text != NULL) {
		write_name(out, "description");
		json_write_text(out, tool->description_text);
	}
	if (write_parameters(out, tool) != 0)
		return -1;
	return buffer_putc(out, '}');
}

static void
write_tool_choice(struct buffer *out, const struct claude_request *r, struct tool_names *names)
{
	static const char *const modes[] = {
		[CLAUDE_CHOICE_ABSENT] = NULL,
		[CLAUDE_CHOICE_AUTO] = "AUTO",
		[CLAUDE_CHOICE_ANY] = "ANY",
		[CLAUDE_CHOICE_TOOL] = "ANY",
		[CLAUDE_CHOICE_NONE] = "NONE",
	};

	if (modes[r->tool_choice] == NULL)
		return;
	write_name(out, "toolConfig");
	buffer_puts(out, "{\"functionCallingConfig\":{");
	write_name(out, "mode");
	json_write_text(out, modes[r->tool_choice]);
	if (r->tool_choice == CLAUDE_CHOICE_TOOL) {
		const char *name = tool_names_to_upstream(names, r->tool_choice_name);
		write_name(out, "allowedFunctionNames");
		buffer_putc(out, '[');
		json_write_text(out, name != NULL ? name : r->tool_choice_name);
		buffer_putc(out, ']');
	}
	buffer_puts(out, "}}");
}

/* The functions of the request into ${out}, and whether it wants a web search. */
static int
write_functions(struct buffer *out, const struct claude_request *r, struct tool_names *names,
	bool *web_search)
{
	size_t count = r->tools != NULL ? json_object_array_length(r->tools) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *declared = json_object_array_get_idx(r->tools, i);
		struct claude_tool tool;
		if (claude_tool_is_web_search(declared)) {
			*web_search = true;
		} else if (!claude_tool_read(declared, &tool)) {
			log_warn("tool '%s' runs only on Claude's own service: dropped",
				json_member_string(declared, "type"));
		} else {
			if (out->length > 0)
				buffer_putc(out, ',');
			if (write_function(out, &tool, names) != 0)
				return -1;
		}
	}
	return out->failed ? -1 : 0;
}

static int
write_tools(struct buffer *out, const struct claude_request *r, struct tool_names *names)
{
	struct buffer functions = BUFFER_INIT(0);
	bool web_search = false;
	int status = write_functions(&functions, r, names, &web_search);

	if (status == 0 && (functions.length > 0 || web_search)) {
		write_name(out, "tools");
		buffer_putc(out, '[');
		if (functions.length > 0) {
			buffer_puts(out, "{\"functionDeclarations\":[");
			buffer_append(out, functions.data, functions.length);
			buffer_puts(out, web_search ? "]}," : "]}");
		}
		buffer_puts(out, web_search ? "{\"googleSearch\":{}}]" : "]");
		if (functions.length > 0)
			write_tool_choice(out, r, names);
	}
	buffer_free(&functions);
	return status;
}

/* ---- the request ---- */

static void
write_system(struct buffer *out, struct json_object *system)
{
	struct buffer text = BUFFER_INIT(0);

	claude_write_texts(&text, system, "\n\n");
	if (text.length > 0) {
		write_name(out, "systemInstruction");
		buffer_puts(out, "{\"parts\":[{\"text\":");
		json_write_string(out, text.data, text.length);
		buffer_puts(out, "}]}");
	}
	if (text.failed)
		out->failed = true;
	buffer_free(&text);
}

/* What is sent to answer and to count alike. */
static int
write_prompt(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	if (r->system != NULL)
		write_system(out, r->system);
	write_name(out, "contents");
	if (gemini_write_contents(r, bare_model(target->model), names, out, error) != 0)
		return -1;
	return write_tools(out, r, names) == 0 ? 0 : api_error_set(error, 500, "out of memory");
}

int
gemini_write_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	buffer_putc(out, '{');
	if (write_prompt(r, target, names, out, error) != 0)
		return -1;
	write_generation_config(out, r, target);
	buffer_putc(out, '}');
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

int
gemini_write_count_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	buffer_puts(out, "{\"generateContentRequest\":{\"model\":\"models/");
	struct buffer quoted = BUFFER_INIT(0);
	json_write_text(&quoted, bare_model(target->model));
	buffer_puts(out, quoted.length > 0 ? quoted.data + 1 : "\"");
	buffer_free(&quoted);
	if (write_prompt(r, target, names, out, error) != 0)
		return -1;
	buffer_puts(out, "}}");
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

/*
 * A Claude request as a request to Gemini (PROTOCOL.md §B.2).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/gemini/gemini.h"
#include "translate/gemini/schema.h"
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

/* ---- generationConfig ---- */

static void
put_given(struct json_writer *w, const char *name, const struct json *value)
{
	if (value != NULL)
		json_put_value_member(w, name, value);
}

static void
put_limits(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	int64_t most = target->max_output_tokens;

	json_put_int_member(
		w, "maxOutputTokens", most > 0 && r->max_tokens > most ? most : r->max_tokens);
	put_given(w, "temperature", r->temperature);
	put_given(w, "topP", r->top_p);
	put_given(w, "topK", r->top_k);
}

static void
put_stops(struct json_writer *w, const struct json *stops)
{
	size_t written = 0;

	JSON_EACH (stop, stops) {
		if (written == MOST_STOPS)
			break;
		if (json_content_length(stop) == 0)
			continue;
		if (written++ == 0)
			json_open_array_member(w, "stopSequences");
		json_put_value(w, stop);
	}
	if (written > 0)
		json_close_array(w);
}

/* A budget beyond what the model can have is refused. */
static int64_t
budget_for(const char *model, int64_t budget)
{
	int64_t most = begins_with(model, "gemini-2.5-flash") ? MOST_FLASH_BUDGET : MOST_PRO_BUDGET;

	return budget > most ? most : budget;
}

static void
put_enabled_thinking(struct json_writer *w, const struct claude_request *r, const char *model)
{
	static const char *const levels[][2] = {{"low", "LOW"}, {"medium", "MEDIUM"}};
	const char *level = "HIGH";

	if (gemini_generation(model) < 3) {
		if (r->thinking_budget > 0)
			json_put_int_member(
				w, "thinkingBudget", budget_for(model, r->thinking_budget));
		return;
	}
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (json_is_text(r->effort, levels[i][0]))
			level = levels[i][1];
	json_put_text_member(w, "thinkingLevel", level);
}

static void
put_thinking(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	const char *model = bare_model(target->model);

	if (r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off) {
		if (!begins_with(model, "gemini-2.5-flash"))
			return;
		json_open_object_member(w, "thinkingConfig");
		json_put_int_member(w, "thinkingBudget", 0);
		json_close_object(w);
		return;
	}
	if (r->thinking == CLAUDE_THINKING_ABSENT || gemini_generation(model) < 2.5)
		return;
	json_open_object_member(w, "thinkingConfig");
	json_put_bool_member(w, "includeThoughts", true);
	if (r->thinking == CLAUDE_THINKING_ENABLED)
		put_enabled_thinking(w, r, model);
	json_close_object(w);
}

static void
put_generation_config(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	json_open_object_member(w, "generationConfig");
	put_limits(w, r, target);
	put_stops(w, r->stop_sequences);
	put_thinking(w, r, target);
	if (r->output_schema != NULL) {
		json_put_text_member(w, "responseMimeType", "application/json");
		json_put_value_member(w, "responseJsonSchema", r->output_schema);
	}
	json_close_object(w);
}

/* ---- tools ---- */

/* Gemini refuses an object without properties: a function without parameters has none. */
static bool
has_parameters(struct json_object *schema)
{
	struct json_object *properties = json_tree_member_object(schema, "properties");

	return properties != NULL && json_object_object_length(properties) > 0;
}

static void
put_parameters(struct json_writer *w, const struct json *schema, size_t *budget)
{
	struct json_object *cleaned = gemini_schema_clean(schema, budget);

	if (cleaned == NULL)
		w->out->failed = true;
	if (has_parameters(cleaned)) {
		json_put_name(w, "parameters");
		json_put_tree(w, cleaned);
	}
	json_object_put(cleaned);
}

static void
put_function(struct json_writer *w, const struct claude_tool *tool, struct tool_names *names,
	size_t *budget)
{
	struct json_document public_schema = {0};
	const struct json *schema = tool->schema;

	if (tool->schema_text != NULL) {
		schema = json_read(&public_schema, tool->schema_text, strlen(tool->schema_text),
			JSON_MAX_REQUEST_VALUES, NULL);
		w->out->failed = w->out->failed || schema == NULL;
	}
	json_open_object(w);
	json_put_name(w, "name");
	tool_names_put(names, w, tool->name);
	if (tool->description_text != NULL)
		json_put_text_member(w, "description", tool->description_text);
	else
		put_given(w, "description", tool->description);
	put_parameters(w, schema, budget);
	json_close_object(w);
	json_document_free(&public_schema);
}

static void
put_tool_choice(struct json_writer *w, const struct claude_request *r, struct tool_names *names)
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
	json_open_object_member(w, "toolConfig");
	json_open_object_member(w, "functionCallingConfig");
	json_put_text_member(w, "mode", modes[r->tool_choice]);
	if (r->tool_choice == CLAUDE_CHOICE_TOOL) {
		json_open_array_member(w, "allowedFunctionNames");
		tool_names_put(names, w, r->tool_choice_name);
		json_close_array(w);
	}
	json_close_object(w);
	json_close_object(w);
}

/* What the tools of a request are. */
struct offer {
	size_t functions;
	bool web_search;
};

static struct offer
offer_of(const struct claude_request *r)
{
	struct offer offer = {0};
	struct claude_tool tool;

	for (size_t i = 0; i < r->tools.count; i++) {
		const struct json *declared = r->tools.values[i];
		if (claude_tool_is_web_search(declared))
			offer.web_search = true;
		else if (claude_tool_read(declared, &tool))
			offer.functions++;
		else
			log_warn("tool '%.*s' runs only on Claude's own service: dropped",
				JSON_SHOWN(json_member_string(declared, "type")));
	}
	return offer;
}

static void
put_functions(struct json_writer *w, const struct claude_request *r, struct tool_names *names)
{
	size_t budget = GEMINI_SCHEMA_BUDGET;
	struct claude_tool tool;

	json_open_object(w);
	json_open_array_member(w, "functionDeclarations");
	for (size_t i = 0; i < r->tools.count; i++) {
		const struct json *declared = r->tools.values[i];
		if (!claude_tool_is_web_search(declared) && claude_tool_read(declared, &tool))
			put_function(w, &tool, names, &budget);
	}
	json_close_array(w);
	json_close_object(w);
}

static void
put_tools(struct json_writer *w, const struct claude_request *r, struct tool_names *names)
{
	struct offer offer = offer_of(r);

	if (offer.functions == 0 && !offer.web_search)
		return;
	json_open_array_member(w, "tools");
	if (offer.functions > 0)
		put_functions(w, r, names);
	if (offer.web_search) {
		json_open_object(w);
		json_open_object_member(w, "googleSearch");
		json_close_object(w);
		json_close_object(w);
	}
	json_close_array(w);
	if (offer.functions > 0)
		put_tool_choice(w, r, names);
}

/* ---- the request ---- */

static void
put_system(struct json_writer *w, const struct claude_request *r)
{
	if (!claude_has_system(r))
		return;
	json_open_object_member(w, "systemInstruction");
	json_open_array_member(w, "parts");
	json_open_object(w);
	json_put_name(w, "text");
	json_open_string(w);
	claude_string_system(w, r);
	json_close_string(w);
	json_close_object(w);
	json_close_array(w);
	json_close_object(w);
}

/* What is sent to answer and to count alike. */
static int
put_prompt(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target, struct tool_names *names, struct api_error *error)
{
	put_system(w, r);
	json_put_name(w, "contents");
	if (gemini_put_contents(r, bare_model(target->model), names, w, error) != 0)
		return -1;
	put_tools(w, r, names);
	return 0;
}

int
gemini_write_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	if (put_prompt(&w, r, target, names, error) != 0)
		return -1;
	put_generation_config(&w, r, target);
	json_close_object(&w);
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

int
gemini_write_count_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	json_open_object_member(&w, "generateContentRequest");
	json_put_name(&w, "model");
	json_open_string(&w);
	json_string_text(&w, "models/");
	json_string_text(&w, bare_model(target->model));
	json_close_string(&w);
	if (put_prompt(&w, r, target, names, error) != 0)
		return -1;
	json_close_object(&w);
	json_close_object(&w);
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

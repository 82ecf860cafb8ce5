/*
 * A Claude request as a request to Gemini (PROTOCOL.md §B.2).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_tree.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/gemini/gemini.h"
#include "translate/gemini/schema.h"
#include "translate/model_facts.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

enum {
	MOST_STOPS = 5,  /* the service refuses more */
	MOST_TOP_K = 40, /* likewise, of the model that takes least */
};

/* ---- models ---- */

static const char *
bare_model(const char *model)
{
	return strncmp(model, "models/", 7) == 0 ? model + 7 : model;
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
	const struct model_facts *facts = &target->facts;
	int64_t most = target->max_output_tokens;
	int64_t known = r->stream && facts->model->streamed_more > 0 ? facts->model->streamed_more
								     : facts->model->output;

	if (known > 0 && (most == 0 || known < most))
		most = known;
	json_put_int_member(
		w, "maxOutputTokens", most > 0 && r->max_tokens > most ? most : r->max_tokens);
	put_given(w, "temperature", r->temperature);
	put_given(w, "topP", r->top_p);
	if (json_int(r->top_k, 0) > MOST_TOP_K)
		json_put_int_member(w, "topK", MOST_TOP_K);
	else
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

/* ---- thinking ---- */

/* A budget beyond what the model can have is refused. */
static void
put_budget(struct json_writer *w, const struct model_row *model, int64_t budget)
{
	if (budget < model->least_budget)
		budget = model->least_budget;
	json_put_int_member(
		w, "thinkingBudget", budget > model->most_budget ? model->most_budget : budget);
}

static void
put_level(struct json_writer *w, const struct model_row *model, enum effort wanted)
{
	static const char *const levels[EFFORTS] = {
		[EFFORT_MINIMAL] = "MINIMAL",
		[EFFORT_LOW] = "LOW",
		[EFFORT_MEDIUM] = "MEDIUM",
		[EFFORT_HIGH] = "HIGH",
		[EFFORT_XHIGH] = "XHIGH",
	};
	enum effort level = effort_nearest(model->efforts, wanted);

	if (level != EFFORTS)
		json_put_text_member(w, "thinkingLevel", levels[level]);
}

/* As little as the model can. */
static void
put_no_thinking(struct json_writer *w, const struct model_row *model)
{
	json_open_object_member(w, "thinkingConfig");
	if (model->gemini == GEMINI_LEVEL)
		put_level(w, model, EFFORT_NONE);
	else if ((model->efforts >> EFFORT_NONE & 1) != 0)
		json_put_int_member(w, "thinkingBudget", 0);
	else
		json_put_int_member(w, "thinkingBudget", model->least_budget);
	json_close_object(w);
}

static void
put_thinking(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	const struct model_row *model = target->facts.model;
	int64_t budget = r->thinking == CLAUDE_THINKING_ENABLED ? r->thinking_budget : 0;
	enum effort wanted = effort_find(json_content(r->effort), json_content_length(r->effort));

	if (model->gemini == GEMINI_SAYS_NOTHING)
		return;
	if (r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off) {
		put_no_thinking(w, model);
		return;
	}
	if (r->thinking == CLAUDE_THINKING_ABSENT)
		return;
	json_open_object_member(w, "thinkingConfig");
	json_put_bool_member(w, "includeThoughts", true);
	if (wanted == EFFORTS && budget > 0)
		wanted = effort_of_budget(budget);
	if (model->gemini == GEMINI_LEVEL && wanted != EFFORTS)
		put_level(w, model, wanted);
	else if (model->gemini == GEMINI_BUDGET && (budget > 0 || wanted != EFFORTS))
		put_budget(w, model, budget > 0 ? budget : effort_budget(wanted));
	json_close_object(w);
}

/* Older models refuse a JSON format beside functions: then the system prompt tells it. */
static bool
tells_format(const struct claude_request *r, const struct translate_target *target)
{
	const struct model_facts *facts = &target->facts;

	if (r->output_schema == NULL)
		return false;
	return (target->fixes & FIX_NO_FORMAT) != 0 ||
	       (model_facts_is(facts, MODEL_NO_FORMAT_BESIDE_TOOLS) && claude_has_functions(r));
}

/* Does the request get the service's own search?  Tool mode NONE would not stop it. */
static bool
has_search(const struct claude_request *r, const struct model_facts *facts)
{
	bool alone = r->forces_search || !claude_has_functions(r);

	return r->web_search != NULL && r->tool_choice != CLAUDE_CHOICE_NONE && !facts->no_search &&
	       !model_facts_is(facts, MODEL_NO_SEARCH) &&
	       (alone || !model_facts_is(facts, MODEL_ONE_TOOL_KIND));
}

bool
gemini_has_search(const struct claude_request *r, const struct translate_target *target)
{
	return has_search(r, &target->facts);
}

/* A list of sites that is not empty; NULL if nothing is said of them. */
static const struct json *
sites(const struct claude_request *r, const char *name)
{
	const struct json *list = json_member_array(r->web_search, name);

	return json_first(list) != NULL ? list : NULL;
}

static struct claude_words
words_of(const struct claude_request *r, const struct translate_target *target)
{
	const struct model_facts *facts = &target->facts;
	struct claude_words words = {0};

	if (tells_format(r, target))
		words.format = r->output_schema;
	words.no_fetch = r->offers_fetch && r->tool_choice != CLAUDE_CHOICE_NONE;
	if (has_search(r, facts)) {
		words.must_search = r->forces_search;
		words.only = sites(r, "allowed_domains");
		if (!model_facts_host_is(facts, HOST_VERTEX))
			words.never = sites(r, "blocked_domains");
	} else {
		words.no_search = r->web_search != NULL && r->tool_choice != CLAUDE_CHOICE_NONE;
	}
	return words;
}

static void
put_generation_config(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	json_open_object_member(w, "generationConfig");
	put_limits(w, r, target);
	put_stops(w, r->stop_sequences);
	put_thinking(w, r, target);
	if (r->output_schema != NULL && !tells_format(r, target)) {
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

/* ${hosted}: the service's own search runs beside the functions, which has to be said. */
static void
put_tool_choice(struct json_writer *w, const struct claude_request *r, struct tool_names *names,
	bool hosted)
{
	static const char *const modes[] = {
		[CLAUDE_CHOICE_ABSENT] = NULL,
		[CLAUDE_CHOICE_AUTO] = "AUTO",
		[CLAUDE_CHOICE_ANY] = "ANY",
		[CLAUDE_CHOICE_TOOL] = "ANY",
		[CLAUDE_CHOICE_NONE] = "NONE",
	};

	const char *mode = modes[r->tool_choice];
	if (r->tool_choice == CLAUDE_CHOICE_TOOL && !claude_forces_function(r))
		mode = NULL;
	if (hosted && (mode == NULL || r->tool_choice == CLAUDE_CHOICE_AUTO))
		mode = "VALIDATED";
	if (mode == NULL)
		return;
	json_open_object_member(w, "toolConfig");
	if (hosted)
		json_put_bool_member(w, "includeServerSideToolInvocations", true);
	json_open_object_member(w, "functionCallingConfig");
	json_put_text_member(w, "mode", mode);
	if (claude_forces_function(r)) {
		json_open_array_member(w, "allowedFunctionNames");
		tool_names_put(names, w, r->tool_choice_name);
		json_close_array(w);
	}
	json_close_object(w);
	json_close_object(w);
}

static void
warn_of_dropped(const struct claude_request *r, bool search)
{
	struct claude_tool tool;

	for (size_t i = 0; i < r->tools.count; i++) {
		const struct json *declared = r->tools.values[i];
		if (!claude_tool_is_web_search(declared) && !claude_tool_read(declared, &tool))
			log_warn("tool '%.*s' runs only on Claude's own service: dropped",
				JSON_SHOWN(json_member_string(declared, "type")));
	}
	if (r->web_search != NULL && !search && r->tool_choice != CLAUDE_CHOICE_NONE)
		log_warn("this model cannot search the web beside functions, or at all: the search "
			 "is dropped");
}

/* Vertex alone takes a list of sites to leave out, and nobody one of sites to search. */
static void
put_search(struct json_writer *w, const struct claude_request *r, const struct model_facts *facts)
{
	const struct json *blocked = sites(r, "blocked_domains");

	json_open_object(w);
	json_open_object_member(w, "googleSearch");
	if (blocked != NULL && model_facts_host_is(facts, HOST_VERTEX))
		json_put_value_member(w, "excludeDomains", blocked);
	json_close_object(w);
	json_close_object(w);
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
put_tools(struct json_writer *w, const struct claude_request *r, struct tool_names *names,
	const struct model_facts *facts)
{
	bool search = has_search(r, facts);
	/* A search cannot be forced but by offering nothing else. */
	bool functions = !r->forces_search && claude_has_functions(r);

	warn_of_dropped(r, search);
	if (r->wants_search && !search)
		tool_names_lack(names, LACKS_SEARCH);
	if (r->forces_search && search)
		tool_names_search_first(names);
	if (r->wants_fetch)
		tool_names_lack(names, LACKS_FETCH);
	if (!functions && !search)
		return;
	json_open_array_member(w, "tools");
	if (functions)
		put_functions(w, r, names);
	if (search)
		put_search(w, r, facts);
	json_close_array(w);
	if (functions)
		put_tool_choice(w, r, names, search && model_facts_host_is(facts, HOST_GOOGLE));
}

/* ---- the request ---- */

bool
gemini_system_is_said(const struct translate_target *target)
{
	const struct model_facts *facts = &target->facts;

	return model_facts_is(facts, MODEL_NO_INSTRUCTION) ||
	       (target->fixes & FIX_SYSTEM_AS_USER) != 0;
}

bool
gemini_has_system(const struct claude_request *r, const struct translate_target *target)
{
	const struct claude_words words = words_of(r, target);

	return claude_has_system(r) || claude_has_words(&words);
}

void
gemini_string_system(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	const struct claude_words words = words_of(r, target);

	claude_string_instructions(w, r, &words);
}

static void
put_system(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	if (gemini_system_is_said(target) || !gemini_has_system(r, target))
		return;
	json_open_object_member(w, "systemInstruction");
	json_open_array_member(w, "parts");
	json_open_object(w);
	json_put_name(w, "text");
	json_open_string(w);
	gemini_string_system(w, r, target);
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
	const struct model_facts *facts = &target->facts;

	put_system(w, r, target);
	json_put_name(w, "contents");
	if (gemini_put_contents(r, target, names, w, error) != 0)
		return -1;
	put_tools(w, r, names, facts);
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
	return out->failed ? api_error_no_memory(error) : 0;
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
	return out->failed ? api_error_no_memory(error) : 0;
}

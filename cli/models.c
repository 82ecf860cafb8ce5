/*
 * The command `models`: what is known beforehand of an upstream's models (translate/model_facts.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "command.h"
#include "terminal/output.h"
#include "probe.h"
#include "store/config.h"
#include "translate/claude/models.h"
#include "translate/model_facts.h"

/* What a flag of a model means to its owner. */
static const struct {
	unsigned flag;
	const char *words;
} meanings[] = {
	{MODEL_UNKNOWN, "not in the table"},
	{MODEL_THINKS, "thinks"},
	{MODEL_CAN_BE_OFF, "thinking can be switched off"},
	{MODEL_OFF_BY_DEFAULT, "thinks only when asked to"},
	{MODEL_NO_SAMPLING, "no temperature"},
	{MODEL_SAMPLES_AT_NONE, "temperature with effort none only"},
	{MODEL_NO_STOP, "no stop sequences"},
	{MODEL_COMPLETION_LIMIT, "max_completion_tokens"},
	{MODEL_RESPONSES_ONLY, "Responses only"},
	{MODEL_TOOLS_BY_RESPONSES, "tools by Responses only"},
	{MODEL_TOOLS_AT_NONE, "tools in Chat with effort none only"},
	{MODEL_NO_SEARCH_AT_MINIMAL, "no search with effort minimal"},
	{MODEL_WANTS_THINKING, "its thinking must come back"},
	{MODEL_REFUSES_THINKING, "its thinking must not come back"},
	{MODEL_CHOOSES_AT_OFF, "a tool is forced only without thinking"},
	{MODEL_NO_REQUIRED, "no tool_choice required"},
	{MODEL_STREAMS_ONLY, "streams only"},
	{MODEL_OBJECT_FORMAT, "JSON without a schema"},
	{MODEL_NO_FORMAT, "no JSON format"},
	{MODEL_MISTRAL, "ids of 9 characters, no user right behind a result"},
	{MODEL_SIGNED_CALLS, "signed calls"},
	{MODEL_NO_PREFILL, "no ending with the model's turn"},
	{MODEL_NO_INSTRUCTION, "no system instruction"},
	{MODEL_ONE_TOOL_KIND, "search or functions"},
	{MODEL_NO_FORMAT_BESIDE_TOOLS, "no JSON format beside functions"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct telling {
	const struct admin *admin;
	const struct upstream *upstream;
	char *problem; /* why the list was not to be had; NULL: none */
	struct buffer host;
	struct buffer out; /* --json */
	struct json_writer w;
};

/* The efforts that are taken, and with Gemini the budget; nothing where there are none. */
static void
write_thinking(struct buffer *out, const struct model_row *row)
{
	const char *between = "";

	for (unsigned e = 0; e < EFFORTS && row->gemini != GEMINI_BUDGET; e++) {
		if ((row->efforts >> e & 1) == 0)
			continue;
		buffer_printf(out, "%s%s", between, effort_word((enum effort)e));
		between = " ";
	}
	if (row->gemini == GEMINI_BUDGET)
		buffer_printf(out, "%d to %d tokens", row->least_budget, row->most_budget);
}

static void
put_model(struct telling *t, const char *model, const struct model_row *row)
{
	struct json_writer *w = &t->w;
	struct buffer thinking = BUFFER_INIT(0);

	json_open_object(w);
	json_put_text_member(w, "model", model);
	write_thinking(&thinking, row);
	json_put_text_member(w, "effort", thinking.length > 0 ? buffer_text(&thinking) : NULL);
	if (row->context > 0)
		json_put_int_member(w, "context", row->context);
	if (row->output > 0)
		json_put_int_member(w, "output", row->output);
	json_open_array_member(w, "facts");
	for (size_t i = 0; i < COUNT(meanings); i++)
		if ((row->flags & meanings[i].flag) != 0)
			json_put_text(w, meanings[i].words);
	json_close_array(w);
	json_close_object(w);
	buffer_free(&thinking);
}

static void
show_model(const char *model, const struct model_row *row)
{
	struct buffer thinking = BUFFER_INIT(0);

	print("%s\n", model);
	write_thinking(&thinking, row);
	if (thinking.length > 0)
		print("  effort   %s\n", buffer_text(&thinking));
	if (row->context > 0)
		print("  context  %d\n", row->context);
	if (row->output > 0)
		print("  output   %d\n", row->output);
	for (size_t i = 0; i < COUNT(meanings); i++)
		if ((row->flags & meanings[i].flag) != 0)
			print("  %s\n", meanings[i].words);
	buffer_free(&thinking);
}

static void
report(struct telling *t, const char *model)
{
	const struct model_facts facts = model_facts_find(buffer_text(&t->host), model);

	if (t->admin->json)
		put_model(t, model, facts.model);
	else
		show_model(model, facts.model);
}

/* Those that the upstream lists itself.  Return how many. */
static size_t
tell_listed(struct telling *t)
{
	struct probe probe = {.settings = t->admin->settings, .upstream = t->upstream};
	struct probe_answer list;
	struct claude_models models = {0};
	struct json_document index = {0};
	size_t count = 0;

	for (size_t i = 0; i < t->upstream->key_count && probe.key == NULL; i++)
		if (t->upstream->keys[i].enabled)
			probe.key = &t->upstream->keys[i];
	probe_models(&probe, &list);
	/* A service that has no list says 404. */
	if (list.error.status != 0 && list.error.status != 404)
		t->problem = strdup(list.error.message);
	else if (claude_models_read(
			 &models, json_read(&index, buffer_text(&list.body), list.body.length,
					  JSON_MAX_ANSWER_VALUES, NULL)) == 0)
		for (; count < models.count; count++)
			report(t, claude_models_id(&models, count));
	json_document_free(&index);
	claude_models_free(&models);
	probe_answer_free(&list);
	return count;
}

/* Those that routes lead to. */
static size_t
tell_routed(struct telling *t)
{
	const struct config *config = t->admin->config;
	size_t count = 0;

	for (size_t i = 0; i < config->route_count; i++) {
		const struct upstream *u = config->routes[i].upstream != NULL
						   ? config->routes[i].upstream
						   : config->current;
		if (u != t->upstream)
			continue;
		report(t, config->routes[i].model);
		count++;
	}
	return count;
}

/* Say why there is none to report. */
static int
fail_without_models(const struct telling *t)
{
	const char *name = t->upstream->name;
	const char *one = HINT("models", name, "<model>");

	if (t->problem != NULL)
		return fail("%s; %s tells what is known of one", t->problem, one);
	return fail("%s does not list its models: %s tells what is known of one", name, one);
}

int
run_models(struct admin *a, int count, char **arguments)
{
	struct telling t = {.admin = a, .upstream = find_upstream(a, arguments[0])};
	int status = EXIT_DONE;

	if (t.upstream == NULL)
		return EXIT_FAILED;
	t.w = JSON_WRITER(&t.out);
	model_facts_write_host(&t.host, t.upstream->base_url);
	json_open_array(&t.w);
	for (int i = 1; i < count; i++)
		report(&t, arguments[i]);
	if (count == 1 && tell_listed(&t) == 0 && tell_routed(&t) == 0)
		status = fail_without_models(&t);
	json_close_array(&t.w);
	if (a->json && status == EXIT_DONE)
		print_json(&t.out);
	free(t.problem);
	buffer_free(&t.host);
	buffer_free(&t.out);
	return status;
}

/*
 * A Claude request as a Responses request (PROTOCOL.md §B.3).
 */
#include <stdbool.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/model_facts.h"
#include "translate/openai/hosted_search.h"
#include "translate/openai/parameters.h"
#include "translate/openai/responses.h"
#include "translate/openai/thinking.h"
#include "translate/openai/tool_schema.h"
#include "translate/translator.h"

enum { LEAST_OUTPUT_TOKENS = 16 }; /* the service refuses fewer */

static void
put_instructions(struct json_writer *w, const struct claude_request *r,
	const struct model_facts *facts, bool no_format)
{
	struct claude_words words = {0};

	if (no_format || (facts->model->flags & (MODEL_OBJECT_FORMAT | MODEL_NO_FORMAT)) != 0)
		words.format = r->output_schema;
	openai_set_search_words(&words, r, model_facts_responses_search(facts));
	if (!claude_has_system(r) && !claude_has_words(&words))
		return;
	json_put_name(w, "instructions");
	json_open_string(w);
	claude_string_instructions(w, r, &words);
	json_close_string(w);
}

/* ---- how to answer ---- */

/* A summary is asked for only where the client wants to read it: it needs a verified organisation.
 */
static void
put_reasoning(struct json_writer *w, const struct claude_request *r,
	const struct openai_thinking *thinking)
{
	bool summary = thinking->asked && (r->thinking == CLAUDE_THINKING_ENABLED ||
						  r->thinking == CLAUDE_THINKING_ADAPTIVE);

	if (thinking->effort == EFFORTS && !summary)
		return;
	json_open_object_member(w, "reasoning");
	if (thinking->effort != EFFORTS)
		json_put_text_member(w, "effort", effort_word(thinking->effort));
	if (summary)
		json_put_text_member(w, "summary", "auto");
	json_close_object(w);
}

static void
put_format(struct json_writer *w, const struct json *schema, const struct model_facts *facts)
{
	bool object = model_facts_is(facts, MODEL_OBJECT_FORMAT);

	if (schema == NULL || model_facts_is(facts, MODEL_NO_FORMAT))
		return;
	json_open_object_member(w, "text");
	json_open_object_member(w, "format");
	json_put_text_member(w, "type", object ? "json_object" : "json_schema");
	if (!object)
		openai_put_format_members(w, schema);
	json_close_object(w);
	json_close_object(w);
}

/* Models that never think refuse to be asked for what they thought. */
static bool
may_think(const struct model_facts *facts)
{
	return (facts->model->flags & (MODEL_THINKS | MODEL_UNKNOWN)) != 0;
}

/* What must be in the answer besides itself: the thinking, for the next turn, and all that a search
 * found, not only what is cited. */
static void
put_include(struct json_writer *w, const struct claude_request *r, const struct model_facts *facts)
{
	bool thinks = may_think(facts);
	bool searches = openai_search_is_offered(r, facts) &&
			model_facts_host_is(facts, HOST_TELLS_SOURCES);

	if (!thinks && !searches)
		return;
	json_open_array_member(w, "include");
	if (thinks)
		json_put_text(w, "reasoning.encrypted_content");
	if (searches)
		json_put_text(w, "web_search_call.action.sources");
	json_close_array(w);
}

static void
put_limits(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	int64_t tokens = openai_max_tokens(r, target);

	json_put_int_member(w, "max_output_tokens",
		tokens < LEAST_OUTPUT_TOKENS ? LEAST_OUTPUT_TOKENS : tokens);
}

/* What is sent to answer and to count alike. */
static int
put_prompt(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target, struct tool_names *names, struct api_error *error)
{
	const struct model_facts *facts = &target->facts;
	const struct openai_thinking thinking = openai_thinking_of(r, target, OPENAI_RESPONSES);
	bool no_format = (target->fixes & FIX_NO_FORMAT) != 0;

	json_put_text_member(w, "model", target->model);
	put_instructions(w, r, facts, no_format);
	json_put_name(w, "input");
	if (openai_responses_write_input(r, target, names, w, error) != 0)
		return -1;
	openai_put_tools(w, r, names, facts, OPENAI_RESPONSES);
	if (model_facts_is(facts, MODEL_THINKS))
		put_reasoning(w, r, &thinking);
	if (!no_format)
		put_format(w, r->output_schema, facts);
	return 0;
}

int
openai_responses_write_request(const struct claude_request *r,
	const struct translate_target *target, struct tool_names *names, struct buffer *out,
	struct api_error *error)
{
	const struct model_facts *facts = &target->facts;
	const struct openai_thinking thinking = openai_thinking_of(r, target, OPENAI_RESPONSES);
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	if (put_prompt(&w, r, target, names, error) != 0)
		return -1;
	put_limits(&w, r, target);
	if (openai_takes_sampling(facts, &thinking))
		openai_put_sampling(&w, r);
	openai_put_asker(&w, r->user_id, facts, OPENAI_RESPONSES);
	json_put_bool_member(&w, "store", false);
	put_include(&w, r, facts);
	if (r->stream || model_facts_is(facts, MODEL_STREAMS_ONLY))
		json_put_bool_member(&w, "stream", true);
	json_close_object(&w);
	return out->failed ? api_error_no_memory(error) : 0;
}

int
openai_responses_write_count_request(const struct claude_request *r,
	const struct translate_target *target, struct tool_names *names, struct buffer *out,
	struct api_error *error)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	if (put_prompt(&w, r, target, names, error) != 0)
		return -1;
	json_close_object(&w);
	return out->failed ? api_error_no_memory(error) : 0;
}

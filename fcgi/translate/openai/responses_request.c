/*
 * A Claude request as a Responses request (PROTOCOL.md §B.3).
 */
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/openai/parameters.h"
#include "translate/openai/responses.h"
#include "translate/translator.h"

enum { LEAST_OUTPUT_TOKENS = 16 }; /* the service refuses fewer */

static void
put_instructions(struct json_writer *w, const struct claude_request *r)
{
	if (!claude_has_system(r))
		return;
	json_put_name(w, "instructions");
	json_open_string(w);
	claude_string_system(w, r);
	json_close_string(w);
}

/* ---- how to answer ---- */

static void
put_reasoning(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	const char *effort = openai_effort(r, target);
	bool off = r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off;

	if (off && effort == NULL)
		return;
	json_open_object_member(w, "reasoning");
	if (effort != NULL)
		json_put_text_member(w, "effort", effort);
	if (!off)
		json_put_text_member(w, "summary", "auto");
	json_close_object(w);
}

static void
put_format(struct json_writer *w, const struct json *schema)
{
	if (schema == NULL)
		return;
	json_open_object_member(w, "text");
	json_open_object_member(w, "format");
	json_put_text_member(w, "type", "json_schema");
	json_put_text_member(w, "name", "output");
	json_put_value_member(w, "schema", schema);
	json_put_bool_member(w, "strict", true);
	json_close_object(w);
	json_close_object(w);
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

/* What must be in the answer besides itself: the thinking, for the next turn. */
static void
put_include(struct json_writer *w)
{
	json_open_array_member(w, "include");
	json_put_text(w, "reasoning.encrypted_content");
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
	json_put_text_member(w, "model", target->model);
	put_instructions(w, r);
	json_put_name(w, "input");
	if (openai_responses_write_input(r, names, w, error) != 0)
		return -1;
	openai_put_tools(w, r, names, OPENAI_RESPONSES);
	if (openai_is_reasoning_model(target->model))
		put_reasoning(w, r, target);
	put_format(w, r->output_schema);
	return 0;
}

int
openai_responses_write_request(const struct claude_request *r,
	const struct translate_target *target, struct tool_names *names, struct buffer *out,
	struct api_error *error)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	if (put_prompt(&w, r, target, names, error) != 0)
		return -1;
	put_limits(&w, r, target);
	if (!openai_is_reasoning_model(target->model))
		openai_put_sampling(&w, r);
	openai_put_user(&w, r->user_id);
	json_put_bool_member(&w, "store", false);
	if (may_think(target->model))
		put_include(&w);
	if (r->stream)
		json_put_bool_member(&w, "stream", true);
	json_close_object(&w);
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
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
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

/*
 * A Claude request as a Chat Completions request (PROTOCOL.md §B.1).
 */
#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/writer.h"
#include "translate/model_facts.h"
#include "translate/openai/chat/chat.h"
#include "translate/openai/chat/chat_messages.h"
#include "translate/openai/parameters.h"
#include "translate/openai/thinking.h"
#include "translate/openai/tool_schema.h"
#include "translate/translator.h"

enum { MOST_STOPS = 4 }; /* the service refuses more */

static void
put_max_tokens(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target, const struct model_facts *facts)
{
	const char *member = facts->host->limit;

	if (member == NULL)
		member = model_facts_is(facts, MODEL_COMPLETION_LIMIT) ? "max_completion_tokens"
								       : "max_tokens";
	json_put_int_member(w, member, openai_max_tokens(r, target));
}

static void
put_stops(struct json_writer *w, const struct json *stops)
{
	size_t written = 0;

	JSON_EACH (stop, stops) {
		if (json_content_length(stop) == 0 || written == MOST_STOPS)
			continue;
		if (written++ == 0)
			json_open_array_member(w, "stop");
		json_put_value(w, stop);
	}
	if (written > 0)
		json_close_array(w);
}

static void
put_sampling(struct json_writer *w, const struct claude_request *r, const struct model_facts *facts,
	const struct openai_thinking *thinking)
{
	openai_put_thinking(w, r, facts, thinking);
	if (openai_takes_sampling(facts, thinking))
		openai_put_sampling(w, r);
	if (!model_facts_is(facts, MODEL_NO_STOP))
		put_stops(w, r->stop_sequences);
}

/* Where the schema is not taken, the system prompt tells it. */
static void
put_response_format(
	struct json_writer *w, const struct json *schema, const struct model_facts *facts)
{
	bool object = model_facts_is(facts, MODEL_OBJECT_FORMAT);

	if (schema == NULL || model_facts_is(facts, MODEL_NO_FORMAT))
		return;
	json_open_object_member(w, "response_format");
	json_put_text_member(w, "type", object ? "json_object" : "json_schema");
	if (!object) {
		json_open_object_member(w, "json_schema");
		openai_put_format_members(w, schema);
		json_close_object(w);
	}
	json_close_object(w);
}

static void
put_stream(struct json_writer *w, const struct model_facts *facts)
{
	json_put_bool_member(w, "stream", true);
	if (model_facts_host_is(facts, HOST_NO_STREAM_OPTIONS))
		return;
	json_open_object_member(w, "stream_options");
	json_put_bool_member(w, "include_usage", true);
	json_close_object(w);
}

/* Some models only stream; the answer is collected. */
static bool
streams(const struct claude_request *r, const struct model_facts *facts)
{
	return r->stream || model_facts_is(facts, MODEL_STREAMS_ONLY);
}

int
openai_chat_write_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	const struct model_facts *facts = &target->facts;
	const struct openai_thinking thinking = openai_thinking_of(r, target, OPENAI_CHAT);
	struct json_writer w = JSON_WRITER(out);

	if (target->builtin_search)
		tool_names_set_builtin(names, CLAUDE_SEARCH_FUNCTION, "$web_search");
	json_open_object(&w);
	json_put_text_member(&w, "model", target->model);
	json_put_name(&w, "messages");
	if (openai_chat_write_messages(r, target, names, &w, error) != 0)
		return -1;
	put_max_tokens(&w, r, target, facts);
	put_sampling(&w, r, facts, &thinking);
	openai_put_tools(&w, r, names, facts, OPENAI_CHAT);
	if ((target->fixes & FIX_NO_FORMAT) == 0)
		put_response_format(&w, r->output_schema, facts);
	openai_put_asker(&w, r->user_id, facts, OPENAI_CHAT);
	if (streams(r, facts))
		put_stream(&w, facts);
	json_close_object(&w);
	return out->failed ? api_error_no_memory(error) : 0;
}

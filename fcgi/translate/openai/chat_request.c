/*
 * A Claude request as a Chat Completions request (PROTOCOL.md §B.1).
 */
#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "translate/claude/request.h"
#include "translate/openai/chat.h"
#include "translate/openai/chat_messages.h"
#include "translate/openai/parameters.h"
#include "translate/translator.h"

enum { MOST_STOPS = 4 }; /* the service refuses more */

static void
put_max_tokens(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	json_put_int_member(w,
		openai_is_reasoning_model(target->model) ? "max_completion_tokens" : "max_tokens",
		openai_max_tokens(r, target));
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
put_sampling(struct json_writer *w, const struct claude_request *r,
	const struct translate_target *target)
{
	if (openai_is_reasoning_model(target->model)) {
		const char *effort = openai_effort(r, target);
		if (effort != NULL)
			json_put_text_member(w, "reasoning_effort", effort);
		return;
	}
	openai_put_sampling(w, r);
	put_stops(w, r->stop_sequences);
}

static void
put_response_format(struct json_writer *w, const struct json *schema)
{
	if (schema == NULL)
		return;
	json_open_object_member(w, "response_format");
	json_put_text_member(w, "type", "json_schema");
	json_open_object_member(w, "json_schema");
	json_put_text_member(w, "name", "output");
	json_put_value_member(w, "schema", schema);
	json_put_bool_member(w, "strict", true);
	json_close_object(w);
	json_close_object(w);
}

static void
put_stream(struct json_writer *w)
{
	json_put_bool_member(w, "stream", true);
	json_open_object_member(w, "stream_options");
	json_put_bool_member(w, "include_usage", true);
	json_close_object(w);
}

int
openai_chat_write_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	json_put_text_member(&w, "model", target->model);
	json_put_name(&w, "messages");
	if (openai_chat_write_messages(r, names, &w, error) != 0)
		return -1;
	put_max_tokens(&w, r, target);
	put_sampling(&w, r, target);
	openai_put_tools(&w, r, names, OPENAI_CHAT);
	put_response_format(&w, r->output_schema);
	openai_put_user(&w, r->user_id);
	if (r->stream)
		put_stream(&w);
	json_close_object(&w);
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

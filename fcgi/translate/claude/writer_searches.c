/*
 * Searches in Claude's answer, and the turns between which the proxy makes them; see writer.h.
 */
#include <string.h>

#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/writer_steps.h"

enum { MOST_TURN = 16 << 20 /* bytes of a turn that a search follows */ };

/* A use of ${tool}, with the member ${name} of its input. */
static void
write_use(struct claude_writer *w, const char *tool, const char *name, const char *content,
	size_t length)
{
	struct buffer head = BUFFER_INIT(0);
	struct buffer input = BUFFER_INIT(0);
	struct json_writer in = JSON_WRITER(&input);

	random_id(w->search_id, sizeof(w->search_id), ROUND_TRIP_SEARCH);
	buffer_printf(&head,
		"{\"type\":\"server_tool_use\",\"id\":\"%s\",\"name\":\"%s\",\"input\":",
		w->search_id, tool);
	json_open_object(&in);
	json_put_name(&in, name);
	json_open_string(&in);
	json_string_content(&in, content, length);
	json_close_string(&in);
	json_close_object(&in);
	writer_open_block(w, TOOL_BLOCK, buffer_text(&head), "{}}");
	writer_put_input(w, buffer_text(&input), input.length);
	writer_close_block(w);
	w->characters += input.length;
	if (head.failed || input.failed)
		w->out->failed = true;
	buffer_free(&head);
	buffer_free(&input);
}

static void
write_result(struct claude_writer *w, const char *tool, const char *result, size_t length)
{
	struct buffer block = BUFFER_INIT(0);

	buffer_printf(&block,
		"{\"type\":\"%s_tool_result\",\"tool_use_id\":\"%s\",\"content\":", tool,
		w->search_id);
	buffer_append(&block, result, length);
	writer_open_block(w, RESULT_BLOCK, buffer_text(&block), "}");
	writer_close_block(w);
	if (block.failed)
		w->out->failed = true;
	buffer_free(&block);
}

void
writer_put_failed_use(struct claude_writer *w)
{
	bool search = w->lacks == LACKS_SEARCH;
	const char *tool = search ? "web_search" : "web_fetch";
	struct buffer failure = BUFFER_INIT(0);

	buffer_printf(&failure,
		"{\"type\":\"%s_tool_result_error\",\"error_code\":\"unavailable\"}", tool);
	write_use(w, tool, search ? "query" : "url", "", 0);
	write_result(w, tool, buffer_text(&failure), failure.length);
	buffer_free(&failure);
}

void
claude_writer_search_begin(struct claude_writer *w, const char *query, size_t query_length)
{
	if (writer_is_over(w))
		return;
	writer_end_text(w);
	write_use(w, "web_search", "query", query, query_length);
}

void
claude_writer_search_end(struct claude_writer *w, const char *results, size_t length, bool counts)
{
	if (writer_is_over(w))
		return;
	write_result(w, "web_search", results, length);
	w->searches += counts;
}

void
claude_writer_lack(struct claude_writer *w, enum lacking_tool lacking)
{
	w->lacks = lacking;
}

/* ---- turns ---- */

int
writer_begin_turn(struct claude_writer *w)
{
	const struct claude_writer_options options = {
		.model = w->model,
		.kind = w->kind,
		.hide_thinking = w->hide_thinking,
	};

	claude_writer_free(w->turn);
	buffer_clear(&w->turn_text);
	w->turn_text.limit = MOST_TURN;
	w->turn = claude_writer_new(&options, &w->turn_text);
	w->called_search = false;
	if (w->turn == NULL)
		return -1;
	w->turn->message.limit = w->turn->input.limit = MOST_TURN;
	return 0;
}

bool
claude_writer_waits(const struct claude_writer *w)
{
	return w->waits;
}

const struct buffer *
claude_writer_turn(const struct claude_writer *w)
{
	return &w->turn_text;
}

bool
claude_writer_has_turns(const struct claude_writer *w)
{
	return w->mark.index > 0;
}

int
claude_writer_next_turn(struct claude_writer *w, const struct claude_writer_options *options)
{
	writer_settle_usage(w);
	w->earlier = w->usage;
	w->estimated_input = options->estimated_input_tokens;
	w->mark = (struct mark){w->message.length, w->index, w->has_tool};
	w->waits = false;
	return claude_writer_redirect(w, options);
}

void
claude_writer_page(struct claude_writer *w, const char *url, const char *citation, size_t length)
{
	cited_pages_add(&w->pages, url, citation, length);
}

void
claude_writer_late_tool(struct claude_writer *w, const struct json *tool_use)
{
	const struct json *input = json_member(tool_use, "input");
	struct buffer text = BUFFER_INIT(0);

	PUT(&text, "{\"type\":\"tool_use\",\"id\":");
	json_write(&text, json_member(tool_use, "id"));
	PUT(&text, ",\"name\":");
	json_write(&text, json_member(tool_use, "name"));
	PUT(&text, ",\"input\":");
	writer_open_block(w, TOOL_BLOCK, buffer_text(&text), "{}}");
	w->has_tool = true;
	w->has_input = false;
	buffer_clear(&text);
	json_write(&text, input);
	writer_put_input(w, buffer_text(&text), text.length);
	writer_close_block(w);
	if (text.failed)
		w->out->failed = true;
	buffer_free(&text);
}

void
claude_writer_end(struct claude_writer *w, const char *stop_reason)
{
	w->waits = false;
	w->called_search = false;
	claude_writer_finish(w, stop_reason, NULL);
}

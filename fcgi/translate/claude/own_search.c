/*
 * Claude's web search as a function; see own_search.h.
 */
#include "translate/claude/own_search.h"

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/writer.h"

static const char description[] =
	"Search the web. Returns the title, the url and an excerpt of pages that match, for what "
	"is "
	"newer than you know, or needs a source. Cite the pages that you use as Markdown links to "
	"their url.";
static const char schema[] = "{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\","
			     "\"description\":\"What to search for.\"}},\"required\":[\"query\"],"
			     "\"additionalProperties\":false}";

/* Where the user is, as far as the client tells: what is searched for may depend on it. */
static void
string_location(struct json_writer *w, const struct json *location)
{
	static const char *const parts[] = {"city", "region", "country"};
	const char *before = " The user is in ";

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct json *part = json_member_string(location, parts[i]);
		if (json_content_length(part) == 0)
			continue;
		json_string_text(w, before);
		json_string_value(w, part);
		before = ", ";
	}
	if (*before == ',')
		json_string_text(w, ".");
}

static void
put_function(struct json_writer *w, const struct json *search)
{
	json_open_object(w);
	json_put_text_member(w, "name", CLAUDE_SEARCH_FUNCTION);
	json_put_name(w, "description");
	json_open_string(w);
	json_string_text(w, description);
	string_location(w, json_member_object(search, "user_location"));
	json_close_string(w);
	json_put_name(w, "input_schema");
	json_put_raw(w, schema, sizeof(schema) - 1);
	json_close_object(w);
}

/* There may be a second search, of another version. */
static void
put_tools(struct json_writer *w, const struct claude_request *r, const struct json *tools)
{
	json_open_array(w);
	JSON_EACH (tool, tools)
		if (tool == r->web_search)
			put_function(w, tool);
		else if (!claude_tool_is_web_search(tool))
			json_put_value(w, tool);
	json_close_array(w);
}

/* The first turn is forced as the client says, which may call the search by another name. */
static void
put_choice(struct json_writer *w, const struct claude_request *r, enum own_search_turn turn)
{
	bool forced = turn == OWN_SEARCH_FIRST && r->forces_search;

	json_put_name(w, "tool_choice");
	if (turn == OWN_SEARCH_FIRST && !forced) {
		json_put_value(w, json_member(r->body, "tool_choice"));
		return;
	}
	json_open_object(w);
	json_put_text_member(w, "type",
		forced                    ? "tool"
		: turn == OWN_SEARCH_LAST ? "none"
					  : "auto");
	if (forced)
		json_put_text_member(w, "name", CLAUDE_SEARCH_FUNCTION);
	if (r->disable_parallel_tool_use)
		json_put_bool_member(w, "disable_parallel_tool_use", true);
	json_close_object(w);
}

static void
put_messages(struct json_writer *w, const struct json *messages, const struct buffer *turns)
{
	json_open_array(w);
	JSON_EACH (message, messages)
		json_put_value(w, message);
	buffer_append(w->out, buffer_text(turns), turns->length);
	json_close_array(w);
}

static void
put_member(struct json_writer *w, const struct claude_request *r, const struct json *member,
	const struct buffer *turns)
{
	if (json_is_named(member, "tools")) {
		json_put_name(w, "tools");
		put_tools(w, r, member);
	} else if (json_is_named(member, "messages")) {
		json_put_name(w, "messages");
		put_messages(w, member, turns);
	} else if (!json_is_named(member, "tool_choice")) {
		json_put_member(w, member);
	}
}

int
own_search_write_request(const struct claude_request *r, enum own_search_turn turn,
	const struct buffer *turns, struct buffer *out)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_object(&w);
	JSON_EACH (member, r->body)
		put_member(&w, r, member, turns);
	if (turn == OWN_SEARCH_LAST || json_member(r->body, "tool_choice") != NULL)
		put_choice(&w, r, turn);
	json_close_object(&w);
	return out->failed ? -1 : 0;
}

int
own_search_make_request(const struct claude_request *r, enum own_search_turn turn,
	const struct buffer *turns, struct buffer *text, struct claude_request *own,
	struct api_error *error)
{
	*own = (struct claude_request){0};
	if (own_search_write_request(r, turn, turns, text) != 0)
		return api_error_no_memory(error);
	if (claude_request_parse(buffer_text(text), text->length, own, error) != 0)
		return -1;
	return claude_request_check(own, CLAUDE_TO_ANSWER, error);
}

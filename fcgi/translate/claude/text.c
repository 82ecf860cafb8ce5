/*
 * Blocks as plain text; see text.h.
 */
#include "translate/claude/text.h"

#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/round_trip.h"

static const char paragraph[] = "\n\n";
static const char no_result[] = "(no result)";
static const char error_prefix[] = "Error: ";

/* ---- texts ---- */

/* Has the block text that is not empty? */
static bool
has_text(const struct json *block)
{
	return json_content_length(claude_block_text(block)) > 0;
}

bool
claude_has_text(const struct json *content)
{
	CLAUDE_EACH_BLOCK (block, content) {
		if (has_text(block))
			return true;
	}
	return false;
}

bool
claude_has_system(const struct claude_request *r)
{
	for (size_t i = 0; i < r->system.count; i++)
		if (has_text(r->system.values[i]))
			return true;
	return false;
}

/* The text of a block, if it has any, after ${between} where it is not the first. */
static void
put_text(struct json_writer *w, const struct json *block, const char *between, bool *any)
{
	if (!has_text(block))
		return;
	if (*any)
		json_string_text(w, between);
	json_string_value(w, claude_block_text(block));
	*any = true;
}

void
claude_string_texts(struct json_writer *w, const struct json *content, const char *between)
{
	bool any = false;

	CLAUDE_EACH_BLOCK (block, content) {
		put_text(w, block, between, &any);
	}
}

void
claude_string_instructions(
	struct json_writer *w, const struct claude_request *r, const struct claude_words *words)
{
	bool any = false;

	for (size_t i = 0; i < r->system.count; i++)
		put_text(w, r->system.values[i], paragraph, &any);
	if (any && claude_has_words(words))
		json_string_text(w, paragraph);
	claude_string_words(w, words);
}

void
claude_string_system_turn(struct json_writer *w, const struct json *content)
{
	if (!claude_has_text(content))
		return;
	json_string_text(w, "<system>");
	claude_string_texts(w, content, paragraph);
	json_string_text(w, "</system>");
}

void
claude_string_left_out(struct json_writer *w, const struct json *block)
{
	json_string_text(w, claude_block_type(block) == CLAUDE_IMAGE
				    ? "[An image was left out: this model cannot see it.]"
				    : "[A document was left out: this model cannot read it.]");
}

/* ---- what only words can tell ---- */

bool
claude_has_words(const struct claude_words *words)
{
	return words->format != NULL || words->no_search || words->no_fetch || words->must_search ||
	       words->only != NULL || words->never != NULL;
}

static void
put_format(struct json_writer *w, const struct json *schema)
{
	struct buffer text = BUFFER_INIT(0);

	if (json_write(&text, schema) != 0)
		w->out->failed = true;
	json_string_text(w,
		"Answer with one JSON object and nothing else. It must match this JSON Schema:\n");
	json_string_bytes(w, buffer_text(&text), text.length);
	buffer_free(&text);
}

static void
put_sites(struct json_writer *w, const char *rule, const struct json *sites)
{
	const char *before = rule;

	JSON_EACH (site, sites) {
		json_string_text(w, before);
		json_string_value(w, site);
		before = ", ";
	}
	json_string_text(w, ".");
}

/* Begin a paragraph, of which ${any} came before. */
static void
open_paragraph(struct json_writer *w, bool *any)
{
	if (*any)
		json_string_text(w, paragraph);
	*any = true;
}

static void
put_sentence(struct json_writer *w, bool counts, const char *sentence, bool *any)
{
	if (!counts)
		return;
	open_paragraph(w, any);
	json_string_text(w, sentence);
}

void
claude_string_words(struct json_writer *w, const struct claude_words *words)
{
	bool any = false;

	if (words->format != NULL) {
		open_paragraph(w, &any);
		put_format(w, words->format);
	}
	put_sentence(w, words->no_search,
		"There is no web search here, though one may be asked for. Say so where the answer "
		"needs one, and invent neither results nor links.",
		&any);
	put_sentence(w, words->no_fetch,
		"There is no tool here that reads web pages, though one may be asked for. Say so "
		"where the answer needs one, and invent no content of a page.",
		&any);
	put_sentence(w, words->must_search, "Search the web before you answer.", &any);
	if (words->only != NULL) {
		open_paragraph(w, &any);
		put_sites(w, "Of what a web search finds, use only these sites: ", words->only);
	}
	if (words->never != NULL) {
		open_paragraph(w, &any);
		put_sites(w,
			"Of what a web search finds, use nothing from these sites: ", words->never);
	}
}

/* ---- documents and search results ---- */

/* A line of its own, if there is something to say. */
static void
put_line(struct json_writer *w, const char *label, const struct json *value)
{
	if (json_content_length(value) == 0)
		return;
	json_string_text(w, label);
	json_string_value(w, value);
	json_string_text(w, "\n");
}

bool
claude_document_is_text(const struct json *document)
{
	const struct json *type = json_member(json_member(document, "source"), "type");

	return json_is_text(type, "text") || json_is_text(type, "content");
}

void
claude_string_document(struct json_writer *w, const struct json *document)
{
	const struct json *source = json_member(document, "source");
	const struct json *data = json_member_string(source, "data");

	put_line(w, "Title: ", json_member(document, "title"));
	put_line(w, "Context: ", json_member(document, "context"));
	if (json_is_text(json_member(source, "type"), "text") && data != NULL)
		json_string_value(w, data);
	else
		claude_string_texts(w, json_member(source, "content"), paragraph);
}

void
claude_string_search_result(struct json_writer *w, const struct json *result)
{
	put_line(w, "Title: ", json_member(result, "title"));
	put_line(w, "Source: ", json_member(result, "source"));
	claude_string_texts(w, json_member(result, "content"), paragraph);
}

static bool
is_found(const struct json *page)
{
	return json_content_length(json_member(page, "url")) > 0;
}

bool
claude_has_found(const struct json *web_result)
{
	JSON_EACH (page, json_member_array(web_result, "content"))
		if (is_found(page))
			return true;
	return false;
}

/* What the page says goes along where the model that asked for it has not read it yet: a quotation,
 * since anybody may have written it. */
static void
put_excerpt(struct json_writer *w, const struct json *page)
{
	struct buffer text = BUFFER_INIT(0);
	struct carried carried;

	if (!round_trip_read_signature(
		    json_member_string(page, "encrypted_content"), ROUND_TRIP_PAGE, &carried))
		return;
	const struct json *excerpt = json_member_string(carried.object, "x");
	if (excerpt != NULL && json_write(&text, excerpt) == 0) {
		json_string_text(w, "\n  ");
		json_string_bytes(w, text.data, text.length);
	}
	buffer_free(&text);
	carried_free(&carried);
}

void
claude_string_found(struct json_writer *w, const struct json *web_result)
{
	json_string_text(w, "The web search found:");
	JSON_EACH (page, json_member_array(web_result, "content")) {
		const struct json *title = json_member(page, "title");
		if (!is_found(page))
			continue;
		json_string_text(w, "\n- ");
		json_string_value(w, title);
		json_string_text(w, json_content_length(title) > 0 ? ": " : "");
		json_string_value(w, json_member(page, "url"));
		put_excerpt(w, page);
	}
}

/* ---- tool results ---- */

static void
put_result_block(struct json_writer *w, const struct json *block)
{
	const struct json *text = claude_block_text(block);
	enum claude_block type = claude_block_type(block);

	if (text != NULL) {
		json_string_value(w, text);
	} else if (type == CLAUDE_TOOL_REFERENCE) {
		json_string_text(w, "The tool ");
		json_string_value(w, json_member(block, "tool_name"));
		json_string_text(w, " can be called now.");
	} else if (type == CLAUDE_SEARCH_RESULT) {
		claude_string_search_result(w, block);
	} else if (type == CLAUDE_DOCUMENT && claude_document_is_text(block)) {
		claude_string_document(w, block);
	}
}

void
claude_string_result(struct json_writer *w, const struct json *tool_result)
{
	struct buffer *out = w->out;
	size_t start = out->length;

	if (tool_result == NULL)
		json_string_text(w, no_result);
	CLAUDE_EACH_BLOCK (block, json_member(tool_result, "content")) {
		size_t end = out->length;
		if (end > start)
			json_string_text(w, paragraph);
		size_t after = out->length;
		put_result_block(w, block);
		/* An image says nothing that would have to stand apart. */
		if (out->length == after)
			buffer_cut(out, end);
	}
}

void
claude_string_tool_result(struct json_writer *w, const struct json *tool_result)
{
	struct buffer *out = w->out;
	bool is_error = json_member_bool(tool_result, "is_error", false);
	size_t start = out->length;

	if (is_error)
		json_string_text(w, error_prefix);
	size_t text = out->length;
	claude_string_result(w, tool_result);
	if (!is_error || out->failed || strncasecmp(out->data + text, "error", 5) != 0)
		return;
	/* It says so itself. */
	memmove(out->data + start, out->data + text, out->length - text + 1);
	out->length -= text - start;
}

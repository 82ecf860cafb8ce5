/*
 * Blocks as plain text; see claude_text.h.
 */
#include "translate/claude_text.h"

#include <strings.h>

#include "base/buffer.h"
#include "base/json.h"
#include "translate/claude.h"

static const char paragraph[] = "\n\n";

static void
append_string(struct buffer *out, struct json_object *string)
{
	buffer_append(
		out, json_object_get_string(string), (size_t)json_object_get_string_len(string));
}

/* Append a line of its own, if there is one. */
static void
append_line(struct buffer *out, const char *label, struct json_object *object, const char *name)
{
	struct json_object *value = json_member(object, name);

	if (!json_is_string(value) || json_object_get_string_len(value) == 0)
		return;
	buffer_puts(out, label);
	append_string(out, value);
	buffer_putc(out, '\n');
}

bool
claude_document_is_text(struct json_object *document)
{
	struct json_object *type = json_member(json_member(document, "source"), "type");

	return json_is_text(type, "text") || json_is_text(type, "content");
}

int
claude_write_texts(struct buffer *out, struct json_object *content, const char *between)
{
	size_t start = out->length;

	for (size_t i = 0; i < claude_content_length(content); i++) {
		struct json_object *text = claude_block_text(claude_content_block(content, i));
		if (text == NULL || json_object_get_string_len(text) == 0)
			continue;
		if (out->length > start)
			buffer_puts(out, between);
		append_string(out, text);
	}
	return out->failed ? -1 : 0;
}

int
claude_write_document(struct buffer *out, struct json_object *document)
{
	struct json_object *source = json_member(document, "source");
	struct json_object *data = json_member(source, "data");

	append_line(out, "Title: ", document, "title");
	append_line(out, "Context: ", document, "context");
	if (json_is_text(json_member(source, "type"), "text") && json_is_string(data))
		append_string(out, data);
	else
		claude_write_texts(out, json_member(source, "content"), paragraph);
	return out->failed ? -1 : 0;
}

int
claude_write_search_result(struct buffer *out, struct json_object *result)
{
	append_line(out, "Title: ", result, "title");
	append_line(out, "Source: ", result, "source");
	return claude_write_texts(out, json_member(result, "content"), paragraph);
}

static void
write_result_block(struct buffer *out, struct json_object *block)
{
	struct json_object *text = claude_block_text(block);

	if (text != NULL)
		append_string(out, text);
	else if (claude_block_type(block) == CLAUDE_TOOL_REFERENCE)
		buffer_printf(out, "The tool %s can be called now.",
			json_member_string(block, "tool_name"));
	else if (claude_block_type(block) == CLAUDE_SEARCH_RESULT)
		claude_write_search_result(out, block);
	else if (claude_block_type(block) == CLAUDE_DOCUMENT && claude_document_is_text(block))
		claude_write_document(out, block);
}

int
claude_write_result_text(struct buffer *out, struct json_object *tool_result)
{
	struct json_object *content = json_member(tool_result, "content");
	struct buffer text = BUFFER_INIT(0);

	for (size_t i = 0; i < claude_content_length(content); i++) {
		size_t before = text.length;
		if (before > 0)
			buffer_puts(&text, paragraph);
		size_t start = text.length;
		write_result_block(&text, claude_content_block(content, i));
		if (text.length == start && before > 0)
			text.data[text.length = before] = '\0';
	}
	if (text.failed)
		out->failed = true;
	buffer_append(out, buffer_text(&text), text.length);
	buffer_free(&text);
	return out->failed ? -1 : 0;
}

int
claude_write_tool_result(struct buffer *out, struct json_object *tool_result)
{
	struct buffer text = BUFFER_INIT(0);

	claude_write_result_text(&text, tool_result);
	if (json_member_bool(tool_result, "is_error", false) &&
		strncasecmp(buffer_text(&text), "error", 5) != 0)
		buffer_puts(out, "Error: ");
	if (text.failed)
		out->failed = true;
	buffer_append(out, buffer_text(&text), text.length);
	buffer_free(&text);
	return out->failed ? -1 : 0;
}

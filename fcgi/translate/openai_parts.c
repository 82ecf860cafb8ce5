/*
 * What a user says, in parts; see openai_parts.h.
 */
#include "translate/openai_parts.h"

#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "translate/claude.h"
#include "translate/claude_calls.h"
#include "translate/claude_text.h"

struct gathering {
	struct openai_parts *parts;
	const struct claude_calls *calls;
	bool document_urls;
	struct api_error *error;
};

static int
no_memory(struct gathering *g)
{
	return api_error_set(g->error, 500, "out of memory");
}

static int
add_part(struct gathering *g, struct openai_part part)
{
	struct openai_part *grown = reallocarray(
		g->parts->list, g->parts->count + 1, sizeof(*grown));

	if (grown == NULL) {
		free(part.text);
		return no_memory(g);
	}
	g->parts->list = grown;
	grown[g->parts->count++] = part;
	return 0;
}

/* Takes the buffer's content; nothing for an empty one. */
static int
add_text(struct gathering *g, struct buffer *text)
{
	size_t length = text->length;

	if (length == 0 && !text->failed) {
		buffer_free(text);
		return 0;
	}
	char *taken = buffer_take(text);
	return taken != NULL ? add_part(g, (struct openai_part){.text = taken, .length = length})
			     : no_memory(g);
}

static int
add_document(struct gathering *g, struct json_object *block)
{
	struct json_object *source = json_member(block, "source");
	struct buffer text = BUFFER_INIT(0);

	if (claude_document_is_text(block)) {
		claude_write_document(&text, block);
		return add_text(g, &text);
	}
	if (!g->document_urls && json_is_text(json_member(source, "type"), "url"))
		return api_error_set(g->error, 400,
			"messages: a document with a url source is not supported by this upstream: "
			"send it as base64");
	return add_part(g, (struct openai_part){.block = block});
}

/* The images and files of a tool result, which a tool message cannot hold. */
static int
add_result_files(struct gathering *g, struct json_object *result, const char *id)
{
	struct json_object *content = json_member(result, "content");

	for (size_t i = 0; i < claude_content_length(content); i++) {
		struct json_object *block = claude_content_block(content, i);
		struct buffer text = BUFFER_INIT(0);
		enum claude_block type = claude_block_type(block);
		bool is_file = type == CLAUDE_DOCUMENT && !claude_document_is_text(block);
		if (type != CLAUDE_IMAGE && !is_file)
			continue;
		buffer_printf(&text, "%s from tool result %s:", is_file ? "Document" : "Image", id);
		if (add_text(g, &text) != 0)
			return -1;
		if (is_file ? add_document(g, block) != 0
			    : add_part(g, (struct openai_part){.block = block}) != 0)
			return -1;
	}
	return 0;
}

/* A result that answers no call of the turn before is only text. */
static int
add_tool_result(struct gathering *g, struct json_object *block)
{
	const struct claude_call *call = claude_calls_find(g->calls, block);
	struct buffer text = BUFFER_INIT(0);

	if (call != NULL)
		return add_result_files(g, block, call->id);
	claude_write_tool_result(&text, block);
	if (add_text(g, &text) != 0)
		return -1;
	return add_result_files(g, block, json_member_string(block, "tool_use_id"));
}

static int
add_user_block(struct gathering *g, struct json_object *block)
{
	struct json_object *said = claude_block_text(block);
	struct buffer text = BUFFER_INIT(0);

	if (said != NULL) {
		buffer_append(&text, json_object_get_string(said),
			(size_t)json_object_get_string_len(said));
		return add_text(g, &text);
	}
	switch (claude_block_type(block)) {
	case CLAUDE_IMAGE:
		return add_part(g, (struct openai_part){.block = block});
	case CLAUDE_DOCUMENT:
		return add_document(g, block);
	case CLAUDE_SEARCH_RESULT:
		claude_write_search_result(&text, block);
		return add_text(g, &text);
	default:
		return 0;
	}
}

/* First what belongs to tool results, then the rest, each in its order. */
static int
gather(struct gathering *g, struct json_object *content)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < claude_content_length(content); i++) {
			struct json_object *block = claude_content_block(content, i);
			bool is_result = claude_block_type(block) == CLAUDE_TOOL_RESULT;
			if (is_result != (pass == 0))
				continue;
			if (is_result ? add_tool_result(g, block) != 0
				      : add_user_block(g, block) != 0)
				return -1;
		}
	}
	return 0;
}

int
openai_parts_gather(struct openai_parts *parts, struct json_object *content,
	const struct claude_calls *calls, bool document_urls, struct api_error *error)
{
	struct gathering g = {
		.parts = parts, .calls = calls, .document_urls = document_urls, .error = error};

	openai_parts_clear(parts);
	return gather(&g, content);
}

void
openai_parts_clear(struct openai_parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		free(parts->list[i].text);
	parts->count = 0;
}

void
openai_parts_free(struct openai_parts *parts)
{
	openai_parts_clear(parts);
	free(parts->list);
	parts->list = NULL;
}

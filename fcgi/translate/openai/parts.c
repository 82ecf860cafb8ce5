/*
 * What a user says, in parts; see parts.h.
 */
#include "translate/openai/parts.h"

#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/history_calls.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/translator.h"

enum { FIRST_CAPACITY = 16 };

struct gathering {
	struct openai_parts *parts;
	const struct history_calls *calls; /* NULL if none */
	struct api_error *error;
};

static const struct json *
cache_mark(const struct openai_part *part)
{
	return json_is_object(part->block) ? json_member_object(part->block, "cache_control")
					   : NULL;
}

static int
add_part(struct gathering *g, struct openai_part part)
{
	struct openai_parts *parts = g->parts;

	if (parts->count == parts->capacity) {
		size_t capacity = parts->capacity > 0 ? 2 * parts->capacity : FIRST_CAPACITY;
		struct openai_part *grown = reallocarray(parts->list, capacity, sizeof(*grown));
		if (grown == NULL)
			return api_error_no_memory(g->error);
		parts->list = grown;
		parts->capacity = capacity;
	}
	parts->list[parts->count++] = part;
	parts->has_file = parts->has_file || part.kind == OPENAI_PART_FILE;
	parts->has_mark = parts->has_mark || cache_mark(&part) != NULL;
	return 0;
}

/* Is there anything to say in it?  One byte of it is enough to know. */
static bool
is_empty(const struct openai_part *part)
{
	struct buffer start = BUFFER_INIT(1);
	struct json_writer w = JSON_WRITER(&start);

	openai_string_part(&w, part);
	bool empty = start.length == 0 && !start.failed;
	buffer_free(&start);
	return empty;
}

static int
add_text(struct gathering *g, enum openai_part_kind kind, const struct json *block)
{
	const struct openai_part part = {.kind = kind, .block = block};

	return is_empty(&part) ? 0 : add_part(g, part);
}

static bool
is_left_out(const struct gathering *g, const struct json *block)
{
	unsigned fix = claude_block_type(block) == CLAUDE_IMAGE ? FIX_NO_IMAGES : FIX_NO_FILES;

	return (g->parts->fixes & fix) != 0;
}

static int
add_file(struct gathering *g, const struct json *block)
{
	return add_part(g, (struct openai_part){.kind = is_left_out(g, block) ? OPENAI_PART_LEFT_OUT
									      : OPENAI_PART_FILE,
				   .block = block});
}

static int
add_document(struct gathering *g, const struct json *block)
{
	const struct json *source = json_member(block, "source");

	if (claude_document_is_text(block))
		return add_text(g, OPENAI_PART_DOCUMENT_TEXT, block);
	if (!g->parts->document_urls && !is_left_out(g, block) &&
		json_is_text(json_member(source, "type"), "url"))
		return api_error_set(g->error, 400,
			"messages: a document with a url source is not supported by this upstream: "
			"send it as base64");
	return add_file(g, block);
}

/* The images and files of a tool result, which a tool message cannot contain. */
static int
add_result_files(struct gathering *g, const struct json *result, const char *call_id)
{
	CLAUDE_EACH_BLOCK (block, json_member(result, "content")) {
		struct openai_part label = {.block = result, .call_id = call_id};
		enum claude_block type = claude_block_type(block);
		if (type == CLAUDE_IMAGE)
			label.kind = OPENAI_PART_IMAGE_LABEL;
		else if (type == CLAUDE_DOCUMENT && !claude_document_is_text(block))
			label.kind = OPENAI_PART_DOCUMENT_LABEL;
		else
			continue;
		if (add_part(g, label) != 0)
			return -1;
		if (type == CLAUDE_IMAGE ? add_file(g, block) != 0 : add_document(g, block) != 0)
			return -1;
	}
	return 0;
}

/* A result that answers no call of the turn before is only text. */
static int
add_orphan(struct gathering *g, const struct json *block)
{
	const struct history_call *call = g->calls != NULL ? history_calls_find(g->calls, block)
							   : NULL;

	if (call != NULL)
		return 0;
	if (add_text(g, OPENAI_PART_TOOL_RESULT, block) != 0)
		return -1;
	return add_result_files(g, block, NULL);
}

static int
add_user_block(struct gathering *g, const struct json *block)
{
	if (claude_block_text(block) != NULL)
		return add_text(g, OPENAI_PART_TEXT, block);
	switch (claude_block_type(block)) {
	case CLAUDE_IMAGE:
		return add_file(g, block);
	case CLAUDE_DOCUMENT:
		return add_document(g, block);
	case CLAUDE_SEARCH_RESULT:
		return add_text(g, OPENAI_PART_SEARCH_RESULT, block);
	default:
		return 0;
	}
}

int
openai_parts_gather_files(
	struct openai_parts *parts, const struct history_calls *calls, struct api_error *error)
{
	struct gathering g = {.parts = parts, .calls = calls, .error = error};

	for (size_t i = 0; i < calls->count; i++) {
		const struct history_call *call = &calls->list[i];
		if (call->result != NULL && add_result_files(&g, call->result, call->id) != 0)
			return -1;
	}
	return 0;
}

int
openai_parts_gather(struct openai_parts *parts, const struct json *content,
	const struct history_calls *calls, struct api_error *error)
{
	struct gathering g = {.parts = parts, .calls = calls, .error = error};

	CLAUDE_EACH_BLOCK (block, content)
		if (claude_block_type(block) == CLAUDE_TOOL_RESULT && add_orphan(&g, block) != 0)
			return -1;
	CLAUDE_EACH_BLOCK (block, content)
		if (claude_block_type(block) != CLAUDE_TOOL_RESULT &&
			add_user_block(&g, block) != 0)
			return -1;
	return 0;
}

int
openai_parts_gather_system(
	struct openai_parts *parts, const struct json *content, struct api_error *error)
{
	struct gathering g = {.parts = parts, .error = error};

	return claude_has_text(content) ? add_text(&g, OPENAI_PART_SYSTEM, content) : 0;
}

void
openai_parts_clear(struct openai_parts *parts)
{
	parts->count = 0;
	parts->has_file = false;
	parts->has_mark = false;
}

void
openai_parts_free(struct openai_parts *parts)
{
	free(parts->list);
	*parts = (struct openai_parts){0};
}

/* ---- what is written of them ---- */

static void
string_label(struct json_writer *w, const char *before, const struct openai_part *part)
{
	json_string_text(w, before);
	if (part->call_id != NULL)
		json_string_text(w, part->call_id);
	else
		json_string_value(w, json_member(part->block, "tool_use_id"));
	json_string_text(w, ":");
}

void
openai_string_part(struct json_writer *w, const struct openai_part *part)
{
	switch (part->kind) {
	case OPENAI_PART_TEXT:
		json_string_value(w, claude_block_text(part->block));
		break;
	case OPENAI_PART_DOCUMENT_TEXT:
		claude_string_document(w, part->block);
		break;
	case OPENAI_PART_SEARCH_RESULT:
		claude_string_search_result(w, part->block);
		break;
	case OPENAI_PART_TOOL_RESULT:
		claude_string_tool_result(w, part->block);
		break;
	case OPENAI_PART_IMAGE_LABEL:
		string_label(w, "Image from tool result ", part);
		break;
	case OPENAI_PART_DOCUMENT_LABEL:
		string_label(w, "Document from tool result ", part);
		break;
	case OPENAI_PART_SYSTEM:
		claude_string_system_turn(w, part->block);
		break;
	case OPENAI_PART_LEFT_OUT:
		claude_string_left_out(w, part->block);
		break;
	case OPENAI_PART_FILE:
		break;
	}
}

void
openai_put_cache_mark(struct json_writer *w, const struct openai_part *part)
{
	if (cache_mark(part) != NULL)
		json_put_value_member(w, "cache_control", cache_mark(part));
}

void
openai_put_data_url(struct json_writer *w, const struct json *source)
{
	if (json_is_text(json_member(source, "type"), "url")) {
		json_put_value(w, json_member(source, "url"));
		return;
	}
	json_open_string(w);
	json_string_text(w, "data:");
	json_string_value(w, json_member(source, "media_type"));
	json_string_text(w, ";base64,");
	json_string_value(w, json_member(source, "data"));
	json_close_string(w);
}

void
openai_put_file_members(struct json_writer *w, const struct json *document)
{
	const struct json *title = json_member_string(document, "title");

	if (json_content_length(title) > 0)
		json_put_value_member(w, "filename", title);
	else
		json_put_text_member(w, "filename", "document.pdf");
	json_put_name(w, "file_data");
	openai_put_data_url(w, json_member(document, "source"));
}

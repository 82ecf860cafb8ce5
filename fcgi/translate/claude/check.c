/*
 * The checks of messages and content blocks; see check.h and PROTOCOL.md §A.
 */
#include "translate/claude/check.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "translate/claude/request.h"

enum { LONGEST_PATH = 1024 };

static void
write_path(const struct place *place, struct buffer *out)
{
	if (place == NULL)
		return;
	write_path(place->parent, out);
	if (place->parent != NULL)
		buffer_putc(out, '.');
	if (place->name != NULL)
		buffer_puts(out, place->name);
	else
		buffer_put_uint(out, place->index);
}

int
claude_refuse(const struct place *place, struct api_error *error, const char *format, ...)
{
	struct buffer path = BUFFER_INIT(LONGEST_PATH);
	char *what = NULL;
	va_list arguments;

	write_path(place, &path);
	va_start(arguments, format);
	if (vasprintf(&what, format, arguments) < 0)
		what = NULL;
	va_end(arguments);
	api_error_set(
		error, 400, "%s: %s", buffer_text(&path), what != NULL ? what : "is not allowed");
	free(what);
	buffer_free(&path);
	return -1;
}

int
claude_check_name(const struct place *place, const struct json *value, struct api_error *error)
{
	if (!json_is_string(value))
		return claude_refuse(
			place, error, value == NULL ? "is required" : "must be a string");
	if (json_content_length(value) == 0)
		return claude_refuse(place, error, "must not be empty");
	if (json_has_unusual(value))
		return claude_refuse(
			place, error, "must contain neither U+0000 nor half of a surrogate pair");
	return 0;
}

static int
check_member_name(const struct place *place, const struct json *object, const char *name,
	struct api_error *error)
{
	const struct place member = PLACE_MEMBER(place, name);

	return claude_check_name(&member, json_member(object, name), error);
}

/* A member that must be a string, which may be empty. */
static int
check_string(const struct place *place, const struct json *object, const char *name, bool required,
	struct api_error *error)
{
	const struct place member = PLACE_MEMBER(place, name);
	const struct json *value = json_member(object, name);

	if (value == NULL && !required)
		return 0;
	if (!json_is_string(value))
		return claude_refuse(
			&member, error, value == NULL ? "is required" : "must be a string");
	return 0;
}

/* ---- sources of images and documents ---- */

static int
check_base64(const struct place *place, const struct json *source, struct api_error *error)
{
	if (check_member_name(place, source, "media_type", error) != 0)
		return -1;
	return check_member_name(place, source, "data", error);
}

static int
check_content(const struct place *, const struct json *, unsigned allowed, struct api_error *);

static const unsigned in_result = 1U << CLAUDE_TEXT | 1U << CLAUDE_IMAGE | 1U << CLAUDE_DOCUMENT |
				  1U << CLAUDE_SEARCH_RESULT | 1U << CLAUDE_TOOL_REFERENCE |
				  1U << CLAUDE_WEB_RESULT | 1U << CLAUDE_SERVER_TOOL;

static int
check_source(const struct place *block, const struct json *object, bool document,
	struct api_error *error)
{
	const struct place place = PLACE_MEMBER(block, "source");
	const struct place type_place = PLACE_MEMBER(&place, "type");
	const struct place content_place = PLACE_MEMBER(&place, "content");
	const struct json *source = json_member_object(object, "source");
	const struct json *type = json_member(source, "type");

	if (source == NULL)
		return claude_refuse(&place, error, "must be an object");
	if (json_is_text(type, "base64"))
		return check_base64(&place, source, error);
	if (json_is_text(type, "url"))
		return check_member_name(&place, source, "url", error);
	if (json_is_text(type, "file"))
		return claude_refuse(&type_place, error,
			"'file' is not supported by this upstream: send the content itself, as "
			"base64 or url");
	if (document && json_is_text(type, "text"))
		return check_string(&place, source, "data", true, error);
	if (document && json_is_text(type, "content"))
		return check_content(&content_place, json_member(source, "content"),
			1U << CLAUDE_TEXT | 1U << CLAUDE_IMAGE, error);
	return claude_refuse(&type_place, error, "must be one of base64, url%s",
		document ? ", text, content" : "");
}

/* ---- blocks ---- */

static int
check_document(const struct place *place, const struct json *block, struct api_error *error)
{
	if (check_string(place, block, "title", false, error) != 0 ||
		check_string(place, block, "context", false, error) != 0)
		return -1;
	return check_source(place, block, true, error);
}

static int
check_search_result(const struct place *place, const struct json *block, struct api_error *error)
{
	const struct place content = PLACE_MEMBER(place, "content");

	if (check_string(place, block, "source", true, error) != 0 ||
		check_string(place, block, "title", true, error) != 0)
		return -1;
	return check_content(&content, json_member(block, "content"), 1U << CLAUDE_TEXT, error);
}

static int
check_tool_use(const struct place *place, const struct json *block, struct api_error *error)
{
	const struct place input_place = PLACE_MEMBER(place, "input");
	const struct json *input = json_member(block, "input");

	if (check_member_name(place, block, "id", error) != 0 ||
		check_member_name(place, block, "name", error) != 0)
		return -1;
	if (!json_is_object(input))
		return claude_refuse(
			&input_place, error, input == NULL ? "is required" : "must be an object");
	return 0;
}

static int
check_tool_result(const struct place *place, const struct json *block, struct api_error *error)
{
	const struct place content_place = PLACE_MEMBER(place, "content");
	const struct place error_place = PLACE_MEMBER(place, "is_error");
	const struct json *content = json_member(block, "content");
	const struct json *is_error = json_member(block, "is_error");

	if (check_member_name(place, block, "tool_use_id", error) != 0)
		return -1;
	if (is_error != NULL && !json_is_bool(is_error))
		return claude_refuse(&error_place, error, "must be true or false");
	return content == NULL ? 0 : check_content(&content_place, content, in_result, error);
}

static int
check_thinking(const struct place *place, const struct json *block, struct api_error *error)
{
	if (check_string(place, block, "thinking", true, error) != 0)
		return -1;
	return check_string(place, block, "signature", false, error);
}

/* A tool that a system turn offers or withdraws, by its name or by what it is. */
static int
check_tool_change(const struct place *place, const struct json *block, struct api_error *error)
{
	const struct place tool_place = PLACE_MEMBER(place, "tool");
	const struct place type_place = PLACE_MEMBER(&tool_place, "type");
	const struct place definition_place = PLACE_MEMBER(&tool_place, "definition");
	const struct json *tool = json_member_object(block, "tool");
	const struct json *type = json_member(tool, "type");

	if (tool == NULL)
		return claude_refuse(&tool_place, error, "must be an object");
	if (claude_check_name(&type_place, type, error) != 0)
		return -1;
	if (json_is_text(type, "tool_definition"))
		return claude_check_tool(&definition_place, json_member(tool, "definition"), error);
	return json_is_text(type, "tool_reference")
		       ? check_member_name(&tool_place, tool, "name", error)
		       : 0;
}

static int
check_typed_block(const struct place *place, const struct json *block, enum claude_block type,
	struct api_error *error)
{
	switch (type) {
	case CLAUDE_TEXT:
		return check_string(place, block, "text", true, error);
	case CLAUDE_IMAGE:
		return check_source(place, block, false, error);
	case CLAUDE_DOCUMENT:
		return check_document(place, block, error);
	case CLAUDE_SEARCH_RESULT:
		return check_search_result(place, block, error);
	case CLAUDE_TOOL_USE:
		return check_tool_use(place, block, error);
	case CLAUDE_TOOL_RESULT:
		return check_tool_result(place, block, error);
	case CLAUDE_THINKING:
		return check_thinking(place, block, error);
	case CLAUDE_TOOL_REFERENCE:
		return check_member_name(place, block, "tool_name", error);
	case CLAUDE_TOOL_CHANGE:
		return check_tool_change(place, block, error);
	case CLAUDE_REDACTED_THINKING:
	case CLAUDE_WEB_RESULT:
	case CLAUDE_SERVER_TOOL:
	case CLAUDE_UNKNOWN:
		break;
	}
	return 0;
}

static int
check_block(const struct place *place, const struct json *block, unsigned allowed,
	struct api_error *error)
{
	const struct place type_place = PLACE_MEMBER(place, "type");
	const struct json *name = json_member(block, "type");

	if (!json_is_object(block))
		return claude_refuse(place, error, "must be an object");
	if (claude_check_name(&type_place, name, error) != 0)
		return -1;
	enum claude_block type = claude_block_type(block);
	if (type == CLAUDE_UNKNOWN)
		return claude_refuse(&type_place, error, "'%.*s' is not supported by this upstream",
			JSON_SHOWN(name));
	if ((allowed & 1U << type) == 0)
		return claude_refuse(
			&type_place, error, "'%.*s' is not allowed here", JSON_SHOWN(name));
	return check_typed_block(place, block, type, error);
}

/* A string, or an array of blocks of the ${allowed} types.  What these may contain bounds how deep
 * they are: in a tool's result a document, in that texts and images, in those nothing. */
static int
check_content(const struct place *place, const struct json *content, unsigned allowed,
	struct api_error *error)
{
	if (json_is_string(content))
		return 0;
	if (!json_is_array(content))
		return claude_refuse(place, error,
			content == NULL ? "is required"
					: "must be a string or an array of content blocks");
	size_t index = 0;
	JSON_EACH (block, content) {
		const struct place element = PLACE_ELEMENT(place, index++);
		if (check_block(&element, block, allowed, error) != 0)
			return -1;
	}
	return 0;
}

/* ---- messages ---- */

static const struct {
	const char *name;
	unsigned allowed; /* blocks */
} roles[] = {
	[CLAUDE_USER] = {"user", 1U << CLAUDE_TEXT | 1U << CLAUDE_IMAGE | 1U << CLAUDE_DOCUMENT |
					 1U << CLAUDE_SEARCH_RESULT | 1U << CLAUDE_TOOL_RESULT |
					 1U << CLAUDE_WEB_RESULT | 1U << CLAUDE_SERVER_TOOL},
	[CLAUDE_ASSISTANT] = {"assistant",
		1U << CLAUDE_TEXT | 1U << CLAUDE_TOOL_USE | 1U << CLAUDE_THINKING |
			1U << CLAUDE_REDACTED_THINKING | 1U << CLAUDE_WEB_RESULT |
			1U << CLAUDE_SERVER_TOOL},
	[CLAUDE_SYSTEM] = {"system", 1U << CLAUDE_TEXT | 1U << CLAUDE_TOOL_CHANGE},
};

/* A system turn may contain no more than the effort of the turn. */
static bool
needs_content(const struct json *message)
{
	return claude_message_role(message) != CLAUDE_SYSTEM ||
	       json_member_object(message, "output_config") == NULL;
}

static int
check_message(const struct place *place, const struct json *message, struct api_error *error)
{
	const struct place role_place = PLACE_MEMBER(place, "role");
	const struct place content_place = PLACE_MEMBER(place, "content");
	const struct json *role = json_member(message, "role");
	const struct json *content = json_member(message, "content");

	if (!json_is_object(message))
		return claude_refuse(place, error, "must be an object");
	if (content == NULL && !needs_content(message))
		return 0;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (json_is_text(role, roles[i].name))
			return check_content(&content_place, content, roles[i].allowed, error);
	return claude_refuse(
		&role_place, error, role == NULL ? "is required" : "must be user or assistant");
}

int
claude_check_messages(
	const struct place *place, const struct json *messages, struct api_error *error)
{
	if (messages == NULL)
		return claude_refuse(place, error, "is required");
	if (!json_is_array(messages))
		return claude_refuse(place, error, "must be an array");
	if (json_first(messages) == NULL)
		return claude_refuse(place, error, "must not be empty");
	size_t index = 0;
	JSON_EACH (message, messages) {
		const struct place element = PLACE_ELEMENT(place, index++);
		if (check_message(&element, message, error) != 0)
			return -1;
	}
	return 0;
}

int
claude_check_system(const struct place *place, const struct json *system, struct api_error *error)
{
	return system == NULL ? 0 : check_content(place, system, 1U << CLAUDE_TEXT, error);
}

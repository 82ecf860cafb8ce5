/*
 * How many tokens a request is, roughly; see tokens.h.
 */
#include "translate/tokens.h"

#include <string.h>

#include "base/json.h"
#include "translate/claude.h"

enum {
	ASCII_PER_TOKEN = 4,
	TOKENS_OF_FILE = 1500, /* an image or a document, whose size says little */
	TOKENS_OF_MESSAGE = 4,
};

/* In quarters of a token: a fourth for ASCII, a half for two-byte letters, a whole for the rest
 * (Chinese, emoji). */
static uint64_t
quarters_of_text(const char *text, size_t length)
{
	uint64_t quarters = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x80)
			quarters += 1;
		else if (c >= 0xe0)
			quarters += 4;
		else if (c >= 0xc0)
			quarters += 2;
	}
	return quarters;
}

static uint64_t quarters_of(struct json_object *value);

static uint64_t
quarters_of_object(struct json_object *object)
{
	uint64_t quarters = 0;

	if (json_is_text(json_member(object, "type"), "base64") &&
		json_member(object, "data") != NULL)
		return (uint64_t)TOKENS_OF_FILE * ASCII_PER_TOKEN;
	json_object_object_foreach(object, name, member)
	{
		quarters += strlen(name) + quarters_of(member);
	}
	return quarters;
}

static uint64_t
quarters_of(struct json_object *value)
{
	uint64_t quarters = 0;

	switch (json_object_get_type(value)) {
	case json_type_string:
		return quarters_of_text(
			json_object_get_string(value), (size_t)json_object_get_string_len(value));
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(value); i++)
			quarters += quarters_of(json_object_array_get_idx(value, i));
		return quarters;
	case json_type_object:
		return quarters_of_object(value);
	default:
		return ASCII_PER_TOKEN;
	}
}

uint64_t
tokens_estimate_input(const struct claude_request *request)
{
	uint64_t quarters = 0;

	if (request->system != NULL)
		quarters += quarters_of(request->system);
	if (request->tools != NULL)
		quarters += quarters_of(request->tools);
	quarters += quarters_of(request->messages);
	return quarters / ASCII_PER_TOKEN +
	       TOKENS_OF_MESSAGE * json_object_array_length(request->messages);
}

/*
 * What the requests of both OpenAI interfaces have in common; see openai_parameters.h.
 */
#include "translate/openai_parameters.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "translate/claude.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

enum {
	MOST_USER_BYTES = 64, /* the service refuses more */
	LOW_BUDGET = 4096,    /* thinking tokens below which the effort is low */
	MEDIUM_BUDGET = 16384,
};

/* ---- models ---- */

/* The model's name without the vendors before it. */
static const char *
bare_model(const char *model)
{
	const char *slash = strrchr(model, '/');

	return slash != NULL ? slash + 1 : model;
}

static bool
is_o_model(const char *model)
{
	const char *name = bare_model(model);

	return name[0] == 'o' && isdigit((unsigned char)name[1]);
}

/* The models that think before they answer take other parameters: o1, o3, …, gpt-5 and later. */
bool
openai_is_reasoning_model(const char *model)
{
	const char *name = bare_model(model);

	return is_o_model(model) || (strncmp(name, "gpt-", 4) == 0 && atoi(name + 4) >= 5);
}

/* The effort that a thinking model is asked for; NULL: its own choice. */
const char *
openai_effort(const struct claude_request *r, const struct translate_target *target)
{
	static const char *const efforts[][2] = {{"low", "low"}, {"medium", "medium"},
		{"high", "high"}, {"xhigh", "xhigh"}, {"max", "xhigh"}};

	if (r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off)
		return is_o_model(target->model) ? NULL : "minimal";
	for (size_t i = 0; r->effort != NULL && i < sizeof(efforts) / sizeof(efforts[0]); i++)
		if (strcmp(efforts[i][0], r->effort) == 0)
			return efforts[i][1];
	if (r->thinking != CLAUDE_THINKING_ENABLED || r->thinking_budget == 0)
		return NULL;
	return r->thinking_budget < LOW_BUDGET      ? "low"
	       : r->thinking_budget < MEDIUM_BUDGET ? "medium"
						    : "high";
}

/* ---- members ---- */

void
openai_write_name(struct buffer *out, const char *name)
{
	buffer_puts(out, ",\"");
	buffer_puts(out, name);
	buffer_puts(out, "\":");
}

void
openai_write_text(struct buffer *out, const char *name, const char *text)
{
	openai_write_name(out, name);
	json_write_text(out, text);
}

int64_t
openai_max_tokens(const struct claude_request *r, const struct translate_target *target)
{
	int64_t most = target->max_output_tokens;

	return most > 0 && r->max_tokens > most ? most : r->max_tokens;
}

/* As it was spelled, unless it is beyond what the service takes. */
static void
write_clamped(struct buffer *out, const char *name, struct json_object *number, const char *most,
	double limit)
{
	if (number == NULL)
		return;
	double value = json_object_get_double(number);
	openai_write_name(out, name);
	if (value < 0)
		buffer_putc(out, '0');
	else if (value > limit)
		buffer_puts(out, most);
	else
		json_write(out, number);
}

void
openai_write_sampling(struct buffer *out, const struct claude_request *r)
{
	write_clamped(out, "temperature", r->temperature, "2", 2);
	write_clamped(out, "top_p", r->top_p, "1", 1);
}

/* At most 64 bytes, and no half character. */
void
openai_write_user(struct buffer *out, struct json_object *user_id)
{
	if (user_id == NULL || json_object_get_string_len(user_id) == 0)
		return;
	const char *text = json_object_get_string(user_id);
	size_t length = (size_t)json_object_get_string_len(user_id);
	if (length > MOST_USER_BYTES)
		for (length = MOST_USER_BYTES;
			length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
			length--;
	openai_write_name(out, "user");
	json_write_string(out, text, length);
}

/* ---- functions and files ---- */

const char *
openai_tool_choice(const struct claude_request *r)
{
	static const char *const words[] = {
		[CLAUDE_CHOICE_ABSENT] = NULL,
		[CLAUDE_CHOICE_AUTO] = "auto",
		[CLAUDE_CHOICE_ANY] = "required",
		[CLAUDE_CHOICE_NONE] = "none",
		[CLAUDE_CHOICE_TOOL] = NULL,
	};

	return words[r->tool_choice];
}

/* The schema as it is, but without $schema, and with the type and properties that the service
 * insists on. */
static void
write_schema(struct buffer *out, struct json_object *schema)
{
	struct json_object *type = json_member(schema, "type");
	bool object = type == NULL || json_is_text(type, "object");
	bool first = true;

	buffer_putc(out, '{');
	if (schema != NULL) {
		json_object_object_foreach(schema, name, value)
		{
			if (strcmp(name, "$schema") == 0)
				continue;
			if (!first)
				buffer_putc(out, ',');
			first = false;
			json_write_text(out, name);
			buffer_putc(out, ':');
			json_write(out, value);
		}
	}
	if (type == NULL)
		buffer_puts(out, first ? "\"type\":\"object\"" : ",\"type\":\"object\"");
	if (object && json_member(schema, "properties") == NULL)
		buffer_puts(out, ",\"properties\":{}");
	buffer_putc(out, '}');
}

int
openai_write_function(struct buffer *out, const struct claude_tool *tool, struct tool_names *names)
{
	const char *name = tool_names_to_upstream(names, tool->name);

	if (name == NULL)
		return -1;
	buffer_puts(out, "\"name\":");
	json_write_text(out, name);
	if (tool->description != NULL) {
		openai_write_name(out, "description");
		json_write(out, tool->description);
	} else if (tool->description_text != NULL) {
		openai_write_text(out, "description", tool->description_text);
	}
	openai_write_name(out, "parameters");
	if (tool->schema_text != NULL)
		buffer_puts(out, tool->schema_text);
	else
		write_schema(out, tool->schema);
	return out->failed ? -1 : 0;
}

void
openai_write_data_url(struct buffer *out, struct json_object *source)
{
	struct buffer url = BUFFER_INIT(0);

	if (json_is_text(json_member(source, "type"), "url")) {
		json_write(out, json_member(source, "url"));
		return;
	}
	buffer_puts(&url, "data:");
	buffer_puts(&url, json_member_string(source, "media_type"));
	buffer_puts(&url, ";base64,");
	buffer_puts(&url, json_member_string(source, "data"));
	if (url.failed)
		out->failed = true;
	json_write_string(out, buffer_text(&url), url.length);
	buffer_free(&url);
}

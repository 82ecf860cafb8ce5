/* What the cases of tests/cases compare: JSON without white space, with what is carried in words.
 */
#ifndef CASE_TEXT_H
#define CASE_TEXT_H

#include "unit.h"

#include "base/text/base64.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The length of the string that begins at ${text}, with its quotes. */
static inline size_t
quoted_length(const char *text)
{
	size_t at = 1;

	while (text[at] != '\0' && text[at] != '"')
		at += text[at] == '\\' && text[at + 1] != '\0' ? 2 : 1;
	return text[at] == '"' ? at + 1 : at;
}

/* JSON without the white space that stands outside strings. */
static inline void
compact(const char *text, struct buffer *out)
{
	while (*text != '\0') {
		size_t length = *text == '"' ? quoted_length(text) : 1;
		if (!is_blank(*text))
			buffer_append(out, text, length);
		text += length;
	}
}

/* Of base64url, too. */
static const char id_characters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- what is carried: cp1.{\"k\":…} in the place of cp1. and base64url ---- */

static const char *const carriers[] = {"cp1.", "toolu_cp1_"};

/* Which of them begins at ${text}, as a word of its own; NULL: none. */
static inline const char *
carrier_at(const char *start, const char *text)
{
	for (size_t i = 0; i < COUNT(carriers); i++)
		if (strncmp(text, carriers[i], strlen(carriers[i])) == 0 &&
			(text == start || text[-1] == '"'))
			return carriers[i];
	return NULL;
}

/* How the client sends it: encoded. */
static inline void
pack_carried(const char *text, struct buffer *out)
{
	for (const char *at = text; *at != '\0';) {
		const char *carrier = carrier_at(text, at);
		buffer_append(out, at, carrier != NULL ? strlen(carrier) : 1);
		at += carrier != NULL ? strlen(carrier) : 1;
		if (carrier == NULL || *at != '{')
			continue;
		struct buffer content = BUFFER_INIT(0);
		size_t length = quoted_length(at - 1) - 2;
		json_append_content(&content, at, length);
		base64url_write(out, content.data, content.length);
		buffer_free(&content);
		at += length;
	}
}

/* What it says: decoded. */
static inline void
unpack_carried(const char *text, struct buffer *out)
{
	for (const char *at = text; *at != '\0';) {
		const char *carrier = carrier_at(text, at);
		buffer_append(out, at, carrier != NULL ? strlen(carrier) : 1);
		at += carrier != NULL ? strlen(carrier) : 1;
		if (carrier == NULL)
			continue;
		size_t length = strspn(at, id_characters);
		char *decoded = calloc(1, BASE64_DECODED(length) + 1);
		if (base64_read(at, length, decoded) == 0 && *decoded == '{') {
			struct buffer content = BUFFER_INIT(0);
			json_write_text(&content, decoded);
			buffer_append(out, content.data + 1, content.length - 2);
			buffer_free(&content);
			at += length;
		}
		free(decoded);
	}
}

/* ---- ids that the writer made: toolu_<1>, srvtoolu_cp1_<2>, in their order ---- */

/* Its number in ${known}, a list with an id and a space each. */
static inline unsigned
number_of_id(struct buffer *known, const char *id)
{
	unsigned number = 1;
	size_t length = strlen(id);
	const char *at = buffer_text(known);

	for (; *at != '\0'; at += strcspn(at, " ") + 1, number++)
		if (strncmp(at, id, length) == 0 && at[length] == ' ')
			return number;
	buffer_printf(known, "%s ", id);
	return number;
}

/* How an id of the writer's begins that stands at ${at}, with its quote; 0: none does. */
static inline size_t
prefix_of_id(const char *at)
{
	static const char search[] = "\"srvtoolu_cp1_", carried[] = "\"toolu_cp1_",
			  call[] = "\"toolu_";

	if (strncmp(at, search, strlen(search)) == 0)
		return strlen(search);
	if (strncmp(at, carried, strlen(carried)) == 0 || strncmp(at, call, strlen(call)) != 0)
		return 0;
	return strlen(call);
}

/* ${input} is what came: an id that is in there is none of the writer's. */
static inline void
number_ids(const char *text, const char *input, struct buffer *out)
{
	struct buffer known = BUFFER_INIT(0);

	for (const char *at = text; *at != '\0';) {
		size_t prefix = prefix_of_id(at);
		size_t length = prefix > 0 ? prefix + strspn(at + prefix, id_characters) : 1;
		char *id = strndup(at, length);
		if (prefix > 0 && strstr(input, id) == NULL)
			buffer_printf(out, "%.*s<%u>", (int)prefix, at, number_of_id(&known, id));
		else
			buffer_puts(out, id);
		at += strlen(id);
		free(id);
	}
	buffer_free(&known);
}

/* ---- JSON as a person would write it: what fits into a line stands in one ---- */

enum {
	CASE_WIDTH = 100,
	CASE_LATE = 60 /* columns; no list begins behind it that goes on below */
};

static inline size_t
column_of(const struct buffer *out)
{
	size_t start = out->length;

	while (start > 0 && out->data[start - 1] != '\n')
		start--;
	return out->length - start;
}

/* Append what is at ${text}, an element or a member with its name, in one line.  Where it ends. */
static inline const char *
write_in_line(const char *text, struct buffer *out)
{
	int depth = 0;

	while (*text != '\0' && (depth > 0 || strchr(",]}\n", *text) == NULL)) {
		size_t length = *text == '"' ? quoted_length(text) : 1;
		depth += (*text == '[' || *text == '{') - (*text == ']' || *text == '}');
		buffer_append(out, text, length);
		if (*text == ':' || *text == ',')
			buffer_putc(out, ' ');
		text += length;
	}
	return text;
}

/* The bracket that the element or member at ${text} begins with, behind its name; else NULL. */
static inline const char *
bracket_of(const char *text)
{
	size_t name = *text == '"' ? quoted_length(text) : 0;
	const char *value = text + name + (name > 0 && text[name] == ':');

	return *value == '[' || *value == '{' ? value : NULL;
}

/* Before the element or member at ${text} of what ${bracket} has opened: a line end where it does
 * not fit any more, or where each has a line of its own. */
static inline void
separate(const char *text, char bracket, int indent, struct buffer *out)
{
	struct buffer line = BUFFER_INIT(0);
	bool first = out->data[out->length - 1] == bracket;
	size_t column = column_of(out);

	write_in_line(text, &line);
	bool fits = column + line.length + 2 <= CASE_WIDTH;
	bool never = (size_t)indent + line.length + 2 > CASE_WIDTH;
	if (bracket == '[' ? bracket_of(text) != NULL || !fits
			   : !fits && !(never && column < CASE_LATE))
		buffer_printf(out, "\n%*s", indent, "");
	else if (!first)
		buffer_putc(out, ' ');
	buffer_free(&line);
}

/* Append compact JSON, an element or a member with its name.  Where it ends. */
static inline const char *
lay_out(const char *text, int indent, struct buffer *out)
{
	struct buffer line = BUFFER_INIT(0);
	const char *end = write_in_line(text, &line);
	const char *bracket = bracket_of(text);

	if (bracket == NULL || column_of(out) + line.length < CASE_WIDTH) {
		buffer_append(out, line.data, line.length);
	} else {
		buffer_append(out, text, (size_t)(bracket - text));
		buffer_puts(out, bracket > text ? " " : "");
		end = bracket;
		do {
			buffer_putc(out, *end++);
			separate(end, *bracket, indent + 2, out);
			end = lay_out(end, indent + 2, out);
		} while (*end == ',');
		buffer_putc(out, *end++);
	}
	buffer_free(&line);
	return end;
}

#endif

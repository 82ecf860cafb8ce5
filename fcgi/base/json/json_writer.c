/*
 * JSON out; see json_writer.h.
 */
#include "base/json/json_writer.h"

#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_scan.h"

static const char hex_digits[] = "0123456789abcdef";

/* ---- strings ---- */

/* What a byte becomes inside a string: 0: itself, 'u': \u00XX, else a backslash and this letter. */
static char
escape_of(unsigned char c)
{
	static const char of_controls[] = "uuuuuuuuutnuuruuuuuuuuuuuuuuuuuu";

	if (c < 0x20)
		return of_controls[c];
	return c == '"' || c == '\\' ? (char)c : 0;
}

/* Is it a surrogate, in the three bytes of a decoded string (json.h)? */
static bool
is_surrogate(const char *text, size_t left)
{
	return left >= 3 && (unsigned char)text[0] == 0xed && (unsigned char)text[1] >= 0xa0;
}

/* Append the escape for what is at ${text}; how many bytes that was. */
static size_t
write_escape(struct buffer *out, const char *text)
{
	unsigned char c = (unsigned char)text[0];
	bool surrogate = c == 0xed;
	char code[] = {'\\', surrogate ? 'u' : escape_of(c), '0', '0', '0', '0'};
	unsigned unit = c;

	if (code[1] != 'u') {
		buffer_append(out, code, 2);
		return 1;
	}
	if (surrogate)
		unit = 0xd000U | ((unsigned char)text[1] & 0x3fU) << 6 |
		       ((unsigned char)text[2] & 0x3fU);
	for (int i = 0; i < 4; i++)
		code[2 + i] = hex_digits[unit >> (12 - 4 * i) & 15];
	buffer_append(out, code, sizeof(code));
	return surrogate ? 3 : 1;
}

/* How many bytes need no escape, nor a closer look? */
static size_t
plain_length(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x80 && length - i >= JSON_STEP) {
			size_t plain = json_plain(text + i);
			i += plain;
			if (plain == JSON_STEP)
				continue;
			c = (unsigned char)text[i];
		}
		if (c == 0xed || escape_of(c) != 0)
			break;
		i++;
	}
	return i;
}

int
json_write_escaped(struct buffer *out, const char *text, size_t length)
{
	size_t plain = 0;
	size_t i = 0;

	while (i < length) {
		i += plain_length(text + i, length - i);
		if (i == length)
			break;
		if (text[i] == '\xed' && !is_surrogate(text + i, length - i)) {
			i++;
			continue;
		}
		buffer_append(out, text + plain, i - plain);
		i += write_escape(out, text + i);
		plain = i;
	}
	return buffer_append(out, text + plain, length - plain);
}

int
json_write_string(struct buffer *out, const char *text, size_t length)
{
	buffer_putc(out, '"');
	json_write_escaped(out, text, length);
	return buffer_putc(out, '"');
}

int
json_write_text(struct buffer *out, const char *text)
{
	return text != NULL ? json_write_string(out, text, strlen(text))
			    : buffer_append(out, "null", 4);
}

/* ---- the writer ---- */

/* What follows is a value, or a member's name. */
static void
begin(struct json_writer *w)
{
	if (w->comma)
		buffer_putc(w->out, ',');
	w->comma = true;
}

static void
open_container(struct json_writer *w, char c)
{
	begin(w);
	buffer_putc(w->out, c);
	w->comma = false;
}

static void
close_container(struct json_writer *w, char c)
{
	buffer_putc(w->out, c);
	w->comma = true;
}

void
json_open_object(struct json_writer *w)
{
	open_container(w, '{');
}

void
json_close_object(struct json_writer *w)
{
	close_container(w, '}');
}

void
json_open_array(struct json_writer *w)
{
	open_container(w, '[');
}

void
json_close_array(struct json_writer *w)
{
	close_container(w, ']');
}

void
json_put_name(struct json_writer *w, const char *name)
{
	begin(w);
	buffer_putc(w->out, '"');
	buffer_puts(w->out, name);
	buffer_append(w->out, "\":", 2);
	w->comma = false;
}

void
json_put_any_name(struct json_writer *w, const char *name, size_t length)
{
	json_put_string(w, name, length);
	buffer_putc(w->out, ':');
	w->comma = false;
}

void
json_put_value(struct json_writer *w, const struct json *value)
{
	begin(w);
	json_write(w->out, value);
}

void
json_put_raw(struct json_writer *w, const char *json, size_t length)
{
	begin(w);
	buffer_append(w->out, json, length);
}

void
json_put_string(struct json_writer *w, const char *text, size_t length)
{
	begin(w);
	json_write_string(w->out, text, length);
}

void
json_put_text(struct json_writer *w, const char *text)
{
	begin(w);
	json_write_text(w->out, text);
}

void
json_put_int(struct json_writer *w, int64_t number)
{
	begin(w);
	if (number < 0)
		buffer_putc(w->out, '-');
	buffer_put_uint(w->out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void
json_put_uint(struct json_writer *w, uint64_t number)
{
	begin(w);
	buffer_put_uint(w->out, number);
}

void
json_put_bool(struct json_writer *w, bool value)
{
	begin(w);
	buffer_puts(w->out, value ? "true" : "false");
}

void
json_put_null(struct json_writer *w)
{
	json_put_text(w, NULL);
}

/* ---- members ---- */

void
json_put_member(struct json_writer *w, const struct json *member)
{
	begin(w);
	json_write_name(w->out, member);
	buffer_putc(w->out, ':');
	json_write(w->out, member);
}

void
json_put_member_name(struct json_writer *w, const struct json *member)
{
	begin(w);
	json_write_name(w->out, member);
	buffer_putc(w->out, ':');
	w->comma = false;
}

void
json_put_value_member(struct json_writer *w, const char *name, const struct json *value)
{
	json_put_name(w, name);
	json_put_value(w, value);
}

void
json_put_text_member(struct json_writer *w, const char *name, const char *text)
{
	json_put_name(w, name);
	json_put_text(w, text);
}

void
json_put_int_member(struct json_writer *w, const char *name, int64_t number)
{
	json_put_name(w, name);
	json_put_int(w, number);
}

void
json_put_uint_member(struct json_writer *w, const char *name, uint64_t number)
{
	json_put_name(w, name);
	json_put_uint(w, number);
}

void
json_put_bool_member(struct json_writer *w, const char *name, bool value)
{
	json_put_name(w, name);
	json_put_bool(w, value);
}

void
json_open_object_member(struct json_writer *w, const char *name)
{
	json_put_name(w, name);
	json_open_object(w);
}

void
json_open_array_member(struct json_writer *w, const char *name)
{
	json_put_name(w, name);
	json_open_array(w);
}

/* ---- strings in pieces ---- */

void
json_open_string(struct json_writer *w)
{
	begin(w);
	buffer_putc(w->out, '"');
}

void
json_close_string(struct json_writer *w)
{
	buffer_putc(w->out, '"');
}

void
json_string_text(struct json_writer *w, const char *text)
{
	json_write_escaped(w->out, text, strlen(text));
}

void
json_string_bytes(struct json_writer *w, const char *bytes, size_t length)
{
	json_write_escaped(w->out, bytes, length);
}

void
json_string_content(struct json_writer *w, const char *content, size_t length)
{
	buffer_append(w->out, content, length);
}

void
json_string_value(struct json_writer *w, const struct json *string)
{
	buffer_append(w->out, json_content(string), json_content_length(string));
}

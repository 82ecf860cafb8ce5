/*
 * Looking at JSON that was read; see json.h.
 */
#include "base/json/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json_scan.h"

enum {
	FIRST_CAPACITY = 32, /* elements of a list */
	MOST_SHOWN = 100,    /* bytes of a value that a message quotes */
	LONGEST_DOUBLE = 64, /* bytes of a number that is read without allocating */
	LONGEST_ESCAPE = 6,  /* bytes that stand for one */
};

/* ---- what is inside ---- */

size_t
json_count(const struct json *container)
{
	size_t count = 0;

	JSON_EACH (value, container)
		count++;
	return count;
}

/* Where a string ends whose first quote is at ${quote}, in a text that was read. */
static const char *
string_end(const char *quote)
{
	const char *at = quote + 1;

	while (*at != '"')
		at += *at == '\\' ? 2 : 1;
	return at + 1;
}

/* Is the content, in which there are escapes, this text when it is decoded? */
static bool
is_content(const char *content, size_t length, const char *text, size_t text_length)
{
	struct buffer decoded = BUFFER_INIT(0);

	if (length < text_length || length / LONGEST_ESCAPE > text_length)
		return false;
	bool same = json_append_content(&decoded, content, length) == 0 &&
		    decoded.length == text_length &&
		    memcmp(buffer_text(&decoded), text, text_length) == 0;
	buffer_free(&decoded);
	return same;
}

bool
json_is_named_with_escapes(const struct json *member, const char *name, size_t length)
{
	const char *quote = member->text - member->name;

	return is_content(quote + 1, (size_t)(string_end(quote) - quote) - 2, name, length);
}

const struct json *
json_member_of(const struct json *object, const char *name, size_t length)
{
	const struct json *found = NULL;

	if (!json_is_object(object))
		return NULL;
	JSON_EACH (value, object)
		if (json_has_name(value, name, length))
			found = value;
	return json_is(found, JSON_NULL) ? NULL : found;
}

size_t
json_name_among(const struct json *member, const struct json_name *names, size_t count)
{
	const char *first = member->text - member->name + 1;
	bool escaped = (member->flags & JSON_NAME_ESCAPED) != 0;

	for (size_t i = 0; i < count; i++)
		if ((escaped || *first == *names[i].text) &&
			json_has_name(member, names[i].text, names[i].length))
			return i;
	return count;
}

void
json_members(const struct json *object, const struct json_name *names, size_t count,
	const struct json **values)
{
	for (size_t i = 0; i < count; i++)
		values[i] = NULL;
	if (!json_is_object(object))
		return;
	JSON_EACH (value, object) {
		size_t i = json_name_among(value, names, count);
		if (i < count)
			values[i] = json_is(value, JSON_NULL) ? NULL : value;
	}
}

static const struct json *
member_of_kind(const struct json *object, const char *name, enum json_kind kind)
{
	const struct json *member = json_member(object, name);

	return json_is(member, kind) ? member : NULL;
}

const struct json *
json_member_object(const struct json *object, const char *name)
{
	return member_of_kind(object, name, JSON_OBJECT);
}

const struct json *
json_member_array(const struct json *object, const char *name)
{
	return member_of_kind(object, name, JSON_ARRAY);
}

const struct json *
json_member_string(const struct json *object, const char *name)
{
	return member_of_kind(object, name, JSON_STRING);
}

int64_t
json_member_int(const struct json *object, const char *name, int64_t otherwise)
{
	return json_int(json_member(object, name), otherwise);
}

bool
json_member_bool(const struct json *object, const char *name, bool otherwise)
{
	const struct json *member = json_member(object, name);

	return json_is_bool(member) ? member->kind == JSON_TRUE : otherwise;
}

/* ---- numbers ---- */

bool
json_is_integer(const struct json *value)
{
	if (!json_is_number(value))
		return false;
	for (uint32_t i = 0; i < value->length; i++)
		if (value->text[i] != '-' && !isdigit((unsigned char)value->text[i]))
			return false;
	return true;
}

double
json_double(const struct json *value, double otherwise)
{
	char digits[LONGEST_DOUBLE];

	if (!json_is_number(value))
		return otherwise;
	if (value->length < sizeof(digits)) {
		memcpy(digits, value->text, value->length);
		digits[value->length] = '\0';
		return strtod(digits, NULL);
	}
	char *copy = strndup(value->text, value->length);
	double number = copy != NULL ? strtod(copy, NULL) : otherwise;
	free(copy);
	return number;
}

static int64_t
saturated(double number)
{
	return number >= 0x1p63 ? INT64_MAX : number < -0x1p63 ? INT64_MIN : (int64_t)number;
}

int64_t
json_int(const struct json *value, int64_t otherwise)
{
	if (!json_is_number(value))
		return otherwise;
	bool negative = value->text[0] == '-';
	int64_t number = 0;
	for (uint32_t i = negative; i < value->length; i++) {
		int digit = value->text[i] - '0';
		/* Beyond the largest integer an exponent may still make it smaller. */
		if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
			return saturated(json_double(value, 0));
		number = number * 10 + digit;
	}
	return negative ? -number : number;
}

/* ---- strings ---- */

int
json_shown_length(const struct json *value)
{
	size_t length = json_is_string(value) ? json_content_length(value)
			: value != NULL       ? value->length
					      : 0;
	const char *text = json_shown(value);

	if (length <= MOST_SHOWN)
		return (int)length;
	/* Not in the middle of a character. */
	for (length = MOST_SHOWN; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
		length--;
	return (int)length;
}

const char *
json_shown(const struct json *value)
{
	return json_is_string(value) ? json_content(value) : value != NULL ? value->text : "";
}

static bool
is_escaped(const struct json *string)
{
	return (string->flags & JSON_ESCAPED) != 0;
}

bool
json_is_text_with_escapes(const struct json *string, const char *text, size_t length)
{
	return is_content(json_content(string), json_content_length(string), text, length);
}

bool
json_starts_with(const struct json *value, const char *text)
{
	const char *at = json_content(value);
	const char *end = at + json_content_length(value);
	size_t left = strlen(text);
	char bytes[4];

	/* No further than the text: what begins otherwise may be long. */
	while (left > 0 && at < end) {
		size_t length;
		at = json_content_next(at, end, bytes, &length);
		if (length > left || memcmp(bytes, text, length) != 0)
			return false;
		text += length;
		left -= length;
	}
	return left == 0 && json_is_string(value);
}

bool
json_ends_with(const struct json *value, const char *text)
{
	struct buffer decoded = BUFFER_INIT(0);
	const char *content = json_content(value);
	size_t length = json_content_length(value);
	size_t n = strlen(text);

	if (!json_is_string(value))
		return false;
	if (is_escaped(value)) {
		json_append(&decoded, value);
		content = buffer_text(&decoded);
		length = decoded.length;
	}
	bool same = length >= n && memcmp(content + length - n, text, n) == 0;
	buffer_free(&decoded);
	return same;
}

static bool
is_high(int unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool
is_low(int unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

/* The character of the \u at ${at}, of one code unit or a pair; where it ends. */
static const char *
read_unicode(const char *at, const char *end, uint32_t *character)
{
	int unit = json_code_unit(at + 2, end);
	int low = is_high(unit) && end - at >= 12 && at[6] == '\\' && at[7] == 'u'
			  ? json_code_unit(at + 8, end)
			  : -1;

	*character = (uint32_t)unit;
	if (!is_low(low))
		return at + 6;
	*character = 0x10000U + (((uint32_t)unit & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
	return at + 12;
}

/* A character in UTF-8; a surrogate likewise.  How many bytes it has. */
static size_t
put_character(char bytes[4], uint32_t c)
{
	size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = length; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(first[length] | c);
	return length;
}

const char *
json_content_next(const char *at, const char *end, char bytes[4], size_t *length)
{
	static const char letters[] = "bfnrt";
	static const char characters[] = "\b\f\n\r\t";
	uint32_t character;

	*length = 1;
	bytes[0] = *at;
	if (*at != '\\')
		return at + 1;
	if (at[1] == 'u') {
		at = read_unicode(at, end, &character);
		*length = put_character(bytes, character);
		return at;
	}
	const char *letter = strchr(letters, at[1]);
	bytes[0] = letter != NULL ? characters[letter - letters] : at[1];
	return at + 2;
}

/* Append the escape at ${at}, decoded; where it ends. */
static const char *
append_escape(struct buffer *out, const char *at, const char *end)
{
	char bytes[4];
	size_t length;

	at = json_content_next(at, end, bytes, &length);
	buffer_append(out, bytes, length);
	return at;
}

int
json_append_content(struct buffer *out, const char *content, size_t length)
{
	const char *end = content + length;
	const char *at = content;

	while (at < end) {
		const char *escape = memchr(at, '\\', (size_t)(end - at));
		const char *plain_end = escape != NULL ? escape : end;
		buffer_append(out, at, (size_t)(plain_end - at));
		at = escape != NULL ? append_escape(out, escape, end) : end;
	}
	return out->failed ? -1 : 0;
}

int
json_append(struct buffer *out, const struct json *string)
{
	if (json_is_string(string) && !is_escaped(string))
		return buffer_append(out, json_content(string), json_content_length(string));
	return json_append_content(out, json_content(string), json_content_length(string));
}

int
json_append_name(struct buffer *out, const struct json *member)
{
	const char *quote = member->text - member->name;

	return json_append_content(out, quote + 1, (size_t)(string_end(quote) - quote) - 2);
}

char *
json_copy(const struct json *string)
{
	struct buffer decoded = BUFFER_INIT(0);

	if (!json_is_string(string))
		return NULL;
	json_append(&decoded, string);
	return buffer_take(&decoded);
}

bool
json_has_unusual(const struct json *string)
{
	const char *at = json_content(string);
	const char *end = at + json_content_length(string);
	uint32_t c;

	if (!json_is_string(string) || !is_escaped(string))
		return false;
	while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
		if (at[1] != 'u') {
			at += 2;
			continue;
		}
		at = read_unicode(at, end, &c);
		if (c == 0 || (c >= 0xd800 && c < 0xe000))
			return true;
	}
	return false;
}

/* ---- as it came ---- */

/* Append ${length} bytes of JSON without the white space between its parts. */
static void
append_unspaced(struct buffer *out, const char *text, size_t length)
{
	const char *end = text + length;
	const char *copied = text;

	for (const char *at = text; at < end;) {
		if (*at == '"') {
			at = string_end(at);
		} else if (json_is_blank(*at)) {
			buffer_append(out, copied, (size_t)(at - copied));
			while (at < end && json_is_blank(*at))
				at++;
			copied = at;
		} else {
			at++;
		}
	}
	buffer_append(out, copied, (size_t)(end - copied));
}

int
json_write(struct buffer *out, const struct json *value)
{
	if (value == NULL)
		return buffer_append(out, "null", 4);
	if ((value->flags & JSON_SPACED) == 0)
		return buffer_append(out, value->text, value->length);
	append_unspaced(out, value->text, value->length);
	return out->failed ? -1 : 0;
}

int
json_write_name(struct buffer *out, const struct json *member)
{
	const char *quote = member->text - member->name;

	return buffer_append(out, quote, (size_t)(string_end(quote) - quote));
}

/* ---- lists ---- */

int
json_list_add(struct json_list *list, const struct json *value)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity > 0 ? 2 * list->capacity : FIRST_CAPACITY;
		const struct json **grown = reallocarray(
			(void *)list->values, capacity, sizeof(void *));
		if (grown == NULL)
			return -1;
		list->values = grown;
		list->capacity = capacity;
	}
	list->values[list->count++] = value;
	return 0;
}

int
json_list_add_all(struct json_list *list, const struct json *array)
{
	JSON_EACH (value, array)
		if (json_list_add(list, value) != 0)
			return -1;
	return 0;
}

void
json_list_free(struct json_list *list)
{
	free((void *)list->values);
	*list = (struct json_list){0};
}

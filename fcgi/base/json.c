/*
 * JSON in and out, on json-c; see json.h.
 *
 * One pass over the text before json-c sees it finds what json-c would accept or change without a
 * word: NaN and Infinity, a depth beyond the bound, and integers that it cannot hold.  json-c keeps
 * the spelling of a double, so such an integer goes in with an exponent appended that nobody
 * writes, and the exponent is taken off the spelling again in the parsed value.  It ends a name at
 * its first NUL, so that goes in as characters that nobody writes, and comes out as \u0000 again.
 * And some pairs of surrogates it takes for single ones: they go in as the characters they are.
 */
#include "base/json.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/utf8.h"

static const char spelling_mark[] = "e-0000000000000000";
enum { MARK_LENGTH = sizeof(spelling_mark) - 1 };

static const char hex_digits[] = "0123456789abcdef";

static const char nul[] = "\\u0000";
enum { NUL_LENGTH = sizeof(nul) - 1 };

/* U+10FFFE U+10FFFD U+10FFFE: no characters, and not in this order by chance. */
static const char nul_mark[] = "\xf4\x8f\xbf\xbe\xf4\x8f\xbf\xbd\xf4\x8f\xbf\xbe";
enum { NUL_MARK_LENGTH = sizeof(nul_mark) - 1 };

static const int text_flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;

/* The pass before json-c. */
struct scan {
	const char *text;
	const char *end;
	const char *at;
	const char *copied; /* up to here the text is in ${marked} */
	struct buffer marked;
	int depth;
	bool has_escapes; /* like \u0000, somewhere in the text */
};

/* Step over a string: to the quote that an even number of backslashes stands before. */
static void
skip_string(struct scan *s)
{
	const char *start = ++s->at;

	for (;;) {
		const char *quote = memchr(s->at, '"', (size_t)(s->end - s->at));
		if (quote == NULL) {
			s->at = s->end;
			return;
		}
		const char *first = quote;
		while (first > start && first[-1] == '\\')
			first--;
		s->at = quote + 1;
		if ((quote - first) % 2 == 0)
			return;
	}
}

/* The code unit of an escape like \u00e9 at ${at}; -1: there is none before ${end}. */
static int
code_unit(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < NUL_LENGTH || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < NUL_LENGTH; i++) {
		const char *digit = strchr(hex_digits, at[i] | ('a' ^ 'A'));
		if (!isxdigit((unsigned char)at[i]) || digit == NULL)
			return -1;
		unit = unit * 16 + (int)(digit - hex_digits);
	}
	return unit;
}

/* Put ${text} in the place of ${length} bytes at ${at}. */
static void
replace(struct scan *s, const char *at, size_t length, const char *text, size_t text_length)
{
	buffer_append(&s->marked, s->copied, (size_t)(at - s->copied));
	buffer_append(&s->marked, text, text_length);
	s->copied = at + length;
}

static void
replace_pair(struct scan *s, const char *at, int high, int low)
{
	unsigned c = 0x10000U + (((unsigned)high & 0x3ff) << 10 | ((unsigned)low & 0x3ff));
	const char character[] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3f)),
		(char)(0x80 | (c >> 6 & 0x3f)), (char)(0x80 | (c & 0x3f))};

	replace(s, at, (size_t)2 * NUL_LENGTH, character, sizeof(character));
}

/*
 * Replace the escapes that json-c gets wrong in the string from ${start} to ${end}, without its
 * quotes: pairs of surrogates (those of U+1D800 and others become U+FFFD), and in names NUL.
 */
static void
replace_escapes(struct scan *s, const char *start, const char *end, bool is_name)
{
	const char *at = start;

	while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
		int unit = code_unit(at, end);
		int low = unit >= 0xd800 && unit < 0xdc00 ? code_unit(at + NUL_LENGTH, end) : -1;
		if (low >= 0xdc00 && low < 0xe000)
			replace_pair(s, at, unit, low);
		else if (is_name && unit == 0)
			replace(s, at, NUL_LENGTH, nul_mark, NUL_MARK_LENGTH);
		at += s->copied > at ? s->copied - at : 2;
		if (at >= end)
			break;
	}
}

/* Step over a string, which is a name if a colon follows. */
static void
scan_string(struct scan *s)
{
	const char *start = s->at + 1;

	skip_string(s);
	if (!s->has_escapes || s->at <= start)
		return;
	const char *next = s->at;
	while (next < s->end && *next != '\0' && strchr(" \t\r\n", *next) != NULL)
		next++;
	replace_escapes(s, start, s->at - 1, next < s->end && *next == ':');
}

/* Would json-c change this integer?  ${digits} is its spelling, of ${length} bytes. */
static bool
is_beyond_json_c(const char *digits, size_t length)
{
	char copy[32];

	if (length == 2 && digits[0] == '-' && digits[1] == '0')
		return true;
	if (length < 19)
		return false;
	if (length >= sizeof(copy))
		return true;
	memcpy(copy, digits, length);
	copy[length] = '\0';
	errno = 0;
	if (copy[0] == '-')
		strtoll(copy, NULL, 10);
	else
		strtoull(copy, NULL, 10);
	return errno == ERANGE;
}

/* Step over digits; how many there were. */
static size_t
skip_digits(struct scan *s)
{
	const char *start = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return (size_t)(s->at - start);
}

static bool
skip_one_of(struct scan *s, const char *characters)
{
	if (s->at == s->end || *s->at == '\0' || strchr(characters, *s->at) == NULL)
		return false;
	s->at++;
	return true;
}

/* RFC 8259 §6: json-c would take 007 and 1. as well.  Return NULL or the problem. */
static const char *
scan_number(struct scan *s)
{
	static const char problem[] = "there is a number that is not one of JSON";
	const char *start = s->at;
	bool integer = true;

	skip_one_of(s, "-");
	bool zero = s->at < s->end && *s->at == '0';
	size_t digits = skip_digits(s);
	if (digits == 0 || (zero && digits > 1))
		return problem;
	if (skip_one_of(s, ".")) {
		integer = false;
		if (skip_digits(s) == 0)
			return problem;
	}
	if (skip_one_of(s, "eE")) {
		integer = false;
		skip_one_of(s, "+-");
		if (skip_digits(s) == 0)
			return problem;
	}
	if (integer && is_beyond_json_c(start, (size_t)(s->at - start))) {
		buffer_append(&s->marked, s->copied, (size_t)(s->at - s->copied));
		buffer_append(&s->marked, spelling_mark, MARK_LENGTH);
		s->copied = s->at;
	}
	return NULL;
}

/* Step over true, false or null, spelled exactly so.  Return 0, or -1 if it is none of them. */
static int
skip_literal(struct scan *s)
{
	static const char *const literals[] = {"true", "false", "null"};

	for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
		size_t length = strlen(literals[i]);
		if ((size_t)(s->end - s->at) >= length && memcmp(s->at, literals[i], length) == 0) {
			s->at += length;
			return 0;
		}
	}
	return -1;
}

/* What stands between the values.  Return NULL or the problem. */
static const char *
scan_punctuation(struct scan *s)
{
	switch (*s->at) {
	case '{':
	case '[':
		if (++s->depth > JSON_MAX_DEPTH)
			return "it is nested more than 128 levels deep";
		break;
	case '}':
	case ']':
		s->depth--;
		break;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
	case ',':
	case ':':
		break;
	case 'N':
	case 'I':
		return "NaN and Infinity are not JSON";
	default:
		/* json-c would take 'single' quotes, comments and literals in any case. */
		return "there is a character that does not belong there";
	}
	s->at++;
	return NULL;
}

/* Return NULL or the problem. */
static const char *
scan_text(struct scan *s)
{
	const char *problem = NULL;

	while (s->at < s->end && problem == NULL) {
		char c = *s->at;
		if (c == '"')
			scan_string(s);
		else if ((c >= '0' && c <= '9') || c == '-')
			problem = scan_number(s);
		else if ((c != 't' && c != 'f' && c != 'n') || skip_literal(s) != 0)
			problem = scan_punctuation(s);
	}
	if (problem == NULL && s->copied > s->text)
		buffer_append(&s->marked, s->copied, (size_t)(s->end - s->copied));
	return problem == NULL && s->marked.failed ? "out of memory" : problem;
}

/* Take the mark off the spelling of every number in the value. */
static int
unmark_numbers(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(value); i++)
			if (unmark_numbers(json_object_array_get_idx(value, i)) != 0)
				return -1;
		return 0;
	case json_type_object: {
		json_object_object_foreach(value, name, member)
		{
			(void)name;
			if (unmark_numbers(member) != 0)
				return -1;
		}
		return 0;
	}
	case json_type_double:
		break;
	default:
		return 0;
	}

	const char *spelling = json_object_get_userdata(value);
	size_t length = spelling != NULL ? strlen(spelling) : 0;
	if (length <= MARK_LENGTH || strcmp(spelling + length - MARK_LENGTH, spelling_mark) != 0)
		return 0;
	char *original = strndup(spelling, length - MARK_LENGTH);
	if (original == NULL)
		return -1;
	json_object_set_serializer(
		value, json_object_userdata_to_json_string, original, json_object_free_userdata);
	return 0;
}

/* Each thread keeps its tokener: making one is a large allocation, and every streamed event needs
 * one. */
static pthread_once_t tokeners_once = PTHREAD_ONCE_INIT;
static pthread_key_t tokeners;

static void
free_tokener(void *tokener)
{
	json_tokener_free(tokener);
}

static void
make_tokeners_key(void)
{
	pthread_key_create(&tokeners, free_tokener);
}

/* After an error json_tokener_reset would leave half a surrogate pair to the next text. */
static void
drop_tokener(struct json_tokener *tokener)
{
	pthread_setspecific(tokeners, NULL);
	json_tokener_free(tokener);
}

/* This thread's tokener, ready for a new text; NULL if memory ran out. */
static struct json_tokener *
thread_tokener(void)
{
	pthread_once(&tokeners_once, make_tokeners_key);
	struct json_tokener *tokener = pthread_getspecific(tokeners);
	if (tokener != NULL) {
		json_tokener_reset(tokener);
		return tokener;
	}
	tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 2);
	if (tokener == NULL || pthread_setspecific(tokeners, tokener) != 0) {
		json_tokener_free(tokener);
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	return tokener;
}

static int
parse_scanned(const char *text, size_t length, struct json_object **value, const char **problem)
{
	struct json_tokener *tokener = thread_tokener();
	if (tokener == NULL) {
		*problem = "out of memory";
		return -1;
	}
	*value = json_tokener_parse_ex(tokener, text, (int)length);
	enum json_tokener_error error = json_tokener_get_error(tokener);
	/* A bare number ends only at the end of the text: a NUL tells json-c so. */
	if (error == json_tokener_continue) {
		*value = json_tokener_parse_ex(tokener, "", 1);
		error = json_tokener_get_error(tokener);
	} else if (error == json_tokener_success) {
		for (size_t end = json_tokener_get_parse_end(tokener); end < length; end++)
			if (strchr(" \t\r\n", text[end]) == NULL || text[end] == '\0')
				error = json_tokener_error_parse_unexpected;
	}
	if (error == json_tokener_success) {
		/* A long text leaves a large buffer behind. */
		json_tokener_reset(tokener);
		return 0;
	}
	drop_tokener(tokener);
	*problem = error == json_tokener_continue ? "it ends too early"
						  : json_tokener_error_desc(error);
	json_object_put(*value);
	*value = NULL;
	return -1;
}

int
json_parse(const char *text, size_t length, struct json_object **value, const char **problem)
{
	struct scan s = {.text = text, .end = text + length, .at = text, .copied = text};
	int status = -1;

	s.has_escapes = memmem(text, length, "\\u", 2) != NULL;

	*value = NULL;
	if (length == 0 || length > INT_MAX) {
		*problem = length == 0 ? "it is empty" : "it is too long";
		return -1;
	}
	/* json-c's own check lets overlong forms and surrogates pass. */
	*problem = utf8_is_valid(text, length) ? scan_text(&s) : "it is not valid UTF-8";
	if (*problem == NULL && s.marked.length == 0)
		status = parse_scanned(text, length, value, problem);
	else if (*problem == NULL && s.marked.length > INT_MAX)
		*problem = "it is too long";
	else if (*problem == NULL)
		status = parse_scanned(s.marked.data, s.marked.length, value, problem);
	if (status == 0 && s.marked.length > 0 && unmark_numbers(*value) != 0) {
		json_object_put(*value);
		*value = NULL;
		*problem = "out of memory";
		status = -1;
	}
	buffer_free(&s.marked);
	return status;
}

static void
skip_blanks(struct scan *s)
{
	while (skip_one_of(s, " \t\r\n"))
		;
}

/* Step over one value of any kind. */
static void
skip_value(struct scan *s)
{
	int depth = 0;

	do {
		if (skip_one_of(s, "[{"))
			depth++;
		else if (skip_one_of(s, "]}"))
			depth--;
		else if (s->at < s->end && *s->at == '"')
			skip_string(s);
		else if (depth > 0)
			s->at++;
		else
			while (s->at < s->end && strchr(",}] \t\r\n", *s->at) == NULL)
				s->at++;
	} while (depth > 0 && s->at < s->end);
}

/* Is the JSON string from ${start} to ${end}, quotes included, this name, however it is escaped? */
static bool
is_name(const char *start, const char *end, const char *name)
{
	struct json_object *key = NULL;
	const char *problem;

	if (memchr(start, '\\', (size_t)(end - start)) == NULL)
		return (size_t)(end - start) == strlen(name) + 2 &&
		       memcmp(start + 1, name, strlen(name)) == 0;
	bool same = json_parse(start, (size_t)(end - start), &key, &problem) == 0 &&
		    json_is_text(key, name);
	json_object_put(key);
	return same;
}

bool
json_find_member(
	const char *text, size_t length, const char *name, size_t from, size_t *start, size_t *end)
{
	struct scan s = {.text = text, .end = text + length, .at = text};

	skip_blanks(&s);
	skip_one_of(&s, "{");
	while (s.at < s.end) {
		skip_blanks(&s);
		const char *key = s.at;
		if (s.at == s.end || *key != '"')
			return false;
		skip_string(&s);
		const char *key_end = s.at;
		skip_blanks(&s);
		skip_one_of(&s, ":");
		skip_blanks(&s);
		*start = (size_t)(s.at - text);
		skip_value(&s);
		*end = (size_t)(s.at - text);
		if (*start >= from && is_name(key, key_end, name))
			return true;
		skip_blanks(&s);
		skip_one_of(&s, ",");
	}
	return false;
}

/* Write the NULs in names as they were, in place: they take less room than what stands for them.
 * Return the new length. */
static size_t
restore_nul(char *text, size_t length)
{
	char *in = memmem(text, length, nul_mark, NUL_MARK_LENGTH);
	char *end = text + length;

	if (in == NULL)
		return length;
	char *out = in;
	while (in < end) {
		if ((size_t)(end - in) >= NUL_MARK_LENGTH &&
			memcmp(in, nul_mark, NUL_MARK_LENGTH) == 0) {
			memcpy(out, nul, NUL_LENGTH);
			out += NUL_LENGTH;
			in += NUL_MARK_LENGTH;
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}

const char *
json_text(struct json_object *value, size_t *length)
{
	size_t own;

	if (length == NULL)
		length = &own;
	if (value == NULL) {
		*length = 4;
		return "null";
	}
	const char *text = json_object_to_json_string_length(value, text_flags, length);
	/* The text is the value's own, in memory that json-c may write; a string's is made anew,
	 * too. */
	if (text != NULL && memchr(text, (unsigned char)nul_mark[0], *length) != NULL)
		*length = restore_nul((char *)(uintptr_t)text, *length);
	return text;
}

int
json_write(struct buffer *b, struct json_object *value)
{
	size_t length;
	const char *text = json_text(value, &length);

	if (text == NULL) {
		b->failed = true;
		return -1;
	}
	return buffer_append(b, text, length);
}

/* What a byte becomes inside a JSON string: 0: itself, 'u': \u00XX, else a backslash and this
 * letter. */
static char
escape_of(unsigned char c)
{
	switch (c) {
	case '"':
		return '"';
	case '\\':
		return '\\';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return c < 0x20 ? 'u' : 0;
	}
}

int
json_write_string(struct buffer *b, const char *text, size_t length)
{
	size_t plain = 0;

	buffer_putc(b, '"');
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		char escape = escape_of(c);
		char code[] = {'\\', escape, '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
		buffer_append(b, text + plain, i - plain);
		buffer_append(b, code, escape == 'u' ? sizeof(code) : 2);
		plain = i + 1;
	}
	buffer_append(b, text + plain, length - plain);
	return buffer_putc(b, '"');
}

int
json_write_text(struct buffer *b, const char *text)
{
	return json_write_string(b, text, strlen(text));
}

int
json_write_text_or_null(struct buffer *b, const char *text)
{
	return text != NULL ? json_write_text(b, text) : buffer_puts(b, "null");
}

struct json_object *
json_member(struct json_object *object, const char *name)
{
	struct json_object *member = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &member);
	return member;
}

static struct json_object *
member_of_type(struct json_object *object, const char *name, enum json_type type)
{
	struct json_object *member = json_member(object, name);

	return json_object_is_type(member, type) && member != NULL ? member : NULL;
}

struct json_object *
json_member_object(struct json_object *object, const char *name)
{
	return member_of_type(object, name, json_type_object);
}

struct json_object *
json_member_array(struct json_object *object, const char *name)
{
	return member_of_type(object, name, json_type_array);
}

const char *
json_member_string(struct json_object *object, const char *name)
{
	struct json_object *member = member_of_type(object, name, json_type_string);

	return member != NULL ? json_object_get_string(member) : NULL;
}

int64_t
json_member_int(struct json_object *object, const char *name, int64_t otherwise)
{
	struct json_object *member = json_member(object, name);

	if (!json_object_is_type(member, json_type_int) &&
		!json_object_is_type(member, json_type_double))
		return otherwise;
	return json_object_get_int64(member);
}

bool
json_member_bool(struct json_object *object, const char *name, bool otherwise)
{
	struct json_object *member = member_of_type(object, name, json_type_boolean);

	return member != NULL ? json_object_get_boolean(member) : otherwise;
}

bool
json_is_string(struct json_object *value)
{
	return value != NULL && json_object_is_type(value, json_type_string);
}

bool
json_is_text(struct json_object *value, const char *text)
{
	size_t length = strlen(text);

	return json_is_string(value) && (size_t)json_object_get_string_len(value) == length &&
	       memcmp(json_object_get_string(value), text, length) == 0;
}

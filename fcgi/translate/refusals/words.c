/*
 * The words of a refusal; see words.h.
 */
#include "translate/refusals/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/json/json_writer.h"

enum {
	MOST_VALUES = 32,
	LONGEST_VALUE = 64, /* bytes */
};

bool
words_contain_any(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasestr(text, words[i]) != NULL)
			return true;
	return false;
}

bool
words_is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '$';
}

bool
words_is_quote(char c)
{
	return c == '\'' || c == '"' || c == '`';
}

bool
words_find_quoted(const char *at, const char **start, size_t *length)
{
	for (; *at != '\0'; at++) {
		/* Not an apostrophe. */
		if (!words_is_quote(*at) || (isalnum((unsigned char)at[1]) == 0 && at[1] != '_'))
			continue;
		const char *end = strchr(at + 1, *at);
		if (end == NULL)
			continue;
		*start = at + 1;
		*length = (size_t)(end - at) - 1;
		return true;
	}
	return false;
}

/* ---- values ---- */

/* A word that leads to the values, and is not one. */
static bool
is_filler(const char *word, size_t length)
{
	static const char *const fillers[] = {"the", "following", "a", "an", "are", "is", "values"};

	for (size_t i = 0; i < COUNT(fillers); i++)
		if (strlen(fillers[i]) == length && strncasecmp(fillers[i], word, length) == 0)
			return true;
	return false;
}

/* The values in quotes, up to the end of the line. */
static size_t
write_quoted_values(struct json_writer *w, const char *at)
{
	const char *end = at + strcspn(at, "\n");
	const char *start = NULL;
	size_t length = 0;
	size_t count = 0;

	for (; count < MOST_VALUES && words_find_quoted(at, &start, &length) && start < end &&
		length < LONGEST_VALUE;
		at = start + length + 1) {
		json_put_string(w, start, length);
		count++;
	}
	return count;
}

/* The values as words, or as ${numbers} alone, until something else comes. */
static size_t
write_bare_values(struct json_writer *w, const char *at, bool numbers)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t count = 0;

	for (size_t n; count < MOST_VALUES; at += n) {
		at += strspn(at, ":[(, |/");
		if (strncmp(at, "and ", 4) == 0 || strncmp(at, "or ", 3) == 0)
			at += *at == 'a' ? 4 : 3;
		n = strspn(at, letters);
		if (n == 0 || n >= LONGEST_VALUE)
			break;
		if (is_filler(at, n))
			continue;
		if (numbers && strspn(at, "0123456789") != n)
			break;
		if (numbers)
			json_put_raw(w, at, n);
		else
			json_put_string(w, at, n);
		count++;
	}
	return count;
}

size_t
words_write_values(const char *at, bool bare, bool numbers, struct buffer *out)
{
	struct json_writer w = JSON_WRITER(out);

	json_open_array(&w);
	size_t count = write_quoted_values(&w, at);
	if (count == 0 && (bare || numbers))
		count = write_bare_values(&w, at, numbers);
	json_close_array(&w);
	return count;
}

/* ---- numbers ---- */

/* A number at ${at}, after spaces and quotes; it may have commas.  False if there is none. */
static bool
read_number(const char *at, double *number)
{
	char digits[32];
	size_t n = 0;

	at += strspn(at, " `'\"(:");
	for (; n + 1 < sizeof(digits) && (isdigit((unsigned char)*at) || *at == '.' ||
						 (*at == ',' && isdigit((unsigned char)at[1])));
		at++)
		if (*at != ',')
			digits[n++] = *at;
	digits[n] = '\0';
	*number = strtod(digits, NULL);
	return n > 0 && isdigit((unsigned char)digits[0]);
}

/* The number that follows the words. */
static bool
number_after(const char *text, const char *words, double *number)
{
	for (const char *at = text; (at = strcasestr(at, words)) != NULL; at++)
		if (read_number(at + strlen(words), number))
			return true;
	return false;
}

bool
words_find_range(const char *text, double *least, double *most)
{
	const char *at = text;

	for (; (at = strchr(at, '[')) != NULL; at++) {
		const char *comma = at + strspn(at + 1, "0123456789. ") + 1;
		if (*comma == ',' && read_number(at + 1, least) && read_number(comma + 1, most))
			return true;
	}
	at = strcasestr(text, "between");
	const char *and = at != NULL ? strcasestr(at, " and ") : NULL;
	if (and != NULL && read_number(at + strlen("between"), least) &&
		read_number(and+strlen(" and "), most))
		return true;
	at = strcasestr(text, "range");
	const char *to = at != NULL ? strcasestr(at, " to ") : NULL;
	const char *from = at != NULL ? strcasestr(at, "from ") : NULL;
	if (to == NULL || from == NULL || !read_number(from + strlen("from "), least) ||
		!read_number(to + strlen(" to "), most))
		return false;
	const char *exclusive = strcasestr(to, "exclusive");
	*most -= exclusive != NULL;
	return true;
}

bool
words_find_number(const char *text, const char *const *words, size_t count, double *number)
{
	for (size_t i = 0; i < count; i++)
		if (number_after(text, words[i], number))
			return true;
	return false;
}

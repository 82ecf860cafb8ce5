/*
 * Lessons of a refusal; see learn.h.
 */
#include "translate/refusals/learn.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "translate/lesson.h"
#include "translate/refusals/reading.h"
#include "translate/refusals/refusals.h"
#include "translate/refusals/words.h"

enum {
	LEAST_OUTPUT = 1024, /* tokens that are worth a second try */
	OUTPUT_SHARE = 4,    /* of a window less than the output asked for: its part that lasts */
};

/* ---- values ---- */

/* Where the list of values starts, which ${words} announce; NULL if they do not. */
static const char *
find_list(const struct reading *r, const char *words)
{
	const char *at = strcasestr(r->words, words);

	if (at == NULL)
		return NULL;
	/* "only 1 is allowed" */
	if (strcmp(words, "is allowed") == 0) {
		const char *only = strcasestr(r->words, "only ");
		return only != NULL ? only + strlen("only ") : NULL;
	}
	at += strlen(words);
	/* "must be 'a' or 'b'", and not "must be satisfied". */
	if (strcmp(words, "must be") == 0 && !words_is_quote(at[strspn(at, " ")]))
		return NULL;
	return at;
}

/* The lesson that the member takes one of the values in ${list} alone. */
static void
write_choice(struct reading *r, const char *list, struct buffer *lesson)
{
	char *type = strrchr(r->subject.path, '.');
	bool kind = type != NULL && strcmp(type, ".type") == 0;
	/* Words alone may say which tool to call. */
	bool tool_choice = strstr(list, "\"required\"") != NULL;

	if (kind)
		*type = '\0';
	kind = (kind || json_is_object(r->subject.value)) && !tool_choice;
	buffer_printf(lesson, "%s %s %s", kind ? "kinds" : "choose", r->subject.path, list);
}

bool
learn_values(struct reading *r, const char *words, struct buffer *lesson)
{
	struct buffer list = BUFFER_INIT(LESSON_LONGEST / 2);
	const char *at = find_list(r, words);

	if (at == NULL || !subject_find(r))
		return false;
	const struct json *value = r->subject.value;
	bool bare = strcasestr(words, "values") != NULL || strcmp(words, "one of") == 0 ||
		    strcmp(words, "valid options") == 0;
	size_t count = words_write_values(at, bare, json_is_number(value), &list);
	if (count > 0 && !list.failed &&
		(json_is_string(value) || json_is_number(value) || json_is_object(value)))
		write_choice(r, buffer_text(&list), lesson);
	buffer_free(&list);
	return lesson->length > 0;
}

/* ---- numbers ---- */

static const char *const upper_words[] = {"at most", "less than or equal to",
	"lower than or equal to", "<=", "maximum value of", "maximum allowed value of",
	"maximum allowed is", "maximum of", "maximum is", "maximum:", "up to", "no more than",
	"must not exceed", "cannot exceed", "limit of", "limit is", "larger than",
	"not be greater than", "cannot be greater than", "lower than", "exceeds", ">"};
static const char *const lower_words[] = {"at least", "greater than or equal to",
	">=", "minimum value of", "minimum of", "minimum is"};

/* The number may belong to a member that is needed: it stays, with another value. */
static bool
find_number(struct reading *r)
{
	return (subject_find(r) && json_is_number(r->subject.value)) ||
	       (subject_take_output_limit(r) && json_is_number(r->subject.value));
}

bool
learn_limit(struct reading *r, struct buffer *lesson)
{
	double least = 0;
	double most = 0;

	if (!find_number(r))
		return false;
	double asked = json_double(r->subject.value, 0);
	bool range = words_find_range(r->words, &least, &most);
	if (!range && words_find_number(r->words, upper_words, COUNT(upper_words), &most) &&
		most < asked) {
		buffer_printf(lesson, "limit %s - %.15g", r->subject.path, most);
		return true;
	}
	if (!range && words_find_number(r->words, lower_words, COUNT(lower_words), &least) &&
		least > asked) {
		buffer_printf(lesson, "limit %s %.15g -", r->subject.path, least);
		return true;
	}
	if (!range || least > most || (asked >= least && asked <= most))
		return false;
	buffer_printf(lesson, "limit %s %.15g %.15g", r->subject.path, least, most);
	return true;
}

bool
learn_length(struct reading *r, struct buffer *lesson)
{
	static const char *const words[] = {
		"maximum length of", "maximum length is", "maximum length", "at most"};
	double most = 0;

	if (!subject_find(r) || !words_find_number(r->words, words, COUNT(words), &most) ||
		most < 1)
		return false;
	size_t has = json_is_array(r->subject.value) ? json_count(r->subject.value)
						     : json_content_length(r->subject.value);
	if ((double)has <= most)
		return false;
	buffer_printf(lesson, "cut %s %.0f", r->subject.path, most);
	return true;
}

/* Where the output alone is more than the window, every request would be refused: then a limit
 * lasts, which leaves most of the window to the prompt. */
enum refusal_scope
learn_what_fits(struct reading *r, struct buffer *lesson)
{
	static const char words[] = "exceed context limit: ";
	const char *at = strstr(r->said->message, words);
	char *end = NULL;

	if (at == NULL || !subject_take_output_limit(r))
		return REFUSAL_UNKNOWN;
	long long prompt = strtoll(at + strlen(words), &end, 10);
	const char *limit_text = strchr(end, '>');
	long long limit = limit_text != NULL ? strtoll(limit_text + 1, NULL, 10) : 0;
	long long share = limit / OUTPUT_SHARE;
	double asked = json_double(r->subject.value, 0);
	if (limit - prompt < LEAST_OUTPUT || (double)(limit - prompt) >= asked)
		return REFUSAL_UNKNOWN;
	bool lasts = asked >= (double)limit && share >= LEAST_OUTPUT && limit - prompt >= share;
	buffer_printf(lesson, "limit %s - %lld", r->subject.path, lasts ? share : limit - prompt);
	return lasts ? REFUSAL_LASTS : REFUSAL_ONCE;
}

/* ---- headers ---- */

/* Is ${value}, of ${length} bytes, one of those in a list with commas? */
static bool
has_value(const char *list, const char *value, size_t length)
{
	for (const char *at = list; (at = strstr(at, value)) != NULL; at++)
		if ((at == list || strchr(", ", at[-1]) != NULL) &&
			strchr(", ", at[length]) != NULL)
			return true;
	return false;
}

/* One lesson for each value of the header that the refusal names. */
static bool
learn_value_of(struct reading *r, const char *header, const char *list, struct buffer *lesson)
{
	for (const char *at = list; *at != '\0';) {
		char name[MEMBER_LONGEST];
		at += strspn(at, ", ");
		size_t length = strcspn(at, ", ");
		if (length == 0 || length >= sizeof(name))
			break;
		memcpy(name, at, length);
		name[length] = '\0';
		at += length;
		if (strstr(r->words, name) == NULL || !has_value(list, name, length))
			continue;
		if (lesson->length > 0)
			buffer_putc(lesson, '\n');
		buffer_printf(lesson, "without %s %s", header, name);
	}
	return lesson->length > 0;
}

bool
learn_header(struct reading *r, struct buffer *lesson)
{
	bool beta = strcasestr(r->words, "beta") != NULL;

	for (const char *const *h = r->said->headers; h != NULL && *h != NULL; h += 2) {
		bool is_beta = strcmp(h[0], "anthropic-beta") == 0;
		if (is_beta && beta && learn_value_of(r, h[0], h[1], lesson))
			return true;
		if (strcmp(h[0], "anthropic-version") == 0 ||
			(!(is_beta && beta) && strcasestr(r->words, h[0]) == NULL))
			continue;
		buffer_printf(lesson, "without %s", h[0]);
		return true;
	}
	return false;
}

bool
learn_auth(struct reading *r, const char *as, struct buffer *lesson)
{
	static const char *const missing[] = {
		"no ", "missing", "required", "must be", "not provided", "expected", "provide"};
	bool bearer = strcmp(as, "bearer") == 0;

	if (r->said->status != 401 || r->said->bearer == bearer)
		return false;
	if (!words_contain_any(r->words, missing, COUNT(missing)))
		return false;
	buffer_printf(lesson, "auth %s", as);
	return true;
}

/* ---- members ---- */

/* "Use 'Y' instead": the member has another name there. */
static bool
learn_other_name(struct reading *r, struct buffer *lesson)
{
	const char *use = strcasestr(r->words, "use ");
	const char *start = NULL;
	size_t length = 0;

	for (; use != NULL; use = strcasestr(use + 1, "use ")) {
		if (!words_is_quote(use[4]) || !words_find_quoted(use, &start, &length) ||
			strncasecmp(start + length + 1, " instead", 8) != 0)
			continue;
		for (size_t i = 0; i < length; i++)
			if (!words_is_name(start[i]))
				return false;
		buffer_printf(lesson, "rename %s %.*s", r->subject.path, (int)length, start);
		return true;
	}
	return false;
}

bool
learn_member(struct reading *r, const char *words, struct buffer *lesson)
{
	bool unknown = strncmp(words, "un", 2) == 0 || strcmp(words, "not permitted") == 0 ||
		       strncmp(words, "extra", 5) == 0;

	if (!subject_find(r) &&
		!(strstr(r->words, "'max_tokens'") != NULL && subject_take_output_limit(r)) &&
		!(unknown && subject_take_any_word(r)))
		return false;
	if (learn_other_name(r, lesson))
		return true;
	if (!member_is_optional(r->subject.path))
		return false;
	/* The prompt then describes the format of the answer. */
	if (strncmp(r->subject.path, "response_format", 15) == 0 ||
		strncmp(r->subject.path, "text.format", 11) == 0 ||
		strncmp(r->subject.path, "generationConfig.response", 25) == 0) {
		buffer_puts(lesson, "fix no-format");
		return true;
	}
	/* An object without its kind is worth nothing. */
	char *kind = strrchr(r->subject.path, '.');
	if (kind != NULL && strcmp(kind, ".type") == 0)
		*kind = '\0';
	buffer_printf(lesson, "drop %s", r->subject.path);
	return true;
}

bool
learn_fixed(struct reading *r, const char *lesson_text, struct buffer *lesson)
{
	const struct lessons one = {&lesson_text, 1};

	/* An answer that is passed on is not collected from a stream. */
	if (r->said->passes && strncmp(lesson_text, "put stream", 10) == 0)
		return false;
	struct buffer body = BUFFER_INIT(0);

	buffer_append(&body, r->said->sent, r->said->sent_length);
	int status = lesson_edit_body(&one, &body);
	bool changes = status == 0 &&
		       (body.length != r->said->sent_length ||
			       memcmp(buffer_text(&body), r->said->sent, body.length) != 0);
	buffer_free(&body);
	if (changes)
		buffer_puts(lesson, lesson_text);
	return changes;
}

/* ---- fixes ---- */

/* Does the request have the service search the web? */
static bool
has_hosted_search(const struct reading *r)
{
	static const char *const kinds[] = {
		"web_search", "openrouter:web_search", "browser_search", "builtin_function"};

	if (json_member(r->subject.request, "web_search_options") != NULL ||
		json_member(r->subject.request, "enable_search") != NULL)
		return true;
	JSON_EACH (tool, json_member_array(r->subject.request, "tools")) {
		const struct json *type = json_member_string(tool, "type");
		for (size_t i = 0; i < COUNT(kinds); i++)
			if (json_is_text(type, kinds[i]))
				return true;
		if (json_member(tool, "googleSearch") != NULL)
			return true;
	}
	return false;
}

bool
learn_no_search(struct reading *r, struct buffer *lesson)
{
	static const char *const refused[] = {"not support", "unsupported", "not enabled",
		"not available", "unavailable", "unknown", "unrecognized", "unrecognised",
		"invalid", "not allowed", "not permitted", "cannot be used", "expected",
		"should be", "must be", "only", "required", "disabled", "missing"};

	if (!words_contain_any(r->words, refused, COUNT(refused)) || !has_hosted_search(r))
		return false;
	buffer_puts(lesson, "fix no-search");
	return true;
}

bool
learn_fix(struct reading *r, const char *word, struct buffer *lesson)
{
	const char *sent = r->said->sent;
	bool about = true;

	if (strcmp(word, "no-images") == 0)
		about = strstr(sent, "image") != NULL || strstr(sent, "inlineData") != NULL;
	else if (strcmp(word, "no-files") == 0)
		about = strstr(sent, "\"file\"") != NULL || strstr(sent, "input_file") != NULL ||
			strstr(sent, "\"document\"") != NULL || strstr(sent, "inlineData") != NULL;
	else if (strcmp(word, "forget-thinking") == 0)
		about = strstr(sent, "hinking") != NULL || strstr(sent, "reasoning") != NULL ||
			strstr(sent, "thoughtSignature") != NULL;
	if (about)
		buffer_printf(lesson, "fix %s", word);
	return about;
}

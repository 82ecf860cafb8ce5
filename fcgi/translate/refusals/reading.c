/*
 * A refusal as it is read, and the member of the request that it is about; see reading.h.
 */
#include "translate/refusals/reading.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/buffer.h"
#include "translate/refusals/refusals.h"
#include "translate/refusals/words.h"

enum { MOST_WORDS = 4096 /* bytes of a message that are read */ };

static const struct json *
error_of(const struct json *body)
{
	const struct json *first = json_is_array(body) ? json_first(body) : body;
	const struct json *error = json_member(first, "error");

	return json_is_object(error) ? error : first;
}

/* A list of faults: [{"loc": ["body", "messages", 1, "name"], "msg": …}]; NULL if there is none. */
static const struct json *
faults_of(const struct json *body)
{
	const struct json *faults = json_member_array(body, "detail");

	return faults != NULL ? faults : json_member_array(json_member(body, "message"), "detail");
}

/* The message, followed by what the service says to programs. */
static char *
write_words(const struct reading *r)
{
	static const char *const members[] = {"code", "type", "param"};
	struct buffer words = BUFFER_INIT(2 * (size_t)MOST_WORDS);
	size_t length = strlen(r->said->message);

	buffer_append(&words, r->said->message, length < MOST_WORDS ? length : MOST_WORDS);
	for (size_t i = 0; i < COUNT(members); i++) {
		const struct json *word = json_member_string(error_of(r->refusal), members[i]);
		buffer_puts(&words, "\n");
		json_append(&words, word);
	}
	JSON_EACH (fault, faults_of(r->refusal)) {
		buffer_puts(&words, "\n");
		json_append(&words, json_member_string(fault, "msg"));
		buffer_puts(&words, "\n");
		json_append(&words, json_member_string(fault, "type"));
	}
	return buffer_take(&words);
}

int
reading_begin(struct reading *r, const struct refusal_of_request *said)
{
	*r = (struct reading){.said = said};
	r->refusal = json_read(&r->refused, said->body, said->length, JSON_MAX_ANSWER_VALUES, NULL);
	r->subject.request = json_read(
		&r->asked, said->sent, said->sent_length, JSON_MAX_REQUEST_VALUES, NULL);
	r->words = write_words(r);
	return r->words != NULL && json_is_object(r->subject.request) ? 0 : -1;
}

void
reading_end(struct reading *r)
{
	free(r->words);
	json_document_free(&r->refused);
	json_document_free(&r->asked);
}

/* ---- the member that it is about ---- */

static bool
take_parameter(struct reading *r)
{
	char *name = json_copy(json_member_string(error_of(r->refusal), "param"));
	bool taken = name != NULL && member_find(&r->subject, name, strlen(name));

	free(name);
	return taken;
}

/* Likewise as Python writes it: 'loc': ('body', 'messages', 1, 'name'). */
static bool
take_written_location(struct reading *r)
{
	const char *at = strstr(r->words, "loc");

	for (; at != NULL; at = strstr(at + 1, "loc")) {
		const char *start = at + strlen("loc");
		if (!words_is_quote(*start) || start[1] != ':')
			continue;
		start += 2 + strspn(start + 2, " ");
		if (*start == '(' || *start == '[')
			return member_find(&r->subject, start, strcspn(start, ")]"));
	}
	return false;
}

/* The place that the first of the faults names. */
static bool
take_location(struct reading *r)
{
	struct buffer path = BUFFER_INIT(MEMBER_LONGEST);

	JSON_EACH (part, json_member_array(json_first(faults_of(r->refusal)), "loc")) {
		buffer_puts(&path, path.length > 0 ? "." : "");
		if (json_is_string(part))
			json_append(&path, part);
		else
			buffer_append(&path, part->text, part->length);
	}
	bool taken = !path.failed && member_find(&r->subject, buffer_text(&path), path.length);
	buffer_free(&path);
	return taken || take_written_location(r);
}

/* What precedes a colon: "context_management: Extra inputs are not permitted". */
static bool
take_prefix(struct reading *r)
{
	for (const char *colon = strchr(r->words, ':'); colon != NULL;
		colon = strchr(colon + 1, ':')) {
		const char *start = colon;
		while (start > r->words && strchr(" \"'`", start[-1]) == NULL)
			start--;
		if (member_find(&r->subject, start, (size_t)(colon - start)))
			return true;
		/* Or what follows it: "Unrecognized request argument supplied: store". */
		const char *end = colon + 1 + strspn(colon + 1, " ");
		start = end;
		while (words_is_name(*end) || (*end == '.' && words_is_name(end[1])))
			end++;
		if (strchr(" ,.;\n", *end) != NULL &&
			member_find(&r->subject, start, (size_t)(end - start)))
			return true;
	}
	return false;
}

static bool
take_quoted(struct reading *r)
{
	const char *start = r->words;
	size_t length = 0;

	for (const char *at = r->words; words_find_quoted(at, &start, &length);
		at = start + length + 1) {
		char path[MEMBER_LONGEST];
		const char *in = start;
		size_t in_length = 0;
		/* Gemini: Unknown name "x" at 'generation_config'. */
		if (strncmp(start + length + 1, " at ", 4) == 0 &&
			words_find_quoted(start + length + 1, &in, &in_length) &&
			snprintf(path, sizeof(path), "%.*s.%.*s", (int)in_length, in, (int)length,
				start) < (int)sizeof(path) &&
			member_find_path(&r->subject, path, strlen(path)))
			return true;
		if (member_find(&r->subject, start, length))
			return true;
	}
	return false;
}

/* A word that can be nothing but a member's name: snake_case, camelCase, or one of these. */
static bool
is_telling(const char *word, size_t length)
{
	static const char *const plain[] = {"temperature", "thinking", "reasoning", "metadata",
		"verbosity", "user", "store", "stop", "top_p"};

	for (size_t i = 0; i < COUNT(plain); i++)
		if (strlen(plain[i]) == length && strncasecmp(plain[i], word, length) == 0)
			return true;
	for (size_t i = 1; i < length; i++)
		if (word[i] == '_' || word[i] == '.' ||
			(islower((unsigned char)word[i - 1]) && isupper((unsigned char)word[i])))
			return true;
	return false;
}

/* "thinking budget": a name in two words. */
static bool
take_two_words(struct reading *r, const char *at, size_t length)
{
	char name[MEMBER_LONGEST];
	size_t more = 0;

	if (at[length] != ' ')
		return false;
	while (isalpha((unsigned char)at[length + 1 + more]))
		more++;
	if (length < 4 || more < 4 || length + more + 2 > sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s_%.*s", (int)length, at, (int)more, at + length + 1);
	return member_find(&r->subject, name, strlen(name));
}

static bool
take_word(struct reading *r)
{
	const char *at = r->words;

	while (*at != '\0') {
		size_t length = 0;
		while (words_is_name(at[length]) ||
			(at[length] == '.' && words_is_name(at[length + 1])))
			length++;
		if (length > 0 && is_telling(at, length) && member_find(&r->subject, at, length))
			return true;
		if (length > 0 && take_two_words(r, at, length))
			return true;
		at += length > 0 ? length : 1;
	}
	return false;
}

bool
subject_find(struct reading *r)
{
	r->subject.path[0] = '\0';
	return take_parameter(r) || take_location(r) || take_prefix(r) || take_quoted(r) ||
	       take_word(r);
}

bool
subject_take_any_word(struct reading *r)
{
	const char *at = r->words;

	while (*at != '\0') {
		size_t length = 0;
		while (words_is_name(at[length]))
			length++;
		if (member_find_at_top(&r->subject, at, length))
			return true;
		at += length > 0 ? length : 1;
	}
	return false;
}

bool
subject_take_output_limit(struct reading *r)
{
	return strcasestr(r->words, "token") != NULL && member_find_output_limit(&r->subject);
}

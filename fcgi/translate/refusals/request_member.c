/*
 * Members of a request; see request_member.h.
 */
#include "translate/refusals/request_member.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "translate/refusals/words.h"

enum {
	MOST_DEPTH = 12,
	LOOKED_AT = 64,      /* elements of an array, in a search */
	MOST_LOOKS = 200000, /* members that are looked at, in all searches together */
};

/* What no request can do without, at its top and anywhere inside. */
static const char *const needed[] = {"model", "messages", "input", "contents", "system",
	"instructions", "systemInstruction", "tools", "max_tokens"};
static const char *const needed_inside[] = {"role", "content", "type", "text", "name", "id",
	"input", "tool_use_id", "tool_call_id", "call_id", "tool_calls", "function", "arguments",
	"parameters", "input_schema", "source", "media_type", "data", "url", "image_url", "parts",
	"functionCall", "functionResponse", "functionDeclarations", "args", "response", "output",
	"thinking", "inlineData", "contents", "messages"};

/* What belongs to the client: a service never means a member inside it. */
static const char *const opaque[] = {"parameters", "input_schema", "properties", "schema",
	"arguments", "args", "response", "parametersJsonSchema", "responseJsonSchema", "text",
	"data"};

static bool
is_in(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* The same name in another spelling: thinking_config is thinkingConfig. */
static bool
is_alike(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t i = 0;
	size_t j = 0;

	for (;;) {
		while (i < a_length && a[i] == '_')
			i++;
		while (j < b_length && b[j] == '_')
			j++;
		if (i == a_length || j == b_length)
			return i == a_length && j == b_length;
		if (tolower((unsigned char)a[i++]) != tolower((unsigned char)b[j++]))
			return false;
	}
}

/* The member of that name, and its name as the request has it. */
static const struct json *
find_member(struct member_search *s, const struct json *object, const char *name, size_t length,
	char found[MEMBER_LONGEST])
{
	const struct json *last = NULL;

	if (!json_is_object(object) || length == 0)
		return NULL;
	JSON_EACH (member, object) {
		if (s->looks++ >= MOST_LOOKS)
			break;
		struct buffer own = BUFFER_INIT(MEMBER_LONGEST - 1);
		if (json_append_name(&own, member) == 0 && own.length > 0 &&
			strpbrk(own.data, ". *") == NULL &&
			is_alike(own.data, own.length, name, length)) {
			last = member;
			strcpy(found, own.data);
		}
		buffer_free(&own);
	}
	return last;
}

static const struct json *
element_at(const struct json *array, size_t index)
{
	const struct json *element = json_first(array);

	while (element != NULL && index-- > 0)
		element = json_next(element);
	return element;
}

/* Add a segment to a path.  False if it does not fit. */
static bool
add_segment(char path[MEMBER_LONGEST], const char *segment)
{
	size_t used = strlen(path);

	return snprintf(path + used, MEMBER_LONGEST - used, "%s%s", used > 0 ? "." : "", segment) <
	       (int)(MEMBER_LONGEST - used);
}

bool
member_is_optional(const char *path)
{
	const char *last = strrchr(path, '.');
	char first[MEMBER_LONGEST];

	if (last == NULL)
		return !is_in(path, needed, COUNT(needed));
	if (strcmp(last, ".*") == 0)
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(path, "."), path);
	/* The kind of what may be left out as a whole. */
	if (strcmp(last, ".type") == 0 && !is_in(first, needed, COUNT(needed)))
		return true;
	return !is_in(last + 1, needed_inside, COUNT(needed_inside));
}

/* The search is over.  True. */
static bool
found_at(struct member_search *s, const char path[MEMBER_LONGEST], const struct json *value)
{
	strcpy(s->path, path);
	s->value = value;
	return true;
}

/* The next segment of a path from ${at} on: its length, 0 at the end. */
static size_t
next_segment(const char **at, const char *end)
{
	size_t n = 0;

	while (*at < end && !words_is_name(**at))
		(*at)++;
	while (*at + n < end && words_is_name((*at)[n]))
		n++;
	return n;
}

/*
 * Go down the rest of a path, to its last segment.  A segment that the request does not have, such
 * as the name of a kind, is skipped; and since a kind may be called like a member, so is each
 * segment that leads nowhere.
 */
static bool
follow(struct member_search *s, const struct json *from, const char *at, const char *end,
	const char *walked, size_t depth)
{
	char found[MEMBER_LONGEST] = "*";
	char longer[MEMBER_LONGEST];
	size_t n = next_segment(&at, end);

	if (n == 0 || depth == MOST_DEPTH)
		return false;
	const char *rest = at + n;
	const char *next = rest;
	bool last = next_segment(&next, end) == 0;
	bool number = strspn(at, "0123456789") >= n;
	const struct json *to = number && json_is_array(from)
					? element_at(from, strtoul(at, NULL, 10))
					: find_member(s, from, at, n, found);
	strcpy(longer, walked);
	if (to != NULL && add_segment(longer, json_is_array(from) ? "*" : found)) {
		if (last && member_is_optional(longer))
			return found_at(s, longer, to);
		if (!last && follow(s, to, rest, end, longer, depth + 1))
			return true;
	}
	return !last && follow(s, from, rest, end, walked, depth + 1);
}

bool
member_find_path(struct member_search *s, const char *path, size_t length)
{
	return follow(s, s->request, path, path + length, "", 0);
}

/* Search the whole request for a member of that name. */
static bool
search_member(struct member_search *s, const struct json *at, const char *name, size_t length,
	const char *path, size_t depth)
{
	char found[MEMBER_LONGEST];
	char longer[MEMBER_LONGEST];
	const struct json *member = find_member(s, at, name, length, found);

	strcpy(longer, path);
	if (member != NULL && add_segment(longer, found) && member_is_optional(longer))
		return found_at(s, longer, member);
	if (depth == MOST_DEPTH || s->looks >= MOST_LOOKS ||
		(!json_is_object(at) && !json_is_array(at)))
		return false;
	size_t seen = 0;
	JSON_EACH (inside, at) {
		struct buffer own = BUFFER_INIT(MEMBER_LONGEST - 1);
		strcpy(longer, path);
		bool enters = json_is_array(at) ? seen++ < LOOKED_AT
						: json_append_name(&own, inside) == 0 &&
							  strpbrk(buffer_text(&own), ". *") == NULL;
		const char *segment = json_is_array(at) ? "*" : buffer_text(&own);
		enters = enters && !is_in(segment, opaque, COUNT(opaque)) &&
			 !(json_is_object(inside) && strcmp(segment, "input") == 0) &&
			 add_segment(longer, segment);
		bool done = enters && search_member(s, inside, name, length, longer, depth + 1);
		buffer_free(&own);
		if (done)
			return true;
	}
	return false;
}

/* Find the object whose refused member it does not have: a service that does not know `reasoning`
 * at all may name `reasoning.effort`. */
static bool
find_object(struct member_search *s, const char *path, size_t length)
{
	const char *dot = memchr(path, '.', length);
	char found[MEMBER_LONGEST];
	const struct json *object = dot != NULL ? find_member(s, s->request, path,
							  (size_t)(dot - path), found)
						: NULL;

	if (!json_is_object(object) || !member_is_optional(found) ||
		memchr(dot + 1, '.', length - (size_t)(dot + 1 - path)) != NULL)
		return false;
	return found_at(s, found, object);
}

bool
member_find(struct member_search *s, const char *text, size_t length)
{
	if (length == 0 || length >= MEMBER_LONGEST)
		return false;
	if (member_find_path(s, text, length) || find_object(s, text, length))
		return true;
	/* A refusal that is quoted inside another has this member, too. */
	if (length == strlen("type") && strncmp(text, "type", length) == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!words_is_name(text[i]))
			return false;
	return search_member(s, s->request, text, length, "", 0);
}

bool
member_find_at_top(struct member_search *s, const char *name, size_t length)
{
	char found[MEMBER_LONGEST];
	const struct json *member = find_member(s, s->request, name, length, found);

	return member != NULL && strlen(found) == length && memcmp(found, name, length) == 0 &&
	       member_is_optional(found) && found_at(s, found, member);
}

bool
member_find_output_limit(struct member_search *s)
{
	static const char *const names[] = {"max_tokens", "max_completion_tokens",
		"max_output_tokens", "generationConfig.maxOutputTokens"};
	char found[MEMBER_LONGEST];

	for (size_t i = 0; i < COUNT(names); i++) {
		const char *dot = strchr(names[i], '.');
		const struct json *at = dot != NULL ? json_member(s->request, "generationConfig")
						    : s->request;
		const char *name = dot != NULL ? dot + 1 : names[i];
		const struct json *limit = find_member(s, at, name, strlen(name), found);
		if (limit != NULL)
			return found_at(s, names[i], limit);
	}
	return false;
}

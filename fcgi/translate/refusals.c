/*
 * Refusals and what they teach; see refusals.h.
 */
#include "translate/refusals.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "translate/lesson.h"
#include "translate/translator.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	LONGEST_NAME = 256, /* bytes of a path in a refusal */
	MOST_DEPTH = 12,
	LOOKED_AT = 64,      /* elements of an array, in a search */
	MOST_LOOKS = 200000, /* members that are looked at, in all searches together */
	MOST_WORDS = 4096,   /* bytes of a message that are read */
	LEAST_OUTPUT = 1024, /* tokens that are worth a second try */
};

/* ---- the table ---- */

enum kind {
	A_FIX,    /* the request is translated otherwise; ${argument} is the word */
	A_MEND,   /* likewise, in this conversation only */
	A_CHANGE, /* as the next, but about this request only */
	A_LESSON, /* ${argument} itself, if the member that it is about is there */
	A_VALUE,  /* a value is none of those that are listed behind the words */
	A_LENGTH, /* a list or a text is too long */
	A_LIMIT,  /* a number is too large or too small */
	A_SEARCH, /* the service's own web search */
	A_BETA,   /* a beta, or a header */
	A_MEMBER, /* a member that is not known */
	AN_AUTH,  /* the key is looked for elsewhere */
};

/* The first row whose words all occur, and that leads to a change, counts. */
static const struct {
	enum kind kind;
	const char *words;
	const char *also; /* NULL: nothing else */
	const char *argument;
} rows[] = {
	/* Conversations that carry what another model, key or service has thought. */
	{A_MEND, "invalid `signature`", NULL, "forget-thinking"},
	{A_MEND, "invalid signature", "thinking", "forget-thinking"},
	{A_MEND, "signature", "thinking block", "forget-thinking"},
	{A_MEND, "expected `thinking`", NULL, "forget-thinking"},
	{A_MEND, "must start with a thinking block", NULL, "forget-thinking"},
	{A_MEND, "encrypted content", "could not be", "forget-thinking"},
	{A_MEND, "encrypted_content", "invalid", "forget-thinking"},
	{A_MEND, "thought_signature", NULL, "forget-thinking"},
	{A_MEND, "thought signature", NULL, "forget-thinking"},
	{A_MEND, "of type 'reasoning'", NULL, "forget-thinking"},
	{A_MEND, "thinking block", "cannot be modified", "forget-thinking"},
	{A_FIX, "reasoning_content", "must be passed back", "give-thinking"},
	{A_FIX, "reasoning_content", "missing", "give-thinking"},

	/* Roles and their order. */
	{A_FIX, "system role", "not support", "system-as-user"},
	{A_FIX, "not support", "system messages", "system-as-user"},
	{A_FIX, "not support", "system prompt", "system-as-user"},
	{A_FIX, "not support", "system instruction", "system-as-user"},
	{A_FIX, "developer instruction is not enabled", NULL, "system-as-user"},
	{A_FIX, "after role 'tool'", NULL, "text-in-result"},
	{A_FIX, "after role `tool`", NULL, "text-in-result"},
	{A_FIX, "system message", "at the beginning", "system-first"},
	{A_FIX, "system message", "must be the first", "system-first"},
	{A_FIX, "system message", "first message", "system-first"},
	{A_FIX, "role 'system'", NULL, "system-first"},
	{A_FIX, "role 'system'", NULL, "system-as-user"},
	{A_FIX, "role \"system\"", NULL, "system-first"},
	{A_FIX, "role \"system\"", NULL, "system-as-user"},
	{A_FIX, ".role", "does not support 'system'", "system-as-user"},
	{A_FIX, ".role", "'user' or 'assistant'", "system-as-user"},
	{A_FIX, ".role", "\"system\"", "system-as-user"},
	{A_FIX, "roles must alternate", NULL, "system-first"},
	{A_FIX, "must alternate", "user", "system-first"},

	/* Blocks that a model is blind to. */
	{A_FIX, "at most 0 image", NULL, "no-images"},
	{A_FIX, "image", "not support", "no-images"},
	{A_FIX, "support image", NULL, "no-images"},
	{A_FIX, "unknown variant `image", NULL, "no-images"},
	{A_FIX, "image", "only supported by", "no-images"},
	{A_FIX, "vision", "not", "no-images"},
	{A_FIX, "multimodal", "not", "no-images"},
	{A_FIX, "unknown variant `file`", NULL, "no-files"},
	{A_FIX, "unknown variant `document`", NULL, "no-files"},
	{A_FIX, "document", "not support", "no-files"},
	{A_FIX, "file", "not support", "no-files"},
	{A_FIX, "pdf", "not support", "no-files"},

	/* Thinking and what it goes with. */
	{A_LESSON, "tools with reasoning_effort are not supported", NULL,
		"with-tools reasoning_effort \"none\""},
	{A_LESSON, "not support the effort parameter", NULL, "drop output_config.effort"},
	{A_LESSON, "adaptive thinking is not supported", NULL, "drop thinking"},
	{A_CHANGE, "tool_choice", "thinking", "kinds thinking [\"disabled\"]"},
	{A_CHANGE, "tool_choice", "thinking", "drop tool_choice"},
	{A_LESSON, "tool_choice", "does not support", "drop tool_choice"},
	{A_LESSON, "set to 1 when thinking", NULL, "drop temperature"},
	{A_LESSON, "top_p", "both", "drop top_p"},
	{A_LESSON, "thinking mode", "only works", "drop generationConfig.thinkingConfig"},
	{A_LESSON, "thinking budget", "not supported", "drop generationConfig.thinkingConfig"},
	{A_LESSON, "thinking level", "not supported", "drop generationConfig.thinkingConfig"},
	{A_LESSON, "thinking", "cannot be disabled", "drop thinking"},
	{A_LESSON, "reasoning", "cannot be disabled", "drop reasoning"},
	{A_LESSON, "reasoning is mandatory", NULL, "drop reasoning"},
	{A_LESSON, "does not support thinking", NULL, "drop reasoning_effort"},
	{A_LESSON, "does not support thinking", NULL, "drop thinking"},
	{A_LESSON, "verified", "reasoning summar", "drop reasoning.summary"},
	{A_LESSON, "encrypted content is not supported", NULL, "drop include"},

	/* How the answer comes. */
	{A_LESSON, "only support stream", NULL, "put stream true"},
	{A_LESSON, "non-streaming", NULL, "put stream true"},
	{A_LESSON, "verified to stream", NULL, "drop stream"},

	/* The service's own web search, which not every model has, and not every gateway. */
	{A_LESSON, "cannot be used with reasoning.effort", NULL,
		"choose reasoning.effort [\"low\",\"medium\",\"high\",\"xhigh\"]"},
	{A_LESSON, "web_search_call", NULL, "drop include"},
	{A_SEARCH, "search", NULL, NULL},
	{A_SEARCH, "tool", "function", NULL},

	/* The key and the headers. */
	{AN_AUTH, "bearer", NULL, "bearer"},
	{AN_AUTH, "authorization header", NULL, "bearer"},
	{AN_AUTH, "x-api-key", NULL, "x-api-key"},
	{A_BETA, "anthropic-beta", NULL, NULL},
	{A_BETA, "invalid beta", NULL, NULL},
	{A_BETA, "beta", "not support", NULL},
	{A_BETA, "beta", "unknown", NULL},
	{A_BETA, "beta", "unexpected", NULL},
	{A_BETA, "header", NULL, NULL},

	/* Limits. */
	{A_LENGTH, "maximum length", NULL, NULL},
	{A_LENGTH, "at most", "items", NULL},
	{A_LENGTH, "at most", "characters", NULL},
	{A_LIMIT, "at most", NULL, NULL},
	{A_LIMIT, "too large", NULL, NULL},
	{A_LIMIT, "less than or equal", NULL, NULL},
	{A_LIMIT, "greater than or equal", NULL, NULL},
	{A_LIMIT, "maximum", NULL, NULL},
	{A_LIMIT, "minimum", NULL, NULL},
	{A_LIMIT, "range", NULL, NULL},
	{A_LIMIT, "between", NULL, NULL},
	{A_LIMIT, "exceed", NULL, NULL},
	{A_LIMIT, "at least", NULL, NULL},
	{A_LIMIT, "larger than", NULL, NULL},
	{A_LIMIT, "greater than", NULL, NULL},
	{A_LIMIT, "lower than", NULL, NULL},

	/* Values, each with the list of those that are taken. */
	{A_VALUE, "supported values", NULL, NULL},
	{A_VALUE, "supported string values", NULL, NULL},
	{A_VALUE, "accepted values", NULL, NULL},
	{A_VALUE, "allowed values", NULL, NULL},
	{A_VALUE, "valid values", NULL, NULL},
	{A_VALUE, "valid options", NULL, NULL},
	{A_VALUE, "possible values", NULL, NULL},
	{A_VALUE, "one of", NULL, NULL},
	{A_VALUE, ", expected", "unknown variant", NULL},
	{A_VALUE, "input should be", NULL, NULL},
	{A_VALUE, "expected tags", NULL, NULL},
	{A_VALUE, "must be", NULL, NULL},
	{A_VALUE, "is allowed", NULL, NULL},

	/* Members. */
	{A_MEMBER, "unsupported", NULL, NULL},
	{A_MEMBER, "not support", NULL, NULL},
	{A_MEMBER, "unknown", NULL, NULL},
	{A_MEMBER, "unrecognized", NULL, NULL},
	{A_MEMBER, "unrecognised", NULL, NULL},
	{A_MEMBER, "not permitted", NULL, NULL},
	{A_MEMBER, "not allowed", NULL, NULL},
	{A_MEMBER, "unexpected", NULL, NULL},
	{A_MEMBER, "extra_forbidden", NULL, NULL},
	{A_MEMBER, "extra fields", NULL, NULL},
	{A_MEMBER, "additional properties", NULL, NULL},
	{A_MEMBER, "not available", NULL, NULL},
	{A_MEMBER, "deprecated", NULL, NULL},
	{A_MEMBER, "only the default", NULL, NULL},
	{A_MEMBER, "no longer", NULL, NULL},
	{A_MEMBER, "cannot be used", NULL, NULL},
	{A_MEMBER, "may not be", NULL, NULL},
	{A_MEMBER, "match", "pattern", NULL},
};

/* What no request can do without, at its top and anywhere. */
static const char *const needed[] = {"model", "messages", "input", "contents", "system",
	"instructions", "systemInstruction", "tools", "max_tokens"};
static const char *const needed_inside[] = {"role", "content", "type", "text", "name", "id",
	"input", "tool_use_id", "tool_call_id", "call_id", "tool_calls", "function", "arguments",
	"parameters", "input_schema", "source", "media_type", "data", "url", "image_url", "parts",
	"functionCall", "functionResponse", "functionDeclarations", "args", "response", "output",
	"thinking", "inlineData", "contents", "messages"};

/* What is the client's, and not the request's: no member in it is one that a service means. */
static const char *const opaque[] = {"parameters", "input_schema", "properties", "schema",
	"arguments", "args", "response", "parametersJsonSchema", "responseJsonSchema", "text",
	"data"};

/* ---- a refusal as it is being understood ---- */

struct reading {
	const struct refusal_of_request *said;
	struct json_document refused; /* the refusal's body */
	struct json_document asked;   /* the request's */
	const struct json *refusal;
	const struct json *request;
	char *words;                /* the message, with the codes behind it */
	size_t looks;               /* members that were looked at */
	char subject[LONGEST_NAME]; /* the path of the member that it is about; "": none is found */
	const struct json *value;   /* that member's */
};

static bool
is_in(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* ---- members of the request ---- */

static bool
is_name_character(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '$';
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
find_member(struct reading *r, const struct json *object, const char *name, size_t length,
	char found[LONGEST_NAME])
{
	const struct json *last = NULL;

	if (!json_is_object(object) || length == 0)
		return NULL;
	JSON_EACH (member, object) {
		if (r->looks++ >= MOST_LOOKS)
			break;
		struct buffer own = BUFFER_INIT(LONGEST_NAME - 1);
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

/* Add a segment to a path.  False: it does not fit. */
static bool
add_segment(char path[LONGEST_NAME], const char *segment)
{
	size_t used = strlen(path);

	return snprintf(path + used, LONGEST_NAME - used, "%s%s", used > 0 ? "." : "", segment) <
	       (int)(LONGEST_NAME - used);
}

/* May the member be left out? */
static bool
is_optional(const char *path)
{
	const char *last = strrchr(path, '.');
	char first[LONGEST_NAME];

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

/* The next segment of a path from ${at} on: its length, 0 at the end. */
static size_t
next_segment(const char **at, const char *end)
{
	size_t n = 0;

	while (*at < end && !is_name_character(**at))
		(*at)++;
	while (*at + n < end && is_name_character((*at)[n]))
		n++;
	return n;
}

/*
 * Go down the rest of a path, to its last segment.  What is no part of the request, such as the
 * name of a kind, is passed over; and since such a name may be that of a member as well, so is each
 * that leads to nothing.
 */
static bool
follow(struct reading *r, const struct json *from, const char *at, const char *end,
	const char *walked, size_t depth)
{
	char found[LONGEST_NAME] = "*";
	char longer[LONGEST_NAME];
	size_t n = next_segment(&at, end);

	if (n == 0 || depth == MOST_DEPTH)
		return false;
	const char *rest = at + n;
	const char *next = rest;
	bool last = next_segment(&next, end) == 0;
	bool number = strspn(at, "0123456789") >= n;
	const struct json *to = number && json_is_array(from)
					? element_at(from, strtoul(at, NULL, 10))
					: find_member(r, from, at, n, found);
	strcpy(longer, walked);
	if (to != NULL && add_segment(longer, json_is_array(from) ? "*" : found)) {
		if (last && is_optional(longer)) {
			strcpy(r->subject, longer);
			r->value = to;
			return true;
		}
		if (!last && follow(r, to, rest, end, longer, depth + 1))
			return true;
	}
	return !last && follow(r, from, rest, end, walked, depth + 1);
}

/* Take a path as services tell it: "messages.1.assistant.reasoning_content", or
 * "tools[0].function.strict". */
static bool
follow_path(struct reading *r, const char *path, size_t length)
{
	return follow(r, r->request, path, path + length, "", 0);
}

/* Search for a member of that name, wherever the request has one. */
static bool
search_member(struct reading *r, const struct json *at, const char *name, size_t length,
	const char *path, size_t depth)
{
	char found[LONGEST_NAME];
	char longer[LONGEST_NAME];
	const struct json *member = find_member(r, at, name, length, found);

	strcpy(longer, path);
	if (member != NULL && add_segment(longer, found) && is_optional(longer)) {
		strcpy(r->subject, longer);
		r->value = member;
		return true;
	}
	if (depth == MOST_DEPTH || r->looks >= MOST_LOOKS ||
		(!json_is_object(at) && !json_is_array(at)))
		return false;
	size_t seen = 0;
	JSON_EACH (inside, at) {
		struct buffer own = BUFFER_INIT(LONGEST_NAME - 1);
		strcpy(longer, path);
		bool enters = json_is_array(at) ? seen++ < LOOKED_AT
						: json_append_name(&own, inside) == 0 &&
							  strpbrk(buffer_text(&own), ". *") == NULL;
		const char *segment = json_is_array(at) ? "*" : buffer_text(&own);
		enters = enters && !is_in(segment, opaque, COUNT(opaque)) &&
			 !(json_is_object(inside) && strcmp(segment, "input") == 0) &&
			 add_segment(longer, segment);
		bool done = enters && search_member(r, inside, name, length, longer, depth + 1);
		buffer_free(&own);
		if (done)
			return true;
	}
	return false;
}

/* Take the object of which a member is refused that it has not: a service that does not know
 * `reasoning` at all may name `reasoning.effort`. */
static bool
take_object(struct reading *r, const char *path, size_t length)
{
	const char *dot = memchr(path, '.', length);
	char found[LONGEST_NAME];
	const struct json *object = dot != NULL ? find_member(r, r->request, path,
							  (size_t)(dot - path), found)
						: NULL;

	if (!json_is_object(object) || !is_optional(found) ||
		memchr(dot + 1, '.', length - (size_t)(dot + 1 - path)) != NULL)
		return false;
	strcpy(r->subject, found);
	r->value = object;
	return true;
}

/* Take what may be a path or a name. */
static bool
take_subject(struct reading *r, const char *text, size_t length)
{
	if (length == 0 || length >= LONGEST_NAME)
		return false;
	if (follow_path(r, text, length) || take_object(r, text, length))
		return true;
	/* Refusals that are quoted inside one say it, too. */
	if (length == strlen("type") && strncmp(text, "type", length) == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_name_character(text[i]))
			return false;
	return search_member(r, r->request, text, length, "", 0);
}

/* ---- what a refusal is about ---- */

static const struct json *
error_of(const struct json *body)
{
	const struct json *first = json_is_array(body) ? json_first(body) : body;
	const struct json *error = json_member(first, "error");

	return json_is_object(error) ? error : first;
}

static bool
is_quote(char c)
{
	return c == '\'' || c == '"' || c == '`';
}

/* A list of faults: [{"loc": ["body", "messages", 1, "name"], "msg": …}]; NULL: none. */
static const struct json *
faults_of(const struct json *body)
{
	const struct json *faults = json_member_array(body, "detail");

	return faults != NULL ? faults : json_member_array(json_member(body, "message"), "detail");
}

static bool
take_parameter(struct reading *r)
{
	char *name = json_copy(json_member_string(error_of(r->refusal), "param"));
	bool taken = name != NULL && take_subject(r, name, strlen(name));

	free(name);
	return taken;
}

/* The same as Python writes it: 'loc': ('body', 'messages', 1, 'name'). */
static bool
take_written_location(struct reading *r)
{
	const char *at = strstr(r->words, "loc");

	for (; at != NULL; at = strstr(at + 1, "loc")) {
		const char *start = at + strlen("loc");
		if (!is_quote(*start) || start[1] != ':')
			continue;
		start += 2 + strspn(start + 2, " ");
		if (*start == '(' || *start == '[')
			return take_subject(r, start, strcspn(start, ")]"));
	}
	return false;
}

/* The place in a list of faults. */
static bool
take_location(struct reading *r)
{
	struct buffer path = BUFFER_INIT(LONGEST_NAME);

	JSON_EACH (part, json_member_array(json_first(faults_of(r->refusal)), "loc")) {
		buffer_puts(&path, path.length > 0 ? "." : "");
		if (json_is_string(part))
			json_append(&path, part);
		else
			buffer_append(&path, part->text, part->length);
	}
	bool taken = !path.failed && take_subject(r, buffer_text(&path), path.length);
	buffer_free(&path);
	return taken || take_written_location(r);
}

/* What stands before a colon: "context_management: Extra inputs are not permitted". */
static bool
take_prefix(struct reading *r)
{
	for (const char *colon = strchr(r->words, ':'); colon != NULL;
		colon = strchr(colon + 1, ':')) {
		const char *start = colon;
		while (start > r->words && strchr(" \"'`", start[-1]) == NULL)
			start--;
		if (take_subject(r, start, (size_t)(colon - start)))
			return true;
		/* Or behind it: "Unrecognized request argument supplied: store". */
		const char *end = colon + 1 + strspn(colon + 1, " ");
		start = end;
		while (is_name_character(*end) || (*end == '.' && is_name_character(end[1])))
			end++;
		if (strchr(" ,.;\n", *end) != NULL && take_subject(r, start, (size_t)(end - start)))
			return true;
	}
	return false;
}

/* The next quoted words from ${at} on.  False: there are none. */
static bool
find_quoted(const char *at, const char **start, size_t *length)
{
	for (; *at != '\0'; at++) {
		/* Not an apostrophe. */
		if (!is_quote(*at) || (isalnum((unsigned char)at[1]) == 0 && at[1] != '_'))
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

static bool
take_quoted(struct reading *r)
{
	const char *start = r->words;
	size_t length = 0;

	for (const char *at = r->words; find_quoted(at, &start, &length); at = start + length + 1) {
		char path[LONGEST_NAME];
		const char *in = start;
		size_t in_length = 0;
		/* Gemini: Unknown name "x" at 'generation_config'. */
		if (strncmp(start + length + 1, " at ", 4) == 0 &&
			find_quoted(start + length + 1, &in, &in_length) &&
			snprintf(path, sizeof(path), "%.*s.%.*s", (int)in_length, in, (int)length,
				start) < (int)sizeof(path) &&
			follow_path(r, path, strlen(path)))
			return true;
		if (take_subject(r, start, length))
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
	char name[LONGEST_NAME];
	size_t more = 0;

	if (at[length] != ' ')
		return false;
	while (isalpha((unsigned char)at[length + 1 + more]))
		more++;
	if (length < 4 || more < 4 || length + more + 2 > sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s_%.*s", (int)length, at, (int)more, at + length + 1);
	return take_subject(r, name, strlen(name));
}

static bool
take_word(struct reading *r)
{
	const char *at = r->words;

	while (*at != '\0') {
		size_t length = 0;
		while (is_name_character(at[length]) ||
			(at[length] == '.' && is_name_character(at[length + 1])))
			length++;
		if (length > 0 && is_telling(at, length) && take_subject(r, at, length))
			return true;
		if (length > 0 && take_two_words(r, at, length))
			return true;
		at += length > 0 ? length : 1;
	}
	return false;
}

/* Where a service says that it knows no such member, any word may name it. */
static bool
take_any_word(struct reading *r)
{
	const char *at = r->words;

	while (*at != '\0') {
		char found[LONGEST_NAME];
		size_t length = 0;
		while (is_name_character(at[length]))
			length++;
		const struct json *member = find_member(r, r->request, at, length, found);
		if (member != NULL && strlen(found) == length && memcmp(found, at, length) == 0 &&
			is_optional(found)) {
			strcpy(r->subject, found);
			r->value = member;
			return true;
		}
		at += length > 0 ? length : 1;
	}
	return false;
}

static bool
find_subject(struct reading *r)
{
	r->subject[0] = '\0';
	return take_parameter(r) || take_location(r) || take_prefix(r) || take_quoted(r) ||
	       take_word(r);
}

/* ---- values ---- */

/* Is it no value, but a word that leads to them? */
static bool
is_filler(const char *word, size_t length)
{
	static const char *const fillers[] = {"the", "following", "a", "an", "are", "is", "values"};

	for (size_t i = 0; i < COUNT(fillers); i++)
		if (strlen(fillers[i]) == length && strncasecmp(fillers[i], word, length) == 0)
			return true;
	return false;
}

/* Append the values that are listed from ${at} to the end of the sentence: in quotes, or (${bare})
 * as words; numbers always.  How many there are. */
static size_t
write_values(const char *at, const struct json *value, bool bare, struct buffer *out)
{
	struct json_writer w = JSON_WRITER(out);
	const char *end = at + strcspn(at, "\n");
	const char *start = NULL;
	size_t length = 0;
	size_t count = 0;

	json_open_array(&w);
	for (const char *next = at;
		count < 32 && find_quoted(next, &start, &length) && start < end && length < 64;
		next = start + length + 1) {
		json_put_string(&w, start, length);
		count++;
	}
	bare = count == 0 && (bare || json_is_number(value));
	for (size_t n; bare && count < 32; at += n) {
		at += strspn(at, ":[(, |/");
		if (strncmp(at, "and ", 4) == 0 || strncmp(at, "or ", 3) == 0)
			at += *at == 'a' ? 4 : 3;
		n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
		if (n == 0 || n >= 64)
			break;
		if (is_filler(at, n))
			continue;
		if (json_is_number(value)) {
			if (strspn(at, "0123456789") != n)
				break;
			json_put_raw(&w, at, n);
		} else {
			json_put_string(&w, at, n);
		}
		count++;
	}
	json_close_array(&w);
	return count;
}

/* The values that are taken, behind the words or, in "only 1 is allowed", before them. */
static bool
learn_values(struct reading *r, const char *words, struct buffer *lesson)
{
	struct buffer list = BUFFER_INIT(LESSON_LONGEST / 2);
	const char *at = strcasestr(r->words, words);
	const char *only = strcasestr(r->words, "only ");

	if (at == NULL || !find_subject(r))
		return false;
	at += strlen(words);
	/* "must be 'a' or 'b'", and not "must be satisfied". */
	if (strcmp(words, "must be") == 0 && !is_quote(at[strspn(at, " ")]))
		return false;
	if (strcmp(words, "is allowed") == 0) {
		if (only == NULL)
			return false;
		at = only + strlen("only ");
	}
	bool bare = strcasestr(words, "values") != NULL || strcmp(words, "one of") == 0 ||
		    strcmp(words, "valid options") == 0;
	size_t count = write_values(at, r->value, bare, &list);
	char *type = strrchr(r->subject, '.');
	bool kind = type != NULL && strcmp(type, ".type") == 0;
	/* Which tool to call may be said by words alone. */
	bool choice = strstr(buffer_text(&list), "\"required\"") != NULL;
	bool listed = count > 0 && !list.failed &&
		      (json_is_string(r->value) || json_is_number(r->value) ||
			      json_is_object(r->value));
	if (kind)
		*type = '\0';
	if (listed && !choice && (kind || json_is_object(r->value)))
		buffer_printf(lesson, "kinds %s %s", r->subject, buffer_text(&list));
	else if (listed)
		buffer_printf(lesson, "choose %s %s", r->subject, buffer_text(&list));
	buffer_free(&list);
	return lesson->length > 0;
}

/* ---- numbers ---- */

/* A number at ${at}, behind blanks and quotes; it may have commas.  False: there is none. */
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

/* The number that stands behind the words. */
static bool
number_behind(const char *text, const char *words, double *number)
{
	for (const char *at = text; (at = strcasestr(at, words)) != NULL; at++)
		if (read_number(at + strlen(words), number))
			return true;
	return false;
}

/* "[1, 8192]", "between 1 and 20", "from 1 (inclusive) to 65537 (exclusive)". */
static bool
find_range(const char *text, double *least, double *most)
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

static const char *const upper_words[] = {"at most", "less than or equal to",
	"lower than or equal to", "<=", "maximum value of", "maximum allowed value of",
	"maximum allowed is", "maximum of", "maximum is", "maximum:", "up to", "no more than",
	"must not exceed", "cannot exceed", "limit of", "limit is", "larger than",
	"not be greater than", "cannot be greater than", "lower than", "exceeds", ">"};
static const char *const lower_words[] = {"at least", "greater than or equal to",
	">=", "minimum value of", "minimum of", "minimum is"};

static bool
find_bound(const char *text, const char *const *words, size_t count, double *bound)
{
	for (size_t i = 0; i < count; i++)
		if (number_behind(text, words[i], bound))
			return true;
	return false;
}

/* The output's limit by whatever name, where no member is named. */
static bool
take_output_limit(struct reading *r)
{
	static const char *const names[] = {"max_tokens", "max_completion_tokens",
		"max_output_tokens", "generationConfig.maxOutputTokens"};
	char found[LONGEST_NAME];

	if (strcasestr(r->words, "token") == NULL)
		return false;
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *dot = strchr(names[i], '.');
		const struct json *at = dot != NULL ? json_member(r->request, "generationConfig")
						    : r->request;
		const char *name = dot != NULL ? dot + 1 : names[i];
		r->value = find_member(r, at, name, strlen(name), found);
		if (r->value != NULL) {
			strcpy(r->subject, names[i]);
			return true;
		}
	}
	return false;
}

/* A number's member may be needed: it is kept, and only less of it asked for. */
static bool
find_number(struct reading *r)
{
	return (find_subject(r) && json_is_number(r->value)) ||
	       (take_output_limit(r) && json_is_number(r->value));
}

static bool
learn_limit(struct reading *r, struct buffer *lesson)
{
	double least = 0;
	double most = 0;

	if (!find_number(r))
		return false;
	double asked = json_double(r->value, 0);
	bool range = find_range(r->words, &least, &most);
	if (!range && find_bound(r->words, upper_words, COUNT(upper_words), &most) &&
		most < asked) {
		buffer_printf(lesson, "limit %s - %.15g", r->subject, most);
		return true;
	}
	if (!range && find_bound(r->words, lower_words, COUNT(lower_words), &least) &&
		least > asked) {
		buffer_printf(lesson, "limit %s %.15g -", r->subject, least);
		return true;
	}
	if (!range || least > most || (asked >= least && asked <= most))
		return false;
	buffer_printf(lesson, "limit %s %.15g %.15g", r->subject, least, most);
	return true;
}

static bool
learn_length(struct reading *r, struct buffer *lesson)
{
	static const char *const words[] = {
		"maximum length of", "maximum length is", "maximum length", "at most"};
	double most = 0;

	if (!find_subject(r) || !find_bound(r->words, words, COUNT(words), &most) || most < 1)
		return false;
	size_t has = json_is_array(r->value) ? json_count(r->value) : json_content_length(r->value);
	if ((double)has <= most)
		return false;
	buffer_printf(lesson, "cut %s %.0f", r->subject, most);
	return true;
}

/* What Claude's clients are told of prompt and output together: "A + B > C" (overflow.h). */
static bool
learn_what_fits(struct reading *r, struct buffer *lesson)
{
	static const char words[] = "exceed context limit: ";
	const char *at = strstr(r->said->message, words);
	char *end = NULL;

	if (at == NULL || !take_output_limit(r))
		return false;
	long long prompt = strtoll(at + strlen(words), &end, 10);
	const char *limit_text = strchr(end, '>');
	long long limit = limit_text != NULL ? strtoll(limit_text + 1, NULL, 10) : 0;
	if (limit - prompt < LEAST_OUTPUT || (double)(limit - prompt) >= json_double(r->value, 0))
		return false;
	buffer_printf(lesson, "limit %s - %lld", r->subject, limit - prompt);
	return true;
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

/* Which value of the header the refusal names; several in one refusal are one lesson each. */
static bool
learn_value_of(struct reading *r, const char *header, const char *list, struct buffer *lesson)
{
	for (const char *at = list; *at != '\0';) {
		char name[LONGEST_NAME];
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

static bool
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

/* The key is not where the service looks: not that it is a wrong one. */
static bool
learn_auth(struct reading *r, const char *as, struct buffer *lesson)
{
	static const char *const missing[] = {
		"no ", "missing", "required", "must be", "not provided", "expected", "provide"};
	bool bearer = strcmp(as, "bearer") == 0;

	if (r->said->status != 401 || r->said->bearer == bearer)
		return false;
	for (size_t i = 0; i < COUNT(missing); i++) {
		if (strcasestr(r->words, missing[i]) == NULL)
			continue;
		buffer_printf(lesson, "auth %s", as);
		return true;
	}
	return false;
}

/* ---- the rest ---- */

/* "Use 'Y' instead": the member has only another name there. */
static bool
learn_other_name(struct reading *r, struct buffer *lesson)
{
	const char *use = strcasestr(r->words, "use ");
	const char *start = NULL;
	size_t length = 0;

	for (; use != NULL; use = strcasestr(use + 1, "use ")) {
		if (!is_quote(use[4]) || !find_quoted(use, &start, &length) ||
			strncasecmp(start + length + 1, " instead", 8) != 0)
			continue;
		for (size_t i = 0; i < length; i++)
			if (!is_name_character(start[i]))
				return false;
		buffer_printf(lesson, "rename %s %.*s", r->subject, (int)length, start);
		return true;
	}
	return false;
}

/* A limit is needed, but may be called otherwise. */
static bool
learn_member(struct reading *r, const char *words, struct buffer *lesson)
{
	bool unknown = strncmp(words, "un", 2) == 0 || strcmp(words, "not permitted") == 0 ||
		       strncmp(words, "extra", 5) == 0;

	if (!find_subject(r) &&
		!(strstr(r->words, "'max_tokens'") != NULL && take_output_limit(r)) &&
		!(unknown && take_any_word(r)))
		return false;
	if (learn_other_name(r, lesson))
		return true;
	if (!is_optional(r->subject))
		return false;
	/* The answer's format is told in words then. */
	if (strncmp(r->subject, "response_format", 15) == 0 ||
		strncmp(r->subject, "text.format", 11) == 0 ||
		strncmp(r->subject, "generationConfig.response", 25) == 0) {
		buffer_puts(lesson, "fix no-format");
		return true;
	}
	/* Without its kind nothing is left of it. */
	char *kind = strrchr(r->subject, '.');
	if (kind != NULL && strcmp(kind, ".type") == 0)
		*kind = '\0';
	buffer_printf(lesson, "drop %s", r->subject);
	return true;
}

/* Is the member that the lesson is about part of the request, or (put) not yet so? */
static bool
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

/* Does the request have the service search the web? */
static bool
has_hosted_search(const struct reading *r)
{
	static const char *const kinds[] = {
		"web_search", "openrouter:web_search", "browser_search", "builtin_function"};

	if (json_member(r->request, "web_search_options") != NULL ||
		json_member(r->request, "enable_search") != NULL)
		return true;
	JSON_EACH (tool, json_member_array(r->request, "tools")) {
		const struct json *type = json_member_string(tool, "type");
		for (size_t i = 0; i < COUNT(kinds); i++)
			if (json_is_text(type, kinds[i]))
				return true;
		if (json_member(tool, "googleSearch") != NULL)
			return true;
	}
	return false;
}

/* The request goes without the search then, and the answer says so. */
static bool
learn_no_search(struct reading *r, struct buffer *lesson)
{
	static const char *const refused[] = {"not support", "unsupported", "not enabled",
		"not available", "unavailable", "unknown", "unrecognized", "unrecognised",
		"invalid", "not allowed", "not permitted", "cannot be used", "expected",
		"should be", "must be", "only", "required", "disabled", "missing"};

	for (size_t i = 0; i < COUNT(refused); i++) {
		if (strcasestr(r->words, refused[i]) == NULL || !has_hosted_search(r))
			continue;
		buffer_puts(lesson, "fix no-search");
		return true;
	}
	return false;
}

/* Is there something in the request that this fix is about?  Whether it changes anything, only the
 * translation shows. */
static bool
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

static enum refusal_scope
learn(struct reading *r, size_t row, struct buffer *lesson)
{
	const char *argument = rows[row].argument;
	bool found = false;

	switch (rows[row].kind) {
	case A_FIX:
	case A_MEND:
		found = learn_fix(r, argument, lesson);
		break;
	case A_CHANGE:
	case A_LESSON:
		found = learn_fixed(r, argument, lesson);
		break;
	case A_VALUE:
		found = learn_values(r, rows[row].words, lesson);
		break;
	case A_LENGTH:
		found = learn_length(r, lesson);
		break;
	case A_LIMIT:
		found = learn_limit(r, lesson);
		break;
	case A_SEARCH:
		found = learn_no_search(r, lesson);
		break;
	case A_BETA:
		found = learn_header(r, lesson);
		break;
	case A_MEMBER:
		found = learn_member(r, rows[row].words, lesson);
		break;
	case AN_AUTH:
		found = learn_auth(r, argument, lesson);
		break;
	}
	if (!found)
		return REFUSAL_UNKNOWN;
	return rows[row].kind == A_MEND || rows[row].kind == A_CHANGE ? REFUSAL_ONCE
								      : REFUSAL_LASTS;
}

/* Can the row be what a refusal of that status means? */
static bool
goes_with(const struct reading *r, size_t row)
{
	enum kind kind = rows[row].kind;

	if ((r->said->status == 401) != (kind == AN_AUTH) ||
		(r->said->status == 404 && kind != A_FIX && kind != A_SEARCH))
		return false;
	return strcasestr(r->words, rows[row].words) != NULL &&
	       (rows[row].also == NULL || strcasestr(r->words, rows[row].also) != NULL);
}

static enum refusal_scope
find_lesson(struct reading *r, size_t *row, struct buffer *lesson)
{
	enum refusal_scope scope = REFUSAL_UNKNOWN;

	if (strncmp(r->said->message, "prompt is too long", 18) == 0)
		return REFUSAL_UNKNOWN;
	if (strstr(r->said->message, "exceed context limit:") != NULL)
		return (*row)++ == 0 && learn_what_fits(r, lesson) ? REFUSAL_ONCE : REFUSAL_UNKNOWN;
	for (; *row < COUNT(rows) && scope == REFUSAL_UNKNOWN; (*row)++) {
		buffer_clear(lesson);
		if (goes_with(r, *row))
			scope = learn(r, *row, lesson);
	}
	if (scope == REFUSAL_UNKNOWN)
		buffer_clear(lesson);
	return scope;
}

/* The message, and behind it the words in which a service says it to programs. */
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

enum refusal_scope
refusal_find_lesson(const struct refusal_of_request *said, size_t *row, struct buffer *lesson)
{
	struct reading r = {.said = said};
	enum refusal_scope scope = REFUSAL_UNKNOWN;

	r.refusal = json_read(&r.refused, said->body, said->length, JSON_MAX_ANSWER_VALUES, NULL);
	r.request = json_read(
		&r.asked, said->sent, said->sent_length, JSON_MAX_REQUEST_VALUES, NULL);
	r.words = write_words(&r);
	if (r.words != NULL && json_is_object(r.request))
		scope = find_lesson(&r, row, lesson);
	free(r.words);
	json_document_free(&r.refused);
	json_document_free(&r.asked);
	return scope;
}

bool
refusal_may_teach(int status)
{
	return status == 400 || status == 401 || status == 404;
}

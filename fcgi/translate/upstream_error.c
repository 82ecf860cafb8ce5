/*
 * An upstream's refusal in Claude's terms; see upstream_error.h and PROTOCOL.md §E.
 */
#include "translate/upstream_error.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/utf8.h"

enum {
	QUOTED = 200 /* bytes of a body that are quoted */,
	MOST_MESSAGE = 4096,
	LARGEST_RETRY = 86400,
	LONGEST_WORD = 63, /* of a code or type, in bytes */
};

/* What an upstream's status becomes; what is not listed: 4xx → 400, the rest → 502. */
static const struct {
	int upstream;
	int client;
} statuses[] = {
	{401, 401},
	{402, 402},
	{403, 403},
	{404, 404},
	{408, 504},
	{413, 413},
	{429, 429},
	{500, 500},
	{502, 502},
	{503, 529},
	{504, 504},
	{529, 529},
};

/* Words in `code`, `type` or `status` of an error object that say more than a status, or stand in
 * for one. */
static const struct {
	const char *word;
	int status;
} words[] = {
	{"insufficient_quota", 402},
	{"billing_error", 402},
	{"rate_limit_exceeded", 429},
	{"rate_limit_error", 429},
	{"RESOURCE_EXHAUSTED", 429},
	{"too_many_requests", 429},
	{"overloaded_error", 529},
	{"overloaded", 529},
	{"UNAVAILABLE", 529},
	{"invalid_api_key", 401},
	{"API_KEY_INVALID", 401}, /* Gemini says 400 with it */
	{"authentication_error", 401},
	{"UNAUTHENTICATED", 401},
	{"permission_error", 403},
	{"PERMISSION_DENIED", 403},
	{"model_not_found", 404},
	{"not_found_error", 404},
	{"NOT_FOUND", 404},
	{"invalid_request_error", 400},
	{"INVALID_ARGUMENT", 400},
	{"context_length_exceeded", 400},
	{"timeout", 504},
	{"DEADLINE_EXCEEDED", 504},
};

/* An error as it is being understood. */
struct refusal {
	const struct upstream_identity *who;
	int status;            /* for the client; 0: not known yet */
	int64_t retry_after;   /* seconds */
	bool too_long;         /* the context is */
	struct buffer message; /* the upstream's, masked, valid UTF-8 */
};

/* ---- text ---- */

/* Append at most ${most} bytes as valid UTF-8, with line breaks and control characters as blanks.
 */
static void
append_clean(struct buffer *out, const char *text, size_t length, size_t most)
{
	size_t end = length < most ? length : most;

	for (size_t i = 0; i < end;) {
		size_t n = utf8_character_length(text + i, length - i);
		if (n > end - i)
			break;
		if (n == 0)
			buffer_puts(out, "\xef\xbf\xbd");
		else if (n == 1 && ((unsigned char)text[i] < ' ' || text[i] == 127))
			buffer_putc(out, ' ');
		else
			buffer_append(out, text + i, n);
		i += n > 0 ? n : 1;
	}
}

/* Mask before cutting: half a key would not be recognised. */
static void
append_quoted(struct buffer *out, const char *text, size_t length, size_t most,
	const struct upstream_identity *who)
{
	struct buffer masked = BUFFER_INIT(0);

	secret_redact(&masked, text, length, who->key, who->secrets);
	append_clean(out, buffer_text(&masked), masked.length, most);
	buffer_free(&masked);
}

static void
set_message(struct refusal *r, const char *text, size_t length, size_t most)
{
	buffer_clear(&r->message);
	append_quoted(&r->message, text, length, most, r->who);
}

/* ---- finding the message ---- */

static bool
take_message(struct refusal *r, const struct json *value)
{
	struct buffer text = BUFFER_INIT(0);

	if (json_content_length(value) == 0)
		return false;
	json_append(&text, value);
	set_message(r, buffer_text(&text), text.length, MOST_MESSAGE);
	buffer_free(&text);
	return true;
}

/* A value that is no text, as the text that came. */
static void
quote_value(struct refusal *r, const struct json *value, size_t most)
{
	if (value != NULL)
		set_message(r, value->text, value->length, most);
	else
		set_message(r, "", 0, most);
}

static const struct json *
first_element(const struct json *array)
{
	return json_is_array(array) ? json_first(array) : NULL;
}

/* error.message, error, message, detail, errors[0].message; msg, error_msg; MiniMax's status_msg.
 */
static bool
find_message_in(struct refusal *r, const struct json *body)
{
	const struct json *error = json_member(body, "error");
	const struct json *detail = json_member(body, "detail");
	const struct json *errors = json_member(body, "errors");

	if (take_message(r, json_member(error, "message")) || take_message(r, error) ||
		take_message(r, json_member(body, "message")) || take_message(r, detail) ||
		take_message(r, json_member(first_element(errors), "message")) ||
		take_message(r, json_member(body, "msg")) ||
		take_message(r, json_member(body, "error_msg")) ||
		take_message(r, json_member(body, "status_msg")))
		return true;
	if (!json_is_array(detail))
		return false;
	if (!take_message(r, json_member(first_element(detail), "msg")))
		quote_value(r, detail, MOST_MESSAGE);
	return true;
}

/* The message of a body, or of the first element of one that is a list. */
static bool
find_message(struct refusal *r, const struct json *body)
{
	for (; body != NULL; body = first_element(body))
		if (find_message_in(r, body))
			return true;
	return false;
}

/* Of an HTML page only the title says anything. */
static bool
find_title(struct refusal *r, const char *body, size_t length)
{
	const char *start = memmem(body, length, "<title>", 7);

	if (start == NULL)
		start = memmem(body, length, "<TITLE>", 7);
	if (start == NULL)
		return false;
	start += 7;
	const char *end = memchr(start, '<', length - (size_t)(start - body));
	if (end == NULL || end == start)
		return false;
	set_message(r, start, (size_t)(end - start), QUOTED);
	return true;
}

/* ---- understanding ---- */

static void
take_word(struct refusal *r, const struct json *word)
{
	char text[LONGEST_WORD + 1];

	if (!json_is_string(word) || json_content_length(word) > LONGEST_WORD)
		return;
	snprintf(text, sizeof(text), "%.*s", JSON_SHOWN(word));
	if (strcmp(text, "context_length_exceeded") == 0)
		r->too_long = true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i].word, text) == 0 &&
			(r->status == 0 || (r->status == 429 && words[i].status == 402) ||
				(r->status == 400 && words[i].status == 401)))
			r->status = words[i].status;
}

static int
client_status(int upstream)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].upstream == upstream)
			return statuses[i].client;
	return upstream >= 400 && upstream < 500 ? 400 : 502;
}

/* "13.5s" of Gemini's RetryInfo, rounded up. */
static void
take_retry_delay(struct refusal *r, const struct json *delay)
{
	char text[LONGEST_WORD + 1];

	if (r->retry_after != 0 || !json_is_string(delay))
		return;
	snprintf(text, sizeof(text), "%.*s", JSON_SHOWN(delay));
	double seconds = strtod(text, NULL);
	if (seconds > 0 && seconds < LARGEST_RETRY)
		r->retry_after = (int64_t)seconds + ((double)(int64_t)seconds < seconds);
}

/* The details of a Google error. */
static void
take_details(struct refusal *r, const struct json *error)
{
	JSON_EACH(detail, json_member_array(error, "details"))
	{
		take_word(r, json_member(detail, "reason"));
		take_retry_delay(r, json_member(detail, "retryDelay"));
	}
}

/* The error object inside a body: its codes may be words or numbers. */
static void
take_codes(struct refusal *r, const struct json *error)
{
	const struct json *code = json_member(error, "code");

	if (json_is_integer(code) && r->status == 0) {
		int64_t number = json_int(code, 0);
		if (number >= 400 && number < 600)
			r->status = client_status((int)number);
	}
	take_word(r, code);
	take_word(r, json_member(error, "type"));
	take_word(r, json_member(error, "status"));
	take_details(r, error);
}

/* The next number in the text, which may have commas, and where it ends; 0: none. */
static uint64_t
next_number(const char **text)
{
	uint64_t number = 0;
	const char *at = *text;

	while (*at != '\0' && !isdigit((unsigned char)*at))
		at++;
	for (; isdigit((unsigned char)*at) || (*at == ',' && isdigit((unsigned char)at[1])); at++)
		if (*at != ',' && number < UINT64_MAX / 100)
			number = number * 10 + (uint64_t)(*at - '0');
	*text = at;
	return number;
}

/*
 * The wordings of "too long", by what stands before the two numbers and in which order they come.
 * A ${limit_first} one says the maximum before what was sent.
 */
static const struct {
	const char *words;
	bool limit_first;
} too_long_wordings[] = {
	{"maximum context length is", true},
	{"input token count", false},
	{"prompt is too long", false},
	{"exceeds the maximum number of tokens", false},
	{"context length of only", true},
	{"context window", false},
	{"maximum prompt length is", true},
	{"context length", false},
};

static void
write_too_long(struct buffer *out, const char *text, bool limit_first)
{
	uint64_t first = next_number(&text);
	uint64_t second = next_number(&text);
	uint64_t limit = limit_first || second == 0 ? first : second;
	uint64_t sent = limit_first ? second : second == 0 ? 0 : first;

	buffer_puts(out, "prompt is too long");
	if (sent > limit)
		buffer_printf(out, ": %llu tokens > %llu maximum", (unsigned long long)sent,
			(unsigned long long)limit);
	else if (limit > 0)
		buffer_printf(
			out, ": more tokens than the %llu maximum", (unsigned long long)limit);
}

/* Claude Code compacts its conversation when it reads these words, so they come as it knows them.
 */
static bool
rephrase_too_long(struct refusal *r)
{
	const char *message = buffer_text(&r->message);
	struct buffer said = BUFFER_INIT(0);
	const char *at = NULL;
	bool limit_first = false;

	for (size_t i = 0;
		at == NULL && i < sizeof(too_long_wordings) / sizeof(too_long_wordings[0]); i++) {
		/* The last two are too general to tell without the code. */
		bool certain = i + 3 < sizeof(too_long_wordings) / sizeof(too_long_wordings[0]);
		at = certain || r->too_long ? strcasestr(message, too_long_wordings[i].words)
					    : NULL;
		limit_first = too_long_wordings[i].limit_first;
	}
	if (at == NULL && !r->too_long)
		return false;
	write_too_long(&said, at != NULL ? at : "", limit_first);
	buffer_free(&r->message);
	r->message = said;
	r->status = 400;
	return true;
}

/* ---- saying it ---- */

static void
tell(struct refusal *r, struct api_error *error)
{
	const char *name = r->who->name;
	const char *said = r->message.length > 0 ? buffer_text(&r->message) : "it gave no reason";
	char mask[SECRET_MASK_SIZE] = "";

	if (r->who->key != NULL)
		secret_mask(r->who->key, mask);
	switch (r->status) {
	case 400:
		api_error_set(error, 400, "%s", said);
		break;
	case 401:
		api_error_set(error, 401,
			"upstream '%s' refused its API key %s: %s. Replace the key with: "
			"claude-proxy-admin key "
			"%s add -",
			name, mask, said, name);
		api_error_lasts(error);
		break;
	case 402:
		api_error_set(error, 402, "upstream '%s', API key %s, has no credit left: %s", name,
			mask, said);
		break;
	case 404:
		api_error_set(error, 404,
			"upstream '%s' does not have what was asked for (model '%s'): %s", name,
			r->who->model, said);
		break;
	default:
		api_error_set(error, r->status, "upstream '%s': %s", name, said);
		break;
	}
	/* Elsewhere the same request would fail again. */
	if (r->status != 400 && r->status != 404 && r->status != 413)
		error->retry_after = r->retry_after;
}

static void
understand_body(struct refusal *r, const char *body, size_t length)
{
	struct json_document index = {0};
	const struct json *value = json_read(&index, body, length, JSON_MAX_ANSWER_VALUES, NULL);

	if (value != NULL) {
		take_codes(r, json_member(value, "error"));
		take_codes(r, json_member(first_element(value), "error"));
		take_codes(r, value);
	}
	if (value != NULL ? !find_message(r, value) : !find_title(r, body, length))
		set_message(r, body, length, QUOTED);
	json_document_free(&index);
}

void
upstream_error_from_status(int status, int64_t retry_after, const char *body, size_t length,
	const struct upstream_identity *who, struct api_error *error)
{
	struct refusal r = {
		.who = who, .status = client_status(status), .retry_after = retry_after};

	understand_body(&r, body, length);
	bool may_be_too_long = status == 400 || status == 413 || status == 422;
	if (!may_be_too_long || !rephrase_too_long(&r)) {
		if (status < 400) {
			r.status = 502;
			set_message(&r, "", 0, 0);
			buffer_printf(&r.message, "unexpected status %d", status);
		} else if (r.message.length == 0) {
			buffer_printf(&r.message, "status %d", status);
		}
	}
	tell(&r, error);
	buffer_free(&r.message);
}

void
upstream_error_from_object(
	const struct json *object, const struct upstream_identity *who, struct api_error *error)
{
	struct refusal r = {.who = who};
	const struct json *inner = json_member(object, "error");

	take_codes(&r, inner != NULL ? inner : object);
	if (!find_message(&r, object))
		quote_value(&r, inner != NULL ? inner : object, QUOTED);
	if (r.status == 0)
		r.status = 502;
	rephrase_too_long(&r);
	tell(&r, error);
	buffer_free(&r.message);
}

int
upstream_error_bad_answer(const char *what, const char *body, size_t length,
	const struct upstream_identity *who, struct api_error *error)
{
	struct buffer quoted = BUFFER_INIT(0);

	append_quoted(&quoted, body, length, QUOTED, who);
	if (quoted.length > 0)
		api_error_set(
			error, 502, "upstream '%s' %s: %s", who->name, what, buffer_text(&quoted));
	else
		api_error_set(error, 502, "upstream '%s' %s", who->name, what);
	buffer_free(&quoted);
	return -1;
}

int
upstream_error_no_answer(const char *base_url, const char *problem, int64_t patience,
	const struct upstream_identity *who, struct api_error *error)
{
	struct buffer said = BUFFER_INIT(0);

	secret_redact(&said, problem, strlen(problem), who->key, who->secrets);
	if (patience > 0)
		api_error_set(error, 504, "upstream '%s' could not be reached within %lld ms: %s",
			who->name, (long long)patience, buffer_text(&said));
	else
		api_error_set(error, 502, "upstream '%s' at %s could not be asked: %s", who->name,
			base_url, buffer_text(&said));
	buffer_free(&said);
	return -1;
}

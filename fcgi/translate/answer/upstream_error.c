/*
 * An upstream's refusal in Claude's terms; see upstream_error.h and PROTOCOL.md §E.
 */
#include "translate/answer/upstream_error.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/secret.h"
#include "base/text/shell_word.h"
#include "base/text/url.h"
#include "base/text/utf8.h"
#include "translate/answer/overflow.h"
#include "translate/answer/upstream_json.h"

enum {
	QUOTED = 200 /* bytes of a body that are quoted */,
	LOOKED_AT = 16384 /* bytes of which they are the beginning that shows */,
	MOST_MESSAGE = 4096,
	LARGEST_RETRY = 86400,
	LONGEST_WORD = 63, /* of a code or type, in bytes */
};

/*
 * What an upstream's status becomes, and for how many seconds a key is paused that failed with it,
 * unless the service says how long; 0: another key would fail as well.  What is not listed: 4xx as
 * 400, the rest as 502.
 */
static const struct status {
	int upstream;
	int client;
	int pause;
} statuses[] = {
	{400, 400, 0},
	{401, 401, 600},
	{402, 402, 600},
	{403, 403, 600},
	{404, 404, 0},
	{408, 504, 10},
	{413, 413, 0},
	{429, 429, 60},
	{500, 500, 10},
	{502, 502, 10},
	{503, 529, 10},
	{504, 504, 10},
	{529, 529, 10},
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
	{"request_too_large", 413},
	{"timeout", 504},
	{"timeout_error", 504},
	{"DEADLINE_EXCEEDED", 504},
};

/* Those that say that the context is too long. */
static const char *const overflow_words[] = {
	"context_length_exceeded", "exceed_context_size_error", /* llama.cpp */
	"model_max_prompt_tokens_exceeded",                     /* Copilot */
	"1261",                                                 /* GLM */
};

/* MiniMax's own numbers, in a `base_resp` that comes with status 200. */
static const struct {
	int64_t number;
	int status;
} base_numbers[] = {
	{1002, 429},
	{1004, 401},
	{1008, 402},
	{1026, 400},
	{1039, 429},
	{2013, 400},
	{2049, 401},
};

/* An error as it is being understood. */
struct refusal {
	const struct error_context *who;
	int status;          /* for the client; 0 if unknown yet */
	int64_t retry_after; /* seconds */
	struct overflow_facts overflow;
	struct buffer message; /* the upstream's, masked, valid UTF-8 */
};

/* ---- text ---- */

/* Append at most ${most} bytes as valid UTF-8, with line breaks and control characters as spaces.
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
	const struct error_context *who)
{
	struct buffer masked = BUFFER_INIT(0);

	secret_redact(
		&masked, text, secret_safe_cut(text, length, LOOKED_AT), who->key, who->secrets);
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

/* OpenRouter puts the words of the service that it called beside its own, which say nothing. */
static void
add_raw_message(struct refusal *r, const struct json *error)
{
	const struct json *raw = json_member_string(json_member(error, "metadata"), "raw");
	struct buffer text = BUFFER_INIT(0);

	if (json_content_length(raw) == 0)
		return;
	json_append(&text, raw);
	buffer_puts(&r->message, ": ");
	append_quoted(&r->message, buffer_text(&text), text.length, MOST_MESSAGE, r->who);
	buffer_free(&text);
}

/* error.message, error, message, detail, errors[0].message, and what gateways have instead. */
static bool
find_message_in(struct refusal *r, const struct json *body)
{
	const struct json *error = json_member(body, "error");
	const struct json *detail = json_member(body, "detail");
	const struct json *errors = json_member(body, "errors");
	const struct json *base = json_member(body, "base_resp");

	if (take_message(r, json_member(error, "message"))) {
		add_raw_message(r, error);
		return true;
	}
	if (take_message(r, error) || take_message(r, json_member(body, "message")) ||
		take_message(r, json_member(error, "msg")) ||
		take_message(r, json_member(body, "msg")) ||
		take_message(r, json_member(body, "error_msg")) || take_message(r, detail) ||
		take_message(r, json_member(first_element(errors), "message")) ||
		take_message(r, json_member(base, "status_msg")))
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

/* Does the word say more than the status that is known? */
static bool
says_more(int word, int status)
{
	return status == 0 || (status == 429 && word == 402) || (status == 400 && word == 401);
}

static void
take_word(struct refusal *r, const struct json *word)
{
	char text[LONGEST_WORD + 1];

	if ((!json_is_string(word) && !json_is_integer(word)) || word->length > LONGEST_WORD)
		return;
	snprintf(text, sizeof(text), "%.*s", JSON_SHOWN(word));
	for (size_t i = 0; i < COUNT(overflow_words); i++)
		if (strcasecmp(overflow_words[i], text) == 0)
			r->overflow.told_by_code = true;
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcasecmp(words[i].word, text) == 0 && says_more(words[i].status, r->status))
			r->status = words[i].status;
}

static const struct status *
find_status(int upstream)
{
	for (size_t i = 0; i < COUNT(statuses); i++)
		if (statuses[i].upstream == upstream)
			return &statuses[i];
	return NULL;
}

static int
client_status(int upstream)
{
	const struct status *status = find_status(upstream);

	if (status != NULL)
		return status->client;
	return upstream >= 400 && upstream < 500 ? 400 : 502;
}

int64_t
upstream_error_pause(int status)
{
	const struct status *row = find_status(status);

	return row != NULL ? row->pause : 0;
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
	JSON_EACH (detail, json_member_array(error, "details")) {
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
	upstream_json_take_count(error, "n_prompt_tokens", &r->overflow.prompt);
	upstream_json_take_count(error, "n_ctx", &r->overflow.limit);
}

static void
take_base_number(struct refusal *r, const struct json *base)
{
	int64_t number = json_member_int(base, "status_code", 0);

	for (size_t i = 0; i < COUNT(base_numbers); i++)
		if (r->status == 0 && base_numbers[i].number == number)
			r->status = base_numbers[i].status;
}

/* Claude Code acts on these words, so they come as it knows them.  False: that is not it, or the
 * service words it so itself. */
static bool
rephrase_overflow(struct refusal *r)
{
	struct buffer said = BUFFER_INIT(0);

	if (r->status != 400 && r->status != 413 && r->status != 500 && r->status != 502)
		return false;
	r->overflow.asked_output = r->who->max_tokens;
	if (!overflow_rephrase(&said, buffer_text(&r->message), &r->overflow))
		return false;
	bool differs = strcmp(buffer_text(&said), buffer_text(&r->message)) != 0;
	buffer_free(&r->message);
	r->message = said;
	r->status = 400;
	return differs;
}

/* ---- saying it ---- */

static void
tell_wrong_key(const char *name, const char *mask, const char *said, struct api_error *error)
{
	struct buffer word = BUFFER_INIT(0);

	shell_word_write(&word, name);
	api_error_set(error, 401,
		"upstream '%s' refused its API key %s: %s. Replace the key with: "
		"claude-proxy-admin key %s add -",
		name, mask, said, buffer_text(&word));
	api_error_set_permanent(error);
	buffer_free(&word);
}

static void
tell(struct refusal *r, struct api_error *error)
{
	const char *name = r->who->name;
	const char *said = r->message.length > 0 ? buffer_text(&r->message) : "no reason given";
	char mask[SECRET_MASK_SIZE] = "";

	if (r->who->key != NULL)
		secret_mask(r->who->key, mask);
	switch (r->status) {
	case 400:
		api_error_set(error, 400, "%s", said);
		break;
	case 401:
		tell_wrong_key(name, mask, said, error);
		break;
	case 402:
		api_error_set(error, 402, "upstream '%s', API key %s, has no credit left: %s", name,
			mask, said);
		break;
	case 404:
		api_error_set(error, 404,
			"upstream '%s' has no such model or endpoint (model '%s'): %s", name,
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

bool
upstream_error_from_status(int status, int64_t retry_after, const char *body, size_t length,
	const struct error_context *who, struct api_error *error)
{
	struct refusal r = {
		.who = who,
		.status = client_status(status),
		.retry_after = retry_after,
		.overflow.too_large = status == 413,
	};

	understand_body(&r, body, length);
	bool rephrased = status >= 400 && rephrase_overflow(&r);
	if (status < 400) {
		r.status = 502;
		set_message(&r, "", 0, 0);
		buffer_printf(&r.message, "unexpected status %d", status);
	} else if (r.message.length == 0) {
		buffer_printf(&r.message, "status %d", status);
	}
	tell(&r, error);
	buffer_free(&r.message);
	return rephrased;
}

bool
upstream_error_is_told(const struct json *error)
{
	const struct json *code = json_member(error, "code");

	if (json_is_string(error))
		return json_content_length(error) > 0;
	if (json_is_number(error))
		return json_int(error, 0) != 0;
	if (json_is_number(code) && json_int(code, 0) == 0)
		return json_content_length(json_member(error, "message")) > 0;
	return json_is(error, JSON_TRUE) || json_first(error) != NULL;
}

bool
upstream_error_is(const struct json *object)
{
	return upstream_error_is_told(json_member(object, "error")) ||
	       upstream_error_is_told(json_member(object, "errors")) ||
	       json_is_text(json_member(object, "object"), "error") ||
	       json_is_text(json_member(object, "type"), "error") ||
	       json_member_int(json_member(object, "base_resp"), "status_code", 0) != 0;
}

void
upstream_error_from_object(
	const struct json *object, const struct error_context *who, struct api_error *error)
{
	struct refusal r = {.who = who};
	const struct json *inner = json_member(object, "error");

	if (!json_is_object(inner))
		inner = object;
	take_codes(&r, inner);
	take_base_number(&r, json_member(object, "base_resp"));
	if (!find_message(&r, object))
		quote_value(&r, inner, QUOTED);
	if (r.status == 0)
		r.status = 502;
	rephrase_overflow(&r);
	tell(&r, error);
	buffer_free(&r.message);
}

int
upstream_error_bad_answer(const char *what, const char *body, size_t length,
	const struct error_context *who, struct api_error *error)
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
	const struct error_context *who, struct api_error *error)
{
	struct buffer said = BUFFER_INIT(0);
	struct buffer origin = BUFFER_INIT(0);

	secret_redact(&said, problem, strlen(problem), who->key, who->secrets);
	url_write_origin(&origin, base_url);
	if (patience > 0)
		api_error_set(error, 504, "could not reach upstream '%s' at %s within %lld ms: %s",
			who->name, buffer_text(&origin), (long long)patience, buffer_text(&said));
	else
		api_error_set(error, 502, "could not reach upstream '%s' at %s: %s", who->name,
			buffer_text(&origin), buffer_text(&said));
	buffer_free(&origin);
	buffer_free(&said);
	return -1;
}

/*
 * The arguments of one tool call; see call_arguments.h.
 *
 * A piece that begins with all that came before it restates it, or is the beginning of an object
 * that looks like the one around it ({"a":{"a":…).  What the text would be either way tells, or
 * else the piece after it.
 */
#include "translate/answer/call_arguments.h"

#include <string.h>

#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "translate/answer/event_stream.h"

static const char blanks[] = " \t\r\n";

void
call_arguments_free(struct call_arguments *a)
{
	buffer_free(&a->text);
	buffer_free(&a->held);
	*a = (struct call_arguments){0};
}

/* ---- a JSON text and its end ---- */

/* Follow the text up to where its outermost object closes; how far that was, in bytes. */
static size_t
follow(struct json_progress *p, const char *json, size_t length)
{
	size_t i = 0;

	for (; i < length && !p->complete; i++) {
		char c = json[i];
		if (p->escaped)
			p->escaped = false;
		else if (p->in_string && c == '\\')
			p->escaped = true;
		else if (c == '"')
			p->in_string = !p->in_string;
		else if (!p->in_string && (c == '{' || c == '['))
			p->depth++;
		else if (!p->in_string && (c == '}' || c == ']'))
			p->complete = --p->depth <= 0;
	}
	return i;
}

static bool
is_blank(const char *json, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (json[i] == '\0' || strchr(blanks, json[i]) == NULL)
			return false;
	return true;
}

enum ending { ENDS_LATER, ENDS_HERE, ENDED_BEFORE };

/* Where does the text end that goes on with this, after ${so_far}? */
static enum ending
ending_of(struct json_progress so_far, const char *json, size_t length)
{
	size_t used = follow(&so_far, json, length);

	if (!so_far.complete)
		return ENDS_LATER;
	return is_blank(json + used, length - used) ? ENDS_HERE : ENDED_BEFORE;
}

/* ---- pieces ---- */

/* Did an empty object come before the arguments themselves?  Then forget it. */
static bool
forget_stand_in(struct call_arguments *a, const char *json, size_t length)
{
	if (a->given > 0 || !call_arguments_are_empty(a) || is_blank(json, length))
		return false;
	buffer_clear(&a->text);
	a->progress = (struct json_progress){0};
	return true;
}

/* Add to the text, up to its end. */
static int
add(struct call_arguments *a, const char *json, size_t length)
{
	do {
		size_t used = follow(&a->progress, json, length);
		if (buffer_append(&a->text, json, used) != 0)
			return -1;
		json += used;
		length -= used;
	} while (forget_stand_in(a, json, length));
	if (!is_blank(json, length))
		log_warn("a tool call went on after its arguments were complete: the rest is "
			 "dropped");
	return 0;
}

static bool
begins_with(const char *json, size_t length, const struct buffer *text)
{
	return length >= text->length && memcmp(json, buffer_text(text), text->length) == 0;
}

/* Are the text so far and the piece, one after the other, valid JSON? */
static bool
is_json(const struct buffer *so_far, const char *json, size_t length)
{
	struct json_document index = {0};
	struct buffer joined = BUFFER_INIT(0);

	buffer_append(&joined, buffer_text(so_far), so_far->length);
	buffer_append(&joined, json, length);
	bool valid = json_read(&index, buffer_text(&joined), joined.length, JSON_MAX_ANSWER_VALUES,
			     NULL) != NULL;
	buffer_free(&joined);
	json_document_free(&index);
	return valid;
}

/* What a piece that begins with the text does to it. */
enum sense { SENSE_RESTATES, SENSE_FOLLOWS, SENSE_UNCLEAR };

static enum sense
sense_of(const struct call_arguments *a, const char *json, size_t length)
{
	if (a->restated)
		return SENSE_RESTATES;
	if (ending_of((struct json_progress){0}, json, length) == ENDED_BEFORE)
		return SENSE_FOLLOWS;
	switch (ending_of(a->progress, json, length)) {
	case ENDED_BEFORE:
		return SENSE_RESTATES;
	case ENDS_HERE:
		return is_json(&a->text, json, length) ? SENSE_FOLLOWS : SENSE_RESTATES;
	case ENDS_LATER:
		break;
	}
	return is_json(&(struct buffer){0}, json, length) ? SENSE_RESTATES : SENSE_UNCLEAR;
}

/* A piece that begins with the text, but for the first. */
static int
take_restating(struct call_arguments *a, const char *json, size_t length)
{
	size_t known = a->text.length;

	switch (sense_of(a, json, length)) {
	case SENSE_RESTATES:
		a->restated = true;
		return add(a, json + known, length - known);
	case SENSE_FOLLOWS:
		return add(a, json, length);
	case SENSE_UNCLEAR:
		break;
	}
	return buffer_append(&a->held, json, length);
}

/* The piece after one that was held back.  Return 1 if it was used up. */
static int
decide(struct call_arguments *a, const char *json, size_t length)
{
	size_t known = a->text.length;
	int status;

	a->restated = length > a->held.length && begins_with(json, length, &a->held);
	if (a->restated)
		status = add(a, json + known, length - known) == 0 ? 1 : -1;
	else
		status = add(a, a->held.data, a->held.length);
	buffer_clear(&a->held);
	return status;
}

int
call_arguments_take(struct call_arguments *a, const char *json, size_t length)
{
	if (length == 0)
		return 0;
	if (a->passing)
		return add(a, json, length);
	if (a->held.length > 0) {
		int status = decide(a, json, length);
		return status == 0 ? add(a, json, length) : status > 0 ? 0 : -1;
	}
	if (a->progress.complete)
		forget_stand_in(a, json, length);
	if ((a->progress.complete || a->restated) && length <= a->text.length &&
		call_arguments_are_repeated(a, json, length))
		return 0;
	if (!a->progress.complete && a->text.length > 0 && begins_with(json, length, &a->text))
		return take_restating(a, json, length);
	return add(a, json, length);
}

int
call_arguments_take_all(struct call_arguments *a, const char *json, size_t length)
{
	size_t known = a->text.length;
	int status = 0;

	buffer_clear(&a->held);
	if (a->passing)
		log_warn("a tool call's arguments are too long to be those of the whole");
	else if (begins_with(json, length, &a->text))
		status = add(a, json + known, length - known);
	else if (forget_stand_in(a, json, length))
		status = add(a, json, length);
	else if (!a->progress.complete && !is_blank(json, length))
		log_warn("a tool call's arguments came in pieces that are not those of the whole");
	a->progress.complete = true;
	a->all = true;
	return status;
}

void
call_arguments_give(struct call_arguments *a)
{
	a->given = a->text.length;
	if (!a->passing && (a->given <= EVENT_STREAM_MAX_EVENT || a->held.length > 0))
		return;
	if (a->passing)
		buffer_clear(&a->text);
	else
		buffer_free(&a->text);
	a->passing = true;
	a->given = 0;
}

int
call_arguments_settle(struct call_arguments *a)
{
	size_t known = a->text.length;
	int status = 0;

	if (a->held.length == 0)
		return 0;
	if (is_json(&(struct buffer){0}, a->held.data, a->held.length))
		status = add(a, a->held.data + known, a->held.length - known);
	else
		status = add(a, a->held.data, a->held.length);
	buffer_clear(&a->held);
	return status;
}

bool
call_arguments_are_repeated(const struct call_arguments *a, const char *json, size_t length)
{
	size_t shorter = length < a->text.length ? length : a->text.length;

	return shorter > 0 && memcmp(json, a->text.data, shorter) == 0;
}

bool
call_arguments_are_empty(const struct call_arguments *a)
{
	const char *text = buffer_text(&a->text);
	size_t open = strspn(text, blanks);

	if (text[open] != '{')
		return false;
	size_t close = open + 1 + strspn(text + open + 1, blanks);
	return text[close] == '}' && is_blank(text + close + 1, a->text.length - close - 1);
}

/* ---- what is no object ---- */

/* The object that a JSON string contains, decoded; empty: it contains none. */
static void
decode_object(const struct json *string, struct buffer *object)
{
	struct json_document index = {0};

	json_append(object, string);
	if (!json_is_object(json_read(
		    &index, buffer_text(object), object->length, JSON_MAX_ANSWER_VALUES, NULL)))
		buffer_clear(object);
	json_document_free(&index);
}

/* The text of the arguments in an object of ours. */
static void
write_raw(struct buffer *object, const char *json, size_t length)
{
	struct json_writer w = JSON_WRITER(object);

	log_warn("a tool call's arguments are not a JSON object: passed on as _raw");
	json_open_object(&w);
	json_put_name(&w, "_raw");
	json_put_string(&w, json, length);
	json_close_object(&w);
}

void
call_arguments_write_odd(struct buffer *object, const char *json, size_t length)
{
	struct json_document index = {0};

	if (is_blank(json, length))
		return;
	const struct json *value = json_read(&index, json, length, JSON_MAX_ANSWER_VALUES, NULL);
	bool nothing = json_is(value, JSON_NULL) ||
		       (json_is_string(value) && json_content_length(value) == 0);
	if (json_is_string(value))
		decode_object(value, object);
	if (object->length == 0 && !nothing)
		write_raw(object, json, length);
	json_document_free(&index);
}

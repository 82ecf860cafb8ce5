/*
 * The usage of an answer that is passed through; see passed_usage.h.
 */
#include "translate/claude/passed_usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "translate/event_stream.h"
#include "translate/upstream_json.h"

enum { MOST_BODY = 16 << 20 /* bytes of a whole answer that are looked at */, MOST_REASON = 32 };

struct passed_usage {
	struct event_stream *events; /* NULL: the answer is one JSON body */
	struct buffer body;
	struct json_document index; /* of an event, or the body */
	struct claude_usage usage;
	char stop_reason[MOST_REASON];
};

static void
take_count(const struct json *usage, const char *name, uint64_t *count)
{
	if (json_is_number(json_member(usage, name)))
		*count = upstream_json_count(usage, name);
}

/* The message itself, or the event message_delta: both have `usage`, and a stop reason. */
static void
take(struct passed_usage *p, const struct json *value)
{
	const struct json *usage = json_member_object(value, "usage");
	const struct json *delta = json_member_object(value, "delta");
	const struct json *reason = json_member_string(
		delta != NULL ? delta : value, "stop_reason");

	take_count(usage, "input_tokens", &p->usage.input_tokens);
	take_count(usage, "output_tokens", &p->usage.output_tokens);
	take_count(usage, "cache_read_input_tokens", &p->usage.cache_read_input_tokens);
	take_count(usage, "cache_creation_input_tokens", &p->usage.cache_creation_input_tokens);
	if (reason != NULL)
		snprintf(p->stop_reason, sizeof(p->stop_reason), "%.*s", JSON_SHOWN(reason));
}

/* Few events are worth parsing: message_start and message_delta. */
static int
on_event(void *context, const char *data, size_t length)
{
	struct passed_usage *p = context;

	if (memmem(data, length, "\"usage\"", 7) == NULL)
		return 0;
	const struct json *value = json_read(&p->index, data, length, JSON_MAX_ANSWER_VALUES, NULL);
	const struct json *message = json_member_object(value, "message");
	take(p, message != NULL ? message : value);
	json_document_trim(&p->index);
	return 0;
}

struct passed_usage *
passed_usage_new(bool events)
{
	struct passed_usage *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->body = BUFFER_INIT(MOST_BODY);
	p->events = events ? event_stream_new(on_event, p) : NULL;
	if (!events || p->events != NULL)
		return p;
	free(p);
	return NULL;
}

void
passed_usage_free(struct passed_usage *p)
{
	if (p == NULL)
		return;
	event_stream_free(p->events);
	buffer_free(&p->body);
	json_document_free(&p->index);
	free(p);
}

void
passed_usage_feed(struct passed_usage *p, const char *bytes, size_t length)
{
	if (p->events != NULL)
		event_stream_feed(p->events, bytes, length);
	else
		buffer_append(&p->body, bytes, length);
}

const struct claude_usage *
passed_usage_end(struct passed_usage *p)
{
	if (p->events != NULL)
		event_stream_end(p->events);
	else if (!p->body.failed)
		on_event(p, buffer_text(&p->body), p->body.length);
	return &p->usage;
}

const char *
passed_usage_stop_reason(const struct passed_usage *p)
{
	return p->stop_reason[0] != '\0' ? p->stop_reason : NULL;
}

/*
 * An upstream's answer on its way to the client; see answer.h.
 */
#include "translate/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/secret.h"
#include "translate/event_stream.h"
#include "translate/translator.h"

enum {
	MOST_ERROR_BODY = 64 << 10, /* bytes of an error's body that are read */
	MOST_HEAD = 512, /* bytes that are kept of a stream, to be quoted if nothing in it makes
			    sense */
};

/* What the body is. */
enum form { FORM_UNKNOWN, FORM_ERROR, FORM_MESSAGE, FORM_EVENTS, FORM_PASSED, FORM_CONVERTED };

struct answer {
	const struct translator *translator;
	const struct tool_names *tool_names;
	bool stream;
	struct claude_writer *writer; /* NULL: the answer is no message that we write */
	struct buffer *out;
	bool pass;
	bool passed_events; /* what is passed is an event stream */
	bool passed_any;
	answer_converter *convert;
	void *convert_context;
	enum answer_state state;
	struct api_error error;

	/* The transfer under way. */
	const struct upstream_identity *identity;
	int status;
	int64_t retry_after;
	enum form form;
	struct reader *reader;
	struct event_stream *events;
	struct buffer body; /* of an error or a whole message; of a stream the start */
	size_t received;    /* bytes */
};

static struct claude_writer *
new_writer(const struct answer_options *options, struct buffer *out)
{
	const struct claude_writer_options writer = {
		.model = options->model,
		.kind = options->translator->kind,
		.stream = options->stream,
		.hide_thinking = options->hide_thinking,
		.estimated_input_tokens = options->estimated_input_tokens,
	};

	return claude_writer_new(&writer, out);
}

struct answer *
answer_new(const struct answer_options *options, struct buffer *out)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->out = out;
	a->translator = options->translator;
	a->tool_names = options->tool_names;
	a->stream = options->stream;
	a->pass = options->pass;
	a->convert = options->convert;
	a->convert_context = options->convert_context;
	if (a->pass || a->convert != NULL)
		return a;
	a->writer = new_writer(options, out);
	if (a->writer == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

static void
end_transfer(struct answer *a)
{
	if (a->reader != NULL)
		a->translator->reader_free(a->reader);
	a->reader = NULL;
	event_stream_free(a->events);
	a->events = NULL;
	buffer_free(&a->body);
	api_error_clear(&a->error);
}

void
answer_free(struct answer *a)
{
	if (a == NULL)
		return;
	end_transfer(a);
	claude_writer_free(a->writer);
	free(a);
}

void
answer_begin(struct answer *a, const struct upstream_identity *identity)
{
	end_transfer(a);
	a->identity = identity;
	a->state = ANSWER_OPEN;
	a->status = 0;
	a->retry_after = 0;
	a->form = FORM_UNKNOWN;
	a->received = 0;
	a->body = BUFFER_INIT(ANSWER_MAX_BODY);
}

static enum answer_state
failed(struct answer *a)
{
	a->state = ANSWER_FAILED;
	return a->state;
}

static enum answer_state
bad_answer(struct answer *a, const char *what)
{
	upstream_error_bad_answer(
		what, buffer_text(&a->body), a->body.length, a->identity, &a->error);
	return failed(a);
}

/* Not every service has every endpoint. */
static bool
is_missing_endpoint(int status)
{
	return status == 404 || status == 405;
}

void
answer_head(struct answer *a, int status, const char *content_type, int64_t retry_after)
{
	bool events = content_type != NULL &&
		      strncasecmp(content_type, "text/event-stream", 17) == 0;

	a->status = status;
	a->retry_after = retry_after;
	a->passed_events = events;
	if (a->pass)
		a->form = FORM_PASSED;
	else if (a->convert != NULL && (status == 200 || is_missing_endpoint(status)))
		a->form = FORM_CONVERTED;
	else if (status != 200)
		a->form = FORM_ERROR;
	else if (events)
		a->form = FORM_EVENTS;
	/* Any other content type may be wrong: the first bytes decide. */
}

/* ---- events ---- */

static int
on_event(void *context, const char *data, size_t length)
{
	struct answer *a = context;

	if (a->translator->read_event(a->reader, data, length, &a->error) != 0) {
		failed(a);
		return -1;
	}
	if (!a->translator->is_over(a->reader))
		return 0;
	a->state = ANSWER_DONE;
	return -1;
}

static enum answer_state
feed_events(struct answer *a, const char *bytes, size_t length)
{
	if (a->body.length < MOST_HEAD)
		buffer_append(&a->body, bytes, length < MOST_HEAD ? length : MOST_HEAD);
	a->received += length;
	if (!a->stream && a->received > ANSWER_MAX_BODY)
		return bad_answer(a, "sent more than 64 MiB");
	event_stream_feed(a->events, bytes, length);
	if (event_stream_overflowed(a->events))
		return bad_answer(a, "sent an event of more than 16 MiB");
	return a->state;
}

/* ---- which form ---- */

static int
prepare(struct answer *a)
{
	const struct reader_context context = {
		.writer = a->writer,
		.names = a->tool_names,
		.identity = a->identity,
	};

	if (a->reader == NULL)
		a->reader = a->translator->reader_new(&context);
	if (a->events == NULL && a->form == FORM_EVENTS)
		a->events = event_stream_new(on_event, a);
	if (a->reader != NULL && (a->events != NULL || a->form != FORM_EVENTS))
		return 0;
	api_error_set(&a->error, 500, "out of memory");
	failed(a);
	return -1;
}

static bool
begins_with(const char *text, size_t length, const char *start)
{
	size_t n = strlen(start);

	return strncmp(text, start, length < n ? length : n) == 0;
}

/* What the first bytes look like; FORM_UNKNOWN while they do not tell. */
static enum form
form_of(const char *text, size_t length)
{
	static const char *const fields[] = {"data:", "event:", "id:", "retry:", ":"};

	while (length > 0 && strchr(" \t\r\n", *text) != NULL && *text != '\0') {
		text++;
		length--;
	}
	if (length == 0)
		return FORM_UNKNOWN;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (begins_with(text, length, fields[i]))
			return length >= strlen(fields[i]) ? FORM_EVENTS : FORM_UNKNOWN;
	return FORM_MESSAGE;
}

static enum answer_state
feed_unknown(struct answer *a, const char *bytes, size_t length)
{
	if (buffer_append(&a->body, bytes, length) != 0)
		return bad_answer(a, "sent more than 64 MiB");
	a->form = form_of(a->body.data, a->body.length);
	if (a->form != FORM_EVENTS)
		return a->state;
	struct buffer first = a->body;
	a->body = BUFFER_INIT(ANSWER_MAX_BODY);
	enum answer_state state = prepare(a) == 0
					  ? feed_events(a, buffer_text(&first), first.length)
					  : a->state;
	buffer_free(&first);
	return state;
}

/* Is what is passed the refusal of a request? */
static bool
is_refusal(const struct answer *a)
{
	return a->status >= 400;
}

enum answer_state
answer_feed(struct answer *a, const char *bytes, size_t length)
{
	if (a->state != ANSWER_OPEN || length == 0)
		return a->state;
	switch (a->form) {
	case FORM_ERROR:
		if (a->body.length < MOST_ERROR_BODY)
			buffer_append(&a->body, bytes,
				length < MOST_ERROR_BODY - a->body.length
					? length
					: MOST_ERROR_BODY - a->body.length);
		return a->state;
	case FORM_PASSED:
		if (is_refusal(a)) {
			/* It may quote the key: it is looked through when it is whole. */
			if (buffer_append(&a->body, bytes, length) != 0)
				return bad_answer(a, "sent more than 64 MiB");
			return a->state;
		}
		a->passed_any = true;
		buffer_append(a->out, bytes, length);
		return a->state;
	case FORM_CONVERTED:
	case FORM_MESSAGE:
		if (buffer_append(&a->body, bytes, length) != 0) {
			a->body.length = 0;
			return bad_answer(a, "sent more than 64 MiB");
		}
		return a->state;
	case FORM_EVENTS:
		return prepare(a) == 0 ? feed_events(a, bytes, length) : a->state;
	case FORM_UNKNOWN:
		break;
	}
	return feed_unknown(a, bytes, length);
}

/* ---- the end ---- */

static enum answer_state
end_events(struct answer *a, bool complete)
{
	event_stream_end(a->events);
	if (a->state != ANSWER_OPEN)
		return a->state;
	if (event_stream_overflowed(a->events))
		return bad_answer(a, "sent an event of more than 16 MiB");
	if (a->translator->read_end(a->reader, complete, &a->error) != 0) {
		/* Where nothing of it could be read, the client should see what came. */
		if (complete && !claude_writer_has_content(a->writer) && a->error.status == 502 &&
			a->body.length > 0 && !claude_writer_started(a->writer)) {
			api_error_clear(&a->error);
			return bad_answer(a, "sent a stream without an answer in it");
		}
		return failed(a);
	}
	a->state = ANSWER_DONE;
	return a->state;
}

static enum answer_state
end_message(struct answer *a, bool complete)
{
	if (!complete)
		return bad_answer(a, "broke off its answer");
	if (prepare(a) != 0)
		return a->state;
	if (a->translator->read_message(
		    a->reader, buffer_text(&a->body), a->body.length, &a->error) != 0)
		return failed(a);
	a->state = ANSWER_DONE;
	return a->state;
}

static enum answer_state
end_passed(struct answer *a, bool complete)
{
	if (!complete)
		return bad_answer(a, "broke off its answer");
	if (is_refusal(a)) {
		a->passed_any = true;
		secret_redact(a->out, buffer_text(&a->body), a->body.length, a->identity->key);
	}
	a->state = ANSWER_DONE;
	return a->state;
}

static enum answer_state
end_converted(struct answer *a, bool complete)
{
	if (!complete)
		return bad_answer(a, "broke off its answer");
	if (a->convert(a->convert_context, a->status, buffer_text(&a->body), a->body.length, a->out,
		    &a->error) != 0)
		return failed(a);
	a->state = ANSWER_DONE;
	return a->state;
}

enum answer_state
answer_end(struct answer *a, bool complete)
{
	if (a->state != ANSWER_OPEN)
		return a->state;
	switch (a->form) {
	case FORM_ERROR:
		upstream_error_from_status(a->status, a->retry_after, buffer_text(&a->body),
			a->body.length, a->identity, &a->error);
		return failed(a);
	case FORM_EVENTS:
		return prepare(a) == 0 ? end_events(a, complete) : a->state;
	case FORM_MESSAGE:
		return end_message(a, complete);
	case FORM_PASSED:
		return end_passed(a, complete);
	case FORM_CONVERTED:
		return end_converted(a, complete);
	case FORM_UNKNOWN:
		break;
	}
	return bad_answer(a, complete ? "sent an empty answer" : "broke off its answer");
}

/* ---- the client's side ---- */

void
answer_ping(struct answer *a)
{
	if (a->state == ANSWER_OPEN && a->writer != NULL)
		claude_writer_ping(a->writer);
}

bool
answer_write_error(struct answer *a, const struct api_error *error)
{
	if (a->writer != NULL) {
		claude_writer_error(a->writer, error);
		return true;
	}
	if (!a->passed_events)
		return false;
	/* What was passed may have ended inside a line: whatever that was, this event is an error.
	 */
	buffer_puts(a->out, "\nevent: error\ndata: ");
	api_error_write(error, NULL, a->out);
	buffer_puts(a->out, "\n\n");
	return true;
}

bool
answer_started(const struct answer *a)
{
	return a->writer != NULL ? claude_writer_started(a->writer) : a->passed_any;
}

bool
answer_has_content(const struct answer *a)
{
	return a->writer != NULL ? claude_writer_has_content(a->writer) : a->passed_any;
}

enum answer_state
answer_state(const struct answer *a)
{
	return a->state;
}

const struct api_error *
answer_error(const struct answer *a)
{
	return &a->error;
}

const struct claude_usage *
answer_usage(const struct answer *a)
{
	static const struct claude_usage none;

	return a->writer != NULL ? claude_writer_usage_told(a->writer) : &none;
}

const char *
answer_stop_reason(const struct answer *a)
{
	return a->writer != NULL ? claude_writer_stop_reason(a->writer) : NULL;
}

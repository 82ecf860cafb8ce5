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
#include "translate/claude/passed_usage.h"
#include "translate/translator.h"

enum {
	MOST_ERROR_BODY = 64 << 10, /* bytes of an error's body that are read */
	MOST_HEAD = 512, /* bytes that are kept of a stream, to be quoted if nothing in it makes
			    sense */
};

/* What the body is. */
enum form { FORM_UNKNOWN, FORM_ERROR, FORM_MESSAGE, FORM_EVENTS, FORM_PASSED, FORM_CONVERTED };

struct answer {
	struct answer_options options;
	struct claude_writer *writer; /* NULL: the answer is no message that we write */
	struct buffer *out;
	bool passed_events; /* what is passed is an event stream */
	bool passed_any;
	enum answer_state state;
	struct api_error error;

	/* The transfer under way. */
	const struct upstream_identity *identity;
	int status;
	int64_t retry_after;
	enum form form;
	struct reader *reader;
	struct event_stream *events;
	struct passed_usage *passed_usage;
	bool refused;       /* what would be passed is a whole refusal */
	bool skips_start;   /* what is passed begins with a message_start that was told already */
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
		.stop_sequences = options->stop_sequences,
	};

	return claude_writer_new(&writer, out);
}

/* Is the answer a message that we write? */
static bool
writes_message(const struct answer_options *options)
{
	return !options->pass && options->convert == NULL;
}

struct answer *
answer_new(const struct answer_options *options, struct buffer *out)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->out = out;
	a->options = *options;
	if (!writes_message(options))
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
		a->options.translator->reader_free(a->reader);
	a->reader = NULL;
	event_stream_free(a->events);
	a->events = NULL;
	passed_usage_free(a->passed_usage);
	a->passed_usage = NULL;
	buffer_free(&a->body);
	api_error_clear(&a->error);
}

int
answer_redirect(struct answer *a, const struct answer_options *options)
{
	bool started = a->writer != NULL && claude_writer_started(a->writer);

	/* What reads the answer that failed belongs to the service that gave it. */
	end_transfer(a);
	a->refused = false;
	a->options = *options;
	if (!writes_message(options)) {
		/* A stream that was begun goes on, whoever brings the rest. */
		if (!started) {
			claude_writer_free(a->writer);
			a->writer = NULL;
		}
		return 0;
	}
	if (a->writer != NULL)
		return claude_writer_redirect(
			a->writer, options->translator->kind, options->hide_thinking);
	a->writer = new_writer(options, a->out);
	return a->writer != NULL ? 0 : -1;
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
	a->refused = false;
	a->skips_start = a->options.pass && a->writer != NULL;
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
	if (a->options.pass)
		a->form = FORM_PASSED;
	else if (a->options.convert != NULL && (status == 200 || is_missing_endpoint(status)))
		a->form = FORM_CONVERTED;
	else if (status != 200)
		a->form = FORM_ERROR;
	else if (events)
		a->form = FORM_EVENTS;
	if (a->form == FORM_PASSED && a->options.counts_usage && status == 200)
		a->passed_usage = passed_usage_new(events);
	/* Any other content type may be wrong: the first bytes decide. */
}

/* ---- events ---- */

static int
on_event(void *context, const char *data, size_t length)
{
	struct answer *a = context;

	if (a->options.translator->read_event(a->reader, data, length, &a->error) != 0) {
		failed(a);
		return -1;
	}
	if (claude_writer_is_stopped(a->writer))
		claude_writer_finish(a->writer, "end_turn", NULL);
	else if (!a->options.translator->is_over(a->reader))
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
	if (!a->options.stream && a->received > ANSWER_MAX_BODY)
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
		.names = a->options.tool_names,
		.identity = a->identity,
	};

	if (a->reader == NULL)
		a->reader = a->options.translator->reader_new(&context);
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
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8 */

	if (begins_with(text, length, mark)) {
		if (length < strlen(mark))
			return FORM_UNKNOWN;
		text += strlen(mark);
		length -= strlen(mark);
	}
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

/* The length of an event with the empty line behind it; 0: it is not whole yet. */
static size_t
event_length(const char *text, size_t length)
{
	const char *end = memmem(text, length, "\n\n", 2);
	const char *end_crlf = memmem(text, length, "\r\n\r\n", 4);

	if (end != NULL && (end_crlf == NULL || end < end_crlf))
		return (size_t)(end - text) + 2;
	return end_crlf != NULL ? (size_t)(end_crlf - text) + 4 : 0;
}

/* Our own message_start was sent while the upstream, or another before it, was silent. */
static enum answer_state
skip_start(struct answer *a, const char *bytes, size_t length)
{
	if (!a->passed_events)
		return bad_answer(a, "answered a request for a stream without one");
	if (a->body.length > MOST_ERROR_BODY || buffer_append(&a->body, bytes, length) != 0)
		return bad_answer(a, "began its stream with an event that is too long");
	size_t first = event_length(a->body.data, a->body.length);
	if (first == 0)
		return a->state;
	a->skips_start = false;
	size_t from = memmem(a->body.data, first, "message_start", 13) != NULL ? first : 0;
	a->passed_any = a->passed_any || from < a->body.length;
	buffer_append(a->out, a->body.data + from, a->body.length - from);
	return a->state;
}

static enum answer_state
feed_passed(struct answer *a, const char *bytes, size_t length)
{
	if (is_refusal(a)) {
		/* It may quote the key: it is looked through when it is whole. */
		if (buffer_append(&a->body, bytes, length) != 0)
			return bad_answer(a, "sent more than 64 MiB");
		return a->state;
	}
	if (a->passed_usage != NULL)
		passed_usage_feed(a->passed_usage, bytes, length);
	if (a->skips_start)
		return skip_start(a, bytes, length);
	a->passed_any = true;
	buffer_append(a->out, bytes, length);
	return a->state;
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
		return feed_passed(a, bytes, length);
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
	if (a->options.translator->read_end(a->reader, complete, &a->error) != 0) {
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
	if (a->options.translator->read_message(
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
		upstream_error_from_status(a->status, a->retry_after, buffer_text(&a->body),
			a->body.length, a->identity, &a->error);
		a->refused = true;
		return failed(a);
	}
	if (a->skips_start)
		return bad_answer(a, "sent a stream without an answer in it");
	a->state = ANSWER_DONE;
	return a->state;
}

bool
answer_pass_refusal(struct answer *a)
{
	if (!a->refused || answer_started(a))
		return false;
	a->passed_any = true;
	secret_redact(a->out, buffer_text(&a->body), a->body.length, a->identity->key,
		a->identity->secrets);
	a->state = ANSWER_DONE;
	return true;
}

static enum answer_state
end_converted(struct answer *a, bool complete)
{
	if (!complete)
		return bad_answer(a, "broke off its answer");
	if (a->options.convert(a->options.convert_context, a->status, buffer_text(&a->body),
		    a->body.length, a->out, &a->error) != 0)
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
	/* An attempt that failed may be followed by another. */
	if (a->state != ANSWER_DONE && a->writer != NULL && !a->passed_any)
		claude_writer_ping(a->writer);
}

bool
answer_write_error(struct answer *a, const struct api_error *error)
{
	if (a->writer != NULL && !a->passed_any) {
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
	return a->passed_any || (a->writer != NULL && claude_writer_started(a->writer));
}

bool
answer_has_content(const struct answer *a)
{
	return a->passed_any || (a->writer != NULL && claude_writer_has_content(a->writer));
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
answer_usage(struct answer *a)
{
	static const struct claude_usage none;

	if (a->passed_usage != NULL)
		return passed_usage_end(a->passed_usage);
	return a->writer != NULL ? claude_writer_usage_told(a->writer) : &none;
}

const char *
answer_stop_reason(const struct answer *a)
{
	if (a->passed_usage != NULL)
		return passed_usage_stop_reason(a->passed_usage);
	return a->writer != NULL ? claude_writer_stop_reason(a->writer) : NULL;
}

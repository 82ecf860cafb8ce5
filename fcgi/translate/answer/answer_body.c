/*
 * The body of one transfer as an answer: what it is, and what its bytes become; see answer.h.
 */
#include <string.h>
#include <strings.h>

#include "base/json/json.h"
#include "translate/answer/answer_steps.h"
#include "translate/passed/passed_message.h"
#include "translate/passed/passed_stream.h"
#include "translate/answer/event_stream.h"
#include "translate/answer/reader.h"
#include "translate/translator.h"

enum {
	MOST_ERROR_BODY = 64 << 10, /* bytes of an error's body that are read */
	MOST_HEAD = 512, /* bytes that are kept of a stream, to be quoted if nothing in it makes
			    sense */
};

static const char too_large[] = "sent more than 16 MiB"; /* ANSWER_MAX_BODY */

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
		what, buffer_text(&a->body), a->body.length, a->error_context, &a->error);
	return failed(a);
}

/* Can a client use an answer of this status as it is?  A message comes with 200; 1xx and 3xx, and
 * what is no status of HTTP, are of no use. */
static bool
is_final(const struct answer *a, int status)
{
	if (a->options.message && status < 400)
		return status == 200;
	return (status >= 200 && status < 300) || (status >= 400 && status < 600);
}

void
answer_head(struct answer *a, int status, const char *content_type, int64_t retry_after)
{
	bool events = content_type != NULL &&
		      strncasecmp(content_type, "text/event-stream", 17) == 0;

	a->status = status;
	a->retry_after = retry_after;
	if (!a->passed_any)
		a->passed_events = events;
	if (a->options.pass && is_final(a, status) && !(a->options.message && status == 200))
		a->form = FORM_PASSED;
	else if (a->options.convert != NULL)
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

	if (reader_read_event(a->reader, data, length, &a->error) != 0) {
		failed(a);
		return -1;
	}
	if (claude_writer_is_stopped(a->writer))
		claude_writer_finish(a->writer, "end_turn", NULL);
	else if (!reader_is_over(a->reader))
		return 0;
	a->state = ANSWER_DONE;
	return -1;
}

/* What the client got of a stream that is passed through. */
static void
note_passed(struct answer *a, size_t written)
{
	a->passed_any = a->passed_any || written > 0;
	a->passed_events = a->passed_any;
	a->passed_start = a->passed_start || passed_stream_has_begun(a->passed_stream);
	a->passed_content = a->passed_content || passed_stream_has_content(a->passed_stream);
}

static enum answer_state
feed_passed_stream(struct answer *a, const char *bytes, size_t length)
{
	size_t before = a->out->length;

	if (!a->options.stream)
		return bad_answer(a, "streamed its answer although no stream was requested");
	int status = passed_stream_feed(a->passed_stream, bytes, length, &a->error);
	note_passed(a, a->out->length - before);
	if (status != 0)
		return failed(a);
	if (passed_stream_is_over(a->passed_stream))
		a->state = ANSWER_DONE;
	return a->state;
}

static enum answer_state
feed_events(struct answer *a, const char *bytes, size_t length)
{
	if (a->body.length < MOST_HEAD)
		buffer_append(&a->body, bytes, length < MOST_HEAD ? length : MOST_HEAD);
	a->received += length;
	if (a->options.pass)
		return feed_passed_stream(a, bytes, length);
	if (!a->options.stream && a->received > ANSWER_MAX_BODY)
		return bad_answer(a, too_large);
	event_stream_feed(a->events, bytes, length);
	if (event_stream_overflowed(a->events))
		return bad_answer(a, "sent an event of more than 8 MiB");
	return a->state;
}

/* ---- which form ---- */

static int
prepare_reader(struct answer *a)
{
	const struct reader_context context = {
		.writer = a->writer,
		.names = a->options.tool_names,
		.error_context = a->error_context,
	};

	if (a->reader == NULL)
		a->reader = reader_new(a->options.translator->reader, &context);
	if (a->events == NULL && a->form == FORM_EVENTS)
		a->events = event_stream_new(on_event, a);
	return a->reader != NULL && (a->events != NULL || a->form != FORM_EVENTS) ? 0 : -1;
}

/* Did the client get a message_start, of whichever upstream? */
static bool
start_told(const struct answer *a)
{
	return a->passed_start || (a->writer != NULL && claude_writer_started(a->writer));
}

static int
prepare_passed(struct answer *a)
{
	if (a->form != FORM_EVENTS || a->passed_stream != NULL)
		return 0;
	a->passed_stream = passed_stream_new(a->out, a->error_context, start_told(a));
	return a->passed_stream != NULL ? 0 : -1;
}

static int
prepare(struct answer *a)
{
	if ((a->options.pass ? prepare_passed(a) : prepare_reader(a)) == 0)
		return 0;
	api_error_no_memory(&a->error);
	failed(a);
	return -1;
}

static bool
begins_with(const char *text, size_t length, const char *start)
{
	size_t n = strlen(start);

	return strncmp(text, start, length < n ? length : n) == 0;
}

/* What the first bytes, which are not blank, look like; FORM_UNKNOWN while they do not tell. */
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
	if (length == 0)
		return FORM_UNKNOWN;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (begins_with(text, length, fields[i]))
			return length >= strlen(fields[i]) ? FORM_EVENTS : FORM_UNKNOWN;
	return FORM_MESSAGE;
}

static size_t
blanks_at_start(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length &&
		(text[n] == ' ' || text[n] == '\t' || text[n] == '\r' || text[n] == '\n'))
		n++;
	return n;
}

/* White space before the answer means nothing in either form, and is not kept: no piece is looked
 * at twice, however many come. */
static enum answer_state
feed_unknown(struct answer *a, const char *bytes, size_t length)
{
	size_t blanks = a->body.length == 0 ? blanks_at_start(bytes, length) : 0;

	a->received += blanks;
	if (a->received > ANSWER_MAX_BODY ||
		buffer_append(&a->body, bytes + blanks, length - blanks) != 0)
		return bad_answer(a, too_large);
	a->form = form_of(buffer_text(&a->body), a->body.length);
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

static enum answer_state
feed_passed(struct answer *a, const char *bytes, size_t length)
{
	if (is_refusal(a)) {
		/* It may quote the key, which is redacted once it is whole. */
		if (buffer_append(&a->body, bytes, length) != 0)
			return bad_answer(a, too_large);
		return a->state;
	}
	a->passed_any = a->passed_content = true;
	buffer_append(a->out, bytes, length);
	return a->state;
}

/* Only the beginning of an error's body says anything. */
static void
keep_error(struct answer *a, const char *bytes, size_t length)
{
	size_t room = a->body.length < MOST_ERROR_BODY ? MOST_ERROR_BODY - a->body.length : 0;

	buffer_append(&a->body, bytes, length < room ? length : room);
}

static enum answer_state
feed_whole(struct answer *a, const char *bytes, size_t length)
{
	if (buffer_append(&a->body, bytes, length) == 0)
		return a->state;
	a->body.length = 0;
	return bad_answer(a, too_large);
}

/* An event stream by its content type, which an error may have as well. */
static bool
is_whole_json(const struct answer *a, const char *bytes)
{
	return a->form == FORM_EVENTS && a->received == 0 && (*bytes == '{' || *bytes == '[');
}

enum answer_state
answer_feed(struct answer *a, const char *bytes, size_t length)
{
	if (a->state != ANSWER_OPEN || length == 0)
		return a->state;
	if (is_whole_json(a, bytes))
		a->form = FORM_MESSAGE;
	switch (a->form) {
	case FORM_ERROR:
		keep_error(a, bytes, length);
		return a->state;
	case FORM_PASSED:
		return feed_passed(a, bytes, length);
	case FORM_CONVERTED:
		if (a->status == 200)
			return feed_whole(a, bytes, length);
		keep_error(a, bytes, length);
		return a->state;
	case FORM_MESSAGE:
		return feed_whole(a, bytes, length);
	case FORM_EVENTS:
		return prepare(a) == 0 ? feed_events(a, bytes, length) : a->state;
	case FORM_UNKNOWN:
		break;
	}
	return feed_unknown(a, bytes, length);
}

bool
answer_wants_more(const struct answer *a)
{
	return a->form != FORM_ERROR || a->body.length < MOST_ERROR_BODY;
}

/* ---- the end ---- */

/* Set what the client is told of an error.  False if the body may be passed on instead. */
static bool
translate_error(struct answer *a)
{
	return upstream_error_from_status(a->status, a->retry_after, buffer_text(&a->body),
		a->body.length, a->error_context, &a->error);
}

static enum answer_state
end_passed_stream(struct answer *a, bool complete)
{
	size_t before = a->out->length;
	int status = passed_stream_end(a->passed_stream, complete, &a->error);

	note_passed(a, a->out->length - before);
	if (status != 0)
		return failed(a);
	a->state = ANSWER_DONE;
	return a->state;
}

static enum answer_state
end_events(struct answer *a, bool complete)
{
	if (a->options.pass)
		return end_passed_stream(a, complete);
	event_stream_end(a->events);
	if (a->state != ANSWER_OPEN)
		return a->state;
	if (event_stream_overflowed(a->events))
		return bad_answer(a, "sent an event of more than 8 MiB");
	if (reader_read_end(a->reader, complete, &a->error) != 0) {
		/* If nothing in it made sense, the client should see what came. */
		if (complete && !claude_writer_has_content(a->writer) && a->error.status == 502 &&
			a->body.length > 0 && !claude_writer_started(a->writer)) {
			api_error_clear(&a->error);
			return bad_answer(a, "sent a stream that contained no answer");
		}
		return failed(a);
	}
	a->state = ANSWER_DONE;
	return a->state;
}

static enum answer_state
end_passed_message(struct answer *a)
{
	if (passed_message_check(buffer_text(&a->body), a->body.length, a->error_context,
		    &a->passed_usage, &a->error) != 0)
		return failed(a);
	a->played = a->options.stream;
	if (a->played)
		passed_message_play(a->out, buffer_text(&a->body), a->body.length, start_told(a));
	else
		buffer_move(a->out, &a->body);
	a->passed_any = a->passed_content = true;
	a->state = ANSWER_DONE;
	return a->state;
}

static enum answer_state
end_message(struct answer *a, bool complete)
{
	if (!complete)
		return bad_answer(a, "broke off its answer");
	if (a->options.pass)
		return end_passed_message(a);
	if (prepare(a) != 0)
		return a->state;
	if (reader_read_message(a->reader, buffer_text(&a->body), a->body.length, &a->error) != 0)
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
		a->refused = !translate_error(a);
		return failed(a);
	}
	a->state = ANSWER_DONE;
	return a->state;
}

static enum answer_state
end_converted(struct answer *a, bool complete)
{
	if (!complete)
		return bad_answer(a, "broke off its answer");
	if (a->status != 200)
		translate_error(a);
	if (a->options.convert(a->options.convert_context, a->status, buffer_text(&a->body),
		    a->body.length, a->out, &a->error) != 0)
		return failed(a);
	api_error_clear(&a->error);
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
		translate_error(a);
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

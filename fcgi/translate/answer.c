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
#include "translate/claude/passed_message.h"
#include "translate/claude/passed_stream.h"
#include "translate/claude/passed_usage.h"
#include "translate/event_stream.h"
#include "translate/translator.h"

enum {
	MOST_ERROR_BODY = 64 << 10, /* bytes of an error's body that are read */
	MOST_HEAD = 512, /* bytes that are kept of a stream, to be quoted if nothing in it makes
			    sense */
};

static const char too_large[] = "sent more than 16 MiB"; /* ANSWER_MAX_BODY */

/* What the body is. */
enum form { FORM_UNKNOWN, FORM_ERROR, FORM_MESSAGE, FORM_EVENTS, FORM_PASSED, FORM_CONVERTED };

struct answer {
	struct answer_options options;
	struct claude_writer *writer; /* NULL: the answer is no message that we write */
	struct buffer *out;
	bool passed_any;     /* bytes were passed on */
	bool passed_events;  /* … of an event stream, or are about to be */
	bool passed_start;   /* among them a message_start */
	bool passed_content; /* what another answer could not follow */
	enum answer_state state;
	struct api_error error;

	/* The transfer under way. */
	const struct error_context *error_context;
	int status;
	int64_t retry_after;
	enum form form;
	struct reader *reader;
	struct event_stream *events;
	struct passed_stream *passed_stream;
	struct passed_usage passed_usage; /* of a whole message */
	bool played;        /* what is passed is a message, as the stream that was asked for */
	bool refused;       /* what would be passed is a whole refusal */
	struct buffer body; /* of an error or a whole message; of a stream the start */
	size_t received;    /* bytes */
};

static const char *
origin_of(const struct answer_options *options)
{
	return options->origin != NULL ? options->origin : options->translator->kind;
}

static struct claude_writer_options
writer_options_of(const struct answer_options *options)
{
	return (struct claude_writer_options){
		.model = options->model,
		.kind = origin_of(options),
		.stream = options->stream,
		.hide_thinking = options->hide_thinking,
		.estimated_input_tokens = options->estimated_input_tokens,
		.stop_sequences = options->stop_sequences,
		.searches = options->searches,
	};
}

static struct claude_writer *
new_writer(const struct answer_options *options, struct buffer *out)
{
	const struct claude_writer_options writer = writer_options_of(options);

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
	passed_stream_free(a->passed_stream);
	a->passed_stream = NULL;
	buffer_free(&a->body);
	api_error_clear(&a->error);
}

/* A writer of its own for the next upstream's message, which goes on where others began. */
static int
renew_writer(struct answer *a)
{
	claude_writer_free(a->writer);
	a->writer = new_writer(&a->options, a->out);
	if (a->writer == NULL)
		return -1;
	if (a->passed_start)
		claude_writer_resume(a->writer);
	return 0;
}

/* The writer goes on for the next upstream, or the next turn. */
static int
keep_writer(struct answer *a,
	int (*go_on)(struct claude_writer *, const struct claude_writer_options *))
{
	const struct claude_writer_options options = writer_options_of(&a->options);

	return go_on(a->writer, &options);
}

int
answer_switch_upstream(struct answer *a, const struct answer_options *options)
{
	bool started = a->writer != NULL &&
		       (claude_writer_started(a->writer) || claude_writer_has_turns(a->writer));

	/* What reads the answer that failed belongs to the service that gave it. */
	end_transfer(a);
	a->refused = false;
	a->options = *options;
	if (writes_message(options))
		return started ? keep_writer(a, claude_writer_redirect) : renew_writer(a);
	/* A stream that was begun goes on, whoever brings the rest. */
	if (!started) {
		claude_writer_free(a->writer);
		a->writer = NULL;
	}
	return 0;
}

bool
answer_waits(const struct answer *a)
{
	return a->state == ANSWER_DONE && a->writer != NULL && claude_writer_waits(a->writer);
}

struct claude_writer *
answer_writer(struct answer *a)
{
	return a->writer;
}

int
answer_next_turn(struct answer *a, const struct answer_options *options)
{
	end_transfer(a);
	a->options = *options;
	return keep_writer(a, claude_writer_next_turn);
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
answer_begin(struct answer *a, const struct error_context *error_context)
{
	end_transfer(a);
	a->error_context = error_context;
	a->state = ANSWER_OPEN;
	a->status = 0;
	a->retry_after = 0;
	a->form = FORM_UNKNOWN;
	a->refused = false;
	a->played = false;
	a->passed_usage = (struct passed_usage){0};
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
		what, buffer_text(&a->body), a->body.length, a->error_context, &a->error);
	return failed(a);
}

/* May a client get an answer of this status as it is?  A message comes with 200; 1xx and 3xx, and
 * what is no status of HTTP, are none that a client of this service could use. */
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
		a->reader = a->options.translator->reader_new(&context);
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

/* What the first bytes, which are no blanks, look like; FORM_UNKNOWN while they do not tell. */
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

/* Blanks before the answer mean nothing in either form, and are not kept: no piece of it is looked
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
		/* It may quote the key: it is looked through when it is whole. */
		if (buffer_append(&a->body, bytes, length) != 0)
			return bad_answer(a, too_large);
		return a->state;
	}
	a->passed_any = a->passed_content = true;
	buffer_append(a->out, bytes, length);
	return a->state;
}

/* Of an error's body only the beginning says anything. */
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
	if (a->options.translator->read_end(a->reader, complete, &a->error) != 0) {
		/* Where nothing of it could be read, the client should see what came. */
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
		a->refused = !upstream_error_from_status(a->status, a->retry_after,
			buffer_text(&a->body), a->body.length, a->error_context, &a->error);
		return failed(a);
	}
	a->state = ANSWER_DONE;
	return a->state;
}

void
answer_copy_refusal(const struct answer *a, struct buffer *out)
{
	buffer_append(out, buffer_text(&a->body), a->body.length);
}

bool
answer_pass_refusal(struct answer *a)
{
	if (!a->refused || answer_started(a))
		return false;
	a->passed_any = true;
	secret_redact(a->out, buffer_text(&a->body), a->body.length, a->error_context->key,
		a->error_context->secrets);
	a->state = ANSWER_DONE;
	return true;
}

static enum answer_state
end_converted(struct answer *a, bool complete)
{
	if (!complete)
		return bad_answer(a, "broke off its answer");
	if (a->status != 200)
		upstream_error_from_status(a->status, a->retry_after, buffer_text(&a->body),
			a->body.length, a->error_context, &a->error);
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
		upstream_error_from_status(a->status, a->retry_after, buffer_text(&a->body),
			a->body.length, a->error_context, &a->error);
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
	if ((a->state != ANSWER_DONE || answer_waits(a)) && a->writer != NULL && !a->options.pass)
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
	/* What was passed unread may have ended inside a line: whatever that was, this event is an
	 * error. */
	buffer_puts(a->out, a->options.message ? "event: error\ndata: " : "\nevent: error\ndata: ");
	api_error_write(error, NULL, a->out);
	buffer_puts(a->out, "\n\n");
	return true;
}

bool
answer_passes(const struct answer *a)
{
	return a->options.pass && !a->played;
}

bool
answer_started(const struct answer *a)
{
	return a->passed_any || (a->writer != NULL && claude_writer_started(a->writer));
}

bool
answer_has_content(const struct answer *a)
{
	if (a->passed_content)
		return true;
	/* A whole message is given to the client at its end. */
	return a->writer != NULL && (a->options.stream ? claude_writer_has_content(a->writer)
						       : claude_writer_ended(a->writer));
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

/* What a message that is passed through told; NULL: it is none. */
static const struct passed_usage *
passed_usage_of(const struct answer *a)
{
	if (!a->options.pass || !a->options.message)
		return NULL;
	return a->passed_stream != NULL ? passed_stream_usage(a->passed_stream) : &a->passed_usage;
}

const struct claude_usage *
answer_usage(const struct answer *a)
{
	static const struct claude_usage none;
	const struct passed_usage *passed = passed_usage_of(a);

	if (passed != NULL)
		return &passed->usage;
	return a->writer != NULL ? claude_writer_usage_told(a->writer) : &none;
}

const char *
answer_stop_reason(const struct answer *a)
{
	const struct passed_usage *passed = passed_usage_of(a);

	if (passed != NULL)
		return passed->stop_reason[0] != '\0' ? passed->stop_reason : NULL;
	return a->writer != NULL ? claude_writer_stop_reason(a->writer) : NULL;
}

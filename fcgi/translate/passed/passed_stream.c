/*
 * A Claude event stream that is passed through; see passed_stream.h.
 *
 * Events go on as the bytes that came, each when it is whole.  Before message_start only pings and
 * comments do: other events are set aside, to be quoted if no message follows.
 */
#include "translate/passed/passed_stream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "translate/passed/passed_usage.h"
#include "translate/answer/event_stream.h"
#include "translate/answer/upstream_error.h"

enum {
	MOST_BEFORE_START = 64 << 10, /* bytes that are kept of what precedes message_start */
	MOST_HELD = EVENT_STREAM_MAX_EVENT + MOST_BEFORE_START,
};

enum kind { OTHER, PING, START, CONTENT, DELTA, STOP, FAILURE };

static const struct {
	const char *type;
	enum kind kind;
} kinds[] = {
	{"ping", PING},
	{"message_start", START},
	{"content_block_start", CONTENT},
	{"content_block_delta", CONTENT},
	{"message_delta", DELTA},
	{"message_stop", STOP},
	{"error", FAILURE},
};

struct passed_stream {
	struct buffer *out;
	const struct error_context *error_context;
	struct event_stream *events;
	struct json_document index; /* of an event */
	struct passed_usage usage;
	bool skips_start;
	bool begun;
	bool has_content;
	bool over;

	struct buffer foreign; /* events before message_start that are not Claude's */
	struct buffer held;    /* the bytes of an event that came in part, or empty lines */
	bool holds_colon;      /* they are more than empty lines */
	const char *fed;       /* the bytes that are being fed */
	size_t done;           /* how many of them were passed on, held or left out */
	bool ending;           /* the body has ended, perhaps inside an event */
	bool failed;
	struct api_error *error; /* of the caller, for on_event; valid while bytes are fed */
};

static int on_event(void *context, const char *data, size_t length);

struct passed_stream *
passed_stream_new(struct buffer *out, const struct error_context *error_context, bool skips_start)
{
	struct passed_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->out = out;
	s->error_context = error_context;
	s->skips_start = skips_start;
	s->foreign = BUFFER_INIT(MOST_BEFORE_START);
	s->held = BUFFER_INIT(MOST_HELD);
	s->events = event_stream_new(on_event, s);
	if (s->events != NULL)
		return s;
	free(s);
	return NULL;
}

void
passed_stream_free(struct passed_stream *s)
{
	if (s == NULL)
		return;
	event_stream_free(s->events);
	json_document_free(&s->index);
	buffer_free(&s->foreign);
	buffer_free(&s->held);
	free(s);
}

/* ---- bytes ---- */

/* Hold what is fed, up to ${end}. */
static void
hold(struct passed_stream *s, size_t end)
{
	buffer_append(&s->held, s->fed + s->done, end - s->done);
	s->done = end;
}

static void
empty_held(struct passed_stream *s)
{
	buffer_clear(&s->held);
	s->holds_colon = false;
}

/* Leave out what is fed, up to ${end}, and what was held back. */
static void
leave_out(struct passed_stream *s, size_t end)
{
	empty_held(s);
	s->done = end;
}

/* Set it aside instead. */
static void
set_aside(struct passed_stream *s, size_t end)
{
	hold(s, end);
	buffer_append(&s->foreign, buffer_text(&s->held), s->held.length);
	empty_held(s);
}

/* The end of the line at ${at}, without what ends it. */
static const char *
line_end(const char *at, const char *end)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));
	const char *cr = memchr(at, '\r', (size_t)((lf != NULL ? lf : end) - at));

	return cr != NULL ? cr : lf != NULL ? lf : end;
}

/* Where the line after that one begins. */
static const char *
next_line(const char *at, const char *end)
{
	at = line_end(at, end);
	at += at < end;
	return at + (at < end && at[-1] == '\r' && *at == '\n');
}

#define BEGINS_WITH(at, end, literal)                                                              \
	((size_t)((end) - (at)) >= sizeof(literal) - 1 &&                                          \
		memcmp((at), (literal), sizeof(literal) - 1) == 0)

/*
 * Does a line name the event that ends at ${end}?  Else ${begin} is where its lines begin: what
 * precedes them are events without data, comments and empty lines.
 */
static bool
is_named(const char *raw, const char *end, const char **begin)
{
	bool named = false;

	*begin = raw;
	/* Nearly all are a name and the data. */
	if (BEGINS_WITH(raw, end, "event:") && BEGINS_WITH(next_line(raw, end), end, "data:"))
		return true;
	for (const char *at = raw, *next; at < end; at = next) {
		next = next_line(at, end);
		if ((*at == '\n' || *at == '\r') && next < end) {
			*begin = next;
			named = false;
		}
		named = named || BEGINS_WITH(at, end, "event:");
	}
	return named;
}

static void
write_event(struct passed_stream *s, const char *raw, size_t length, const struct json *type)
{
	const char *end = raw + length;
	const char *begin;

	if (type != NULL && !is_named(raw, end, &begin)) {
		buffer_append(s->out, raw, (size_t)(begin - raw));
		buffer_puts(s->out, "event: ");
		buffer_append(s->out, json_content(type), json_content_length(type));
		buffer_putc(s->out, '\n');
		raw = begin;
	}
	buffer_append(s->out, raw, (size_t)(end - raw));
}

/* Pass on what is fed, up to ${end}, after what was held back; an event of that ${type} (may be
 * NULL). */
static void
pass_on(struct passed_stream *s, size_t end, const struct json *type)
{
	if (s->held.length == 0) {
		write_event(s, s->fed + s->done, end - s->done, type);
		s->done = end;
		return;
	}
	hold(s, end);
	write_event(s, s->held.data, s->held.length, type);
	empty_held(s);
}

/* ---- events ---- */

/* What most events are, known without being read as JSON: NULL, if it is another. */
static const struct json *
usual_type(const char *data, size_t length)
{
	static const char start[] = "{\"type\":\"content_block_delta\"";
	enum { MEMBER_LENGTH = sizeof("{\"type\":") - 1 };
	static const struct json type = {
		.text = start + MEMBER_LENGTH,
		.length = sizeof(start) - 1 - MEMBER_LENGTH,
		.kind = JSON_STRING,
	};

	return length > sizeof(start) && memcmp(data, start, sizeof(start) - 1) == 0 ? &type : NULL;
}

static enum kind
kind_of(const struct json *value, const struct json *type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (json_is_text(type, kinds[i].type))
			return kinds[i].kind;
	return upstream_error_is(value) ? FAILURE : OTHER;
}

static int
fail(struct passed_stream *s, const struct json *value)
{
	s->failed = true;
	upstream_error_from_object(value, s->error_context, s->error);
	return -1;
}

/* Take an event that is JSON, and a ping or part of a message that has begun. */
static void
take(struct passed_stream *s, enum kind kind, const struct json *value, const struct json *type)
{
	size_t end = event_stream_position(s->events);
	bool skipped = kind == START && s->skips_start;

	s->begun = s->begun || kind == START;
	s->has_content = s->has_content || kind == CONTENT;
	s->over = kind == STOP;
	if (kind == START) {
		buffer_free(&s->foreign);
		passed_usage_take(&s->usage, json_member(value, "message"));
	} else if (kind == DELTA) {
		passed_usage_take(&s->usage, value);
	}
	if (skipped)
		leave_out(s, end);
	else
		pass_on(s, end, type);
}

static int
on_event(void *context, const char *data, size_t length)
{
	struct passed_stream *s = context;
	const struct json *value = NULL;
	const struct json *type = usual_type(data, length);
	enum kind kind = CONTENT;

	if (type == NULL || s->ending) {
		value = json_read(&s->index, data, length, JSON_MAX_ANSWER_VALUES, NULL);
		type = json_member_string(value, "type");
		kind = kind_of(value, type);
	}
	if (kind == FAILURE)
		return fail(s, value);
	if (s->ending && value == NULL)
		return 0;
	if (!s->begun && kind != START && kind != PING)
		set_aside(s, event_stream_position(s->events));
	else
		take(s, kind, value, type);
	json_document_trim(&s->index);
	return s->over ? -1 : 0;
}

/* ---- the body ---- */

/* The upstream sent what is no Claude message; the start of it is quoted. */
static int
bad_stream(struct passed_stream *s, const char *what, struct api_error *error)
{
	s->failed = true;
	if (s->foreign.length == 0)
		buffer_append(&s->foreign, buffer_text(&s->held), s->held.length);
	return upstream_error_bad_answer(
		what, buffer_text(&s->foreign), s->foreign.length, s->error_context, error);
}

/* What could not be taken, as the bytes that were fed show. */
static int
check(struct passed_stream *s, struct api_error *error)
{
	if (s->failed)
		return -1;
	if (event_stream_overflowed(s->events) || s->held.failed) {
		buffer_free(&s->held);
		return bad_stream(s, "sent an event of more than 8 MiB", error);
	}
	if (s->foreign.failed)
		return bad_stream(
			s, "began its stream with something that is not a message", error);
	return 0;
}

/* What follows the last event is the beginning of another, or else comments, which go on at once:
 * they show that the service is alive.  Empty lines show nothing, and wait for them. */
static void
pass_comments(struct passed_stream *s, size_t end)
{
	/* Nothing follows the last event but the second half of its CR LF. */
	if (s->over) {
		if (s->done < end && s->fed[s->done] == '\n')
			pass_on(s, s->done + 1, NULL);
		return;
	}
	s->holds_colon = s->holds_colon || memchr(s->fed + s->done, ':', end - s->done) != NULL;
	hold(s, end);
	if (event_stream_is_between(s->events) && (s->begun || s->holds_colon))
		pass_on(s, end, NULL);
}

int
passed_stream_feed(
	struct passed_stream *s, const char *bytes, size_t length, struct api_error *error)
{
	if (s->over)
		return 0;
	s->error = error;
	s->fed = bytes;
	s->done = 0;
	event_stream_feed(s->events, bytes, length);
	if (s->failed)
		return -1;
	pass_comments(s, length);
	return check(s, error);
}

/* The last event came without its empty line. */
static void
end_line(struct passed_stream *s)
{
	size_t before = s->out->length;

	event_stream_end(s->events);
	if (s->out->length > before)
		buffer_puts(s->out, "\n\n");
}

int
passed_stream_end(struct passed_stream *s, bool complete, struct api_error *error)
{
	static const char stop[] = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

	if (s->over)
		return 0;
	s->error = error;
	s->fed = "";
	s->done = 0;
	s->ending = true;
	end_line(s);
	if (check(s, error) != 0)
		return -1;
	if (!s->begun && complete)
		return bad_stream(s, "sent a stream that contained no message", error);
	if (!s->over && s->usage.stop_reason[0] == '\0') {
		buffer_free(&s->held);
		return bad_stream(s, "broke off its answer", error);
	}
	if (!s->over)
		buffer_puts(s->out, stop);
	s->over = true;
	return 0;
}

bool
passed_stream_is_over(const struct passed_stream *s)
{
	return s->over;
}

bool
passed_stream_has_begun(const struct passed_stream *s)
{
	return s->begun;
}

bool
passed_stream_has_content(const struct passed_stream *s)
{
	return s->has_content;
}

const struct passed_usage *
passed_stream_usage(const struct passed_stream *s)
{
	return &s->usage;
}

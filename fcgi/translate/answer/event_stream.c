/*
 * The parser of an upstream's event stream; see event_stream.h.
 *
 * Bytes are looked at once.  A line that lies whole in what was fed is used where it is; only a
 * line that is cut between two feeds is copied together.
 */
#include "translate/answer/event_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

struct event_stream {
	event_stream_handler *handler;
	void *context;
	struct buffer line; /* the beginning of a line whose end has not come */
	struct buffer data; /* the data lines of the event so far, joined by LF */
	size_t position;    /* of the line that was taken last, its end included, in what is fed */
	bool has_data;
	bool bare;     /* the data is JSON without a field's name before it */
	bool inside;   /* the last line was not empty */
	bool after_cr; /* the last byte was a CR: an LF now belongs to it */
	bool overflowed;
};

struct event_stream *
event_stream_new(event_stream_handler *handler, void *context)
{
	struct event_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->handler = handler;
	s->context = context;
	s->line = BUFFER_INIT(EVENT_STREAM_MAX_EVENT);
	s->data = BUFFER_INIT(EVENT_STREAM_MAX_EVENT);
	return s;
}

void
event_stream_free(struct event_stream *s)
{
	if (s == NULL)
		return;
	buffer_free(&s->line);
	buffer_free(&s->data);
	free(s);
}

static int
overflow(struct event_stream *s)
{
	s->overflowed = true;
	return -1;
}

/* An empty line: the event is whole. */
static int
dispatch(struct event_stream *s)
{
	if (!s->has_data)
		return 0;
	int status = s->handler(s->context, buffer_text(&s->data), s->data.length);
	buffer_clear(&s->data);
	s->has_data = false;
	s->bare = false;
	return status;
}

static int
add_data(struct event_stream *s, const char *line, size_t length)
{
	if (s->has_data && buffer_putc(&s->data, '\n') != 0)
		return overflow(s);
	s->has_data = true;
	return buffer_append(&s->data, line, length) == 0 ? 0 : overflow(s);
}

#define BEGINS_WITH(line, length, literal)                                                         \
	((length) >= sizeof(literal) - 1 && memcmp((line), (literal), sizeof(literal) - 1) == 0)

static int take_line(struct event_stream *s, const char *line, size_t length);

/*
 * A line that is no data.  It may be part of an object that a service wrote as it is, mostly an
 * error in the middle of a stream, on one line or on many; or have UTF-8's mark before it, which
 * belongs to the beginning of a stream, and of one that was appended to another.
 */
static int
take_other_line(struct event_stream *s, const char *line, size_t length)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t marks = 0;

	while (BEGINS_WITH(line + marks, length - marks, mark))
		marks += sizeof(mark) - 1;
	if (marks > 0)
		return take_line(s, line + marks, length - marks);
	if (line[0] != '{' && !s->bare)
		return 0;
	if (line[0] == ':' || BEGINS_WITH(line, length, "event:") ||
		BEGINS_WITH(line, length, "id:") || BEGINS_WITH(line, length, "retry:"))
		return 0;
	s->bare = true;
	return add_data(s, line, length);
}

static int
take_line(struct event_stream *s, const char *line, size_t length)
{
	static const char field[] = "data:";

	s->inside = length > 0;
	if (length == 0)
		return dispatch(s);
	if (!BEGINS_WITH(line, length, field))
		return take_other_line(s, line, length);
	line += sizeof(field) - 1;
	length -= sizeof(field) - 1;
	if (length > 0 && line[0] == ' ') {
		line++;
		length--;
	}
	return add_data(s, line, length);
}

/* The line's end is here: use it, with what came of it before. */
static int
end_line(struct event_stream *s, const char *bytes, size_t length)
{
	if (s->line.length == 0)
		return take_line(s, bytes, length);
	if (buffer_append(&s->line, bytes, length) != 0)
		return overflow(s);
	int status = take_line(s, s->line.data, s->line.length);
	buffer_clear(&s->line);
	return status;
}

/* An LF that follows a CR of the last feed belongs to it. */
static void
skip_split_lf(struct event_stream *s, const char **bytes, size_t *length)
{
	if (!s->after_cr || *length == 0)
		return;
	s->after_cr = false;
	if (**bytes == '\n') {
		(*bytes)++;
		(*length)--;
	}
}

int
event_stream_feed(struct event_stream *s, const char *bytes, size_t length)
{
	const char *begin = bytes;

	if (s->overflowed)
		return -1;
	skip_split_lf(s, &bytes, &length);
	const char *end = bytes + length;
	const char *lf = NULL; /* the next one, or the end: searched for once, not at every CR */
	while (bytes < end) {
		if (lf == NULL || lf < bytes)
			lf = memchr(bytes, '\n', (size_t)(end - bytes));
		if (lf == NULL)
			lf = end;
		const char *cr = memchr(bytes, '\r', (size_t)(lf - bytes));
		const char *line_end = cr != NULL ? cr : lf;
		if (line_end == end)
			break;
		const char *next = line_end + 1;
		s->after_cr = cr != NULL && next == end;
		if (cr != NULL && next < end && *next == '\n')
			next++;
		s->position = (size_t)(next - begin);
		if (end_line(s, bytes, (size_t)(line_end - bytes)) != 0)
			return -1;
		bytes = next;
	}
	return buffer_append(&s->line, bytes, (size_t)(end - bytes)) == 0 ? 0 : overflow(s);
}

int
event_stream_end(struct event_stream *s)
{
	s->position = 0;
	if (s->overflowed || (s->line.length > 0 && end_line(s, "", 0) != 0))
		return -1;
	return dispatch(s);
}

bool
event_stream_overflowed(const struct event_stream *s)
{
	return s->overflowed;
}

size_t
event_stream_position(const struct event_stream *s)
{
	return s->position;
}

bool
event_stream_is_between(const struct event_stream *s)
{
	return !s->inside && s->line.length == 0;
}

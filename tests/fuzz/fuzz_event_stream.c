/*
 * Any bytes as an event stream, cut anywhere: the events are those that a reader of the whole text
 * finds, which is written down here as the standard (WHATWG HTML §9.2) tells it; but an event that
 * the end cuts short counts, and so does an object without `data:`, and a mark of UTF-8 before any
 * line is skipped.
 */
#include "fuzz.h"

#include "translate/answer/event_stream.h"

/* Events one after the other, each closed by a byte that tells it from the next. */
static int
collect(void *context, const char *data, size_t length)
{
	struct buffer *events = context;

	buffer_append(events, data, length);
	return buffer_putc(events, '\0');
}

static void
read_cut(const char *text, size_t size, uint32_t seed, struct buffer *events)
{
	struct event_stream *stream = event_stream_new(collect, events);

	for (size_t at = 0, piece; at < size; at += piece) {
		piece = seed == 0 ? size : fuzz_cut(&seed, size - at);
		fuzz_check(event_stream_feed(stream, text + at, piece) == 0);
	}
	fuzz_check(event_stream_end(stream) == 0);
	fuzz_check(!event_stream_overflowed(stream));
	event_stream_free(stream);
}

struct plain_reader {
	struct buffer data;
	struct buffer *events;
	bool has_data;
	bool bare; /* the data is an object that no field's name preceded */
};

static bool
begins_with(const char *line, size_t length, const char *start)
{
	return length >= strlen(start) && memcmp(line, start, strlen(start)) == 0;
}

static bool
is_other_field(const char *line, size_t length)
{
	return begins_with(line, length, ":") || begins_with(line, length, "event:") ||
	       begins_with(line, length, "id:") || begins_with(line, length, "retry:");
}

static void
take_line(struct plain_reader *r, const char *line, size_t length)
{
	size_t skip = 0;

	for (; begins_with(line, length, "\xef\xbb\xbf"); length -= 3)
		line += 3;
	if (length == 0) {
		if (r->has_data)
			collect(r->events, buffer_text(&r->data), r->data.length);
		buffer_clear(&r->data);
		r->has_data = r->bare = false;
		return;
	}
	if (begins_with(line, length, "data:"))
		skip = begins_with(line, length, "data: ") ? 6 : 5;
	else if ((*line == '{' || r->bare) && !is_other_field(line, length))
		r->bare = true;
	else
		return;
	if (r->has_data)
		buffer_putc(&r->data, '\n');
	buffer_append(&r->data, line + skip, length - skip);
	r->has_data = true;
}

static void
read_plainly(const char *text, size_t size, struct buffer *events)
{
	struct plain_reader r = {.events = events};
	size_t begin = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] != '\r' && text[i] != '\n')
			continue;
		take_line(&r, text + begin, i - begin);
		i += text[i] == '\r' && i + 1 < size && text[i + 1] == '\n';
		begin = i + 1;
	}
	if (begin < size)
		take_line(&r, text + begin, size - begin);
	take_line(&r, "", 0);
	buffer_free(&r.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	uint32_t seed = fuzz_byte(&in) + 1;
	struct buffer plain = BUFFER_INIT(0);
	struct buffer whole = BUFFER_INIT(0);
	struct buffer cut = BUFFER_INIT(0);

	read_plainly(in.at, in.left, &plain);
	read_cut(in.at, in.left, 0, &whole);
	read_cut(in.at, in.left, seed, &cut);
	fuzz_check(fuzz_same(&plain, &whole));
	fuzz_check(fuzz_same(&whole, &cut));
	buffer_free(&plain);
	buffer_free(&whole);
	buffer_free(&cut);
	return 0;
}

/*
 * Any bytes as an event stream, cut anywhere: the events are those that a reader of the whole text
 * finds, which is written down here as the standard (WHATWG HTML §9.2) tells it.
 */
#include "fuzz.h"

#include "translate/event_stream.h"

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

static void
take_line(
	const char *line, size_t length, bool *has_data, struct buffer *data, struct buffer *events)
{
	static const char field[] = "data:";
	size_t skip = sizeof(field) - 1;

	if (length == 0) {
		if (*has_data)
			collect(events, buffer_text(data), data->length);
		buffer_clear(data);
		*has_data = false;
	} else if (length >= skip && memcmp(line, field, skip) == 0) {
		skip += length > skip && line[skip] == ' ';
		if (*has_data)
			buffer_putc(data, '\n');
		buffer_append(data, line + skip, length - skip);
		*has_data = true;
	}
}

/* As the standard has it, but that an event which the end cuts short counts. */
static void
read_plainly(const char *text, size_t size, struct buffer *events)
{
	struct buffer data = BUFFER_INIT(0);
	bool has_data = false;
	size_t begin = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] != '\r' && text[i] != '\n')
			continue;
		take_line(text + begin, i - begin, &has_data, &data, events);
		i += text[i] == '\r' && i + 1 < size && text[i + 1] == '\n';
		begin = i + 1;
	}
	if (begin < size)
		take_line(text + begin, size - begin, &has_data, &data, events);
	take_line("", 0, &has_data, &data, events);
	buffer_free(&data);
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

/*
 * A growing byte string with an upper bound; see buffer.h.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_CAPACITY = 256 };

static int
fail(struct buffer *b)
{
	b->failed = true;
	return -1;
}

static int
resize(struct buffer *b, size_t capacity)
{
	char *data = realloc(b->data, capacity);

	if (data == NULL)
		return fail(b);
	b->data = data;
	b->capacity = capacity;
	return 0;
}

/* Make room for ${length} more bytes and the NUL. */
static int
grow(struct buffer *b, size_t length)
{
	size_t most = b->limit != 0 ? b->limit : SIZE_MAX / 2;
	if (b->failed || length > most || b->length > most - length)
		return fail(b);

	size_t needed = b->length + length + 1;
	if (needed <= b->capacity)
		return 0;
	size_t capacity = b->capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : b->capacity;
	while (capacity < needed)
		capacity *= 2;
	/* Never beyond the limit: so what fits into the memory is allowed. */
	if (capacity > most + 1)
		capacity = most + 1;
	return resize(b, capacity);
}

int
buffer_allocate(struct buffer *b, size_t length)
{
	size_t most = b->limit != 0 ? b->limit : SIZE_MAX / 2;

	if (b->failed || length > most || b->length > most - length)
		return fail(b);
	return resize(b, b->length + length + 1);
}

void
buffer_fit(struct buffer *b)
{
	if (b->length == 0)
		buffer_free(b);
	else if (b->capacity > b->length + 1)
		resize(b, b->length + 1);
}

int
buffer_append_slowly(struct buffer *b, const void *data, size_t length)
{
	if (grow(b, length) != 0)
		return -1;
	if (length > 0)
		memcpy(b->data + b->length, data, length);
	b->length += length;
	b->data[b->length] = '\0';
	return 0;
}

int
buffer_put_uint(struct buffer *b, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return buffer_append(b, digits + at, sizeof(digits) - at);
}

int
buffer_printf(struct buffer *b, const char *format, ...)
{
	size_t room = b->capacity > b->length ? b->capacity - b->length : 0;
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(room > 0 ? b->data + b->length : NULL, room, format, arguments);
	va_end(arguments);
	if (length < 0 || grow(b, (size_t)length) != 0) {
		if (room > 0)
			b->data[b->length] = '\0'; /* a part of it is there */
		return fail(b);
	}
	if ((size_t)length >= room) {
		va_start(arguments, format);
		vsnprintf(b->data + b->length, (size_t)length + 1, format, arguments);
		va_end(arguments);
	}
	b->length += (size_t)length;
	return 0;
}

char *
buffer_reserve(struct buffer *b, size_t length)
{
	if (grow(b, length) != 0)
		return NULL;
	char *start = b->data + b->length;
	b->length += length;
	b->data[b->length] = '\0';
	return start;
}

int
buffer_move(struct buffer *to, struct buffer *from)
{
	bool failed = to->failed || from->failed;

	if (to->length == 0 && to->limit == 0) {
		free(to->data);
		*to = *from;
		*from = (struct buffer){.limit = from->limit};
		to->limit = 0;
	} else if (!failed) {
		failed = buffer_append(to, buffer_text(from), from->length) != 0;
	}
	buffer_free(from);
	to->failed = failed;
	return failed ? -1 : 0;
}

void
buffer_consume(struct buffer *b, size_t length)
{
	if (length > b->length)
		length = b->length;
	if (length == 0)
		return;
	b->length -= length;
	memmove(b->data, b->data + length, b->length + 1);
}

void
buffer_cut(struct buffer *b, size_t length)
{
	if (length >= b->length)
		return;
	b->length = length;
	b->data[length] = '\0';
}

void
buffer_clear(struct buffer *b)
{
	b->length = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

const char *
buffer_text(const struct buffer *b)
{
	return b->data != NULL ? b->data : "";
}

char *
buffer_take(struct buffer *b)
{
	char *data = NULL;

	if (!b->failed && grow(b, 0) == 0) {
		b->data[b->length] = '\0';
		data = b->data;
		b->data = NULL;
	}
	buffer_free(b);
	return data;
}

void
buffer_free(struct buffer *b)
{
	free(b->data);
	*b = BUFFER_INIT(b->limit);
}

/*
 * A growing byte string with an upper bound, for everything whose size a remote decides.
 *
 * Failure sticks: once an append did not fit into the limit or into memory, every later append
 * fails as well and ${failed} stays set, so a writer of many pieces may check once, at its end.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
	char *data;      /* ${length} bytes and a NUL; NULL until the first append */
	size_t length;   /* bytes in use */
	size_t capacity; /* bytes allocated */
	size_t limit;    /* most bytes it may hold; 0 if no limit */
	bool failed;     /* an append failed; the content is incomplete */
};

/** An empty buffer that may grow to ${limit} bytes (0 if no limit).  Allocates nothing. */
#define BUFFER_INIT(bytes) ((struct buffer){.limit = (bytes)})

/**
 * Append ${length} bytes.  Return 0, or -1 if the limit or the memory is exhausted; the buffer then
 * keeps what it had.
 */
static inline int buffer_append(struct buffer *b, const void *data, size_t length);

/** Append the NUL-terminated ${text}.  As buffer_append. */
static inline int buffer_puts(struct buffer *b, const char *text);

/** Append one byte.  As buffer_append. */
static inline int buffer_putc(struct buffer *b, char c);

/** Append ${number} in decimal; no printf on the path of a streamed event.  As buffer_append. */
int buffer_put_uint(struct buffer *, uint64_t number);

/** Append as printf does.  For messages, not for the path of a streamed event.  As buffer_append.
 */
int buffer_printf(struct buffer *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Make room for ${length} more bytes and return where they begin, or NULL as buffer_append fails.
 */
char *buffer_reserve(struct buffer *, size_t length);

/** The next ${length} bytes were written where the content ends, into memory that was there
 * (${capacity}), and with room for the NUL: they are content from now on. */
static inline void buffer_extend(struct buffer *b, size_t length);

/** Allocate just so much that ${length} more bytes fit.  As buffer_append. */
int buffer_allocate(struct buffer *, size_t length);

/** Give memory back that the content does not need. */
void buffer_fit(struct buffer *);

/** Append the content of ${from}, which is empty afterwards: moved, not copied, if ${to} is empty
 * and has no limit. */
int buffer_move(struct buffer *to, struct buffer *from);

/** Drop the first ${length} bytes (at most all of them). */
void buffer_consume(struct buffer *, size_t length);

/** Drop what follows the first ${length} bytes. */
void buffer_cut(struct buffer *, size_t length);

/** Empty it and forget a failure; the memory is kept for the next use. */
void buffer_clear(struct buffer *);

/** The content as a NUL-terminated text, "" when empty; valid until the next change. */
const char *buffer_text(const struct buffer *);

/**
 * Give the content away: a NUL-terminated string that the caller frees, or NULL if an append
 * failed. The buffer is empty afterwards.
 */
char *buffer_take(struct buffer *);

/** Free the memory; the buffer is empty and may be used again. */
void buffer_free(struct buffer *);

/* ---- inline, since the path of every streamed event is made of these ---- */

/** As buffer_append, where the bytes may not fit yet. */
int buffer_append_slowly(struct buffer *, const void *data, size_t length);

static inline int
buffer_append(struct buffer *b, const void *data, size_t length)
{
	/* There is room for the NUL, too; a buffer without memory has none. */
	if (length == 0 || b->failed || length >= b->capacity - b->length)
		return buffer_append_slowly(b, data, length);
	memcpy(b->data + b->length, data, length);
	b->length += length;
	b->data[b->length] = '\0';
	return 0;
}

static inline int
buffer_puts(struct buffer *b, const char *text)
{
	return buffer_append(b, text, strlen(text));
}

static inline int
buffer_putc(struct buffer *b, char c)
{
	return buffer_append(b, &c, 1);
}

static inline void
buffer_extend(struct buffer *b, size_t length)
{
	b->length += length;
	b->data[b->length] = '\0';
}

#endif

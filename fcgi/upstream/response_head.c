/*
 * The head of an upstream's response; see response_head.h.
 */
#include "upstream/response_head.h"

#include <string.h>
#include <strings.h>

enum {
	MOST_LINES = 1000,       /* of all heads and trailers of a response together */
	MOST_BYTES = 256 * 1024, /* of them; libcurl has such a bound for heads, not for trailers */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
ends_line(char c)
{
	return c == '\r' || c == '\n';
}

/* The line without its line break and the blanks around it. */
static void
trim(const char **line, size_t *length)
{
	while (*length > 0 && (ends_line((*line)[*length - 1]) || is_blank((*line)[*length - 1])))
		--*length;
	while (*length > 0 && is_blank(**line)) {
		++*line;
		--*length;
	}
}

/* The header after the one called ${name} (NULL: the first), and its ${value}; NULL: no more. */
static const char *
next_field(const struct response_head *h, const char *name, const char **value)
{
	const char *next = name != NULL ? *value + strlen(*value) + 1 : h->fields.data;

	if (h->fields.length == 0 || next >= h->fields.data + h->fields.length)
		return NULL;
	*value = next + strlen(next) + 1;
	return next;
}

static bool
is_one_of(const char *word, size_t length, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strlen(*words) == length && strncasecmp(word, *words, length) == 0)
			return true;
	return false;
}

/* Count the layers of compression that ${value} names.  Return 0, or -1 if it names another coding.
 */
static int
count_layers(const char *value, size_t *layers)
{
	static const char *const compressed[] = {"gzip", "x-gzip", "deflate", NULL};
	static const char *const plain[] = {"identity", "none", "chunked", NULL};

	for (;;) {
		value += strspn(value, ", \t");
		size_t length = strcspn(value, ", \t");
		if (length == 0)
			return 0;
		if (is_one_of(value, length, compressed))
			++*layers;
		else if (!is_one_of(value, length, plain))
			return -1;
		value += length;
	}
}

/*
 * One layer of gzip or deflate is what was asked for (transfer.c).  libcurl would decode others,
 * too: brotli and zstd take megabytes for each stream, and what decodes to nothing through several
 * layers takes time without end.
 */
static const char *
check_encodings(const struct response_head *h)
{
	static const char *const names[] = {"content-encoding", "transfer-encoding", NULL};
	size_t layers = 0;

	for (const char *name = NULL, *value; (name = next_field(h, name, &value)) != NULL;)
		if (is_one_of(name, strlen(name), names) &&
			(count_layers(value, &layers) != 0 || layers > 1))
			return "used a content encoding that it was not asked for";
	return NULL;
}

/* A line that goes on with the value of the one before it (RFC 9112 §5.2). */
static void
add_folded(struct response_head *h, const char *text, size_t length)
{
	if (h->fields.length == 0)
		return;
	h->fields.data[h->fields.length - 1] = ' ';
	buffer_append(&h->fields, text, length);
	buffer_putc(&h->fields, '\0');
}

static void
add_field(struct response_head *h, const char *text, size_t length)
{
	const char *colon = memchr(text, ':', length);

	if (colon == NULL)
		return;
	const char *value = colon + 1;
	size_t name_length = (size_t)(colon - text);
	size_t value_length = length - name_length - 1;
	trim(&value, &value_length);
	trim(&text, &name_length);
	buffer_append(&h->fields, text, name_length);
	buffer_putc(&h->fields, '\0');
	buffer_append(&h->fields, value, value_length);
	buffer_putc(&h->fields, '\0');
}

static void
begin_head(struct response_head *h)
{
	buffer_clear(&h->fields);
	h->whole = false;
}

const char *
response_head_add(struct response_head *h, const char *line, size_t length)
{
	const char *text = line;
	size_t text_length = length;

	h->bytes += length;
	if (++h->lines > MOST_LINES || h->bytes > MOST_BYTES)
		return "sent more header lines than any answer needs";
	trim(&text, &text_length);
	if (memchr(text, '\0', text_length) != NULL)
		return "sent a NUL in its head";
	if (text_length >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		begin_head(h);
	} else if (text_length == 0) {
		h->whole = true;
		return check_encodings(h);
	} else if (!h->whole) {
		(is_blank(*line) ? add_folded : add_field)(h, text, text_length);
	}
	return h->fields.failed ? "sent a head for which there is no memory" : NULL;
}

void
response_head_each(const struct response_head *h,
	void (*take)(void *context, const char *name, const char *value), void *context)
{
	for (const char *name = NULL, *value; (name = next_field(h, name, &value)) != NULL;)
		take(context, name, value);
}

const char *
response_head_find(const struct response_head *h, const char *wanted)
{
	for (const char *name = NULL, *value; (name = next_field(h, name, &value)) != NULL;)
		if (strcasecmp(name, wanted) == 0)
			return value;
	return NULL;
}

void
response_head_free(struct response_head *h)
{
	buffer_free(&h->fields);
	*h = (struct response_head){0};
}

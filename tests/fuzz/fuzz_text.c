/* Any bytes as records of FastCGI, as text for a terminal, and as a URL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/safe_text.h"
#include "base/url.h"
#include "web/fcgi_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The body that the records carry, when they come in pieces of ${piece} bytes. */
static struct buffer
body_of(const uint8_t *data, size_t size, size_t piece)
{
	struct fcgi_records records = {.request_id = 1};
	struct buffer body = BUFFER_INIT(0);
	unsigned char bytes[256];

	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		memcpy(bytes, data + at, n);
		buffer_append(&body, bytes, fcgi_records_body(&records, bytes, n));
	}
	return body;
}

static void
read_records(const uint8_t *data, size_t size)
{
	ssize_t head = fcgi_head_length(data, size);

	if (head > (ssize_t)size)
		abort();
	size_t from = head > 0 ? (size_t)head : 0;
	struct buffer one = body_of(data + from, size - from, 1);
	struct buffer many = body_of(data + from, size - from, 256);
	if (one.length != many.length ||
		memcmp(buffer_text(&one), buffer_text(&many), one.length) != 0)
		abort();
	buffer_free(&one);
	buffer_free(&many);
}

static void
show(const uint8_t *data, size_t size)
{
	struct buffer safe = BUFFER_INIT(0);
	size_t cut = safe_text_cut((const char *)data, size, size / 2);

	if (cut > size / 2)
		abort();
	safe_text_write(&safe, (const char *)data, size);
	if (!safe_text_is_plain(buffer_text(&safe)))
		abort();
	buffer_free(&safe);
}

static void
take_value(void *context, const char *value, size_t length)
{
	(void)context;
	(void)value;
	if (length == 0)
		abort();
}

static void
read_url(const uint8_t *data, size_t size)
{
	struct buffer url = BUFFER_INIT(0);
	struct buffer shown = BUFFER_INIT(0);

	buffer_append(&url, data, size);
	url_write_origin(&shown, buffer_text(&url));
	if (strchr(buffer_text(&shown), '?') != NULL)
		abort();
	url_write_masked(&shown, buffer_text(&url));
	url_each_query_value(buffer_text(&url), take_value, NULL);
	buffer_free(&url);
	buffer_free(&shown);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_records(data, size);
	show(data, size);
	read_url(data, size);
	return 0;
}

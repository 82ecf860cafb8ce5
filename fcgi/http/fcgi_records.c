/*
 * The records that a web server sends; see fcgi_records.h.
 */
#include "http/fcgi_records.h"

#include <string.h>

enum {
	VERSION_1 = 1,
	ABORT_REQUEST = 2,
	PARAMETERS = 4,
	STANDARD_INPUT = 5,
	HEADER_LENGTH = 8,
	/* Where in the header stands what. */
	VERSION_AT = 0,
	TYPE_AT = 1,
	ID_AT = 2,
	CONTENT_AT = 4,
	PADDING_AT = 6,
};

static size_t
number_at(const unsigned char *header, size_t at)
{
	return (size_t)header[at] << 8 | header[at + 1];
}

ssize_t
fcgi_head_length(const unsigned char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length) {
		const unsigned char *header = bytes + at;
		if (header[VERSION_AT] != VERSION_1)
			return -1;
		if (length - at < HEADER_LENGTH)
			return 0;
		size_t content = number_at(header, CONTENT_AT);
		size_t whole = HEADER_LENGTH + content + header[PADDING_AT];
		if (length - at < whole)
			return 0;
		at += whole;
		if (header[TYPE_AT] == PARAMETERS && content == 0)
			return (ssize_t)at;
	}
	return 0;
}

/* The header is whole. */
static void
begin_record(struct fcgi_records *r)
{
	const unsigned char *header = r->header;
	bool ours = number_at(header, ID_AT) == (size_t)r->request_id;

	r->content = number_at(header, CONTENT_AT);
	r->padding = header[PADDING_AT];
	/* What is not of this request, or not known, is skipped. */
	r->is_body = ours && header[TYPE_AT] == STANDARD_INPUT;
	r->broken = header[VERSION_AT] != VERSION_1 || (ours && header[TYPE_AT] == ABORT_REQUEST);
	r->ended = !r->broken && r->is_body && r->content == 0;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Take the header's next bytes; how many. */
static size_t
take_header(struct fcgi_records *r, const unsigned char *bytes, size_t length)
{
	size_t n = smaller(length, HEADER_LENGTH - r->header_length);

	memcpy(r->header + r->header_length, bytes, n);
	r->header_length += n;
	if (r->header_length == HEADER_LENGTH)
		begin_record(r);
	return n;
}

size_t
fcgi_records_body(struct fcgi_records *r, unsigned char *bytes, size_t length)
{
	size_t kept = 0;
	size_t at = 0;

	while (at < length && !r->ended && !r->broken) {
		if (r->header_length < HEADER_LENGTH) {
			at += take_header(r, bytes + at, length - at);
		} else if (r->content > 0) {
			size_t n = smaller(length - at, r->content);
			if (r->is_body) {
				memmove(bytes + kept, bytes + at, n);
				kept += n;
			}
			r->content -= n;
			at += n;
		} else {
			size_t n = smaller(length - at, r->padding);
			r->padding -= n;
			at += n;
		}
		if (r->header_length == HEADER_LENGTH && r->content == 0 && r->padding == 0)
			r->header_length = 0;
	}
	return kept;
}

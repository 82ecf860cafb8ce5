/*
 * One web request; see web_request.h.  What is the same for FastCGI and CGI.
 */
#include "http/web_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/text/safe_text.h"
#include "http/web_request_kind.h"

enum {
	READ_SIZE = 65536,       /* bytes asked for at a time, where the length is not known */
	LEAST_READ = 64,         /* bytes; less room, and there is more of it first */
	FRAMING = 256,           /* bytes that the records of a small body take besides it */
	MOST_EXPECTED = 4 << 20, /* bytes of a body that get memory before they have come */
	READ_IN_A_ROW = 256,     /* times: then others may have their turn */
};

const char *
web_request_parameter(const struct web_request *web, const char *name)
{
	return web->kind->parameter(web, name);
}

const char *
web_request_text(const struct web_request *web, const char *name)
{
	const char *value = web_request_parameter(web, name);

	return value != NULL ? value : "";
}

char *const *
web_request_parameters(const struct web_request *web)
{
	return web->kind->parameters(web);
}

static bool
begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* Is it something that the client, or the web server for this request, has said?  The environment
 * of a CGI program holds more than that. */
static bool
is_of_request(const char *parameter)
{
	static const char *const names[] = {"HTTP_", "REDIRECT_HTTP_", "CONTENT_", "REQUEST_",
		"QUERY_STRING=", "PATH_INFO=", "SCRIPT_NAME=", "REMOTE_ADDR="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (begins_with(parameter, names[i]))
			return true;
	return false;
}

bool
web_request_has_control_characters(const struct web_request *web)
{
	for (char *const *p = web_request_parameters(web); p != NULL && *p != NULL; p++)
		if (!safe_text_is_header(*p) && is_of_request(*p))
			return true;
	return false;
}

int
web_request_expect_body(struct web_request *web)
{
	unsigned long long told = strtoull(web_request_text(web, "CONTENT_LENGTH"), NULL, 10);
	size_t length = told < MOST_EXPECTED ? (size_t)told : MOST_EXPECTED;

	if (length == 0 || web->body.capacity > length)
		return 0;
	/* The records that a body comes in are read to its place, too. */
	return buffer_allocate(&web->body, length - web->body.length + length / 64 + FRAMING);
}

/* Where the next bytes of the body are read to, ${size} at most.  NULL: there is no memory. */
static char *
next_room(struct web_request *web, size_t *size)
{
	struct buffer *b = &web->body;
	size_t length = b->length;

	if (b->data == NULL && web_request_expect_body(web) != 0)
		return NULL;
	if (b->capacity - length < LEAST_READ) {
		if (buffer_reserve(b, READ_SIZE) == NULL)
			return NULL;
		buffer_cut(b, length);
	}
	*size = b->capacity - length - 1;
	return b->data + length;
}

/* Keep no more than ${limit} bytes: of what is larger, nothing. */
static void
keep_to_limit(struct web_request *web, size_t limit)
{
	web->too_large = web->received > limit;
	if (web->too_large || limit == 0)
		buffer_free(&web->body);
}

/* What ${n} bytes of the body lead to, or what kind->read says instead. */
static enum web_request_read
take_piece(struct web_request *web, ssize_t n, bool kept, size_t limit)
{
	if (n < 0)
		return WEB_REQUEST_BROKEN;
	if (n == 0)
		return web->too_large ? WEB_REQUEST_TOO_LARGE : WEB_REQUEST_READ;
	web->received += (size_t)n;
	if (kept)
		buffer_extend(&web->body, (size_t)n);
	keep_to_limit(web, limit);
	return WEB_REQUEST_MORE;
}

enum web_request_read
web_request_receive(struct web_request *web, size_t limit)
{
	char thrown_away[READ_SIZE];

	keep_to_limit(web, limit); /* also what came with the head */
	for (int i = 0; i < READ_IN_A_ROW && web->result == WEB_REQUEST_MORE; i++) {
		bool kept = !web->too_large && limit > 0;
		size_t size = sizeof(thrown_away);
		// cppcheck-suppress legacyUninitvar ; it is written to
		char *to = kept ? next_room(web, &size) : thrown_away;
		if (to == NULL)
			return web->result = WEB_REQUEST_NO_MEMORY;
		ssize_t n = web->kind->read(web, to, size);
		if (n == NOTHING_YET)
			break;
		web->result = take_piece(web, n, kept, limit);
	}
	return web->result;
}

int
web_request_input(const struct web_request *web)
{
	return web->kind->input(web);
}

size_t
web_request_received(const struct web_request *web)
{
	return web->received;
}

enum web_request_read
web_request_take_body(struct web_request *web, struct buffer *body)
{
	if (web->too_large)
		return WEB_REQUEST_TOO_LARGE;
	if (web->result == WEB_REQUEST_READ) {
		*body = web->body;
		web->body = BUFFER_INIT(0);
	}
	return web->result;
}

ssize_t
web_request_write(struct web_request *web, const char *data, size_t length, bool last)
{
	return web->kind->write(web, data, length, last);
}

int
web_request_descriptor(const struct web_request *web)
{
	return web->kind->descriptor(web);
}

bool
web_request_tells_by_reading(const struct web_request *web)
{
	return web->kind->tells_by_reading;
}

bool
web_request_is_gone(struct web_request *web)
{
	return web->kind->is_gone(web);
}

bool
web_request_end(struct web_request *web)
{
	return web->kind->end(web);
}

void
web_request_free(struct web_request *web)
{
	buffer_free(&web->body);
	web->kind->free(web);
}

/*
 * One web request; see web_request.h.  What is the same for FastCGI and CGI.
 */
#include "http/web_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/safe_text.h"
#include "http/web_request_kind.h"

enum {
	READ_SIZE = 65536,   /* bytes asked for at a time */
	READ_IN_A_ROW = 256, /* times: then others may have their turn */
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
		if (is_of_request(*p) && !safe_text_is_header(*p))
			return true;
	return false;
}

/* What ${n} bytes of the body lead to, or what kind->read says instead. */
static enum web_request_read
take_piece(struct web_request *web, const char *data, ssize_t n, size_t limit)
{
	if (n < 0)
		return WEB_REQUEST_BROKEN;
	if (n == 0)
		return web->too_large ? WEB_REQUEST_TOO_LARGE : WEB_REQUEST_READ;
	web->received += (size_t)n;
	web->too_large = web->received > limit;
	if (web->too_large)
		buffer_free(&web->body);
	else if (buffer_append(&web->body, data, (size_t)n) != 0)
		return WEB_REQUEST_NO_MEMORY;
	return WEB_REQUEST_MORE;
}

/* How long the body will be, by what the web server says; 0: it does not.  At most ${limit}. */
static size_t
expected_length(const struct web_request *web, size_t limit)
{
	unsigned long long length = strtoull(web_request_text(web, "CONTENT_LENGTH"), NULL, 10);

	return length <= limit ? (size_t)length : 0;
}

enum web_request_read
web_request_receive(struct web_request *web, size_t limit)
{
	char data[READ_SIZE];

	if (web->received == 0 && web->result == WEB_REQUEST_MORE &&
		buffer_allocate(&web->body, expected_length(web, limit)) != 0)
		return web->result = WEB_REQUEST_NO_MEMORY;
	web->too_large = web->received > limit; /* also by what came with the head */
	for (int i = 0; i < READ_IN_A_ROW && web->result == WEB_REQUEST_MORE; i++) {
		ssize_t n = web->kind->read(web, data, sizeof(data));
		if (n == NOTHING_YET)
			break;
		web->result = take_piece(web, data, n, limit);
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

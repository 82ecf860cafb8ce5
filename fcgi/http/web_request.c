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
gateway_parameter(const struct gateway *g, const char *name)
{
	return g->kind->parameter(g, name);
}

const char *
gateway_text(const struct gateway *g, const char *name)
{
	const char *value = gateway_parameter(g, name);

	return value != NULL ? value : "";
}

char *const *
gateway_parameters(const struct gateway *g)
{
	return g->kind->parameters(g);
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
gateway_has_control_characters(const struct gateway *g)
{
	for (char *const *p = gateway_parameters(g); p != NULL && *p != NULL; p++)
		if (is_of_request(*p) && !safe_text_is_header(*p))
			return true;
	return false;
}

/* What ${n} bytes of the body lead to, or what kind->read says instead. */
static enum gateway_read
take_piece(struct gateway *g, const char *data, ssize_t n, size_t limit)
{
	if (n < 0)
		return GATEWAY_BROKEN;
	if (n == 0)
		return g->too_large ? GATEWAY_TOO_LARGE : GATEWAY_READ;
	g->received += (size_t)n;
	g->too_large = g->received > limit;
	if (g->too_large)
		buffer_free(&g->body);
	else if (buffer_append(&g->body, data, (size_t)n) != 0)
		return GATEWAY_NO_MEMORY;
	return GATEWAY_MORE;
}

/* How long the body will be, by what the web server says; 0: it does not.  At most ${limit}. */
static size_t
expected_length(const struct gateway *g, size_t limit)
{
	unsigned long long length = strtoull(gateway_text(g, "CONTENT_LENGTH"), NULL, 10);

	return length <= limit ? (size_t)length : 0;
}

enum gateway_read
gateway_receive(struct gateway *g, size_t limit)
{
	char data[READ_SIZE];

	if (g->received == 0 && g->result == GATEWAY_MORE &&
		buffer_allocate(&g->body, expected_length(g, limit)) != 0)
		return g->result = GATEWAY_NO_MEMORY;
	g->too_large = g->received > limit; /* also by what came with the head */
	for (int i = 0; i < READ_IN_A_ROW && g->result == GATEWAY_MORE; i++) {
		ssize_t n = g->kind->read(g, data, sizeof(data));
		if (n == NOTHING_YET)
			break;
		g->result = take_piece(g, data, n, limit);
	}
	return g->result;
}

int
gateway_input(const struct gateway *g)
{
	return g->kind->input(g);
}

size_t
gateway_received(const struct gateway *g)
{
	return g->received;
}

enum gateway_read
gateway_take_body(struct gateway *g, struct buffer *body)
{
	if (g->too_large)
		return GATEWAY_TOO_LARGE;
	if (g->result == GATEWAY_READ) {
		*body = g->body;
		g->body = BUFFER_INIT(0);
	}
	return g->result;
}

ssize_t
gateway_write(struct gateway *g, const char *data, size_t length, bool last)
{
	return g->kind->write(g, data, length, last);
}

int
gateway_descriptor(const struct gateway *g)
{
	return g->kind->descriptor(g);
}

bool
gateway_tells_by_reading(const struct gateway *g)
{
	return g->kind->tells_by_reading;
}

bool
gateway_is_gone(struct gateway *g)
{
	return g->kind->is_gone(g);
}

bool
gateway_end(struct gateway *g)
{
	return g->kind->end(g);
}

void
gateway_free(struct gateway *g)
{
	buffer_free(&g->body);
	g->kind->free(g);
}

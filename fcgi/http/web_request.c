/*
 * One web request; see web_request.h.  What is the same for FastCGI and CGI.
 */
#include "http/web_request.h"

#include <stdlib.h>
#include <time.h>

#include "base/buffer.h"
#include "http/web_request_kind.h"

enum {
	READ_SIZE = 65536,  /* bytes asked for at a time */
	BODY_SECONDS = 120, /* the longest that a body may take: a web server has it whole */
};

static const size_t largest_drain = (size_t)1
				    << 30; /* bytes of an oversized body that are thrown away */

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

static time_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* How long the body will be, by what the web server says; 0: it does not.  At most ${limit}. */
static size_t
expected_length(const struct gateway *g, size_t limit)
{
	unsigned long long length = strtoull(gateway_text(g, "CONTENT_LENGTH"), NULL, 10);

	return length <= limit ? (size_t)length : 0;
}

enum gateway_read
gateway_read_body(struct gateway *g, size_t limit, struct buffer *body)
{
	time_t deadline = now() + BODY_SECONDS;
	char data[READ_SIZE];
	size_t total = 0;
	ssize_t n;

	if (buffer_allocate(body, expected_length(g, limit)) != 0)
		return GATEWAY_NO_MEMORY;
	/* An oversized body is read to its end all the same: some web servers lose an answer that
	 * comes before. */
	while ((n = g->kind->read(g, data, sizeof(data))) > 0) {
		total += (size_t)n;
		if (now() > deadline || total > largest_drain)
			return GATEWAY_BROKEN;
		if (total <= limit && buffer_append(body, data, (size_t)n) != 0)
			return GATEWAY_NO_MEMORY;
		if (total > limit)
			buffer_free(body);
	}
	if (n < 0)
		return GATEWAY_BROKEN;
	return total > limit ? GATEWAY_TOO_LARGE : GATEWAY_READ;
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
	g->kind->free(g);
}

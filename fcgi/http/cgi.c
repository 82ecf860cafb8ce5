/*
 * The one request of a CGI program (RFC 3875).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/web_request_kind.h"

#define UNTIL_END SIZE_MAX

extern char **environ;

struct cgi_gateway {
	struct gateway base;
	/* Bytes: a web server need not close standard input behind the body.  UNTIL_END: it does,
	 * and has not told the length. */
	size_t body_left;
	int output_flags; /* as they were */
};

static struct cgi_gateway *
cgi(const struct gateway *g)
{
	return (struct cgi_gateway *)(uintptr_t)g; /* it is our own: not const */
}

static const char *
cgi_parameter(const struct gateway *g, const char *name)
{
	(void)g;
	return getenv(name);
}

static char *const *
cgi_parameters(const struct gateway *g)
{
	(void)g;
	return environ;
}

static ssize_t
cgi_read(struct gateway *g, char *data, size_t size)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	ssize_t n;

	if (size > cgi(g)->body_left)
		size = cgi(g)->body_left;
	if (size == 0)
		return 0;
	if (poll(&p, 1, 0) == 0)
		return NOTHING_YET;
	do
		n = read(STDIN_FILENO, data, size);
	while (n < 0 && errno == EINTR);
	if (cgi(g)->body_left == UNTIL_END)
		return n;
	if (n <= 0)
		return -1;
	cgi(g)->body_left -= (size_t)n;
	return n;
}

static int
cgi_input(const struct gateway *g)
{
	(void)g;
	return STDIN_FILENO;
}

static ssize_t
cgi_write(struct gateway *g, const char *data, size_t length, bool last)
{
	size_t done = 0;

	(void)g;
	(void)last;
	while (done < length) {
		ssize_t n = write(STDOUT_FILENO, data + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? (ssize_t)done : -1;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int
cgi_descriptor(const struct gateway *g)
{
	(void)g;
	return STDOUT_FILENO;
}

static bool
cgi_is_gone(struct gateway *g)
{
	struct pollfd p = {.fd = STDOUT_FILENO};

	(void)g;
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

static bool
cgi_end(struct gateway *g)
{
	(void)g;
	return true;
}

static void
cgi_free(struct gateway *g)
{
	/* The description of standard output may be shared with the one who started us. */
	fcntl(STDOUT_FILENO, F_SETFL, cgi(g)->output_flags);
	/* The web server ends the response when the output closes, not when the program has tidied
	 * up. */
	close(STDOUT_FILENO);
	free(g);
}

static const struct gateway_kind cgi_kind = {
	.parameter = cgi_parameter,
	.parameters = cgi_parameters,
	.read = cgi_read,
	.input = cgi_input,
	.write = cgi_write,
	.descriptor = cgi_descriptor,
	.is_gone = cgi_is_gone,
	.end = cgi_end,
	.free = cgi_free,
	.tells_by_reading = false,
};

/* Of a chunked request, some web servers (Apache) tell no length. */
static size_t
body_length(void)
{
	const char *length = getenv("CONTENT_LENGTH");

	if (length != NULL)
		return strtoul(length, NULL, 10);
	return getenv("HTTP_TRANSFER_ENCODING") != NULL ? UNTIL_END : 0;
}

struct gateway *
gateway_cgi(void)
{
	struct cgi_gateway *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->base.kind = &cgi_kind;
	g->body_left = body_length();
	g->output_flags = fcntl(STDOUT_FILENO, F_GETFL);
	fcntl(STDOUT_FILENO, F_SETFL, g->output_flags | O_NONBLOCK);
	return &g->base;
}

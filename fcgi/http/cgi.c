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

struct cgi_request {
	struct web_request base;
	/* Bytes: a web server need not close standard input behind the body.  UNTIL_END: it does,
	 * and has not told the length. */
	size_t body_left;
	int output_flags; /* as they were */
};

static struct cgi_request *
cgi(const struct web_request *web)
{
	return (struct cgi_request *)(uintptr_t)web; /* it is our own: not const */
}

static const char *
cgi_parameter(const struct web_request *web, const char *name)
{
	(void)web;
	return getenv(name);
}

static char *const *
cgi_parameters(const struct web_request *web)
{
	(void)web;
	return environ;
}

static ssize_t
cgi_read(struct web_request *web, char *data, size_t size)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	ssize_t n;

	if (size > cgi(web)->body_left)
		size = cgi(web)->body_left;
	if (size == 0)
		return 0;
	if (poll(&p, 1, 0) == 0)
		return NOTHING_YET;
	do
		n = read(STDIN_FILENO, data, size);
	while (n < 0 && errno == EINTR);
	if (cgi(web)->body_left == UNTIL_END)
		return n;
	if (n <= 0)
		return -1;
	cgi(web)->body_left -= (size_t)n;
	return n;
}

static int
cgi_input(const struct web_request *web)
{
	(void)web;
	return STDIN_FILENO;
}

static ssize_t
cgi_write(struct web_request *web, const char *data, size_t length, bool last)
{
	size_t done = 0;

	(void)web;
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
cgi_descriptor(const struct web_request *web)
{
	(void)web;
	return STDOUT_FILENO;
}

static bool
cgi_is_gone(struct web_request *web)
{
	struct pollfd p = {.fd = STDOUT_FILENO};

	(void)web;
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

static bool
cgi_end(struct web_request *web)
{
	(void)web;
	return true;
}

static void
cgi_free(struct web_request *web)
{
	/* The description of standard output may be shared with the one who started us. */
	fcntl(STDOUT_FILENO, F_SETFL, cgi(web)->output_flags);
	/* The web server ends the response when the output closes, not when the program has tidied
	 * up. */
	close(STDOUT_FILENO);
	free(web);
}

static const struct web_request_kind cgi_kind = {
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

struct web_request *
web_request_cgi(void)
{
	struct cgi_request *web = calloc(1, sizeof(*web));

	if (web == NULL)
		return NULL;
	web->base.kind = &cgi_kind;
	web->body_left = body_length();
	web->output_flags = fcntl(STDOUT_FILENO, F_GETFL);
	fcntl(STDOUT_FILENO, F_SETFL, web->output_flags | O_NONBLOCK);
	return &web->base;
}

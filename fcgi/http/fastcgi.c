/*
 * One FastCGI request, on libfcgi (FASTCGI.md §2, §4, §6).
 */
#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "http/web_request_kind.h"

enum {
	WRITE_OVERHEAD = 2048,       /* what a write costs the socket besides its bytes, at most */
	LARGEST_WRITE = 65536,       /* what a writable socket takes without blocking */
	TCP_SEND_BUFFER = 512 << 10, /* so that "writable" means as much over TCP */
	RECEIVE_SECONDS = 30,        /* between two pieces of a body */
	RECORD_HEADER = 8,           /* bytes */
	TYPE_AT = 1,                 /* of the record's type in its header */
	ABORT_REQUEST = 2,           /* FastCGI 1.0 §5.4 */
};

struct fcgi_gateway {
	struct gateway base;
	FCGX_Request request;
	size_t room; /* bytes that may be written before the system is asked again */
	bool ended;  /* the response is */
};

static struct fcgi_gateway *
fcgi(const struct gateway *g)
{
	return (struct fcgi_gateway *)(uintptr_t)g; /* it is our own: not const */
}

static const char *
fcgi_parameter(const struct gateway *g, const char *name)
{
	return FCGX_GetParam(name, fcgi(g)->request.envp);
}

static char *const *
fcgi_parameters(const struct gateway *g)
{
	return fcgi(g)->request.envp;
}

static ssize_t
fcgi_read(struct gateway *g, char *data, size_t size)
{
	FCGX_Stream *in = fcgi(g)->request.in;
	int n = FCGX_GetStr(data, (int)size, in);

	if (n <= 0 && FCGX_GetError(in) != 0)
		return -1;
	return n;
}

/*
 * May ${length} bytes be written without blocking?  A writable socket has room for LARGEST_WRITE
 * bytes and more, so the system is asked again only when that much has been written since, counting
 * what each write costs the socket besides.
 */
static bool
is_writable(struct fcgi_gateway *g, size_t length)
{
	struct pollfd p = {.fd = g->request.ipcFd, .events = POLLOUT};

	if (length + WRITE_OVERHEAD > g->room) {
		if (poll(&p, 1, 0) == 0)
			return false;
		g->room = LARGEST_WRITE + WRITE_OVERHEAD;
	}
	g->room -= length + WRITE_OVERHEAD;
	return true;
}

/* The records that end the response go out with what is still in libfcgi's buffer.  Return 0 or -1.
 */
static int
close_streams(struct fcgi_gateway *g)
{
	g->ended = true;
	FCGX_FClose(g->request.err);
	return FCGX_FClose(g->request.out) == 0 ? 0 : -1;
}

static ssize_t
fcgi_write(struct gateway *g, const char *data, size_t length, bool last)
{
	FCGX_Request *request = &fcgi(g)->request;
	size_t done = 0;

	/* libfcgi's writes block: go only where the socket has room for the whole piece. */
	while (done < length) {
		size_t piece = length - done < LARGEST_WRITE ? length - done : LARGEST_WRITE;
		if (!is_writable(fcgi(g), piece))
			break;
		if (FCGX_PutStr(data + done, (int)piece, request->out) < 0)
			return -1;
		done += piece;
		if (last && done == length ? close_streams(fcgi(g)) != 0
					   : FCGX_FFlush(request->out) != 0)
			return -1;
	}
	return (ssize_t)done;
}

static int
fcgi_descriptor(const struct gateway *g)
{
	return fcgi(g)->request.ipcFd;
}

/* The body has been read, so there is nothing left that a web server may say but "abort", or go. */
static bool
fcgi_is_gone(struct gateway *g)
{
	unsigned char record[RECORD_HEADER];

	for (;;) {
		ssize_t n = recv(fcgi(g)->request.ipcFd, record, sizeof(record), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno != EAGAIN && errno != EWOULDBLOCK;
		if (n == 0 || (n > TYPE_AT && record[TYPE_AT] == ABORT_REQUEST))
			return true;
	}
}

static bool
fcgi_end(struct gateway *g)
{
	if (fcgi(g)->ended)
		return true;
	if (!is_writable(fcgi(g), 0))
		return false;
	close_streams(fcgi(g));
	return true;
}

static void
fcgi_free(struct gateway *g)
{
	FCGX_Request *request = &fcgi(g)->request;

	/*
	 * Out of libfcgi's hands before it closes: its own way of closing waits up to two seconds
	 * for the web server to close first.
	 */
	FCGX_Detach(request);
	FCGX_Free(request, 1);
	free(g);
}

static const struct gateway_kind fcgi_kind = {
	.parameter = fcgi_parameter,
	.parameters = fcgi_parameters,
	.read = fcgi_read,
	.write = fcgi_write,
	.descriptor = fcgi_descriptor,
	.is_gone = fcgi_is_gone,
	.end = fcgi_end,
	.free = fcgi_free,
	.tells_by_reading = true,
};

static void
set_socket_options(int descriptor)
{
	struct timeval patience = {.tv_sec = RECEIVE_SECONDS};
	int size = TCP_SEND_BUFFER;
	int domain = AF_UNIX;
	socklen_t length = sizeof(domain);

	setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length);
	if (domain != AF_UNIX)
		setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

struct gateway *
gateway_accept(void)
{
	struct fcgi_gateway *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->base.kind = &fcgi_kind;
	FCGX_InitRequest(&g->request, 0, FCGI_FAIL_ACCEPT_ON_INTR);
	int result = FCGX_Accept_r(&g->request);
	if (result < 0) {
		FCGX_Free(&g->request, 1);
		free(g);
		errno = -result;
		return NULL;
	}
	set_socket_options(g->request.ipcFd);
	return &g->base;
}

/*
 * One FastCGI request, on libfcgi (fcgi/DESIGN.md).
 */
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/fcgi_records.h"
#include "http/web_request_kind.h"

enum {
	DESCRIPTOR_PATIENCE = 5000, /* ms that a request waits for a descriptor */
	LOOK_AGAIN = 20,            /* ms between looks */
	WRITE_OVERHEAD = 2048,      /* what a write costs the socket besides its bytes, at most */
	LARGEST_WRITE = 65536,      /* what a writable socket takes without blocking */
	WRITABLE_ROOM = LARGEST_WRITE + WRITE_OVERHEAD,
	TCP_SEND_BUFFER = 512 << 10, /* so that "writable" means as much over TCP */
	NO_LISTENER = -1,            /* libfcgi accepts nothing: see door.h */
	RECORD_HEADER = 8,           /* bytes */
	TYPE_AT = 1,                 /* of the record's type in its header */
	ABORT_REQUEST = 2,           /* FastCGI 1.0 §5.4 */
};

struct fcgi_request {
	struct web_request base;
	FCGX_Request request;
	struct fcgi_records records; /* what has come of the body */
	size_t room; /* bytes that may be written before the system is asked again */
	bool ended;  /* the response is */
};

static struct fcgi_request *
fcgi(const struct web_request *web)
{
	return (struct fcgi_request *)(uintptr_t)web; /* it is our own: not const */
}

static const char *
fcgi_parameter(const struct web_request *web, const char *name)
{
	return FCGX_GetParam(name, fcgi(web)->request.envp);
}

static char *const *
fcgi_parameters(const struct web_request *web)
{
	return fcgi(web)->request.envp;
}

static ssize_t
fcgi_read(struct web_request *web, char *data, size_t size)
{
	struct fcgi_records *records = &fcgi(web)->records;
	size_t body = 0;

	while (body == 0 && !records->ended && !records->broken) {
		ssize_t n = recv(fcgi(web)->request.ipcFd, data, size, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? NOTHING_YET : -1;
		if (n == 0)
			return -1;
		body = fcgi_records_body(records, (unsigned char *)data, (size_t)n);
	}
	return body == 0 && records->broken ? -1 : (ssize_t)body;
}

static int
fcgi_input(const struct web_request *web)
{
	return fcgi(web)->request.ipcFd;
}

/*
 * May ${length} bytes be written without blocking?  A writable socket has room for LARGEST_WRITE
 * bytes and more, so the system is asked again only when that much has been written since, counting
 * what each write costs the socket besides.
 */
static bool
is_writable(struct fcgi_request *web, size_t length)
{
	struct pollfd p = {.fd = web->request.ipcFd, .events = POLLOUT};

	if (length + WRITE_OVERHEAD > web->room) {
		if (poll(&p, 1, 0) == 0)
			return false;
		web->room = WRITABLE_ROOM;
	}
	web->room -= length + WRITE_OVERHEAD;
	return true;
}

/* The records that end the response go out with what is still in libfcgi's buffer.  Return 0 or -1.
 */
static int
close_streams(struct fcgi_request *web)
{
	web->ended = true;
	FCGX_FClose(web->request.err);
	return FCGX_FClose(web->request.out) == 0 ? 0 : -1;
}

static ssize_t
fcgi_write(struct web_request *web, const char *data, size_t length, bool last)
{
	FCGX_Request *request = &fcgi(web)->request;
	size_t done = 0;

	/* libfcgi's writes block: go only where the socket has room for the whole piece. */
	while (done < length) {
		size_t piece = length - done < LARGEST_WRITE ? length - done : LARGEST_WRITE;
		if (!is_writable(fcgi(web), piece))
			break;
		if (FCGX_PutStr(data + done, (int)piece, request->out) < 0)
			return -1;
		done += piece;
		if (last && done == length ? close_streams(fcgi(web)) != 0
					   : FCGX_FFlush(request->out) != 0)
			return -1;
	}
	return (ssize_t)done;
}

static int
fcgi_descriptor(const struct web_request *web)
{
	return fcgi(web)->request.ipcFd;
}

/* The body has been read, so there is nothing left that a web server may say but "abort", or go. */
static bool
fcgi_is_gone(struct web_request *web)
{
	unsigned char record[RECORD_HEADER];

	for (;;) {
		ssize_t n = recv(fcgi(web)->request.ipcFd, record, sizeof(record), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno != EAGAIN && errno != EWOULDBLOCK;
		if (n == 0 || (n > TYPE_AT && record[TYPE_AT] == ABORT_REQUEST))
			return true;
	}
}

static bool
fcgi_end(struct web_request *web)
{
	if (fcgi(web)->ended)
		return true;
	if (!is_writable(fcgi(web), 0))
		return false;
	close_streams(fcgi(web));
	return true;
}

static void
fcgi_free(struct web_request *web)
{
	FCGX_Request *request = &fcgi(web)->request;

	/*
	 * Out of libfcgi's hands before it closes: its own way of closing waits up to two seconds
	 * for the web server to close first.
	 */
	FCGX_Detach(request);
	FCGX_Free(request, 1);
	free(web);
}

static const struct web_request_kind fcgi_kind = {
	.parameter = fcgi_parameter,
	.parameters = fcgi_parameters,
	.read = fcgi_read,
	.input = fcgi_input,
	.write = fcgi_write,
	.descriptor = fcgi_descriptor,
	.is_gone = fcgi_is_gone,
	.end = fcgi_end,
	.free = fcgi_free,
	.tells_by_reading = true,
};

void
web_request_prepare_tcp(int descriptor)
{
	int size = TCP_SEND_BUFFER;
	int yes = 1;

	setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

/* Open the pipe; where descriptors have run out, wait for those of requests that end. */
static int
open_pipe(struct head_pipe *pipe)
{
	int waited = 0;

	while (pipe2(pipe->ends, O_CLOEXEC | O_NONBLOCK) != 0) {
		pipe->ends[0] = -1;
		if ((errno != EMFILE && errno != ENFILE) || waited >= DESCRIPTOR_PATIENCE)
			return -1;
		poll(NULL, 0, LOOK_AGAIN);
		waited += LOOK_AGAIN;
	}
	return 0;
}

void
head_pipe_close(struct head_pipe *pipe)
{
	if (pipe->ends[0] < 0)
		return;
	close(pipe->ends[0]);
	close(pipe->ends[1]);
	pipe->ends[0] = -1;
}

/*
 * Let libfcgi read the head, from a pipe: of the connection itself it would read more, and wait for
 * it.  It takes no more than the head out of the pipe, which so is empty again.  Return 0 or -1.
 */
static int
read_head(struct head_pipe *pipe, FCGX_Request *request, const unsigned char *head, size_t length)
{
	if (pipe->ends[0] < 0 && open_pipe(pipe) != 0)
		return -1;
	if (write(pipe->ends[1], head, length) != (ssize_t)length) {
		head_pipe_close(pipe);
		return -1;
	}
	/* As after a request on a connection that is kept: the next one is read from there. */
	request->ipcFd = pipe->ends[0];
	request->keepConnection = 1;
	FCGX_Detach(request); /* a pipe needs no shutdown */
	if (FCGX_Accept_r(request) == 0)
		return 0;
	close(pipe->ends[1]); /* the other end is closed */
	pipe->ends[0] = -1;
	return -1;
}

struct web_request *
web_request_fcgi(struct head_pipe *pipe, int descriptor, unsigned char *bytes, size_t head_length,
	size_t length)
{
	struct fcgi_request *web = calloc(1, sizeof(*web));

	if (web == NULL)
		return NULL;
	web->base.kind = &fcgi_kind;
	FCGX_InitRequest(&web->request, NO_LISTENER, FCGI_FAIL_ACCEPT_ON_INTR);
	if (read_head(pipe, &web->request, bytes, head_length) != 0)
		goto err0;
	web->records.request_id = web->request.requestId;
	unsigned char *rest = bytes + head_length;
	web->base.received = fcgi_records_body(&web->records, rest, length - head_length);
	if (web_request_expect_body(&web->base) != 0 ||
		buffer_append(&web->base.body, rest, web->base.received) != 0)
		goto err0;
	/* Its 8 KiB would lie unused as long as a stream runs: the body is read by fcgi_read. */
	FCGX_FreeStream(&web->request.in);
	web->request.ipcFd = descriptor;
	web->room = WRITABLE_ROOM; /* nothing was written to it */
	return &web->base;

err0:
	FCGX_Free(&web->request, 0);
	buffer_free(&web->base.body);
	free(web);
	return NULL;
}

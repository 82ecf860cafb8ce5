/*
 * A service that answers at once: the upstream of the load test.  stand_in PORT
 *
 * HTTP/1.1 on loopback with connections that are kept, one thread.  Every POST gets a Chat
 * Completion, or a stream of the shape that pace.h describes; of the request it reads the length
 * alone.  A GET gets the number of connections that were accepted so far, its own included.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pace.h"

enum {
	BACKLOG = 4096,
	LONGEST_HEAD = 16384,
	OUTPUT = 32768,
	AT_ONCE = 16384, /* bytes of one stream, before the others have their turn */
	EVENTS = 256,
	NS_PER_S = 1000000000,
};

enum phase {
	READS_HEAD,
	READS_BODY,
	WAITS_FOR_FIRST, /* in the list ${beginning} */
	WAITS_FOR_NEXT,  /* in the list ${running} */
	WRITES,          /* the socket takes no more for now */
};

struct connection {
	struct waiter waiter;
	int socket;
	enum phase phase;
	bool streams;  /* there is more to come of the answer than ${out} */
	unsigned sent; /* chunks */
	uint64_t due;  /* the next chunk */
	size_t head_length;
	size_t body_left;
	size_t out_length;
	size_t out_at;
	char head[LONGEST_HEAD + 1];
	char out[OUTPUT];
};

#define CHUNK(choices)                                                                             \
	"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","                       \
	"\"created\":1700000000,\"model\":\"m\",\"system_fingerprint\":\"fp_1\","                  \
	"\"choices\":" choices "}\n\n"
#define DELTA(delta, reason)                                                                       \
	CHUNK("[{\"index\":0,\"delta\":" delta ",\"logprobs\":null,\"finish_reason\":" reason      \
	      "}],\"usage\":null")
#define USAGE "{\"prompt_tokens\":50,\"completion_tokens\":12,\"total_tokens\":62}"

static const char stream_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				  "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char first_chunk[] = DELTA("{\"role\":\"assistant\",\"content\":\"\"}", "null");
static const char text_chunk[] = DELTA("{\"content\":\"@0000000000000000@ and words\"}", "null");
static const char stop_chunk[] = DELTA("{}", "\"stop\"");
static const char usage_chunk[] = CHUNK("[],\"usage\":" USAGE);
static const char done_chunk[] = "data: [DONE]\n\n";
static const char plain[] =
	"{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,"
	"\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
	"\"@0000000000000000@ and a few words more\",\"refusal\":null},\"logprobs\":null,"
	"\"finish_reason\":\"stop\"}],\"usage\":" USAGE ",\"system_fingerprint\":\"fp_1\"}";

static struct shape shape;
static int poller;
static struct pace beginning;
static struct pace running;
static unsigned long accepted;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- what is written ---- */

/* Return where it was put.  There is room: no answer but a stream is long, and a stream stops at
 * AT_ONCE. */
static char *
put(struct connection *c, const char *text, size_t length)
{
	char *at = c->out + c->out_length;

	memcpy(at, text, length);
	c->out_length += length;
	return at;
}

/* A piece of a chunked body. */
static char *
put_piece(struct connection *c, const char *text, size_t length)
{
	char size[24];

	put(c, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", length));
	char *at = put(c, text, length);
	put(c, "\r\n", 2);
	return at;
}

static void
put_text(struct connection *c)
{
	const size_t length = sizeof(text_chunk) - 1;

	stamp_write(memchr(put_piece(c, text_chunk, length), '@', length));
	c->sent++;
	c->due += shape.gap;
}

static void
put_end(struct connection *c)
{
	put_piece(c, stop_chunk, sizeof(stop_chunk) - 1);
	put_piece(c, usage_chunk, sizeof(usage_chunk) - 1);
	put_piece(c, done_chunk, sizeof(done_chunk) - 1);
	put(c, "0\r\n\r\n", 5);
	c->streams = false;
}

static char *
put_whole(struct connection *c, const char *body, size_t length)
{
	char head[128];

	put(c, head,
		(size_t)snprintf(head, sizeof(head),
			"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n",
			length));
	return put(c, body, length);
}

/* ---- connections ---- */

static void
close_connection(struct connection *c)
{
	if (c->phase == WAITS_FOR_FIRST)
		pace_remove(&beginning, &c->waiter);
	else if (c->phase == WAITS_FOR_NEXT)
		pace_remove(&running, &c->waiter);
	close(c->socket);
	free(c);
}

static void
watch(struct connection *c, uint32_t what)
{
	struct epoll_event event = {.events = what, .data.ptr = c};

	if (epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &event) != 0)
		fail("epoll_ctl");
}

/* All of ${out} is with the system. */
static void
written(struct connection *c)
{
	c->out_length = c->out_at = 0;
	if (c->phase == WRITES)
		watch(c, EPOLLIN);
	if (c->streams) {
		c->phase = WAITS_FOR_NEXT;
		pace_add(&running, &c->waiter, c->due);
	} else {
		c->phase = READS_HEAD;
		c->head_length = 0;
	}
}

static void
write_out(struct connection *c)
{
	while (c->out_at < c->out_length) {
		ssize_t n = send(
			c->socket, c->out + c->out_at, c->out_length - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			if (c->phase != WRITES)
				watch(c, EPOLLIN | EPOLLOUT);
			c->phase = WRITES;
			return;
		}
		if (n < 0) {
			c->phase = WRITES; /* in no list */
			close_connection(c);
			return;
		}
		c->out_at += (size_t)n;
	}
	written(c);
}

/* Write the chunks that are due. */
static void
go_on(struct connection *c, uint64_t now)
{
	while (c->sent < shape.chunks && c->due <= now && c->out_length < AT_ONCE)
		put_text(c);
	if (c->sent == shape.chunks)
		put_end(c);
	write_out(c);
}

static void
begin_answer(struct connection *c, uint64_t now)
{
	if (shape.chunks == 0) {
		const size_t length = sizeof(plain) - 1;
		stamp_write(memchr(put_whole(c, plain, length), '@', length));
		write_out(c);
		return;
	}
	c->streams = true;
	c->sent = 0;
	c->due = now;
	put(c, stream_head, sizeof(stream_head) - 1);
	put_piece(c, first_chunk, sizeof(first_chunk) - 1);
	go_on(c, now);
}

static void
answer(struct connection *c)
{
	char number[24];

	if (strncmp(c->head, "GET ", 4) == 0) {
		int length = snprintf(number, sizeof(number), "%lu", accepted);
		put_whole(c, number, (size_t)length);
		write_out(c);
	} else if (shape.first == 0) {
		begin_answer(c, pace_now());
	} else {
		c->phase = WAITS_FOR_FIRST;
		pace_add(&beginning, &c->waiter, pace_now() + shape.first);
	}
}

/* ---- what is read ---- */

static size_t
content_length(const char *head)
{
	static const char name[] = "\r\ncontent-length:";
	const char *found = strcasestr(head, name);

	return found != NULL ? strtoul(found + sizeof(name) - 1, NULL, 10) : 0;
}

/* False: the client left, or sent what no client does. */
static bool
read_head(struct connection *c)
{
	ssize_t n = recv(c->socket, c->head + c->head_length, LONGEST_HEAD - c->head_length, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	c->head_length += (size_t)n;
	c->head[c->head_length] = '\0';
	char *end = strstr(c->head, "\r\n\r\n");
	if (end == NULL)
		return c->head_length < LONGEST_HEAD;
	size_t body_came = c->head_length - (size_t)(end + 4 - c->head);
	*end = '\0';
	size_t body_length = content_length(c->head);
	if (body_came > body_length)
		return false;
	c->body_left = body_length - body_came;
	c->phase = READS_BODY;
	if (c->body_left == 0)
		answer(c);
	return true;
}

static bool
read_body(struct connection *c)
{
	static char thrown_away[262144];
	size_t most = c->body_left < sizeof(thrown_away) ? c->body_left : sizeof(thrown_away);
	ssize_t n = recv(c->socket, thrown_away, most, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	c->body_left -= (size_t)n;
	if (c->body_left == 0)
		answer(c);
	return true;
}

static void
on_event(struct connection *c, uint32_t happened)
{
	bool stays = true;

	if (c->phase == WRITES && happened & EPOLLOUT) {
		write_out(c);
		return;
	}
	if (c->phase == READS_HEAD)
		stays = read_head(c);
	else if (c->phase == READS_BODY)
		stays = read_body(c);
	else
		stays = false;
	if (!stays)
		close_connection(c);
}

static void
accept_all(int listener)
{
	const int on = 1;
	int s;

	while ((s = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));
		if (c == NULL)
			fail("calloc");
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
		c->socket = s;
		accepted++;
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (epoll_ctl(poller, EPOLL_CTL_ADD, s, &event) != 0)
			fail("epoll_ctl");
	}
}

/* ---- the loop ---- */

/* Those that were due when it began get one turn each. */
static void
run_due(uint64_t now)
{
	const struct waiter *last = running.last;
	struct waiter *w;

	for (bool more = last != NULL; more && (w = pace_take(&running, now)) != NULL;) {
		more = w != last;
		go_on((struct connection *)w, now);
	}
	while ((w = pace_take(&beginning, now)) != NULL)
		begin_answer((struct connection *)w, now);
}

static void
wait_for_events(int listener)
{
	struct pollfd ready = {.fd = poller, .events = POLLIN};
	struct epoll_event happened[EVENTS];
	int64_t wait = pace_wait(&beginning, &running, pace_now());
	struct timespec t = {.tv_sec = wait / NS_PER_S, .tv_nsec = wait % NS_PER_S};

	/* epoll counts in whole milliseconds, in which streams would bunch up. */
	if (wait != 0 && ppoll(&ready, 1, wait == INT64_MAX ? NULL : &t, NULL) <= 0)
		return;
	int count = epoll_wait(poller, happened, EVENTS, 0);
	for (int i = 0; i < count; i++)
		if (happened[i].data.ptr == NULL)
			accept_all(listener);
		else
			on_event(happened[i].data.ptr, happened[i].events);
}

static int
listen_on(const char *port)
{
	const int on = 1;
	struct sockaddr_in here = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (s < 0 || bind(s, (struct sockaddr *)&here, sizeof(here)) != 0 ||
		listen(s, BACKLOG) != 0)
		fail("listening");
	return s;
}

int
main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct rlimit files;

	if (argc != 2) {
		fputs("usage: stand_in PORT\n", stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	shape = shape_from_environment();
	poller = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_on(argv[1]);
	if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0)
		fail("epoll");
	for (;;) {
		wait_for_events(listener);
		run_due(pace_now());
	}
}

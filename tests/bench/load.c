/*
 * The clients of the load test.  load [options] PORT BODY-FILE
 *
 * Each of -c clients sends the request, reads the whole answer and begins again, for -d seconds or
 * until -n requests were sent in all; over HTTP/1.1 on loopback, from one thread.  -k: the key that
 * they send.  -e: the stamps (pace.h) that an answer must have.  -r: ms over which their first
 * requests are spread.  Prints a JSON object; times are in ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pace.h"

enum {
	LONGEST_HEAD = 16384,
	LONGEST_SIZE = 16, /* the line before a chunk */
	READ_AT_ONCE = 262144,
	EVENTS = 256,
	MOST_FAILED = 200, /* more than were answered */
	LONGEST_RUN = 120, /* s, when the number of requests ends it */
	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000,
};

/* ---- times, counted in steps of 3 % ---- */

enum { STEPS = 32, MOST_STEPS = STEPS * 60 };

struct times {
	unsigned long counts[MOST_STEPS];
	unsigned long count;
};

static void
times_add(struct times *t, uint64_t ns)
{
	unsigned shift = ns < STEPS ? 0 : 58 - (unsigned)__builtin_clzll(ns);

	t->counts[shift * STEPS + (ns >> shift)]++;
	t->count++;
}

/* The time that ${share} of them do not exceed, in ms. */
static double
times_share(const struct times *t, double share)
{
	unsigned long below = 0;
	unsigned at = 0;

	while (at < MOST_STEPS - 1 && (double)(below += t->counts[at]) < share * (double)t->count)
		at++;
	unsigned shift = at < 2 * STEPS ? 0 : at / STEPS - 1;
	return (double)((uint64_t)(at - shift * STEPS) << shift) / NS_PER_MS;
}

/* ---- clients ---- */

enum phase {
	IDLE, /* with or without a connection */
	CONNECTS,
	SENDS,
	READS_HEAD,
	READS_LENGTH, /* the body, or what is left of it: as many bytes as was said */
	READS_CHUNK,  /* the body: the rest of a chunk and what ends it */
	READS_SIZE,   /* the body: the line before a chunk */
};

struct client {
	int socket; /* -1: none */
	enum phase phase;
	bool closes; /* the server, after this answer */
	uint64_t begun;
	size_t sent;
	size_t left; /* of the body or chunk */
	unsigned stamps;
	int digits; /* of a stamp that began, else -1 */
	uint64_t stamp;
	size_t head_length; /* of the head, or of the line before a chunk */
	char head[LONGEST_HEAD + 1];
};

static struct {
	unsigned clients;
	unsigned long requests; /* 0: until the time is over */
	double seconds;
	unsigned long ramp; /* ns */
	unsigned stamps;
	const char *key;
	unsigned port;
	char *request;
	size_t request_length;
} plan = {.clients = 1, .stamps = 1, .key = ""};

static struct {
	unsigned long begun;
	unsigned long in_flight;
	unsigned long answered;
	unsigned long failed;
	unsigned long stamps;
	struct times latency; /* of a whole answer */
	struct times delay;   /* of a piece of text, from the upstream's hand */
} counts;

static int poller;
static uint64_t end_time;
static bool is_over;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static void
disconnect(struct client *c)
{
	if (c->socket >= 0)
		close(c->socket);
	c->socket = -1;
	c->phase = IDLE;
}

static void
watch(struct client *c, int operation, uint32_t what)
{
	struct epoll_event event = {.events = what, .data.ptr = c};

	if (epoll_ctl(poller, operation, c->socket, &event) != 0)
		fail("epoll_ctl");
}

static void
connect_client(struct client *c)
{
	const int on = 1;
	const struct sockaddr_in there = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)plan.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->socket < 0)
		fail("socket");
	setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->socket, (const struct sockaddr *)&there, sizeof(there)) != 0 &&
		errno != EINPROGRESS)
		fail("connect");
	c->phase = CONNECTS;
	watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void send_request(struct client *);

/* Begin a request, unless there were enough. */
static void
begin(struct client *c)
{
	if (is_over || (plan.requests > 0 && counts.begun == plan.requests))
		return;
	counts.begun++;
	counts.in_flight++;
	c->sent = c->head_length = 0;
	c->stamps = 0;
	c->digits = -1;
	c->begun = pace_now();
	if (c->socket < 0) {
		connect_client(c);
	} else {
		c->phase = SENDS;
		send_request(c);
	}
}

static void
give_up(struct client *c, const char *why)
{
	counts.in_flight--;
	disconnect(c);
	if (++counts.failed == 1)
		fprintf(stderr, "load: %s: %.300s\n", why, c->head);
	if (counts.failed > counts.answered + MOST_FAILED)
		is_over = true;
	begin(c);
}

static void
finish(struct client *c)
{
	if (c->stamps != plan.stamps) {
		give_up(c, "an answer is not whole");
		return;
	}
	counts.in_flight--;
	counts.answered++;
	times_add(&counts.latency, pace_now() - c->begun);
	if (c->closes)
		disconnect(c);
	else
		c->phase = IDLE;
	begin(c);
}

static void
send_request(struct client *c)
{
	bool watched = c->phase == CONNECTS;

	while (c->sent < plan.request_length) {
		ssize_t n = send(c->socket, plan.request + c->sent, plan.request_length - c->sent,
			MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			if (!watched)
				watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			c->phase = CONNECTS; /* which is to say: it waits until it can write */
			return;
		}
		if (n < 0) {
			give_up(c, strerror(errno));
			return;
		}
		c->sent += (size_t)n;
	}
	if (watched)
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
	c->phase = READS_HEAD;
}

/* ---- answers ---- */

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
take_stamp(struct client *c, uint64_t now)
{
	c->stamps++;
	counts.stamps++;
	times_add(&counts.delay, now > c->stamp ? now - c->stamp : 0);
}

/* Find the stamps in a part of the body; one may begin in one part and end in the next. */
static void
find_stamps(struct client *c, const char *text, size_t length, uint64_t now)
{
	const char *end = text + length;

	while (text < end) {
		if (c->digits < 0) {
			text = memchr(text, '@', (size_t)(end - text));
			if (text == NULL)
				return;
			c->stamp = 0;
			c->digits = 0;
			text++;
			continue;
		}
		int digit = digit_of(*text);
		if (c->digits == STAMP_LENGTH - 2 && *text == '@') {
			take_stamp(c, now);
			c->digits = -1;
			text++;
		} else if (c->digits == STAMP_LENGTH - 2 || digit < 0) {
			c->digits = -1;
		} else {
			c->stamp = c->stamp << 4 | (unsigned)digit;
			c->digits++;
			text++;
		}
	}
}

/* Take what belongs to the head from ${text}.  Return how much, or -1: it is none. */
static ssize_t
take_head(struct client *c, const char *text, size_t length)
{
	size_t before = c->head_length;
	size_t room = LONGEST_HEAD - before;
	size_t taken = length < room ? length : room;

	memcpy(c->head + before, text, taken);
	c->head_length += taken;
	c->head[c->head_length] = '\0';
	char *head_end = strstr(c->head, "\r\n\r\n");
	if (head_end == NULL)
		return c->head_length < LONGEST_HEAD ? (ssize_t)taken : -1;
	taken = (size_t)(head_end + 4 - c->head) - before;
	*head_end = '\0';
	if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0)
		return -1;
	const char *said = strcasestr(c->head, "\r\ncontent-length:");
	c->closes = strcasestr(c->head, "\r\nconnection: close") != NULL;
	c->phase = said != NULL ? READS_LENGTH : READS_SIZE;
	c->left = said != NULL ? strtoul(said + 17, NULL, 10) : 0;
	c->head_length = 0;
	if (said == NULL && strcasestr(c->head, "\r\ntransfer-encoding: chunked") == NULL)
		return -1;
	return (ssize_t)taken;
}

/* The line before a chunk; after that of the last one comes an empty line.  Return how much of
 * ${text} belongs to it, or -1: it is none. */
static ssize_t
take_size(struct client *c, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		c->head[c->head_length++] = text[i];
		if (c->head_length == LONGEST_SIZE)
			return -1;
		if (text[i] != '\n')
			continue;
		c->left = strtoul(c->head, NULL, 16) + 2;
		c->phase = c->left > 2 ? READS_CHUNK : READS_LENGTH;
		c->head_length = 0;
		return (ssize_t)i + 1;
	}
	return (ssize_t)length;
}

/* Take from ${text} what belongs to the phase.  Return how much, or -1: it makes no sense. */
static ssize_t
take(struct client *c, const char *text, size_t length, uint64_t now)
{
	if (c->phase == READS_HEAD)
		return take_head(c, text, length);
	if (c->phase == READS_SIZE)
		return take_size(c, text, length);
	size_t taken = length < c->left ? length : c->left;
	/* A stamp may begin in one chunk and end in the next; what ends a chunk is not part of it.
	 */
	size_t line_end = c->phase == READS_CHUNK ? 2 : 0;
	size_t text_left = c->left > line_end ? c->left - line_end : 0;
	find_stamps(c, text, taken < text_left ? taken : text_left, now);
	c->left -= taken;
	if (c->left == 0 && c->phase == READS_CHUNK)
		c->phase = READS_SIZE;
	return (ssize_t)taken;
}

static void
read_answer(struct client *c)
{
	static char text[READ_AT_ONCE];
	ssize_t n = recv(c->socket, text, sizeof(text), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || c->phase < READS_HEAD) {
		if (c->phase == IDLE)
			disconnect(c);
		else
			give_up(c, "the connection ended");
		return;
	}
	uint64_t now = pace_now();
	for (ssize_t at = 0; at < n;) {
		ssize_t taken = take(c, text + at, (size_t)(n - at), now);
		if (taken < 0) {
			give_up(c, "not a good answer");
			return;
		}
		at += taken;
		if (c->phase == READS_LENGTH && c->left == 0) {
			finish(c);
			return;
		}
	}
}

static void
on_event(struct client *c, uint32_t happened)
{
	int problem = 0;
	socklen_t length = sizeof(problem);

	if (c->socket < 0)
		return;
	if (c->phase != CONNECTS || !(happened & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		read_answer(c);
		return;
	}
	getsockopt(c->socket, SOL_SOCKET, SO_ERROR, &problem, &length);
	if (problem != 0)
		give_up(c, strerror(problem));
	else
		send_request(c);
}

/* ---- the run ---- */

static void
run(struct client *clients)
{
	uint64_t began = pace_now();
	uint64_t each = plan.ramp / plan.clients;
	unsigned started = 0;

	end_time = began + (plan.requests > 0 ? LONGEST_RUN : plan.seconds) * NS_PER_S;
	while (!is_over) {
		struct epoll_event happened[EVENTS];
		uint64_t now = pace_now();
		while (started < plan.clients && began + started * each <= now)
			begin(&clients[started++]);
		int count = epoll_wait(poller, happened, EVENTS, started < plan.clients ? 1 : 50);
		for (int i = 0; i < count; i++)
			on_event(happened[i].data.ptr, happened[i].events);
		is_over |= pace_now() >= end_time || (plan.requests > 0 && counts.in_flight == 0 &&
							     counts.begun == plan.requests);
	}
	double seconds = (double)(pace_now() - began) / NS_PER_S;
	if (plan.requests > 0)
		counts.failed += counts.in_flight;
	printf("{\"seconds\": %.4f, \"requests\": %lu, \"failed\": %lu, \"events\": %lu, "
	       "\"latency\": [%.3f, %.3f], \"delay\": [%.3f, %.3f]}\n",
		seconds, counts.answered, counts.failed, counts.stamps,
		times_share(&counts.latency, 0.5), times_share(&counts.latency, 0.99),
		times_share(&counts.delay, 0.5), times_share(&counts.delay, 0.99));
}

static void
write_request(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		fail(path);
	size_t length = (size_t)ftell(file);
	rewind(file);
	plan.request = malloc(length + 1024);
	if (plan.request == NULL)
		fail("malloc");
	int head = snprintf(plan.request, 1024,
		"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: %.256s\r\n"
		"Content-Type: application/json\r\nAnthropic-Version: 2023-06-01\r\n"
		"Content-Length: %zu\r\n\r\n",
		plan.key, length);
	if (fread(plan.request + head, 1, length, file) != length)
		fail(path);
	plan.request_length = (size_t)head + length;
	fclose(file);
}

/* Return whether they make sense. */
static bool
read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:n:d:r:e:k:")) != -1) {
		switch (option) {
		case 'c':
			plan.clients = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			plan.requests = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			plan.seconds = strtod(optarg, NULL);
			break;
		case 'r':
			plan.ramp = strtoul(optarg, NULL, 10) * NS_PER_MS;
			break;
		case 'e':
			plan.stamps = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			plan.key = optarg;
			break;
		default:
			return false;
		}
	}
	return argc - optind == 2 && plan.clients > 0 && (plan.requests > 0 || plan.seconds > 0);
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	if (!read_options(argc, argv)) {
		fputs("usage: load (-n REQUESTS | -d SECONDS) [-c CLIENTS] [-r RAMP-MS] "
		      "[-e STAMPS] [-k KEY] PORT BODY-FILE\n",
			stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	plan.port = (unsigned)strtoul(argv[optind], NULL, 10);
	write_request(argv[optind + 1]);
	poller = epoll_create1(EPOLL_CLOEXEC);
	struct client *clients = calloc(plan.clients, sizeof(*clients));
	if (poller < 0 || clients == NULL)
		fail("starting");
	for (unsigned i = 0; i < plan.clients; i++)
		clients[i].socket = -1;
	run(clients);
	for (unsigned i = 0; i < plan.clients; i++)
		disconnect(&clients[i]);
	free(clients);
	free(plan.request);
	close(poller);
	return 0;
}

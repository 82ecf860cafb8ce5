/*
 * The floor that the load test compares with: the least that a FastCGI program does for a request.
 *
 * It reads the body, throws it away, and answers with a constant Claude message, or with a Claude
 * stream of the shape that pace.h describes.  No upstream, no JSON, no database: what is left is
 * the web server, its socket and libfcgi.  Threads block in accept and in reading; one more writes
 * all streams.  Started like the responder: the listening socket is descriptor 0.
 */
#include <fcgiapp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pace.h"

enum {
	ACCEPTORS = 4,
	CHUNKS_AT_ONCE = 64, /* of one stream, before the others have their turn */
	NS_PER_S = 1000000000,
};

static const char plain[] =
	"Content-Type: application/json\r\n\r\n"
	"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":"
	"["
	"{\"type\":\"text\",\"text\":\"@0000000000000000@ and a few words more\"}],"
	"\"stop_reason\":\"end_turn\",\"stop_sequence\":null,"
	"\"usage\":{\"input_tokens\":50,\"output_tokens\":12}}";

static const char stream_begin[] =
	"Content-Type: text/event-stream\r\n"
	"Cache-Control: no-cache\r\n"
	"X-Accel-Buffering: no\r\n\r\n"
	"event: message_start\n"
	"data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","
	"\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,"
	"\"stop_sequence\":null,\"usage\":{\"input_tokens\":50,\"output_tokens\":1}}}\n\n"
	"event: content_block_start\n"
	"data: {\"type\":\"content_block_start\",\"index\":0,"
	"\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";

static const char stream_chunk[] =
	"event: content_block_delta\n"
	"data: {\"type\":\"content_block_delta\",\"index\":0,"
	"\"delta\":{\"type\":\"text_delta\",\"text\":\"@0000000000000000@ and words\"}}\n\n";

static const char stream_end[] =
	"event: content_block_stop\n"
	"data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
	"event: message_delta\n"
	"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
	"\"stop_sequence\":null},\"usage\":{\"output_tokens\":12}}\n\n"
	"event: message_stop\n"
	"data: {\"type\":\"message_stop\"}\n\n";

/* One request; those that are streamed go through ${incoming} to the thread that writes. */
struct job {
	struct waiter waiter;
	FCGX_Request request;
	unsigned sent; /* chunks */
	bool begun;
	struct job *next;
};

static struct shape shape;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *incoming;
static int wake;

static void
put(struct job *j, const char *text, size_t length)
{
	FCGX_PutStr(text, (int)length, j->request.out);
}

static void
put_stamped(struct job *j, const char *text, size_t length)
{
	char copy[1024];

	memcpy(copy, text, length);
	stamp_write(memchr(copy, '@', length));
	put(j, copy, length);
}

static void
end(struct job *j)
{
	FCGX_Finish_r(&j->request);
	FCGX_Free(&j->request, 1);
	free(j);
}

/* Write what is due.  Return when more is, or 0 after the last chunk. */
static uint64_t
go_on(struct job *j, uint64_t now)
{
	uint64_t due = j->waiter.due;

	if (!j->begun)
		put(j, stream_begin, sizeof(stream_begin) - 1);
	j->begun = true;
	for (int i = 0; i < CHUNKS_AT_ONCE && due <= now && j->sent < shape.chunks; i++) {
		put_stamped(j, stream_chunk, sizeof(stream_chunk) - 1);
		j->sent++;
		due += shape.gap;
	}
	if (j->sent == shape.chunks) {
		put(j, stream_end, sizeof(stream_end) - 1);
		return 0;
	}
	FCGX_FFlush(j->request.out);
	return due;
}

static void
take_incoming(struct pace *begin)
{
	pthread_mutex_lock(&lock);
	struct job *j = incoming;
	incoming = NULL;
	pthread_mutex_unlock(&lock);
	for (; j != NULL; j = j->next)
		pace_add(begin, &j->waiter, pace_now() + shape.first);
}

static void
wait_for_work(int64_t wait)
{
	struct pollfd awake = {.fd = wake, .events = POLLIN};
	struct timespec t = {.tv_sec = wait / NS_PER_S, .tv_nsec = wait % NS_PER_S};
	uint64_t count;

	if (ppoll(&awake, 1, wait == INT64_MAX ? NULL : &t, NULL) > 0 &&
		read(wake, &count, sizeof(count)) < 0)
		abort();
}

/* Each that is due gets its turn once, so that a stream without gaps cannot keep out the others. */
static void
run_due(struct pace *from, struct pace *running)
{
	const struct waiter *last = from->last;
	uint64_t now = pace_now();
	struct waiter *w;
	bool more = last != NULL;

	while (more && (w = pace_take(from, now)) != NULL) {
		struct job *j = (struct job *)w;
		more = w != last;
		uint64_t due = go_on(j, now);
		if (due == 0)
			end(j);
		else
			pace_add(running, w, due);
	}
}

static void *
write_streams(void *unused)
{
	struct pace begin = {0};
	struct pace running = {0};

	(void)unused;
	for (;;) {
		wait_for_work(pace_wait(&begin, &running, pace_now()));
		take_incoming(&begin);
		run_due(&running, &running);
		run_due(&begin, &running);
	}
	return NULL;
}

static void
hand_over(struct job *j)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&lock);
	j->next = incoming;
	incoming = j;
	pthread_mutex_unlock(&lock);
	if (write(wake, &one, sizeof(one)) < 0)
		abort();
}

/* What else comes asks whether the site is up. */
static bool
is_post(const struct job *j)
{
	const char *method = FCGX_GetParam("REQUEST_METHOD", j->request.envp);

	return method != NULL && strcmp(method, "POST") == 0;
}

static void *
accept_requests(void *unused)
{
	char body[65536];

	(void)unused;
	for (;;) {
		struct job *j = calloc(1, sizeof(*j));
		if (j == NULL)
			abort();
		FCGX_InitRequest(&j->request, 0, 0);
		if (FCGX_Accept_r(&j->request) < 0) {
			free(j);
			return NULL;
		}
		while (FCGX_GetStr(body, sizeof(body), j->request.in) > 0)
			;
		if (shape.chunks > 0 && is_post(j)) {
			hand_over(j);
			continue;
		}
		put_stamped(j, plain, sizeof(plain) - 1);
		end(j);
	}
}

int
main(void)
{
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	shape = shape_from_environment();
	wake = eventfd(0, EFD_CLOEXEC);
	if (wake < 0 || FCGX_Init() != 0 || pthread_create(&thread, NULL, write_streams, NULL) != 0)
		return 1;
	signal(SIGTERM, SIG_DFL); /* libfcgi's handler ends one thread's accept */
	for (int i = 1; i < ACCEPTORS; i++)
		if (pthread_create(&thread, NULL, accept_requests, NULL) != 0)
			return 1;
	accept_requests(NULL);
	return 0;
}

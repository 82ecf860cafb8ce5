/*
 * Where the lines of the log go; see log_writer.h.
 *
 * The lock is never held over a write while the thread runs.  The thread itself may wait for a
 * descriptor that takes nothing, for ever: it looks up now and then whether there is another one.
 */
#include "base/log/log_writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"

enum {
	NONE = -1,
	LOOK_UP = 100, /* ms of waiting for a descriptor before a look at whether it still counts */
	KEPT_BYTES = 1 << 16, /* of the memory for what waits */
};

/* The process has one log. */
static struct {
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t wake;  /* there is something for the thread to do */
	pthread_cond_t ended; /* the thread has */
	pthread_t thread;
	void (*tell_lost)(struct buffer *line, uint64_t lost);
	int descriptor;
	int next; /* takes its place as soon as the thread does not use it; NONE */
	bool running;
	bool stopping;
	struct buffer waiting; /* whole lines */
	uint64_t lost;         /* lines */
} writer = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.descriptor = STDERR_FILENO,
	.next = NONE,
	.waiting = {.limit = LOG_WRITER_MOST_WAITING},
};

static void
close_descriptor(int descriptor)
{
	if (descriptor != STDERR_FILENO && descriptor != NONE)
		close(descriptor);
}

/* ---- the thread ---- */

/* What is being written. */
struct batch {
	struct buffer lines;
	size_t written; /* bytes */
	uint64_t lost;  /* lines, these included that could not be written */
};

static bool
is_replaced(void)
{
	pthread_mutex_lock(&writer.lock);
	bool replaced = writer.next != NONE;
	pthread_mutex_unlock(&writer.lock);
	return replaced;
}

/*
 * How much to write at a time.  Whole lines, so that those of several processes do not mix: a file
 * takes any number, a pipe no more than PIPE_BUF.  A longer line goes alone.
 */
static size_t
piece_length(const char *data, size_t length, bool file)
{
	if (data == NULL || file || length <= PIPE_BUF)
		return length;
	size_t whole = PIPE_BUF;
	while (whole > 0 && data[whole - 1] != '\n')
		whole--;
	if (whole > 0)
		return whole;
	const char *end = memchr(data, '\n', length);
	return end != NULL ? (size_t)(end - data) + 1 : length;
}

/* Write the piece.  Return 0, or -1 if it cannot be written, or another descriptor counts now. */
static int
write_piece(int descriptor, const char *data, size_t length, bool file)
{
	struct pollfd p = {.fd = descriptor, .events = POLLOUT};

	while (length > 0) {
		int ready = poll(&p, 1, LOOK_UP);
		if (ready == 0 && is_replaced())
			return -1;
		if (ready <= 0)
			continue;
		/* What is writable takes so much without waiting. */
		size_t most = file || length < PIPE_BUF ? length : PIPE_BUF;
		ssize_t n = write(descriptor, data, most);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static bool
is_file(int descriptor)
{
	struct stat info;

	return fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
}

/* Write the batch, as far as ${descriptor} is the one that counts. */
static void
write_batch(struct batch *batch, int descriptor)
{
	bool file = is_file(descriptor);

	while (batch->written < batch->lines.length) {
		const char *data = batch->lines.data + batch->written;
		size_t length = piece_length(data, batch->lines.length - batch->written, file);
		if (write_piece(descriptor, data, length, file) != 0) {
			if (is_replaced())
				return;
			for (size_t i = 0; i < length; i++)
				batch->lost += data[i] == '\n';
		}
		batch->written += length;
	}
}

static void
tell_lost(struct batch *batch, int descriptor)
{
	struct buffer line = BUFFER_INIT(0);

	writer.tell_lost(&line, batch->lost);
	if (write_piece(descriptor, buffer_text(&line), line.length, is_file(descriptor)) == 0)
		batch->lost = 0;
	buffer_free(&line);
}

/* Wait for work; the lock is held.  Return whether there is some. */
static bool
wait_for_lines(void)
{
	while (writer.waiting.length == 0 && writer.next == NONE && !writer.stopping)
		pthread_cond_wait(&writer.wake, &writer.lock);
	return writer.waiting.length > 0 || writer.next != NONE;
}

/* Take what waits, where everything is written that was taken before; the lock is held. */
static void
take_lines(struct batch *batch)
{
	if (writer.next != NONE) {
		close_descriptor(writer.descriptor);
		writer.descriptor = writer.next;
		writer.next = NONE;
	}
	if (batch->written < batch->lines.length)
		return;
	struct buffer empty = batch->lines;
	if (empty.capacity > KEPT_BYTES)
		buffer_free(&empty);
	buffer_clear(&empty);
	batch->lines = writer.waiting;
	batch->written = 0;
	batch->lost += writer.lost;
	writer.waiting = empty;
	writer.lost = 0;
}

static void *
write_lines(void *context)
{
	struct batch batch = {.lines = BUFFER_INIT(LOG_WRITER_MOST_WAITING)};

	(void)context;
	pthread_mutex_lock(&writer.lock);
	while (batch.written < batch.lines.length || wait_for_lines()) {
		take_lines(&batch);
		int descriptor = writer.descriptor;
		pthread_mutex_unlock(&writer.lock);
		write_batch(&batch, descriptor);
		if (batch.lost > 0)
			tell_lost(&batch, descriptor);
		pthread_mutex_lock(&writer.lock);
	}
	writer.running = false;
	pthread_cond_signal(&writer.ended);
	pthread_mutex_unlock(&writer.lock);
	buffer_free(&batch.lines);
	return NULL;
}

/* ---- the others ---- */

void
log_writer_use(int descriptor)
{
	pthread_mutex_lock(&writer.lock);
	if (writer.running) {
		close_descriptor(writer.next);
		writer.next = descriptor;
		pthread_cond_signal(&writer.wake);
	} else {
		close_descriptor(writer.descriptor);
		writer.descriptor = descriptor;
	}
	pthread_mutex_unlock(&writer.lock);
}

/* The lock is held. */
static void
write_at_once(const char *line, size_t length)
{
	while (length > 0) {
		ssize_t n = write(writer.descriptor, line, length);
		if (n < 0 && errno != EINTR)
			return; /* A full disk must not stop the program. */
		line += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
}

void
log_writer_put(const char *line, size_t length)
{
	pthread_mutex_lock(&writer.lock);
	if (!writer.running) {
		write_at_once(line, length);
	} else if (buffer_append(&writer.waiting, line, length) == 0) {
		pthread_cond_signal(&writer.wake);
	} else {
		writer.waiting.failed = false; /* what was appended before is whole */
		writer.lost++;
	}
	pthread_mutex_unlock(&writer.lock);
}

int
log_writer_start(void (*tell)(struct buffer *line, uint64_t lost))
{
	pthread_condattr_t monotonic;
	sigset_t all;
	sigset_t before;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&writer.wake, &monotonic);
	pthread_cond_init(&writer.ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	writer.tell_lost = tell;
	writer.stopping = false;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	writer.running = true;
	if (pthread_create(&writer.thread, NULL, write_lines, NULL) != 0)
		writer.running = false;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return writer.running ? 0 : -1;
}

static struct timespec
in_milliseconds(int milliseconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += milliseconds / 1000;
	t.tv_nsec += milliseconds % 1000 * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000L;
	t.tv_nsec %= 1000000000L;
	return t;
}

void
log_writer_stop(int patience)
{
	const struct timespec deadline = in_milliseconds(patience);
	int late = 0;

	pthread_mutex_lock(&writer.lock);
	bool started = writer.running;
	writer.stopping = true;
	pthread_cond_signal(&writer.wake);
	while (writer.running && late == 0)
		late = pthread_cond_timedwait(&writer.ended, &writer.lock, &deadline);
	bool ended = !writer.running;
	pthread_mutex_unlock(&writer.lock);
	if (started && ended)
		pthread_join(writer.thread, NULL);
	else if (started) /* it waits for a reader, and ends with the process */
		pthread_detach(writer.thread);
}

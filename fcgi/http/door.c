/*
 * The front door; see door.h.
 */
#include "http/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "http/fcgi_records.h"
#include "http/web_request.h"

enum {
	FIRST_CAPACITY = 64,
	LISTENER_AT = 0, /* in what is polled */
	WAKE_AT = 1,
	WAITING_FROM = 2,
	ACCEPT_AGAIN = 50,    /* ms after accepting failed */
	SHUT_PATIENCE = 1000, /* ms for heads, when nobody is let in any more */
};

/* A connection, or what was parked. */
struct waiting {
	int descriptor;
	void *parked;        /* NULL: a connection without its whole head */
	bool unwanted;       /* what was parked is only waited for to be polite */
	int64_t deadline;    /* ms of clock_monotonic_ms */
	unsigned char *head; /* what has come of it; owned; NULL: nothing */
	size_t length;
};

struct door {
	pthread_mutex_t watch; /* who has it looks after those who wait */
	int listener;
	int wake[2]; /* a byte ends the watch's poll */
	int64_t accept_from;
	bool connections_first; /* whose turn it is: neither must keep the other out */
	struct pollfd *polled;
	size_t polled_capacity;
	size_t polled_waiting; /* how many of those who wait were polled: others came behind them */

	pthread_mutex_t lock;    /* of what follows */
	struct waiting *waiting; /* in order of arrival */
	size_t waiting_count;
	size_t waiting_capacity;
	size_t silent_count;   /* connections among them */
	size_t unwanted_count; /* and those */
	size_t guests;
	bool shut;
	bool closed;
};

static int
make_nonblocking(int descriptor)
{
	int flags = fcntl(descriptor, F_GETFL);

	return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

/* The array with room for ${count} elements of ${size} bytes; NULL: there is no memory, and it is
 * as it was. */
static void *
with_room(void *array, size_t *capacity, size_t count, size_t size)
{
	if (count <= *capacity)
		return array;
	size_t more = count < FIRST_CAPACITY ? FIRST_CAPACITY : count * 2;
	void *grown = reallocarray(array, more, size);
	if (grown != NULL)
		*capacity = more;
	return grown;
}

/* Make room to poll ${count} of those who wait.  Return 0 or -1. */
static int
make_room(struct door *d, size_t count)
{
	struct pollfd *polled = with_room(
		d->polled, &d->polled_capacity, WAITING_FROM + count, sizeof(*polled));

	if (polled == NULL)
		return -1;
	d->polled = polled;
	return 0;
}

struct door *
door_new(int listener)
{
	struct door *d = calloc(1, sizeof(*d));

	if (d == NULL || make_room(d, 0) != 0 || make_nonblocking(listener) != 0 ||
		pipe2(d->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
		log_error("could not listen to web servers: %s", strerror(errno));
		if (d != NULL)
			free(d->polled);
		free(d);
		return NULL;
	}
	d->listener = listener;
	pthread_mutex_init(&d->watch, NULL);
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

void
door_free(struct door *d)
{
	close(d->wake[0]);
	close(d->wake[1]);
	pthread_mutex_destroy(&d->watch);
	pthread_mutex_destroy(&d->lock);
	free(d->waiting);
	free(d->polled);
	free(d);
}

static void
wake_up(struct door *d)
{
	/* A full pipe wakes, too. */
	(void)!write(d->wake[1], "", 1);
}

/* ---- those who wait; the lock is held ---- */

/* Return 0, or -1: there is no memory. */
static int
add(struct door *d, const struct waiting *w)
{
	struct waiting *waiting = with_room(
		d->waiting, &d->waiting_capacity, d->waiting_count + 1, sizeof(*waiting));

	if (waiting == NULL)
		return -1;
	d->waiting = waiting;
	d->waiting[d->waiting_count++] = *w;
	d->silent_count += w->parked == NULL;
	d->unwanted_count += w->unwanted;
	return 0;
}

static struct waiting
take_out(struct door *d, size_t index)
{
	struct waiting w = d->waiting[index];

	d->waiting_count--;
	d->silent_count -= w.parked == NULL;
	d->unwanted_count -= w.unwanted;
	memmove(&d->waiting[index], &d->waiting[index + 1],
		(d->waiting_count - index) * sizeof(d->waiting[0]));
	return w;
}

/* Close a connection that was let in. */
static void
forget(struct door *d, const struct waiting *w)
{
	close(w->descriptor);
	free(w->head);
	d->guests--;
}

/* The same with one that waits. */
static void
turn_away(struct door *d, size_t index)
{
	const struct waiting w = take_out(d, index);

	forget(d, &w);
}

static void
turn_away_oldest(struct door *d)
{
	for (size_t i = 0; i < d->waiting_count; i++) {
		if (d->waiting[i].parked != NULL)
			continue;
		turn_away(d, i);
		return;
	}
}

int
door_park(struct door *d, int descriptor, int64_t deadline, bool wanted, void *parked)
{
	const struct waiting w = {
		.descriptor = descriptor,
		.parked = parked,
		.unwanted = !wanted,
		.deadline = deadline,
	};
	int status = -1;

	pthread_mutex_lock(&d->lock);
	if (wanted || d->unwanted_count < DOOR_MOST_UNWANTED)
		status = add(d, &w);
	pthread_mutex_unlock(&d->lock);
	if (status == 0)
		wake_up(d);
	return status;
}

/* ---- heads ---- */

enum progress { MORE_TO_COME, WHOLE_HEAD, NO_HEAD };

/* Read what has come, behind what had come before; with WHOLE_HEAD the guest may go on with it. */
static enum progress
read_head(const struct waiting *w, struct door_guest *guest)
{
	if (w->length > 0)
		memcpy(guest->bytes, w->head, w->length);
	ssize_t n = recv(
		w->descriptor, guest->bytes + w->length, DOOR_MOST_HEAD - w->length, MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		return NO_HEAD;
	if (n == 0)
		return NO_HEAD;
	guest->descriptor = w->descriptor;
	guest->parked = NULL;
	guest->length = w->length + (n > 0 ? (size_t)n : 0);
	ssize_t head = fcgi_head_length(guest->bytes, guest->length);
	if (head < 0 || (head == 0 && guest->length == DOOR_MOST_HEAD))
		return NO_HEAD;
	guest->head_length = (size_t)head;
	return head > 0 ? WHOLE_HEAD : MORE_TO_COME;
}

/* Keep what has come of a head that is not whole.  Return 0, or -1: there is no memory. */
static int
keep_head(struct waiting *w, const struct door_guest *guest)
{
	if (guest->length == w->length)
		return 0;
	unsigned char *grown = realloc(w->head, guest->length);
	if (grown == NULL)
		return -1;
	memcpy(grown + w->length, guest->bytes + w->length, guest->length - w->length);
	w->head = grown;
	w->length = guest->length;
	return 0;
}

/* Read on, and keep what is not whole. */
static enum progress
take_head(struct waiting *w, struct door_guest *guest)
{
	enum progress progress = read_head(w, guest);

	return progress == MORE_TO_COME && keep_head(w, guest) != 0 ? NO_HEAD : progress;
}

/* ---- connections ---- */

/* FastCGI 1.0 §3.2: over TCP the environment may name those who are let in. */
static bool
is_let_in(const struct sockaddr_storage *peer)
{
	const char *allowed = peer->ss_family == AF_INET ? getenv("FCGI_WEB_SERVER_ADDRS") : NULL;
	char address[INET_ADDRSTRLEN];

	if (allowed == NULL || allowed[0] == '\0')
		return true;
	inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, address, sizeof(address));
	for (const char *at = allowed; *at != '\0'; at += strspn(at, ",")) {
		size_t length = strcspn(at, ",");
		if (strlen(address) == length && memcmp(address, at, length) == 0)
			return true;
		at += length;
	}
	return false;
}

/* The next connection, or -1. */
static int
accept_one(struct door *d)
{
	struct sockaddr_storage peer = {0};
	socklen_t length = sizeof(peer);
	int descriptor = accept4(d->listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);

	if (descriptor >= 0 && !is_let_in(&peer)) {
		close(descriptor);
		return -1;
	}
	if (descriptor >= 0 && peer.ss_family != AF_UNIX)
		web_request_prepare_tcp(descriptor);
	/* Others may share the listener; and some connections are over before they are accepted. */
	if (descriptor < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR &&
		errno != ECONNABORTED && errno != EPROTO) {
		log_error("could not accept a request: %s", strerror(errno));
		d->accept_from = clock_monotonic_ms() + ACCEPT_AGAIN;
	}
	return descriptor;
}

/* Accept a connection.  True: it may go on at once. */
static bool
welcome(struct door *d, struct door_guest *guest, int64_t now)
{
	struct waiting w = {.descriptor = accept_one(d), .deadline = now + DOOR_HEAD_PATIENCE};

	if (w.descriptor < 0)
		return false;
	enum progress progress = take_head(&w, guest);
	if (progress == NO_HEAD) {
		close(w.descriptor);
		return false;
	}
	pthread_mutex_lock(&d->lock);
	d->guests++;
	if (progress == MORE_TO_COME) {
		if (d->silent_count == DOOR_MOST_SILENT)
			turn_away_oldest(d);
		if (add(d, &w) != 0)
			forget(d, &w);
	}
	pthread_mutex_unlock(&d->lock);
	return progress == WHOLE_HEAD;
}

/* ---- the watch ---- */

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Write down whom to poll; the lock is held.  Return for how many ms. */
static int
prepare(struct door *d, int64_t now)
{
	bool accepts = !d->shut && now >= d->accept_from;
	int64_t next = d->shut || accepts ? INT64_MAX : d->accept_from;

	d->polled[LISTENER_AT] = (struct pollfd){
		.fd = accepts ? d->listener : -1, .events = POLLIN};
	d->polled[WAKE_AT] = (struct pollfd){.fd = d->wake[0], .events = POLLIN};
	d->polled_waiting = 0;
	while (d->polled_waiting < d->waiting_count &&
		WAITING_FROM + d->polled_waiting < d->polled_capacity) {
		const struct waiting *w = &d->waiting[d->polled_waiting];
		d->polled[WAITING_FROM + d->polled_waiting++] = (struct pollfd){
			.fd = w->descriptor, .events = POLLIN};
		next = earlier(next, w->deadline);
	}
	if (next == INT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

/* Poll.  Return 0, or -1: nothing is known. */
static int
poll_all(struct door *d)
{
	pthread_mutex_lock(&d->lock);
	/* Without memory, fewer are polled. */
	make_room(d, d->waiting_count);
	int patience = prepare(d, clock_monotonic_ms());
	pthread_mutex_unlock(&d->lock);
	return poll(d->polled, (nfds_t)(WAITING_FROM + d->polled_waiting), patience) < 0 ? -1 : 0;
}

/* May the one at ${index} go on?  One that will not is turned away.  The lock is held. */
static bool
may_go_on(struct door *d, size_t index, bool readable, struct door_guest *guest, int64_t now)
{
	struct waiting *w = &d->waiting[index];
	bool late = now >= w->deadline;

	if (!readable && !late)
		return false;
	if (w->parked != NULL) {
		guest->parked = take_out(d, index).parked;
		return true;
	}
	enum progress progress = take_head(w, guest);
	if (progress == WHOLE_HEAD)
		free(take_out(d, index).head);
	else if (progress == NO_HEAD || late)
		turn_away(d, index);
	return progress == WHOLE_HEAD;
}

/* Find the first who waited, and may go on. */
static bool
find_waiting(struct door *d, struct door_guest *guest, int64_t now)
{
	bool found = false;

	pthread_mutex_lock(&d->lock);
	size_t before = d->waiting_count;
	for (size_t i = 0; i < d->polled_waiting && !found; i++) {
		bool readable = d->polled[WAITING_FROM + i].revents != 0;
		size_t gone = before - d->waiting_count; /* those turned away so far */
		found = may_go_on(d, i - gone, readable, guest, now);
	}
	pthread_mutex_unlock(&d->lock);
	return found;
}

/* Wait until somebody may go on, or something else has come.  The watch is held. */
static bool
look_around(struct door *d, struct door_guest *guest)
{
	char bytes[64];

	if (poll_all(d) != 0)
		return false;
	int64_t now = clock_monotonic_ms();
	if (d->polled[WAKE_AT].revents != 0)
		while (read(d->wake[0], bytes, sizeof(bytes)) == sizeof(bytes))
			;
	bool connecting = d->polled[LISTENER_AT].revents != 0;
	d->connections_first = !d->connections_first;
	/* A new connection may take the place of one that waits: then what was polled tells nothing
	 * more. */
	if (d->connections_first && connecting)
		return welcome(d, guest, now);
	return find_waiting(d, guest, now) || (connecting && welcome(d, guest, now));
}

static bool
is_closed(struct door *d)
{
	pthread_mutex_lock(&d->lock);
	bool closed = d->closed;
	pthread_mutex_unlock(&d->lock);
	return closed;
}

bool
door_wait(struct door *d, struct door_guest *guest)
{
	bool found = false;

	pthread_mutex_lock(&d->watch);
	while (!found && !is_closed(d))
		found = look_around(d, guest);
	pthread_mutex_unlock(&d->watch);
	return found;
}

/* ---- the rest ---- */

void
door_leave(struct door *d)
{
	pthread_mutex_lock(&d->lock);
	d->guests--;
	pthread_mutex_unlock(&d->lock);
}

size_t
door_guests(struct door *d)
{
	pthread_mutex_lock(&d->lock);
	size_t guests = d->guests;
	pthread_mutex_unlock(&d->lock);
	return guests;
}

void
door_shut(struct door *d)
{
	int64_t latest = clock_monotonic_ms() + SHUT_PATIENCE;

	pthread_mutex_lock(&d->lock);
	d->shut = true;
	for (size_t i = 0; i < d->waiting_count; i++)
		if (d->waiting[i].parked == NULL)
			d->waiting[i].deadline = earlier(d->waiting[i].deadline, latest);
	pthread_mutex_unlock(&d->lock);
	wake_up(d);
}

void
door_close(struct door *d)
{
	pthread_mutex_lock(&d->lock);
	d->closed = true;
	pthread_mutex_unlock(&d->lock);
	wake_up(d);
}

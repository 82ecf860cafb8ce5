/*
 * The responder; see server.h.
 *
 * Acceptors block at the door (http/door.h) and in SQLite; the loop blocks in nothing.  A prepared
 * exchange goes from the one to the other through a queue; nothing else is shared but what has its
 * own lock.
 */
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/log/log.h"
#include "base/memory.h"
#include "base/settings/settings.h"
#include "base/watch.h"
#include "http/door.h"
#include "http/web_request.h"
#include "proxy/exchange.h"
#include "proxy/intake.h"
#include "proxy/live_settings.h"
#include "proxy/usage_writer.h"
#include "store/config.h"
#include "store/store.h"
#include "upstream/transfer.h"

enum {
	FIRST_ACCEPTORS = 4,
	MOST_ACCEPTORS = 64,
	QUIET_INTERVAL = 2000, /* ms without a new request after which memory is given back */
	BODY_PATIENCE = 50, /* ms that an acceptor waits for a body, before it waits at the door */
	WHOLE_BODY = 1 << 30,  /* ms: a CGI program has nothing else to do */
	GROW_INTERVAL = 100,   /* ms between looks at whether all acceptors are busy */
	STOP_INTERVAL = 20,    /* ms between looks at whether everything has stopped */
	STOP_PATIENCE = 30000, /* ms for what is in flight when the process is told to stop */
	QUEUE_FIRST = 64,
	BEGUN_AT_ONCE = 64, /* exchanges */
	MANY_STREAMS = 16,  /* under way: then others begin one at a time */
};

/* A prepared exchange on its way to the loop, in order of arrival. */
struct queue {
	pthread_mutex_t lock;
	struct exchange **waiting;
	size_t count;
	size_t capacity;
};

/* How busy the process is: what moves while it is. */
struct activity {
	unsigned accepted; /* requests since the start */
	int in_flight;
	unsigned forgotten; /* of exchange.h */
};

struct server {
	uv_loop_t loop;
	struct exchanges exchanges;
	struct queue queue;
	uv_async_t wake;
	uv_async_t busy; /* every acceptor is */
	uv_signal_t signals[4];
	uv_timer_t grow;
	uv_timer_t stop;
	uv_timer_t quiet; /* runs from the first request of a busy time on */
	uv_work_t give_back;
	struct activity seen; /* when it looked last */
	struct activity given_back;
	uint64_t stop_deadline; /* ms of the loop's clock */

	uint64_t began; /* ns of uv_hrtime */

	struct door *door; /* NULL: as CGI */
	pthread_t acceptors[MOST_ACCEPTORS];
	size_t acceptor_count;
	atomic_int idle_acceptors; /* those at the door */
	atomic_uint accepted;      /* requests */
	unsigned seen_accepted;    /* when the loop last looked */
	bool stopping;
};

/* ---- memory ---- */

static bool
is_same(struct activity a, struct activity b)
{
	return a.accepted == b.accepted && a.in_flight == b.in_flight && a.forgotten == b.forgotten;
}

static void
give_back(uv_work_t *work)
{
	(void)work;
	memory_give_back();
}

/* When no request came for a while, and something changed since the last time. */
static void
on_quiet(uv_timer_t *timer)
{
	struct server *s = timer->data;
	const struct activity now = {
		.accepted = atomic_load(&s->accepted),
		.in_flight = atomic_load(&s->exchanges.in_flight),
		.forgotten = s->exchanges.forgotten,
	};
	bool quiet = now.accepted == s->seen.accepted;

	s->seen = now;
	memory_keep(!quiet);
	if (!quiet)
		return;
	if (!is_same(now, s->given_back) &&
		uv_queue_work(&s->loop, &s->give_back, give_back, NULL) == 0)
		s->given_back = now;
	else if (now.in_flight == 0)
		uv_timer_stop(timer);
}

/* ---- from the acceptors to the loop ---- */

static int
queue_push(struct queue *q, struct exchange *x)
{
	int status = -1;

	pthread_mutex_lock(&q->lock);
	if (q->count == q->capacity) {
		size_t capacity = q->capacity > 0 ? q->capacity * 2 : QUEUE_FIRST;
		struct exchange **grown = reallocarray(
			q->waiting, capacity, sizeof(struct exchange *));
		if (grown == NULL)
			goto out;
		q->waiting = grown;
		q->capacity = capacity;
	}
	q->waiting[q->count++] = x;
	status = 0;
out:
	pthread_mutex_unlock(&q->lock);
	return status;
}

/* Take the oldest, at most ${most}; how many, and whether ${more} wait. */
static size_t
queue_take(struct queue *q, struct exchange **taken, size_t most, bool *more)
{
	pthread_mutex_lock(&q->lock);
	size_t count = q->count < most ? q->count : most;
	if (count > 0) {
		memcpy(taken, q->waiting, count * sizeof(struct exchange *));
		q->count -= count;
		memmove(q->waiting, q->waiting + count, q->count * sizeof(struct exchange *));
	}
	*more = q->count > 0;
	pthread_mutex_unlock(&q->lock);
	return count;
}

/*
 * Begin what waits: all at once costs least, but one at a time where many streams are under way, so
 * that they go on in between when hundreds come at once.
 */
static void
on_wake(uv_async_t *wake)
{
	struct server *s = wake->data;
	struct exchange *taken[BEGUN_AT_ONCE];
	bool crowded = s->exchanges.streaming > MANY_STREAMS;
	bool more;
	size_t count = queue_take(&s->queue, taken, crowded ? 1 : BEGUN_AT_ONCE, &more);

	if (more)
		uv_async_send(wake);
	if (!uv_is_active((uv_handle_t *)&s->quiet)) {
		memory_keep(true);
		uv_timer_start(&s->quiet, on_quiet, QUIET_INTERVAL, QUIET_INTERVAL);
	}
	for (size_t i = 0; i < count; i++)
		exchange_run(taken[i]);
}

static int64_t
uptime_ms(const struct server *s)
{
	return (int64_t)((uv_hrtime() - s->began) / 1000000);
}

/* Begin to serve the request.  NULL if memory ran out. */
static struct intake *
begin_intake(struct server *s, struct web_request *web, int64_t uptime)
{
	struct config *config = store_config(s->exchanges.store);
	struct settings *settings = live_settings_get(
		s->exchanges.live, config != NULL ? config->reloads : 0);
	struct intake *in = intake_begin(&s->exchanges, web, settings, config, uptime);

	settings_release(settings);
	config_release(config);
	return in;
}

/* The request of a guest who is new.  NULL: there is none. */
static struct intake *
receive_guest(struct server *s, struct head_pipe *pipe, struct door_guest *guest)
{
	struct web_request *web = web_request_fcgi(
		pipe, guest->descriptor, guest->bytes, guest->head_length, guest->length);

	if (web == NULL) {
		close(guest->descriptor);
		return NULL;
	}
	return begin_intake(s, web, uptime_ms(s));
}

/* Serve the guest, or let it wait for its body.  True: it leaves. */
static bool
serve(struct server *s, struct head_pipe *pipe, struct door_guest *guest)
{
	bool is_new = guest->parked == NULL;
	struct intake *in = is_new ? receive_guest(s, pipe, guest) : guest->parked;
	/* Most bodies are there in a moment, but only while another acceptor looks after the rest.
	 */
	bool waits = is_new && atomic_load(&s->idle_acceptors) > 0;

	if (in == NULL)
		return true;
	if (!intake_receive(in, waits ? BODY_PATIENCE : 0) &&
		door_park(s->door, intake_input(in), intake_deadline(in), intake_is_wanted(in),
			in) == 0)
		return false;
	struct exchange *x = intake_end(in);
	if (x == NULL)
		return true;
	/* The queue grows by one pointer for each request in flight: where even that has no memory,
	 * nothing has. */
	if (queue_push(&s->queue, x) != 0)
		abort();
	uv_async_send(&s->wake);
	return true;
}

static void *
accept_requests(void *context)
{
	struct server *s = context;
	struct head_pipe pipe = HEAD_PIPE_INIT;
	struct door_guest guest;

	for (;;) {
		atomic_fetch_add(&s->idle_acceptors, 1);
		bool found = door_wait(s->door, &guest);
		if (atomic_fetch_sub(&s->idle_acceptors, 1) == 1)
			uv_async_send(&s->busy);
		if (!found)
			break;
		atomic_fetch_add(&s->accepted, 1);
		if (serve(s, &pipe, &guest))
			door_leave(s->door);
	}
	head_pipe_close(&pipe);
	return NULL;
}

static int
add_acceptor(struct server *s)
{
	sigset_t all;
	sigset_t before;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int problem = pthread_create(&s->acceptors[s->acceptor_count], NULL, accept_requests, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (problem != 0) {
		log_error("could not start a thread: %s", strerror(problem));
		return -1;
	}
	s->acceptor_count++;
	return 0;
}

/* A locked database may block every acceptor: if none came back and none took a request for a
 * while, add one. */
static void
on_grow(uv_timer_t *timer)
{
	struct server *s = timer->data;
	unsigned accepted = atomic_load(&s->accepted);

	if (atomic_load(&s->idle_acceptors) > 0 || s->stopping) {
		uv_timer_stop(timer);
		return;
	}
	if (accepted == s->seen_accepted && s->acceptor_count < MOST_ACCEPTORS)
		add_acceptor(s);
	s->seen_accepted = accepted;
}

static void
on_busy(uv_async_t *busy)
{
	struct server *s = busy->data;

	if (!uv_is_active((uv_handle_t *)&s->grow))
		uv_timer_start(&s->grow, on_grow, GROW_INTERVAL, GROW_INTERVAL);
}

/* ---- signals ---- */

static void
reload(struct server *s)
{
	struct buffer problem = BUFFER_INIT(0);

	settings_release(live_settings_reload(s->exchanges.live, &problem));
	buffer_free(&problem);
}

static void
close_handle(uv_handle_t *handle, void *context)
{
	(void)context;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Has the last guest left, and everything been answered? */
static bool
is_quiet(struct server *s)
{
	return door_guests(s->door) == 0 && s->exchanges.first == NULL &&
	       atomic_load(&s->exchanges.in_flight) == 0;
}

static void
on_stop(uv_timer_t *timer)
{
	struct server *s = timer->data;

	if (is_quiet(s)) {
		uv_stop(&s->loop);
	} else if (uv_now(&s->loop) >= s->stop_deadline) {
		log_warn("stopping with %d requests in flight",
			atomic_load(&s->exchanges.in_flight));
		exchanges_abort(&s->exchanges);
		uv_stop(&s->loop);
	}
}

static void
begin_stop(struct server *s, int number)
{
	if (s->stopping)
		return;
	s->stopping = true;
	log_info("signal %d: finishing %d requests in flight", number,
		atomic_load(&s->exchanges.in_flight));
	door_shut(s->door);
	uv_timer_stop(&s->grow);
	s->stop_deadline = uv_now(&s->loop) + STOP_PATIENCE;
	uv_timer_start(&s->stop, on_stop, 0, STOP_INTERVAL);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct server *s = handle->data;

	if (number == SIGHUP)
		reload(s);
	else
		begin_stop(s, number);
}

static const int heard_signals[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1};

enum { HEARD_SIGNALS = sizeof(heard_signals) / sizeof(heard_signals[0]) };

static void
mask_signals(int how)
{
	sigset_t heard;

	sigemptyset(&heard);
	for (size_t i = 0; i < HEARD_SIGNALS; i++)
		sigaddset(&heard, heard_signals[i]);
	pthread_sigmask(how, &heard, NULL);
}

void
server_hold_signals(void)
{
	mask_signals(SIG_BLOCK);
}

static void
catch_signals(struct server *s)
{
	for (size_t i = 0; i < HEARD_SIGNALS; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, heard_signals[i]);
	}
	mask_signals(SIG_UNBLOCK);
}

/* ---- the whole ---- */

static int64_t
reloads_in(struct store *store)
{
	struct config *config = store_config(store);
	int64_t reloads = config != NULL ? config->reloads : 0;

	config_release(config);
	return reloads;
}

static struct server *
server_new(struct store *store, struct settings *settings)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL || uv_loop_init(&s->loop) != 0)
		goto err0;
	s->exchanges.watches = watches_new(&s->loop);
	if (s->exchanges.watches == NULL)
		goto err1;
	s->exchanges.transfers = transfers_new(&s->loop, s->exchanges.watches);
	if (s->exchanges.transfers == NULL)
		goto err2;
	s->exchanges.usage_writer = usage_writer_new(&s->loop, store, &s->exchanges.in_flight);
	s->exchanges.live = live_settings_new(settings, reloads_in(store));
	if (s->exchanges.usage_writer == NULL || s->exchanges.live == NULL)
		goto err3;
	s->exchanges.loop = &s->loop;
	s->exchanges.store = store;
	pthread_mutex_init(&s->queue.lock, NULL);
	s->began = uv_hrtime();
	return s;

err3:
	live_settings_free(s->exchanges.live);
	usage_writer_free(s->exchanges.usage_writer);
	transfers_free(s->exchanges.transfers);
err2:
	watches_free(s->exchanges.watches);
	uv_run(&s->loop, UV_RUN_DEFAULT);
err1:
	uv_loop_close(&s->loop);
err0:
	log_error("could not start the event loop: out of memory or file descriptors");
	free(s);
	return NULL;
}

static void
server_free(struct server *s)
{
	usage_writer_free(s->exchanges.usage_writer);
	transfers_free(s->exchanges.transfers);
	watches_free(s->exchanges.watches);
	uv_walk(&s->loop, close_handle, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_loop_close(&s->loop);
	free(s->queue.waiting);
	live_settings_free(s->exchanges.live);
	pthread_mutex_destroy(&s->queue.lock);
	free(s);
}

static void
open_handles(struct server *s)
{
	uv_async_init(&s->loop, &s->wake, on_wake);
	uv_async_init(&s->loop, &s->busy, on_busy);
	uv_timer_init(&s->loop, &s->grow);
	uv_timer_init(&s->loop, &s->stop);
	uv_timer_init(&s->loop, &s->quiet);
	s->wake.data = s->busy.data = s->grow.data = s->stop.data = s->quiet.data = s;
	catch_signals(s);
}

/* Serve until everything that was let in is over.  Return whether it is, or patience ended. */
static bool
run(struct server *s)
{
	open_handles(s);
	while (s->acceptor_count < FIRST_ACCEPTORS && add_acceptor(s) == 0)
		;
	if (s->acceptor_count > 0)
		uv_run(&s->loop, UV_RUN_DEFAULT);
	usage_writer_flush(s->exchanges.usage_writer);
	if (!is_quiet(s))
		return false;
	door_close(s->door);
	for (size_t i = 0; i < s->acceptor_count; i++)
		pthread_join(s->acceptors[i], NULL);
	return true;
}

/*
 * End threads that still work: those that use the database, which the caller is about to close, and
 * libcurl's, which look up a name that nobody needs and could only be waited for.
 */
static _Noreturn void
end_process(int status)
{
	log_close();
	_exit(status);
}

int
server_run(struct store *store, struct settings *settings)
{
	struct server *s = server_new(store, settings);

	if (s == NULL)
		return EXIT_FAILURE;
	s->door = door_new(STDIN_FILENO);
	if (s->door == NULL) {
		server_free(s);
		return EXIT_FAILURE;
	}
	bool quiet = run(s);
	int status = s->acceptor_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	log_info("stopped");
	if (!quiet || transfers_leave_lookups(s->exchanges.transfers))
		end_process(status);
	door_free(s->door);
	server_free(s);
	return status;
}

int
server_run_cgi(struct store *store, struct settings *settings)
{
	struct server *s = server_new(store, settings);
	struct web_request *web = web_request_cgi();
	struct intake *in = s != NULL && web != NULL ? begin_intake(s, web, -1) : NULL;

	if (in == NULL)
		return EXIT_FAILURE;
	intake_receive(in, WHOLE_BODY);
	struct exchange *x = intake_end(in);
	if (x != NULL) {
		exchange_run(x);
		while (s->exchanges.first != NULL)
			uv_run(&s->loop, UV_RUN_ONCE);
	}
	usage_writer_flush(s->exchanges.usage_writer);
	if (transfers_leave_lookups(s->exchanges.transfers))
		end_process(EXIT_SUCCESS);
	server_free(s);
	return EXIT_SUCCESS;
}

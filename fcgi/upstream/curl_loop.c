/*
 * libcurl's multi interface on a libuv loop; see curl_loop.h.
 */
#include "upstream/curl_loop.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/watch.h"

enum {
	MOST_AT_ONCE = 8, /* rounds that curl gets one after the other without a wait in between */
	SHORT_WAIT = 10,  /* ms before the next one then */
	LONG_TURN = 4,    /* ms after which others come first: a round reads up to 1.6 MB */
};

struct curl_loop {
	CURLM *multi;
	struct watches *watches;
	uv_timer_t timer;
	unsigned at_once; /* rounds since the last wait, or the last event on a socket */
	struct curl_loop_owner owner;
};

/* A socket that curl waits for. */
struct curl_socket {
	struct curl_loop *loop;
	curl_socket_t socket;
};

static void
finish_round(struct curl_loop *l)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(l->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			l->owner.ended(
				l->owner.context, message->easy_handle, message->data.result);
	l->owner.round_end(l->owner.context);
}

static void
on_timer(uv_timer_t *timer)
{
	struct curl_loop *l = timer->data;
	int running;

	l->at_once++;
	curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_round(l);
}

/*
 * A socket with an error is readable to curl, as it is to watch.h: CURL_CSELECT_ERR would keep it
 * from reading that a kept connection was reset, and so from sending the request on a fresh one.
 */
static void
on_socket(void *context, int events)
{
	const struct curl_socket *s = context;
	struct curl_loop *l = s->loop;
	int flags = 0;
	int running;

	l->at_once = 0;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(l->multi, s->socket, flags, &running);
	finish_round(l);
}

/* Has this turn of the loop taken long already? */
static bool
is_long_turn(const struct curl_loop *l)
{
	return uv_hrtime() / 1000000 >= uv_now(l->timer.loop) + LONG_TURN;
}

static int
set_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct curl_loop *l = context;

	uint64_t wait = timeout_ms > 0 ? (uint64_t)timeout_ms : 0;

	(void)multi;
	if (timeout_ms < 0) {
		uv_timer_stop(&l->timer);
		return 0;
	}
	/* Some versions (8.14) want the next round at once for as long as a transfer is held, and
	 * libuv before 1.45 runs timers that are due before anything else. */
	if (wait > 0)
		l->at_once = 0;
	else if (l->at_once >= MOST_AT_ONCE)
		wait = SHORT_WAIT;
	else if (is_long_turn(l))
		wait = 1; /* not in this turn */
	uv_timer_start(&l->timer, on_timer, wait, 0);
	return 0;
}

static int
set_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context)
{
	struct curl_loop *l = context;
	struct curl_socket *s = socket_context;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		watch_stop(l->watches, socket);
		free(s);
		return 0;
	}
	if (s == NULL) {
		s = malloc(sizeof(*s));
		if (s == NULL)
			return -1;
		*s = (struct curl_socket){l, socket};
		curl_multi_assign(l->multi, socket, s);
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return watch_start(l->watches, socket, events, on_socket, s);
}

struct curl_loop *
curl_loop_new(
	CURLM *multi, uv_loop_t *loop, struct watches *watches, const struct curl_loop_owner *owner)
{
	struct curl_loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	*l = (struct curl_loop){.multi = multi, .watches = watches, .owner = *owner};
	uv_timer_init(loop, &l->timer);
	l->timer.data = l;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, l);
	return l;
}

static void
on_closed(uv_handle_t *timer)
{
	free(timer->data);
}

void
curl_loop_free(struct curl_loop *l)
{
	/* Closing idle connections still calls set_socket and set_timer. */
	curl_multi_cleanup(l->multi);
	uv_close((uv_handle_t *)&l->timer, on_closed);
}

void
curl_loop_wake(struct curl_loop *l)
{
	uv_timer_start(&l->timer, on_timer, 0, 0);
}

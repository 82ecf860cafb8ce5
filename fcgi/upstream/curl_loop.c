/*
 * libcurl's multi interface on a libuv loop; see curl_loop.h.
 */
#include "upstream/curl_loop.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/watch.h"

enum {
	MOST_AT_ONCE = 8, /* rounds that curl gets in a row though nothing has happened */
	SHORT_WAIT = 10,  /* ms before the next one then */
};

struct curl_loop {
	CURLM *multi;
	struct watches *watches;
	uv_timer_t timer;
	uv_idle_t next_turn; /* active: there is a round in the loop's next turn */
	bool woken;          /* by us: curl knows nothing of that round, and cannot call it off */
	int open_handles;
	unsigned at_once; /* rounds since a wait, an event on a socket, or a transfer that began */
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
do_round(struct curl_loop *l)
{
	int running;

	l->at_once++;
	curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_round(l);
}

static void
on_timer(uv_timer_t *timer)
{
	do_round(timer->data);
}

static void
on_next_turn(uv_idle_t *next_turn)
{
	struct curl_loop *l = next_turn->data;

	uv_idle_stop(next_turn);
	l->woken = false;
	do_round(l);
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

/*
 * What is due at once waits for the loop's next turn: a round reads up to 1.6 MB, and others come
 * in between.  libuv before 1.45 would run a timer that is due before anything else, again and
 * again.
 */
static int
set_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct curl_loop *l = context;

	(void)multi;
	if (!l->woken)
		uv_idle_stop(&l->next_turn);
	uv_timer_stop(&l->timer);
	if (timeout_ms > 0) {
		l->at_once = 0;
		uv_timer_start(&l->timer, on_timer, (uint64_t)timeout_ms, 0);
	} else if (timeout_ms == 0 && l->at_once < MOST_AT_ONCE) {
		uv_idle_start(&l->next_turn, on_next_turn);
	} else if (timeout_ms == 0) {
		/* Some versions (8.14) want the next round at once for as long as a transfer is
		 * held. */
		uv_timer_start(&l->timer, on_timer, SHORT_WAIT, 0);
	}
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
	uv_idle_init(loop, &l->next_turn);
	l->open_handles = 2;
	l->timer.data = l->next_turn.data = l;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, l);
	return l;
}

static void
on_closed(uv_handle_t *handle)
{
	struct curl_loop *l = handle->data;

	if (--l->open_handles == 0)
		free(l);
}

void
curl_loop_free(struct curl_loop *l)
{
	/* Closing idle connections still calls set_socket and set_timer. */
	curl_multi_cleanup(l->multi);
	uv_close((uv_handle_t *)&l->timer, on_closed);
	uv_close((uv_handle_t *)&l->next_turn, on_closed);
}

CURLMcode
curl_loop_add(struct curl_loop *l, CURL *easy)
{
	l->at_once = 0;
	return curl_multi_add_handle(l->multi, easy);
}

void
curl_loop_wake(struct curl_loop *l)
{
	l->woken = true;
	uv_idle_start(&l->next_turn, on_next_turn);
}

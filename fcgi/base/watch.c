/*
 * Waiting for descriptors on a libuv loop; see watch.h.
 */
#include "base/watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct watch {
	uv_poll_t poll;
	int events; /* waited for */
	watch_handler *handler;
	void *context;
};

struct watches {
	uv_loop_t *loop;
	struct watch **by_descriptor; /* NULL if never waited for */
	size_t count;
};

struct watches *
watches_new(uv_loop_t *loop)
{
	struct watches *all = calloc(1, sizeof(*all));

	if (all != NULL)
		all->loop = loop;
	return all;
}

static void
free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

void
watches_free(struct watches *all)
{
	if (all == NULL)
		return;
	for (size_t i = 0; i < all->count; i++)
		if (all->by_descriptor[i] != NULL)
			uv_close((uv_handle_t *)&all->by_descriptor[i]->poll, free_watch);
	free(all->by_descriptor);
	free(all);
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
	const struct watch *w = poll->data;

	if (status < 0) {
		/* EPOLLERR: libuv gives up the watch, but only its owner may. */
		events = w->events;
		uv_poll_start(poll, w->events, on_event);
	}
	w->handler(w->context, events);
}

static int
make_room(struct watches *all, size_t descriptor)
{
	size_t count = all->count > 0 ? all->count : 64;

	while (count <= descriptor)
		count *= 2;
	struct watch **grown = reallocarray(all->by_descriptor, count, sizeof(struct watch *));
	if (grown == NULL)
		return -1;
	memset(grown + all->count, 0, (count - all->count) * sizeof(struct watch *));
	all->by_descriptor = grown;
	all->count = count;
	return 0;
}

static struct watch *
new_watch(struct watches *all, int descriptor)
{
	struct watch *w = calloc(1, sizeof(*w));
	int flags = fcntl(descriptor, F_GETFL);

	if (w == NULL)
		return NULL;
	if (uv_poll_init(all->loop, &w->poll, descriptor) != 0) {
		free(w);
		return NULL;
	}
	/* libuv makes it non-blocking, but only this first time: its owner decides. */
	fcntl(descriptor, F_SETFL, flags);
	w->poll.data = w;
	return w;
}

int
watch_start(struct watches *all, int descriptor, int events, watch_handler *handler, void *context)
{
	size_t at = (size_t)descriptor;

	if (descriptor < 0 || (at >= all->count && make_room(all, at) != 0))
		return -1;
	if (all->by_descriptor[at] == NULL)
		all->by_descriptor[at] = new_watch(all, descriptor);
	struct watch *w = all->by_descriptor[at];
	if (w == NULL)
		return -1;
	w->events = events;
	w->handler = handler;
	w->context = context;
	return uv_poll_start(&w->poll, events, on_event) == 0 ? 0 : -1;
}

void
watch_stop(struct watches *all, int descriptor)
{
	if (descriptor >= 0 && (size_t)descriptor < all->count &&
		all->by_descriptor[descriptor] != NULL)
		uv_poll_stop(&all->by_descriptor[descriptor]->poll);
}

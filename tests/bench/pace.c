/*
 * Time in the load test; see pace.h.
 */
#include "pace.h"

#include <stdlib.h>
#include <time.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

uint64_t
pace_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void
stamp_write(char *to)
{
	uint64_t now = pace_now();

	to[0] = to[STAMP_LENGTH - 1] = '@';
	for (int i = STAMP_LENGTH - 2; i > 0; i--, now >>= 4)
		to[i] = "0123456789abcdef"[now & 15];
}

static unsigned
number_from(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? (unsigned)strtoul(value, NULL, 10) : 0;
}

struct shape
shape_from_environment(void)
{
	return (struct shape){
		.chunks = number_from("BENCH_CHUNKS"),
		.gap = (uint64_t)number_from("BENCH_GAP_MS") * NS_PER_MS,
		.first = (uint64_t)number_from("BENCH_FIRST_MS") * NS_PER_MS,
	};
}

void
pace_add(struct pace *p, struct waiter *w, uint64_t due)
{
	*w = (struct waiter){.previous = p->last, .due = due};
	if (p->last != NULL)
		p->last->next = w;
	else
		p->first = w;
	p->last = w;
}

void
pace_remove(struct pace *p, struct waiter *w)
{
	if (w->next != NULL)
		w->next->previous = w->previous;
	else
		p->last = w->previous;
	if (w->previous != NULL)
		w->previous->next = w->next;
	else
		p->first = w->next;
}

struct waiter *
pace_take(struct pace *p, uint64_t now)
{
	struct waiter *w = p->first;

	if (w == NULL || w->due > now)
		return NULL;
	pace_remove(p, w);
	return w;
}

static int64_t
wait_of(const struct pace *p, uint64_t now)
{
	if (p->first == NULL)
		return INT64_MAX;
	return p->first->due > now ? (int64_t)(p->first->due - now) : 0;
}

int64_t
pace_wait(const struct pace *a, const struct pace *b, uint64_t now)
{
	int64_t wait_a = wait_of(a, now);
	int64_t wait_b = wait_of(b, now);

	return wait_a < wait_b ? wait_a : wait_b;
}

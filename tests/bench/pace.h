/*
 * What the tools of the load test share: the clock, the stamp that every piece of text carries, the
 * shape of a stream, and who is due next.
 */
#ifndef PACE_H
#define PACE_H

#include <stdint.h>

/* CLOCK_MONOTONIC in ns: the same for every process of the machine. */
uint64_t pace_now(void);

/* '@', the time in 16 hexadecimal digits, '@': nothing that JSON escapes, so it passes through any
 * translation as it is, and the client knows how long the piece was under way. */
enum { STAMP_LENGTH = 18 };

/* Write the stamp of this moment over the STAMP_LENGTH bytes at ${to}. */
void stamp_write(char *to);

/* What is answered to each request. */
struct shape {
	unsigned chunks; /* pieces of text in a stream; 0: one answer that is no stream */
	uint64_t gap;    /* ns between two of them; 0: back to back */
	uint64_t first;  /* ns before the first byte */
};

/* The shape that BENCH_CHUNKS, BENCH_GAP_MS and BENCH_FIRST_MS describe; 0 where one is not set. */
struct shape shape_from_environment(void);

/* Who waits, as the first member of what waits.  All that are in one list wait for the same time,
 * so the order in which they came is the order in which they are due. */
struct waiter {
	struct waiter *next;
	struct waiter *previous;
	uint64_t due;
};

/* A list of waiters; {0} is an empty one. */
struct pace {
	struct waiter *first;
	struct waiter *last;
};

/* Let ${w}, which is in no list, wait until ${due}. */
void pace_add(struct pace *, struct waiter *w, uint64_t due);

/* Take out ${w}, which is in this list. */
void pace_remove(struct pace *, struct waiter *w);

/* Take out the first one if it is due at ${now}.  NULL if it is not, or there is none. */
struct waiter *pace_take(struct pace *, uint64_t now);

/* ns from ${now} until the first of either list is due; 0 if it is; INT64_MAX if both are empty. */
int64_t pace_wait(const struct pace *, const struct pace *, uint64_t now);

#endif

/*
 * Waiting for descriptors on a libuv loop.  A uv_poll_t is kept for each descriptor number and used
 * again: making one costs four system calls, and connections come and go with every request.
 *
 * Everything here belongs to the loop's thread.
 */
#ifndef WATCH_H
#define WATCH_H

#include <uv.h>

struct watches;

/**
 * ${events} are those of uv_poll_t that the descriptor has now.  After an error it has all
 * that is waited for, as with poll(2): reading and writing do not block, and report the error.
 */
typedef void watch_handler(void *context, int events);

/** NULL if memory ran out.  Run the loop once more after watches_free, and then close it. */
struct watches *watches_new(uv_loop_t *);
void watches_free(struct watches *);

/**
 * Call ${handler} whenever the descriptor has one of ${events}, until watch_stop; replaces what was
 * started before.  Return 0, or -1 if this descriptor cannot be waited for (a regular file) or
 * memory ran out.
 */
int
watch_start(struct watches *, int descriptor, int events, watch_handler *handler, void *context);

/** Wait no longer.  Must come before the descriptor is closed. */
void watch_stop(struct watches *, int descriptor);

#endif

/*
 * What is recorded of finished requests, on its way to the database: collected and written in
 * batches by a worker thread, so that no request and no stream waits for a transaction (DESIGN.md,
 * "SQLite").
 */
#ifndef RECORDER_H
#define RECORDER_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

struct recorder;
struct store;
struct usage_record;

/** ${in_flight} counts this process's requests in flight.  NULL if memory ran out.  Free it before
 * the loop is closed. */
struct recorder *recorder_new(uv_loop_t *loop, struct store *, const atomic_int *in_flight);

/**
 * Take a copy of the record.  It is in the database within about a second; while that cannot be
 * written, a bounded number of rows is kept, and all totals.  For any thread.
 */
void recorder_add(struct recorder *, const struct usage_record *);

/** The number of requests in flight has grown: other processes will know within about a second.
 * For any thread. */
void recorder_note_begin(struct recorder *);

/** This process, as the database knows it. */
int64_t recorder_process(const struct recorder *);

/** Write now what waits: blocks, so not for the loop's thread while it has others to serve. */
void recorder_write(struct recorder *);

/** Write what is left, at the end of the process: blocks.  On the loop's thread. */
void recorder_flush(struct recorder *);

/** On the loop's thread; the loop must run once more. */
void recorder_free(struct recorder *);

#endif

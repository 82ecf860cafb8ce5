/*
 * What is recorded of finished requests, on its way to the database: collected and written in
 * batches by a worker thread, so that no request and no stream waits for a transaction (DESIGN.md,
 * "SQLite").
 */
#ifndef USAGE_WRITER_H
#define USAGE_WRITER_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

struct usage_writer;
struct store;
struct usage_row;

/** ${in_flight} counts this process's requests in flight.  NULL if memory ran out.  Free it before
 * the loop is closed. */
struct usage_writer *usage_writer_new(uv_loop_t *loop, struct store *, const atomic_int *in_flight);

/**
 * Take a copy of the record.  It is in the database within about a second; while that cannot be
 * written, a bounded number of rows is kept, and all totals.  For any thread.
 */
void usage_writer_add(struct usage_writer *, const struct usage_row *);

/** The number of requests in flight has grown: other processes will know within about a second.
 * For any thread. */
void usage_writer_note_begin(struct usage_writer *);

/** This process, as the database knows it. */
int64_t usage_writer_process(const struct usage_writer *);

/** Write now what waits: blocks, so not for the loop's thread while it has others to serve. */
void usage_writer_write(struct usage_writer *);

/** Write what is left, at the end of the process: blocks.  On the loop's thread. */
void usage_writer_flush(struct usage_writer *);

/** On the loop's thread; the loop must run once more. */
void usage_writer_free(struct usage_writer *);

#endif

/*
 * Usage on its way to the database: rows are collected and written in batches by a worker thread,
 * so that no request and no stream waits for a transaction (FASTCGI.md §7).
 *
 * Everything here belongs to the loop's thread.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include <uv.h>

struct recorder;
struct store;
struct usage_record;

/** NULL if memory ran out.  Free it before the loop is closed. */
struct recorder *recorder_new(uv_loop_t *loop, struct store *);

/** Take a copy of the row.  It is in the database within about a second; while that cannot be
 * written, a bounded number of rows is kept. */
void recorder_add(struct recorder *, const struct usage_record *row);

/** Write what is left, at the end of the process: blocks. */
void recorder_flush(struct recorder *);

void recorder_free(struct recorder *);

#endif

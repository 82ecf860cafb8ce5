/*
 * Finished requests on their way to the database; see usage_writer.h.
 */
#include "proxy/usage_writer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "base/random.h"
#include "store/store.h"
#include "store/totals.h"
#include "store/usage.h"

enum {
	BATCH_INTERVAL = 1000, /* ms that records wait for others */
	RETRY_INTERVAL = 10000,
	TELL_INTERVAL = PROCESS_FORGOTTEN / 3, /* ms between words on what is still in flight */
	MOST_ROWS = 20000,                     /* kept while the database cannot be written */
	FIRST_ROWS = 64,
	FORGET_EVERY = 3600000, /* ms between looks for old rows */
};

/* Usage is kept for 90 days. */
static const int64_t kept_for = 90LL * 24 * 3600 * 1000;

/* Owned, as the texts of the rows. */
struct batch {
	struct usage_row *rows; /* messages and streams */
	size_t count;
	size_t capacity;
	struct totals totals; /* of all requests */
	size_t lost;          /* rows that had no room */
};

struct usage_writer {
	uv_loop_t *loop;
	struct store *store;
	const atomic_int *in_flight;
	int64_t process;

	pthread_mutex_t lock; /* on the next two */
	struct batch waiting;
	bool scheduled; /* the loop knows that there is something to write */

	atomic_bool failed; /* the last batch did */

	pthread_mutex_t writing; /* one at a time; on the next three; the loop never waits for it */
	int64_t forgot;          /* ms since 1970: when old rows were last looked for */
	int64_t told_in_flight;
	int64_t told; /* ms since 1970: when that was */

	/* The loop's own. */
	uv_async_t wake;
	uv_timer_t timer;
	int open_handles;
	uv_work_t work;
	bool busy; /* the worker is */
};

/* ---- batches ---- */

static void
free_batch(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		free((char *)b->rows[i].upstream);
		free((char *)b->rows[i].model);
	}
	free(b->rows);
	totals_free(&b->totals);
	*b = (struct batch){0};
}

static int
add_row(struct batch *b, const struct usage_row *row)
{
	struct usage_row copy = *row;

	if (b->count == MOST_ROWS)
		return -1;
	if (b->count == b->capacity) {
		size_t capacity = b->capacity > 0 ? 2 * b->capacity : FIRST_ROWS;
		struct usage_row *grown = reallocarray(b->rows, capacity, sizeof(*grown));
		if (grown == NULL)
			return -1;
		b->rows = grown;
		b->capacity = capacity;
	}
	copy.upstream = strdup(row->upstream);
	copy.model = strdup(row->model);
	if (copy.upstream != NULL && copy.model != NULL) {
		b->rows[b->count++] = copy;
		return 0;
	}
	free((char *)copy.upstream);
	free((char *)copy.model);
	return -1;
}

/* Usage is recorded for messages that were sent to an upstream. */
static bool
is_usage(const struct usage_row *record)
{
	return record->upstream[0] != '\0' &&
	       (record->kind == REQUEST_MESSAGE || record->kind == REQUEST_STREAM);
}

/* Put a batch that could not be written before those that came in the meantime.  Takes ${b}. */
static void
put_back(struct usage_writer *r, struct batch *b)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->waiting.count; i++)
		b->lost += add_row(b, &r->waiting.rows[i]) != 0;
	totals_add_all(&b->totals, &r->waiting.totals);
	b->lost += r->waiting.lost;
	free_batch(&r->waiting);
	r->waiting = *b;
	r->scheduled = true; /* the timer comes back to it */
	pthread_mutex_unlock(&r->lock);
}

static struct batch
take_waiting(struct usage_writer *r)
{
	pthread_mutex_lock(&r->lock);
	struct batch taken = r->waiting;
	r->waiting = (struct batch){0};
	r->scheduled = false;
	pthread_mutex_unlock(&r->lock);
	return taken;
}

/* ---- writing ---- */

/* Write the batch, if there is anything in it.  The lock on writing is held.  Return whether all
 * is well. */
static bool
write_batch(struct usage_writer *r, const struct batch *b)
{
	int64_t now = clock_now_ms();
	bool forget = now - r->forgot >= FORGET_EVERY;
	int64_t in_flight = atomic_load(r->in_flight);
	const struct usage_batch batch = {
		.rows = b->rows,
		.count = b->count,
		.totals = &b->totals,
		.process = r->process,
		.in_flight = in_flight,
		.now = now,
		.forget_before = forget ? now - kept_for : 0,
	};

	if (b->count == 0 && b->totals.count == 0 && in_flight == r->told_in_flight &&
		(in_flight == 0 || now - r->told < TELL_INTERVAL))
		return true;
	if (store_record_usage(r->store, &batch) != STORE_OK)
		return false;
	r->told_in_flight = in_flight;
	r->told = now;
	if (forget)
		r->forgot = now;
	return true;
}

void
usage_writer_write(struct usage_writer *r)
{
	pthread_mutex_lock(&r->writing);
	struct batch b = take_waiting(r);
	size_t lost = b.lost;
	b.lost = 0;
	bool written = write_batch(r, &b);
	atomic_store(&r->failed, !written);
	if (!written)
		put_back(r, &b);
	else
		free_batch(&b);
	pthread_mutex_unlock(&r->writing);
	if (lost > 0)
		log_warn("usage of %zu requests is lost: the database cannot be written", lost);
}

static void
work(uv_work_t *job)
{
	usage_writer_write(job->data);
}

static void begin_writing(uv_timer_t *timer);

static bool
is_scheduled(struct usage_writer *r)
{
	pthread_mutex_lock(&r->lock);
	bool scheduled = r->scheduled;
	pthread_mutex_unlock(&r->lock);
	return scheduled;
}

static void
after_work(uv_work_t *job, int status)
{
	struct usage_writer *r = job->data;

	(void)status; /* never cancelled */
	r->busy = false;
	if (atomic_load(&r->failed))
		uv_timer_start(&r->timer, begin_writing, RETRY_INTERVAL, 0);
	else if (is_scheduled(r))
		uv_timer_start(&r->timer, begin_writing, BATCH_INTERVAL, 0);
	else if (atomic_load(r->in_flight) > 0)
		uv_timer_start(&r->timer, begin_writing, TELL_INTERVAL, 0);
}

static void
begin_writing(uv_timer_t *timer)
{
	struct usage_writer *r = timer->data;

	if (r->busy)
		return;
	r->busy = true;
	if (uv_queue_work(r->loop, &r->work, work, after_work) != 0)
		after_work(&r->work, 0);
}

static void
on_wake(uv_async_t *wake)
{
	struct usage_writer *r = wake->data;

	if (!r->busy)
		uv_timer_start(&r->timer, begin_writing, BATCH_INTERVAL, 0);
}

/* The lock is held. */
static void
schedule(struct usage_writer *r)
{
	if (r->scheduled)
		return;
	r->scheduled = true;
	uv_async_send(&r->wake);
}

void
usage_writer_add(struct usage_writer *r, const struct usage_row *record)
{
	pthread_mutex_lock(&r->lock);
	if (is_usage(record) && add_row(&r->waiting, record) != 0)
		r->waiting.lost++;
	totals_add(&r->waiting.totals, record);
	schedule(r);
	pthread_mutex_unlock(&r->lock);
}

void
usage_writer_note_begin(struct usage_writer *r)
{
	pthread_mutex_lock(&r->lock);
	schedule(r);
	pthread_mutex_unlock(&r->lock);
}

int64_t
usage_writer_process(const struct usage_writer *r)
{
	return r->process;
}

/* ---- beginning and end ---- */

struct usage_writer *
usage_writer_new(uv_loop_t *loop, struct store *store, const atomic_int *in_flight)
{
	struct usage_writer *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	if (uv_async_init(loop, &r->wake, on_wake) != 0) {
		free(r);
		return NULL;
	}
	uv_timer_init(loop, &r->timer);
	r->loop = loop;
	r->store = store;
	r->in_flight = in_flight;
	r->process = (int64_t)random_below(UINT32_MAX) << 16 ^ random_below(UINT32_MAX);
	r->open_handles = 2;
	r->wake.data = r->timer.data = r->work.data = r;
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->writing, NULL);
	return r;
}

void
usage_writer_flush(struct usage_writer *r)
{
	uv_timer_stop(&r->timer);
	while (r->busy)
		uv_run(r->loop, UV_RUN_ONCE);
	usage_writer_write(r);
}

static void
on_closed(uv_handle_t *handle)
{
	struct usage_writer *r = handle->data;

	if (--r->open_handles > 0)
		return;
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->writing);
	free(r);
}

void
usage_writer_free(struct usage_writer *r)
{
	if (r == NULL)
		return;
	usage_writer_flush(r);
	free_batch(&r->waiting);
	uv_close((uv_handle_t *)&r->timer, on_closed);
	uv_close((uv_handle_t *)&r->wake, on_closed);
}

/*
 * Usage on its way to the database; see recorder.h.
 */
#include "recorder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/store.h"
#include "store/usage.h"

enum {
	BATCH_INTERVAL = 1000, /* ms that rows wait for others */
	RETRY_INTERVAL = 10000,
	MOST_ROWS = 20000, /* kept while the database cannot be written */
	FIRST_ROWS = 64,
	FORGET_EVERY = 3600000, /* ms between looks for old rows */
};

/* Usage is kept for 90 days. */
static const int64_t kept_for = 90LL * 24 * 3600 * 1000;

/* Rows and their texts; owned. */
struct batch {
	struct usage_record *rows;
	size_t count;
	size_t capacity;
};

struct recorder {
	uv_loop_t *loop;
	struct store *store;
	uv_timer_t *timer;
	uv_work_t work;
	struct batch waiting;
	struct batch writing; /* by the worker, while ${busy} */
	bool busy;
	bool failed;    /* the last batch did */
	size_t lost;    /* rows, since that was last said */
	int64_t forgot; /* when old rows were last looked for */
};

static void
free_batch(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		free((char *)b->rows[i].upstream);
		free((char *)b->rows[i].model);
	}
	free(b->rows);
	*b = (struct batch){0};
}

static int
add_to_batch(struct batch *b, const struct usage_record *row)
{
	struct usage_record copy = *row;

	if (b->count == MOST_ROWS)
		return -1;
	if (b->count == b->capacity) {
		size_t capacity = b->capacity > 0 ? 2 * b->capacity : FIRST_ROWS;
		struct usage_record *grown = reallocarray(b->rows, capacity, sizeof(*grown));
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

static bool
write_batch(struct recorder *r, struct batch *b)
{
	int64_t now = clock_now_ms();
	bool forget = now - r->forgot >= FORGET_EVERY;
	bool written = store_record_usage(r->store, b->rows, b->count,
			       forget ? now - kept_for : 0) == STORE_OK;

	if (written && forget)
		r->forgot = now;
	return written;
}

static void
work(uv_work_t *job)
{
	struct recorder *r = job->data;

	r->failed = !write_batch(r, &r->writing);
}

static void begin_writing(uv_timer_t *timer);

static void
after_work(uv_work_t *job, int status)
{
	struct recorder *r = job->data;

	(void)status; /* never cancelled */
	r->busy = false;
	if (!r->failed) {
		free_batch(&r->writing);
	} else {
		/* They stay, in front of those that came meanwhile. */
		for (size_t i = 0; i < r->waiting.count; i++)
			r->lost += add_to_batch(&r->writing, &r->waiting.rows[i]) != 0;
		free_batch(&r->waiting);
		r->waiting = r->writing;
		r->writing = (struct batch){0};
	}
	if (r->waiting.count > 0)
		uv_timer_start(
			r->timer, begin_writing, r->failed ? RETRY_INTERVAL : BATCH_INTERVAL, 0);
	if (r->lost > 0)
		log_warn("usage of %zu requests is lost: the database cannot be written", r->lost);
	r->lost = 0;
}

static void
begin_writing(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	if (r->busy || r->waiting.count == 0)
		return;
	r->busy = true;
	r->writing = r->waiting;
	r->waiting = (struct batch){0};
	r->work.data = r;
	if (uv_queue_work(r->loop, &r->work, work, after_work) != 0)
		after_work(&r->work, 0);
}

struct recorder *
recorder_new(uv_loop_t *loop, struct store *store)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->store = store;
	r->timer = malloc(sizeof(*r->timer));
	if (r->timer == NULL) {
		free(r);
		return NULL;
	}
	uv_timer_init(loop, r->timer);
	r->timer->data = r;
	return r;
}

void
recorder_add(struct recorder *r, const struct usage_record *row)
{
	if (add_to_batch(&r->waiting, row) != 0)
		r->lost++;
	if (!r->busy && !uv_is_active((uv_handle_t *)r->timer))
		uv_timer_start(r->timer, begin_writing, BATCH_INTERVAL, 0);
}

void
recorder_flush(struct recorder *r)
{
	uv_timer_stop(r->timer);
	while (r->busy)
		uv_run(r->loop, UV_RUN_ONCE);
	if (r->waiting.count > 0 && write_batch(r, &r->waiting))
		free_batch(&r->waiting);
}

static void
free_handle_data(uv_handle_t *handle)
{
	free(handle->data);
}

void
recorder_free(struct recorder *r)
{
	if (r == NULL)
		return;
	recorder_flush(r);
	free_batch(&r->waiting);
	r->timer->data = r->timer;
	uv_close((uv_handle_t *)r->timer, free_handle_data);
	free(r);
}

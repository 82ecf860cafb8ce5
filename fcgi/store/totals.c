/*
 * Totals of requests; see totals.h.
 */
#include "store/totals.h"

#include <stdlib.h>
#include <string.h>

#include "store/database.h"

const int64_t latency_bounds[LATENCY_BUCKETS] = {
	50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 120000, 300000, INT64_MAX};

/* ---- in memory ---- */

static struct request_total *
find(const struct totals *t, const char *upstream, enum request_kind kind, int status)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].kind == kind && t->rows[i].status == status &&
			strcmp(t->rows[i].upstream, upstream) == 0)
			return &t->rows[i];
	return NULL;
}

/* Find the row, or make it.  NULL: no memory. */
static struct request_total *
row_of(struct totals *t, const char *upstream, enum request_kind kind, int status)
{
	struct request_total *row = find(t, upstream, kind, status);

	if (row != NULL)
		return row;
	struct request_total *grown = reallocarray(t->rows, t->count + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	t->rows = grown;
	row = &grown[t->count];
	*row = (struct request_total){.upstream = strdup(upstream), .kind = kind, .status = status};
	if (row->upstream == NULL)
		return NULL;
	t->count++;
	return row;
}

static void
add(uint64_t *sum, uint64_t n)
{
	*sum = usage_sum(*sum, n);
}

static void
add_latency(struct latency *latency, int64_t ms)
{
	size_t bucket = 0;

	while (ms > latency_bounds[bucket])
		bucket++;
	latency->requests[bucket]++;
	add(&latency->duration[bucket], (uint64_t)ms);
}

int
totals_add(struct totals *t, const struct usage_row *record)
{
	struct request_total *row = row_of(t, record->upstream, record->kind, record->status);

	if (row == NULL)
		return -1;
	row->requests++;
	add(&row->input_tokens, record->input_tokens);
	add(&row->output_tokens, record->output_tokens);
	add(&row->cache_read_input_tokens, record->cache_read_input_tokens);
	add(&row->cache_creation_input_tokens, record->cache_creation_input_tokens);
	if (record->first_byte >= 0)
		add_latency(&row->first_byte, record->first_byte);
	if (record->duration >= 0)
		add_latency(&row->duration, record->duration);
	return 0;
}

static void
add_latencies(struct latency *to, const struct latency *from)
{
	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		to->requests[i] += from->requests[i];
		add(&to->duration[i], from->duration[i]);
	}
}

void
totals_add_all(struct totals *t, const struct totals *other)
{
	for (size_t i = 0; i < other->count; i++) {
		const struct request_total *from = &other->rows[i];
		struct request_total *to = row_of(t, from->upstream, from->kind, from->status);
		if (to == NULL)
			continue;
		to->requests += from->requests;
		add(&to->input_tokens, from->input_tokens);
		add(&to->output_tokens, from->output_tokens);
		add(&to->cache_read_input_tokens, from->cache_read_input_tokens);
		add(&to->cache_creation_input_tokens, from->cache_creation_input_tokens);
		add_latencies(&to->first_byte, &from->first_byte);
		add_latencies(&to->duration, &from->duration);
	}
}

void
totals_free(struct totals *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i].upstream);
	free(t->rows);
	*t = (struct totals){0};
}

/* ---- in the database ---- */

/*
 * A sum beyond the most (the last parameter) begins again, as a counter of Prometheus may, and so
 * does a negative one: older versions took absurd counts for true, and the sum says nothing.
 */
static const char add_requests[] =
	"INSERT INTO request_totals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
	"ON CONFLICT DO UPDATE SET requests = requests + ?4, "
	"input_tokens = iif(input_tokens BETWEEN 0 AND ?9, input_tokens, 0) + ?5, "
	"output_tokens = iif(output_tokens BETWEEN 0 AND ?9, output_tokens, 0) + ?6, "
	"cache_read_input_tokens = "
	"iif(cache_read_input_tokens BETWEEN 0 AND ?9, cache_read_input_tokens, 0) + ?7, "
	"cache_creation_input_tokens = "
	"iif(cache_creation_input_tokens BETWEEN 0 AND ?9, cache_creation_input_tokens, 0) + ?8";

static const char add_bucket[] = "INSERT INTO latency_totals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
				 "ON CONFLICT DO UPDATE SET requests = requests + ?6, "
				 "duration = iif(duration BETWEEN 0 AND ?8, duration, 0) + ?7";

/* How the latencies are named there. */
static const char first_byte[] = "first_byte";
static const char duration[] = "duration";

static void
bind_name(sqlite3_stmt *statement, const struct request_total *row)
{
	sqlite3_bind_text(statement, 1, row->upstream, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, request_kind_name(row->kind), -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 3, row->status);
}

static int
store_row(sqlite3_stmt *statement, const struct request_total *row, struct refused_rows *refused)
{
	bind_name(statement, row);
	sqlite3_bind_int64(statement, 4, (int64_t)row->requests);
	sqlite3_bind_int64(statement, 5, (int64_t)row->input_tokens);
	sqlite3_bind_int64(statement, 6, (int64_t)row->output_tokens);
	sqlite3_bind_int64(statement, 7, (int64_t)row->cache_read_input_tokens);
	sqlite3_bind_int64(statement, 8, (int64_t)row->cache_creation_input_tokens);
	sqlite3_bind_int64(statement, 9, USAGE_MOST_TOTAL);
	return database_store_row(statement, refused);
}

static int
store_latency(sqlite3_stmt *statement, const struct request_total *row, const char *measure,
	const struct latency *latency, struct refused_rows *refused)
{
	int status = 0;

	bind_name(statement, row);
	sqlite3_bind_text(statement, 4, measure, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 8, USAGE_MOST_TOTAL);
	for (int i = 0; i < LATENCY_BUCKETS && status == 0; i++) {
		if (latency->requests[i] == 0)
			continue;
		sqlite3_bind_int(statement, 5, i);
		sqlite3_bind_int64(statement, 6, (int64_t)latency->requests[i]);
		sqlite3_bind_int64(statement, 7, (int64_t)latency->duration[i]);
		status = database_store_row(statement, refused);
	}
	return status;
}

int
totals_store(const struct totals *t, sqlite3 *db, struct refused_rows *refused)
{
	sqlite3_stmt *requests = NULL;
	sqlite3_stmt *bucket = NULL;
	int status = -1;

	if (sqlite3_prepare_v2(db, add_requests, -1, &requests, NULL) == SQLITE_OK &&
		sqlite3_prepare_v2(db, add_bucket, -1, &bucket, NULL) == SQLITE_OK)
		status = 0;
	for (size_t i = 0; i < t->count && status == 0; i++) {
		const struct request_total *row = &t->rows[i];
		if (store_row(requests, row, refused) != 0 ||
			store_latency(bucket, row, first_byte, &row->first_byte, refused) != 0 ||
			store_latency(bucket, row, duration, &row->duration, refused) != 0)
			status = -1;
	}
	sqlite3_finalize(requests);
	sqlite3_finalize(bucket);
	return status;
}

/* Call ${take} for each row of the query.  Return the last step: SQLITE_DONE if all went well. */
static int
each_row(sqlite3 *db, const char *sql, void (*take)(sqlite3_stmt *, void *), void *context)
{
	sqlite3_stmt *statement = NULL;
	int step = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	while (step == SQLITE_OK || step == SQLITE_ROW) {
		step = sqlite3_step(statement);
		if (step == SQLITE_ROW)
			take(statement, context);
	}
	sqlite3_finalize(statement);
	return step;
}

/* The name that a row's first three columns are.  Return 0, or -1: a kind of a newer version. */
static int
read_name(sqlite3_stmt *statement, struct request_total *name)
{
	name->upstream = (char *)column_text(statement, 0);
	name->status = sqlite3_column_int(statement, 2);
	return request_kind_parse(column_text(statement, 1), &name->kind);
}

/* A sum in the database; 0 for one that begins again. */
static uint64_t
sum_in(sqlite3_stmt *statement, int column)
{
	int64_t sum = sqlite3_column_int64(statement, column);

	return sum >= 0 && sum <= USAGE_MOST_TOTAL ? (uint64_t)sum : 0;
}

static void
take_row(sqlite3_stmt *statement, void *context)
{
	struct request_total name;

	if (read_name(statement, &name) != 0)
		return;
	struct request_total *row = row_of(context, name.upstream, name.kind, name.status);
	if (row == NULL)
		return;
	row->requests = (uint64_t)sqlite3_column_int64(statement, 3);
	row->input_tokens = sum_in(statement, 4);
	row->output_tokens = sum_in(statement, 5);
	row->cache_read_input_tokens = sum_in(statement, 6);
	row->cache_creation_input_tokens = sum_in(statement, 7);
}

static void
take_bucket(sqlite3_stmt *statement, void *context)
{
	const char *measure = column_text(statement, 3);
	int bucket = sqlite3_column_int(statement, 4);
	struct request_total name;

	if (read_name(statement, &name) != 0 || bucket < 0 || bucket >= LATENCY_BUCKETS)
		return;
	struct request_total *row = find(context, name.upstream, name.kind, name.status);
	if (row == NULL)
		return;
	struct latency *latency = strcmp(measure, first_byte) == 0 ? &row->first_byte
								   : &row->duration;
	latency->requests[bucket] = (uint64_t)sqlite3_column_int64(statement, 5);
	latency->duration[bucket] = sum_in(statement, 6);
}

enum store_result
store_read_totals(struct store *s, struct totals *t)
{
	enum store_result result = STORE_FAILED;

	pthread_mutex_lock(&s->read_lock);
	/* One transaction: buckets and requests are of one moment. */
	if (sqlite3_exec(s->reader, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
		each_row(s->reader, "SELECT * FROM request_totals ORDER BY upstream, kind, status",
			take_row, t) == SQLITE_DONE &&
		each_row(s->reader, "SELECT * FROM latency_totals", take_bucket, t) == SQLITE_DONE)
		result = STORE_OK;
	if (result != STORE_OK)
		database_complain_now_and_then(
			s->reader, s->path, "reading totals", &s->read_complained);
	sqlite3_exec(s->reader, "COMMIT", NULL, NULL, NULL);
	pthread_mutex_unlock(&s->read_lock);
	return result;
}

/* ---- what all processes are doing ---- */

struct service_row {
	int64_t in_flight;
	int64_t began;
};

static void
take_service(sqlite3_stmt *statement, void *context)
{
	struct service_row *row = context;

	row->in_flight = sqlite3_column_int64(statement, 0);
	row->began = sqlite3_column_int64(statement, 1);
}

enum store_result
store_read_service(
	struct store *s, int64_t process, int64_t now, int64_t *in_flight, int64_t *began)
{
	struct service_row row = {0};
	int step = SQLITE_NOMEM;
	char *sql = sqlite3_mprintf("SELECT (SELECT total(in_flight) FROM processes WHERE id != "
				    "%lld AND seen > %lld), began FROM service",
		(long long)process, (long long)(now - PROCESS_FORGOTTEN));

	pthread_mutex_lock(&s->read_lock);
	if (sql != NULL)
		step = each_row(s->reader, sql, take_service, &row);
	pthread_mutex_unlock(&s->read_lock);
	sqlite3_free(sql);
	*in_flight = row.in_flight;
	*began = row.began;
	return step == SQLITE_DONE ? STORE_OK : STORE_FAILED;
}

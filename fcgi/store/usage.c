/*
 * Usage; see usage.h.
 */
#include "store/usage.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log/log.h"
#include "base/secret.h"
#include "store/database.h"
#include "store/totals.h"

uint64_t
usage_clamp(uint64_t tokens)
{
	return tokens <= USAGE_MOST_TOKENS ? tokens : 0;
}

uint64_t
usage_sum(uint64_t a, uint64_t b)
{
	return a <= USAGE_MOST_TOTAL && b <= USAGE_MOST_TOTAL - a ? a + b : USAGE_MOST_TOTAL;
}

/* ---- writing ---- */

static const char insert[] = "INSERT INTO usage (finished, upstream, key_id, model, status, "
			     "input_tokens, output_tokens, cache_read_input_tokens, "
			     "cache_creation_input_tokens, first_byte, duration) "
			     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

static int
insert_row(sqlite3_stmt *statement, const struct usage_row *row, struct refused_rows *refused)
{
	sqlite3_bind_int64(statement, 1, row->finished);
	sqlite3_bind_text(statement, 2, row->upstream, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, row->key_id);
	sqlite3_bind_text(statement, 4, row->model, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 5, row->status);
	sqlite3_bind_int64(statement, 6, (int64_t)row->input_tokens);
	sqlite3_bind_int64(statement, 7, (int64_t)row->output_tokens);
	sqlite3_bind_int64(statement, 8, (int64_t)row->cache_read_input_tokens);
	sqlite3_bind_int64(statement, 9, (int64_t)row->cache_creation_input_tokens);
	sqlite3_bind_int64(statement, 10, row->first_byte);
	sqlite3_bind_int64(statement, 11, row->duration);
	return database_store_row(statement, refused);
}

static const char *const kinds[] = {
	[REQUEST_MESSAGE] = "message",
	[REQUEST_STREAM] = "stream",
	[REQUEST_COUNT_TOKENS] = "count_tokens",
	[REQUEST_MODELS] = "models",
	[REQUEST_OTHER] = "other",
};

const char *
request_kind_name(enum request_kind kind)
{
	return kinds[kind];
}

int
request_kind_parse(const char *name, enum request_kind *kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i], name) == 0) {
			*kind = (enum request_kind)i;
			return 0;
		}
	}
	return -1;
}

static int
insert_rows(sqlite3 *db, const struct usage_batch *batch, struct refused_rows *refused)
{
	sqlite3_stmt *statement = NULL;
	int status = sqlite3_prepare_v2(db, insert, -1, &statement, NULL) == SQLITE_OK ? 0 : -1;

	for (size_t i = 0; i < batch->count && status == 0; i++)
		status = insert_row(statement, &batch->rows[i], refused);
	sqlite3_finalize(statement);
	return status;
}

/* Run a statement made as printf does. */
static int __attribute__((format(printf, 2, 3))) run(sqlite3 *db, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *sql = sqlite3_vmprintf(format, arguments);
	va_end(arguments);
	int code = sql != NULL ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return code == SQLITE_OK ? 0 : -1;
}

/* Record how many requests this process has in flight; processes that no longer report have none.
 */
static int
tell_in_flight(sqlite3 *db, const struct usage_batch *batch)
{
	if (run(db, "DELETE FROM processes WHERE id = %lld OR seen <= %lld",
		    (long long)batch->process, (long long)(batch->now - PROCESS_FORGOTTEN)) != 0)
		return -1;
	if (batch->in_flight == 0)
		return 0;
	return run(db, "INSERT INTO processes VALUES (%lld, %lld, %lld)", (long long)batch->process,
		(long long)batch->in_flight, (long long)batch->now);
}

/* In the transaction that is open. */
static int
write_batch(sqlite3 *db, const struct usage_batch *batch, struct refused_rows *refused)
{
	if (insert_rows(db, batch, refused) != 0 || totals_store(batch->totals, db, refused) != 0 ||
		tell_in_flight(db, batch) != 0)
		return -1;
	if (batch->forget_before == 0)
		return 0;
	return run(db, "DELETE FROM usage WHERE finished < %lld", (long long)batch->forget_before);
}

enum store_result
store_record_usage(struct store *s, const struct usage_batch *batch)
{
	enum store_result result = STORE_FAILED;
	struct refused_rows refused = {0};

	pthread_mutex_lock(&s->write_lock);
	if (sqlite3_exec(s->writer, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK) {
		if (write_batch(s->writer, batch, &refused) == 0 &&
			sqlite3_exec(s->writer, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
			result = STORE_OK;
	}
	if (result != STORE_OK) {
		database_complain_now_and_then(
			s->writer, s->path, "recording usage", &s->write_complained);
		sqlite3_exec(s->writer, "ROLLBACK", NULL, NULL, NULL);
	}
	pthread_mutex_unlock(&s->write_lock);
	if (result == STORE_OK && refused.count > 0)
		log_error("database %s: recording usage: %zu rows were refused and are lost: %s",
			s->path, refused.count, refused.reason);
	return result;
}

/* ---- the report ---- */

/* How rows are grouped, and in which order groups come. */
static const struct {
	const char *name;
	const char *expression;
	const char *order;
} groups[] = {
	[USAGE_BY_UPSTREAM] = {"upstream", "upstream", "2 DESC, 1"},
	[USAGE_BY_KEY] = {"key", "key_id", "2 DESC, 1"},
	[USAGE_BY_MODEL] = {"model", "model", "2 DESC, 1"},
	[USAGE_BY_DAY] = {"day", "strftime('%Y-%m-%d', finished / 1000, 'unixepoch', 'localtime')",
		"1"},
};

/*
 * Ranks number the rows of a group, failed ones apart, so that the one at 95 % can be picked.  The
 * sorting is SQLite's, on the disk where it must.  Counts beyond ?1 were stored by older versions;
 * total() cannot overflow, as sum() does.
 */
static const char report[] =
	"SELECT g, count(*), sum(failed), "
	"CAST(total(input_tokens) FILTER (WHERE input_tokens BETWEEN 0 AND ?1) AS INTEGER), "
	"CAST(total(output_tokens) FILTER (WHERE output_tokens BETWEEN 0 AND ?1) AS INTEGER), "
	"CAST(total(cache_read_input_tokens) "
	"FILTER (WHERE cache_read_input_tokens BETWEEN 0 AND ?1) AS INTEGER), "
	"CAST(total(cache_creation_input_tokens) "
	"FILTER (WHERE cache_creation_input_tokens BETWEEN 0 AND ?1) AS INTEGER), "
	"avg(CASE WHEN NOT failed AND first_byte >= 0 THEN first_byte END), "
	"avg(CASE WHEN NOT failed THEN duration END), "
	"max(CASE WHEN NOT failed AND first_rank = (firsts * 95 + 99) / 100 THEN first_byte END), "
	"max(CASE WHEN NOT failed AND duration_rank = (n * 95 + 99) / 100 THEN duration END), "
	"max(upstream), (SELECT secret FROM api_keys WHERE id = key_id) "
	"FROM (SELECT *, "
	"row_number() OVER (PARTITION BY g, failed ORDER BY duration) AS duration_rank, "
	"row_number() OVER (PARTITION BY g, failed ORDER BY first_byte < 0, first_byte) AS "
	"first_rank, "
	"count(*) OVER (PARTITION BY g, failed) AS n, "
	"sum(first_byte >= 0) OVER (PARTITION BY g, failed) AS firsts "
	"FROM (SELECT %s AS g, status >= 400 AS failed, * FROM usage WHERE finished >= %lld)) "
	"GROUP BY g ORDER BY %s";

const char *
usage_group_name(enum usage_group group)
{
	return groups[group].name;
}

int
usage_group_parse(const char *name, enum usage_group *group)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(groups[i].name, name) == 0) {
			*group = (enum usage_group)i;
			return 0;
		}
	}
	return -1;
}

/* Keys are shown by their upstream and mask. */
static void
name_key(sqlite3_stmt *row, char *name, size_t size)
{
	const char *upstream = column_text(row, 11);
	const char *secret = (const char *)sqlite3_column_text(row, 12);
	char mask[SECRET_MASK_SIZE] = "";

	if (secret != NULL && secret[0] == KEY_COMMAND_MARK)
		snprintf(mask, sizeof(mask), "(command)");
	else if (secret != NULL)
		secret_mask(secret, mask);
	snprintf(name, size, "%s %s", upstream,
		secret != NULL                      ? mask
		: sqlite3_column_int64(row, 0) == 0 ? "(no key)"
						    : "(removed key)");
}

static void
take_row(sqlite3_stmt *row, enum usage_group group,
	void (*take)(void *context, const struct usage_total *), void *context)
{
	char key[256];
	struct usage_total total = {
		.name = column_text(row, 0),
		.requests = sqlite3_column_int64(row, 1),
		.errors = sqlite3_column_int64(row, 2),
		.input_tokens = sqlite3_column_int64(row, 3),
		.output_tokens = sqlite3_column_int64(row, 4),
		.cache_read_input_tokens = sqlite3_column_int64(row, 5),
		.cache_creation_input_tokens = sqlite3_column_int64(row, 6),
		.first_byte = sqlite3_column_double(row, 7),
		.duration = sqlite3_column_double(row, 8),
		.first_byte_95 = sqlite3_column_int64(row, 9),
		.duration_95 = sqlite3_column_int64(row, 10),
	};

	if (group == USAGE_BY_KEY) {
		name_key(row, key, sizeof(key));
		total.name = key;
	}
	take(context, &total);
}

enum store_result
store_report_usage(struct store *s, int64_t since, enum usage_group group,
	void (*take)(void *context, const struct usage_total *), void *context)
{
	char *sql = sqlite3_mprintf(
		report, groups[group].expression, (long long)since, groups[group].order);
	sqlite3_stmt *statement = NULL;
	int step = SQLITE_NOMEM;

	pthread_mutex_lock(&s->read_lock);
	if (sql != NULL)
		step = sqlite3_prepare_v2(s->reader, sql, -1, &statement, NULL);
	sqlite3_bind_int64(statement, 1, USAGE_MOST_TOKENS);
	while (step == SQLITE_OK || step == SQLITE_ROW) {
		step = sqlite3_step(statement);
		if (step == SQLITE_ROW)
			take_row(statement, group, take, context);
	}
	if (step != SQLITE_DONE)
		database_complain(s->reader, s->path, "reading usage");
	sqlite3_finalize(statement);
	pthread_mutex_unlock(&s->read_lock);
	sqlite3_free(sql);
	return step == SQLITE_DONE ? STORE_OK : STORE_FAILED;
}

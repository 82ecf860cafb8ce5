/*
 * What requests change in the database: the rotation counter, the pauses of keys, the windows of
 * the rate limit.  Each is one small transaction on the connection that writes (fcgi/DESIGN.md).
 */
#include <string.h>

#include "base/random.h"
#include "store/database.h"

enum statement { ROTATE, REST, COUNT_ON, COUNT_FIRST, ANNOUNCE };

/* A rest is moved only by what matters: while an upstream is down, every request would do it. */
enum {
	LEAST_REST_CHANGE = 1000, /* ms */
	LATEST = 10000, /* ms between a request's look at the clock and its being counted */
	FORGET_ONE_IN = 32,
};

static const char *const statements[COUNTER_STATEMENTS] = {
	[ROTATE] =
		"INSERT INTO rotations VALUES (?1, 0) ON CONFLICT DO UPDATE SET count = count + 1 "
		"RETURNING count",
	[REST] = "UPDATE api_keys SET rests_until = ?2, last_error = ?3 "
		 "WHERE id = ?1 AND (rests_until < ?2 - ?4 OR rests_until > ?2 + ?5)",
	/* Requests can arrive out of clock order, having waited for the lock. */
	[COUNT_ON] = "UPDATE rate_windows SET count = count + 1 "
		     "WHERE client = ?1 AND started > ?2 - ?3 AND started <= ?2 + min(?3, ?4) "
		     "RETURNING count, started + ?3",
	[COUNT_FIRST] = "INSERT INTO rate_windows VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET "
			"count = count + 1 RETURNING count, started + ?3",
	[ANNOUNCE] = "INSERT INTO settings VALUES ('reloads', '1') "
		     "ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
};

int
counters_prepare(struct store *s)
{
	for (int i = 0; i < COUNTER_STATEMENTS; i++)
		if (database_prepare(s->writer, s->path, statements[i], &s->counters[i]) != 0)
			return -1;
	return 0;
}

void
counters_finalize(struct store *s)
{
	for (int i = 0; i < COUNTER_STATEMENTS; i++)
		sqlite3_finalize(s->counters[i]);
	memset(s->counters, 0, sizeof(s->counters));
}

static enum store_result
complain(struct store *s, const char *doing)
{
	database_complain_now_and_then(s->writer, s->path, doing, &s->write_complained);
	return STORE_FAILED;
}

/* Run a statement that gives no row.  The lock is held. */
static enum store_result
run(struct store *s, enum statement which, const char *doing)
{
	int step = sqlite3_step(s->counters[which]);
	enum store_result result = step == SQLITE_DONE ? STORE_OK : complain(s, doing);

	sqlite3_reset(s->counters[which]);
	return result;
}

/* Run one that gives at most one row of ${count} numbers; STORE_NOT_FOUND: none.  The lock is held.
 */
static enum store_result
run_for_numbers(
	struct store *s, enum statement which, const char *doing, int64_t *numbers, int count)
{
	sqlite3_stmt *statement = s->counters[which];
	enum store_result result = STORE_NOT_FOUND;
	int step = sqlite3_step(statement);

	if (step == SQLITE_ROW) {
		for (int i = 0; i < count; i++)
			numbers[i] = sqlite3_column_int64(statement, i);
		/* The row comes before the commit: only the last step tells whether it was kept. */
		step = sqlite3_step(statement);
		result = STORE_OK;
	}
	if (step != SQLITE_DONE)
		result = complain(s, doing);
	sqlite3_reset(statement);
	return result;
}

enum store_result
store_rotate(struct store *s, int64_t upstream_id, uint64_t *count)
{
	int64_t number = 0;

	pthread_mutex_lock(&s->write_lock);
	sqlite3_bind_int64(s->counters[ROTATE], 1, upstream_id);
	enum store_result result = run_for_numbers(s, ROTATE, "counting", &number, 1);
	pthread_mutex_unlock(&s->write_lock);
	*count = (uint64_t)number;
	return result;
}

enum store_result
store_rest_key(struct store *s, int64_t key_id, int64_t until, const char *last_error)
{
	pthread_mutex_lock(&s->write_lock);
	sqlite3_stmt *rest = s->counters[REST];
	sqlite3_bind_int64(rest, 1, key_id);
	sqlite3_bind_int64(rest, 2, until);
	sqlite3_bind_text(rest, 3, last_error, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(rest, 4, LEAST_REST_CHANGE);
	sqlite3_bind_int64(rest, 5, KEY_LONGEST_REST); /* see api_key_state */
	enum store_result result = run(s, REST, "pausing a key");
	pthread_mutex_unlock(&s->write_lock);
	return result;
}

static enum store_result
count_request(struct store *s, enum statement which, const char *client, int64_t now,
	int64_t window, int64_t numbers[2])
{
	sqlite3_stmt *statement = s->counters[which];

	sqlite3_bind_text(statement, 1, client, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(statement, 2, now);
	sqlite3_bind_int64(statement, 3, window);
	if (which == COUNT_ON)
		sqlite3_bind_int64(statement, 4, LATEST);
	return run_for_numbers(s, which, "counting for the rate limit", numbers, 2);
}

/* Forget the windows that are over: the client's own always, all of them now and then. */
static void
forget_windows(struct store *s, const char *client, int64_t now, int64_t window)
{
	char *sql = random_below(FORGET_ONE_IN) == 0
			    ? sqlite3_mprintf("DELETE FROM rate_windows WHERE started <= %lld OR "
					      "started > %lld",
				      (long long)(now - window), (long long)(now + LATEST))
			    : sqlite3_mprintf("DELETE FROM rate_windows WHERE client = %Q", client);

	sqlite3_exec(s->writer, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
}

/* The first request of a window: another process may have begun it a moment ago. */
static enum store_result
begin_window(struct store *s, const char *client, int64_t now, int64_t window, int64_t numbers[2])
{
	if (sqlite3_exec(s->writer, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return complain(s, "counting for the rate limit");
	enum store_result result = count_request(s, COUNT_ON, client, now, window, numbers);
	if (result == STORE_NOT_FOUND) {
		forget_windows(s, client, now, window);
		result = count_request(s, COUNT_FIRST, client, now, window, numbers);
	}
	if (result == STORE_OK && sqlite3_exec(s->writer, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return STORE_OK;
	complain(s, "counting for the rate limit");
	sqlite3_exec(s->writer, "ROLLBACK", NULL, NULL, NULL);
	return STORE_FAILED;
}

enum store_result
store_count_request(struct store *s, const char *client, int64_t now, int64_t window,
	int64_t *count, int64_t *ends)
{
	int64_t numbers[2] = {0, 0};

	pthread_mutex_lock(&s->write_lock);
	enum store_result result = count_request(s, COUNT_ON, client, now, window, numbers);
	if (result == STORE_NOT_FOUND)
		result = begin_window(s, client, now, window, numbers);
	pthread_mutex_unlock(&s->write_lock);
	*count = numbers[0];
	*ends = numbers[1];
	return result;
}

enum store_result
store_announce_reload(struct store *s)
{
	pthread_mutex_lock(&s->write_lock);
	enum store_result result = run(s, ANNOUNCE, "announcing a reload");
	pthread_mutex_unlock(&s->write_lock);
	return result;
}

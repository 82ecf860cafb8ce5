/*
 * Statements and transactions on a connection to the database, and how its failures are logged.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "store/database.h"

enum { COMPLAIN_EVERY = 10000 /* ms between log lines about a database that cannot be read */ };

/* ---- failures ---- */

int
database_complain(sqlite3 *db, const char *path, const char *doing)
{
	log_error("database %s: %s: %s", path, doing, sqlite3_errmsg(db));
	return -1;
}

void
database_complain_now_and_then(
	sqlite3 *db, const char *path, const char *doing, int64_t *complained)
{
	int64_t now = clock_monotonic_ms();

	if (db == NULL || (*complained != 0 && now < *complained + COMPLAIN_EVERY))
		return;
	*complained = now;
	database_complain(db, path, doing);
}

/* ---- statements ---- */

int
database_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **statement)
{
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
		SQLITE_OK)
		return database_complain(db, path, "preparing a statement");
	return 0;
}

bool
database_pragma_returns(sqlite3 *db, const char *pragma, const char *text)
{
	sqlite3_stmt *s = NULL;
	bool same = sqlite3_prepare_v2(db, pragma, -1, &s, NULL) == SQLITE_OK &&
		    sqlite3_step(s) == SQLITE_ROW && strcmp(column_text(s, 0), text) == 0;

	sqlite3_finalize(s);
	return same;
}

/* Is the row at fault?  Other failures pass, like a lock or a full disk. */
static bool
is_refusal(int step)
{
	switch (step & 0xff) {
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		return true;
	default:
		return false;
	}
}

int
database_store_row(sqlite3_stmt *statement, struct refused_rows *refused)
{
	int step = sqlite3_step(statement);

	if (is_refusal(step) && refused->count++ == 0)
		snprintf(refused->reason, sizeof(refused->reason), "%s",
			sqlite3_errmsg(sqlite3_db_handle(statement)));
	sqlite3_reset(statement);
	return step == SQLITE_DONE || is_refusal(step) ? 0 : -1;
}

/* ---- changes of the configuration ---- */

int
database_begin(struct store *s)
{
	pthread_mutex_lock(&s->write_lock);
	/* Counters may be lost in a power cut, the configuration may not. */
	sqlite3_exec(s->writer, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
	if (sqlite3_exec(s->writer, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	database_complain(s->writer, s->path, "locking it for a change");
	pthread_mutex_unlock(&s->write_lock);
	return -1;
}

enum store_result
database_run(struct store *s, const char *sql, const char *types, ...)
{
	sqlite3_stmt *statement = NULL;
	enum store_result result = STORE_FAILED;
	va_list arguments;

	if (sqlite3_prepare_v2(s->writer, sql, -1, &statement, NULL) != SQLITE_OK) {
		database_complain(s->writer, s->path, "preparing a change");
		return STORE_FAILED;
	}
	va_start(arguments, types);
	for (int i = 0; types[i] != '\0'; i++) {
		if (types[i] == 'i')
			sqlite3_bind_int64(statement, i + 1, va_arg(arguments, int64_t));
		else
			sqlite3_bind_text(statement, i + 1, va_arg(arguments, const char *), -1,
				SQLITE_TRANSIENT);
	}
	va_end(arguments);
	int step = sqlite3_step(statement);
	if (step == SQLITE_DONE || step == SQLITE_ROW)
		result = sqlite3_changes(s->writer) > 0 ? STORE_OK : STORE_NOT_FOUND;
	else if (step == SQLITE_CONSTRAINT_UNIQUE || step == SQLITE_CONSTRAINT_PRIMARYKEY)
		result = STORE_EXISTS;
	else if (step == SQLITE_CONSTRAINT_FOREIGNKEY)
		result = STORE_NOT_FOUND;
	else
		database_complain(s->writer, s->path, "changing it");
	sqlite3_finalize(statement);
	return result;
}

enum store_result
database_end(struct store *s, enum store_result result)
{
	if (result == STORE_OK &&
		sqlite3_exec(s->writer, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		database_complain(s->writer, s->path, "committing a change");
		result = STORE_FAILED;
	}
	if (result != STORE_OK)
		sqlite3_exec(s->writer, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_exec(s->writer, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	pthread_mutex_unlock(&s->write_lock);
	return result;
}

enum store_result
database_unless_failed(enum store_result result)
{
	return result == STORE_FAILED ? STORE_FAILED : STORE_OK;
}

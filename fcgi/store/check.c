/*
 * The state of the database itself; see check.h.
 */
#include "store/check.h"

#include <stdio.h>
#include <string.h>

#include "store/database.h"

/* The first text that a statement gives; "" if it fails. */
static void
read_text(sqlite3 *db, const char *sql, char *text, size_t size)
{
	sqlite3_stmt *statement = NULL;

	text[0] = '\0';
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW)
		snprintf(text, size, "%s", column_text(statement, 0));
	else
		snprintf(text, size, "%s", sqlite3_errmsg(db));
	sqlite3_finalize(statement);
}

void
store_check(struct store *s, struct store_report *report)
{
	pthread_mutex_lock(&s->write_lock);
	report->writable = sqlite3_exec(s->writer,
				   "BEGIN IMMEDIATE; "
				   "UPDATE revision SET number = number; ROLLBACK",
				   NULL, NULL, NULL) == SQLITE_OK;
	if (!report->writable)
		sqlite3_exec(s->writer, "ROLLBACK", NULL, NULL, NULL);
	read_text(s->writer, "PRAGMA journal_mode", report->journal, sizeof(report->journal));
	read_text(s->writer, "PRAGMA integrity_check(1)", report->problem, sizeof(report->problem));
	pthread_mutex_unlock(&s->write_lock);
	if (strcmp(report->problem, "ok") == 0)
		report->problem[0] = '\0';
}

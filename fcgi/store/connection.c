/*
 * A connection to the database: how it waits for locks, which journal it uses, and how a file that
 * cannot be opened properly is read all the same.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log/log.h"
#include "base/random.h"
#include "store/database.h"

enum {
	BUSY_STEP_US = 500,     /* to 1500: steps of about a millisecond */
	BUSY_MOST_STEPS = 5000, /* five seconds in all */
	BUSY_FEW_STEPS = 20,    /* if somebody has held the lock for longer than that */
	LOST = 10000,           /* ms that such a lock is remembered */
	WAL_ATTEMPTS = 50,
};

static void
sleep_us(uint32_t us)
{
	const struct timespec pause = {.tv_nsec = (long)us * 1000};

	nanosleep(&pause, NULL);
}

/* ---- waiting for the locks of others ---- */

/*
 * SQLite's own handler sleeps up to 100 ms at a time: writers would wait far longer than they must.
 * All threads share a connection: were each to wait its five seconds for a lock that another
 * program keeps, they would wait one after the other.  So one does, and the next ones only look.
 */
static int
wait_while_busy(void *context, int step)
{
	struct patience *p = context;
	bool lost = p->lost != 0 && clock_monotonic_ms() < p->lost + LOST;

	if (step >= (lost ? BUSY_FEW_STEPS : BUSY_MOST_STEPS)) {
		p->lost = clock_monotonic_ms();
		return 0;
	}
	sleep_us(BUSY_STEP_US + random_below(2 * BUSY_STEP_US));
	return 1;
}

int
database_regain_patience(void *context)
{
	struct patience *p = context;

	p->lost = 0;
	return 0;
}

/* ---- the journal ---- */

/* Is nothing in it yet? */
static bool
is_new(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	bool empty = sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema", -1, &s, NULL) ==
			     SQLITE_OK &&
		     sqlite3_step(s) == SQLITE_DONE;

	sqlite3_finalize(s);
	return empty;
}

static bool
is_wal(sqlite3 *db)
{
	/* Network file systems take the mode and fail at its shared memory. */
	return database_pragma_returns(db, "PRAGMA journal_mode = WAL", "wal") &&
	       sqlite3_exec(db, "SELECT * FROM sqlite_schema LIMIT 1", NULL, NULL, NULL) ==
		       SQLITE_OK;
}

/* Return 0, or -1: a write-ahead log does not work here, though the file may be marked for one. */
static int
begin_wal(sqlite3 *db)
{
	/* The change of mode does not wait for other processes by itself. */
	for (int i = 0; i < WAL_ATTEMPTS; i++) {
		if (is_wal(db))
			return 0;
		if (sqlite3_errcode(db) != SQLITE_BUSY)
			break;
		sleep_us(10000);
	}
	return -1;
}

/* A connection that locks the file exclusively before its first read needs no shared memory, so it
 * can switch the journal mode. */
static void
leave_wal(const char *path)
{
	sqlite3 *db = NULL;

	log_debug("database %s: no write-ahead log here: using a rollback journal", path);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
		SQLITE_OK)
		sqlite3_exec(db,
			"PRAGMA busy_timeout = 5000; PRAGMA locking_mode = EXCLUSIVE; "
			"PRAGMA journal_mode = DELETE",
			NULL, NULL, NULL);
	sqlite3_close(db);
}

/* ---- connecting ---- */

/* The path as an SQLite URI of a file that nobody changes. */
static char *
frozen_uri(const char *path)
{
	struct buffer uri = BUFFER_INIT(0);

	buffer_puts(&uri, "file:");
	for (const char *c = path; *c != '\0'; c++)
		if (strchr("%?#", *c) != NULL)
			buffer_printf(&uri, "%%%02X", (unsigned char)*c);
		else
			buffer_putc(&uri, *c);
	buffer_puts(&uri, "?immutable=1");
	return buffer_take(&uri);
}

static sqlite3 *
connect_to(const char *path, int flags, struct patience *patience, int *code)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK) {
		sqlite3_extended_result_codes(db, 1);
		sqlite3_busy_handler(db, wait_while_busy, patience);
		sqlite3_commit_hook(db, database_regain_patience, patience);
		/* Only reading shows whether the write-ahead log can be had. */
		if (sqlite3_exec(db,
			    "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL; "
			    "SELECT * FROM sqlite_schema LIMIT 1",
			    NULL, NULL, NULL) == SQLITE_OK)
			return db;
	}
	database_complain(db, path, "opening it");
	*code = sqlite3_errcode(db) & 0xff;
	sqlite3_close(db);
	return NULL;
}

/* A full disk and a read-only folder have no room for the files beside the database that reading
 * needs. */
sqlite3 *
database_connect(struct store *s, struct patience *patience)
{
	int code = SQLITE_OK;
	sqlite3 *db = connect_to(s->path, SQLITE_OPEN_READWRITE, patience, &code);
	bool no_room = code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_IOERR ||
		       code == SQLITE_FULL;
	char *uri = no_room ? frozen_uri(s->path) : NULL;

	if (uri != NULL) {
		db = connect_to(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, patience, &code);
		s->frozen = true;
	}
	free(uri);
	return db;
}

sqlite3 *
database_connect_writer(struct store *s)
{
	sqlite3 *db = database_connect(s, &s->write_patience);

	/* Once, while nobody works with it: every attempt would disturb those who do. */
	if (db == NULL || !is_new(db) || begin_wal(db) == 0)
		return db;
	sqlite3_close(db);
	leave_wal(s->path);
	return database_connect(s, &s->write_patience);
}

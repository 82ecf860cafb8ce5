/*
 * What the modules of the store share: its connections, and statements on them.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>

#include "store/store.h"

enum { COUNTER_STATEMENTS = 5 };

struct store {
	char *path;

	pthread_mutex_t read_lock;
	sqlite3 *reader;
	sqlite3_stmt *data_version;
	sqlite3_stmt *revision;
	int64_t seen_version; /* of the file, when ${config} was known to be in force */
	int64_t seen_revision;
	struct config *config;   /* the snapshot; NULL: none yet */
	int64_t read_complained; /* s of the monotonic clock: when a failure was last logged */

	pthread_mutex_t write_lock;
	sqlite3 *writer;
	sqlite3_stmt *counters[COUNTER_STATEMENTS];
	int64_t write_complained;
};

/** Bring the database to this version's schema.  Return 0, or -1 (logged). */
int database_migrate(sqlite3 *db, const char *path);

/** Log what failed while ${doing} that.  Always -1. */
int database_complain(sqlite3 *db, const char *path, const char *doing);

/** The same at most every ten seconds; ${complained} keeps when it last was. */
void database_complain_now_and_then(
	sqlite3 *db, const char *path, const char *doing, int64_t *complained);

/** Prepare a statement that is kept.  Return 0, or -1 (logged). */
int database_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **statement);

/** The statements of counters.c, on the connection that writes.  Return 0, or -1 (logged). */
int counters_prepare(struct store *);
void counters_finalize(struct store *);

/** Read the whole configuration in one transaction.  NULL: it failed (logged). */
struct config *config_read(sqlite3 *db, const char *path);

#endif

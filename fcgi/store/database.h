/*
 * What the modules of the store share: its connections, and statements on them.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>

#include "store/store.h"

struct store {
	char *path;

	pthread_mutex_t read_lock;
	sqlite3 *reader;
	sqlite3_stmt *data_version;
	sqlite3_stmt *revision;
	int64_t seen_version; /* of the file, when ${config} was known to be in force */
	int64_t seen_revision;
	struct config *config; /* the snapshot; NULL: none yet */
	int64_t complained; /* s of the monotonic clock: when a failure of reading was last logged
			     */

	pthread_mutex_t write_lock;
	sqlite3 *writer;
	sqlite3_stmt *rotate;
};

/** Bring the database to this version's schema.  Return 0, or -1 (logged). */
int database_migrate(sqlite3 *db, const char *path);

/** Log what failed while ${doing} that.  Always -1. */
int database_complain(sqlite3 *db, const char *path, const char *doing);

/** Read the whole configuration in one transaction.  NULL: it failed (logged). */
struct config *config_read(sqlite3 *db, const char *path);

#endif

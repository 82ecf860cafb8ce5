/*
 * What the modules of the store share: its connections, and statements on them.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/store.h"

struct totals;

enum { COUNTER_STATEMENTS = 5 };

/* How long a connection waits for the locks of others. */
struct patience {
	int64_t lost; /* ms of the monotonic clock: when it last waited in vain; 0: since then it
			 had its way */
};

struct store {
	char *path;
	bool frozen;    /* it is read as it was when it was opened: see database_connect */
	int64_t opened; /* ms of the monotonic clock */
	dev_t device;   /* of the file that is open, and its number there; 0: none is */
	ino_t file;

	pthread_mutex_t token_lock; /* see store_lock_tokens */

	pthread_mutex_t read_lock;
	sqlite3 *reader;
	struct patience read_patience;
	sqlite3_stmt *data_version;
	sqlite3_stmt *revision;
	int64_t seen_version; /* of the file, when ${config} was known to be in force */
	int64_t seen_revision;
	struct config *config;   /* the snapshot; NULL: none yet */
	int64_t read_complained; /* ms of the monotonic clock: when a failure was last logged */

	pthread_mutex_t write_lock;
	sqlite3 *writer;
	struct patience write_patience;
	sqlite3_stmt *counters[COUNTER_STATEMENTS];
	int64_t write_complained;
};

/** The text of a column, which lives until the statement goes on.  "" where there is none: a
 * damaged database has NULL even where the schema forbids it, and memory may run out. */
static inline const char *
column_text(sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);

	return text != NULL ? (const char *)text : "";
}

/* ---- the file (database_file.c) ---- */

/**
 * Make the file where it is missing, readable by its owner alone: not even for a moment by others,
 * so SQLite does not make it.  Return 0, also where it can only be read, or -1 (logged).
 */
int database_make_file(const char *path);

/* ---- a connection (connection.c) ---- */

/** Open the store's file.  Where it cannot be opened properly it is read as if nobody could change
 * it, and ${frozen} is set.  NULL: it failed (logged). */
sqlite3 *database_connect(struct store *, struct patience *);

/** The same for the connection that writes: a new file gets a write-ahead log, or a rollback
 * journal where the file system does not support one. */
sqlite3 *database_connect_writer(struct store *);

/** Another program gave up its lock.  Always 0, as a commit hook must give. */
int database_regain_patience(void *patience);

/* ---- its version (migrate.c) ---- */

/** Bring the database to this version's schema.  Return 0, or -1 (logged). */
int database_migrate(sqlite3 *db, const char *path);

/* ---- statements (database.c) ---- */

/** Log what failed while ${doing} that.  Always -1. */
int database_complain(sqlite3 *db, const char *path, const char *doing);

/** The same at most every ten seconds; ${complained} keeps when it last was.  Of a connection that
 * could not be opened (NULL) that is already reported. */
void database_complain_now_and_then(
	sqlite3 *db, const char *path, const char *doing, int64_t *complained);

/** Prepare a statement that is kept.  Return 0, or -1 (logged). */
int database_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **statement);

/** Is ${text} the first thing that ${pragma} returns? */
bool database_pragma_returns(sqlite3 *db, const char *pragma, const char *text);

/** The statements of counters.c, on the connection that writes.  Return 0, or -1 (logged). */
int counters_prepare(struct store *);
void counters_finalize(struct store *);

/*
 * Changes of the configuration: begin, run statements, end.  Between begin and end the lock on the
 * connection that writes is held.
 */

/** Return 0, or -1 (logged): then there is nothing to end. */
int database_begin(struct store *);

/** Bind and run one statement: ${types} has 'i' for an int64_t, 's' for a text that may be NULL,
 * for each argument.  STORE_NOT_FOUND: it changed nothing. */
enum store_result database_run(struct store *, const char *sql, const char *types, ...);

/** Commit if ${result} is STORE_OK, else roll back.  Return the final result. */
enum store_result database_end(struct store *, enum store_result result);

/** The result of a step that may have nothing to do. */
enum store_result database_unless_failed(enum store_result);

/** Where none is current, or one that is gone, make the first one current. */
enum store_result database_settle_current(struct store *);

/** Put the proxy's own web search in the place of what there was; ${provider} NULL: nothing. */
enum store_result
database_put_search(struct store *, const char *provider, const char *url, const char *key);

/* Rows that the database refused.  Begin with {0}. */
struct refused_rows {
	size_t count;
	char reason[256]; /* of the first */
};

/**
 * Run ${statement}, which stores one row, and reset it.  A row that violates a constraint is left
 * out and counted: trying again would not help.  Return 0, or -1 if the database cannot be written.
 */
int database_store_row(sqlite3_stmt *statement, struct refused_rows *);

/** Add the totals to those in the database, within the transaction that is open.  Return 0 or -1.
 */
int totals_store(const struct totals *, sqlite3 *db, struct refused_rows *);

/** Read the whole configuration in one transaction.  NULL: it failed (logged). */
struct config *config_read(sqlite3 *db, const char *path);

#endif

/*
 * The version of the database, and how an older one becomes a newer one.
 */
#include <stddef.h>

#include "base/log.h"
#include "schema.h"
#include "store/database.h"

/* ${steps}[n] takes a database from version n to n + 1; the schema itself is the step from an empty
 * file. */
static const char *const steps[] = {schema_sql};

enum { LATEST = sizeof(steps) / sizeof(steps[0]) };

int
database_complain(sqlite3 *db, const char *path, const char *doing)
{
	log_error("database %s: %s: %s", path, doing, sqlite3_errmsg(db));
	return -1;
}

static int
read_version(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK &&
		sqlite3_step(s) == SQLITE_ROW)
		version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return version;
}

static int
take_steps(sqlite3 *db, int version)
{
	for (; version < LATEST; version++)
		if (sqlite3_exec(db, steps[version], NULL, NULL, NULL) != SQLITE_OK)
			return -1;
	char *sql = sqlite3_mprintf("PRAGMA user_version = %d", LATEST);
	int result = sql != NULL ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return result == SQLITE_OK ? 0 : -1;
}

int
database_migrate(sqlite3 *db, const char *path)
{
	int version = read_version(db);

	if (version < 0)
		return database_complain(db, path, "reading its version");
	if (version == LATEST)
		return 0;
	/* Another process may be doing the same: look again with the lock held. */
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return database_complain(db, path, "locking it to bring it up to date");
	version = read_version(db);
	if (version > LATEST) {
		log_error("database %s: it is of version %d, made by a newer claude-proxy; this "
			  "one knows %d: "
			  "install the newer one",
			path, version, LATEST);
		goto err0;
	}
	if (version < 0 || take_steps(db, version) != 0 ||
		sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		database_complain(db, path, "bringing it up to date");
		goto err0;
	}
	return 0;

err0:
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

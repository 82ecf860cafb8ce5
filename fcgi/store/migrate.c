/*
 * The version of the database, and how an older one becomes a newer one.
 */
#include <stdio.h>
#include <string.h>

#include "base/log/log.h"
#include "schema.h"
#include "store/database.h"

enum { LATEST = sizeof(schema_versions) / sizeof(schema_versions[0]) };

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

/* Add all that a database of ${version} (0: a new file) lacks. */
static int
bring_up_to_date(sqlite3 *db, int version)
{
	char set_version[48];

	for (int next = version; next < LATEST; next++)
		if (sqlite3_exec(db, schema_versions[next], NULL, NULL, NULL) != SQLITE_OK)
			return -1;
	snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", LATEST);
	return sqlite3_exec(db, set_version, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
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
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
		/* An older one that can only be read still has all that requests need. */
		if ((sqlite3_errcode(db) & 0xff) == SQLITE_READONLY && version > 0 &&
			version < LATEST)
			return 0;
		return database_complain(db, path, "locking it to bring it up to date");
	}
	version = read_version(db);
	if (version > LATEST) {
		log_error("database %s: its schema has version %d, made by a newer claude-proxy; "
			  "this one knows version %d: install the newer one",
			path, version, LATEST);
		goto err0;
	}
	if (version < 0 || bring_up_to_date(db, version) != 0 ||
		sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		database_complain(db, path, "bringing it up to date");
		goto err0;
	}
	return 0;

err0:
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

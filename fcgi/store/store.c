/*
 * The SQLite database; see store.h.  Opening it, and the snapshot of the configuration.
 */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "store/database.h"

enum {
	OLDEST_SQLITE = 3037000, /* STRICT tables; RETURNING is older */
	REOPEN_AFTER = 10000,    /* ms between attempts to open it properly */
};

/* ---- opening ---- */

static int
open_writer(struct store *s)
{
	s->writer = database_connect_writer(s);
	if (s->writer == NULL || database_migrate(s->writer, s->path) != 0)
		return -1;
	return counters_prepare(s);
}

static int
open_reader(struct store *s)
{
	s->reader = database_connect(s, &s->read_patience);
	if (s->reader == NULL ||
		database_prepare(s->reader, s->path, "PRAGMA data_version", &s->data_version) != 0)
		return -1;
	return database_prepare(s->reader, s->path, "SELECT number FROM revision", &s->revision);
}

/* Remember which file is open. */
static void
note_file(struct store *s)
{
	struct stat info = {0};

	stat(s->path, &info);
	s->device = info.st_dev;
	s->file = info.st_ino;
}

static void
close_connections(struct store *s)
{
	sqlite3_finalize(s->data_version);
	sqlite3_finalize(s->revision);
	counters_finalize(s);
	sqlite3_close(s->reader);
	sqlite3_close(s->writer);
	s->data_version = s->revision = NULL;
	s->reader = s->writer = NULL;
	s->seen_version = s->seen_revision = -1;
	s->file = 0;
}

static int
open_connections(struct store *s)
{
	s->frozen = false;
	s->opened = clock_monotonic_ms();
	note_file(s);
	if (open_writer(s) == 0 && open_reader(s) == 0)
		return 0;
	close_connections(s);
	return -1;
}

struct store *
store_open(const char *path)
{
	if (sqlite3_libversion_number() < OLDEST_SQLITE) {
		log_error("SQLite %s is too old: claude-proxy needs 3.37 or newer",
			sqlite3_libversion());
		return NULL;
	}
	struct store *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	pthread_mutex_init(&s->read_lock, NULL);
	pthread_mutex_init(&s->write_lock, NULL);
	pthread_mutex_init(&s->token_lock, NULL);
	s->path = strdup(path);
	if (s->path == NULL || database_make_file(path) != 0 || open_connections(s) != 0) {
		store_close(s);
		return NULL;
	}
	return s;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	config_release(s->config);
	close_connections(s);
	pthread_mutex_destroy(&s->read_lock);
	pthread_mutex_destroy(&s->write_lock);
	pthread_mutex_destroy(&s->token_lock);
	free(s->path);
	free(s);
}

const char *
store_library_version(void)
{
	return sqlite3_libversion();
}

const char *
store_path(const struct store *s)
{
	return s->path;
}

/* ---- the snapshot ---- */

/* The one number that a statement gives; -1: it failed. */
static int64_t
number_of(sqlite3_stmt *statement)
{
	int64_t number = -1;

	if (sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return number;
}

/* Was the database removed or moved away, and is there another in its place? */
static bool
is_replaced(const struct store *s)
{
	struct stat info;

	return s->file != 0 && stat(s->path, &info) == 0 &&
	       (info.st_ino != s->file || info.st_dev != s->device);
}

/* Open it again where it is another one, or could not be opened properly some time ago. */
static void
reopen(struct store *s)
{
	bool replaced = is_replaced(s);
	bool improper = s->frozen || s->reader == NULL;

	if (!replaced && !(improper && clock_monotonic_ms() >= s->opened + REOPEN_AFTER))
		return;
	if (replaced)
		log_warn("database %s: the file was replaced: reading the new one", s->path);
	pthread_mutex_lock(&s->write_lock);
	close_connections(s);
	open_connections(s);
	pthread_mutex_unlock(&s->write_lock);
}

static bool
is_intact(sqlite3 *db)
{
	return database_pragma_returns(db, "PRAGMA quick_check(1)", "ok");
}

/* The configuration as it is now; NULL: it cannot be read.  Where no upstream is current any more,
 * that may be damage as well as an owner's `clear`. */
static struct config *
read_config(struct store *s)
{
	struct config *config = config_read(s->reader, s->path);
	bool emptied = config != NULL && config->current == NULL && s->config != NULL &&
		       s->config->current != NULL;

	if (!emptied || is_intact(s->reader))
		return config;
	config_release(config);
	database_complain_now_and_then(s->reader, s->path,
		"it is damaged, and seems to be empty: keeping the last configuration",
		&s->read_complained);
	return NULL;
}

/* Make sure that the snapshot is in force.  Return 0 or -1. */
static int
refresh(struct store *s)
{
	reopen(s);
	int64_t version = number_of(s->data_version);

	if (version >= 0)
		database_regain_patience(&s->read_patience);
	if (version >= 0 && version == s->seen_version && s->config != NULL)
		return 0;
	/* Somebody committed; most often it was only a counter. */
	int64_t revision = number_of(s->revision);
	if (version < 0 || revision < 0) {
		database_complain_now_and_then(
			s->reader, s->path, "reading it", &s->read_complained);
		return -1;
	}
	if (revision != s->seen_revision || s->config == NULL) {
		struct config *config = read_config(s);
		if (config == NULL)
			return -1;
		config_release(s->config);
		s->config = config;
	}
	s->seen_version = version;
	s->seen_revision = revision;
	return 0;
}

struct config *
store_config(struct store *s)
{
	struct config *config = NULL;

	pthread_mutex_lock(&s->read_lock);
	/* Fall back to the last known configuration. */
	if (refresh(s) == 0 || s->config != NULL)
		config = config_retain(s->config);
	pthread_mutex_unlock(&s->read_lock);
	return config;
}

bool
store_is_readable(struct store *s)
{
	pthread_mutex_lock(&s->read_lock);
	bool readable = refresh(s) == 0;
	pthread_mutex_unlock(&s->read_lock);
	return readable;
}

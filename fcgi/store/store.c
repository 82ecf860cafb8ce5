/*
 * The SQLite database; see store.h and fcgi/DESIGN.md.  Opening, the cached snapshot, and the
 * rotation counter.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/random.h"
#include "store/database.h"

enum {
	OLDEST_SQLITE = 3037000, /* STRICT tables; RETURNING is older */
	BUSY_STEP_US = 500,      /* to 1500: steps of about a millisecond */
	BUSY_MOST_STEPS = 5000,  /* five seconds in all */
	BUSY_FEW_STEPS = 20,     /* where somebody has held the lock for longer than that */
	LOST_SECONDS = 10,       /* that such a lock is remembered */
	COMPLAIN_SECONDS = 10,   /* between log lines about a database that cannot be read */
	WAL_ATTEMPTS = 50,
	REOPEN_SECONDS = 10, /* between attempts to open it properly */
};

static int64_t
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void
sleep_us(uint32_t us)
{
	const struct timespec pause = {.tv_nsec = (long)us * 1000};

	nanosleep(&pause, NULL);
}

/* ---- opening ---- */

/*
 * SQLite's own handler sleeps up to 100 ms at a time: writers would wait far longer than they must.
 * All threads share a connection: were each to wait its five seconds for a lock that another
 * program keeps, they would wait one after the other.  So one does, and the next ones only look.
 */
static int
wait_while_busy(void *context, int step)
{
	struct patience *p = context;
	bool lost = p->lost != 0 && seconds_now() < p->lost + LOST_SECONDS;

	if (step >= (lost ? BUSY_FEW_STEPS : BUSY_MOST_STEPS)) {
		p->lost = seconds_now();
		return 0;
	}
	sleep_us(BUSY_STEP_US + random_below(2 * BUSY_STEP_US));
	return 1;
}

/* The lock can be had again. */
static int
regain_patience(void *context)
{
	struct patience *p = context;

	p->lost = 0;
	return 0;
}

/* Make the folders above the path. */
static int
make_folders(const char *path)
{
	char *copy = strdup(path);
	int status = copy != NULL ? 0 : -1;

	for (char *slash = copy != NULL ? strchr(copy + 1, '/') : NULL;
		slash != NULL && status == 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST && access(copy, X_OK) != 0)
			status = -1;
		*slash = '/';
	}
	free(copy);
	return status;
}

/* Owned; NULL if memory ran out. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
}

/* What root makes belongs to whom the folder belongs: the user of the responder could not open it
 * else.  Only a new file is given away: a link in that folder may name any file of root's. */
static int
create_file(const char *path)
{
	char *folder = folder_of(path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat info;

	if (fd >= 0 && geteuid() == 0 && folder != NULL && stat(folder, &info) == 0 &&
		fchown(fd, info.st_uid, info.st_gid) != 0)
		log_warn("database %s: could not hand it to the folder's owner, still owned by "
			 "root: %s",
			path, strerror(errno));
	free(folder);
	return fd;
}

static void
remove_beside(const char *path, const char *suffix)
{
	char *name = NULL;

	if (asprintf(&name, "%s%s", path, suffix) < 0)
		return;
	unlink(name);
	free(name);
}

/* Lock the folder of the path against others that make the file.  The lock's descriptor, or -1. */
static int
lock_folder(const char *path)
{
	char *folder = folder_of(path);
	int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	free(folder);
	if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Somebody removed the database, but not what lay beside it: a new one with an old log would be
 * damaged from the start, or share that log with a process that still has the old one open.
 */
static void
remove_leftovers(const char *path)
{
	remove_beside(path, "-wal");
	remove_beside(path, "-shm");
	remove_beside(path, "-journal");
}

/* Open the file, and make it where it is missing. */
static int
open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	int lock = lock_folder(path);
	if (lock >= 0 && access(path, F_OK) != 0)
		remove_leftovers(path);
	fd = create_file(path);
	if (fd < 0)
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int problem = errno;
	if (lock >= 0)
		close(lock);
	errno = problem;
	return fd;
}

/* The file must not be readable by others even for a moment, so it is made here and not by SQLite.
 * One that can only be read is better than none. */
static int
make_file(const char *path)
{
	struct stat info;

	if (make_folders(path) != 0)
		goto err0;
	int fd = open_file(path);
	if (fd < 0 && access(path, R_OK) == 0) {
		log_warn("database %s: %s: opened read-only: counters, pauses of keys and usage "
			 "will not be saved",
			path, strerror(errno));
		return 0;
	}
	if (fd < 0)
		goto err0;
	if (fstat(fd, &info) == 0 && (info.st_mode & 077) != 0 && info.st_uid == geteuid())
		fchmod(fd, 0600);
	close(fd);
	return 0;

err0:
	log_error("database %s: %s: it must be in a folder that this user may write to; "
		  "CLAUDE_PROXY_DB names another",
		path, strerror(errno));
	return -1;
}

/* Is ${text} the first thing that ${pragma} returns? */
static bool
pragma_returns(sqlite3 *db, const char *pragma, const char *text)
{
	sqlite3_stmt *s = NULL;
	bool same = sqlite3_prepare_v2(db, pragma, -1, &s, NULL) == SQLITE_OK &&
		    sqlite3_step(s) == SQLITE_ROW && strcmp(column_text(s, 0), text) == 0;

	sqlite3_finalize(s);
	return same;
}

static bool
is_wal(sqlite3 *db)
{
	/* Network file systems take the mode and fail at its shared memory. */
	return pragma_returns(db, "PRAGMA journal_mode = WAL", "wal") &&
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

/* Only who has the file for himself, from the first look on, needs no shared memory to leave the
 * mode that asks for it. */
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

/* The path as the URI of a file that nobody changes, for SQLite. */
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
		sqlite3_commit_hook(db, regain_patience, patience);
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

/*
 * A full disk and a read-only folder have no room for the files beside the database that reading
 * needs.  Then it is read as if nobody could change it, until that is over.
 */
static sqlite3 *
open_connection(struct store *s, struct patience *patience)
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

int
database_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **statement)
{
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
		SQLITE_OK)
		return database_complain(db, path, "preparing a statement");
	return 0;
}

static int
open_writer(struct store *s)
{
	s->writer = open_connection(s, &s->write_patience);
	/* Once, while nobody works with it: every attempt would disturb those who do. */
	if (s->writer != NULL && is_new(s->writer) && begin_wal(s->writer) != 0) {
		sqlite3_close(s->writer);
		leave_wal(s->path);
		s->writer = open_connection(s, &s->write_patience);
	}
	if (s->writer == NULL || database_migrate(s->writer, s->path) != 0)
		return -1;
	return counters_prepare(s);
}

static int
open_reader(struct store *s)
{
	s->reader = open_connection(s, &s->read_patience);
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
	s->opened = seconds_now();
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
	if (s->path == NULL || make_file(path) != 0 || open_connections(s) != 0) {
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

void
database_complain_now_and_then(
	sqlite3 *db, const char *path, const char *doing, int64_t *complained)
{
	int64_t now = seconds_now();

	if (db == NULL || (*complained != 0 && now < *complained + COMPLAIN_SECONDS))
		return;
	*complained = now;
	database_complain(db, path, doing);
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

	if (!replaced && !(improper && seconds_now() >= s->opened + REOPEN_SECONDS))
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
	return pragma_returns(db, "PRAGMA quick_check(1)", "ok");
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
		regain_patience(&s->read_patience);
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
	/* Better the last one known than no answer. */
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

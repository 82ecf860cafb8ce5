/*
 * The file of the database, made before SQLite opens it: its folders, its owner and its mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log/log.h"
#include "store/database.h"

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

/* A file that root makes gets the owner of the folder, or else the user of the responder could not
 * open it.  Only a new file is given away: a link in that folder may name any file of root's. */
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

int
database_make_file(const char *path)
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

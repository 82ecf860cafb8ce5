/*
 * Whose database it is; see owner.h.
 */
#include "owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/settings.h"
#include "command.h"
#include "output.h"

static const struct passwd *
user_of(uid_t uid)
{
	return getpwuid(uid); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* ---- root ---- */

static int
set_groups(uid_t uid, gid_t gid)
{
	const struct passwd *user = user_of(uid);

	return user != NULL ? initgroups(user->pw_name, gid) : setgroups(1, &gid);
}

/* Root stays the saved user, for owner_open_input; programs that are started do not inherit it. */
static int
act_as(uid_t uid, gid_t gid)
{
	if (set_groups(uid, gid) != 0 || setresgid(gid, gid, 0) != 0)
		return -1;
	return setresuid(uid, uid, 0);
}

static int
act_as_root(void)
{
	return setresuid(0, 0, 0) == 0 && setresgid(0, 0, 0) == 0 && setgroups(0, NULL) == 0 ? 0
											     : -1;
}

static int
become_owner_of(const char *database)
{
	const char *slash = strrchr(database, '/');
	char *folder = slash != NULL ? strndup(database, (size_t)(slash - database) + 1)
				     : strdup("./");
	struct stat info;
	int status = 0;

	if (folder == NULL)
		return fail("out of memory"), -1;
	if (stat(folder, &info) == 0 && info.st_uid != 0) {
		status = act_as(info.st_uid, info.st_gid);
		/* The owner may not get there: then nobody but root can use it. */
		if (status == 0 && access(folder, W_OK | X_OK) != 0)
			status = act_as_root();
	}
	if (status != 0)
		fail("could not act as the owner of %s: %s", folder, strerror(errno));
	free(folder);
	return status;
}

/* ---- anybody else ---- */

/* Would a database in the home folder be used although there is one for the service? */
static int
check_home(const struct settings *settings)
{
	const struct passwd *owner;
	struct stat info;

	if (!settings->in_home || stat(SETTINGS_SYSTEM_FOLDER, &info) != 0)
		return 0;
	owner = user_of(info.st_uid);
	const char *name = owner != NULL ? owner->pw_name : "another user";
	if (access(settings->database, F_OK) == 0) {
		note("this is your own database, %s; that of the service is "
		     "in " SETTINGS_SYSTEM_FOLDER " and belongs to %s: use sudo for it",
			settings->database, name);
		return 0;
	}
	fail("the service's database is in " SETTINGS_SYSTEM_FOLDER
	     " and belongs to %s: %s%s …; or set CLAUDE_PROXY_DB=%s to make one of your own",
		name, getenv("SUDO_USER") == NULL ? "sudo " : "", HINT(NULL), settings->database);
	return -1;
}

int
owner_become(const struct settings *settings)
{
	return geteuid() == 0 ? become_owner_of(settings->database) : check_home(settings);
}

FILE *
owner_open_input(const char *path)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) != 0 || saved == effective || seteuid(saved) != 0)
		return fopen(path, "re");
	FILE *file = fopen(path, "re");
	int problem = errno;
	if (seteuid(effective) != 0)
		abort(); /* rather than go on as root */
	errno = problem;
	return file;
}

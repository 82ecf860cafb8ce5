/*
 * Whose database it is; see owner.h.
 */
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/settings/settings.h"
#include "command.h"
#include "terminal/output.h"

static const struct passwd *
user_of(uid_t uid)
{
	return getpwuid(uid); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* ---- root ---- */

/* Can that user write to the folder?  The owner may not get there. */
static bool
can_write(uid_t uid, const char *folder)
{
	if (seteuid(uid) != 0)
		return false;
	bool can = faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
	if (seteuid(0) != 0)
		abort(); /* rather than go on as neither */
	return can;
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
	/* A root that may not give up its groups, as in some containers, stays root. */
	if (stat(folder, &info) == 0 && info.st_uid != 0 && can_write(info.st_uid, folder) &&
		setgroups(1, &info.st_gid) == 0 &&
		(setregid(info.st_gid, info.st_gid) != 0 ||
			setreuid(info.st_uid, info.st_uid) != 0)) {
		fail("could not act as the owner of %s: %s", folder, strerror(errno));
		status = -1;
	}
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
	     " and belongs to %s: %s%s; or set CLAUDE_PROXY_DB=%s to make one of your own",
		name, getenv("SUDO_USER") == NULL ? "sudo " : "", HINT("…"), settings->database);
	return -1;
}

int
owner_become(const struct settings *settings)
{
	return geteuid() == 0 ? become_owner_of(settings->database) : check_home(settings);
}

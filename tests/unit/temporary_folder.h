/* A folder of its own for each test of a unit program, removed with all that is in it. */
#ifndef TEMPORARY_FOLDER_H
#define TEMPORARY_FOLDER_H

#include "unit.h"

static char folder[32];

static void
make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/claude-proxy-" UNIQUE);
	assert_non_null(mkdtemp(folder));
}

/* As a test's teardown must, it gives 0, or else the test has failed. */
static int
remove_folder(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command); /* NOLINT(cert-env33-c) */
}

#endif

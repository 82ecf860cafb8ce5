/*
 * make bundle STATIC=1: what stands in the place of a program whose C library lies in lib/ beside
 * it.  Linked with musl and without any library, it runs on every Linux, and starts the real
 * program there by the loader there, under the name that it was called by: what the program tells
 * the user to type next begins with that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PROGRAM
#define PROGRAM "claude-proxy.fcgi"
#endif

enum { LONGEST_PATH = 4096 };

/* Find the folder of this program.  Return 0, or -1: it is unknown, or its path too long. */
static int
find_folder(char path[LONGEST_PATH])
{
	ssize_t length = readlink("/proc/self/exe", path, LONGEST_PATH - 1);

	if (length <= 0 || length >= LONGEST_PATH - 1)
		return -1;
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	return 0;
}

int
main(int argc, char **argv)
{
	char folder[LONGEST_PATH];
	char libraries[LONGEST_PATH + 8];
	char loader[LONGEST_PATH + 16];
	char program[LONGEST_PATH + 64];

	if (find_folder(folder) != 0) {
		fputs(PROGRAM ": cannot find its own folder: is /proc mounted?\n", stderr);
		return EXIT_FAILURE;
	}
	snprintf(libraries, sizeof(libraries), "%s/lib", folder);
	snprintf(loader, sizeof(loader), "%s/loader", libraries);
	snprintf(program, sizeof(program), "%s/" PROGRAM, libraries);

	/* The host's cache names libraries of another C library. */
	char *added[] = {loader, (char[]){"--inhibit-cache"}, (char[]){"--library-path"}, libraries,
#ifdef LOADER_TAKES_ARGV0
		(char[]){"--argv0"}, argc > 0 ? argv[0] : program,
#endif
		program};
	size_t count = sizeof(added) / sizeof(added[0]);
	char **given = calloc((size_t)argc + count + 1, sizeof(*given));
	if (given == NULL)
		return EXIT_FAILURE;
	memcpy((void *)given, (void *)added, sizeof(added));
	for (int i = 1; i < argc; i++)
		given[count + (size_t)i - 1] = argv[i];
	execv(loader, given);
	fprintf(stderr, PROGRAM ": %s: %s\n", loader, strerror(errno));
	free((void *)given);
	return EXIT_FAILURE;
}

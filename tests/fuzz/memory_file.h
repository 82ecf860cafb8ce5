/* A file that is only in memory, for what reads files by their names. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

enum { MEMORY_FILE_PATH = 32 };

/** The descriptor of the one file of this process, and its name. */
static inline int
memory_file(char path[MEMORY_FILE_PATH])
{
	static int descriptor = -1;

	if (descriptor < 0)
		descriptor = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_check(descriptor >= 0);
	snprintf(path, MEMORY_FILE_PATH, "/proc/self/fd/%d", descriptor);
	return descriptor;
}

/** Make ${text} its content. */
static inline void
memory_file_write(const char *text, size_t length, char path[MEMORY_FILE_PATH])
{
	int descriptor = memory_file(path);

	fuzz_check(ftruncate(descriptor, 0) == 0);
	fuzz_check(pwrite(descriptor, text, length, 0) == (ssize_t)length);
}

#endif

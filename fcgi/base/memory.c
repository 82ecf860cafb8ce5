/*
 * The C library's allocator; see memory.h.
 */
#include "base/memory.h"

#include <stdlib.h>

#if defined(__GLIBC__)
#include <malloc.h>

enum {
	ARENAS = 4,               /* by default eight for each processor, each with its own waste */
	LARGE = 4 << 20,          /* bytes from which on a block is mapped on its own */
	KEPT_AT_THE_TOP = 8 << 20 /* bytes; else every free of a request's body is a system call */
};

void
memory_configure(void)
{
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, KEPT_AT_THE_TOP);
}

void
memory_give_back(void)
{
	malloc_trim(0);
}

#else

void
memory_configure(void)
{
}

void
memory_give_back(void)
{
}

#endif

/*
 * The C library's allocator; see memory.h.
 */
#include "base/memory.h"

#include <stdlib.h>

#if defined(__GLIBC__)
#include <malloc.h>
#include <pthread.h>

enum {
	ARENAS = 4,      /* by default eight for each processor, each with its own waste */
	LARGE = 4 << 20, /* bytes from which on a block is mapped on its own */
	/* Bytes that an arena keeps at its top, which malloc_trim does not reach.  In busy times
	 * every free of a request's body would be a system call without them. */
	KEPT_WHILE_BUSY = 8 << 20,
	KEPT_WHILE_QUIET = 128 << 10,
	ENOUGH_TO_TRIM = 64 << 10,
};

void
memory_configure(void)
{
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MMAP_THRESHOLD, LARGE);
	memory_keep(true);
}

void
memory_keep(bool busy)
{
	mallopt(M_TRIM_THRESHOLD, busy ? KEPT_WHILE_BUSY : KEPT_WHILE_QUIET);
}

/* An arena shortens its top only where something large is freed. */
static void *
free_something_large(void *context)
{
	void *volatile large = malloc(ENOUGH_TO_TRIM);

	free(large);
	return context;
}

void
memory_give_back(void)
{
	pthread_t thread;

	malloc_trim(0);
	/* Each new thread gets the next arena, round and round. */
	for (int i = 0; i < ARENAS; i++)
		if (pthread_create(&thread, NULL, free_something_large, NULL) == 0)
			pthread_join(thread, NULL);
}

#else

void
memory_configure(void)
{
}

void
memory_keep(bool busy)
{
	(void)busy;
}

void
memory_give_back(void)
{
}

#endif

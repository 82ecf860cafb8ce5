/*
 * The C library's allocator, told how this process uses memory: requests of 100 KB come and go on a
 * few threads, and what a busy minute needed is not needed in the next.  Only glibc has to be told.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>

/** Before the first thread is started. */
void memory_configure(void);

/** Keep some of what is freed, since a busy process soon needs it again; or give it back at once.
 */
void memory_keep(bool busy);

/** Give free memory back to the system.  May take some ms: not on the loop. */
void memory_give_back(void);

#endif

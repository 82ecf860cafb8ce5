/*
 * How many file descriptors the process may have.
 */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include <stdbool.h>

/** Make the limit as high as the system lets this process have it: every stream takes two, and the
 * usual soft limit is 1024. */
void descriptors_raise_limit(void);

/** The limit, at most INT_MAX. */
int descriptors_limit(void);

/** Are there ${count} more, at most 8?  ${any} is one that is open. */
bool descriptors_left(int any, int count);

#endif

/*
 * Lengths of time as people write them: 250ms, 30s, 15m, 24h, 7d, 2w.
 */
#ifndef DURATION_H
#define DURATION_H

#include <stdint.h>

/** The length in ms, or 0 if ${text} is not one.  A number alone counts in ms. */
int64_t duration_parse(const char *text);

#endif

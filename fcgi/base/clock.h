/*
 * The time of day, and how times are written.  (On the loop, uv_now measures durations.)
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

struct buffer;

/** Milliseconds since 1970. */
int64_t clock_now_ms(void);

/** Milliseconds of a monotonic clock, for durations off the loop. */
int64_t clock_monotonic_ms(void);

/** Append the time of day as "2024-01-01T00:00:00.000Z".  Return 0 or -1. */
int clock_write_timestamp(struct buffer *);

/** Append the moment ${seconds} after 1970 as "2024-01-01T00:00:00Z".  Return 0, or -1 if there is
 * no such year. */
int clock_write_seconds(struct buffer *, int64_t seconds);

/** Append ${ms}, not negative, in seconds: "120.500".  Return 0 or -1. */
int clock_write_duration(struct buffer *, int64_t ms);

#endif

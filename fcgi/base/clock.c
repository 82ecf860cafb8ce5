/*
 * The time of day; see clock.h.
 */
#include "base/clock.h"

#include <time.h>

#include "base/buffer.h"

int64_t
clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Append the second, without what comes after it.  Return 0 or -1. */
static int
write_second(struct buffer *out, int64_t second)
{
	time_t seconds = (time_t)second;
	struct tm utc;
	char text[64];

	if (gmtime_r(&seconds, &utc) == NULL || utc.tm_year > 9999 - 1900 ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc) == 0)
		return -1;
	return buffer_puts(out, text);
}

int
clock_write_timestamp(struct buffer *out)
{
	int64_t now = clock_now_ms();

	write_second(out, now / 1000);
	return buffer_printf(out, ".%03dZ", (int)(now % 1000));
}

int
clock_write_seconds(struct buffer *out, int64_t seconds)
{
	return write_second(out, seconds) == 0 ? buffer_putc(out, 'Z') : -1;
}

int
clock_write_duration(struct buffer *out, int64_t ms)
{
	return buffer_printf(out, "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
}

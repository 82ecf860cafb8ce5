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

int
clock_write_timestamp(struct buffer *out)
{
	int64_t now = clock_now_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm utc;
	char text[32];

	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	return buffer_printf(out, "%s.%03dZ", text, (int)(now % 1000));
}

/*
 * Randomness from the system; see random.h.
 *
 * getentropy fills a pool at a time: else an id for every request would be a system call each.
 */
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

enum { POOL_BYTES = 256 }; /* the most that getentropy gives at once */

static _Thread_local struct {
	unsigned char bytes[POOL_BYTES];
	size_t left;
} pool;

static unsigned char
random_byte(void)
{
	if (pool.left == 0) {
		if (getentropy(pool.bytes, POOL_BYTES) != 0) {
			perror("getentropy");
			abort();
		}
		pool.left = POOL_BYTES;
	}
	return pool.bytes[--pool.left];
}

uint32_t
random_below(uint32_t bound)
{
	if (bound == 0)
		return 0;
	/* Values in the last, incomplete round of ${bound} would make some answers likelier: draw
	 * again. */
	uint32_t rest = (UINT32_MAX % bound + 1) % bound;
	uint32_t value;
	do {
		value = 0;
		for (int i = 0; i < 4; i++)
			value = value << 8 | random_byte();
	} while (value > UINT32_MAX - rest);
	return value % bound;
}

void
random_id(char *id, size_t size, const char *prefix)
{
	static const char base62[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char letters[RANDOM_ID_LENGTH + 1];

	for (int i = 0; i < RANDOM_ID_LENGTH; i++) {
		unsigned char byte;
		do
			byte = random_byte() & 63;
		while (byte >= 62);
		letters[i] = base62[byte];
	}
	letters[RANDOM_ID_LENGTH] = '\0';
	snprintf(id, size, "%s%s", prefix, letters);
}

/*
 * A short name for a text; see hash.h.  FNV-1a with 64 bits, twice with different starts, each
 * mixed at the end.
 */
#include "base/hash.h"

#include <stdint.h>

static uint64_t
fnv1a(const char *text, size_t length, uint64_t hash)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3U;
	/* FNV's high bits depend little on the last bytes. */
	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15U;
	return hash ^ hash >> 29;
}

void
hash_hex(const char *text, size_t length, size_t digits, char *out)
{
	static const char hex[] = "0123456789abcdef";
	const uint64_t halves[] = {
		fnv1a(text, length, 0xcbf29ce484222325U),
		fnv1a(text, length, 0x84222325cbf29ce4U),
	};

	if (digits > HASH_MOST_DIGITS)
		digits = HASH_MOST_DIGITS;
	for (size_t i = 0; i < digits; i++)
		out[i] = hex[halves[i / 16] >> (60 - i % 16 * 4) & 15];
	out[digits] = '\0';
}

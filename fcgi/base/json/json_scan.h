/*
 * What json_read.c, json.c and json_writer.c share: how far the content of a string is plain,
 * several bytes at a time; blanks; code units.
 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)

#include <emmintrin.h>

enum { JSON_STEP = 16 /* bytes */ };

static inline __m128i
json_load(const char *at)
{
	return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/*
 * In which of the JSON_STEP bytes at ${at} stands the first that is no plain character: a quote, a
 * backslash, a control character, or beyond ASCII?  JSON_STEP: in none.
 */
static inline size_t
json_plain(const char *at)
{
	const __m128i v = json_load(at);
	/* Bytes beyond ASCII are negative here. */
	const __m128i special = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(' ')),
		_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
			_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
	unsigned found = (unsigned)_mm_movemask_epi8(special);

	return found != 0 ? (size_t)__builtin_ctz(found) : JSON_STEP;
}

#else

enum { JSON_STEP = 8 /* bytes */ };

static inline size_t
json_plain(const char *at)
{
	const uint64_t ones = 0x0101010101010101U;
	const uint64_t tops = 0x8080808080808080U;
	uint64_t eight;

	memcpy(&eight, at, sizeof(eight));
	uint64_t quote = eight ^ (ones * '"');
	uint64_t backslash = eight ^ (ones * '\\');
	/* A byte below the other borrows into its top bit, and perhaps into bytes after the first.
	 */
	uint64_t special = (eight | (eight - ones * ' ') | (quote - ones) | (backslash - ones)) &
			   tops;
	if (special == 0)
		return JSON_STEP;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (size_t)__builtin_ctzll(special) / 8;
#else
	return 0; /* the caller looks at one byte */
#endif
}

#endif

static inline bool
json_is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The code unit of the four hex digits at ${at}; -1 if they are something else. */
static inline int
json_code_unit(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

#endif

/* The lines of a head that we write. */
#ifndef HEAD_LINES_H
#define HEAD_LINES_H

#include "fuzz.h"

/**
 * Each line must be `Name: value` of characters that show, ended by CR LF.  Return what follows
 * after the last: an empty line, or the end of the text.
 */
static inline const char *
head_lines_check(const char *at)
{
	while (*at != '\0' && *at != '\r') {
		const char *end = strstr(at, "\r\n");
		fuzz_check(end != NULL);
		const char *colon = memchr(at, ':', (size_t)(end - at));
		fuzz_check(colon != NULL && colon > at && colon[1] == ' ');
		for (; at < end; at++)
			fuzz_check(*at == '\t' || ((unsigned char)*at >= ' ' && *at != 127));
		at = end + 2;
	}
	return at;
}

#endif

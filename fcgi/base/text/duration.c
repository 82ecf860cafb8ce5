/*
 * Lengths of time as people write them; see duration.h.
 */
#include "base/text/duration.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WEEKS = 5200 };

int64_t
duration_parse(const char *text)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
		{"w", 604800000}};
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return 0;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && errno == 0; i++)
		if (strcmp(end, units[i].unit) == 0)
			return number <= MOST_WEEKS * 604800000LL / units[i].ms
				       ? number * units[i].ms
				       : 0;
	return 0;
}

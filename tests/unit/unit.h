/* What every unit test includes first: cmocka with what it needs, and a few words of our own. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What mkdtemp fills in. */
#define UNIQUE                                                                                     \
	"XX"                                                                                       \
	"XX"                                                                                       \
	"XX"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (strstr((text), (part)) == NULL)                                                \
			fail_msg("'%s' is not in: %s", (part), (text));                            \
	} while (0)

#endif

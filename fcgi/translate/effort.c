/*
 * Efforts as words and as budgets; see effort.h.
 */
#include "translate/effort.h"

#include <string.h>

enum {
	LOW_BUDGET = 4096,     /* thinking tokens below which the effort is low */
	MEDIUM_BUDGET = 16384, /* or medium */
};

static const struct {
	const char *word;
	int64_t budget; /* thinking tokens that stand for it */
} efforts[EFFORTS] = {
	[EFFORT_NONE] = {"none", 0},
	[EFFORT_MINIMAL] = {"minimal", 512},
	[EFFORT_LOW] = {"low", 2048},
	[EFFORT_MEDIUM] = {"medium", 8192},
	[EFFORT_HIGH] = {"high", 24576},
	[EFFORT_XHIGH] = {"xhigh", 32768},
	[EFFORT_MAX] = {"max", 32768},
};

const char *
effort_word(enum effort effort)
{
	return effort < EFFORTS ? efforts[effort].word : NULL;
}

enum effort
effort_find(const char *word, size_t length)
{
	enum effort effort = EFFORT_NONE;

	while (effort < EFFORTS && (strlen(efforts[effort].word) != length ||
					   memcmp(efforts[effort].word, word, length) != 0))
		effort++;
	return effort;
}

enum effort
effort_nearest(unsigned accepted, enum effort wanted)
{
	int upwards = wanted < EFFORT_HIGH ? 1 : -1;

	/* A model that should think must not be told not to. */
	if (wanted > EFFORT_NONE)
		accepted &= ~(1U << EFFORT_NONE);
	for (int distance = 0; distance < EFFORTS; distance++) {
		int near = (int)wanted + upwards * distance;
		int far = (int)wanted - upwards * distance;
		if (near >= 0 && near < EFFORTS && (accepted >> near & 1) != 0)
			return (enum effort)near;
		if (far >= 0 && far < EFFORTS && (accepted >> far & 1) != 0)
			return (enum effort)far;
	}
	return EFFORTS;
}

enum effort
effort_of_budget(int64_t tokens)
{
	return tokens < LOW_BUDGET      ? EFFORT_LOW
	       : tokens < MEDIUM_BUDGET ? EFFORT_MEDIUM
					: EFFORT_HIGH;
}

int64_t
effort_budget(enum effort effort)
{
	return effort < EFFORTS ? efforts[effort].budget : 0;
}

/*
 * How hard a model should think: the words that all services share, and the budgets of thinking
 * tokens that some use instead.
 */
#ifndef EFFORT_H
#define EFFORT_H

#include <stddef.h>
#include <stdint.h>

enum effort {
	EFFORT_NONE,
	EFFORT_MINIMAL,
	EFFORT_LOW,
	EFFORT_MEDIUM,
	EFFORT_HIGH,
	EFFORT_XHIGH,
	EFFORT_MAX,
	EFFORTS,
};

/** The word of an effort; NULL for EFFORTS.  And back: EFFORTS for a word that is not one. */
const char *effort_word(enum effort);
enum effort effort_find(const char *word, size_t length);

/** The effort of ${accepted} (bits, 1 << effort) that is nearest to ${wanted}; of two that are
 * equally near, the one towards high.  None only if it is wanted.  EFFORTS if there is none. */
enum effort effort_nearest(unsigned accepted, enum effort wanted);

/** The effort that a budget of thinking tokens stands for, and back. */
enum effort effort_of_budget(int64_t tokens);
int64_t effort_budget(enum effort);

#endif

/*
 * What somebody who mistyped a word may have meant; see suggest.h.
 */
#include "terminal/suggest.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 }; /* bytes of a word that is compared */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many characters to insert, remove, replace or swap with their neighbour; words longer than
 * LONGEST are far from everything. */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][LONGEST + 1];
	size_t a_length = strlen(a);
	size_t b_length = strlen(b);

	if (a_length > LONGEST || b_length > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3];
		const size_t *before = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

/* How far a word may be from what was typed, and still be meant. */
static size_t
tolerance(const char *given)
{
	size_t length = strlen(given);

	return length < 2 ? 0 : length < 5 ? 1 : length < 10 ? 2 : 3;
}

const char *
suggest(struct suggestion *suggestion, const char *given, word_at *at, const void *context)
{
	const char *nearest = NULL;
	size_t far = tolerance(given) + 1;
	const char *word;

	for (size_t i = 0; (word = at(context, i)) != NULL; i++) {
		size_t this_far = distance(given, word);
		if (this_far < far) {
			far = this_far;
			nearest = word;
		}
	}
	suggestion->text[0] = '\0';
	if (nearest != NULL)
		snprintf(suggestion->text, sizeof(suggestion->text), "; did you mean '%s'?",
			nearest);
	return suggestion->text;
}

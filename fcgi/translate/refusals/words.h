/*
 * Reading the sentences in which services refuse a request: names, quoted words, listed values,
 * numbers.  Words are found whatever their case.
 */
#ifndef REFUSAL_WORDS_H
#define REFUSAL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

/** Can the character be part of a member's name? */
bool words_is_name(char);

bool words_is_quote(char);

/** Does the text contain at least one of these ${count} words? */
bool words_contain_any(const char *text, const char *const *words, size_t count);

/** The next quoted words from ${at} on.  An apostrophe opens no quotes.  False if there are none.
 */
bool words_find_quoted(const char *at, const char **start, size_t *length);

/**
 * Append the values that are listed from ${at} on, as a JSON array: those in quotes up to the end
 * of the line; if none is quoted, and ${bare} or ${numbers}, those that follow as words or as
 * numbers.  Return how many there are.
 */
size_t words_write_values(const char *at, bool bare, bool numbers, struct buffer *);

/** The number that follows the first of these ${count} words that one follows; it may have commas
 * between its digits.  False if there is none. */
bool words_find_number(const char *text, const char *const *words, size_t count, double *number);

/** "[1, 8192]", "between 1 and 20", "range from 1 (inclusive) to 65537 (exclusive)". */
bool words_find_range(const char *text, double *least, double *most);

#endif

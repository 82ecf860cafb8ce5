/*
 * UTF-8 to the letter (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

/** The length of the character at the start of ${left} bytes; 0: there is no valid one. */
size_t utf8_character_length(const char *text, size_t left);

/** How many characters a valid text has. */
size_t utf8_count_characters(const char *text, size_t length);

/** Is the whole text valid? */
bool utf8_is_valid(const char *text, size_t length);

/** The length in bytes of the first ${most} characters of a valid text. */
size_t utf8_prefix(const char *text, size_t length, size_t most);

#endif

/*
 * A short name for a text: for ids and names that must be shortened the same way every time.  No
 * protection against somebody who wants a collision.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>

enum { HASH_MOST_DIGITS = 32 };

/** Write ${digits} (at most HASH_MOST_DIGITS) lower-case hex digits of the text's hash into ${out},
 * NUL-terminated. */
void hash_hex(const char *text, size_t length, size_t digits, char *out);

#endif

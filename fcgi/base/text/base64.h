/*
 * Base64 (RFC 4648), without line breaks.
 */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

struct buffer;

/** Append the bytes as base64url without padding.  Return 0 or -1. */
int base64url_write(struct buffer *, const void *bytes, size_t length);

/**
 * Decode ${length} digits of either alphabet, without padding, into ${out}, which has room for
 * BASE64_DECODED(${length}) bytes.  Return 0, or -1 if there is another character.
 */
int base64_read(const char *digits, size_t length, void *out);

#define BASE64_DECODED(length) ((length) / 4 * 3 + (length) % 4 * 3 / 4)

#endif

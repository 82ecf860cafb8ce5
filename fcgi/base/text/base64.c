/*
 * Base64; see base64.h.
 */
#include "base/text/base64.h"

#include <stdint.h>

#include "base/buffer.h"

int
base64url_write(struct buffer *out, const void *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *in = bytes;
	char *to = buffer_reserve(out, length / 3 * 4 + (length % 3 * 4 + 2) / 3);

	if (to == NULL)
		return -1;
	for (; length >= 3; length -= 3, in += 3) {
		uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
		for (int shift = 18; shift >= 0; shift -= 6)
			*to++ = digits[bits >> shift & 63];
	}
	if (length == 0)
		return 0;
	uint32_t bits = (uint32_t)in[0] << 16 | (length > 1 ? (uint32_t)in[1] << 8 : 0);
	for (int shift = 18; shift >= 12 - 6 * (int)(length - 1); shift -= 6)
		*to++ = digits[bits >> shift & 63];
	return 0;
}

/* What the digit is worth; -1 if it is not one. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-' || c == '+')
		return 62;
	return c == '_' || c == '/' ? 63 : -1;
}

int
base64_read(const char *digits, size_t length, void *out)
{
	unsigned char *to = out;
	uint32_t bits = 0;
	int count = 0;

	for (size_t i = 0; i < length; i++) {
		int value = value_of(digits[i]);
		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		*to++ = (unsigned char)(bits >> count & 255);
	}
	return 0;
}

/*
 * UTF-8 to the letter; see utf8.h.
 */
#include "base/text/utf8.h"

#include <stdint.h>
#include <string.h>

size_t
utf8_character_length(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;

	if (left == 0)
		return 0;
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
	if (n == 0 || n > left || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms of three and four bytes, surrogates, beyond the last character. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool
utf8_is_valid(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length) {
		uint64_t eight;
		if (length - i >= sizeof(eight)) {
			memcpy(&eight, text + i, sizeof(eight));
			if ((eight & 0x8080808080808080U) == 0) {
				i += sizeof(eight);
				continue;
			}
		}
		size_t n = utf8_character_length(text + i, length - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

size_t
utf8_count_characters(const char *text, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

size_t
utf8_prefix(const char *text, size_t length, size_t most)
{
	size_t end = 0;

	for (size_t i = 0; i < most && end < length; i++)
		do
			end++;
		while (end < length && ((unsigned char)text[end] & 0xc0) == 0x80);
	return end;
}

/*
 * What a remote wrote, made harmless; see safe_text.h.
 */
#include "base/text/safe_text.h"

#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text/utf8.h"

/* The characters beyond ASCII that act, each range with its ends. */
static const struct {
	uint32_t first, last;
} acting[] = {
	{0x80, 0x9f},     /* C1 controls */
	{0x61c, 0x61c},   /* a mark of the writing direction, as the rest but one */
	{0x200e, 0x200f}, /* */
	{0x2028, 0x2029}, /* separators of lines and paragraphs */
	{0x202a, 0x202e}, /* */
	{0x2066, 0x2069}, /* */
};

/* Of a valid character of two or three bytes: all that ${acting} has. */
static uint32_t
code_of(const unsigned char *s, size_t length)
{
	if (length == 2)
		return (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
	return (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
}

/* Does the character of ${length} bytes act?  Then ${code} is its number. */
static bool
acts(const char *text, size_t length, bool json, uint32_t *code)
{
	const unsigned char *s = (const unsigned char *)text;

	*code = s[0];
	if (length == 1)
		return s[0] == 0x7f || (s[0] < 0x20 && !json);
	if (length == 4)
		return false;
	*code = code_of(s, length);
	for (size_t i = 0; i < sizeof(acting) / sizeof(acting[0]); i++)
		if (*code >= acting[i].first && *code <= acting[i].last)
			return true;
	return false;
}

static void
put_escape(struct buffer *out, uint32_t code)
{
	static const char digits[] = "0123456789abcdef";
	const char escape[] = {'\\', 'u', digits[code >> 12 & 15], digits[code >> 8 & 15],
		digits[code >> 4 & 15], digits[code & 15]};

	buffer_append(out, escape, sizeof(escape));
}

bool
safe_text_is_plain(const char *text)
{
	size_t length = strlen(text);
	uint32_t code;
	size_t n;

	for (size_t i = 0; i < length; i += n) {
		n = utf8_character_length(text + i, length - i);
		if (n == 0 || acts(text + i, n, false, &code))
			return false;
	}
	return true;
}

/* ${json}: what is below the blank is white space between values. */
static int
write_safe(struct buffer *out, const char *text, size_t length, bool json)
{
	size_t plain = 0;

	for (size_t i = 0; i < length;) {
		size_t n = utf8_character_length(text + i, length - i);
		uint32_t code = 0;
		if (n > 0 && !acts(text + i, n, json, &code)) {
			i += n;
			continue;
		}
		buffer_append(out, text + plain, i - plain);
		if (n > 0)
			put_escape(out, code);
		else
			buffer_puts(out, "\xef\xbf\xbd");
		i += n > 0 ? n : 1;
		plain = i;
	}
	return buffer_append(out, text + plain, length - plain);
}

int
safe_text_write(struct buffer *out, const char *text, size_t length)
{
	return write_safe(out, text, length, false);
}

int
safe_text_write_json(struct buffer *out, const char *text, size_t length)
{
	return write_safe(out, text, length, true);
}

size_t
safe_text_cut(const char *text, size_t length, size_t most)
{
	size_t cut = most;

	if (length <= most)
		return length;
	while (cut > 0 && most - cut < 3 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	return cut;
}

bool
safe_text_is_header(const char *value)
{
	/* Nearly all of them are printable. */
	for (const unsigned char *c = (const unsigned char *)value;; c++) {
		if (*c >= ' ' && *c < 127)
			continue;
		if (*c == '\0')
			return true;
		if (*c == 127 || (*c < ' ' && *c != '\t'))
			return false;
	}
}

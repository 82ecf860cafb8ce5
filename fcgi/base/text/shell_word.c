/*
 * Words that can be pasted into a shell; see shell_word.h.
 */
#include "base/text/shell_word.h"

#include <string.h>

#include "base/buffer.h"

static const char plain[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";

int
shell_word_write(struct buffer *out, const char *text)
{
	if (text[0] != '\0' && text[strspn(text, plain)] == '\0')
		return buffer_puts(out, text);
	buffer_putc(out, '\'');
	for (const char *c = text; *c != '\0'; c++) {
		/* A quote ends the quoted part, stands escaped, and begins the next. */
		if (*c == '\'')
			buffer_puts(out, "'\\''");
		else
			buffer_putc(out, *c);
	}
	return buffer_putc(out, '\'');
}

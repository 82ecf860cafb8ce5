/*
 * What a command reads; see input.h.
 */
#include "input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "command.h"

enum { PIECE = 65536 };

static bool
is_standard(const char *name)
{
	return name == NULL || strcmp(name, "-") == 0;
}

const char *
input_name(const char *name)
{
	return is_standard(name) ? "standard input" : name;
}

int
input_read(const char *name, struct buffer *text)
{
	FILE *file = is_standard(name) ? stdin : fopen(name, "re");
	char piece[PIECE];
	size_t n;

	if (file == NULL) {
		fail("%s: %s", name, strerror(errno));
		return -1;
	}
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_append(text, piece, n);
	bool broken = ferror(file) != 0;
	if (!is_standard(name))
		fclose(file);
	if (broken)
		fail("%s: it cannot be read", input_name(name));
	else if (text->failed)
		fail("%s: it is larger than %zu MiB", input_name(name), text->limit >> 20);
	return broken || text->failed ? -1 : 0;
}

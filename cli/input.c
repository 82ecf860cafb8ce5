/*
 * What a command reads; see input.h.
 */
#include "input.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/secret.h"
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

void
input_hide(struct hidden_input *hidden)
{
	hidden->terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &hidden->before) == 0;
	if (!hidden->terminal)
		return;
	struct termios without = hidden->before;
	without.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &without);
}

void
input_show(const struct hidden_input *hidden)
{
	if (!hidden->terminal)
		return;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden->before);
	fputc('\n', stderr);
}

/* Is there more than white space left? */
static bool
has_more(void)
{
	int c;

	do
		c = getchar();
	while (isspace(c));
	return c != EOF;
}

/* What is wrong with the ${read} bytes of ${line}, whose end is cut off; NULL: nothing. */
static const char *
cut_line(char *line, ssize_t read, bool terminal)
{
	if (read < 0)
		return "it is empty";
	if (strlen(line) != (size_t)read)
		return "it contains a NUL character";
	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0')
		return "it is empty";
	return !terminal && has_more() ? "it has more than one line" : NULL;
}

char *
input_read_secret(const char *prompt)
{
	char *line = NULL;
	size_t size = 0;
	struct hidden_input hidden;

	input_hide(&hidden);
	if (hidden.terminal)
		fprintf(stderr, "%s (not shown): ", prompt);
	ssize_t read = getline(&line, &size, stdin);
	input_show(&hidden);
	const char *problem = cut_line(line, read, hidden.terminal);
	if (problem == NULL)
		return line;
	fail("%s from standard input: %s", prompt, problem);
	if (line != NULL)
		secret_erase(line, size);
	free(line);
	return NULL;
}

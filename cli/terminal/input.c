/*
 * What a command reads; see input.h.
 */
#include "terminal/input.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "command.h"
#include "terminal/output.h"

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
input_open(const char *name, FILE **file)
{
	*file = is_standard(name) ? stdin : fopen(name, "re");
	if (*file != NULL)
		return 0;
	fail("%s: %s", name, strerror(errno));
	return -1;
}

int
input_read(FILE *file, const char *name, struct buffer *text)
{
	char piece[PIECE];
	size_t n;

	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_append(text, piece, n);
	bool broken = ferror(file) != 0;
	if (file != stdin)
		fclose(file);
	if (broken)
		fail("could not read %s", input_name(name));
	else if (text->failed)
		fail("%s is larger than %zu MiB", input_name(name), text->limit >> 20);
	return broken || text->failed ? -1 : 0;
}

static void
on_interrupt(int number)
{
	(void)number; /* ending pselect is all it does */
}

void
input_hide(struct hidden_input *hidden)
{
	const struct sigaction interrupt = {.sa_handler = on_interrupt};
	sigset_t blocked;

	*hidden = (struct hidden_input){0};
	hidden->terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &hidden->before) == 0;
	if (!hidden->terminal)
		return;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &hidden->signals);
	sigaction(SIGINT, &interrupt, &hidden->interrupt);
	struct termios without = hidden->before;
	without.c_lflag &= ~(tcflag_t)ECHO;
	/* Nobody is left with a terminal without echo: only Ctrl-C is a signal. */
	without.c_cc[VQUIT] = without.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &without);
}

ssize_t
input_read_hidden(struct hidden_input *hidden, char **line, size_t *size)
{
	fd_set input;

	FD_ZERO(&input);
	FD_SET(STDIN_FILENO, &input);
	/* Ctrl-C comes only here, also one from before. */
	hidden->interrupted = hidden->terminal && pselect(STDIN_FILENO + 1, &input, NULL, NULL,
							  NULL, &hidden->signals) < 0;
	return hidden->interrupted ? -1 : getline(line, size, stdin);
}

void
input_show(const struct hidden_input *hidden)
{
	if (!hidden->terminal)
		return;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden->before);
	sigaction(SIGINT, &hidden->interrupt, NULL);
	sigprocmask(SIG_SETMASK, &hidden->signals, NULL);
	fputc('\n', stderr);
	if (hidden->interrupted)
		raise(SIGINT);
}

bool
input_is_waiting(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&input, 1, 0) > 0;
}

bool
input_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

char *
input_ask(const char *question, const char *standard)
{
	char *line = NULL;
	size_t size = 0;

	if (standard != NULL)
		print("%s [%s]: ", question, standard);
	else
		print("%s: ", question);
	fflush(stdout);
	if (getline(&line, &size, stdin) < 0) {
		free(line);
		return NULL;
	}
	char *start = line + strspn(line, " \t");
	size_t length = strcspn(start, "\r\n");
	while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
		length--;
	char *answer = length > 0 || standard == NULL ? strndup(start, length) : strdup(standard);
	free(line);
	return answer;
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

/* Cut off the end of ${line}, of ${read} bytes.  Return what is wrong with it, or NULL. */
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
	ssize_t read = input_read_hidden(&hidden, &line, &size);
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

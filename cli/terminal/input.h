/*
 * What a command reads: a file, or standard input.
 */
#ifndef INPUT_H
#define INPUT_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <termios.h>

struct buffer;

/** Open a file; NULL or "-" is standard input.  Return 0, or -1 (reported). */
int input_open(const char *name, FILE **file);

/** Append the bytes of the file of that name, up to the buffer's limit, and close it.  Return 0, or
 * -1 (reported). */
int input_read(FILE *, const char *name, struct buffer *text);

/**
 * Read one line from standard input: a secret.  On a terminal ${prompt} is printed first, and what
 * is typed does not show.  Return the line without its end, owned, to be erased and freed; or NULL
 * (reported): it is empty, contains a NUL character, or more lines follow.
 */
char *input_read_secret(const char *prompt);

/** Is there somebody at a terminal who can be asked? */
bool input_can_ask(void);

/**
 * Ask for one line on the terminal, with echo.  Return it without its end and the spaces
 * around it, owned, or a copy of ${standard} if it is empty (may be NULL: ""); NULL at the end of
 * the input.
 */
char *input_ask(const char *question, const char *standard);

/* Standard input while what is typed does not show. */
struct hidden_input {
	bool terminal;    /* false: it is not one, and nothing was changed */
	bool interrupted; /* by Ctrl-C */
	struct termios before;
	struct sigaction interrupt; /* what SIGINT did before */
	sigset_t signals;           /* those that were blocked before */
};

/** Hide what is typed, and show it again.  After Ctrl-C in between, input_show restores the
 * terminal and then ends the program. */
void input_hide(struct hidden_input *);
void input_show(const struct hidden_input *);

/** Read a line in between.  As getline; -1 also after Ctrl-C. */
ssize_t input_read_hidden(struct hidden_input *, char **line, size_t *size);

/** Is more input there already, as after several lines were pasted? */
bool input_is_waiting(void);

/** What to call it in messages. */
const char *input_name(const char *name);

#endif

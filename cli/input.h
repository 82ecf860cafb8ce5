/*
 * What a command reads: a file, or standard input.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <termios.h>

struct buffer;

/** Append the file's bytes, up to the buffer's limit; NULL or "-": standard input.  Return 0, or
 * -1, which was said. */
int input_read(const char *name, struct buffer *text);

/**
 * Read one line from standard input: a secret.  On a terminal ${prompt} is printed first, and what
 * is typed does not show.  Return the line without its end, owned, to be erased and freed; or NULL,
 * which was said: it is empty, contains a NUL character, or more lines follow.
 */
char *input_read_secret(const char *prompt);

/* Standard input while what is typed does not show. */
struct hidden_input {
	bool terminal; /* false: it is none, and nothing was changed */
	struct termios before;
};

/**
 * Hide what is typed, and show it again.  In between the terminal's interrupt key is a character
 * like others: nobody is left with a terminal without echo.
 */
void input_hide(struct hidden_input *);
void input_show(const struct hidden_input *);

/** What to call it in messages. */
const char *input_name(const char *name);

#endif

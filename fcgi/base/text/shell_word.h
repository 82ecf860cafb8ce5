/*
 * Words that can be pasted into a shell.
 */
#ifndef SHELL_WORD_H
#define SHELL_WORD_H

struct buffer;

/** Append ${text} as one word of a POSIX shell: as it is, or in single quotes where it has to be.
 * Return 0 or -1 as buffer_append. */
int shell_word_write(struct buffer *, const char *text);

#endif

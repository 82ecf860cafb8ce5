/*
 * What a command reads: a file, or standard input.
 */
#ifndef INPUT_H
#define INPUT_H

struct buffer;

/** Append the file's bytes, up to the buffer's limit; NULL or "-": standard input.  Return 0, or
 * -1, which was said. */
int input_read(const char *name, struct buffer *text);

/** What to call it in messages. */
const char *input_name(const char *name);

#endif

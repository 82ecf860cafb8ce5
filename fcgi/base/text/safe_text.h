/*
 * What a remote wrote, on its way to where a character can do more than show: a terminal, a line of
 * the log, a header.
 */
#ifndef SAFE_TEXT_H
#define SAFE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

/**
 * Append ${length} bytes of ${text} so that each character shows and none acts: control characters
 * (also those beyond ASCII), separators of lines and paragraphs, and marks of the writing direction
 * become \uXXXX, bytes that are not UTF-8 become U+FFFD.  Return 0 or -1 as buffer_append.
 */
int safe_text_write(struct buffer *, const char *text, size_t length);

/** The same with JSON text, which stays equal JSON; its white space between values is kept. */
int safe_text_write_json(struct buffer *, const char *text, size_t length);

/** Would safe_text_write leave it as it is? */
bool safe_text_is_plain(const char *text);

/** How much of ${length} bytes, at most ${most}, ends with a whole character. */
size_t safe_text_cut(const char *text, size_t length, size_t most);

/** Can it be the value of a header: has it no control character but tabs? */
bool safe_text_is_header(const char *value);

#endif

/*
 * What claude-proxy-admin says.  Names of models and words of upstreams come from anybody: nothing
 * that is printed here steers the terminal or forges a line, whatever it was.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

struct buffer;

/**
 * Print as printf does; what %s puts in shows, and none of it acts (base/safe_text.h), and a column
 * is as wide as its characters are many.  Knows %s %c %d %zu %lld %%, with a width.
 */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Print the JSON text and a line break; null, if an append to it failed. */
void print_json(const struct buffer *json);

/** The same with the elements of an array. */
void print_json_array(const struct buffer *elements);

/** The escape sequences around a heading, for fputs; "" where the output is no terminal, or
 * NO_COLOR is set. */
const char *print_bold(void);
const char *print_plain(void);

/** Say on standard error what should be known, `claude-proxy-admin: …`. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

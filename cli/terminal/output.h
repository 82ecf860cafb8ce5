/*
 * What claude-proxy-admin prints and reports.  Model names and upstreams' words can come from
 * anybody: nothing that is printed here steers the terminal or forges a line.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stddef.h>

struct buffer;

/**
 * Print as printf does, except that control characters in a %s are shown and have no effect
 * (base/text/safe_text.h), and that a width counts characters.  Knows %s %c %d %zu %lld %%.
 */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** How many characters a line of the terminal has room for; INT_MAX if it is not a terminal. */
int output_columns(void);

/** How many characters wide a %s prints the text. */
int print_width(const char *text);

/** Print the text as a %s in a column of ${width} characters: filled, or cut with an ellipsis. */
void print_cut(int width, const char *text);

/**
 * Print the end of a line, ${text}, which begins in column ${indent}, as a %s.  On a terminal that
 * is too narrow it goes on below, in the same column.  A command to paste is not broken.
 */
void print_paragraph(int indent, const char *text);

/** Print the JSON text and a line break; null, if an append to it failed. */
void print_json(const struct buffer *json);

/** The same with the elements of an array. */
void print_json_array(const struct buffer *elements);

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_GOOD, STYLE_WARNING, STYLE_BAD };

/** Print ${text} in a style.  Only terminals get escape sequences, and none if NO_COLOR is set. */
void print_styled(enum style, const char *text);

/** The escape sequences around bold text, for fputs; "" wherever print_styled has none. */
const char *print_bold(void);
const char *print_plain(void);

/** "" for one, "s" for any other number. */
const char *plural(size_t count);

/** Report on standard error what the user should know, `claude-proxy-admin: …`. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Print a line to standard error as it is, beside the result. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A command of this program that can be pasted into a shell. */
struct hint {
	char text[1024];
};

/** Hints name the program as it was called: by this, which outlives them. */
void output_called_as(const char *program);

/** The program as it was called, with sudo if it was, and the arguments, which end in NULL, quoted
 * for the shell; a placeholder such as `<name>` stays as it is.  Return the text of ${hint}. */
const char *hint(struct hint *hint, ...) __attribute__((sentinel));

/** The command that adds the first upstream: `setup` where there is a terminal, else `add`. */
const char *hint_first_upstream(struct hint *);

/* A hint that lives as long as the block around it. */
#define HINT(...) hint(&(struct hint){{0}}, __VA_ARGS__, (const char *)NULL)

#endif

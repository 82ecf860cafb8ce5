/*
 * What claude-proxy-admin prints and reports; see output.h.
 */
#include "terminal/output.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/text/safe_text.h"
#include "base/text/shell_word.h"
#include "base/text/utf8.h"
#include "command.h"

/* How the program was called, by which hints name it. */
static const char *called_as = "claude-proxy-admin";

/* ---- to standard output ---- */

/* va_list may be an array: a struct can be handed on. */
struct arguments {
	va_list list;
};

static void
pad(struct buffer *out, const struct buffer *text, int width, bool left)
{
	int blanks = width - (int)utf8_count_characters(text->data, text->length);

	if (left)
		buffer_append(out, buffer_text(text), text->length);
	for (; blanks > 0; blanks--)
		buffer_putc(out, ' ');
	if (!left)
		buffer_append(out, buffer_text(text), text->length);
}

/* Append the next argument, whose type the letters at ${type} give.  Return what follows
 * them. */
static const char *
put_argument(struct buffer *text, const char *type, struct arguments *arguments)
{
	if (*type == 's') {
		const char *value = va_arg(arguments->list, const char *);
		value = value != NULL ? value : "";
		safe_text_write(text, value, strlen(value));
		return type + 1;
	}
	if (*type == 'c') {
		buffer_putc(text, (char)va_arg(arguments->list, int));
		return type + 1;
	}
	if (*type == 'd') {
		buffer_printf(text, "%d", va_arg(arguments->list, int));
		return type + 1;
	}
	if (strncmp(type, "zu", 2) == 0) {
		buffer_printf(text, "%zu", va_arg(arguments->list, size_t));
		return type + 2;
	}
	if (strncmp(type, "lld", 3) == 0) {
		buffer_printf(text, "%lld", va_arg(arguments->list, long long));
		return type + 3;
	}
	abort(); /* a format of ours that this does not know */
}

/* Append what the conversion after a percent sign stands for.  Return what follows it. */
static const char *
put_conversion(struct buffer *out, const char *at, struct arguments *arguments)
{
	struct buffer text = BUFFER_INIT(0);
	bool left = *at == '-';
	int width = 0;

	if (*at == '%') {
		buffer_putc(out, '%');
		return at + 1;
	}
	at += left;
	if (*at == '*') {
		width = va_arg(arguments->list, int);
		at++;
	}
	for (; *at >= '0' && *at <= '9'; at++)
		width = width * 10 + (*at - '0');
	at = put_argument(&text, at, arguments);
	pad(out, &text, width, left);
	buffer_free(&text);
	return at;
}

void
print(const char *format, ...)
{
	struct buffer out = BUFFER_INIT(0);
	struct arguments arguments;

	va_start(arguments.list, format);
	while (*format != '\0') {
		size_t plain = strcspn(format, "%");
		buffer_append(&out, format, plain);
		format += plain;
		if (*format == '%')
			format = put_conversion(&out, format + 1, &arguments);
	}
	va_end(arguments.list);
	fwrite(buffer_text(&out), 1, out.length, stdout);
	buffer_free(&out);
}

/* ---- lines that fit ---- */

/* In less room than this, text is not wrapped. */
enum { NARROWEST = 24 };

int
output_columns(void)
{
	struct winsize size;
	bool known = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;

	return known && size.ws_col > 0 ? size.ws_col : INT_MAX;
}

int
print_width(const char *text)
{
	struct buffer safe = BUFFER_INIT(0);

	safe_text_write(&safe, text, strlen(text));
	int width = (int)utf8_count_characters(buffer_text(&safe), safe.length);
	buffer_free(&safe);
	return width;
}

void
print_cut(int width, const char *text)
{
	struct buffer safe = BUFFER_INIT(0);
	size_t end = 0;

	safe_text_write(&safe, text, strlen(text));
	const char *whole = buffer_text(&safe);
	if ((int)utf8_count_characters(whole, safe.length) <= width) {
		print("%-*s", width, text);
	} else {
		while ((int)utf8_count_characters(whole, end + 1) < width)
			end++;
		fwrite(whole, end, 1, stdout);
		fputs("…", stdout);
	}
	buffer_free(&safe);
}

/* The bytes at ${text} that stay together: a word, or a command to paste and what follows. */
static size_t
unbroken(const char *text)
{
	static const char *const others[] = {"sudo ", "chmod "};
	size_t name = strlen(called_as);

	if (strncmp(text, called_as, name) == 0 && text[name] == ' ')
		return strlen(text);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strncmp(text, others[i], strlen(others[i])) == 0)
			return strlen(text);
	return strcspn(text, " ");
}

static void
put_in_lines(const char *text, int indent, int room)
{
	int used = 0;

	while (*text != '\0') {
		size_t length = unbroken(text);
		int width = (int)utf8_count_characters(text, length);
		if (used > 0 && used + 1 + width > room) {
			printf("\n%*s", indent, "");
			used = 0;
		} else if (used > 0) {
			putchar(' ');
			used++;
		}
		fwrite(text, length, 1, stdout);
		used += width;
		text += length;
		text += strspn(text, " ");
	}
}

void
print_paragraph(int indent, const char *text)
{
	int columns = output_columns();
	struct buffer safe = BUFFER_INIT(0);

	safe_text_write(&safe, text, strlen(text));
	if (columns == INT_MAX || columns < indent + NARROWEST)
		fputs(buffer_text(&safe), stdout);
	else
		put_in_lines(buffer_text(&safe), indent, columns - indent);
	putchar('\n');
	buffer_free(&safe);
}

/* ---- JSON ---- */

void
print_json(const struct buffer *json)
{
	struct buffer out = BUFFER_INIT(0);

	if (!json->failed)
		safe_text_write_json(&out, buffer_text(json), json->length);
	puts(json->failed || out.failed ? "null" : buffer_text(&out));
	buffer_free(&out);
}

void
print_json_array(const struct buffer *elements)
{
	struct buffer array = BUFFER_INIT(0);

	buffer_putc(&array, '[');
	buffer_append(&array, buffer_text(elements), elements->length);
	buffer_putc(&array, ']');
	array.failed = array.failed || elements->failed;
	print_json(&array);
	buffer_free(&array);
}

/* ---- styles ---- */

/* Does the user want to see colours, and can the terminal show them? */
static bool
has_styles(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return (no_color == NULL || no_color[0] == '\0') && isatty(STDOUT_FILENO) &&
	       (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

static const char *
sequence_of(enum style style)
{
	static const char *const sequences[] = {
		[STYLE_PLAIN] = "\033[0m",
		[STYLE_BOLD] = "\033[1m",
		[STYLE_GOOD] = "\033[32m",
		[STYLE_WARNING] = "\033[33m",
		[STYLE_BAD] = "\033[31m",
	};

	return has_styles() ? sequences[style] : "";
}

void
print_styled(enum style style, const char *text)
{
	fputs(style != STYLE_PLAIN ? sequence_of(style) : "", stdout);
	print("%s", text);
	fputs(style != STYLE_PLAIN ? sequence_of(STYLE_PLAIN) : "", stdout);
}

const char *
print_bold(void)
{
	return sequence_of(STYLE_BOLD);
}

const char *
print_plain(void)
{
	return sequence_of(STYLE_PLAIN);
}

const char *
plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* ---- commands to paste ---- */

void
output_called_as(const char *name)
{
	called_as = name != NULL ? name : called_as;
}

/* Is it a word such as <name>, or an ellipsis, for the reader to replace? */
static bool
is_placeholder(const char *word)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ|";
	size_t length = strspn(word + (word[0] == '<'), letters);

	return strcmp(word, "…") == 0 ||
	       (word[0] == '<' && length > 0 && strcmp(word + 1 + length, ">") == 0);
}

const char *
hint(struct hint *h, ...)
{
	struct buffer out = BUFFER_INIT(sizeof(h->text) - 1);
	const char *argument;
	va_list arguments;

	/* Called through sudo, the next command needs it, too. */
	if (getenv("SUDO_USER") != NULL)
		buffer_puts(&out, "sudo ");
	shell_word_write(&out, called_as);
	va_start(arguments, h);
	while ((argument = va_arg(arguments, const char *)) != NULL) {
		buffer_putc(&out, ' ');
		if (is_placeholder(argument))
			buffer_puts(&out, argument);
		else
			shell_word_write(&out, argument);
	}
	va_end(arguments);
	memcpy(h->text, buffer_text(&out), out.length + 1);
	buffer_free(&out);
	return h->text;
}

const char *
hint_first_upstream(struct hint *h)
{
	return isatty(STDIN_FILENO)
		       ? hint(h, "setup", (const char *)NULL)
		       : hint(h, "add", "<name>", "<baseUrl>", "<serviceType>", (const char *)NULL);
}

/* ---- to standard error ---- */

static const char program[] = "claude-proxy-admin: ";

static void __attribute__((format(printf, 2, 0)))
say(const char *who, const char *format, va_list arguments)
{
	struct buffer out = BUFFER_INIT(0);
	char *message = NULL;

	if (vasprintf(&message, format, arguments) >= 0)
		safe_text_write(&out, message, strlen(message));
	fprintf(stderr, "%s%s\n", who, buffer_text(&out));
	buffer_free(&out);
	free(message);
}

void
tell(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("", format, arguments);
	va_end(arguments);
}

void
note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(program, format, arguments);
	va_end(arguments);
}

int
fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(program, format, arguments);
	va_end(arguments);
	return EXIT_FAILED;
}

int
misuse(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(program, format, arguments);
	va_end(arguments);
	return EXIT_USAGE;
}

/*
 * The log; see log.h.
 */
#include "base/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json/json_writer.h"
#include "base/log/log_writer.h"
#include "base/text/safe_text.h"

/* Bytes of the texts of one line, before they are escaped: a body, and what stands beside it. */
enum { MOST_TEXT = (1 << 20) + (16 << 10) };

/* ms at the end of the process, for lines that nobody reads */
enum { STOP_PATIENCE = 1000 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static atomic_int current_level = LOG_INFO;
static atomic_bool as_json = false;

/* A line in the making.  Its texts are cut, never the line itself. */
struct line {
	struct buffer out;
	size_t room; /* bytes of text that it may still take */
};

/* How much of the text the line takes. */
static size_t
take_room(struct line *line, const char *text)
{
	size_t length = safe_text_cut(text, strlen(text), line->room);

	line->room -= length;
	return length;
}

static void
put_number(struct line *line, int64_t number)
{
	if (number < 0)
		buffer_putc(&line->out, '-');
	buffer_put_uint(&line->out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void
put_json_text(struct line *line, const char *text)
{
	json_write_string(&line->out, text, take_room(line, text));
}

/* A value of a text line; quoted where a reader could not tell its end. */
static void
put_text_value(struct line *line, const char *text)
{
	bool plain = text[0] != '\0';

	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == '"' || *c == '=' || *c == '\\')
			plain = false;
	if (plain)
		buffer_append(&line->out, text, take_room(line, text));
	else
		put_json_text(line, text);
}

static void
put_json_line(struct line *line, enum log_level level, const char *message,
	const struct log_field *fields, size_t count)
{
	struct buffer *out = &line->out;

	buffer_puts(out, "{\"time\":\"");
	clock_write_timestamp(out);
	buffer_puts(out, "\",\"level\":");
	json_write_text(out, level_names[level]);
	buffer_puts(out, ",\"message\":");
	put_json_text(line, message);
	for (size_t i = 0; i < count; i++) {
		buffer_putc(out, ',');
		json_write_text(out, fields[i].name);
		buffer_putc(out, ':');
		if (fields[i].text != NULL)
			put_json_text(line, fields[i].text);
		else
			put_number(line, fields[i].number);
	}
	buffer_puts(out, "}\n");
}

static void
put_text_line(struct line *line, enum log_level level, const char *message,
	const struct log_field *fields, size_t count)
{
	struct buffer *out = &line->out;

	clock_write_timestamp(out);
	buffer_putc(out, ' ');
	buffer_puts(out, level_names[level]);
	buffer_putc(out, ' ');
	safe_text_write(out, message, take_room(line, message));
	for (size_t i = 0; i < count; i++) {
		buffer_putc(out, ' ');
		buffer_puts(out, fields[i].name);
		buffer_putc(out, '=');
		if (fields[i].text != NULL)
			put_text_value(line, fields[i].text);
		else
			put_number(line, fields[i].number);
	}
	buffer_putc(out, '\n');
}

/* Append a line.  What a remote sent is escaped, so that it forges no line, and steers no terminal
 * that shows it. */
static void
write_line(struct buffer *out, enum log_level level, const char *message,
	const struct log_field *fields, size_t count)
{
	struct line line = {.out = BUFFER_INIT(0), .room = MOST_TEXT};

	if (atomic_load_explicit(&as_json, memory_order_relaxed))
		put_json_line(&line, level, message, fields, count);
	else
		put_text_line(&line, level, message, fields, count);
	if (line.out.failed)
		out->failed = true;
	/* The white space and control characters of ASCII are escaped already, but for the line's
	 * own end. */
	safe_text_write_json(out, buffer_text(&line.out), line.out.length);
	buffer_free(&line.out);
}

bool
log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

void
log_line(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	struct buffer line = BUFFER_INIT(0);

	if (!log_enabled(level))
		return;
	write_line(&line, level, message, fields, count);
	if (!line.failed)
		log_writer_put(line.data, line.length);
	buffer_free(&line);
}

static void __attribute__((format(printf, 2, 0)))
log_formatted(enum log_level level, const char *format, va_list arguments)
{
	char *message = NULL;

	if (!log_enabled(level))
		return;
	if (vasprintf(&message, format, arguments) < 0)
		return;
	log_line(level, message, NULL, 0);
	free(message);
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		log_formatted(level, format, arguments);                                           \
		va_end(arguments);                                                                 \
	}

LOG_FUNCTION(log_error, LOG_ERROR)
LOG_FUNCTION(log_warn, LOG_WARN)
LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_debug, LOG_DEBUG)

int
log_open(const struct log_options *options)
{
	int fd = STDERR_FILENO;

	if (options->file != NULL) {
		/* It may be a pipe: nobody waits for its reader. */
		fd = open(options->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
			0640);
		if (fd < 0) {
			log_error("log file %s: %s", options->file, strerror(errno));
			return -1;
		}
	}
	log_writer_use(fd);
	atomic_store(&current_level, (int)options->level);
	atomic_store(&as_json, options->json);
	return 0;
}

static void
tell_lost(struct buffer *line, uint64_t lost)
{
	const struct log_field fields[] = {{"lines", NULL, (int64_t)lost}};

	write_line(
		line, LOG_WARN, "lines of the log were lost: they could not be written", fields, 1);
}

void
log_run_apart(void)
{
	if (log_writer_start(tell_lost) != 0)
		log_error("could not start the thread of the log: requests will wait for the log");
}

void
log_close(void)
{
	log_writer_stop(STOP_PATIENCE);
	log_writer_use(STDERR_FILENO);
}

/*
 * The log; see log.h.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"

enum { MAX_LINE = 1 << 20 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* The process has one log; the descriptor changes only under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int descriptor = STDERR_FILENO;
static atomic_int current_level = LOG_INFO;
static atomic_bool as_json = false;

static void
write_line(const struct buffer *line)
{
	size_t done = 0;

	pthread_mutex_lock(&lock);
	while (done < line->length) {
		ssize_t n = write(descriptor, line->data + done, line->length - done);
		if (n < 0 && errno != EINTR)
			break; /* A full disk must not stop the service. */
		if (n > 0)
			done += (size_t)n;
	}
	pthread_mutex_unlock(&lock);
}

static void
put_number(struct buffer *line, int64_t number)
{
	if (number < 0)
		buffer_putc(line, '-');
	buffer_put_uint(line, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* A value of a text line; quoted where a reader could not tell its end, and never with a line
 * break. */
static void
put_text_value(struct buffer *line, const char *text)
{
	bool plain = text[0] != '\0';

	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == '"' || *c == '=' || *c == '\\')
			plain = false;
	if (plain)
		buffer_puts(line, text);
	else
		json_write_text(line, text);
}

/* A message may hold what a remote sent: line breaks and control characters would forge lines. */
static void
put_message(struct buffer *line, const char *message)
{
	for (const char *c = message; *c != '\0'; c++)
		buffer_putc(line, (unsigned char)*c < ' ' || *c == 127 ? ' ' : *c);
}

static void
put_json_line(struct buffer *line, enum log_level level, const char *message,
	const struct log_field *fields, size_t count)
{
	buffer_puts(line, "{\"time\":\"");
	clock_write_timestamp(line);
	buffer_puts(line, "\",\"level\":");
	json_write_text(line, level_names[level]);
	buffer_puts(line, ",\"message\":");
	json_write_text(line, message);
	for (size_t i = 0; i < count; i++) {
		buffer_putc(line, ',');
		json_write_text(line, fields[i].name);
		buffer_putc(line, ':');
		if (fields[i].text != NULL)
			json_write_text(line, fields[i].text);
		else
			put_number(line, fields[i].number);
	}
	buffer_puts(line, "}\n");
}

static void
put_text_line(struct buffer *line, enum log_level level, const char *message,
	const struct log_field *fields, size_t count)
{
	clock_write_timestamp(line);
	buffer_putc(line, ' ');
	buffer_puts(line, level_names[level]);
	buffer_putc(line, ' ');
	put_message(line, message);
	for (size_t i = 0; i < count; i++) {
		buffer_putc(line, ' ');
		buffer_puts(line, fields[i].name);
		buffer_putc(line, '=');
		if (fields[i].text != NULL)
			put_text_value(line, fields[i].text);
		else
			put_number(line, fields[i].number);
	}
	buffer_putc(line, '\n');
}

bool
log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

void
log_line(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	struct buffer line = BUFFER_INIT(MAX_LINE);

	if (!log_enabled(level))
		return;
	if (atomic_load_explicit(&as_json, memory_order_relaxed))
		put_json_line(&line, level, message, fields, count);
	else
		put_text_line(&line, level, message, fields, count);
	write_line(&line);
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

static void
use_descriptor(int fd)
{
	pthread_mutex_lock(&lock);
	int old = descriptor;
	descriptor = fd;
	pthread_mutex_unlock(&lock);
	if (old != STDERR_FILENO)
		close(old);
}

int
log_open(const struct log_options *options)
{
	int fd = STDERR_FILENO;

	if (options->file != NULL) {
		fd = open(options->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fd < 0) {
			log_error("log file %s: %s", options->file, strerror(errno));
			return -1;
		}
	}
	use_descriptor(fd);
	atomic_store(&current_level, (int)options->level);
	atomic_store(&as_json, options->json);
	return 0;
}

void
log_close(void)
{
	use_descriptor(STDERR_FILENO);
}

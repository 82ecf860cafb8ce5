/*
 * The log: one line an event, to standard error or a file, as text or as JSON (SPEC §3).
 *
 * Lines of several threads and processes do not mix.  A line always ends in its line break and is
 * bounded; what a remote sent cannot forge another, nor steer a terminal.  Nothing here knows
 * secrets: callers mask (base/secret.h) before they log.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_options {
	enum log_level level; /* lines above it are not written */
	bool json;            /* one JSON object a line */
	const char *file;     /* append here; NULL for standard error */
};

/** A named value of a line: ${text}, or ${number} when ${text} is NULL. */
struct log_field {
	const char *name;
	const char *text;
	int64_t number;
};

/**
 * Write from now on as ${options} say; a file is opened anew, which is what a rotated log needs.
 * Return 0, or -1 if the file cannot be opened: reported once on the log as it was, which then
 * stays.
 */
int log_open(const struct log_options *options);

/** Would a line of this level be written? */
bool log_enabled(enum log_level level);

/** Write a line: ${message} and then the fields, `name=value` or members of the object. */
void
log_line(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/** Write a line without fields; the message is made as printf does. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * From now on a thread writes the log, and nobody waits for it.  Lines that it cannot write in time
 * are lost, and it logs how many once others can be written.
 */
void log_run_apart(void);

/** Write out what is kept, within a second, and go back to standard error. */
void log_close(void);

#endif

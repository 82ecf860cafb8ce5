/*
 * Bodies on the log, for ENABLE_REQUEST_LOGS and ENABLE_RESPONSE_LOGS (SPEC §3).
 */
#ifndef LOG_BODY_H
#define LOG_BODY_H

#include <stddef.h>

struct settings;

/**
 * Log a body of ${length} bytes, of which ${text} holds at least the first LOG_BODY_LIMIT + 1 or
 * all: cut, and without ${secrets} (those of the upstream, a list that ends in NULL; may be NULL),
 * the access key or anything like a key.
 */
void log_body(const char *what, const char *request_id, const char *text, size_t length,
	const char *const *secrets, const struct settings *);

#endif

/*
 * What may be told of a URL.  Its query may contain a key, and its path an account: only its owner
 * sees more than scheme, host and port.
 */
#ifndef URL_H
#define URL_H

#include <stddef.h>

struct buffer;

/** Append the part of ${url} that some people may see.  Return 0, or -1 as buffer_append. */
typedef int url_writer(struct buffer *, const char *url);

/** Scheme, host and port: for clients, logs and reports. */
url_writer url_write_origin;

/** All of it but the values of its query and a user's name and password, which are masked: for its
 * owner. */
url_writer url_write_masked;

/** Call ${take} with each value of its query, as it is written there. */
void url_each_query_value(const char *url,
	void (*take)(void *context, const char *value, size_t length), void *context);

#endif

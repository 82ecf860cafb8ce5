/*
 * The head of a response, and whole small responses, as a web server takes them from FastCGI and
 * CGI.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stddef.h>

struct api_error;
struct buffer;

/** Append the line that tells the status: the first of a head.  Return 0 or -1. */
int response_write_status(struct buffer *, int status);

/**
 * Append the head: the status, `request-id`, the content type and ${extra} (whole lines, each with
 * its CRLF; may be NULL), and the empty line.  Return 0 or -1.
 */
int response_write_head(struct buffer *, int status, const char *request_id,
	const char *content_type, const char *extra);

/** Append the head of an event stream (PROTOCOL.md §D.1), ${extra} as above. */
int response_write_stream_head(struct buffer *, const char *request_id, const char *extra);

/** Append a whole response with a JSON body of ${length} bytes. */
int response_write_json(struct buffer *, int status, const char *request_id, const char *body,
	size_t length, const char *extra);

/** Append a whole response that tells the error; with `retry-after` where the error has one, and
 * with `x-should-retry: false` where it lasts. */
int response_write_error(
	struct buffer *, const struct api_error *, const char *request_id, const char *extra);

#endif

/*
 * What a kind of web request (FastCGI, CGI) implements; see web_request.h for what each function
 * does.
 */
#ifndef WEB_REQUEST_KIND_H
#define WEB_REQUEST_KIND_H

#include "base/buffer.h"
#include "http/web_request.h"

enum { NOTHING_YET = -2 };

struct web_request_kind {
	const char *(*parameter)(const struct web_request *, const char *name);
	char *const *(*parameters)(const struct web_request *);
	/** Read up to ${size} bytes of the body; 0: the end; NOTHING_YET; -1: nothing more will
	 * come.
	 */
	ssize_t (*read)(struct web_request *, char *data, size_t size);
	int (*input)(const struct web_request *);
	ssize_t (*write)(struct web_request *, const char *data, size_t length, bool last);
	int (*descriptor)(const struct web_request *);
	bool (*is_gone)(struct web_request *);
	bool (*end)(struct web_request *);
	void (*free)(struct web_request *);
	bool tells_by_reading;
};

/* The first member of every kind's own struct. */
struct web_request {
	const struct web_request_kind *kind;
	struct buffer body;
	size_t received;              /* bytes of it */
	bool too_large;               /* it is, and what comes is thrown away */
	enum web_request_read result; /* of web_request_receive */
};

/** Make room for the body that the head announces, up to some megabytes.  Return 0, or -1: there is
 * no memory. */
int web_request_expect_body(struct web_request *);

#endif

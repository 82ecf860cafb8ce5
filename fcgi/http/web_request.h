/*
 * One web request as the web server hands it over: its parameters, its body, and the way back.
 * FastCGI and CGI stand behind the same functions.
 *
 * One thread at a time owns a gateway.  Reading blocks, for a bounded time; writing never does.
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct buffer;
struct gateway;

enum gateway_read {
	GATEWAY_READ,      /* the whole body is there */
	GATEWAY_TOO_LARGE, /* it is larger than allowed; the rest was read and thrown away */
	GATEWAY_BROKEN,    /* it stopped coming */
	GATEWAY_NO_MEMORY,
};

/**
 * Wait for the next FastCGI request on the listening socket that is standard input, and accept it.
 * NULL: none came; errno says why (EINTR: a signal).  For any number of threads.
 */
struct gateway *gateway_accept(void);

/** The one request of a CGI program: environment, standard input, standard output.  NULL: no
 * memory. */
struct gateway *gateway_cgi(void);

/** A CGI meta-variable such as "REQUEST_METHOD", or NULL.  Valid as long as the gateway. */
const char *gateway_parameter(const struct gateway *, const char *name);

/** The same, "" where there is none. */
const char *gateway_text(const struct gateway *, const char *name);

/** All meta-variables, each as "NAME=value", up to a NULL; valid as long as the gateway. */
char *const *gateway_parameters(const struct gateway *);

/** Append the request's body, of at most ${limit} bytes, to ${body}. */
enum gateway_read gateway_read_body(struct gateway *, size_t limit, struct buffer *body);

/**
 * Write as much as can be written at once; with ${last}, end the response behind these bytes if all
 * of them go.  Return the bytes taken: fewer than ${length}, wait until gateway_descriptor is
 * writable; -1: the client or the web server is gone.
 */
ssize_t gateway_write(struct gateway *, const char *data, size_t length, bool last);

/** A descriptor that becomes writable when gateway_write may go on; -1: writing always goes on. */
int gateway_descriptor(const struct gateway *);

/**
 * Does the descriptor become readable when the client goes away?  If not (CGI), only its error
 * condition tells.
 */
bool gateway_tells_by_reading(const struct gateway *);

/** Has the client or the web server gone away?  To be asked when the descriptor became readable. */
bool gateway_is_gone(struct gateway *);

/** End the response, unless gateway_write did.  False: not now, wait until gateway_descriptor is
 * writable. */
bool gateway_end(struct gateway *);

/** Free everything.  A response that was not ended is broken off. */
void gateway_free(struct gateway *);

#endif

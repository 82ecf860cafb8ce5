/*
 * One web request as the web server hands it over: its parameters, its body, and the way back.
 * FastCGI and CGI stand behind the same functions.
 *
 * One thread at a time owns a gateway.  Nothing here waits.
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct buffer;
struct gateway;

enum gateway_read {
	GATEWAY_MORE,      /* the body is not whole */
	GATEWAY_READ,      /* it is */
	GATEWAY_TOO_LARGE, /* it is larger than allowed, and thrown away */
	GATEWAY_BROKEN,    /* the rest will not come */
	GATEWAY_NO_MEMORY,
};

/**
 * The FastCGI request on the connection ${descriptor}, from which ${length} bytes were read: its
 * head of ${head_length} (fcgi_records.h), and what came with it; they are overwritten.  Takes the
 * descriptor.  NULL: that is no request, or there is no memory; the descriptor is still the
 * caller's.
 */
struct gateway *
gateway_fcgi(int descriptor, unsigned char *bytes, size_t head_length, size_t length);

/** The one request of a CGI program: environment, standard input, standard output.  NULL: no
 * memory. */
struct gateway *gateway_cgi(void);

/** A CGI meta-variable such as "REQUEST_METHOD", or NULL.  Valid as long as the gateway. */
const char *gateway_parameter(const struct gateway *, const char *name);

/** The same, "" where there is none. */
const char *gateway_text(const struct gateway *, const char *name);

/** All meta-variables, each as "NAME=value", up to a NULL; valid as long as the gateway. */
char *const *gateway_parameters(const struct gateway *);

/** Has a value that came with the request, or the name of a header, control characters in it?  No
 * web server hands such on. */
bool gateway_has_control_characters(const struct gateway *);

/**
 * Take what has come of the request's body; beyond ${limit} bytes it is thrown away.  With
 * GATEWAY_MORE call again, when gateway_input is readable.
 */
enum gateway_read gateway_receive(struct gateway *, size_t limit);

/** A descriptor that becomes readable when gateway_receive may go on. */
int gateway_input(const struct gateway *);

/** The bytes of the body that have come, those included that were thrown away. */
size_t gateway_received(const struct gateway *);

/** Give away the body, if it is whole, as ${body}, which is empty.  Else say what is wrong with it,
 * or that it is not whole. */
enum gateway_read gateway_take_body(struct gateway *, struct buffer *body);

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

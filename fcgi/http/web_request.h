/*
 * One web request as the web server hands it over: its parameters, its body, and the way back.
 * FastCGI and CGI stand behind the same functions.
 *
 * One thread at a time owns a web request.  Nothing here waits.
 */
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct buffer;
struct web_request;

enum web_request_read {
	WEB_REQUEST_MORE,      /* the body is not whole */
	WEB_REQUEST_READ,      /* it is */
	WEB_REQUEST_TOO_LARGE, /* it is larger than allowed, and thrown away */
	WEB_REQUEST_BROKEN,    /* the rest will not come */
	WEB_REQUEST_NO_MEMORY,
};

/* The way on which heads reach libfcgi.  Each thread has its own, for all its requests. */
struct head_pipe {
	int ends[2]; /* the first is -1 while it is not open */
};

#define HEAD_PIPE_INIT ((struct head_pipe){{-1, -1}})

/** Close it, if it is open.  The next request opens it again. */
void head_pipe_close(struct head_pipe *);

/** To be called for each connection that comes over TCP: web_request_write counts on its buffer. */
void web_request_prepare_tcp(int descriptor);

/**
 * The FastCGI request on the connection ${descriptor}, from which ${length} bytes were read: its
 * head of ${head_length} (fcgi_records.h), and what came with it; they are overwritten.  Takes the
 * descriptor.  NULL: that is no request, or there is no memory; the descriptor is still the
 * caller's.
 */
struct web_request *web_request_fcgi(struct head_pipe *, int descriptor, unsigned char *bytes,
	size_t head_length, size_t length);

/** The one request of a CGI program: environment, standard input, standard output.  NULL: no
 * memory. */
struct web_request *web_request_cgi(void);

/** A CGI meta-variable such as "REQUEST_METHOD", or NULL.  Valid as long as the web request. */
const char *web_request_parameter(const struct web_request *, const char *name);

/** The same, "" where there is none. */
const char *web_request_text(const struct web_request *, const char *name);

/** All meta-variables, each as "NAME=value", up to a NULL; valid as long as the web request. */
char *const *web_request_parameters(const struct web_request *);

/** Has a value that came with the request, or the name of a header, control characters in it?  No
 * web server hands such on. */
bool web_request_has_control_characters(const struct web_request *);

/**
 * Take what has come of the request's body; beyond ${limit} bytes it is thrown away.  With
 * WEB_REQUEST_MORE call again, when web_request_input is readable.
 */
enum web_request_read web_request_receive(struct web_request *, size_t limit);

/** A descriptor that becomes readable when web_request_receive may go on. */
int web_request_input(const struct web_request *);

/** The bytes of the body that have come, those included that were thrown away. */
size_t web_request_received(const struct web_request *);

/** Give away the body, if it is whole, as ${body}, which is empty.  Else say what is wrong with it,
 * or that it is not whole. */
enum web_request_read web_request_take_body(struct web_request *, struct buffer *body);

/**
 * Write as much as can be written at once; with ${last}, end the response behind these bytes if all
 * of them go.  Return the bytes taken: fewer than ${length}, wait until web_request_descriptor is
 * writable; -1: the client or the web server is gone.
 */
ssize_t web_request_write(struct web_request *, const char *data, size_t length, bool last);

/** A descriptor that becomes writable when web_request_write may go on; -1: writing always goes on.
 */
int web_request_descriptor(const struct web_request *);

/**
 * Does the descriptor become readable when the client goes away?  If not (CGI), only its error
 * condition tells.
 */
bool web_request_tells_by_reading(const struct web_request *);

/** Has the client or the web server gone away?  To be asked when the descriptor became readable. */
bool web_request_is_gone(struct web_request *);

/** End the response, unless web_request_write did.  False: not now, wait until
 * web_request_descriptor is writable. */
bool web_request_end(struct web_request *);

/** Free everything.  A response that was not ended is broken off. */
void web_request_free(struct web_request *);

#endif

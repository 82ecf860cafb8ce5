/*
 * What becomes of a web request first: route, access, limits, and its body.  What can be answered
 * at once is; a message becomes an exchange for the loop.  Runs on acceptor threads.
 *
 * Everything that the head tells is decided before the body is read.  The body of a refused request
 * is still waited for, for a while: some web servers lose an answer that comes before the end of
 * the request, even of one without a body (Apache's mod_proxy_fcgi makes it a 503).
 */
#ifndef FRONT_H
#define FRONT_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct exchange;
struct exchanges;
struct web_request;
struct settings;
struct visit;

/**
 * Begin to serve the request by ${settings} and ${config} (NULL: it cannot be read).  Takes the
 * web request.  ${uptime} in ms; -1: as CGI, where a process lives for one request.  NULL: there is
 * no memory, and the response was broken off.
 */
struct visit *front_begin(struct exchanges *, struct web_request *, struct settings *,
	struct config *, int64_t uptime);

/**
 * Take what has come of the body, and wait at most ${patience} ms for the rest.  True: go on with
 * front_end.  False: call it again when front_input is readable, or front_deadline (of
 * clock_monotonic_ms) has come.
 */
bool front_receive(struct visit *, int64_t patience);
int front_input(const struct visit *);
int64_t front_deadline(const struct visit *);

/** Is the body wanted?  That of a refused request is only waited for while there is room. */
bool front_is_wanted(const struct visit *);

/** Answer, and free the visit.  Return an exchange for exchange_run on the loop's thread, or NULL
 * when the request has been answered. */
struct exchange *front_end(struct visit *);

#endif

/*
 * Taking in a web request: endpoint, access, limits, and its body.  What can be answered at once
 * is; a request for an upstream becomes an exchange for the loop.  Runs on acceptor threads.
 *
 * Everything that the head decides is decided before the body is read.  The body of a refused
 * request is still waited for, for a while: some web servers lose an answer that comes before the
 * end of the request, even of one without a body (Apache's mod_proxy_fcgi makes it a 503).
 */
#ifndef INTAKE_H
#define INTAKE_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct exchange;
struct exchanges;
struct web_request;
struct settings;
struct intake;

/**
 * Begin to serve the request by ${settings} and ${config} (NULL: it cannot be read).  Takes the
 * web request.  ${uptime} in ms; -1: as CGI, where a process lives for one request.  NULL if memory
 * ran out, and the response was broken off.
 */
struct intake *intake_begin(struct exchanges *, struct web_request *, struct settings *,
	struct config *, int64_t uptime);

/**
 * Take what has come of the body, and wait at most ${patience} ms for the rest.  True: go on with
 * intake_end.  False: call it again when intake_input is readable, or intake_deadline (of
 * clock_monotonic_ms) has come.
 */
bool intake_receive(struct intake *, int64_t patience);
int intake_input(const struct intake *);
int64_t intake_deadline(const struct intake *);

/** Is the body wanted?  That of a refused request is only waited for while there is room. */
bool intake_is_wanted(const struct intake *);

/** Answer, and free the intake.  Return an exchange for exchange_run on the loop's thread, or NULL
 * when the request has been answered. */
struct exchange *intake_end(struct intake *);

#endif

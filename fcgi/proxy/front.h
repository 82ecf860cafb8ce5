/*
 * What becomes of a web request first: route, access, limits.  What can be answered at once is; a
 * message becomes an exchange for the loop.  Runs on acceptor threads.
 */
#ifndef FRONT_H
#define FRONT_H

#include <stdint.h>

struct config;
struct exchange;
struct exchanges;
struct gateway;
struct settings;

/**
 * Serve the request by ${settings} and ${config} (NULL: it cannot be read).  Takes the gateway.
 * ${uptime} in ms; -1: as CGI, where a process lives for one request.  Return an exchange for
 * exchange_run on the loop's thread, or NULL when the request has been answered.
 */
struct exchange *front_serve(
	struct exchanges *, struct gateway *, struct settings *, struct config *, int64_t uptime);

#endif

/*
 * What the program tells of itself: the front page for people; in JSON its health, the effect of a
 * reload, and everything for developers (SPEC §4).
 */
#ifndef PAGES_H
#define PAGES_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;
struct config;
struct settings;

/** Append the front page, plain text on one screen.  ${base_url} is where the client reached it. */
void status_write_front_page(struct buffer *, const char *base_url);

/**
 * Append the health report as JSON.  ${config} may be NULL; ${readable}: the database can be read.
 * ${uptime} in ms.  Return the HTTP status: 200, or 503 when no upstream with a key is usable or
 * the database cannot be read.
 */
int status_write_health(struct buffer *, const struct config *, bool readable,
	const struct settings *, int64_t uptime);

/** Append what is in force after a reload: the settings, secrets masked, and the configuration in
 * short. */
void status_write_reload(struct buffer *, const struct config *, const struct settings *);

/* Lent. */
struct dev_info {
	const struct settings *settings;
	const struct config *config; /* NULL: it cannot be read */
	bool is_cgi;
	int64_t uptime;    /* ms */
	int64_t in_flight; /* in all processes */
	int64_t now;       /* ms since 1970 */
};

/** Append version, process, settings and configuration, secrets masked: GET /admin/dev/info. */
void status_write_dev_info(struct buffer *, const struct dev_info *);

#endif

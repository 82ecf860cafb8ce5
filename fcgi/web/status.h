/*
 * What the program says of itself: health (SPEC §4).
 */
#ifndef STATUS_H
#define STATUS_H

#include <stdint.h>

struct buffer;
struct settings;
struct store;

/**
 * Append the health report as JSON.  ${uptime} in ms.  Return the HTTP status: 200, or 503 when no
 * upstream with a key is usable or the database cannot be read.
 */
int status_write_health(struct buffer *, struct store *, const struct settings *, int64_t uptime);

#endif

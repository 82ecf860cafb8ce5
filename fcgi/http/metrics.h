/*
 * GET /metrics: what the service has done and is doing, in the Prometheus text format 0.0.4 (SPEC
 * §4).
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdint.h>

struct buffer;
struct config;
struct totals;

extern const char metrics_content_type[];

/* Lent. */
struct metrics {
	const struct totals *totals;
	const struct config *config; /* NULL: it cannot be read */
	int64_t in_flight;           /* in all processes */
	int64_t uptime;              /* ms */
	int64_t now;                 /* ms since 1970 */
};

/** Append the report. */
void metrics_write(struct buffer *, const struct metrics *);

#endif

/*
 * Usage: one row for each finished request to an upstream (SPEC §7 `usage`).
 */
#ifndef USAGE_H
#define USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* One finished request. */
struct usage_record {
	int64_t finished;     /* ms since 1970 */
	const char *upstream; /* its name */
	int64_t key_id;       /* 0: none was used */
	const char *model;    /* that the upstream was asked for */
	int status;           /* told to the client */
	uint64_t input_tokens;
	uint64_t output_tokens;
	uint64_t cache_read_input_tokens;
	uint64_t cache_creation_input_tokens;
	int64_t first_byte; /* ms; -1: none */
	int64_t duration;   /* ms */
};

/**
 * Write ${count} records in one transaction, and forget those that finished before
 * ${forget_before} (ms since 1970; 0: none).  Blocks while others write: not for the loop.
 */
enum store_result store_record_usage(
	struct store *, const struct usage_record *, size_t count, int64_t forget_before);

enum usage_group { USAGE_BY_UPSTREAM, USAGE_BY_KEY, USAGE_BY_MODEL, USAGE_BY_DAY };

/* What the requests of one group amount to. */
struct usage_total {
	const char *name; /* upstream, model, day as "2026-01-31", or upstream and masked key */
	int64_t requests;
	int64_t errors; /* those that ended with a status of 400 or more */
	int64_t input_tokens;
	int64_t output_tokens;
	int64_t cache_read_input_tokens;
	int64_t cache_creation_input_tokens;
	/* Of the requests without error, in ms: the average, and what 95 % of them did not exceed.
	 */
	double first_byte;
	double duration;
	int64_t first_byte_95;
	int64_t duration_95;
};

/** "upstream", "key", "model", "day"; and back: 0, or -1 for an unknown name. */
const char *usage_group_name(enum usage_group);
int usage_group_parse(const char *name, enum usage_group *);

/**
 * Call ${take} for each group of the requests that finished at ${since} (ms since 1970) or later:
 * the busiest first, days in their order.  What it is given is valid during the call.
 */
enum store_result store_report_usage(struct store *, int64_t since, enum usage_group,
	void (*take)(void *context, const struct usage_total *), void *context);

#endif

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

#endif

/*
 * Usage: one row for each finished request to an upstream (SPEC §7 `usage`).
 */
#ifndef USAGE_H
#define USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct totals;

/* What was requested.  A request that was refused before it was read counts as a message. */
enum request_kind {
	REQUEST_MESSAGE, /* answered whole */
	REQUEST_STREAM,
	REQUEST_COUNT_TOKENS,
	REQUEST_MODELS,
	REQUEST_OTHER,
};

/** "message", "stream" and so on; and back: 0, or -1 for an unknown name. */
const char *request_kind_name(enum request_kind);
int request_kind_parse(const char *name, enum request_kind *);

/* One finished request. */
struct usage_row {
	enum request_kind kind;
	int64_t finished;      /* ms since 1970 */
	const char *upstream;  /* its name; "": none was chosen */
	int64_t key_id;        /* 0: none was used */
	const char *model;     /* that was requested from the upstream */
	int status;            /* sent to the client */
	uint64_t input_tokens; /* plausible (usage_clamp), as the next */
	uint64_t output_tokens;
	uint64_t cache_read_input_tokens;
	uint64_t cache_creation_input_tokens;
	int64_t first_byte; /* ms; -1: none */
	int64_t duration;   /* ms; -1: not measured */
};

/*
 * The most tokens that one request plausibly uses, and the most that they add up to: a million such
 * requests.  Upstreams report anything, for example -1 as 18446744073709551615.
 */
#define USAGE_MOST_TOKENS INT64_C(1000000000000)
#define USAGE_MOST_TOTAL  (1000000 * USAGE_MOST_TOKENS)

/** The tokens that an upstream reported, or 0 if that is not a plausible count. */
uint64_t usage_clamp(uint64_t tokens);

/** The sum, but at most USAGE_MOST_TOTAL: the sum of two such sums does not overflow either. */
uint64_t usage_sum(uint64_t, uint64_t);

/* What a process writes at once. */
struct usage_batch {
	const struct usage_row *rows; /* messages and streams */
	size_t count;
	const struct totals *totals; /* of all requests */
	int64_t process;             /* a random number of its own */
	int64_t in_flight;           /* in this process now */
	int64_t now;                 /* ms since 1970 */
	int64_t forget_before;       /* forget rows that finished before; ms since 1970; 0: none */
};

enum {
	PROCESS_FORGOTTEN =
		30000 /* ms after which a process that says nothing has nothing in flight */
};

/**
 * Write it in one transaction.  Rows that the database refuses for what is in them are lost, which
 * is logged; the others are written all the same.  Blocks while others write: not for the loop.
 */
enum store_result store_record_usage(struct store *, const struct usage_batch *);

enum usage_group { USAGE_BY_UPSTREAM, USAGE_BY_KEY, USAGE_BY_MODEL, USAGE_BY_DAY };

/* What the requests of one group amount to. */
struct usage_total {
	const char *name; /* upstream, model, day as "2026-01-31", or upstream and masked key */
	int64_t requests;
	int64_t errors; /* those that ended with a status of 400 or more */
	/* Tokens, without the implausible counts that older versions stored. */
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

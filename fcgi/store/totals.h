/*
 * Requests in sum since the database was made, by upstream, kind and status: what /metrics shows
 * (SPEC §4).
 */
#ifndef TOTALS_H
#define TOTALS_H

#include <stddef.h>
#include <stdint.h>

#include "store/usage.h"

enum { LATENCY_BUCKETS = 13 };

/** The upper bounds of the buckets in ms; the last has none: INT64_MAX. */
extern const int64_t latency_bounds[LATENCY_BUCKETS];

struct latency {
	uint64_t requests[LATENCY_BUCKETS]; /* in each bucket alone */
	uint64_t duration[LATENCY_BUCKETS]; /* ms, of all of them */
};

struct request_total {
	char *upstream; /* its name; "": none was chosen */
	enum request_kind kind;
	int status;
	uint64_t requests;
	uint64_t input_tokens;
	uint64_t output_tokens;
	uint64_t cache_read_input_tokens;
	uint64_t cache_creation_input_tokens;
	struct latency first_byte;
	struct latency duration;
};

/* Begin with {0}. */
struct totals {
	struct request_total *rows;
	size_t count;
};

/** Add one finished request.  Return 0, or -1 if memory ran out. */
int totals_add(struct totals *, const struct usage_row *);

/** Add what ${other} has.  What finds no memory is left out. */
void totals_add_all(struct totals *, const struct totals *other);

void totals_free(struct totals *);

/** Read all totals, in order of upstream, kind and status. */
enum store_result store_read_totals(struct store *, struct totals *);

/**
 * Requests in flight in all processes but ${process}, and when the service began (ms since 1970;
 * 0: not known).
 */
enum store_result store_read_service(
	struct store *, int64_t process, int64_t now, int64_t *in_flight, int64_t *began);

#endif

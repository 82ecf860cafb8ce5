/*
 * One web search of the proxy's own (SPEC §5 "Web search"): a transfer on the loop.  Its owner sees
 * to the time that it may take.
 */
#ifndef SEARCH_H
#define SEARCH_H

#include <stdint.h>

#include "upstream/search_result.h"

struct search;
struct search_config;
struct search_sites;
struct settings;
struct transfers;

/* What a search works with; lent until it has ended or was cancelled. */
struct search_job {
	const struct search_config *config;
	const char *query; /* UTF-8 */
	const struct search_sites *sites;
	const char *certificates; /* CA bundle; NULL: the system's */

	/** It is over; ${result}, whose content the callee may take, is gone after the return, as
	 * is the search. */
	void (*done)(void *context, struct search_result *result);
	void *context;
};

/** Begin; ${done} is called later, from the loop.  NULL: nothing could be sent, and ${result} says
 * why. */
struct search *
search_start(struct transfers *, const struct search_job *, struct search_result *result);

/** How long one search may take, in ms. */
int64_t search_patience(const struct settings *);

/** It took too long: ${done} is called now. */
void search_time_out(struct search *);

/** End it now, without a call of ${done}. */
void search_cancel(struct search *);

#endif

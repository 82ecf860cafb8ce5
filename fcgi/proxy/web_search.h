/*
 * The searches that the proxy makes for a model between two of its turns (SPEC §5 "Web search"): of
 * a turn that has ended, each call of the search is made, one after the other, written into the
 * answer as Claude's service would, and added to the conversation for the model's next turn.
 *
 * Everything but the terms belongs to the loop's thread.
 */
#ifndef WEB_SEARCH_H
#define WEB_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "upstream/search.h"
#include "upstream/search_sites.h"

struct claude_writer;
struct client_request;
struct config;
struct transfers;

/* What the client allows. */
struct web_search_terms {
	int64_t most;           /* searches in all */
	bool returns_arguments; /* the service searches, once it gets back what the model asked */
	struct search_sites sites;
};

/** Read them from the tool of a checked request.  Return 0, or -1 if memory ran out; either way
 * free ${sites}. */
int web_search_terms_read(struct web_search_terms *, const struct json *tool);

/* The searches of one request; zero-initialised there are none. */
struct web_search {
	struct client_request *client; /* lent, as the next three; its turns grow */
	struct claude_writer *writer;
	const struct web_search_terms *terms;
	struct transfers *transfers;
	void (*ended)(void *context); /* a search did, and is written: web_search_step is due */
	void *context;

	struct config *config; /* a reference: as it was when the turn ended */
	struct json_document turn;
	const struct json *content; /* the turn's blocks, as the next */
	const struct json *block;   /* the one to look at next */
	struct buffer results;      /* the user's message that answers the turn */
	struct json_writer out;     /* writes it */
	bool calls_client;          /* the turn calls the client's tools, too */
	bool last;                  /* it may search no more, and none follows */

	struct search *search; /* the one under way; NULL: none */
	char *query;           /* of it */
	uint64_t began;        /* ms of the loop's clock */
	int64_t used;          /* searches that were tried, in all turns */
};

enum web_search_state {
	WEB_SEARCH_RUNS,    /* one is under way: ${ended} will be called */
	WEB_SEARCH_GOES_ON, /* the model's next turn is due */
	WEB_SEARCH_ENDED,   /* the answer has ended: the client has tools to run */
	WEB_SEARCH_FAILED,  /* memory, or what is kept of an answer, ran out */
};

/** A turn has ended: begin with its searches, with ${search}'s lent members set.  Return 0, or -1
 * if it cannot be kept. */
int web_search_begin(struct web_search *, struct config *);

/** Make the next one, at ${now}. */
enum web_search_state web_search_step(struct web_search *, uint64_t now);

/** When the one under way takes too long; UINT64_MAX: none is. */
uint64_t web_search_deadline(const struct web_search *);
void web_search_time_out(struct web_search *);

/** End the one under way, and free everything.  May be called again. */
void web_search_free(struct web_search *);

#endif

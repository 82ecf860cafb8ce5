/*
 * Claude's web search as a function, for the search that the proxy makes itself: the request as a
 * client would send it that had such a function and ran it (PROTOCOL.md §B.8).
 */
#ifndef OWN_SEARCH_H
#define OWN_SEARCH_H

struct api_error;
struct buffer;
struct claude_request;

/* Which turn of the model it is. */
enum own_search_turn {
	OWN_SEARCH_FIRST, /* the client's tool_choice counts */
	OWN_SEARCH_NEXT,  /* it was satisfied: the model decides */
	OWN_SEARCH_LAST,  /* nothing may be called any more */
};

/**
 * Append the request, which was checked and has a web search: as it came, but for the function in
 * its place, the choice, and ${turns} at the end of the messages: what the turns before added, each
 * message after a comma.  Return 0 or -1 as buffer_append.
 */
int own_search_write_request(const struct claude_request *, enum own_search_turn,
	const struct buffer *turns, struct buffer *out);

/** The same, parsed and checked into ${own}; ${text} lends it.  Return 0, or -1 and what the client
 * must be told.  Either way free ${own} with claude_request_free, and ${text}. */
int own_search_make_request(const struct claude_request *, enum own_search_turn,
	const struct buffer *turns, struct buffer *text, struct claude_request *own,
	struct api_error *);

#endif

/*
 * What an upstream's refusal of a request asks for: one table says by which words a refusal is
 * known, and what would be right instead.  What is named must be part of the request that was
 * refused; a refusal that no row knows teaches nothing.
 */
#ifndef REFUSALS_H
#define REFUSALS_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

/* A refusal, and the request that it was said of. */
struct refusal_of_request {
	int status;          /* as the client would be told */
	const char *message; /* likewise */
	const char *body;    /* of the refusal, as it came; "": none is kept */
	size_t length;
	const char *sent; /* the body of the request, JSON */
	size_t sent_length;
	const char *const *headers; /* names of those passed on, each followed by its value; ends in
				       NULL */
	bool passes;                /* the answer is passed on as it comes */
	bool bearer;                /* the key was sent as a bearer token */
};

enum refusal_scope {
	REFUSAL_UNKNOWN, /* nothing to learn */
	REFUSAL_ONCE,    /* only about this request: not to be stored */
	REFUSAL_LASTS,
};

/**
 * Find the lesson, or several with line ends between (lesson.h), from ${row} of the table on, which
 * is 0 at first: where it turns out to change nothing, the next call goes on behind it.  Nothing
 * is in ${lesson} where nothing is learned.
 */
enum refusal_scope
refusal_find_lesson(const struct refusal_of_request *, size_t *row, struct buffer *lesson);

/** May there be something to learn from a refusal with this status, as the client would be told? */
bool refusal_may_teach(int status);

#endif

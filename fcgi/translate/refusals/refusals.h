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

/* A refusal, and the request that was refused. */
struct refusal_of_request {
	int status;          /* as the client would be told */
	const char *message; /* likewise */
	const char *body;    /* of the refusal, as it came; "" if none was kept */
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
	REFUSAL_ONCE,    /* only about this request; not to be stored */
	REFUSAL_LASTS,
};

/**
 * Find the lesson (lesson.h), or several with line ends between them, from ${row} of the table on.
 * ${row} is 0 at first, and afterwards the next row to try, for the case that the lesson turns out
 * to change nothing.  ${lesson} is replaced; it is empty if nothing is learned.
 */
enum refusal_scope
refusal_find_lesson(const struct refusal_of_request *, size_t *row, struct buffer *lesson);

/** Can a refusal with this status, as the client would be told, teach anything? */
bool refusal_may_teach(int status);

#endif

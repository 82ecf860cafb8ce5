/*
 * A refusal while it is being understood: its words, and the member of the request that it is
 * about.
 */
#ifndef REFUSAL_READING_H
#define REFUSAL_READING_H

#include <stdbool.h>

#include "base/json/json.h"
#include "translate/refusals/request_member.h"

struct refusal_of_request;

struct reading {
	const struct refusal_of_request *said;
	struct json_document refused; /* the body of the refusal */
	struct json_document asked;   /* that of the request */
	const struct json *refusal;
	char *words;                  /* the message, followed by the codes */
	struct member_search subject; /* the member that the refusal is about */
};

/**
 * Read a refusal and its request, which outlive the reading.  Return 0, or -1 if the request is no
 * JSON object or memory ran out.  reading_end() follows in either case.
 */
int reading_begin(struct reading *, const struct refusal_of_request *);
void reading_end(struct reading *);

/**
 * Find the member that the refusal names, and that may be left out: by `param`, a `loc`, the path
 * at a colon, quoted words, or a word that can be nothing but a name, in this order.  False if it
 * names none, and then the subject's path is "".
 */
bool subject_find(struct reading *);

/** For a service that says it knows no such member: any word may be its name. */
bool subject_take_any_word(struct reading *);

/** For a refusal that speaks of tokens and names no member: the limit of the output. */
bool subject_take_output_limit(struct reading *);

#endif

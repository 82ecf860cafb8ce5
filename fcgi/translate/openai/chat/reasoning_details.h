/*
 * The `reasoning_details` of OpenRouter and MiniMax: thinking in parts, some of them encrypted or
 * signed, which the next request must bring back as they came, in order.  A stream has each part in
 * pieces, and some streams have all of them again in every chunk.
 */
#ifndef REASONING_DETAILS_H
#define REASONING_DETAILS_H

#include <stdbool.h>
#include <stddef.h>

struct json;
struct json_writer;
struct reasoning_details;

/** Empty ones; NULL if memory ran out. */
struct reasoning_details *reasoning_details_new(void);
void reasoning_details_free(struct reasoning_details *);

/** Take an array of pieces, or (${whole}) of parts of which pieces may have come before; anything
 * else in it is skipped.  Return 0, or -1 if there are too many, or memory ran out. */
int reasoning_details_take(struct reasoning_details *, const struct json *array, bool whole);

/** What can be read of a piece: a string; NULL if nothing. */
const struct json *reasoning_detail_text(const struct json *piece);

/** Is there something that was not put yet? */
bool reasoning_details_have_news(const struct reasoning_details *);

/** Put the parts that have news as an array. */
void reasoning_details_put(struct reasoning_details *, struct json_writer *);

#endif

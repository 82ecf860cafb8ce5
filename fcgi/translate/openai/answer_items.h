/*
 * The items of an answer of Responses: which of them an event speaks of.  OpenAI numbers them;
 * others only give ids (llama.cpp), ids that change from event to event (Copilot), call ids that
 * the end does not repeat (vLLM), one number for all, or nothing but their order.
 */
#ifndef ANSWER_ITEMS_H
#define ANSWER_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/text_map.h"
#include "translate/answer/restated.h"

struct json;

enum item_kind { ITEM_MESSAGE, ITEM_REASONING, ITEM_CALL, ITEM_SEARCH, ITEM_OTHER };

struct answer_item {
	enum item_kind kind;
	size_t number; /* in order of appearance */
	char *name;    /* of a call; NULL if it has not come */
	bool begun;    /* an event told of it, more than a piece */

	/* For whoever takes its parts: */
	int64_t part;         /* of the content or summary that came last; -1: none */
	bool has_text;        /* thinking came */
	bool called;          /* the call has begun */
	bool whole;           /* the item itself came */
	struct restated text; /* of a message */

	bool repeated; /* the list at the end has it */
};

/* Zero-initialised: none. */
struct answer_items {
	struct answer_item **list; /* in order of appearance */
	size_t count;
	size_t capacity;
	struct text_map by_index; /* positions in the list */
	struct text_map by_id;
	struct answer_item
		*last; /* the one of the last piece, most likely the next one's; NULL if none */
	int64_t last_index; /* its number, as the service gives it */
};

void answer_items_free(struct answer_items *);

/** What kind of item the object is. */
enum item_kind answer_item_kind(const struct json *object);

/*
 * The item, new if need be, valid until answer_items_free; NULL if there are too many, or memory
 * ran out.  ${index} is the number that an event gives, NULL if none; it may be of any kind.
 */

/** The one that an event brings a piece of; ${id}: the item's, as the event gives it. */
struct answer_item *answer_items_of_piece(
	struct answer_items *, const struct json *index, const struct json *id, enum item_kind);

/** The one that an event tells, when it begins or (${whole}) is complete. */
struct answer_item *answer_items_of_object(
	struct answer_items *, const struct json *index, const struct json *object, bool whole);

/** The one that the list at the end repeats. */
struct answer_item *answer_items_of_list(struct answer_items *, const struct json *object);

#endif

/*
 * The tool calls of one assistant turn, and which results of the next user turn answer them.  Every
 * service wants its calls answered completely and at once (PROTOCOL.md §B.1 "Ordering", §B.2); what
 * a client's history lacks is filled in by the translators from this.
 */
#ifndef HISTORY_CALLS_H
#define HISTORY_CALLS_H

#include <stddef.h>

#include "base/text/text_map.h"
#include "translate/round_trip.h"

struct claude_turn;
struct json;

struct history_call {
	const struct json *block;  /* the tool_use; lent */
	const struct json *result; /* the tool_result that answers it; lent; NULL if none */
	char *client_id;           /* as the client calls it; owned */
	char *id;                  /* for the service: fits, and is unique; owned */
	struct carried carried;    /* what came with the id */
	const struct json *extra;  /* of it, what must go back with the call; NULL if nothing */
	/* Other calls with the same id of the client, as positions counted from 1; 0 if none. */
	size_t next;
	size_t last; /* of all of them; kept in the first that waits */
};

/* The ids that a service takes: its own as they were, others made to fit. */
enum claude_ids {
	CLAUDE_IDS,         /* at most 40 characters, unique in a turn */
	CLAUDE_IDS_UNIQUE,  /* likewise, unique in the whole conversation */
	CLAUDE_IDS_OF_NINE, /* Mistral's: exactly 9 letters and digits */
};

/* Everything in it is found by hashing: a client decides how many calls there are. */
struct history_calls {
	const char *kind; /* whose carried ids are read: the target's origin */
	enum claude_ids ids;
	struct history_call *list;
	size_t count;
	struct text_map waiting;   /* the client's id: the first call of it without a result */
	struct text_map answering; /* the address of a tool_result: the call that it answers */
	struct text_map taken;     /* the ids that the service gets: how often each was wanted */
	size_t carried_values; /* JSON values in what the calls carry: bounded for all together */
};

/** Make ready to take calls. */
void history_calls_init(struct history_calls *, const char *kind, enum claude_ids);

/** Add a tool_use block.  Return 0, or -1 if memory ran out. */
int history_calls_add(struct history_calls *, const struct json *tool_use);

/**
 * Take a result of the user turn that follows.  Return the call that it answers, which is the first
 * with its id that has no result yet; NULL if it answers none, or memory ran out.
 */
struct history_call *history_calls_answer(struct history_calls *, const struct json *tool_result);

/** Likewise for every result in the user turn that follows. */
void history_calls_answer_turn(struct history_calls *, const struct claude_turn *user);

/** The call that a result answers which was taken before; NULL if it answers none. */
const struct history_call *
history_calls_find(const struct history_calls *, const struct json *tool_result);

/** Forget the calls, and free their memory. */
void history_calls_clear(struct history_calls *);
void history_calls_free(struct history_calls *);

#endif

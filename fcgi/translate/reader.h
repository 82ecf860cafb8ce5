/*
 * What the readers of all services have in common (translator.h): events are read into one index
 * that is used again, text that comes while a tool call is under way waits, and an answer ends
 * alike.  A service adds how it takes an event, or a whole answer.
 */
#ifndef READER_H
#define READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"

struct api_error;
struct claude_writer;
struct reader;
struct reader_context;
struct tool_call_piece;
struct tool_calls;
struct tool_names;
struct upstream_identity;

/** Take what is lent until the return.  Return 0, or -1 and what the client must be told. */
typedef int reader_taker(struct reader *, const struct json *, struct api_error *);

/* What differs from service to service. */
struct reader_kind {
	size_t size;                /* of its reader, which begins with a struct reader; bytes */
	reader_taker *take_event;   /* one event */
	reader_taker *take_message; /* a whole answer */
	void (*clear)(struct reader *); /* free what it has besides; NULL: nothing */
};

struct reader {
	const struct reader_kind *kind;
	struct claude_writer *writer;
	const struct tool_names *names;
	const struct upstream_identity *identity;
	struct tool_calls *calls;
	struct json_document index; /* over the event or answer that is being taken */
	struct buffer scratch;      /* the arguments that reader_arguments set last */

	/* Contents of strings, as they came, that wait until no tool call is under way. */
	struct buffer deferred_thinking;
	struct buffer deferred_text;

	/* How the answer ends, as far as it was told. */
	const char *stop_reason; /* NULL: not told */
	char *stop_sequence;     /* the one that matched; owned; NULL: not told */
	const char *failure;     /* the upstream's word for an answer that went wrong: an error if
				    nothing was produced; static; NULL: it did not */
	bool refused;            /* the model refuses, whatever the stop reason */

	bool produced; /* text, thinking or a tool call came; set by whoever takes it */
	bool over;     /* the end was written */
	int skipped;   /* events that were not valid JSON */
};

/** A reader, whose further members are zero.  NULL if memory ran out. */
struct reader *reader_new(const struct reader_kind *, const struct reader_context *);

/* The members of struct translator of the same names. */
void reader_free(struct reader *);
int reader_read_event(struct reader *, const char *data, size_t length, struct api_error *);
int reader_read_message(struct reader *, const char *body, size_t length, struct api_error *);
int reader_read_end(struct reader *, bool complete, struct api_error *);
bool reader_is_over(const struct reader *);

/* ---- for the takers ---- */

/** Write text or thinking, or keep it while a tool call is under way; nothing if it is no string,
 * or an empty one.  What cannot be kept is reported when the taker returns. */
void reader_text(struct reader *, const struct json *string);
void reader_thinking(struct reader *, const struct json *string);

/**
 * Set the arguments of a piece: the text that a string contains, or another value's own, for
 * services that send an object; none if it is absent.  Valid until the next call.  Return 0, or -1
 * if memory ran out.
 */
int reader_arguments(struct reader *, const struct json *value, struct tool_call_piece *);

/** Of the alternatives that the upstream gives, the one with index 0 or without one; NULL: none. */
const struct json *reader_first(const struct json *choices);

/**
 * What the upstream counted: tokens of input, ${cached} of them from its cache, and of output,
 * unless it did not say (${output_known}).
 */
void
reader_usage(struct reader *, uint64_t input, uint64_t cached, uint64_t output, bool output_known);

/** The answer is whole: write what waits and how it ended.  Return 0, or -1 and the error. */
int reader_finish(struct reader *, struct api_error *);

/** 502: what the upstream sent, and quoted is, is no answer.  Always -1. */
int
reader_no_answer(struct reader *, const char *what, const struct json *message, struct api_error *);

/** 502: the upstream sent more than can be kept.  Always -1. */
int reader_too_much(struct reader *, struct api_error *);

#endif

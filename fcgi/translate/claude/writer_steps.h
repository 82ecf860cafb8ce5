/*
 * What the parts of the writer of Claude's answer share: writer.c (what comes), writer_output.c
 * (how it is written, as events or as a whole message), and writer_searches.c (answers in several
 * turns, between which the proxy searches).
 */
#ifndef CLAUDE_WRITER_STEPS_H
#define CLAUDE_WRITER_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/random.h"
#include "base/text/text_map.h"
#include "translate/claude/cited_pages.h"
#include "translate/claude/stop_sequences.h"
#include "translate/claude/writer.h"
#include "translate/round_trip.h"

enum block { NO_BLOCK, TEXT_BLOCK, THINKING_BLOCK, TOOL_BLOCK, RESULT_BLOCK };

struct claude_writer {
	struct buffer *out;
	char *model;
	char *kind;
	bool stream;
	bool hide_thinking;

	struct claude_usage usage;
	uint64_t estimated_input;
	uint64_t characters; /* of output, for the estimate */

	enum block open;
	unsigned index; /* of the open or else the next block */
	bool has_input; /* the open tool block got some */
	bool has_tool;  /* the answer has a tool block */
	bool has_content;
	/* For the signature of the thinking block: a JSON object, or empty. */
	struct buffer members;
	struct buffer input;          /* whole form: that of the open tool block */
	struct buffer message;        /* whole form: as far as it is written */
	size_t content_at;            /* whole form: bytes of it before the open block's text */
	struct buffer citations;      /* whole form: of the open text block, with commas */
	struct text_map ids;          /* those given out */
	struct stop_sequences *stops; /* NULL if there are none to carry out */

	enum lacking_tool lacks; /* the content ends with a use of it that failed */
	unsigned searches;       /* that were made */
	char search_id[sizeof(ROUND_TRIP_SEARCH) + RANDOM_ID_LENGTH]; /* of the last one */

	/* Of an answer in turns. */
	struct claude_writer *turn; /* the model's as a whole message; NULL if there is only one */
	struct buffer turn_text;    /* where that goes */
	struct cited_pages pages;   /* that the next text may cite */
	bool called_search;         /* in this turn, as the next */
	bool waits;
	struct claude_usage earlier; /* of the turns before */
	struct mark {
		size_t message; /* bytes of it that are of earlier turns */
		unsigned index;
		bool has_tool;
	} mark;

	bool started;
	bool ended;
	const char *stop_reason;
	char message_id[sizeof("msg_") + RANDOM_ID_LENGTH];
};

/* Append a literal. */
#define PUT(out, literal) buffer_append((out), (literal), sizeof(literal) - 1)

/* ---- writer_output.c ---- */

/** Open a block after closing the open one.  ${before} is its JSON up to what its pieces fill in,
 * or
 * ${after} if it stays empty. */
void
writer_open_block(struct claude_writer *, enum block block, const char *before, const char *after);

/** Close the open block, if there is one. */
void writer_close_block(struct claude_writer *);

/** More of the open block of text or thinking: the content of a JSON string, which counts. */
void writer_put_content(struct claude_writer *, const char *content, size_t length);

/** Count output that is not written. */
void writer_count_content(struct claude_writer *, const char *content, size_t length);

/** More of the open tool block: a piece of JSON text. */
void writer_put_input(struct claude_writer *, const char *json, size_t length);

/** A citation in the open text block; ${writer} is a struct claude_writer. */
void writer_put_citation(void *writer, const char *citation, size_t length);

/** The end of the answer, by the stop reason and the usage that are settled. */
void writer_put_end(struct claude_writer *, const char *stop_sequence);

/* ---- writer_searches.c ---- */

/** The turn of the model that begins.  Return 0, or -1 if memory ran out. */
int writer_begin_turn(struct claude_writer *);

/** The use of a tool that the upstream does not have, which failed. */
void writer_put_failed_use(struct claude_writer *);

/* ---- writer.c ---- */

/** Is nothing written of what still comes? */
bool writer_is_over(const struct claude_writer *);

/** Another block follows, or the end: what was held back of the text is no stop sequence. */
void writer_end_text(struct claude_writer *);

/** Settle the usage: estimates rather than 0 for what is absent (PROTOCOL.md §C.3), and what
 * earlier turns used added. */
void writer_settle_usage(struct claude_writer *);

#endif

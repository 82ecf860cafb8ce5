/*
 * A reader turns what an upstream sends into calls of a claude_writer.  It reads one answer, either
 * as events or as one whole message.  This is what the readers of all services share: events are
 * read into one index that is used again, text that comes while a tool call is under way waits,
 * thinking between tags is taken out of it, what a service repeats is given once, and an answer
 * ends alike.  A service adds how it takes an event, or a whole answer.
 */
#ifndef READER_H
#define READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "translate/answer/restated.h"
#include "translate/answer/think_tags.h"

struct api_error;
struct claude_writer;
struct reader;
struct tool_call_piece;
struct stream_calls;
struct tool_names;
struct error_context;
struct web_findings;
struct web_page;

/** Take what is lent until the return.  Return 0, or -1 and what the client must be told. */
typedef int reader_taker(struct reader *, const struct json *, struct api_error *);

struct reader_context {
	struct claude_writer *writer;              /* where the answer goes */
	const struct tool_names *names;            /* those of the request */
	const struct error_context *error_context; /* for errors inside the answer */
};

/* What differs from service to service: the member `reader` of its translator. */
struct reader_kind {
	size_t size;                /* of its reader, which begins with a struct reader; bytes */
	reader_taker *take_event;   /* one event */
	reader_taker *take_message; /* a whole answer */
	void (*finish)(struct reader *); /* write what waits for the end; may be NULL */
	void (*clear)(struct reader *);  /* free what it has besides; may be NULL */
	bool tells_its_end; /* a stream that just ends was cut, also where the connection was not */
};

/* What the upstream counted; a member that it did not tell is 0. */
struct reader_usage {
	uint64_t input;   /* tokens, with those that its cache gave and took */
	uint64_t cached;  /* read from the cache */
	uint64_t written; /* written to it */
	uint64_t output;
};

struct reader {
	const struct reader_kind *kind;
	struct claude_writer *writer;
	const struct tool_names *names;
	const struct error_context *error_context;
	struct stream_calls *calls;
	struct json_document index; /* over the event or answer that is being taken */
	struct buffer scratch;      /* the arguments that reader_arguments set last */

	/* Contents of strings, as they came, that wait until no tool call is under way. */
	struct buffer deferred_thinking;
	struct buffer deferred_text;

	struct think_tags tags; /* in the text */
	struct restated *held;  /* has a piece of text or thinking that waits; lent; NULL if none */
	bool held_thinking;     /* it is thinking */
	bool paragraph;         /* the next text begins one */
	const char *origin;     /* of the thinking that came last, as reader_thinking has it */
	struct web_findings *web; /* what was found on the web; NULL if nothing yet */
	bool holds_text;          /* the text waits until all is known that was found */
	struct reader_usage usage;

	/* How the answer ends, as far as it was told. */
	const char *stop_reason; /* NULL if not told */
	char *stop_sequence;     /* the one that matched; owned; NULL if not told */
	bool refused;            /* the model refuses, whatever the stop reason */

	bool produced; /* text, thinking or a tool call came; set by whoever takes it */
	bool over;     /* the end was written */
	int skipped;   /* events that could not be read */
};

/**
 * A reader for one answer, whose further members are zero; what the context points to outlives it.
 * NULL if memory ran out.
 */
struct reader *reader_new(const struct reader_kind *, const struct reader_context *);
void reader_free(struct reader *);

/*
 * Each returns 0, or -1 and the error: the answer cannot go on, and the error says what the client
 * must be told.
 */

/** The payload of one `data:` event; "[DONE]" comes here, too. */
int reader_read_event(struct reader *, const char *data, size_t length, struct api_error *);

/** A whole answer: the JSON body of a request that was not streamed. */
int reader_read_message(struct reader *, const char *body, size_t length, struct api_error *);

/**
 * The body ended.  ${complete}: the transfer ended properly; false: it broke.  Flush what is held
 * back and say how the answer ended (claude_writer_finish), or fail if it is not whole.
 */
int reader_read_end(struct reader *, bool complete, struct api_error *);

/** Has the upstream said that its answer is over ([DONE])?  Then nothing more is worth waiting
 * for. */
bool reader_is_over(const struct reader *);

/* ---- for the takers ---- */

/**
 * Write text or thinking, or keep it while a tool call is under way; nothing if it is no string, or
 * an empty one.  What cannot be kept is reported when the taker returns.
 *
 * ${pieces} knows what came of the same text before, of which nothing is written twice; it lives
 * until reader_settle.  NULL if the text is complete in itself.
 *
 * ${origin}, static, is where the upstream has its thinking, if not in the usual place: the
 * signature tells the next request (PROTOCOL.md §C.4).
 */
void reader_text(struct reader *, struct restated *pieces, const struct json *string);
void reader_thinking(
	struct reader *, struct restated *pieces, const char *origin, const struct json *string);

/** Write text that is complete in itself and has no tags: ${length} bytes of a string's content. */
void reader_plain_text(struct reader *, const char *content, size_t length);

/** The same of a part of a text that is told whole and stands at ${offset} of it: what of it came
 * before is left out.  The offset after it. */
size_t reader_whole_text(
	struct reader *, struct restated *pieces, size_t offset, const struct json *string);
size_t reader_whole_thinking(struct reader *, struct restated *pieces, size_t offset,
	const char *origin, const struct json *string);

/** No more pieces of the last text or thinking follow: write the one that waits for the next. */
void reader_release(struct reader *);

/** Something other than text follows: write what was held back of it. */
void reader_settle(struct reader *);

/** Another text follows, apart from the one before. */
void reader_paragraph(struct reader *);

/**
 * Set the arguments of a piece: the text that a string contains, or another value's own, for
 * services that send an object; none if it is absent.  Valid until the next call.  Return 0, or -1
 * if memory ran out.
 */
int reader_arguments(struct reader *, const struct json *value, struct tool_call_piece *);

/*
 * What the service found on the web (PROTOCOL.md §C.5).  Where a search is told when it is made,
 * the text after it waits for reader_search_end, since the pages are told with the text; where
 * only pages and queries are told, the search follows the text, unless the client forces it
 * (tool_names_search_first): then all text waits.  Each returns 0, or -1 if memory ran out.
 */

/** A search was made; ${query}, a string, may be NULL. */
int reader_search(struct reader *, const struct json *query);

/** The last one failed. */
int reader_search_failed(struct reader *);

/** A query, a page that was found, and one that the text cites. */
int reader_search_query(struct reader *, const struct json *query);
int reader_search_page(struct reader *, const struct web_page *);
int reader_citation(struct reader *, const struct web_page *);

/** All that the searches found is known, or something other than text follows.  Nothing if there
 * was none. */
int reader_search_end(struct reader *);

/** Add what an event tells of the usage to what was told before. */
void reader_usage(struct reader *, const struct reader_usage *);

/** The answer is whole: write what waits and how it ended.  Return 0, or -1 and the error. */
int reader_finish(struct reader *, struct api_error *);

/** The answer went wrong, and ${word} is what the upstream calls it: an error with this status.
 * Always -1. */
int reader_failed(struct reader *, int status, const char *word, struct api_error *);

/** 502: what the upstream sent, and quoted is, is no answer.  Always -1. */
int
reader_no_answer(struct reader *, const char *what, const struct json *message, struct api_error *);

/** 502: the upstream sent more than can be kept.  Always -1. */
int reader_too_much(struct reader *, struct api_error *);

#endif

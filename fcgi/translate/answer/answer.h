/*
 * An upstream's answer on its way to the client: bytes of HTTP body in, bytes of Claude's answer
 * out.
 *
 * It looks at status and content type, splits event streams, calls the translator's reader, plays a
 * whole answer as a stream and collects a stream into a whole answer if the upstream did not do as
 * requested, and translates errors.  It writes no error by itself: the caller may want to try
 * another key first.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "translate/claude/writer.h"
#include "translate/answer/upstream_error.h"

struct api_error;
struct buffer;
struct tool_names;
struct translator;

enum { ANSWER_MAX_BODY = 16 << 20 }; /* bytes of an answer that is not a stream */

/**
 * Make the client's answer from a whole body.  With another status than 200, ${error} is what the
 * client would be told, and the converter may leave it at that, or answer all the same.  Return 0,
 * or -1 and the error.
 */
typedef int answer_converter(void *context, int status, const char *body, size_t length,
	struct buffer *out, struct api_error *error);

struct answer_options {
	const struct translator *translator; /* unused if the answer is no message */
	const struct tool_names *tool_names;
	const char *origin; /* marks what is carried; NULL for the translator's kind */
	const char *model;  /* the name that the client asked for */
	bool stream;        /* what the client asked for */
	bool hide_thinking;
	uint64_t estimated_input_tokens;
	const char *const
		*stop_sequences; /* to be carried out here (claude/writer.h); NULL if none */
	bool searches; /* the model's calls of the web search are for the proxy (claude/writer.h) */
	bool pass;     /* pass the body through as it comes; then only the next counts */
	bool message;  /* what is passed is a Claude message, and not only bytes */
	answer_converter *convert; /* converts a body that is no message; NULL if it is one */
	void *convert_context;
};

enum answer_state {
	ANSWER_OPEN,   /* more may come */
	ANSWER_DONE,   /* whole and written; further bytes are ignored */
	ANSWER_FAILED, /* answer_error says why; the error itself has not been written */
};

struct answer;

/**
 * An answer that appends to ${out} (the caller sends and empties it at will).  ${options} is
 * copied; what it points to outlives the answer.  NULL if memory ran out.
 */
struct answer *answer_new(const struct answer_options *, struct buffer *out);
void answer_free(struct answer *);

/**
 * The next transfer goes to another upstream, in the terms of ${options}.  Only while there is no
 * content.  Return 0, or -1 if memory ran out.
 */
int answer_switch_upstream(struct answer *, const struct answer_options *options);

/**
 * After ANSWER_DONE: did only a turn of the model end, which wants something searched
 * (claude/writer.h)?  Its writer then, for the searches; and the next transfer goes on with what
 * the model says of them, as answer_switch_upstream.
 */
bool answer_waits(const struct answer *);
struct claude_writer *answer_writer(struct answer *);
int answer_next_turn(struct answer *, const struct answer_options *options);

/**
 * A transfer begins (the first, or the next after a failure before content): forget what the failed
 * one brought, keep what was written.  ${error_context} is lent for as long as the transfer goes
 * on.
 */
void answer_begin(struct answer *, const struct error_context *error_context);

/** The response's head: ${content_type} may be NULL, ${retry_after} in seconds or 0. */
void answer_head(struct answer *, int status, const char *content_type, int64_t retry_after);

/** Bytes of the body. */
enum answer_state answer_feed(struct answer *, const char *bytes, size_t length);

/** Is more of the body of any use?  Only the beginning of an error is kept. */
bool answer_wants_more(const struct answer *);

/** The body ended.  ${complete}: properly; false: the connection broke. */
enum answer_state answer_end(struct answer *, bool complete);

/**
 * After ANSWER_FAILED: if the upstream's refusal may be passed through as it is, write it, and the
 * state is ANSWER_DONE.  False if not: then the error must be told.
 */
bool answer_pass_refusal(struct answer *);

/** After ANSWER_FAILED: append the body of the upstream's refusal, as far as it was kept. */
void answer_copy_refusal(const struct answer *, struct buffer *);

/** A ping; begins the stream if need be.  Only if the client asked for a stream. */
void answer_ping(struct answer *);

/**
 * Write ${error} as the stream's last event, once answer_started.  False if a body is passed
 * through that is no event stream: nothing can be told any more, and the response must break off.
 */
bool answer_write_error(struct answer *, const struct api_error *error);

/** Is what was written the upstream's own body, to which its head belongs? */
bool answer_passes(const struct answer *);

/** Has anything been written, so that the response's head must say 200?  Has content, which no
 * other upstream's answer may follow? */
bool answer_started(const struct answer *);
bool answer_has_content(const struct answer *);

enum answer_state answer_state(const struct answer *);

/** Valid with ANSWER_FAILED, until the next answer_begin. */
const struct api_error *answer_error(const struct answer *);

/** Usage and stop reason that the client was told; valid with ANSWER_DONE. */
const struct claude_usage *answer_usage(const struct answer *);
const char *answer_stop_reason(const struct answer *);

#endif

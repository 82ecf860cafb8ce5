/*
 * What the two parts of an answer share: answer.c (its life over several transfers, and what the
 * caller asks) and answer_body.c (the body of one transfer).
 */
#ifndef ANSWER_STEPS_H
#define ANSWER_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "translate/answer/answer.h"
#include "translate/passed/passed_usage.h"

struct event_stream;
struct passed_stream;
struct reader;

/* What the body of a transfer is. */
enum form { FORM_UNKNOWN, FORM_ERROR, FORM_MESSAGE, FORM_EVENTS, FORM_PASSED, FORM_CONVERTED };

struct answer {
	struct answer_options options;
	struct claude_writer *writer; /* NULL if the answer is no message that we write */
	struct buffer *out;
	bool passed_any;     /* bytes were passed on */
	bool passed_events;  /* likewise of an event stream, or soon */
	bool passed_start;   /* among them a message_start */
	bool passed_content; /* likewise what another answer could not follow */
	enum answer_state state;
	struct api_error error;

	/* The transfer under way. */
	const struct error_context *error_context;
	int status;
	int64_t retry_after;
	enum form form;
	struct reader *reader;
	struct event_stream *events;
	struct passed_stream *passed_stream;
	struct passed_usage passed_usage; /* of a whole message */
	bool played;  /* the message that is passed was written as the stream that was requested */
	bool refused; /* the body is a whole refusal, which may be passed on */
	struct buffer body; /* of an error or a whole message; the start of a stream */
	size_t received;    /* bytes */
};

/** Forget what the transfer brought, and what reads it. */
void answer_end_transfer(struct answer *);

#endif

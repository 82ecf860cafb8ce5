/*
 * An upstream's answer on its way to the client; see answer.h.
 */
#include "translate/answer/answer.h"

#include <stdlib.h>

#include "base/secret.h"
#include "translate/answer/answer_steps.h"
#include "translate/passed/passed_stream.h"
#include "translate/answer/event_stream.h"
#include "translate/answer/reader.h"
#include "translate/translator.h"

static const char *
origin_of(const struct answer_options *options)
{
	return options->origin != NULL ? options->origin : options->translator->kind;
}

static struct claude_writer_options
writer_options_of(const struct answer_options *options)
{
	return (struct claude_writer_options){
		.model = options->model,
		.kind = origin_of(options),
		.stream = options->stream,
		.hide_thinking = options->hide_thinking,
		.estimated_input_tokens = options->estimated_input_tokens,
		.stop_sequences = options->stop_sequences,
		.searches = options->searches,
	};
}

static struct claude_writer *
new_writer(const struct answer_options *options, struct buffer *out)
{
	const struct claude_writer_options writer = writer_options_of(options);

	return claude_writer_new(&writer, out);
}

/* Is the answer a message that we write? */
static bool
writes_message(const struct answer_options *options)
{
	return !options->pass && options->convert == NULL;
}

struct answer *
answer_new(const struct answer_options *options, struct buffer *out)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->out = out;
	a->options = *options;
	if (!writes_message(options))
		return a;
	a->writer = new_writer(options, out);
	if (a->writer == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

void
answer_end_transfer(struct answer *a)
{
	reader_free(a->reader);
	a->reader = NULL;
	event_stream_free(a->events);
	a->events = NULL;
	passed_stream_free(a->passed_stream);
	a->passed_stream = NULL;
	buffer_free(&a->body);
	api_error_clear(&a->error);
}

/* A writer of its own for the next upstream's message, which goes on where others began. */
static int
renew_writer(struct answer *a)
{
	claude_writer_free(a->writer);
	a->writer = new_writer(&a->options, a->out);
	if (a->writer == NULL)
		return -1;
	if (a->passed_start)
		claude_writer_resume(a->writer);
	return 0;
}

/* The writer goes on for the next upstream, or the next turn. */
static int
keep_writer(struct answer *a,
	int (*go_on)(struct claude_writer *, const struct claude_writer_options *))
{
	const struct claude_writer_options options = writer_options_of(&a->options);

	return go_on(a->writer, &options);
}

int
answer_switch_upstream(struct answer *a, const struct answer_options *options)
{
	bool started = a->writer != NULL &&
		       (claude_writer_started(a->writer) || claude_writer_has_turns(a->writer));

	/* What reads the answer that failed belongs to the service that gave it. */
	answer_end_transfer(a);
	a->refused = false;
	a->options = *options;
	if (writes_message(options))
		return started ? keep_writer(a, claude_writer_redirect) : renew_writer(a);
	/* A stream that was begun goes on, whoever brings the rest. */
	if (!started) {
		claude_writer_free(a->writer);
		a->writer = NULL;
	}
	return 0;
}

bool
answer_waits(const struct answer *a)
{
	return a->state == ANSWER_DONE && a->writer != NULL && claude_writer_waits(a->writer);
}

struct claude_writer *
answer_writer(struct answer *a)
{
	return a->writer;
}

int
answer_next_turn(struct answer *a, const struct answer_options *options)
{
	answer_end_transfer(a);
	a->options = *options;
	return keep_writer(a, claude_writer_next_turn);
}

void
answer_free(struct answer *a)
{
	if (a == NULL)
		return;
	answer_end_transfer(a);
	claude_writer_free(a->writer);
	free(a);
}

void
answer_begin(struct answer *a, const struct error_context *error_context)
{
	answer_end_transfer(a);
	a->error_context = error_context;
	a->state = ANSWER_OPEN;
	a->status = 0;
	a->retry_after = 0;
	a->form = FORM_UNKNOWN;
	a->refused = false;
	a->played = false;
	a->passed_usage = (struct passed_usage){0};
	a->received = 0;
	a->body = BUFFER_INIT(ANSWER_MAX_BODY);
}

/* ---- the client's side ---- */

void
answer_copy_refusal(const struct answer *a, struct buffer *out)
{
	buffer_append(out, buffer_text(&a->body), a->body.length);
}

bool
answer_pass_refusal(struct answer *a)
{
	if (!a->refused || answer_started(a))
		return false;
	a->passed_any = true;
	secret_redact(a->out, buffer_text(&a->body), a->body.length, a->error_context->key,
		a->error_context->secrets);
	a->state = ANSWER_DONE;
	return true;
}

void
answer_ping(struct answer *a)
{
	/* An attempt that failed may be followed by another. */
	if ((a->state != ANSWER_DONE || answer_waits(a)) && a->writer != NULL && !a->options.pass)
		claude_writer_ping(a->writer);
}

bool
answer_write_error(struct answer *a, const struct api_error *error)
{
	if (a->writer != NULL) {
		claude_writer_error(a->writer, error);
		return true;
	}
	if (!a->passed_events)
		return false;
	/* What was passed unread may have ended inside a line: whatever that was, this event is an
	 * error. */
	buffer_puts(a->out, a->options.message ? "event: error\ndata: " : "\nevent: error\ndata: ");
	api_error_write(error, NULL, a->out);
	buffer_puts(a->out, "\n\n");
	return true;
}

bool
answer_passes(const struct answer *a)
{
	return a->options.pass && !a->played;
}

bool
answer_started(const struct answer *a)
{
	return a->passed_any || (a->writer != NULL && claude_writer_started(a->writer));
}

bool
answer_has_content(const struct answer *a)
{
	if (a->passed_content)
		return true;
	/* A whole message is given to the client at its end. */
	return a->writer != NULL && (a->options.stream ? claude_writer_has_content(a->writer)
						       : claude_writer_ended(a->writer));
}

enum answer_state
answer_state(const struct answer *a)
{
	return a->state;
}

const struct api_error *
answer_error(const struct answer *a)
{
	return &a->error;
}

/* What a message that is passed through told; NULL if it is something else. */
static const struct passed_usage *
passed_usage_of(const struct answer *a)
{
	if (!a->options.pass || !a->options.message)
		return NULL;
	return a->passed_stream != NULL ? passed_stream_usage(a->passed_stream) : &a->passed_usage;
}

const struct claude_usage *
answer_usage(const struct answer *a)
{
	static const struct claude_usage none;
	const struct passed_usage *passed = passed_usage_of(a);

	if (passed != NULL)
		return &passed->usage;
	return a->writer != NULL ? claude_writer_usage_told(a->writer) : &none;
}

const char *
answer_stop_reason(const struct answer *a)
{
	const struct passed_usage *passed = passed_usage_of(a);

	if (passed != NULL)
		return passed->stop_reason[0] != '\0' ? passed->stop_reason : NULL;
	return a->writer != NULL ? claude_writer_stop_reason(a->writer) : NULL;
}

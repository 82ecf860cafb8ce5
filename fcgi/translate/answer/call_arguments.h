/*
 * The arguments of one tool call: a JSON text that comes in pieces, which some services repeat, in
 * every piece or once more at the end (MiniMax, vLLM), or begin with a {} that stands for nothing.
 * What is longer than one event cannot be repeated.
 */
#ifndef CALL_ARGUMENTS_H
#define CALL_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* How far a JSON text is. */
struct json_progress {
	int depth;
	bool in_string;
	bool escaped;
	bool complete; /* its outermost object or array is closed */
};

/* Zero-initialised: none yet. */
struct call_arguments {
	struct buffer text; /* as far as they came, each part once */
	struct buffer held; /* a piece that begins like ${text}: the next one decides */
	struct json_progress progress;
	bool restated; /* every piece begins with all that came before it */
	bool all;      /* all of them came */
	size_t given;  /* bytes of ${text} that were handed on */
	bool passing;  /* ${text} is only what was not handed on */
};

/** More of them.  Return 0, or -1 if memory ran out. */
int call_arguments_take(struct call_arguments *, const char *json, size_t length);

/** All of them: what is missing is added, and they are complete.  Return 0 or -1. */
int call_arguments_take_all(struct call_arguments *, const char *json, size_t length);

/** The text was handed on.  It is kept as long as it could be repeated. */
void call_arguments_give(struct call_arguments *);

/** Was any of it? */
static inline bool
call_arguments_were_given(const struct call_arguments *a)
{
	return a->given > 0 || a->passing;
}

/** No more follows: decide about what is held.  Return 0 or -1. */
int call_arguments_settle(struct call_arguments *);

/** Is the piece the beginning of what came, or what came the beginning of it? */
bool call_arguments_are_repeated(const struct call_arguments *, const char *json, size_t length);

/** Are they an object with nothing in it? */
bool call_arguments_are_empty(const struct call_arguments *);

/**
 * Write arguments that are no object as one: the object that was encoded twice, or the text under
 * the name `_raw`; nothing if they are blank, null or an empty string.
 */
void call_arguments_write_odd(struct buffer *object, const char *json, size_t length);

/** Memory that they take, in bytes. */
static inline size_t
call_arguments_size(const struct call_arguments *a)
{
	return a->text.length + a->held.length;
}

void call_arguments_free(struct call_arguments *);

#endif

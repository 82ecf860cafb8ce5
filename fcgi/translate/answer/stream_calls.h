/*
 * The tool calls of one answer, as they come in pieces.  Claude's blocks may not interleave, a
 * service's calls may: one call streams live, what comes of others meanwhile is kept, and follows
 * when the arguments of the first are a complete JSON text (PROTOCOL.md §D.2).
 *
 * Services number their calls alike, give ids that change or none, and repeat what they said.  Each
 * call comes out once, with arguments that are an object where the service's were one.
 */
#ifndef STREAM_CALLS_H
#define STREAM_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claude_writer;
struct json;
struct stream_calls;
struct tool_names;

/* A piece of a call; everything is lent. */
struct tool_call_piece {
	int64_t index;            /* the service's number for the call; -1: it gave none */
	int64_t choice;           /* of several choices, each of which numbers its calls */
	const struct json *id;    /* a string; NULL if not in this piece; as the next two */
	const struct json *name;  /* the service's */
	const struct json *extra; /* what must come back with the call */
	const char *arguments;    /* JSON text, as far as it came; NUL-terminated */
	size_t length;            /* of it, in bytes */
	bool whole;               /* a call of its own, whatever its index and id */
	bool all; /* the arguments are all of the call's, which may be repeated, and no more follow
		   */
};

/** NULL if memory ran out.  The arguments outlive it. */
struct stream_calls *stream_calls_new(struct claude_writer *, const struct tool_names *);
void stream_calls_free(struct stream_calls *);

/** Take a piece.  Return 0, or -1 if more would have to be kept than is allowed, or memory ran out.
 */
int stream_calls_take(struct stream_calls *, const struct tool_call_piece *);

/** Is a call under way whose arguments are not complete, so that no other block may begin? */
bool stream_calls_busy(const struct stream_calls *);

/** Did a call begin its arguments and not complete them? */
bool stream_calls_cut(const struct stream_calls *);

/** The answer is over: write what was kept.  Return 0, or -1 if a call came without a name. */
int stream_calls_finish(struct stream_calls *);

#endif

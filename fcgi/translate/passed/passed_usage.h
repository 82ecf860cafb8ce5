/*
 * What a Claude message that is passed through tells of its usage and its end (PROTOCOL.md §C.1,
 * §D.1).
 */
#ifndef PASSED_USAGE_H
#define PASSED_USAGE_H

#include "translate/claude/writer.h"

struct json;

enum { PASSED_LONGEST_REASON = 40 };

/* Zero-initialised nothing is known. */
struct passed_usage {
	struct claude_usage usage;
	char stop_reason[PASSED_LONGEST_REASON]; /* "": not told */
};

/**
 * Take what a message tells, or the event message_delta: what is said later replaces what was said
 * before, except that a count which is 0, absent or absurd replaces nothing.
 */
void passed_usage_take(struct passed_usage *, const struct json *);

#endif

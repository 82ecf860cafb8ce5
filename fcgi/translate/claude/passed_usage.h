/*
 * The usage that an answer tells which is passed through unread: a Claude message, whole or as an
 * event stream (PROTOCOL.md §C.1, §D.1).
 */
#ifndef PASSED_USAGE_H
#define PASSED_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "translate/claude/writer.h"

struct passed_usage;

/** ${events}: the answer is an event stream.  NULL if memory ran out. */
struct passed_usage *passed_usage_new(bool events);
void passed_usage_free(struct passed_usage *);

/** Bytes of the answer.  What cannot be understood tells nothing. */
void passed_usage_feed(struct passed_usage *, const char *bytes, size_t length);

/** The answer is whole: what it told.  Valid as long as ${p}. */
const struct claude_usage *passed_usage_end(struct passed_usage *p);

/** Why it stopped, or NULL.  Valid as long as ${p}. */
const char *passed_usage_stop_reason(const struct passed_usage *p);

#endif

/*
 * What a refusal says about the context: that the prompt alone is longer than the model takes, or
 * that prompt and output together are (PROTOCOL.md §E).  Claude Code acts on these two by their
 * wording: it compacts its conversation after the first, and asks for less output after the second.
 */
#ifndef OVERFLOW_H
#define OVERFLOW_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;

/* What is known of a refusal besides its words; 0 if not told. */
struct overflow_facts {
	bool told_by_code; /* its code or type says that the context is too long */
	bool too_large;    /* it came with status 413 */
	uint64_t prompt;   /* tokens, told in a member of its own, as the limit */
	uint64_t limit;
	uint64_t asked_output; /* tokens of output that the request asked for */
};

/**
 * Does the refusal, in the service's words, say that the context is too long?  If so, append it to
 * ${out} as Claude's own service words it.  A refused output limit is no such refusal.
 */
bool overflow_rephrase(struct buffer *out, const char *message, const struct overflow_facts *);

#endif

/*
 * How many tokens a request is, roughly, without asking anybody.
 */
#ifndef TOKENS_H
#define TOKENS_H

#include <stdint.h>

struct claude_request;

/** An estimate of the input tokens: all text, tool schemas, images.  For message_start (PROTOCOL.md
 * §D.1). */
uint64_t tokens_estimate_input(const struct claude_request *);

#endif

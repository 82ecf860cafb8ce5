/*
 * How many tokens a request is, roughly, without a tokenizer: within 10 % of the o200k_base
 * tokenizer on prose, code, JSON and Chinese (SPEC §4; tests/clients/test_tokens.py measures it).
 */
#ifndef TOKENS_H
#define TOKENS_H

#include <stddef.h>
#include <stdint.h>

struct claude_request;

/** An estimate of the tokens of a text; any bytes are taken. */
uint64_t tokens_estimate_text(const char *text, size_t length);

/** An estimate of the input tokens of a checked request: all text, tool schemas, images by their
 * size (PROTOCOL.md §F). */
uint64_t tokens_estimate_input(const struct claude_request *);

/** The same in a fraction of the time, for message_start, which the true count follows (PROTOCOL.md
 * §D.1). */
uint64_t tokens_guess_input(const struct claude_request *);

#endif

/*
 * Whether and how hard a model is to think, in the words and members that it and its service take
 * (model_facts.h, PROTOCOL.md §B.1 "Thinking").
 */
#ifndef OPENAI_THINKING_H
#define OPENAI_THINKING_H

#include <stdbool.h>
#include <stdint.h>

#include "translate/model_facts.h"
#include "translate/openai/parameters.h"

struct claude_request;
struct json_writer;
struct translate_target;

/* What a request asks for. */
struct openai_thinking {
	bool off;           /* by the client, by the owner, or for a tool that is forced */
	bool asked;         /* the client wants it */
	enum effort wanted; /* EFFORTS if not told */
	int64_t budget;     /* tokens; 0 if not told */
	enum effort effort; /* that is sent; EFFORTS if none */
};

struct openai_thinking openai_thinking_of(
	const struct claude_request *, const struct translate_target *, enum openai_interface);

/** Does the model, told this, take temperature and top_p? */
bool openai_takes_sampling(const struct model_facts *, const struct openai_thinking *);

/** The members that tell a Chat service. */
void openai_put_thinking(struct json_writer *, const struct claude_request *,
	const struct model_facts *, const struct openai_thinking *);

#endif

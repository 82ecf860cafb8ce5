/*
 * What the requests of both OpenAI interfaces, Chat Completions and Responses, have in common:
 * the members that are written alike (PROTOCOL.md §B.1).
 *
 * Every put_… function writes members of the object that is open, or nothing if there is nothing
 * to say.  Out of memory sticks in the writer's buffer.
 */
#ifndef OPENAI_PARAMETERS_H
#define OPENAI_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

struct claude_request;
struct json;
struct json_writer;
struct model_facts;
struct tool_names;
struct translate_target;

enum openai_interface { OPENAI_CHAT, OPENAI_RESPONSES };

/** max_tokens, clamped by the upstream's max-output-tokens and by what the model can give. */
int64_t openai_max_tokens(const struct claude_request *, const struct translate_target *);

/** temperature and top_p: as they were spelled, unless beyond what the service takes. */
void openai_put_sampling(struct json_writer *, const struct claude_request *);

/**
 * Who asks, as far as the service wants to know: of a person only a hash where it takes one, a
 * plain name where it does not; of a session the key to its cache.  ${user_id}: metadata.user_id,
 * or NULL.
 */
void openai_put_asker(struct json_writer *, const struct json *user_id, const struct model_facts *,
	enum openai_interface);

/** The tools, and what is only allowed beside tools: which of them to call, and whether at once. */
void openai_put_tools(struct json_writer *, const struct claude_request *, struct tool_names *,
	const struct model_facts *, enum openai_interface);

/** The arguments of a call: a string that contains the JSON text of ${input}. */
void openai_put_arguments(struct json_writer *, const struct json *input);

#endif

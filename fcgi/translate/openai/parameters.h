/*
 * What the requests of both OpenAI interfaces, Chat Completions and Responses, have in common:
 * which models think, how hard, and the members that are written alike (PROTOCOL.md §B.1).
 *
 * Every put_… function writes members of the object that is open, or nothing where there is nothing
 * to say.  Out of memory sticks in the writer's buffer.
 */
#ifndef OPENAI_PARAMETERS_H
#define OPENAI_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

struct claude_request;
struct json;
struct json_writer;
struct tool_names;
struct translate_target;

enum openai_interface { OPENAI_CHAT, OPENAI_RESPONSES };

/** Does the model think before it answers (o1, o3, …, gpt-5 and later, also behind a vendor/)? */
bool openai_is_reasoning_model(const char *model);

/** The effort that such a model is asked for; NULL: its own choice. */
const char *openai_effort(const struct claude_request *, const struct translate_target *);

/** max_tokens, clamped by the upstream's max-output-tokens. */
int64_t openai_max_tokens(const struct claude_request *, const struct translate_target *);

/** temperature and top_p: as they were spelled, unless beyond what the service takes. */
void openai_put_sampling(struct json_writer *, const struct claude_request *);

/** The user, at most 64 bytes and no half character. */
void openai_put_user(struct json_writer *, const struct json *user_id);

/** The tools, and what is only allowed beside tools: which of them to call, and whether at once. */
void openai_put_tools(struct json_writer *, const struct claude_request *, struct tool_names *,
	enum openai_interface);

/** The arguments of a call: a string that contains the JSON text of ${input}. */
void openai_put_arguments(struct json_writer *, const struct json *input);

#endif

/*
 * What the requests of both OpenAI interfaces, Chat Completions and Responses, have in common:
 * which models think, how hard, and the members that are written alike (PROTOCOL.md §B.1).
 *
 * Every write_… function appends `,"name":value`, or nothing where there is nothing to say.
 */
#ifndef OPENAI_PARAMETERS_H
#define OPENAI_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;
struct claude_request;
struct claude_tool;
struct json_object;
struct tool_names;
struct translate_target;

/** Does the model think before it answers (o1, o3, …, gpt-5 and later, also behind a vendor/)? */
bool openai_is_reasoning_model(const char *model);

/** The effort that such a model is asked for; NULL: its own choice. */
const char *openai_effort(const struct claude_request *, const struct translate_target *);

/** max_tokens, clamped by the upstream's max-output-tokens. */
int64_t openai_max_tokens(const struct claude_request *, const struct translate_target *);

/** `,"name":` */
void openai_write_name(struct buffer *, const char *name);
void openai_write_text(struct buffer *, const char *name, const char *text);

/** temperature and top_p: as they were spelled, unless beyond what the service takes. */
void openai_write_sampling(struct buffer *, const struct claude_request *);

/** The user, at most 64 bytes and no half character. */
void openai_write_user(struct buffer *, struct json_object *user_id);

/** The word for a tool choice, NULL: none is sent, or a function is named. */
const char *openai_tool_choice(const struct claude_request *);

/**
 * Name, description and schema of a function, without the brace before and after.  Return 0, or -1
 * if memory ran out.
 */
int openai_write_function(struct buffer *, const struct claude_tool *, struct tool_names *);

/** "data:<media type>;base64,…" or the URL of an image's or document's source, as a JSON string. */
void openai_write_data_url(struct buffer *, struct json_object *source);

#endif

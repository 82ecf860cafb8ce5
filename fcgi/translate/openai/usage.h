/*
 * What OpenAI's endpoints and the services that are compatible with them count, and where they tell
 * it (PROTOCOL.md §C.3).
 */
#ifndef OPENAI_USAGE_H
#define OPENAI_USAGE_H

struct json;
struct reader;

/** Take the usage that an answer or a chunk tells; NULL, or an object that tells nothing: nothing
 * changes. */
void openai_take_usage(struct reader *, const struct json *usage);

#endif

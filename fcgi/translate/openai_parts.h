/*
 * What a user says, in the parts that either OpenAI interface takes: texts, and files (PROTOCOL.md
 * §B.1 "Ordering", §B.3).
 */
#ifndef OPENAI_PARTS_H
#define OPENAI_PARTS_H

#include <stdbool.h>
#include <stddef.h>

struct api_error;
struct claude_calls;
struct json_object;

struct openai_part {
	char *text;                /* owned; NULL: a file */
	size_t length;             /* of the text, in bytes; not 0 */
	struct json_object *block; /* the image or document; lent */
};

struct openai_parts {
	struct openai_part *list;
	size_t count;
};

/**
 * Gather the parts of a user message in the place of those gathered before: first what belongs to
 * tool results and stands in no tool message, which are files and results that answer none of
 * ${calls}; then the rest, each in its order.  ${document_urls}: a document may be told by its URL.
 * Return 0, or -1 and what the client must be told.
 */
int openai_parts_gather(struct openai_parts *, struct json_object *content,
	const struct claude_calls *calls, bool document_urls, struct api_error *error);

/** Forget the parts; openai_parts_free the list, too. */
void openai_parts_clear(struct openai_parts *);
void openai_parts_free(struct openai_parts *);

#endif

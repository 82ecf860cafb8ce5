/*
 * Blocks of a checked Claude request as plain text, for services that know no such blocks.
 */
#ifndef CLAUDE_TEXT_H
#define CLAUDE_TEXT_H

#include <stdbool.h>

struct buffer;
struct json_object;

/** Is it a document whose content is text (source text or content), not a file? */
bool claude_document_is_text(struct json_object *document);

/** Append the document's text, headed by its title and context.  Return 0 or -1. */
int claude_write_document(struct buffer *, struct json_object *document);

/** Append title, source and content of a search result.  Return 0 or -1. */
int claude_write_search_result(struct buffer *, struct json_object *result);

/** Append all text blocks of the content (string or array), joined by ${between}.  Return 0 or -1.
 */
int claude_write_texts(struct buffer *, struct json_object *content, const char *between);

/** Append what a tool result says in text: its text, documents and search results.  Return 0 or -1.
 */
int claude_write_result_text(struct buffer *, struct json_object *tool_result);

/**
 * The same, with "Error: " before it where is_error says so and the text does not.  Return 0 or -1.
 */
int claude_write_tool_result(struct buffer *, struct json_object *tool_result);

#endif

/*
 * Blocks of a checked Claude request as plain text, for services that know no such blocks.  Each
 * function writes into a JSON string that the caller has opened (json_open_string): texts go over
 * as they came, without being decoded.  Out of memory sticks in the writer's buffer.
 */
#ifndef CLAUDE_TEXT_H
#define CLAUDE_TEXT_H

#include <stdbool.h>

struct claude_request;
struct json;
struct json_writer;

/** Is it a document whose content is text (source text or content), not a file? */
bool claude_document_is_text(const struct json *document);

/** The document's text, headed by its title and context. */
void claude_string_document(struct json_writer *, const struct json *document);

/** Title, source and content of a search result. */
void claude_string_search_result(struct json_writer *, const struct json *result);

/**
 * Titles and addresses of what a web search found, from a block web_search_tool_result, as
 * something that the assistant said; and whether there are any.
 */
void claude_string_found(struct json_writer *, const struct json *web_result);
bool claude_has_found(const struct json *web_result);

/** All text blocks of the content (string or array) that are not empty, joined by ${between}. */
void claude_string_texts(struct json_writer *, const struct json *content, const char *between);

/** A system turn in the middle as something that a user can say; nothing if it has no text. */
void claude_string_system_turn(struct json_writer *, const struct json *content);

/** What replaces an image or a document that the model cannot take. */
void claude_string_left_out(struct json_writer *, const struct json *block);

/* What only words can tell a service that has no member for it. */
struct claude_words {
	const struct json *format; /* the schema that the answer must match; NULL if nothing */
	bool no_search;            /* the web search that the client offers does not exist */
	bool no_fetch;             /* likewise the tool that reads a page */
	bool must_search;          /* a search is forced */
	const struct json *only;   /* the sites that a search is limited to; NULL if nothing */
	const struct json *never;  /* those that it must leave out; NULL if nothing */
};

/** Is there anything to tell? */
bool claude_has_words(const struct claude_words *);

/** The system prompt's blocks and then the words, joined by an empty line. */
void claude_string_instructions(
	struct json_writer *, const struct claude_request *, const struct claude_words *);

/** The words alone. */
void claude_string_words(struct json_writer *, const struct claude_words *);

/** What a tool result says in text: its text, documents and search results.  NULL stands for a
 * result that the client did not send, and says so. */
void claude_string_result(struct json_writer *, const struct json *tool_result);

/** Likewise, after "Error: " if is_error says so and the text does not. */
void claude_string_tool_result(struct json_writer *, const struct json *tool_result);

/** Is there a text block that is not empty in the content, or in the system prompt? */
bool claude_has_text(const struct json *content);
bool claude_has_system(const struct claude_request *);

#endif

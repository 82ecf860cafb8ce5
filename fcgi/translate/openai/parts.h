/*
 * What a user says, in the parts that either OpenAI interface takes: texts, and files (PROTOCOL.md
 * §B.1 "Ordering", §B.3).  A part refers to a block of the request, and is written from it when its
 * turn comes.
 */
#ifndef OPENAI_PARTS_H
#define OPENAI_PARTS_H

#include <stdbool.h>
#include <stddef.h>

struct api_error;
struct history_calls;
struct json;
struct json_writer;

enum openai_part_kind {
	OPENAI_PART_TEXT,
	OPENAI_PART_DOCUMENT_TEXT,
	OPENAI_PART_SEARCH_RESULT,
	OPENAI_PART_TOOL_RESULT,    /* it answers no call */
	OPENAI_PART_IMAGE_LABEL,    /* says which tool result the image after it belongs to */
	OPENAI_PART_DOCUMENT_LABEL, /* likewise */
	OPENAI_PART_FILE,           /* an image or a document; all others are texts, none empty */
};

struct openai_part {
	enum openai_part_kind kind;
	const struct json *block; /* of a label: the tool result; lent by the request */
	const char *call_id;      /* of a label: as the service knows the call, lent by the calls;
				     NULL: it knows none, so it is told the client's id */
};

/* Zero-initialised it is empty. */
struct openai_parts {
	struct openai_part *list;
	size_t count;
	size_t capacity;
	bool has_file;
};

/**
 * Gather the parts of a user message in the place of those gathered before: first what belongs to
 * tool results and stands in no tool message, then the rest in its order.  That is, of the ${first}
 * message of a turn, the files of all results that answer ${calls}, in the calls' order; and of
 * any, the results that answer none.  ${document_urls}: a document may be told by its URL.  Return
 * 0, or -1 and what the client must be told.
 */
int openai_parts_gather(struct openai_parts *, const struct json *content, bool first,
	const struct history_calls *calls, bool document_urls, struct api_error *error);

void openai_parts_free(struct openai_parts *);

/** The text of a part, into the string that is open. */
void openai_string_part(struct json_writer *, const struct openai_part *);

/** "data:<media type>;base64,…" or the URL of an image's or document's source, as a string. */
void openai_put_data_url(struct json_writer *, const struct json *source);

/** The name and the data of a document that is a file: members of the object that is open. */
void openai_put_file_members(struct json_writer *, const struct json *document);

#endif

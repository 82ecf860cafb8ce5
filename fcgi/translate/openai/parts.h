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
	OPENAI_PART_SYSTEM,         /* a system turn's content, where only a user may say it */
	OPENAI_PART_LEFT_OUT,       /* an image or a document that the model cannot take */
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

/* Zero-initialised but for what the user sets, it is empty. */
struct openai_parts {
	bool document_urls; /* a document may be told by its URL */
	unsigned fixes;     /* of enum translate_fix: which files are left out */
	struct openai_part *list;
	size_t count;
	size_t capacity;
	bool has_file;
	bool has_mark; /* a part asks to cache the prompt up to it */
};

/**
 * Gather the images and files of the results that answer ${calls}, which no tool message can
 * contain, in the order of the calls: at the beginning of the user turn after them.  Return 0, or
 * -1 and the error for the client.
 */
int openai_parts_gather_files(
	struct openai_parts *, const struct history_calls *calls, struct api_error *error);

/**
 * Gather the parts of a user message after those gathered before: first the results that answer
 * none of ${calls}, with their files; then the rest, each in its order.  As above.
 */
int openai_parts_gather(struct openai_parts *, const struct json *content,
	const struct history_calls *calls, struct api_error *error);

/** Gather a system turn as what a user says.  As above. */
int openai_parts_gather_system(
	struct openai_parts *, const struct json *content, struct api_error *error);

/** Forget them. */
void openai_parts_clear(struct openai_parts *);

void openai_parts_free(struct openai_parts *);

/** The text of a part, into the string that is open. */
void openai_string_part(struct json_writer *, const struct openai_part *);

/** cache_control, a member of the object that is open, where the client has put it on the part. */
void openai_put_cache_mark(struct json_writer *, const struct openai_part *);

/** "data:<media type>;base64,…" or the URL of an image's or document's source, as a string. */
void openai_put_data_url(struct json_writer *, const struct json *source);

/** The name and the data of a document that is a file: members of the object that is open. */
void openai_put_file_members(struct json_writer *, const struct json *document);

#endif

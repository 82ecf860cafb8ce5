/*
 * The request of the Claude Messages API: read and checked once, before any upstream is chosen, so
 * that the translators of every service type may rely on its shape (PROTOCOL.md §A).
 */
#ifndef CLAUDE_H
#define CLAUDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_error;
struct json_object;

enum { CLAUDE_LONGEST_MODEL = 256 }; /* bytes of a model's name */

enum claude_thinking {
	CLAUDE_THINKING_ABSENT,
	CLAUDE_THINKING_ENABLED,
	CLAUDE_THINKING_ADAPTIVE,
	CLAUDE_THINKING_DISABLED,
};

enum claude_tool_choice {
	CLAUDE_CHOICE_ABSENT,
	CLAUDE_CHOICE_AUTO,
	CLAUDE_CHOICE_ANY,
	CLAUDE_CHOICE_TOOL,
	CLAUDE_CHOICE_NONE,
};

/* The request.  Pointers are lent by ${body} or ${derived}, where nothing else is said. */
struct claude_request {
	struct json_object *body;    /* the whole request; owned */
	struct json_object *derived; /* lists that stand for some of it; owned; NULL: none */
	const char *text;            /* as it came; lent by the caller of claude_request_parse */
	size_t length;               /* of it, in bytes */
	const char *model;           /* as the client named it; not empty */
	int64_t max_tokens;          /* >= 1; 0 in a request to count tokens that says none */
	bool stream;
	struct json_object *messages;       /* array, not empty, every block checked */
	struct json_object *system;         /* string or array of text blocks; NULL: none */
	struct json_object *tools;          /* array of checked tools; NULL: none */
	struct json_object *stop_sequences; /* array of strings; NULL: none */
	struct json_object *temperature;    /* number; NULL: not said; as the next */
	struct json_object *top_p;
	struct json_object *top_k;
	struct json_object *user_id; /* metadata.user_id, a string; NULL: not said */
	enum claude_tool_choice tool_choice;
	const char *tool_choice_name; /* with CLAUDE_CHOICE_TOOL */
	bool disable_parallel_tool_use;
	enum claude_thinking thinking;
	int64_t thinking_budget; /* tokens, with CLAUDE_THINKING_ENABLED; 0: not said */
	const char *effort;      /* output_config.effort of the request or turn; NULL: not said */
	struct json_object
		*output_schema; /* of output_config.format or output_format; NULL: none */
};

/**
 * Parse a request body, and read what has to be known before an upstream is chosen: ${body},
 * ${text}, ${model} and ${stream}; nothing else is set.  Return 0 and the request (free with
 * claude_request_free), or -1 and a 400.
 */
int
claude_request_parse(const char *text, size_t length, struct claude_request *, struct api_error *);

enum claude_purpose { CLAUDE_TO_ANSWER, CLAUDE_TO_COUNT };

/**
 * Check a parsed request for an upstream of another service, and read the rest of it.  To count its
 * tokens, max_tokens may be absent.  Return 0, or -1 and a 400 whose message is `<path>: <what>`,
 * e.g. "messages.3.content.0.type: 'foo' is not supported".
 */
int claude_request_check(struct claude_request *, enum claude_purpose, struct api_error *);

void claude_request_free(struct claude_request *);

enum claude_role { CLAUDE_USER, CLAUDE_ASSISTANT, CLAUDE_SYSTEM };

/** The role of a checked message. */
enum claude_role claude_message_role(struct json_object *message);

enum claude_block {
	CLAUDE_TEXT,
	CLAUDE_IMAGE,
	CLAUDE_DOCUMENT,
	CLAUDE_SEARCH_RESULT,
	CLAUDE_TOOL_USE,
	CLAUDE_TOOL_RESULT,
	CLAUDE_THINKING,
	CLAUDE_REDACTED_THINKING,
	CLAUDE_TOOL_REFERENCE, /* a tool that a tool search has found */
	CLAUDE_TOOL_CHANGE,    /* a tool that is offered or withdrawn from here on */
	CLAUDE_SERVER_TOOL,    /* of a tool that Claude itself runs: dropped */
	CLAUDE_UNKNOWN,        /* never in a checked request */
};

/** The type of a content block. */
enum claude_block claude_block_type(struct json_object *block);

/**
 * Content as blocks, be it a string or an array: the number of blocks, and each of them.  A string
 * is one block, NULL none.  claude_content_block gives NULL for a string: its text is
 * claude_block_text(content).
 */
size_t claude_content_length(struct json_object *content);
struct json_object *claude_content_block(struct json_object *content, size_t index);

/** The string of a text block, or the string itself if ${block} is one; NULL: it is neither. */
struct json_object *claude_block_text(struct json_object *block);

/* A tool, whichever shape declared it. */
struct claude_tool {
	const char *name;
	struct json_object *description; /* string; NULL: none */
	struct json_object *schema;      /* object; NULL: see the next */
	const char *schema_text;         /* JSON of a tool whose schema is public; NULL: none */
	const char *description_text;    /* likewise */
	bool has_strict;
	bool strict;
};

/** Read a checked tool.  False: it is one that only Claude's own service can run. */
bool claude_tool_read(struct json_object *tool, struct claude_tool *);

/** Is it Claude's own web search, which other services have as well? */
bool claude_tool_is_web_search(struct json_object *tool);

#endif

/*
 * The request of the Claude Messages API.  It is parsed before an upstream is chosen, and checked
 * for an upstream that speaks another language, so that the translators may rely on its shape
 * (PROTOCOL.md §A).
 */
#ifndef CLAUDE_REQUEST_H
#define CLAUDE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json/json.h"

struct api_error;

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

/* The request.  Values are lent by ${index}, where nothing else is said. */
struct claude_request {
	struct json_document index; /* of the text; owned */
	const char *text;           /* as it came; lent by the caller of claude_request_parse */
	size_t length;              /* of it, in bytes */
	const struct json *body;    /* the whole request */
	char *model;                /* as the client named it; not empty; owned */
	int64_t max_tokens;         /* >= 1; 0 in a request to count tokens that says none */
	bool stream;

	/* What is in force for the answer (directives.h): every block and tool checked. */
	struct json_list messages; /* not empty */
	struct json_list system;   /* text blocks, or one string */
	struct json_list tools;

	const struct json *stop_sequences; /* array of strings; NULL if none */
	const struct json *temperature;    /* number; NULL if not set; as the next */
	const struct json *top_p;
	const struct json *top_k;
	const struct json *user_id; /* metadata.user_id, a string; NULL if not set */
	enum claude_tool_choice tool_choice;
	const struct json *tool_choice_name; /* with CLAUDE_CHOICE_TOOL */
	const struct json *web_search;       /* the tool of that kind; NULL if none is offered */
	bool forces_search;                  /* nothing else may be called */
	bool wants_search; /* it is all there is to call: an answer without one must say so */
	bool offers_fetch; /* Claude's own tool that reads a page, which no other service has */
	bool wants_fetch;  /* as wants_search */
	bool disable_parallel_tool_use;
	enum claude_thinking thinking;
	int64_t thinking_budget;   /* tokens, with CLAUDE_THINKING_ENABLED; 0 if not set */
	const struct json *effort; /* output_config.effort of request or turn; NULL if not set */
	const struct json *output_schema; /* output_config.format, output_format; NULL if none */
};

/**
 * Parse a request body, and read what has to be known before an upstream is chosen: ${index},
 * ${body}, ${text}, ${model} and ${stream}; nothing else is set.  Return 0 and the request (free
 * with claude_request_free), or -1 and a 400.
 */
int
claude_request_parse(const char *text, size_t length, struct claude_request *, struct api_error *);

enum claude_purpose { CLAUDE_TO_ANSWER, CLAUDE_TO_COUNT };

/**
 * Check a parsed request for an upstream of another service, and read the rest of it.  To count its
 * tokens, max_tokens may be absent.  Return 0, or -1 and a 400 whose message is `<path>: <what>`,
 * e.g. "messages.3.content.0.type: 'foo' is not supported".  It may be checked again, for the next
 * upstream that is tried.
 */
int claude_request_check(struct claude_request *, enum claude_purpose, struct api_error *);

void claude_request_free(struct claude_request *);

enum claude_role { CLAUDE_USER, CLAUDE_ASSISTANT, CLAUDE_SYSTEM };

/** The role of a checked message. */
enum claude_role claude_message_role(const struct json *message);

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
	CLAUDE_WEB_RESULT,     /* what a web search found */
	CLAUDE_SERVER_TOOL,    /* of another tool that Claude itself runs: dropped */
	CLAUDE_UNKNOWN,        /* never in a checked request */
};

/** The type of a content block. */
enum claude_block claude_block_type(const struct json *block);

/*
 * Content as blocks, be it a string, which is one block, or an array.  NULL has none.
 */
static inline const struct json *
claude_first_block(const struct json *content)
{
	return json_is_string(content) ? content : json_first(content);
}

static inline const struct json *
claude_next_block(const struct json *content, const struct json *block)
{
	return block == content ? NULL : json_next(block);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): what is declared cannot stand in parentheses. */
#define CLAUDE_EACH_BLOCK(block, content)                                                          \
	for (const struct json *block##_in = (content), *block = claude_first_block(block##_in);   \
		block != NULL; block = claude_next_block(block##_in, block))
/* NOLINTEND(bugprone-macro-parentheses) */

/** The string of a text block, or the string itself if ${block} is one; NULL if it is neither. */
const struct json *claude_block_text(const struct json *block);

/* A tool, whichever shape declared it. */
struct claude_tool {
	const struct json *name;
	const struct json *description; /* string; NULL if none */
	const struct json *schema;      /* object; NULL if the next is set */
	const char *schema_text;        /* JSON of a tool whose schema is public; NULL if none */
	const char *description_text;   /* likewise */
	bool has_strict;
	bool strict;
};

/** Read a checked tool.  False: it is one that only Claude's own service can run. */
bool claude_tool_read(const struct json *tool, struct claude_tool *);

/** Is it Claude's own web search, which other services have as well? */
bool claude_tool_is_web_search(const struct json *tool);

/** Is it Claude's own tool that reads a page of the web? */
bool claude_tool_is_web_fetch(const struct json *tool);

/** Is one function forced, and no tool of Claude's service? */
bool claude_forces_function(const struct claude_request *);

/** Is there a function among the tools, which other services can call? */
bool claude_has_functions(const struct claude_request *);

#endif

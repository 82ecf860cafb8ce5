/*
 * The writer of Claude's answer: a state machine that is told what came (text, thinking, a tool
 * call) and writes either the event stream or the whole message, each to the letter of PROTOCOL.md
 * §C.1 and §D.1. It opens and closes the content blocks itself, so no reader can break the grammar.
 */
#ifndef CLAUDE_WRITER_H
#define CLAUDE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "translate/tool_names.h"

struct api_error;
struct buffer;
struct json;

struct claude_usage {
	uint64_t input_tokens; /* without those read from the cache */
	uint64_t output_tokens;
	uint64_t cache_read_input_tokens;
	uint64_t cache_creation_input_tokens;
	bool input_known; /* the upstream said; else estimates */
	bool output_known;
};

struct claude_writer_options {
	const char *model;                 /* the name that the client asked for */
	const char *kind;                  /* goes into the signatures of thinking blocks */
	bool stream;                       /* events, or one message */
	bool hide_thinking;                /* drop thinking blocks */
	uint64_t estimated_input_tokens;   /* for message_start, and when the upstream never says */
	const char *const *stop_sequences; /* those to carry out here (stop_sequences.h), in UTF-8;
					      ends in NULL; NULL if none */
	bool searches; /* calls of CLAUDE_SEARCH_FUNCTION are searches that the proxy makes */
};

/* The function that a model calls for a search which the proxy makes. */
#define CLAUDE_SEARCH_FUNCTION "web_search"

struct claude_writer;

/**
 * A writer that appends to ${out}.  ${options} is copied, its strings too.  NULL if memory ran out.
 * Out of memory later sticks in ${out}->failed.
 */
struct claude_writer *claude_writer_new(const struct claude_writer_options *, struct buffer *out);
void claude_writer_free(struct claude_writer *);

/** Another upstream goes on with an answer, or a turn of one, that has no content yet.  Of the
 * options kind, hide_thinking and searches count.  Return 0, or -1 if memory ran out. */
int claude_writer_redirect(struct claude_writer *, const struct claude_writer_options *);

/** message_start and the first ping, unless already written.  Every other function does this by
 * itself. */
void claude_writer_start(struct claude_writer *);

/** The client got a message_start from another: go on after it. */
void claude_writer_resume(struct claude_writer *);

/** A ping event; in the whole-message form nothing. */
void claude_writer_ping(struct claude_writer *);

/**
 * More text, or more thinking: ${length} bytes of a JSON string's content, as it stands between the
 * quotes (json_content, json_write_escaped).  Nothing for length 0.
 */
void claude_writer_text(struct claude_writer *, const char *content, size_t length);
void claude_writer_thinking(struct claude_writer *, const char *content, size_t length);

/** Is a thinking block open?  A text block? */
bool claude_writer_is_thinking(const struct claude_writer *);
bool claude_writer_is_text(const struct claude_writer *);

/**
 * Did the text come to a stop sequence?  Then the answer is over, whatever else comes of it is not
 * written, and claude_writer_finish says so.
 */
bool claude_writer_is_stopped(const struct claude_writer *);

/** Is the client given no thinking? */
bool claude_writer_hides_thinking(const struct claude_writer *);

/** What the signature of the open (or else next) thinking block carries besides the kind: the text
 * of a JSON object, copied. */
void claude_writer_set_signature(struct claude_writer *, const char *members, size_t length);

/**
 * End the open thinking block with this signature; if none is open, write an empty one that has it.
 * False where the client is not given thinking blocks.
 */
bool claude_writer_sign(struct claude_writer *, const char *members, size_t length);

/**
 * A tool call begins: ${id} is the upstream's (may be NULL or unfit: then one is made), ${extra},
 * the text of a JSON value of ${extra_length} bytes (may be NULL), must come back with it.  The
 * input follows in pieces of JSON text (decoded, json.h).
 */
void claude_writer_tool_start(struct claude_writer *, const char *id, const char *name,
	const char *extra, size_t extra_length);
void claude_writer_tool_input(struct claude_writer *, const char *json, size_t length);

/** The tool call is whole; an empty input becomes {}.  Called implicitly when another block begins.
 */
void claude_writer_tool_end(struct claude_writer *);

/**
 * The web was searched for ${query}, the content of a JSON string ("": the upstream does not say
 * for what): the block server_tool_use, when it begins; and web_search_tool_result with ${results},
 * the text of a JSON array of blocks web_search_result, which counts in the usage, or of an error
 * object, which does not.
 */
void claude_writer_search_begin(struct claude_writer *, const char *query, size_t query_length);
void
claude_writer_search_end(struct claude_writer *, const char *results, size_t length, bool counts);

/* The most characters that a citation quotes. */
enum { CLAUDE_LONGEST_QUOTE = 150 };

/** The open text block cites a page: the text of a JSON object.  Nothing if none is open. */
void claude_writer_citation(struct claude_writer *, const char *citation, size_t length);

/** The client is here for a tool that the upstream does not have: unless the upstream turns out to
 * search, the content ends with a use of the tool that failed. */
void claude_writer_lack(struct claude_writer *, enum lacking_tool);

/*
 * An answer in several turns of the model, between which the proxy searches (option `searches`).  A
 * call of the search is not written, nor is what the model calls after it in the same turn.  Where
 * there was one, claude_writer_finish does not end the answer: then claude_writer_waits, and after
 * the searches (claude_writer_search_begin, _end) the model goes on, or the client's tools are.
 */
bool claude_writer_waits(const struct claude_writer *);

/** A search found this page: a text that names ${url} from now on cites it, as
 * cited_pages_add. */
void
claude_writer_page(struct claude_writer *, const char *url, const char *citation, size_t length);

/** The turn that has ended, as a whole message in which the calls of the search are blocks
 * `tool_use`.  Valid while it waits; failed: it is too long. */
const struct buffer *claude_writer_turn(const struct claude_writer *);

/** The model goes on: what claude_writer_redirect takes back begins here.  As that, and
 * estimated_input_tokens counts, too. */
int claude_writer_next_turn(struct claude_writer *, const struct claude_writer_options *);

/** Has the answer turns before this one? */
bool claude_writer_has_turns(const struct claude_writer *);

/** A block `tool_use` of the turn that was not written yet: the contents of id and name, and the
 * input as JSON. */
void claude_writer_late_tool(struct claude_writer *, const struct json *tool_use);

/** After the searches no further turn follows: end the answer. */
void claude_writer_end(struct claude_writer *, const char *stop_reason);

/** What the upstream counted so far; the last call counts. */
void claude_writer_set_usage(struct claude_writer *, const struct claude_usage *);

/**
 * The answer is whole: close what is open and write message_delta and message_stop, or the message.
 * ${stop_reason} by PROTOCOL.md §C.2, except that it is "tool_use" where the answer has a tool
 * block and was not cut, and only there.  ${stop_sequence} may be NULL.  Later calls write nothing.
 */
void
claude_writer_finish(struct claude_writer *, const char *stop_reason, const char *stop_sequence);

/** An `error` event, the last of the stream; open blocks stay open.  Only in the stream form. */
void claude_writer_error(struct claude_writer *, const struct api_error *);

/** Has message_start been written?  Content (any block) of this turn?  The end (finish or error)?
 */
bool claude_writer_started(const struct claude_writer *);
bool claude_writer_has_content(const struct claude_writer *);
bool claude_writer_ended(const struct claude_writer *);

/** Usage as told to the client, estimates filled in; valid after finish. */
const struct claude_usage *claude_writer_usage_told(const struct claude_writer *);

/** The stop reason that was told; NULL before finish. */
const char *claude_writer_stop_reason(const struct claude_writer *);

#endif

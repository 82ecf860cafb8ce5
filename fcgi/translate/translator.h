/*
 * One service type's translation, both directions, as a row of functions: what the upstream/service
 * table points to.  Pure: bytes and JSON in, bytes and JSON out; no sockets, no database, no clock.
 */
#ifndef TRANSLATOR_H
#define TRANSLATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "translate/model_facts.h"
#include "translate/tool_names.h"

struct api_error;
struct buffer;
struct claude_request;
struct reader_kind;

/* How a request is written differently, as refusals have taught (lesson.h). */
enum translate_fix {
	FIX_FORGET_THINKING = 1 << 0, /* nothing of what was thought before goes back */
	FIX_SYSTEM_FIRST = 1 << 1,    /* system turns only before all others, roles alternate */
	FIX_SYSTEM_AS_USER = 1 << 2,  /* no system turn at all */
	FIX_TEXT_IN_RESULT = 1 << 3,  /* no user turn right after a tool's result */
	FIX_NO_IMAGES = 1 << 4,       /* a sentence instead of each */
	FIX_NO_FILES = 1 << 5,        /* likewise */
	FIX_NO_FORMAT = 1 << 7,       /* the prompt describes the format of the answer */
	FIX_NO_SEARCH = 1 << 8,       /* the service's own search is not used */
	FIX_GIVE_THINKING = 1 << 6,   /* each turn of the assistant says what was thought, or "" */
};

/* Where a request goes, as far as its translation depends on it. */
struct translate_target {
	const char *model;         /* the upstream's name for the model: after the routes */
	int64_t max_output_tokens; /* clamps max_tokens; 0 if not */
	bool reasoning_off;        /* the upstream's option `reasoning off`: ask for none */
	struct model_facts facts;  /* what is known of it at its host (model_facts_find) */
	const char *origin;  /* marks what this upstream and model have carried through the client
				(round_trip.h); NULL: the translator's kind alone */
	bool builtin_search; /* CLAUDE_SEARCH_FUNCTION is the service's (HOST_BUILTIN_SEARCH) */
	unsigned fixes;      /* of enum translate_fix */
};

struct translator {
	const char *kind; /* marks what is carried through the client (translate/round_trip.h):
			     "openai" */
	enum tool_name_rule name_rule;

	/* The service speaks Claude's language: requests and answers are passed through, and there
	 * is no reader. */
	bool passes_through;

	/**
	 * Append the upstream's request body.  Names that had to change are remembered in
	 * ${names}.  The request was checked.
	 */
	int (*write_request)(const struct claude_request *, const struct translate_target *,
		struct tool_names *names, struct buffer *body, struct api_error *error);

	/** Does the service search the web by itself for this request, which offers a search? NULL:
	 * that is not ours to know. */
	bool (*has_search)(const struct claude_request *, const struct translate_target *);

	/** Append a request to count its tokens; NULL if the service counts
	 * none. */
	int (*write_count_request)(const struct claude_request *, const struct translate_target *,
		struct tool_names *names, struct buffer *body, struct api_error *error);

	/** The member of the answer to that which holds the count. */
	const char *count_member;

	/** What reads its answers (translate/answer/reader.h); NULL if they are passed through. */
	const struct reader_kind *reader;
};

/** What marks what is carried for the target: its origin, or else the kind. */
static inline const char *
translate_origin(const struct translate_target *target, const struct translator *translator)
{
	return target->origin != NULL ? target->origin : translator->kind;
}

extern const struct translator openai_chat;
extern const struct translator openai_responses;
extern const struct translator gemini;
extern const struct translator passthrough;

#endif

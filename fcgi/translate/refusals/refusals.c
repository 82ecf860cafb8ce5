/*
 * Refusals and what they teach; see refusals.h.
 */
#include "translate/refusals/refusals.h"

#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/buffer.h"
#include "translate/refusals/learn.h"
#include "translate/refusals/reading.h"

/* ---- the table ---- */

/* What a row leads to, and what its ${argument} is. */
enum kind {
	A_FIX,         /* the request is translated differently; the name of the fix */
	A_FIX_ONCE,    /* likewise, in this conversation only */
	A_LESSON,      /* the lesson itself, if it changes anything */
	A_LESSON_ONCE, /* likewise, for this request only */
	A_VALUE,       /* the words introduce the values that are taken */
	A_LENGTH,      /* a list or a text is too long */
	A_LIMIT,       /* a number is too large or too small */
	A_SEARCH,      /* the service has no web search */
	A_BETA,        /* a beta, or a header */
	A_MEMBER,      /* a member that is not known */
	AN_AUTH,       /* where the key is looked for */
};

/* The first row counts whose words all occur and that leads to a change. */
static const struct {
	enum kind kind;
	const char *words;
	const char *also; /* NULL if nothing else */
	const char *argument;
} rows[] = {
	/* Conversations that carry what another model, key or service has thought. */
	{A_FIX_ONCE, "invalid `signature`", NULL, "forget-thinking"},
	{A_FIX_ONCE, "invalid signature", "thinking", "forget-thinking"},
	{A_FIX_ONCE, "signature", "thinking block", "forget-thinking"},
	{A_FIX_ONCE, "expected `thinking`", NULL, "forget-thinking"},
	{A_FIX_ONCE, "must start with a thinking block", NULL, "forget-thinking"},
	{A_FIX_ONCE, "encrypted content", "could not be", "forget-thinking"},
	{A_FIX_ONCE, "encrypted_content", "invalid", "forget-thinking"},
	{A_FIX_ONCE, "thought_signature", NULL, "forget-thinking"},
	{A_FIX_ONCE, "thought signature", NULL, "forget-thinking"},
	{A_FIX_ONCE, "of type 'reasoning'", NULL, "forget-thinking"},
	{A_FIX_ONCE, "thinking block", "cannot be modified", "forget-thinking"},
	{A_FIX, "reasoning_content", "must be passed back", "give-thinking"},
	{A_FIX, "reasoning_content", "missing", "give-thinking"},

	/* Roles and their order. */
	{A_FIX, "system role", "not support", "system-as-user"},
	{A_FIX, "not support", "system messages", "system-as-user"},
	{A_FIX, "not support", "system prompt", "system-as-user"},
	{A_FIX, "not support", "system instruction", "system-as-user"},
	{A_FIX, "developer instruction is not enabled", NULL, "system-as-user"},
	{A_FIX, "after role 'tool'", NULL, "text-in-result"},
	{A_FIX, "after role `tool`", NULL, "text-in-result"},
	{A_FIX, "system message", "at the beginning", "system-first"},
	{A_FIX, "system message", "must be the first", "system-first"},
	{A_FIX, "system message", "first message", "system-first"},
	{A_FIX, "role 'system'", NULL, "system-first"},
	{A_FIX, "role 'system'", NULL, "system-as-user"},
	{A_FIX, "role \"system\"", NULL, "system-first"},
	{A_FIX, "role \"system\"", NULL, "system-as-user"},
	{A_FIX, ".role", "does not support 'system'", "system-as-user"},
	{A_FIX, ".role", "'user' or 'assistant'", "system-as-user"},
	{A_FIX, ".role", "\"system\"", "system-as-user"},
	{A_FIX, "roles must alternate", NULL, "system-first"},
	{A_FIX, "must alternate", "user", "system-first"},

	/* Blocks that a model cannot read. */
	{A_FIX, "at most 0 image", NULL, "no-images"},
	{A_FIX, "image", "not support", "no-images"},
	{A_FIX, "support image", NULL, "no-images"},
	{A_FIX, "unknown variant `image", NULL, "no-images"},
	{A_FIX, "image", "only supported by", "no-images"},
	{A_FIX, "vision", "not", "no-images"},
	{A_FIX, "multimodal", "not", "no-images"},
	{A_FIX, "unknown variant `file`", NULL, "no-files"},
	{A_FIX, "unknown variant `document`", NULL, "no-files"},
	{A_FIX, "document", "not support", "no-files"},
	{A_FIX, "file", "not support", "no-files"},
	{A_FIX, "pdf", "not support", "no-files"},

	/* Thinking, and what it can be combined with. */
	{A_LESSON, "tools with reasoning_effort are not supported", NULL,
		"with-tools reasoning_effort \"none\""},
	{A_LESSON, "not support the effort parameter", NULL, "drop output_config.effort"},
	{A_LESSON, "adaptive thinking is not supported", NULL, "drop thinking"},
	{A_LESSON_ONCE, "tool_choice", "thinking", "kinds thinking [\"disabled\"]"},
	{A_LESSON_ONCE, "tool_choice", "thinking", "drop tool_choice"},
	{A_LESSON, "tool_choice", "does not support", "drop tool_choice"},
	{A_LESSON, "set to 1 when thinking", NULL, "drop temperature"},
	{A_LESSON, "top_p", "both", "drop top_p"},
	{A_LESSON, "thinking mode", "only works", "drop generationConfig.thinkingConfig"},
	{A_LESSON, "thinking budget", "not supported", "drop generationConfig.thinkingConfig"},
	{A_LESSON, "thinking level", "not supported", "drop generationConfig.thinkingConfig"},
	{A_LESSON, "thinking", "cannot be disabled", "drop thinking"},
	{A_LESSON, "reasoning", "cannot be disabled", "drop reasoning"},
	{A_LESSON, "reasoning is mandatory", NULL, "drop reasoning"},
	{A_LESSON, "does not support thinking", NULL, "drop reasoning_effort"},
	{A_LESSON, "does not support thinking", NULL, "drop thinking"},
	{A_LESSON, "verified", "reasoning summar", "drop reasoning.summary"},
	{A_LESSON, "encrypted content is not supported", NULL, "drop include"},

	/* How the answer comes. */
	{A_LESSON, "only support stream", NULL, "put stream true"},
	{A_LESSON, "non-streaming", NULL, "put stream true"},
	{A_LESSON, "verified to stream", NULL, "drop stream"},

	/* The service's own web search, which some models and gateways lack. */
	{A_LESSON, "cannot be used with reasoning.effort", NULL,
		"choose reasoning.effort [\"low\",\"medium\",\"high\",\"xhigh\"]"},
	{A_LESSON, "web_search_call", NULL, "drop include"},
	{A_SEARCH, "search", NULL, NULL},
	{A_SEARCH, "tool", "function", NULL},

	/* The key and the headers. */
	{AN_AUTH, "bearer", NULL, "bearer"},
	{AN_AUTH, "authorization header", NULL, "bearer"},
	{AN_AUTH, "x-api-key", NULL, "x-api-key"},
	{A_BETA, "anthropic-beta", NULL, NULL},
	{A_BETA, "invalid beta", NULL, NULL},
	{A_BETA, "beta", "not support", NULL},
	{A_BETA, "beta", "unknown", NULL},
	{A_BETA, "beta", "unexpected", NULL},
	{A_BETA, "header", NULL, NULL},

	/* Limits. */
	{A_LENGTH, "maximum length", NULL, NULL},
	{A_LENGTH, "at most", "items", NULL},
	{A_LENGTH, "at most", "characters", NULL},
	{A_LIMIT, "at most", NULL, NULL},
	{A_LIMIT, "too large", NULL, NULL},
	{A_LIMIT, "less than or equal", NULL, NULL},
	{A_LIMIT, "greater than or equal", NULL, NULL},
	{A_LIMIT, "maximum", NULL, NULL},
	{A_LIMIT, "minimum", NULL, NULL},
	{A_LIMIT, "range", NULL, NULL},
	{A_LIMIT, "between", NULL, NULL},
	{A_LIMIT, "exceed", NULL, NULL},
	{A_LIMIT, "at least", NULL, NULL},
	{A_LIMIT, "larger than", NULL, NULL},
	{A_LIMIT, "greater than", NULL, NULL},
	{A_LIMIT, "lower than", NULL, NULL},

	/* Values, followed by the list of those that are taken. */
	{A_VALUE, "supported values", NULL, NULL},
	{A_VALUE, "supported string values", NULL, NULL},
	{A_VALUE, "accepted values", NULL, NULL},
	{A_VALUE, "allowed values", NULL, NULL},
	{A_VALUE, "valid values", NULL, NULL},
	{A_VALUE, "valid options", NULL, NULL},
	{A_VALUE, "possible values", NULL, NULL},
	{A_VALUE, "one of", NULL, NULL},
	{A_VALUE, ", expected", "unknown variant", NULL},
	{A_VALUE, "input should be", NULL, NULL},
	{A_VALUE, "expected tags", NULL, NULL},
	{A_VALUE, "must be", NULL, NULL},
	{A_VALUE, "is allowed", NULL, NULL},

	/* Members. */
	{A_MEMBER, "unsupported", NULL, NULL},
	{A_MEMBER, "not support", NULL, NULL},
	{A_MEMBER, "unknown", NULL, NULL},
	{A_MEMBER, "unrecognized", NULL, NULL},
	{A_MEMBER, "unrecognised", NULL, NULL},
	{A_MEMBER, "not permitted", NULL, NULL},
	{A_MEMBER, "not allowed", NULL, NULL},
	{A_MEMBER, "unexpected", NULL, NULL},
	{A_MEMBER, "extra_forbidden", NULL, NULL},
	{A_MEMBER, "extra fields", NULL, NULL},
	{A_MEMBER, "additional properties", NULL, NULL},
	{A_MEMBER, "not available", NULL, NULL},
	{A_MEMBER, "deprecated", NULL, NULL},
	{A_MEMBER, "only the default", NULL, NULL},
	{A_MEMBER, "no longer", NULL, NULL},
	{A_MEMBER, "cannot be used", NULL, NULL},
	{A_MEMBER, "may not be", NULL, NULL},
	{A_MEMBER, "match", "pattern", NULL},
};

static bool
learn(struct reading *r, size_t row, struct buffer *lesson)
{
	const char *words = rows[row].words;
	const char *argument = rows[row].argument;

	switch (rows[row].kind) {
	case A_FIX:
	case A_FIX_ONCE:
		return learn_fix(r, argument, lesson);
	case A_LESSON:
	case A_LESSON_ONCE:
		return learn_fixed(r, argument, lesson);
	case A_VALUE:
		return learn_values(r, words, lesson);
	case A_LENGTH:
		return learn_length(r, lesson);
	case A_LIMIT:
		return learn_limit(r, lesson);
	case A_SEARCH:
		return learn_no_search(r, lesson);
	case A_BETA:
		return learn_header(r, lesson);
	case A_MEMBER:
		return learn_member(r, words, lesson);
	case AN_AUTH:
		return learn_auth(r, argument, lesson);
	}
	return false;
}

/* Can the row explain a refusal with that status? */
static bool
goes_with(const struct reading *r, size_t row)
{
	enum kind kind = rows[row].kind;

	if ((r->said->status == 401) != (kind == AN_AUTH) ||
		(r->said->status == 404 && kind != A_FIX && kind != A_SEARCH))
		return false;
	return strcasestr(r->words, rows[row].words) != NULL &&
	       (rows[row].also == NULL || strcasestr(r->words, rows[row].also) != NULL);
}

static enum refusal_scope
find_lesson(struct reading *r, size_t *row, struct buffer *lesson)
{
	if (strncmp(r->said->message, "prompt is too long", 18) == 0)
		return REFUSAL_UNKNOWN;
	if (strstr(r->said->message, "exceed context limit:") != NULL)
		return (*row)++ == 0 ? learn_what_fits(r, lesson) : REFUSAL_UNKNOWN;
	while (*row < COUNT(rows)) {
		size_t i = (*row)++;
		buffer_clear(lesson);
		if (goes_with(r, i) && learn(r, i, lesson))
			return rows[i].kind == A_FIX_ONCE || rows[i].kind == A_LESSON_ONCE
				       ? REFUSAL_ONCE
				       : REFUSAL_LASTS;
	}
	return REFUSAL_UNKNOWN;
}

enum refusal_scope
refusal_find_lesson(const struct refusal_of_request *said, size_t *row, struct buffer *lesson)
{
	struct reading r;
	enum refusal_scope scope = REFUSAL_UNKNOWN;

	if (reading_begin(&r, said) == 0)
		scope = find_lesson(&r, row, lesson);
	reading_end(&r);
	if (scope == REFUSAL_UNKNOWN)
		buffer_clear(lesson);
	return scope;
}

bool
refusal_may_teach(int status)
{
	return status == 400 || status == 401 || status == 404;
}

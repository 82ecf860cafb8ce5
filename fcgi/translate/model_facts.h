/*
 * What is known beforehand of services and of their models: the hosts in one table, the models in
 * another, both in model_facts.c and nowhere else.  The translators look here, and know no names.
 *
 * A service is recognised by the host of its base URL, a model by the last part of its name without
 * vendor, tag and case; a name that is in no row gets what its family's newest generation takes.
 * What a row does not mention is not sent.
 */
#ifndef MODEL_FACTS_H
#define MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "translate/effort.h"

struct buffer;

/* The members that tell a Chat service whether and how hard to think. */
enum thinking_control {
	CONTROL_NONE,      /* nothing */
	CONTROL_EFFORT,    /* reasoning_effort */
	CONTROL_TYPE,      /* thinking: {type}, and reasoning_effort beside it */
	CONTROL_ENABLE,    /* enable_thinking and thinking_budget */
	CONTROL_REASONING, /* reasoning: {enabled}, {effort} or {max_tokens} */
	CONTROL_SWITCH,    /* reasoning: {enabled}, and reasoning_effort beside it */
	CONTROL_TEMPLATE,  /* chat_template_kwargs, and reasoning_effort beside it */
};

/* Likewise in Gemini's own interface. */
enum gemini_control { GEMINI_SAYS_NOTHING, GEMINI_BUDGET, GEMINI_LEVEL };

/* How a service searches the web by itself. */
enum search_form {
	SEARCH_NONE,
	SEARCH_TOOL,       /* Responses: a tool `web_search` */
	SEARCH_EXCLUDING,  /* likewise, with another name for the sites to leave out: xAI */
	SEARCH_ALWAYS,     /* Chat, as the rest: the model does, and takes web_search_options */
	SEARCH_OPENROUTER, /* a tool `openrouter:web_search` */
	SEARCH_GLM,        /* a tool `web_search` */
	SEARCH_SWITCH,     /* enable_search and search_options */
	SEARCH_GROQ,       /* a tool `browser_search` */
	SEARCH_UNASKED,    /* the model does by itself */
};

/* How a service is told who the user is. */
enum user_member { USER_NOT_TOLD, USER_PLAIN, USER_SAFETY_IDENTIFIER, USER_DEEPSEEK };

/* What a conversation needs that ends with the assistant. */
enum trailing_turn { TRAILING_TAKEN, TRAILING_PREFIX, TRAILING_PARTIAL, TRAILING_REFUSED };

/* What holds for a host, as bits. */
enum host_flag {
	HOST_SYSTEM_ANYWHERE = 1 << 0,   /* system turns in the middle, roles in any order */
	HOST_CACHE_KEY = 1 << 1,         /* knows prompt_cache_key in Chat */
	HOST_CACHE_CONTROL = 1 << 2,     /* uses cache_control in parts */
	HOST_BOTH_INTERFACES = 1 << 3,   /* Chat and Responses below one base URL */
	HOST_CLOSED_TOP = 1 << 4,        /* a tool's schema must not be a choice at its top */
	HOST_TYPE_IN_BRANCHES = 1 << 5,  /* no `type` beside `anyOf` in a schema */
	HOST_NO_STRICT = 1 << 6,         /* knows no strict tools */
	HOST_NO_TOOL_CHOICE = 1 << 7,    /* nor a tool_choice */
	HOST_NO_NAMED_CHOICE = 1 << 8,   /* a tool_choice that names a function is refused */
	HOST_NO_PARALLEL = 1 << 9,       /* nor parallel_tool_calls */
	HOST_BEARER = 1 << 10,           /* its Claude endpoint reads Authorization: Bearer */
	HOST_GOOGLE = 1 << 11,           /* Gemini's own service, not Vertex */
	HOST_PARSED_REASONING = 1 << 12, /* reasoning_format says where the thinking comes */
	HOST_NO_SEARCH = 1 << 13,        /* none in Responses either */
	HOST_VERTEX = 1 << 14,           /* Gemini at Vertex */
	HOST_EXCLUDES_SITES = 1 << 15,   /* SEARCH_EXCLUDING in Responses */
	HOST_TELLS_SOURCES = 1 << 16,    /* Responses tells all that a search found, if asked */
	HOST_SEARCH_MOVES = 1 << 17,     /* only Responses searches, and it is there for Chat */
	HOST_BUILTIN_SEARCH = 1 << 18,   /* Chat has a search that the model calls: it goes on when
					    it gets the arguments back */
	HOST_ONLY_AUTO_CHOICE = 1 << 21, /* a tool cannot be forced: it alone is offered */
	HOST_PLAIN_TOOLS = 1 << 22, /* its Claude endpoint knows no members of tools beyond Claude's
				       first ones */
	HOST_PHASES = 1 << 20,      /* takes the phases of model_row */
	HOST_NO_STREAM_OPTIONS = 1 << 19, /* tells a stream's usage unasked, and refuses to be */
};

/* What holds for a model, as bits. */
enum model_flag {
	MODEL_THINKS = 1 << 0,
	MODEL_CAN_BE_OFF = 1 << 1,      /* by its host's control */
	MODEL_OFF_BY_DEFAULT = 1 << 2,  /* thinks only when it is told to */
	MODEL_NO_SAMPLING = 1 << 3,     /* refuses temperature and top_p */
	MODEL_SAMPLES_AT_NONE = 1 << 4, /* takes them with the effort none */
	MODEL_NO_STOP = 1 << 5,
	MODEL_COMPLETION_LIMIT = 1 << 6,   /* max_completion_tokens */
	MODEL_RESPONSES_ONLY = 1 << 7,     /* not served by Chat */
	MODEL_TOOLS_BY_RESPONSES = 1 << 8, /* by Chat, but without tools */
	MODEL_TOOLS_AT_NONE = 1 << 9,      /* Chat takes tools with the effort none alone */
	MODEL_NO_SEARCH_AT_MINIMAL = 1 << 10,
	MODEL_WANTS_THINKING = 1 << 11,   /* reasoning_content on each assistant message */
	MODEL_REFUSES_THINKING = 1 << 12, /* in no form of what it thought before */
	MODEL_CHOOSES_AT_OFF = 1 << 13,   /* a tool is forced only while it does not think */
	MODEL_NO_REQUIRED = 1 << 14,      /* tool_choice "required" is refused */
	MODEL_STREAMS_ONLY = 1 << 15,
	MODEL_ADAPTIVE = 1 << 16,      /* the type of thinking is `adaptive`, not `enabled` */
	MODEL_OBJECT_FORMAT = 1 << 17, /* json_object in the place of json_schema */
	MODEL_NO_FORMAT = 1 << 18,     /* neither */
	MODEL_MISTRAL = 1 << 19,       /* ids of 9 characters, no user right after a result */
	MODEL_SIGNED_CALLS = 1 << 20,  /* Gemini, as the rest: the first call of a step is signed */
	MODEL_NO_PREFILL = 1 << 21,    /* a conversation that ends with the model is refused */
	MODEL_NO_INSTRUCTION = 1 << 22, /* systemInstruction is refused */
	MODEL_ONE_TOOL_KIND = 1 << 23,  /* search and functions exclude each other */
	MODEL_NO_FORMAT_BESIDE_TOOLS = 1 << 24,
	MODEL_EFFORT_ANYWHERE = 1 << 25, /* its efforts are known to hosts that are not */
	MODEL_TEMPLATE_SWITCH = 1 << 26, /* chat_template_kwargs switches its thinking */
	MODEL_UNKNOWN = 1 << 27,         /* nobody knows it */
	MODEL_SEARCHES = 1 << 28,        /* Chat models that search the web by themselves */
	MODEL_NO_SEARCH = 1 << 29,       /* no search in Responses, or in Gemini's interface */
	MODEL_BROWSES = 1 << 30,         /* takes SEARCH_GROQ */
};

struct host_facts {
	const char *name;
	const char *
		patterns; /* globs of host or host:port, with spaces between; NULL for all others */
	enum thinking_control control;
	enum user_member user;
	enum trailing_turn trailing;
	const char *limit;       /* the member for the output limit; NULL if the model decides */
	enum search_form search; /* in Chat */
	unsigned flags;          /* of enum host_flag */
};

struct model_row {
	const char *patterns; /* globs of names, with spaces between */
	const char *hosts;    /* names of the hosts that it holds for; NULL if all */
	unsigned efforts;     /* 1 << each enum effort that is taken; Gemini: levels */
	unsigned flags;       /* of enum model_flag */
	bool phases;          /* in Responses: marks what it says as commentary or final answer */
	enum gemini_control gemini;
	int32_t least_budget;  /* of thinking, in tokens; as the next */
	int32_t most_budget;   /* 0 if unknown */
	int32_t context;       /* window in tokens; 0 if unknown */
	int32_t output;        /* the most that may be requested, in tokens; 0 if unknown */
	int32_t streamed_more; /* likewise if the answer is streamed; 0 if no more */
};

struct model_facts {
	const struct host_facts *host;
	const struct model_row *model;
	bool no_search; /* the service's own must not be used */
};

/**
 * What is known of ${model} at the service with ${host} (`host` or `host:port`; NULL for a
 * service's own).  Never fails: the unknown has a row, too.
 */
struct model_facts model_facts_find(const char *host, const char *model);

/** Does all of ${flags} hold? */
static inline bool
model_facts_host_is(const struct model_facts *f, unsigned flags)
{
	return (f->host->flags & flags) == flags;
}

static inline bool
model_facts_is(const struct model_facts *f, unsigned flags)
{
	return (f->model->flags & flags) == flags;
}

/** How the model searches the web in Chat, and in Responses. */
enum search_form model_facts_chat_search(const struct model_facts *);
enum search_form model_facts_responses_search(const struct model_facts *);

/** Append `host`, or `host:port` if the URL names a port, in lower case.  Return 0 or -1. */
int model_facts_write_host(struct buffer *, const char *base_url);

#endif

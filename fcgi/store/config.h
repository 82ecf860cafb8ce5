/*
 * A snapshot of the configuration: immutable, counted by references, shared by threads.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum strategy { STRATEGY_ROUND_ROBIN, STRATEGY_RANDOM, STRATEGY_FAILOVER };

/* Longer than any service asks for, in ms: a week. */
enum { KEY_LONGEST_REST = 604800000 };

struct api_key {
	int64_t id;
	char *secret;    /* "" while its command has not printed one */
	char *command;   /* a shell command that prints the secret (upstream/key_command.h), or NULL
			  */
	int64_t expires; /* what it printed, in ms since 1970; 0: nothing */
	bool enabled;
	int64_t rests_until; /* ms since 1970; 0: ready */
	char *last_error;    /* NULL: none */
};

enum key_state { KEY_READY, KEY_RESTING, KEY_DISABLED };
enum { KEY_STATES = KEY_DISABLED + 1 };

/* A header that is sent as given. */
struct extra_header {
	char *name;
	char *value;
};

/* A member of the request's body that is set or removed (base/json/json_edit.h). */
struct body_member {
	char *path;
	char *value; /* JSON */
};

/* How a key is sent. */
enum auth { AUTH_BY_SERVICE, AUTH_BEARER, AUTH_X_API_KEY, AUTH_API_KEY };

/* Who searches the web for a model: the service where it can and else the proxy, one of them alone,
 * or nobody. */
enum search_by { SEARCH_BY_ANY, SEARCH_BY_SERVICE, SEARCH_BY_PROXY, SEARCH_OFF };

/* `claude-proxy-admin set` (SPEC §5 "Options of an upstream"); absent ones are NULL or 0. */
struct upstream_options {
	int64_t max_output_tokens;
	int64_t timeout; /* ms */
	bool reasoning_off;
	bool images_off; /* models get a sentence in the place of each image */
	enum auth auth;
	enum search_by search;
	char *beta;     /* "none", or those withheld from the anthropic-beta header: "-a,-b" */
	char *proxy;    /* curl proxy URL */
	char *fallback; /* name of an upstream */
	struct extra_header *headers;
	size_t header_count;
	struct body_member *body;
	size_t body_count;
};

/* The proxy's own web search (upstream/search.h). */
struct search_config {
	char *provider; /* "searxng" and so on; NULL: there is none */
	char *url;      /* where it is; "": where the provider always is; as the next, NULL only
			   without a provider */
	char *key;      /* a secret; "": none */
};

/* What a refusal has taught (translate/lesson.h). */
struct lesson {
	char *model; /* as the upstream calls it */
	char *text;
	int64_t learned; /* ms since 1970 */
	int64_t times;   /* that it was refused */
};

/* How long a lesson counts, in ms: 30 days. */
#define LESSON_LASTS INT64_C(2592000000)

struct upstream {
	int64_t id;
	char *name;
	char *base_url;
	char *service_type;
	struct api_key *keys; /* in the order in which they were added */
	size_t key_count;
	struct upstream_options options;
	struct lesson *lessons; /* those that counted when the snapshot was made */
	size_t lesson_count;
	_Atomic(char *) *message_url; /* where messages go: upstream_request.c stores it here once,
					 NULL until then; both owned.  NULL: nobody keeps it */
};

struct route {
	int64_t id;
	char *pattern; /* glob of model names */
	char *model;
	const struct upstream *upstream; /* NULL: the current one */
};

struct config {
	atomic_int references;
	struct upstream *upstreams; /* in the order in which they were added; the index is the
				       position from 0 */
	size_t upstream_count;
	const struct upstream *current; /* NULL: there is none */
	struct route *routes;           /* in order of precedence */
	size_t route_count;
	bool has_strategy; /* stored by `balance`; or LOAD_BALANCE_STRATEGY applies */
	enum strategy strategy;
	int64_t reloads; /* grows when every process is to read its settings again */
	struct search_config search;
};

/** Another reference, and giving one back: the last frees.  NULL is allowed in config_release. */
struct config *config_retain(struct config *);
void config_release(struct config *);

/** By id.  NULL: none. */
const struct upstream *config_find_upstream_by_id(const struct config *, int64_t id);

/** By name, or by index in decimal ("0"); a name wins.  NULL: none. */
const struct upstream *config_find_upstream(const struct config *, const char *name_or_index);

/* In the database, and in exported files, the key of a command is this and the command. */
enum { KEY_COMMAND_MARK = '!' };

/** By the key itself, or by index.  NULL: none. */
const struct api_key *upstream_find_key(const struct upstream *, const char *key_or_index);

/** The first key that is enabled, or NULL. */
const struct api_key *upstream_enabled_key(const struct upstream *);

/** What the key is at ${now} (ms since 1970); "ready" and so on. */
enum key_state api_key_state(const struct api_key *, int64_t now);
const char *key_state_name(enum key_state);

/** The position of the route with that pattern, or of that index; SIZE_MAX: none. */
size_t config_route_index(const struct config *, const char *pattern_or_index);

/** The first route whose pattern matches the model's name, or NULL. */
const struct route *config_find_route(const struct config *, const char *model);

/** The first of those that name the upstream, or NULL. */
const struct route *
config_find_route_to(const struct config *, const char *model, const struct upstream *);

/**
 * The earlier route that takes every name which the ${index}th could, so that this one is never
 * used; NULL if there is none.  A route to a fallback is used by the fallback, whatever comes first
 * for other upstreams.
 */
const struct route *config_shadowing_route(const struct config *, size_t index);

/** The strategy in force: the stored one, else the ${preset} one (LOAD_BALANCE_STRATEGY).
 * ${config} may be NULL. */
const char *config_strategy_name(const struct config *, const char *preset);

/** "round-robin" and so on; and back: 0, or -1 for an unknown name. */
const char *strategy_name(enum strategy);
int strategy_parse(const char *name, enum strategy *);

#endif

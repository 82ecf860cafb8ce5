/*
 * The SQLite database that the responder and claude-proxy-admin share: configuration, what requests
 * change (counters, pauses of keys, rate windows), usage and totals (SPEC §5, schema.sql).
 *
 * Reading gives an immutable snapshot that is cached in memory and made anew when another
 * connection has committed a change of the configuration; a change is one transaction and in force
 * for the next snapshot of every process.  Thread-safe: one connection reads and one writes, each
 * behind a mutex.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/config.h"

struct store;

enum store_result {
	STORE_OK,
	STORE_NOT_FOUND, /* what was named is not there */
	STORE_EXISTS,    /* it is there already */
	STORE_FAILED,    /* the database failed (logged) */
};

/**
 * Open the database, creating it (mode 0600, missing folders 0700) and migrating an older one. WAL,
 * or where the file system refuses it a rollback journal.  NULL if it cannot be used (logged, with
 * what to do).
 */
struct store *store_open(const char *path);
void store_close(struct store *);

/** The version of SQLite. */
const char *store_library_version(void);

/** The path it was opened with. */
const char *store_path(const struct store *);

/**
 * The configuration in force: a reference that the caller gives back with config_release.  Where
 * the database cannot be read (logged) it is the last that could; NULL if none could yet.
 */
struct config *store_config(struct store *);

/** Can the database be read now? */
bool store_is_readable(struct store *);

/*
 * Counters: what requests change.  Each is one small transaction.  Where the database cannot be
 * written (logged now and then) they give STORE_FAILED, and requests go on without them.
 */

/** The next value of the upstream's rotation counter, exact over all processes: 0, 1, 2, … */
enum store_result store_rotate(struct store *, int64_t upstream_id, uint64_t *count);

/**
 * Pause a key until ${until} (ms since 1970), unless it is paused that long already, and remember
 * why.
 */
enum store_result
store_rest_key(struct store *, int64_t key_id, int64_t until, const char *last_error);

/**
 * Count one more request of ${client} at ${now} (ms since 1970) in its window of ${window} ms,
 * which begins with its first request; exact over all processes.  ${count} is the number with this
 * one, ${ends} the end of the window.
 */
enum store_result store_count_request(struct store *, const char *client, int64_t now,
	int64_t window, int64_t *count, int64_t *ends);

/** Keep what a key's command printed, which expires at ${expires} (ms since 1970), for every
 * process; and forget it. */
enum store_result
store_save_token(struct store *, int64_t key_id, const char *token, int64_t expires);
enum store_result store_forget_token(struct store *, int64_t key_id);

/** One thread of this process at a time runs commands.  ${wait}: until it is our turn.  Return 0,
 * or -1 if it is another's. */
int store_lock_tokens(struct store *, bool wait);
void store_unlock_tokens(struct store *);

/** Tell every process to read its settings again: config.reloads grows. */
enum store_result store_announce_reload(struct store *);

/**
 * Store what a refusal of an upstream has taught, or that it was taught again; ${is_new}: it was
 * not known.  The oldest lessons of an upstream make room for more than it should need.
 */
enum store_result store_learn(
	struct store *, int64_t upstream_id, const char *model, const char *lesson, bool *is_new);

/** Forget a lesson that turned out to be none, or (NULL) all those of an upstream, or (0) of all;
 * ${count} (may be NULL) is how many there were. */
enum store_result
store_forget_lessons(struct store *, int64_t upstream_id, const char *lesson, size_t *count);

/* Changes.  Each is one transaction.  Upstreams and keys are named by their ids of a snapshot. */
enum store_result store_add_upstream(
	struct store *, const char *name, const char *base_url, const char *service_type);
enum store_result store_remove_upstream(struct store *, int64_t upstream_id);
enum store_result store_use_upstream(struct store *, int64_t upstream_id);
/** Set an option, or with ${value} NULL remove it (STORE_NOT_FOUND where there was none). */
enum store_result
store_set_option(struct store *, int64_t upstream_id, const char *option, const char *value);
/** Add all ${count} keys, those that are there already excepted; ${added} counts the new ones. */
enum store_result store_add_keys(
	struct store *, int64_t upstream_id, const char *const *keys, size_t count, size_t *added);
enum store_result store_remove_key(struct store *, int64_t key_id);
enum store_result store_enable_key(struct store *, int64_t key_id, bool enabled);
enum store_result store_set_strategy(struct store *, enum strategy);
/** Set the proxy's own web search, as struct search_config has it; or with ${provider} NULL remove
 * it (STORE_NOT_FOUND where there was none). */
enum store_result
store_set_search(struct store *, const char *provider, const char *url, const char *key);
/** Add a route; ${upstream_id} 0: the current upstream's.  It comes before the route ${before_id},
 * or last with 0. */
enum store_result store_add_route(struct store *, const char *pattern, const char *model,
	int64_t upstream_id, int64_t before_id);
/** Let a route lead to another model, and unless ${before_id} is 0 move it before that route. */
enum store_result
store_change_route(struct store *, int64_t route_id, const char *model, int64_t before_id);
/** Move a route before the route ${before_id}, or to the end with 0. */
enum store_result store_move_route(struct store *, int64_t route_id, int64_t before_id);
enum store_result store_remove_route(struct store *, int64_t route_id);
enum store_result store_clear(struct store *);

#endif

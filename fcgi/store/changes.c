/*
 * Changes of the configuration.  Each is one transaction that is on the disk when it returns: what
 * the admin command reported survives a power cut.
 */
#include <stdio.h>
#include <string.h>

#include "store/database.h"

enum store_result
database_settle_current(struct store *s)
{
	enum store_result result = database_run(s,
		"DELETE FROM settings WHERE name = 'current_upstream' AND CAST(value AS INTEGER) "
		"NOT IN "
		"(SELECT id FROM upstreams)",
		"");

	if (result == STORE_FAILED)
		return result;
	return database_unless_failed(database_run(s,
		"INSERT OR IGNORE INTO settings SELECT 'current_upstream', CAST(min(id) AS TEXT) "
		"FROM upstreams "
		"HAVING count(*) > 0",
		""));
}

/* Tokens whose keys are gone. */
static enum store_result
forget_tokens(struct store *s)
{
	return database_unless_failed(database_run(s,
		"DELETE FROM settings WHERE name LIKE 'token:%' AND "
		"CAST(substr(name, 7) AS INTEGER) NOT IN (SELECT id FROM api_keys)",
		""));
}

enum store_result
store_add_upstream(
	struct store *s, const char *name, const char *base_url, const char *service_type)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	enum store_result result = database_run(s,
		"INSERT INTO upstreams (name, base_url, service_type) VALUES (?, ?, ?)", "sss",
		name, base_url, service_type);
	if (result == STORE_OK)
		result = database_settle_current(s);
	return database_end(s, result);
}

enum store_result
store_remove_upstream(struct store *s, int64_t upstream_id)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	enum store_result result = database_unless_failed(database_run(s,
		"DELETE FROM upstream_options WHERE name = 'fallback' AND value = "
		"(SELECT name FROM upstreams WHERE id = ?)",
		"i", upstream_id));
	if (result == STORE_OK)
		result = database_run(s, "DELETE FROM upstreams WHERE id = ?", "i", upstream_id);
	if (result == STORE_OK)
		result = forget_tokens(s);
	if (result == STORE_OK)
		result = database_settle_current(s);
	return database_end(s, result);
}

enum store_result
store_use_upstream(struct store *s, int64_t upstream_id)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	return database_end(
		s, database_run(s,
			   "INSERT INTO settings SELECT 'current_upstream', CAST(id AS TEXT) "
			   "FROM upstreams WHERE id = ? "
			   "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
			   "i", upstream_id));
}

enum store_result
store_set_option(struct store *s, int64_t upstream_id, const char *option, const char *value)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	/* Headers have the same name in any case. */
	enum store_result result = database_run(s,
		"DELETE FROM upstream_options WHERE upstream_id = ? AND name = ? COLLATE NOCASE",
		"is", upstream_id, option);
	if (value == NULL || result == STORE_FAILED)
		return database_end(s, result);
	return database_end(s, database_run(s, "INSERT INTO upstream_options VALUES (?, ?, ?)",
				       "iss", upstream_id, option, value));
}

enum store_result
store_add_keys(
	struct store *s, int64_t upstream_id, const char *const *keys, size_t count, size_t *added)
{
	enum store_result result = STORE_OK;

	*added = 0;
	if (database_begin(s) != 0)
		return STORE_FAILED;
	for (size_t i = 0; i < count; i++) {
		result = database_run(s, "INSERT INTO api_keys (upstream_id, secret) VALUES (?, ?)",
			"is", upstream_id, keys[i]);
		if (result == STORE_OK)
			(*added)++;
		else if (result != STORE_EXISTS)
			return database_end(s, result);
	}
	return database_end(s, STORE_OK);
}

enum store_result
store_remove_key(struct store *s, int64_t key_id)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	enum store_result result = database_run(
		s, "DELETE FROM api_keys WHERE id = ?", "i", key_id);
	if (result == STORE_OK)
		result = forget_tokens(s);
	return database_end(s, result);
}

enum store_result
store_enable_key(struct store *s, int64_t key_id, bool enabled)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	/* Whoever enables a key wants it used now: that also ends its pause. */
	return database_end(
		s, database_run(s, "UPDATE api_keys SET enabled = ?, rests_until = 0 WHERE id = ?",
			   "ii", (int64_t)enabled, key_id));
}

enum store_result
store_save_token(struct store *s, int64_t key_id, const char *token, int64_t expires)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	return database_end(s,
		database_run(s,
			"INSERT INTO settings SELECT 'token:' || id, ? || ' ' || ? FROM api_keys "
			"WHERE id = ? ON CONFLICT (name) DO UPDATE SET value = excluded.value",
			"isi", expires, token, key_id));
}

enum store_result
store_forget_token(struct store *s, int64_t key_id)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	return database_end(
		s, database_unless_failed(database_run(
			   s, "DELETE FROM settings WHERE name = 'token:' || ?", "i", key_id)));
}

int
store_lock_tokens(struct store *s, bool wait)
{
	int status = wait ? pthread_mutex_lock(&s->token_lock)
			  : pthread_mutex_trylock(&s->token_lock);

	return status == 0 ? 0 : -1;
}

void
store_unlock_tokens(struct store *s)
{
	pthread_mutex_unlock(&s->token_lock);
}

enum store_result
store_set_strategy(struct store *s, enum strategy strategy)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	return database_end(s, database_run(s,
				       "INSERT INTO settings VALUES ('strategy', ?) "
				       "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
				       "s", strategy_name(strategy)));
}

enum store_result
database_put_search(struct store *s, const char *provider, const char *url, const char *key)
{
	enum store_result result = database_run(
		s, "DELETE FROM settings WHERE name LIKE 'search.%'", "");

	if (provider == NULL || result == STORE_FAILED)
		return result;
	return database_run(s,
		"INSERT INTO settings VALUES ('search.provider', ?), ('search.url', ?), "
		"('search.key', ?)",
		"sss", provider, url, key);
}

enum store_result
store_set_search(struct store *s, const char *provider, const char *url, const char *key)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	return database_end(s, database_put_search(s, provider, url, key));
}

/* The id of the last route; 0: there is none, or it cannot be read. */
static int64_t
last_route(struct store *s)
{
	sqlite3_stmt *statement = NULL;
	int64_t id = 0;

	if (database_prepare(s->writer, s->path, "SELECT max(id) FROM routes", &statement) == 0 &&
		sqlite3_step(statement) == SQLITE_ROW)
		id = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return id;
}

/* Put the last route before ${before_id}: that one and all between move after it, one by one. */
static enum store_result
place_last(struct store *s, int64_t before_id)
{
	int64_t last = last_route(s);
	enum store_result result = before_id != 0 ? STORE_OK : STORE_NOT_FOUND;

	while (result == STORE_OK)
		result = database_run(s,
			"UPDATE routes SET id = (SELECT max(id) + 1 FROM routes) WHERE id = "
			"(SELECT min(id) FROM routes WHERE id >= ? AND id < ?)",
			"ii", before_id, last);
	return database_unless_failed(result);
}

enum store_result
store_add_route(struct store *s, const char *pattern, const char *model, int64_t upstream_id,
	int64_t before_id)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	enum store_result result = database_run(s,
		"INSERT INTO routes (pattern, model, upstream_id) VALUES (?, ?, nullif(?, 0))",
		"ssi", pattern, model, upstream_id);
	if (result == STORE_OK)
		result = place_last(s, before_id);
	return database_end(s, result);
}

/* Within a transaction. */
static enum store_result
move_route(struct store *s, int64_t route_id, int64_t before_id)
{
	if (before_id == route_id)
		return STORE_OK;
	enum store_result result = database_run(s,
		"UPDATE routes SET id = (SELECT max(id) + 1 FROM routes) WHERE id = ?", "i",
		route_id);
	return result == STORE_OK ? place_last(s, before_id) : result;
}

enum store_result
store_change_route(struct store *s, int64_t route_id, const char *model, int64_t before_id)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	enum store_result result = database_run(
		s, "UPDATE routes SET model = ? WHERE id = ?", "si", model, route_id);
	if (result == STORE_OK && before_id != 0)
		result = move_route(s, route_id, before_id);
	return database_end(s, result);
}

enum store_result
store_move_route(struct store *s, int64_t route_id, int64_t before_id)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	return database_end(s, move_route(s, route_id, before_id));
}

enum store_result
store_remove_route(struct store *s, int64_t route_id)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	return database_end(s, database_run(s, "DELETE FROM routes WHERE id = ?", "i", route_id));
}

enum store_result
store_clear(struct store *s)
{
	/* The number of reloads goes on: a process that saw one of them would miss the next. */
	static const char *const tables[] = {"DELETE FROM routes", "DELETE FROM upstreams",
		"DELETE FROM settings WHERE name <> 'reloads'"};
	enum store_result result = STORE_OK;

	if (database_begin(s) != 0)
		return STORE_FAILED;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && result == STORE_OK; i++)
		result = database_unless_failed(database_run(s, tables[i], ""));
	return database_end(s, result);
}

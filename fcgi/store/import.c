/*
 * A configuration that comes as a whole; see import.h.
 */
#include "store/import.h"

#include "store/database.h"

static enum store_result
import_keys(struct store *s, const struct import_upstream *u)
{
	enum store_result result = STORE_OK;

	for (size_t i = 0; i < u->key_count && result == STORE_OK; i++) {
		result = database_unless_failed(database_run(s,
			"INSERT INTO api_keys (upstream_id, secret) SELECT id, ? FROM upstreams "
			"WHERE name = ? ON CONFLICT DO NOTHING",
			"ss", u->keys[i].secret, u->name));
		if (result == STORE_OK && u->keys[i].disabled)
			result = database_run(s,
				"UPDATE api_keys SET enabled = 0 WHERE secret = ? AND upstream_id "
				"= (SELECT id FROM upstreams WHERE name = ?)",
				"ss", u->keys[i].secret, u->name);
	}
	return result;
}

static enum store_result
import_options(struct store *s, const struct import_upstream *u)
{
	enum store_result result = STORE_OK;

	for (size_t i = 0; i < u->option_count && result == STORE_OK; i++) {
		/* Headers have the same name in any case. */
		result = database_unless_failed(database_run(s,
			"DELETE FROM upstream_options WHERE name = ? COLLATE NOCASE AND "
			"upstream_id = (SELECT id FROM upstreams WHERE name = ?)",
			"ss", u->options[i].name, u->name));
		if (result == STORE_OK)
			result = database_run(s,
				"INSERT INTO upstream_options SELECT id, ?, ? FROM upstreams WHERE "
				"name = ?",
				"sss", u->options[i].name, u->options[i].value, u->name);
	}
	return result;
}

static enum store_result
import_upstream(struct store *s, const struct import_upstream *u)
{
	enum store_result result = database_run(s,
		"INSERT INTO upstreams (name, base_url, service_type) VALUES (?, ?, ?) "
		"ON CONFLICT (name) DO UPDATE SET base_url = excluded.base_url, "
		"service_type = excluded.service_type",
		"sss", u->name, u->base_url, u->service_type);

	if (result == STORE_OK)
		result = import_keys(s, u);
	return result == STORE_OK ? import_options(s, u) : result;
}

static enum store_result
import_route(struct store *s, const struct import_route *r)
{
	return database_unless_failed(database_run(s,
		"INSERT INTO routes (pattern, model, upstream_id) "
		"SELECT ?1, ?2, (SELECT id FROM upstreams WHERE name = ?3) WHERE NOT EXISTS "
		"(SELECT 1 FROM routes WHERE pattern = ?1 AND model = ?2 AND upstream_id IS "
		"(SELECT id FROM upstreams WHERE name = ?3))",
		"sss", r->pattern, r->model, r->upstream));
}

static enum store_result
import_settings(struct store *s, const struct import *import)
{
	enum store_result result = STORE_OK;

	if (import->current != NULL)
		result = database_run(s,
			"INSERT INTO settings SELECT 'current_upstream', CAST(id AS TEXT) FROM "
			"upstreams WHERE name = ? "
			"ON CONFLICT (name) DO UPDATE SET value = excluded.value",
			"s", import->current);
	if (result == STORE_OK && import->strategy != NULL)
		result = database_run(s,
			"INSERT INTO settings VALUES ('strategy', ?) "
			"ON CONFLICT (name) DO UPDATE SET value = excluded.value",
			"s", import->strategy);
	if (result == STORE_OK && import->search != NULL)
		result = database_put_search(
			s, import->search, import->search_url, import->search_key);
	return result == STORE_OK ? database_settle_current(s) : result;
}

enum store_result
store_import(struct store *s, const struct import *import)
{
	enum store_result result = STORE_OK;

	if (database_begin(s) != 0)
		return STORE_FAILED;
	for (size_t i = 0; i < import->upstream_count && result == STORE_OK; i++)
		result = import_upstream(s, &import->upstreams[i]);
	for (size_t i = 0; i < import->route_count && result == STORE_OK; i++)
		result = import_route(s, &import->routes[i]);
	if (result == STORE_OK)
		result = import_settings(s, import);
	return database_end(s, result);
}

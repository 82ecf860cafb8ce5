/*
 * The configuration, read from the database into a snapshot.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "store/database.h"
#include "store/options.h"

/* Called for each row.  Return 0, or -1 if memory ran out. */
typedef int row_taker(struct config *, sqlite3_stmt *);

static char *
copy_text(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text != NULL ? strdup(text) : NULL;
}

/* While the snapshot is made it may still be changed. */
static struct upstream *
find_by_id(struct config *config, int64_t id)
{
	return (struct upstream *)config_find_upstream_by_id(config, id);
}

static int
take_upstream(struct config *config, sqlite3_stmt *row)
{
	struct upstream *u = array_add(
		&config->upstreams, &config->upstream_count, sizeof(*config->upstreams));

	if (u == NULL)
		return -1;
	u->id = sqlite3_column_int64(row, 0);
	u->name = copy_text(row, 1);
	u->base_url = copy_text(row, 2);
	u->service_type = copy_text(row, 3);
	u->message_url = calloc(1, sizeof(*u->message_url));
	return u->name != NULL && u->base_url != NULL && u->service_type != NULL &&
			       u->message_url != NULL
		       ? 0
		       : -1;
}

static int
take_secret(struct api_key *key, const char *text)
{
	bool command = text != NULL && text[0] == KEY_COMMAND_MARK;

	key->secret = text != NULL ? strdup(command ? "" : text) : NULL;
	key->command = command ? strdup(text + 1) : NULL;
	return key->secret != NULL && (!command || key->command != NULL) ? 0 : -1;
}

static int
take_key(struct config *config, sqlite3_stmt *row)
{
	struct upstream *u = find_by_id(config, sqlite3_column_int64(row, 1));

	if (u == NULL)
		return 0;
	struct api_key *key = array_add(&u->keys, &u->key_count, sizeof(*u->keys));
	if (key == NULL)
		return -1;
	key->id = sqlite3_column_int64(row, 0);
	if (take_secret(key, (const char *)sqlite3_column_text(row, 2)) != 0)
		return -1;
	key->enabled = sqlite3_column_int(row, 3) != 0;
	key->rests_until = sqlite3_column_int64(row, 4);
	key->last_error = copy_text(row, 5);
	return 0;
}

static int
take_option(struct config *config, sqlite3_stmt *row)
{
	struct upstream *u = find_by_id(config, sqlite3_column_int64(row, 0));
	const char *name = (const char *)sqlite3_column_text(row, 1);
	const char *value = (const char *)sqlite3_column_text(row, 2);

	if (u == NULL)
		return 0;
	return name != NULL && value != NULL ? option_take(&u->options, name, value) : -1;
}

static int
take_lesson(struct config *config, sqlite3_stmt *row)
{
	struct upstream *u = find_by_id(config, sqlite3_column_int64(row, 0));

	if (u == NULL || sqlite3_column_int64(row, 3) + LESSON_LASTS < clock_now_ms())
		return 0;
	struct lesson *lesson = array_add(&u->lessons, &u->lesson_count, sizeof(*u->lessons));
	if (lesson == NULL)
		return -1;
	lesson->model = copy_text(row, 1);
	lesson->text = copy_text(row, 2);
	lesson->learned = sqlite3_column_int64(row, 3);
	lesson->times = sqlite3_column_int64(row, 4);
	return lesson->model != NULL && lesson->text != NULL ? 0 : -1;
}

static int
take_route(struct config *config, sqlite3_stmt *row)
{
	struct route *r = array_add(&config->routes, &config->route_count, sizeof(*config->routes));

	if (r == NULL)
		return -1;
	r->id = sqlite3_column_int64(row, 0);
	r->pattern = copy_text(row, 1);
	r->model = copy_text(row, 2);
	r->upstream = find_by_id(config, sqlite3_column_int64(row, 3));
	return r->pattern != NULL && r->model != NULL ? 0 : -1;
}

static struct api_key *
find_key(struct config *config, int64_t id)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		for (size_t j = 0; j < config->upstreams[i].key_count; j++)
			if (config->upstreams[i].keys[j].id == id)
				return &config->upstreams[i].keys[j];
	return NULL;
}

/* "token:<key id>" is "<expires> <token>". */
static int
take_token(struct config *config, const char *id, const char *value)
{
	struct api_key *key = find_key(config, strtoll(id, NULL, 10));
	char *token;
	int64_t expires = strtoll(value, &token, 10);

	if (key == NULL || key->command == NULL || *token != ' ')
		return 0;
	free(key->secret);
	key->secret = strdup(token + 1);
	key->expires = expires;
	return key->secret != NULL ? 0 : -1;
}

static int
take_search(struct search_config *search, const char *part, const char *value)
{
	char **member = strcmp(part, "provider") == 0 ? &search->provider
			: strcmp(part, "url") == 0    ? &search->url
						      : &search->key;

	free(*member);
	*member = strdup(value);
	return *member != NULL ? 0 : -1;
}

/* Whoever wrote the table by hand may have left some of it out. */
static int
complete_search(struct search_config *search)
{
	char **members[] = {&search->url, &search->key};

	for (size_t i = 0; i < 2 && search->provider != NULL; i++)
		if (*members[i] == NULL && (*members[i] = strdup("")) == NULL)
			return -1;
	return 0;
}

static int
take_setting(struct config *config, sqlite3_stmt *row)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	const char *value = (const char *)sqlite3_column_text(row, 1);

	if (name == NULL || value == NULL)
		return -1;
	if (strcmp(name, "strategy") == 0)
		config->has_strategy = strategy_parse(value, &config->strategy) == 0;
	else if (strcmp(name, "current_upstream") == 0)
		config->current = find_by_id(config, strtoll(value, NULL, 10));
	else if (strncmp(name, "token:", strlen("token:")) == 0)
		return take_token(config, name + strlen("token:"), value);
	else if (strncmp(name, "search.", strlen("search.")) == 0)
		return take_search(&config->search, name + strlen("search."), value);
	else if (strcmp(name, "reloads") == 0)
		config->reloads = strtoll(value, NULL, 10);
	return 0;
}

/* In this order: keys, options, routes and settings point to upstreams. */
static const struct {
	const char *sql;
	row_taker *take;
	const char *table; /* that an older database which can only be read lacks; NULL: none */
} queries[] = {
	{"SELECT id, name, base_url, service_type FROM upstreams ORDER BY id", take_upstream, NULL},
	{"SELECT id, upstream_id, secret, enabled, rests_until, last_error FROM api_keys ORDER BY "
	 "id",
		take_key, NULL},
	{"SELECT upstream_id, name, value FROM upstream_options ORDER BY upstream_id, name",
		take_option, NULL},
	{"SELECT id, pattern, model, upstream_id FROM routes ORDER BY id", take_route, NULL},
	{"SELECT name, value FROM settings", take_setting, NULL},
	{"SELECT upstream_id, model, lesson, learned, times FROM lessons "
	 "ORDER BY upstream_id, learned, model, lesson",
		take_lesson, "lessons"},
};

static bool
has_table(sqlite3 *db, const char *table)
{
	return table == NULL || sqlite3_table_column_metadata(db, NULL, table, NULL, NULL, NULL,
					NULL, NULL, NULL) == SQLITE_OK;
}

static int
run_query(sqlite3 *db, const char *sql, row_taker *take, struct config *config)
{
	sqlite3_stmt *s = NULL;
	int step = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	int status = 0;

	while (step == SQLITE_OK || step == SQLITE_ROW) {
		step = sqlite3_step(s);
		if (step == SQLITE_ROW && take(config, s) != 0) {
			step = SQLITE_NOMEM;
			break;
		}
	}
	status = step == SQLITE_DONE ? 0 : -1;
	sqlite3_finalize(s);
	return status;
}

struct config *
config_read(sqlite3 *db, const char *path)
{
	struct config *config = calloc(1, sizeof(*config));
	int status = config != NULL ? 0 : -1;

	if (config == NULL)
		return NULL;
	atomic_init(&config->references, 1);
	/* One transaction: all the tables at one moment. */
	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		status = -1;
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]) && status == 0; i++)
		if (has_table(db, queries[i].table))
			status = run_query(db, queries[i].sql, queries[i].take, config);
	if (status == 0)
		status = complete_search(&config->search);
	if (status != 0)
		database_complain(db, path, "reading the configuration");
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (status == 0)
		return config;
	config_release(config);
	return NULL;
}

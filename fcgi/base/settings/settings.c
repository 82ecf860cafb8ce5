/*
 * The settings of SPEC §3; see settings.h.  A new setting is a member of struct settings and a row
 * of the table.
 */
#include "base/settings/settings.h"

#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/settings/env_file.h"
#include "base/json/json_writer.h"
#include "base/secret.h"

static const char system_database[] = SETTINGS_SYSTEM_FOLDER "/claude-proxy.db";
static const char system_settings[] = "/etc/claude-proxy/claude-proxy.env";
static const char home_database[] = ".local/share/claude-proxy/claude-proxy.db";

enum { DEFAULT_CONNECT_TIMEOUT = 30000, DEFAULT_SILENCE_TIMEOUT = 300000 };

/* How a value is read, and the type of its member in struct settings. */
enum kind {
	TEXT,    /* char * */
	WORD,    /* char *, one of the choices */
	CHOICE,  /* int: the position among the choices */
	BOOLEAN, /* bool */
	NUMBER,  /* int64_t, from least to most */
	PATH,    /* char *, begins with a slash */
};

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;      /* of its member */
	const char *preset; /* the default; NULL if none */
	int64_t least;
	int64_t most;
	const char *const *choices;
};

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const formats[] = {"text", "json", NULL};
static const char *const strategies[] = {"round-robin", "random", "failover", NULL};

#define AT(member) offsetof(struct settings, member)
#define NUMBER_ROW(name, member, ...)                                                              \
	{                                                                                          \
		name, NUMBER, AT(member), __VA_ARGS__, NULL                                        \
	}
#define BOOLEAN_ROW(name, member, default)                                                         \
	{                                                                                          \
		name, BOOLEAN, AT(member), default, 0, 0, NULL                                     \
	}

static const struct setting table[] = {
	{"CLAUDE_PROXY_DB", TEXT, AT(database), NULL, 0, 0, NULL},
	{"PROXY_ACCESS_KEY", TEXT, AT(access_key), NULL, 0, 0, NULL},
	NUMBER_ROW("PORT", port, "3000", 1, 65535),
	{"NODE_ENV", TEXT, AT(node_env), "production", 0, 0, NULL},
	{"LOAD_BALANCE_STRATEGY", WORD, AT(strategy), "failover", 0, 0, strategies},
	{"LOG_LEVEL", CHOICE, AT(log_level), "info", 0, 0, levels},
	{"LOG_FORMAT", CHOICE, AT(log_json), "text", 0, 0, formats},
	{"LOG_FILE", TEXT, AT(log_file), NULL, 0, 0, NULL},
	BOOLEAN_ROW("ENABLE_REQUEST_LOGS", log_requests, "false"),
	BOOLEAN_ROW("ENABLE_RESPONSE_LOGS", log_responses, "false"),
	NUMBER_ROW("LOG_BODY_LIMIT", log_body_limit, "4096", 0, 1 << 20),
	NUMBER_ROW("REQUEST_TIMEOUT", request_timeout, NULL, 1, 86400000),
	NUMBER_ROW("MAX_CONCURRENT_REQUESTS", max_concurrent_requests, "100", 1, 1000000),
	NUMBER_ROW("MAX_REQUEST_BYTES", max_request_bytes, "33554432", 1, 1 << 30),
	BOOLEAN_ROW("ENABLE_CORS", cors, "true"),
	{"CORS_ORIGIN", TEXT, AT(cors_origin), "*", 0, 0, NULL},
	{"SSL_CERT_FILE", PATH, AT(certificates), NULL, 0, 0, NULL},
	BOOLEAN_ROW("ENABLE_RATE_LIMIT", rate_limit, "false"),
	NUMBER_ROW("RATE_LIMIT_WINDOW", rate_limit_window, "60000", 1, 86400000),
	NUMBER_ROW("RATE_LIMIT_MAX_REQUESTS", rate_limit_max_requests, "100", 1, 1000000000),
	BOOLEAN_ROW("HEALTH_CHECK_ENABLED", health_check, "true"),
	{"HEALTH_CHECK_PATH", PATH, AT(health_check_path), "/health", 0, 0, NULL},
	NUMBER_ROW("PING_INTERVAL", ping_interval, "15000", 1, 86400000),
};

static const size_t table_size = sizeof(table) / sizeof(table[0]);

static void *
member_of(const struct settings *s, const struct setting *row)
{
	return (char *)s + row->offset;
}

/* The position of the value among the choices, or -1. */
static int
find_choice(const char *const *choices, const char *value)
{
	for (int i = 0; choices[i] != NULL; i++)
		if (strcasecmp(choices[i], value) == 0)
			return i;
	return -1;
}

static int
store_text(char **member, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -1;
	free(*member);
	*member = copy;
	return 0;
}

static int
store_boolean(bool *member, const char *value)
{
	static const char *const words[] = {
		"false", "true", "0", "1", "no", "yes", "off", "on", NULL};
	int position = find_choice(words, value);

	if (position < 0)
		return -1;
	*member = position % 2 == 1;
	return 0;
}

static int
store_number(int64_t *member, const char *value, const struct setting *row)
{
	char *end;

	errno = 0;
	long long number = strtoll(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || number < row->least || number > row->most)
		return -1;
	*member = number;
	return 0;
}

static int
store_value(struct settings *s, const struct setting *row, const char *value)
{
	void *member = member_of(s, row);
	int position;

	switch (row->kind) {
	case TEXT:
		return store_text(member, value);
	case PATH:
		return value[0] == '/' ? store_text(member, value) : -1;
	case BOOLEAN:
		return store_boolean(member, value);
	case NUMBER:
		return store_number(member, value, row);
	case WORD:
		position = find_choice(row->choices, value);
		return position >= 0 ? store_text(member, row->choices[position]) : -1;
	case CHOICE:
		position = find_choice(row->choices, value);
		if (position >= 0)
			*(int *)member = position;
		return position >= 0 ? 0 : -1;
	}
	return -1;
}

static void
describe_allowed(const struct setting *row, struct buffer *out)
{
	switch (row->kind) {
	case NUMBER:
		buffer_printf(out, "a whole number from %lld to %lld", (long long)row->least,
			(long long)row->most);
		break;
	case BOOLEAN:
		buffer_puts(out, "true or false");
		break;
	case PATH:
		buffer_puts(out, "a path that begins with /");
		break;
	case TEXT:
		buffer_puts(out, "a text");
		break;
	case WORD:
	case CHOICE:
		buffer_puts(out, "one of");
		for (size_t i = 0; row->choices[i] != NULL; i++)
			buffer_printf(out, "%s %s", i > 0 ? "," : "", row->choices[i]);
		break;
	}
}

/* From the environment; an empty value is none. */
static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The same, else from the file. */
static const char *
find_value(const char *name, const struct env_file *file)
{
	const char *value = variable(name);

	if (value == NULL)
		value = env_file_get(file, name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

static int
read_table(struct settings *s, const struct env_file *file, struct buffer *problem)
{
	for (size_t i = 0; i < table_size; i++) {
		const char *value = find_value(table[i].name, file);
		if (value == NULL)
			value = table[i].preset;
		if (value == NULL || store_value(s, &table[i], value) == 0)
			continue;
		buffer_printf(
			problem, "%s: '%s' is not allowed: it must be ", table[i].name, value);
		describe_allowed(&table[i], problem);
		return -1;
	}
	return 0;
}

/* SPEC §3: the system's folder where we may write to it, else the user's own.  NULL: no memory or
 * no home. */
static char *
default_database(void)
{
	char *path = NULL;

	if (access(SETTINGS_SYSTEM_FOLDER, W_OK) == 0)
		return strdup(system_database);
	const char *home = getenv("HOME");
	if (home == NULL || home[0] != '/') {
		/* CGI programs often have no HOME.  Only start and reload come here: no other
		 * thread asks. */
		const struct passwd *user = getpwuid(getuid()); /* NOLINT(concurrency-mt-unsafe) */
		home = user != NULL ? user->pw_dir : NULL;
	}
	if (home == NULL || asprintf(&path, "%s/%s", home, home_database) < 0)
		return NULL;
	return path;
}

/* ".env" in the folder of the database. */
static char *
env_beside(const char *database)
{
	const char *slash = database != NULL ? strrchr(database, '/') : NULL;
	char *path = NULL;

	if (slash == NULL)
		return NULL;
	if (asprintf(&path, "%.*s.env", (int)(slash - database + 1), database) < 0)
		return NULL;
	return path;
}

/* The settings files that count here, the first that exists before the others.  Return how many. */
static size_t
list_files(const char *named, const char *database, const char *beside, const char *files[3])
{
	size_t count = 0;

	if (named != NULL) {
		files[count++] = named;
		return count;
	}
	/* The system's settings are for the system's database, not for one of a user's own. */
	if (database != NULL && strcmp(database, system_database) == 0)
		files[count++] = system_settings;
	if (beside != NULL)
		files[count++] = beside;
	files[count++] = ".env";
	return count;
}

/* Read the settings file.  None is no failure, unless CLAUDE_PROXY_ENV names it. */
static int
read_env_file(struct settings *s, struct env_file **file, struct buffer *problem)
{
	const char *named = variable("CLAUDE_PROXY_ENV");
	const char *database = variable("CLAUDE_PROXY_DB");
	if (database == NULL)
		database = s->database;
	char *beside = env_beside(database);
	const char *files[3];
	size_t count = list_files(named, database, beside, files);

	*file = NULL;
	for (size_t i = 0; i < count && *file == NULL; i++) {
		*file = env_file_read(files[i]);
		if (*file != NULL) {
			store_text(&s->env_file, files[i]);
		} else if (named != NULL || errno != ENOENT) {
			buffer_printf(problem, "settings file %s%s: %s", files[i],
				named != NULL ? ", which CLAUDE_PROXY_ENV names" : "",
				strerror(errno));
			break;
		}
	}
	free(beside);
	return problem->length == 0 ? 0 : -1;
}

char *
settings_env_path(const struct settings *s)
{
	char *path = s->env_file != NULL ? strdup(s->env_file) : env_beside(s->database);

	return path != NULL || strchr(s->database, '/') != NULL ? path : strdup(".env");
}

static void
derive(struct settings *s, const struct env_file *file)
{
	bool set = s->request_timeout != 0;

	s->connect_timeout = set ? s->request_timeout : DEFAULT_CONNECT_TIMEOUT;
	s->silence_timeout = set ? s->request_timeout : DEFAULT_SILENCE_TIMEOUT;
	s->in_home = find_value("CLAUDE_PROXY_DB", file) == NULL &&
		     strcmp(s->database, system_database) != 0;
	s->development = strcmp(s->node_env, "development") == 0;
	if (s->development && find_value("LOG_LEVEL", file) == NULL)
		s->log_level = LOG_DEBUG;
}

static void
settings_free(struct settings *s)
{
	for (size_t i = 0; i < table_size; i++)
		if (table[i].kind == TEXT || table[i].kind == WORD || table[i].kind == PATH)
			free(*(char **)member_of(s, &table[i]));
	free(s->env_file);
	free(s);
}

struct settings *
settings_load(struct buffer *problem)
{
	struct settings *s = calloc(1, sizeof(*s));
	struct env_file *file = NULL;

	if (s == NULL) {
		buffer_puts(problem, "out of memory");
		return NULL;
	}
	atomic_init(&s->references, 1);
	s->database = default_database();
	if (read_env_file(s, &file, problem) != 0 || read_table(s, file, problem) != 0)
		goto err0;
	if (s->database == NULL) {
		buffer_puts(problem, "CLAUDE_PROXY_DB: not set, and there is no home folder: "
				     "it must be the path of the database");
		goto err0;
	}
	derive(s, file);
	env_file_free(file);
	return s;

err0:
	env_file_free(file);
	settings_free(s);
	return NULL;
}

static void
write_text(struct buffer *out, const struct setting *row, const char *text)
{
	char mask[SECRET_MASK_SIZE];

	if (text == NULL) {
		buffer_puts(out, "null");
		return;
	}
	if (row->offset == AT(access_key)) {
		secret_mask(text, mask);
		text = mask;
	}
	json_write_text(out, text);
}

static void
write_value(struct buffer *out, const struct setting *row, const void *member)
{
	switch (row->kind) {
	case TEXT:
	case WORD:
	case PATH:
		write_text(out, row, *(char *const *)member);
		break;
	case CHOICE:
		json_write_text(out, row->choices[*(const int *)member]);
		break;
	case BOOLEAN:
		buffer_puts(out, *(const bool *)member ? "true" : "false");
		break;
	case NUMBER:
		buffer_printf(out, "%lld", (long long)*(const int64_t *)member);
		break;
	}
}

int
settings_write(const struct settings *s, struct buffer *out)
{
	for (size_t i = 0; i < table_size; i++) {
		buffer_putc(out, i > 0 ? ',' : '{');
		json_write_text(out, table[i].name);
		buffer_putc(out, ':');
		if (table[i].offset == AT(request_timeout) && s->request_timeout == 0)
			buffer_puts(out, "null");
		else
			write_value(out, &table[i], member_of(s, &table[i]));
	}
	return buffer_putc(out, '}');
}

struct settings *
settings_retain(struct settings *s)
{
	atomic_fetch_add(&s->references, 1);
	return s;
}

void
settings_release(struct settings *s)
{
	if (s != NULL && atomic_fetch_sub(&s->references, 1) == 1)
		settings_free(s);
}

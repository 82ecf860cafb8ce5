/*
 * The command `doctor`: checks settings, database, configuration and upstreams, and explains how to
 * fix what is wrong.  It changes nothing, and makes no database.
 */
#include <curl/curl.h>
#include <errno.h>
#include <json-c/json_c_version.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json/json_writer.h"
#include "base/secret.h"
#include "base/settings/settings.h"
#include "base/text/url.h"
#include "command.h"
#include "terminal/output.h"
#include "owner.h"
#include "terminal/print.h"
#include "probe.h"
#include "search_trial.h"
#include "store/check.h"
#include "store/config.h"
#include "store/store.h"
#include "upstream/ca_bundle.h"
#include "upstream/search_result.h"
#include "upstream/service.h"

enum { SHORT_ACCESS_KEY = 16, THIS_CENTURY = 1577836800 /* s: 2020 */ };
enum { SUBJECT_WIDTH = 12, TEXT_COLUMN = 9 + SUBJECT_WIDTH + 1 }; /* of what is printed */

enum level { GOOD, WARNING, PROBLEM };

struct findings {
	struct admin *admin;
	struct buffer rows; /* for --json */
	size_t problems;
};

/* One finding: ${what} was checked; the rest says what was found, and how to fix it. */
static void __attribute__((format(printf, 4, 5)))
report(struct findings *f, enum level level, const char *what, const char *format, ...)
{
	static const char *const names[] = {"ok", "warning", "problem"};
	static const enum style styles[] = {STYLE_GOOD, STYLE_WARNING, STYLE_BAD};
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	f->problems += level == PROBLEM;
	if (!f->admin->json) {
		print_styled(styles[level], names[level]);
		print("%*s %-12s ", (int)(8 - strlen(names[level])), "", what);
		/* Below a name that is longer than its column. */
		if (strlen(what) > SUBJECT_WIDTH && output_columns() != INT_MAX)
			printf("\n%*s", TEXT_COLUMN, "");
		print_paragraph(TEXT_COLUMN, text != NULL ? text : "");
		fflush(stdout);
		free(text);
		return;
	}
	buffer_puts(&f->rows, f->rows.length > 0 ? ",{\"level\":" : "{\"level\":");
	json_write_text(&f->rows, names[level]);
	buffer_puts(&f->rows, ",\"subject\":");
	json_write_text(&f->rows, what);
	buffer_puts(&f->rows, ",\"message\":");
	json_write_text(&f->rows, text != NULL ? text : "");
	buffer_putc(&f->rows, '}');
	free(text);
}

/* ---- program and settings ---- */

static void
check_versions(struct findings *f)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	time_t now = time(NULL);

	report(f, GOOD, "versions",
		"claude-proxy " VERSION ", curl %s (%s), SQLite %s, json-c %s, libuv %s",
		curl->version, curl->ssl_version != NULL ? curl->ssl_version : "without TLS",
		store_library_version(), json_c_version(), uv_version_string());
	if (curl->ssl_version == NULL)
		report(f, PROBLEM, "TLS",
			"this libcurl has no TLS, so https:// upstreams cannot be "
			"reached: install the usual libcurl package");
	if (now < THIS_CENTURY)
		report(f, PROBLEM, "clock",
			"the clock is set to a year before 2020: TLS and the pauses of keys will "
			"fail; set it");
}

static void
check_env_file(struct findings *f, const char *path)
{
	struct stat info;

	if (path == NULL)
		report(f, GOOD, "settings", "from the environment; there is no settings file");
	else if (stat(path, &info) == 0 && (info.st_mode & 077) != 0)
		report(f, WARNING, "settings",
			"others can read %s, which contains the access key: chmod 600 %s", path,
			path);
	else
		report(f, GOOD, "settings", "from the environment, and %s", path);
}

static void
check_access_key(struct findings *f, const struct settings *settings)
{
	const char *key = settings->access_key;
	char *path = settings_env_path(settings);

	if (key == NULL)
		report(f, PROBLEM, "access key",
			"PROXY_ACCESS_KEY is not set, so every request is refused: put a line "
			"PROXY_ACCESS_KEY=<a long random word> into %s",
			path != NULL ? path : ".env");
	else if (strlen(key) < SHORT_ACCESS_KEY)
		report(f, WARNING, "access key",
			"PROXY_ACCESS_KEY has only %zu characters: use at least %d that cannot be "
			"guessed",
			strlen(key), SHORT_ACCESS_KEY);
	else
		report(f, GOOD, "access key", "PROXY_ACCESS_KEY is set");
	free(path);
}

static void
check_certificates(struct findings *f, const char *chosen)
{
	const char *file = chosen != NULL ? chosen : ca_bundle_file();

	if (file == NULL)
		report(f, GOOD, "certificates", "libcurl finds the CA bundle itself");
	else if (access(file, R_OK) != 0)
		report(f, PROBLEM, "certificates",
			"%s: %s: https:// upstreams cannot be reached; install the package "
			"ca-certificates, or let SSL_CERT_FILE name a CA bundle",
			file, strerror(errno));
	else
		report(f, GOOD, "certificates", "CA bundle %s", file);
}

/* ---- the database ---- */

/* Is there a file that can be opened? */
static bool
check_file(struct findings *f, const char *path)
{
	struct stat info;

	if (stat(path, &info) != 0 && errno == ENOENT) {
		report(f, PROBLEM, "database",
			"there is no %s yet: %s creates it; or let CLAUDE_PROXY_DB name another",
			path, hint_first_upstream(&(struct hint){{0}}));
		return false;
	}
	if (access(path, R_OK) != 0) {
		report(f, PROBLEM, "database",
			"%s: %s: run this as the user that the responder runs as", path,
			strerror(errno));
		return false;
	}
	if ((info.st_mode & 077) != 0)
		report(f, WARNING, "database", "others can open %s: chmod 600 %s", path, path);
	if (info.st_uid != geteuid())
		report(f, WARNING, "database",
			"%s belongs to user %u and not to you (%u): run this as the user that the "
			"responder runs as",
			path, (unsigned)info.st_uid, (unsigned)geteuid());
	return true;
}

static void
check_content(struct findings *f, struct store *store)
{
	struct store_report state;

	store_check(store, &state);
	if (state.problem[0] != '\0')
		report(f, PROBLEM, "database",
			"it is damaged (%s): restore a backup, or export what is still readable "
			"and import it into a new one",
			state.problem);
	if (!state.writable)
		report(f, PROBLEM, "database",
			"%s is not writable: check its owner, that of the folder, and the free "
			"space",
			store_path(store));
	if (strcmp(state.journal, "wal") != 0)
		report(f, WARNING, "database",
			"this file system does not support a write-ahead log (%s instead): it "
			"works, but slower",
			state.journal);
	if (state.problem[0] == '\0' && state.writable)
		report(f, GOOD, "database", "%s: intact, writable, journal %s", store_path(store),
			state.journal);
}

/* ---- the configuration ---- */

/* Does the chain of fallbacks come back to where it was? */
static bool
is_circle(const struct config *config, const struct upstream *first)
{
	const struct upstream *u = first;

	for (size_t i = 0; i < config->upstream_count && u->options.fallback != NULL; i++) {
		u = config_find_upstream(config, u->options.fallback);
		if (u == NULL || u == first)
			return u != NULL;
	}
	return false;
}

static void
check_keys(struct findings *f, const struct upstream *u)
{
	int64_t now = clock_now_ms();
	char mask[SECRET_MASK_SIZE];
	size_t enabled = 0;

	for (size_t i = 0; i < u->key_count; i++) {
		const struct api_key *key = &u->keys[i];
		enabled += key->enabled;
		if (api_key_state(key, now) != KEY_RESTING)
			continue;
		secret_mask(key->secret, mask);
		report(f, WARNING, u->name, "key %zu %s is paused for %lld s more: %s", i, mask,
			(long long)((key->rests_until - now + 999) / 1000),
			key->last_error != NULL ? key->last_error : "");
	}
	if (u->key_count == 0)
		report(f, WARNING, u->name, "has no API key: %s", HINT("key", u->name, "add", "-"));
	else if (enabled == 0)
		report(f, WARNING, u->name, "all its keys are disabled: %s",
			HINT("key", u->name, "enable", "<index>"));
}

static void
check_routes(struct findings *f, const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *first = config_shadowing_route(config, i);
		if (first != NULL)
			report(f, WARNING, "routes",
				"route %zu, %s, is never used: route %td, %s, matches first", i,
				config->routes[i].pattern, first - config->routes, first->pattern);
	}
}

static void
check_config(struct findings *f, const struct config *config)
{
	if (config->current == NULL)
		report(f, PROBLEM, "upstreams", "there is none yet: %s",
			hint_first_upstream(&(struct hint){{0}}));
	else if (upstream_enabled_key(config->current) == NULL)
		report(f, PROBLEM, "upstreams", "%s is current and has no enabled key: %s",
			config->current->name, HINT("key", config->current->name, "add", "-"));
	else
		report(f, GOOD, "upstreams", "%zu, current is %s; strategy %s; %zu route%s",
			config->upstream_count, config->current->name, print_strategy(f->admin),
			config->route_count, plural(config->route_count));
	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct upstream *u = &config->upstreams[i];
		check_keys(f, u);
		if (is_circle(config, u))
			report(f, WARNING, u->name,
				"its fallbacks lead back to itself; each is tried once");
	}
	check_routes(f, config);
}

/* ---- reaching upstreams ---- */

static void
check_reach(struct findings *f, const struct upstream *u)
{
	u = keys_fetch(f->admin, u);
	if (u == NULL)
		return;
	const struct api_key *key = upstream_enabled_key(u);
	const struct probe probe = {
		f->admin->settings, u, key != NULL && key->secret[0] != '\0' ? key : NULL};
	if (key != NULL && probe.key == NULL)
		report(f, PROBLEM, u->name, "the command that prints its API key failed: %s",
			key->last_error != NULL ? key->last_error : "");
	struct probe_answer answer;
	struct buffer origin = BUFFER_INIT(0);

	url_write_origin(&origin, u->base_url);
	probe_models(&probe, &answer);
	if (answer.status == 0)
		report(f, PROBLEM, u->name,
			"%s (check the base URL and the network; %s sets a proxy)",
			answer.error.message, HINT("set", u->name, "proxy", "<url>"));
	else if (answer.status == 401 || answer.status == 403)
		report(f, probe.key != NULL ? PROBLEM : WARNING, u->name,
			"%s responds, but refuses the key: %s", buffer_text(&origin),
			answer.error.message);
	else if (answer.status >= 500)
		report(f, WARNING, u->name, "%s responds with %d: %s", buffer_text(&origin),
			answer.status, answer.error.message);
	else
		report(f, GOOD, u->name, "%s responds (%d, %lld ms)", buffer_text(&origin),
			answer.status, (long long)answer.ms);
	probe_answer_free(&answer);
	buffer_free(&origin);
}

/* Upstreams that are to use a search which the proxy does not have. */
static void
check_search_wanted(struct findings *f)
{
	const struct config *config = f->admin->config;

	for (size_t i = 0; i < config->upstream_count; i++)
		if (config->upstreams[i].options.search == SEARCH_BY_PROXY)
			report(f, PROBLEM, config->upstreams[i].name,
				"is to search the web by the proxy, which has no search: %s "
				"explains how to set one",
				HINT("search", "--help"));
}

static void
check_search_engine(struct findings *f)
{
	const struct search_config *config = &f->admin->config->search;
	struct search_result result;

	if (config->provider == NULL) {
		check_search_wanted(f);
		return;
	}
	search_try(f->admin, "claude-proxy", &result);
	if (result.outcome == SEARCH_DONE)
		report(f, GOOD, "search", "%s searches the web (%zu page%s found)",
			config->provider, result.count, plural(result.count));
	else
		report(f, PROBLEM, "search", "%s cannot search the web: %s; %s tries it again",
			config->provider, result.problem, HINT("search", "test", "<query>"));
	search_result_free(&result);
}

static void
check_store(struct findings *f)
{
	struct admin *a = f->admin;

	a->store = store_open(a->settings->database);
	if (a->store == NULL) {
		report(f, PROBLEM, "database", "could not open %s: see the lines above",
			a->settings->database);
		return;
	}
	check_content(f, a->store);
	a->config = store_config(a->store);
	if (a->config == NULL) {
		report(f, PROBLEM, "database", "could not read the configuration");
		return;
	}
	check_config(f, a->config);
	for (size_t i = 0; i < a->config->upstream_count; i++)
		check_reach(f, &a->config->upstreams[i]);
	check_search_engine(f);
}

int
run_doctor(struct admin *a, int count, char **arguments)
{
	struct findings f = {.admin = a, .rows = BUFFER_INIT(0)};
	struct buffer problem = BUFFER_INIT(0);

	(void)count;
	(void)arguments;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	check_versions(&f);
	a->settings = settings_load(&problem);
	if (a->settings == NULL) {
		report(&f, PROBLEM, "settings", "%s", buffer_text(&problem));
	} else {
		check_env_file(&f, a->settings->env_file);
		check_access_key(&f, a->settings);
		check_certificates(&f, a->settings->certificates);
		if (owner_become(a->settings) != 0)
			report(&f, PROBLEM, "database",
				"it belongs to another user: the line above explains how to reach "
				"it");
		else if (check_file(&f, a->settings->database))
			check_store(&f);
	}
	if (a->json)
		print_json_array(&f.rows);
	config_release(a->config);
	store_close(a->store);
	settings_release(a->settings);
	buffer_free(&problem);
	buffer_free(&f.rows);
	curl_global_cleanup();
	return f.problems > 0 ? EXIT_FAILED : EXIT_DONE;
}

/*
 * Path and method to what is asked for; see router.h.
 */
#include "http/router.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/settings/settings.h"
#include "http/web_request.h"

struct route_row {
	enum endpoint endpoint;
	const char *path;    /* NULL: the health check's, which a setting names */
	const char *methods; /* as in an Allow header */
};

static const struct route_row rows[] = {
	{ENDPOINT_MESSAGES, "/v1/messages", "POST"},
	{ENDPOINT_COUNT_TOKENS, "/v1/messages/count_tokens", "POST"},
	{ENDPOINT_MODELS, "/v1/models", "GET, HEAD"},
	{ENDPOINT_HEALTH, NULL, "GET, HEAD"},
	{ENDPOINT_HELLO, "/api/hello", "GET, HEAD"},
	{ENDPOINT_RELOAD, "/admin/config/reload", "POST"},
	{ENDPOINT_METRICS, "/metrics", "GET, HEAD"},
	{ENDPOINT_DEV_INFO, "/admin/dev/info", "GET, HEAD"},
};

enum { VERSION_LENGTH = sizeof("/v1") - 1 };
static const char one_model[] = "/models/";
static const char read_only[] = "GET, HEAD";
static const char any_method[] = "GET, HEAD, POST, PUT, PATCH, DELETE";

/* SCRIPT_NAME and PATH_INFO together are the path, however the web server divides it. */
static void
read_path(const struct web_request *web, struct buffer *path)
{
	buffer_puts(path, web_request_text(web, "SCRIPT_NAME"));
	buffer_puts(path, web_request_text(web, "PATH_INFO"));
	if (path->length == 0) {
		const char *uri = web_request_text(web, "REQUEST_URI");
		buffer_append(path, uri, strcspn(uri, "?"));
	}
	while (path->length > 1 && path->data[path->length - 1] == '/')
		path->data[--path->length] = '\0';
}

static bool
ends_in(const struct buffer *path, const char *end)
{
	size_t length = strlen(end);

	return path->length >= length &&
	       strcmp(buffer_text(path) + path->length - length, end) == 0;
}

/* Is it the front page: of the site, or of the script wherever it lies? */
static bool
is_root(const struct web_request *web, const struct buffer *path)
{
	return path->length <= 1 || strcmp(web_request_text(web, "PATH_INFO"), "/") == 0 ||
	       ends_in(path, ".fcgi") || ends_in(path, ".cgi");
}

/* Is the method in a list like "GET, HEAD"? */
static bool
has_method(const char *methods, const char *method)
{
	size_t length = strlen(method);

	for (const char *at = methods; *at != '\0';) {
		size_t word = strcspn(at, ", ");
		if (word == length && memcmp(at, method, length) == 0)
			return true;
		at += word;
		at += strspn(at, ", ");
	}
	return false;
}

/* The row's path; NULL: it is not served. */
static const char *
path_of(const struct route_row *row, const struct settings *settings)
{
	switch (row->endpoint) {
	case ENDPOINT_HEALTH:
		return settings->health_check ? settings->health_check_path : NULL;
	case ENDPOINT_DEV_INFO:
		return settings->development ? row->path : NULL;
	default:
		return row->path;
	}
}

static const struct route_row *
find_row(const struct buffer *path, const struct settings *settings)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *end = path_of(&rows[i], settings);
		if (end != NULL && ends_in(path, end))
			return &rows[i];
	}
	return NULL;
}

/* The path below /v1, from the last /v1/ on; NULL: there is none. */
static const char *
below_version(const struct buffer *path)
{
	const char *found = NULL;

	for (const char *at = buffer_text(path); (at = strstr(at, "/v1/")) != NULL; at++)
		found = at;
	/* What climbs out of the version is nothing that this service offers. */
	if (found == NULL || strstr(found, "/..") != NULL)
		return NULL;
	return found + VERSION_LENGTH;
}

/* The same of the path as the client wrote it, for the upstream; else as the web server decoded it.
 * Owned; NULL: memory ran out. */
static char *
copy_below(const struct web_request *web, const char *decoded)
{
	struct buffer raw = BUFFER_INIT(ROUTER_LONGEST_PATH - 1);
	const char *uri = web_request_text(web, "REQUEST_URI");

	buffer_append(&raw, uri, strcspn(uri, "?#"));
	const char *from = raw.failed ? NULL : below_version(&raw);
	char *below = strdup(from != NULL ? from : decoded);
	buffer_free(&raw);
	return below;
}

/* It asks for what the row says.  ${below}: where below /v1 that is, or NULL. */
static void
accept_row(const struct web_request *web, const struct route_row *row, const char *below,
	struct endpoint_match *match, struct api_error *error)
{
	if (below != NULL)
		match->path = copy_below(web, below);
	if (below != NULL && match->path == NULL)
		api_error_no_memory(error);
	else
		match->endpoint = row->endpoint;
}

/* What a path that no row has asks for.  /v1/models/{id}: an id may hold slashes, also encoded. */
static struct route_row
other_row(const char *below)
{
	bool model = strncmp(below, one_model, sizeof(one_model) - 1) == 0;

	return model ? (struct route_row){ENDPOINT_MODEL, NULL, "GET, HEAD"}
		     : (struct route_row){ENDPOINT_OTHER, NULL, any_method};
}

void
router_find(const struct web_request *web, const struct settings *settings,
	struct endpoint_match *match, struct api_error *error)
{
	struct buffer path = BUFFER_INIT(ROUTER_LONGEST_PATH - 1);
	const char *method = web_request_text(web, "REQUEST_METHOD");

	*match = (struct endpoint_match){.endpoint = ENDPOINT_NONE};
	read_path(web, &path);
	const char *below = path.failed ? NULL : below_version(&path);
	const struct route_row *row = path.failed ? NULL : find_row(&path, settings);
	const struct route_row other = below != NULL ? other_row(below) : (struct route_row){0};
	if (row == NULL && below != NULL)
		row = &other;
	if (strcmp(method, "OPTIONS") == 0) {
		match->endpoint = ENDPOINT_PREFLIGHT;
		match->allow = row != NULL ? row->methods : any_method;
	} else if (row == NULL && is_root(web, &path) && has_method(read_only, method)) {
		match->endpoint = ENDPOINT_ROOT;
	} else if (row == NULL) {
		api_error_set(error, 404,
			"not found: this is the Claude Messages API, POST /v1/messages");
	} else if (!has_method(row->methods, method)) {
		match->allow = row->methods;
		api_error_set(error, 405, "method not allowed: use %s", row->methods);
	} else {
		accept_row(web, row, below, match, error);
	}
	buffer_free(&path);
}

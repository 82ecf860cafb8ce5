/*
 * Path and method to what is asked for; see router.h.
 */
#include "web/router.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/settings.h"
#include "web/gateway.h"

struct route_row {
	enum endpoint endpoint;
	const char *path;    /* NULL: the health check's, which a setting names */
	const char *methods; /* as in an Allow header */
};

static const struct route_row rows[] = {
	{ENDPOINT_MESSAGES, "/v1/messages", "POST"},
	{ENDPOINT_HEALTH, NULL, "GET, HEAD"},
};

enum { LONGEST_PATH = 8192 };

static const char *
parameter(const struct gateway *g, const char *name)
{
	const char *value = gateway_parameter(g, name);

	return value != NULL ? value : "";
}

/* SCRIPT_NAME and PATH_INFO together are the path, however the web server divides it. */
static void
read_path(const struct gateway *g, struct buffer *path)
{
	buffer_puts(path, parameter(g, "SCRIPT_NAME"));
	buffer_puts(path, parameter(g, "PATH_INFO"));
	if (path->length == 0) {
		const char *uri = parameter(g, "REQUEST_URI");
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

static const struct route_row *
find_row(const struct buffer *path, const struct settings *settings)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *end = rows[i].path;
		if (rows[i].endpoint == ENDPOINT_HEALTH)
			end = settings->health_check ? settings->health_check_path : NULL;
		if (end != NULL && ends_in(path, end))
			return &rows[i];
	}
	return NULL;
}

enum endpoint
router_find(const struct gateway *g, const struct settings *settings, struct api_error *error,
	const char **allow)
{
	struct buffer path = BUFFER_INIT(LONGEST_PATH);
	const char *method = parameter(g, "REQUEST_METHOD");
	enum endpoint endpoint = ENDPOINT_NONE;

	*allow = NULL;
	read_path(g, &path);
	const struct route_row *row = path.failed ? NULL : find_row(&path, settings);
	if (row == NULL) {
		api_error_set(error, 404,
			"there is nothing at this path; messages go to POST /v1/messages");
	} else if (!has_method(row->methods, method)) {
		*allow = row->methods;
		api_error_set(error, 405, "this path takes only %s", row->methods);
	} else {
		endpoint = row->endpoint;
	}
	buffer_free(&path);
	return endpoint;
}

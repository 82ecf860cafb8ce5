/*
 * Any meta-variables as a web request: the router finds an endpoint or says why not, only the
 * access key opens the door, and no header of ours is ended by what a client sends.
 */
#include "fuzz.h"

#include "base/api_error.h"
#include "base/settings/settings.h"
#include "head_lines.h"
#include "http/access.h"
#include "http/cors.h"
#include "http/router.h"
#include "http/web_request_kind.h"
#include "upstream/service.h"

enum { MOST_VARIABLES = 32 };

static char access_key[] = "the-access-key";

/* A web request that has nothing but meta-variables. */
struct fake {
	struct web_request web;
	char *variables[MOST_VARIABLES + 1];
};

static const char *
parameter(const struct web_request *web, const char *name)
{
	const struct fake *fake = (const struct fake *)web;
	size_t length = strlen(name);

	for (size_t i = 0; fake->variables[i] != NULL; i++)
		if (strncmp(fake->variables[i], name, length) == 0 &&
			fake->variables[i][length] == '=')
			return fake->variables[i] + length + 1;
	return NULL;
}

static char *const *
parameters(const struct web_request *web)
{
	return ((const struct fake *)web)->variables;
}

static const struct web_request_kind kind = {.parameter = parameter, .parameters = parameters};

/* ---- the router ---- */

/* Whatever a client asks for of the upstream stays below the version. */
static void
check_path(const char *path)
{
	static const char base[] = "https://api.test/base/v1";
	struct buffer url = BUFFER_INIT(0);

	if (service_write_url(service_find("claude"), base, path, NULL, NULL, &url) == 0)
		fuzz_check(strncmp(buffer_text(&url), base, sizeof(base) - 1) == 0 &&
			   buffer_text(&url)[sizeof(base) - 1] == '/');
	buffer_free(&url);
}

static void
check_router(const struct web_request *web, const struct settings *settings)
{
	struct api_error error = API_ERROR_NONE;
	struct endpoint_match match;

	router_find(web, settings, &match, &error);
	fuzz_check(match.path == NULL || strlen(match.path) < ROUTER_LONGEST_PATH);
	if (match.endpoint == ENDPOINT_NONE)
		fuzz_check(error.status == 404 || (error.status == 405 && match.allow != NULL));
	else
		fuzz_check(error.status == 0);
	if (match.endpoint == ENDPOINT_PREFLIGHT)
		fuzz_check(match.allow != NULL);
	if (match.endpoint == ENDPOINT_OTHER || match.endpoint == ENDPOINT_MODEL) {
		fuzz_check(match.path[0] == '/');
		check_path(match.path);
	}
	free(match.path);
	api_error_clear(&error);
}

/* ---- the door ---- */

static void
check_access(const struct web_request *web, const struct settings *settings)
{
	static const char *const headers[] = {
		"HTTP_X_API_KEY", "HTTP_AUTHORIZATION", "REDIRECT_HTTP_AUTHORIZATION"};
	struct api_error error = API_ERROR_NONE;
	bool shown = false;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *value = web_request_text(web, headers[i]);
		size_t length = strlen(value);
		size_t expected = strlen(access_key);
		shown = shown ||
			(length >= expected && strcmp(value + length - expected, access_key) == 0);
	}
	if (access_check(web, settings, &error) == 0)
		fuzz_check(shown);
	else
		fuzz_check(error.status == 401 && strstr(error.message, access_key) == NULL);
	api_error_clear(&error);
}

/* ---- headers ---- */

static void
check_cors(const struct web_request *web, const struct settings *settings)
{
	struct buffer headers = BUFFER_INIT(0);

	cors_write_headers(web, settings, &headers);
	cors_write_preflight(web, settings, &headers);
	fuzz_check(*head_lines_check(buffer_text(&headers)) == '\0');
	buffer_free(&headers);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char any[] = "*";
	static char some[] = "https://page.test, https://other.test/";
	static char health[] = "/health";
	struct fuzz_input in = fuzz_input(data, size);
	unsigned choice = fuzz_byte(&in);
	const struct settings settings = {
		.access_key = access_key,
		.cors = true,
		.cors_origin = choice & 1 ? any : some,
		.health_check = choice & 2,
		.health_check_path = health,
		.development = choice & 4,
	};
	struct fake fake = {.web = {.kind = &kind}};

	/* Separated by NUL, which alone no value can have. */
	for (size_t i = 0; i < MOST_VARIABLES && in.left > 0; i++)
		fake.variables[i] = fuzz_text(&in, '\0');
	check_router(&fake.web, &settings);
	check_access(&fake.web, &settings);
	check_cors(&fake.web, &settings);
	for (size_t i = 0; fake.variables[i] != NULL; i++)
		free(fake.variables[i]);
	return 0;
}

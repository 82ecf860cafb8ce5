/*
 * Who may ask; see access.h.
 */
#include "web/access.h"

#include <stdbool.h>
#include <stddef.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/secret.h"
#include "base/settings.h"
#include "web/gateway.h"

/* Apache hands Authorization on under the second name when a rewrite rule came first. */
static const char *const authorization[] = {"HTTP_AUTHORIZATION", "REDIRECT_HTTP_AUTHORIZATION"};

/* The token of a Bearer authorization, or NULL. */
static const char *
bearer_token(const char *value)
{
	if (value == NULL || strncasecmp(value, "bearer ", 7) != 0)
		return NULL;
	value += 7;
	while (*value == ' ')
		value++;
	return value;
}

static bool
is_key(const char *given, const struct settings *settings)
{
	return given != NULL && secret_equal(given, settings->access_key);
}

int
access_check(const struct gateway *g, const struct settings *settings, struct api_error *error)
{
	const char *given = gateway_parameter(g, "HTTP_X_API_KEY");
	bool any = given != NULL;

	if (settings->access_key == NULL)
		return api_error_set(error, 401,
			"this proxy has no access key yet: set PROXY_ACCESS_KEY in its environment "
			"or .env "
			"file, and give clients the same key");
	if (is_key(given, settings))
		return 0;
	for (size_t i = 0; i < sizeof(authorization) / sizeof(authorization[0]); i++) {
		const char *token = bearer_token(gateway_parameter(g, authorization[i]));
		if (is_key(token, settings))
			return 0;
		any = any || token != NULL;
	}
	return api_error_set(error, 401, "%s",
		any ? "the access key is wrong: it must be the proxy's PROXY_ACCESS_KEY, not a key "
		      "of an "
		      "upstream"
		    : "no access key: send the proxy's PROXY_ACCESS_KEY as x-api-key or as "
		      "Authorization: "
		      "Bearer");
}

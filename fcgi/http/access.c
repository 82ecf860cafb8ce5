/*
 * Who may ask, and how often; see access.h.
 */
#include "http/access.h"

#include <stdbool.h>
#include <stddef.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/settings/settings.h"
#include "http/web_request.h"
#include "store/store.h"

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
access_check(
	const struct web_request *web, const struct settings *settings, struct api_error *error)
{
	const char *given = web_request_parameter(web, "HTTP_X_API_KEY");
	bool any = given != NULL;

	if (settings->access_key == NULL) {
		api_error_set(error, 401,
			"this proxy has no access key yet: set PROXY_ACCESS_KEY in its environment "
			"or .env "
			"file, and give clients the same key");
		return api_error_set_permanent(error);
	}
	if (is_key(given, settings))
		return 0;
	for (size_t i = 0; i < sizeof(authorization) / sizeof(authorization[0]); i++) {
		const char *token = bearer_token(web_request_parameter(web, authorization[i]));
		if (is_key(token, settings))
			return 0;
		any = any || token != NULL;
	}
	api_error_set(error, 401, "%s",
		any ? "the access key is wrong: it must be the proxy's PROXY_ACCESS_KEY, not a key "
		      "of an "
		      "upstream"
		    : "no access key: send the proxy's PROXY_ACCESS_KEY as x-api-key or as "
		      "Authorization: "
		      "Bearer");
	return api_error_set_permanent(error);
}

int
access_count_request(const struct web_request *web, const struct settings *settings,
	struct store *store, struct buffer *headers, struct api_error *error)
{
	int64_t most = settings->rate_limit_max_requests;
	int64_t now = clock_now_ms();
	int64_t count;
	int64_t ends;

	if (!settings->rate_limit ||
		store_count_request(store, web_request_text(web, "REMOTE_ADDR"), now,
			settings->rate_limit_window, &count, &ends) != STORE_OK)
		return 0;
	int64_t seconds = (ends - now + 999) / 1000;
	buffer_printf(headers,
		"anthropic-ratelimit-requests-limit: %lld\r\n"
		"anthropic-ratelimit-requests-remaining: %lld\r\n"
		"anthropic-ratelimit-requests-reset: ",
		(long long)most, (long long)(count < most ? most - count : 0));
	clock_write_seconds(headers, (ends + 999) / 1000);
	buffer_puts(headers, "\r\n");
	if (count <= most)
		return 0;
	api_error_set(error, 429,
		"rate limit exceeded (%lld requests per %g s from this address): retry in %lld s; "
		"the owner of the proxy can raise RATE_LIMIT_MAX_REQUESTS",
		(long long)most, (double)settings->rate_limit_window / 1000, (long long)seconds);
	error->retry_after = seconds;
	return -1;
}

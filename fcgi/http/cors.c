/*
 * Pages of other origins; see cors.h.
 */
#include "http/cors.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/buffer.h"
#include "base/settings/settings.h"
#include "http/web_request.h"

enum { LONGEST_HEADER_LIST = 4096 };

static const char separators[] = ", \t";
static const char token_characters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	"!#$%&'*+-.^_`|~";

/* Is it an entry of the list?  People write origins with a slash behind them. */
static bool
lists(const char *list, const char *origin)
{
	size_t length = strlen(origin);

	for (const char *at = list + strspn(list, separators); *at != '\0';) {
		size_t word = strcspn(at, separators);
		size_t entry = word > 1 && at[word - 1] == '/' ? word - 1 : word;
		if (entry == length && memcmp(at, origin, length) == 0)
			return true;
		at += word;
		at += strspn(at, separators);
	}
	return false;
}

void
cors_write_headers(
	const struct web_request *web, const struct settings *settings, struct buffer *headers)
{
	const char *origin = web_request_text(web, "HTTP_ORIGIN");

	if (!settings->cors)
		return;
	if (lists(settings->cors_origin, "*")) {
		buffer_puts(headers, "Access-Control-Allow-Origin: *\r\n");
	} else {
		/* Also for those who may not: a cache must not give them the answer of others. */
		buffer_puts(headers, "Vary: Origin\r\n");
		if (origin[0] == '\0' || !lists(settings->cors_origin, origin))
			return;
		buffer_puts(headers, "Access-Control-Allow-Origin: ");
		buffer_puts(headers, origin);
		buffer_puts(headers, "\r\n");
	}
	buffer_puts(headers, "Access-Control-Expose-Headers: *\r\n");
}

/* Header names as the browser sends them, and nothing that could end a header line. */
static bool
is_header_list(const char *text)
{
	size_t length = strlen(text);

	for (const char *c = text; *c != '\0'; c++)
		if (strchr(separators, *c) == NULL && strchr(token_characters, *c) == NULL)
			return false;
	return length > 0 && length <= LONGEST_HEADER_LIST;
}

void
cors_write_preflight(
	const struct web_request *web, const struct settings *settings, struct buffer *headers)
{
	const char *asked = web_request_text(web, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS");

	if (!settings->cors)
		return;
	buffer_puts(headers, "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\r\n"
			     "Access-Control-Max-Age: 86400\r\n"
			     "Access-Control-Allow-Headers: ");
	/* "*" would not let Authorization through. */
	buffer_puts(headers, is_header_list(asked) ? asked
						   : "authorization, content-type, x-api-key, "
						     "anthropic-version, anthropic-beta");
	buffer_puts(headers, "\r\n");
}

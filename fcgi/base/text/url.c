/*
 * What may be told of a URL; see url.h.
 */
#include "base/text/url.h"

#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"
#include "base/secret.h"

/* Where the parts of a URL begin: scheme://user:password@host:port/path?query#fragment */
struct parts {
	const char *user; /* the host, if there is none */
	const char *host;
	const char *path;
	const char *query; /* its question mark, or the end */
};

static struct parts
parts_of(const char *url)
{
	static const char separator[] = "://";
	size_t scheme = strcspn(url, ":/?#");
	bool has_scheme = strncmp(url + scheme, separator, strlen(separator)) == 0;
	const char *user = has_scheme ? url + scheme + strlen(separator) : url;
	const char *path = user + strcspn(user, "/?#");
	const char *host = path;

	/* After the last '@': a password may contain one. */
	while (host > user && host[-1] != '@')
		host--;

	return (struct parts){
		.user = user,
		.host = host,
		.path = path,
		.query = path + strcspn(path, "?#"),
	};
}

int
url_write_origin(struct buffer *out, const char *url)
{
	const struct parts parts = parts_of(url);

	buffer_append(out, url, (size_t)(parts.user - url));
	return buffer_append(out, parts.host, (size_t)(parts.path - parts.host));
}

/* The value of the parameter at ${at}, and where the next one begins; one without a name is all
 * value. */
static const char *
value_of(const char *at, size_t *length, const char **next)
{
	const char *end = at + strcspn(at, "&#");
	const char *equals = memchr(at, '=', (size_t)(end - at));
	const char *value = equals != NULL ? equals + 1 : at;

	*length = (size_t)(end - value);
	*next = *end == '&' ? end + 1 : end;
	return value;
}

/* Is there a parameter at ${at}? */
static bool
has_parameter(const char *at)
{
	return *at != '\0' && *at != '#';
}

int
url_write_masked(struct buffer *out, const char *url)
{
	const struct parts parts = parts_of(url);
	const char *at = *parts.query == '?' ? parts.query + 1 : parts.query;
	const char *next;
	size_t length;

	buffer_append(out, url, (size_t)(parts.user - url));
	if (parts.host != parts.user)
		buffer_puts(out, "…@");
	buffer_append(out, parts.host, (size_t)(at - parts.host));
	for (; has_parameter(at); at = next) {
		const char *value = value_of(at, &length, &next);
		buffer_append(out, at, (size_t)(value - at));
		if (length > 0)
			secret_write_mask(out, value, length);
		buffer_append(out, value + length, (size_t)(next - value) - length);
	}
	return buffer_puts(out, at);
}

void
url_each_query_value(const char *url, void (*take)(void *context, const char *value, size_t length),
	void *context)
{
	const char *at = parts_of(url).query;
	const char *next;
	size_t length;

	for (at += *at == '?'; has_parameter(at); at = next) {
		const char *value = value_of(at, &length, &next);
		if (length > 0)
			take(context, value, length);
	}
}

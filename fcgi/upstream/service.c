/*
 * The table of service types; see service.h.
 */
#include "upstream/service.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "store/config.h"
#include "translate/translator.h"

static const struct service services[] = {
	{"openai", "/v1", "/chat/completions", "Authorization: Bearer ", &openai_chat},
	{"custom", "", "/chat/completions", "Authorization: Bearer ", &openai_chat},
};

const struct service *
service_at(size_t index)
{
	return index < sizeof(services) / sizeof(services[0]) ? &services[index] : NULL;
}

const struct service *
service_find(const char *name)
{
	const struct service *s = NULL;

	for (size_t i = 0; (s = service_at(i)) != NULL; i++)
		if (strcmp(s->name, name) == 0)
			break;
	return s;
}

static const char *
check_parts(CURLU *url)
{
	char *scheme = NULL;
	char *part = NULL;
	const char *problem = NULL;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		(strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
		problem = "must begin with http:// or https://";
	else if (curl_url_get(url, CURLUPART_USER, &part, 0) == CURLUE_OK)
		problem = "must not hold a user name or password";
	else if (curl_url_get(url, CURLUPART_FRAGMENT, &part, 0) == CURLUE_OK)
		problem = "must not end in a #fragment";
	curl_free(scheme);
	curl_free(part);
	return problem;
}

const char *
service_check_base_url(const char *base_url)
{
	const char *problem = "is not a URL like https://api.example.com/v1";

	if (strstr(base_url, "://") == NULL)
		return "must begin with http:// or https://";
	for (const char *c = base_url; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 127)
			return "must not hold blanks or control characters";
	CURLU *url = curl_url();
	if (url == NULL)
		return "cannot be checked: out of memory";
	if (curl_url_set(url, CURLUPART_URL, base_url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		problem = check_parts(url);
	curl_url_cleanup(url);
	return problem;
}

/* Does the path end in a version: /v1, /v1beta, /api/v3? */
static bool
ends_in_version(const char *path)
{
	const char *segment = strrchr(path, '/');

	if (segment == NULL || segment[1] != 'v' || !isdigit((unsigned char)segment[2]))
		return false;
	for (const char *c = segment + 2; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c))
			return false;
	return true;
}

static bool
ends_in(const char *text, const char *end)
{
	size_t length = strlen(text);
	size_t end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* The URL rule.  ${path} comes without trailing slashes. */
static void
write_path(const struct service *s, const char *path, struct buffer *out)
{
	buffer_puts(out, path);
	if (ends_in(path, s->endpoint))
		return;
	if (path[0] == '\0' && !ends_in_version(path))
		buffer_puts(out, s->version);
	buffer_puts(out, s->endpoint);
}

int
service_write_url(const struct service *s, const char *base_url, struct buffer *out)
{
	struct buffer new_path = BUFFER_INIT(0);
	CURLU *url = curl_url();
	char *path = NULL;
	char *whole = NULL;
	int status = -1;

	if (url == NULL || curl_url_set(url, CURLUPART_URL, base_url, 0) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		goto out;
	for (size_t length = strlen(path); length > 0 && path[length - 1] == '/';)
		path[--length] = '\0';
	write_path(s, path, &new_path);
	if (!new_path.failed &&
		curl_url_set(url, CURLUPART_PATH, buffer_text(&new_path), 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK)
		status = buffer_puts(out, whole);
out:
	curl_free(whole);
	curl_free(path);
	curl_url_cleanup(url);
	buffer_free(&new_path);
	return status;
}

/* Does the upstream send a header of its own in the place of ${line}? */
static bool
is_replaced(const struct upstream_options *options, const char *line)
{
	size_t length = strcspn(line, ":");

	for (size_t i = 0; i < options->header_count; i++)
		if (strlen(options->headers[i].name) == length &&
			strncasecmp(options->headers[i].name, line, length) == 0)
			return true;
	return false;
}

/* Append `${name}${value}` to the list; on failure the list is freed and NULL. */
static void
add_header(struct curl_slist **list, bool *failed, const char *name, const char *between,
	const char *value)
{
	struct buffer line = BUFFER_INIT(0);

	if (*failed)
		return;
	buffer_puts(&line, name);
	buffer_puts(&line, between);
	buffer_puts(&line, value);
	struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*list, line.data);
	*failed = longer == NULL;
	if (!*failed)
		*list = longer;
	if (line.data != NULL)
		secret_erase(line.data, line.length);
	buffer_free(&line);
}

struct curl_slist *
service_headers(const struct service *s, const struct upstream *upstream, const struct api_key *key,
	bool stream)
{
	const struct upstream_options *options = &upstream->options;
	const char *const ours[][2] = {
		{"Content-Type: ", "application/json"},
		{"Accept: ", stream ? "text/event-stream" : "application/json"},
		{"User-Agent: ", "claude-proxy/" VERSION},
		{s->key_header, key->secret},
	};
	struct curl_slist *list = NULL;
	bool failed = false;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!is_replaced(options, ours[i][0]))
			add_header(&list, &failed, ours[i][0], "", ours[i][1]);
	for (size_t i = 0; i < options->header_count; i++)
		add_header(
			&list, &failed, options->headers[i].name, ": ", options->headers[i].value);
	/* curl would ask for "100 Continue" before a large body and wait a second for those that
	 * ignore it. */
	add_header(&list, &failed, "Expect:", "", "");
	if (failed) {
		curl_slist_free_all(list);
		return NULL;
	}
	return list;
}

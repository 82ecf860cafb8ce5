/*
 * The options of an upstream; see options.h.  A new option is a member of struct upstream_options
 * and a row of the table.
 */
#include "store/options.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/text/duration.h"
#include "base/json/json.h"
#include "base/json/json_edit.h"
#include "base/text/safe_text.h"
#include "store/config.h"

/* Return NULL or the problem; with ${options} NULL only check. */
typedef const char *
option_reader(struct upstream_options *options, const char *name, const char *value);

static const char out_of_memory[] = "out of memory";

enum {
	LONGEST_VALUE = 8192,       /* bytes */
	LONGEST_HEADER = 256,       /* bytes of its name */
	LONGEST_TIMEOUT = 86400000, /* ms: a day */
};

static const char *
read_number(const char *value, int64_t *number)
{
	char *end;

	errno = 0;
	long long n = strtoll(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || n < 1)
		return "must be a whole number of at least 1";
	*number = n;
	return NULL;
}

static const char *
replace_text(char **member, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return out_of_memory;
	free(*member);
	*member = copy;
	return NULL;
}

static const char *
read_max_output_tokens(struct upstream_options *options, const char *name, const char *value)
{
	int64_t number = 0;
	const char *problem = read_number(value, &number);

	(void)name;
	if (problem == NULL && options != NULL)
		options->max_output_tokens = number;
	return problem;
}

static const char *
read_timeout(struct upstream_options *options, const char *name, const char *value)
{
	int64_t ms = duration_parse(value);

	(void)name;
	if (ms < 1 || ms > LONGEST_TIMEOUT)
		return "must be a duration such as 30s or 2m, or milliseconds; a day at most";
	if (options != NULL)
		options->timeout = ms;
	return NULL;
}

/* curl would complain of what it cannot read with all of it, the password too. */
static bool
is_url(const char *value)
{
	CURLU *url = curl_url();
	bool good = url != NULL &&
		    curl_url_set(url, CURLUPART_URL, value, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;

	curl_url_cleanup(url);
	return good;
}

static const char *
check_proxy(const char *value)
{
	static const char *const schemes[] = {
		"http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(value, schemes[i], strlen(schemes[i])) == 0)
			return is_url(value) ? NULL : "must be a URL like http://host:port";
	return "must be a URL that begins with http://, https://, socks4://, socks4a://, socks5:// "
	       "or socks5h://";
}

static const char *
read_proxy(struct upstream_options *options, const char *name, const char *value)
{
	(void)name;
	/* Whatever is stored is kept: without it, requests would go around the proxy. */
	return options != NULL ? replace_text(&options->proxy, value) : check_proxy(value);
}

static const char *
read_fallback(struct upstream_options *options, const char *name, const char *value)
{
	(void)name;
	return options != NULL ? replace_text(&options->fallback, value) : NULL;
}

/* RFC 9110: a token. */
static bool
is_header_name(const char *name)
{
	static const char token[] =
		"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return name[0] != '\0' && strspn(name, token) == strlen(name);
}

static const char *
check_header(const char *name, const char *value)
{
	static const char *const ours[] = {
		"host", "content-length", "transfer-encoding", "connection", "expect"};

	if (!is_header_name(name) || strlen(name) > LONGEST_HEADER)
		return "is not the name of a header";
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcasecmp(ours[i], name) == 0)
			return "is a header that only the transfer itself may set";
	return safe_text_is_header(value) ? NULL
					  : "must not contain line breaks or control characters";
}

static const char *
read_header(struct upstream_options *options, const char *name, const char *value)
{
	const char *header = name + strlen("header.");
	const char *problem = check_header(header, value);

	if (problem != NULL || options == NULL)
		return problem;
	struct extra_header *added = array_add(
		&options->headers, &options->header_count, sizeof(*added));
	if (added == NULL)
		return out_of_memory;
	added->name = strdup(header);
	added->value = strdup(value);
	return added->name != NULL && added->value != NULL ? NULL : out_of_memory;
}

/* One of two words, of which the second is the default. */
static const char *
read_switch(bool *first, const char *value, const char *word, const char *otherwise,
	const char *problem)
{
	bool is = strcmp(value, word) == 0;

	if (!is && strcmp(value, otherwise) != 0)
		return problem;
	if (first != NULL)
		*first = is;
	return NULL;
}

static const char *
read_reasoning(struct upstream_options *options, const char *name, const char *value)
{
	(void)name;
	return read_switch(options != NULL ? &options->reasoning_off : NULL, value, "off", "auto",
		"must be auto or off");
}

static const char *
read_images(struct upstream_options *options, const char *name, const char *value)
{
	(void)name;
	return read_switch(options != NULL ? &options->images_off : NULL, value, "off", "on",
		"must be on or off");
}

static const char *const auths[] = {
	[AUTH_BY_SERVICE] = "",
	[AUTH_BEARER] = "bearer",
	[AUTH_X_API_KEY] = "x-api-key",
	[AUTH_API_KEY] = "api-key",
};

static const char *
read_auth(struct upstream_options *options, const char *name, const char *value)
{
	(void)name;
	for (size_t i = AUTH_BEARER; i < sizeof(auths) / sizeof(auths[0]); i++) {
		if (strcmp(auths[i], value) != 0)
			continue;
		if (options != NULL)
			options->auth = (enum auth)i;
		return NULL;
	}
	return "must be bearer, x-api-key or api-key";
}

static const char *const searches[] = {
	[SEARCH_BY_ANY] = "auto",
	[SEARCH_BY_SERVICE] = "hosted",
	[SEARCH_BY_PROXY] = "proxy",
	[SEARCH_OFF] = "off",
};

static const char *
read_search(struct upstream_options *options, const char *name, const char *value)
{
	(void)name;
	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
		if (strcmp(searches[i], value) != 0)
			continue;
		if (options != NULL)
			options->search = (enum search_by)i;
		return NULL;
	}
	return "must be auto, hosted, proxy or off";
}

/* "none", or names with a minus, divided by commas. */
static bool
is_beta_list(const char *value)
{
	for (const char *at = value; strcmp(value, "none") != 0;) {
		size_t length = strcspn(at, ",");
		if (at[0] != '-' || length < 2 || strcspn(at, " \t\r\n") < length)
			return false;
		if (at[length] == '\0')
			break;
		at += length + 1;
	}
	return true;
}

static const char *
read_beta(struct upstream_options *options, const char *name, const char *value)
{
	(void)name;
	if (!is_beta_list(value) || !safe_text_is_header(value))
		return "must be none, or names to withhold, such as -context-1m-2025-08-07,-other";
	return options != NULL ? replace_text(&options->beta, value) : NULL;
}

static const char *
check_body(const char *path, const char *value)
{
	struct json_document index = {0};
	bool good = json_read(&index, value, strlen(value), JSON_MAX_ANSWER_VALUES, NULL) != NULL;

	json_document_free(&index);
	if (!json_edit_is_path(path))
		return "is not the path of a member, such as body.provider.order";
	if (strcmp(path, "stream") == 0)
		return "is decided by each request";
	if (strpbrk(value, "\r\n") != NULL)
		return "must be on one line";
	return good ? NULL
		    : "must be JSON: a number, true, false, null, [\"a\"], {\"a\":1}, and a text "
		      "in "
		      "quotes: '\"flex\"'";
}

static const char *
read_body(struct upstream_options *options, const char *name, const char *value)
{
	const char *path = name + strlen("body.");
	const char *problem = check_body(path, value);

	if (problem != NULL || options == NULL)
		return problem;
	struct body_member *added = array_add(&options->body, &options->body_count, sizeof(*added));
	if (added == NULL)
		return out_of_memory;
	added->path = strdup(path);
	added->value = strdup(value);
	return added->path != NULL && added->value != NULL ? NULL : out_of_memory;
}

static const struct {
	const char *name; /* as help shows it; up to a '<' what a name begins with */
	option_reader *read;
} table[] = {
	{"max-output-tokens", read_max_output_tokens},
	{"header.<Name>", read_header},
	{"body.<member>", read_body},
	{"auth", read_auth},
	{"beta", read_beta},
	{"images", read_images},
	{"fallback", read_fallback},
	{"proxy", read_proxy},
	{"timeout", read_timeout},
	{"reasoning", read_reasoning},
	{"search", read_search},
};

static option_reader *
find_reader(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t prefix = strcspn(table[i].name, "<");
		bool whole = table[i].name[prefix] == '\0';
		if (strncmp(table[i].name, name, prefix) == 0 && (!whole || name[prefix] == '\0'))
			return table[i].read;
	}
	return NULL;
}

const char *
option_check(const char *name, const char *value)
{
	option_reader *read = find_reader(name);

	if (read == NULL)
		return "is not an option";
	if (strlen(value) > LONGEST_VALUE)
		return "must not be longer than 8192 bytes";
	return read(NULL, name, value);
}

int
option_take(struct upstream_options *options, const char *name, const char *value)
{
	option_reader *read = find_reader(name);

	return read != NULL && read(options, name, value) == out_of_memory ? -1 : 0;
}

bool
option_is_secret(const char *name)
{
	return strcmp(name, "proxy") == 0 || strncmp(name, "header.", strlen("header.")) == 0;
}

bool
option_is_known(const char *name)
{
	return find_reader(name) != NULL;
}

const char *
option_name_at(unsigned index)
{
	return index < sizeof(table) / sizeof(table[0]) ? table[index].name : NULL;
}

static void
give_number(int64_t number, const char *name,
	void (*take)(void *context, const char *name, const char *value), void *context)
{
	char text[32];

	if (number == 0)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)number);
	take(context, name, text);
}

void
options_each(const struct upstream_options *options,
	void (*take)(void *context, const char *name, const char *value), void *context)
{
	char text[sizeof("header.") + LONGEST_HEADER];

	give_number(options->max_output_tokens, "max-output-tokens", take, context);
	give_number(options->timeout, "timeout", take, context);
	if (options->reasoning_off)
		take(context, "reasoning", "off");
	if (options->proxy != NULL)
		take(context, "proxy", options->proxy);
	if (options->fallback != NULL)
		take(context, "fallback", options->fallback);
	if (options->images_off)
		take(context, "images", "off");
	if (options->auth != AUTH_BY_SERVICE)
		take(context, "auth", auths[options->auth]);
	if (options->search != SEARCH_BY_ANY)
		take(context, "search", searches[options->search]);
	if (options->beta != NULL)
		take(context, "beta", options->beta);
	for (size_t i = 0; i < options->header_count; i++) {
		snprintf(text, sizeof(text), "header.%s", options->headers[i].name);
		take(context, text, options->headers[i].value);
	}
	for (size_t i = 0; i < options->body_count; i++) {
		snprintf(text, sizeof(text), "body.%s", options->body[i].path);
		take(context, text, options->body[i].value);
	}
}

void
options_free(struct upstream_options *options)
{
	for (size_t i = 0; i < options->header_count; i++) {
		free(options->headers[i].name);
		free(options->headers[i].value);
	}
	free(options->headers);
	for (size_t i = 0; i < options->body_count; i++) {
		free(options->body[i].path);
		free(options->body[i].value);
	}
	free(options->body);
	free(options->beta);
	free(options->proxy);
	free(options->fallback);
}

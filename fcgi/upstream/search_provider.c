/*
 * The services that search the web; see search_provider.h.  A new one is a row of the table.
 */
#include "upstream/search_provider.h"

#include <curl/curl.h>
#include <string.h>

#include "base/json/json_writer.h"
#include "base/text/utf8.h"
#include "store/config.h"
#include "upstream/search_sites.h"

enum {
	LONGEST_QUERY = 2048, /* characters */
	SHORT_QUERY = 400,    /* that some services take */
	MOST_OPERATORS = 8,   /* sites that the query itself names */
	MOST_RESULTS = 10,    /* that are asked for */
};

/* ---- the table ---- */

struct query {
	const char *text;
	const struct search_provider *provider;
	const struct search_sites *sites;
	const struct search_config *config;
};

static query_writer write_searxng;
static query_writer write_brave;
static query_writer write_tavily;

static const struct search_provider providers[] = {
	{
		.name = "searxng",
		.endpoint = "/search",
		.longest = LONGEST_QUERY,
		.write = write_searxng,
		.text = "content",
		.age = "publishedDate",
		.refusal = "it does not answer in JSON: let its settings.yml list json under "
			   "search.formats",
	},
	{
		.name = "brave",
		.url = "https://api.search.brave.com",
		.needs_key = true,
		.endpoint = "/res/v1/web/search",
		.longest = SHORT_QUERY,
		.write = write_brave,
		.group = "web",
		.text = "description",
		.more = "extra_snippets",
		.age = "page_age",
		.may_lack = true,
		.refusal = "it refuses the key",
	},
	{
		.name = "tavily",
		.url = "https://api.tavily.com",
		.needs_key = true,
		.endpoint = "/search",
		.longest = SHORT_QUERY,
		.write = write_tavily,
		.text = "content",
		.age = "published_date",
		.refusal = "it refuses the key",
	},
};

enum { PROVIDERS = sizeof(providers) / sizeof(providers[0]) };

const struct search_provider *
search_provider_at(size_t index)
{
	return index < PROVIDERS ? &providers[index] : NULL;
}

const struct search_provider *
search_provider_find(const char *name)
{
	for (size_t i = 0; i < PROVIDERS; i++)
		if (strcmp(providers[i].name, name) == 0)
			return &providers[i];
	return NULL;
}

bool
search_is_configured(const struct search_config *config)
{
	return config->provider != NULL && search_provider_find(config->provider) != NULL &&
	       search_url(config)[0] != '\0';
}

const char *
search_url(const struct search_config *config)
{
	const struct search_provider *p = search_provider_find(config->provider);

	if (config->url[0] != '\0' || p == NULL || p->url == NULL)
		return config->url;
	return p->url;
}

/* ---- the request ---- */

/* Append the hosts of the sites, each behind the next of the two words, unless there are too many.
 */
static void
add_operators(struct buffer *query, char *const *sites, const char *first, const char *next)
{
	size_t count = 0;
	size_t length;

	while (sites != NULL && sites[count] != NULL)
		count++;
	for (size_t i = 0; i < count && count <= MOST_OPERATORS; i++) {
		const char *host = search_site_host(sites[i], &length);
		buffer_puts(query, i == 0 ? first : next);
		buffer_append(query, host, length);
	}
}

/* The query with the sites in the operators that most search engines know: what they do not heed is
 * left out of the hits. */
static int
write_query(struct buffer *url, const struct query *q)
{
	struct buffer text = BUFFER_INIT(0);

	buffer_puts(&text, q->text);
	add_operators(&text, q->sites->allowed, " site:", " OR site:");
	add_operators(&text, q->sites->blocked, " -site:", " -site:");
	if (utf8_count_characters(buffer_text(&text), text.length) > q->provider->longest)
		buffer_cut(&text, strlen(q->text));
	char *escaped = curl_easy_escape(NULL, buffer_text(&text), (int)text.length);
	int status = text.failed || escaped == NULL ? -1 : buffer_puts(url, escaped);
	curl_free(escaped);
	buffer_free(&text);
	return status;
}

static int
add_header(struct search_request *r, const char *name, const char *value)
{
	struct buffer line = BUFFER_INIT(0);
	struct curl_slist *longer = NULL;

	if (buffer_puts(&line, name) == 0 && buffer_puts(&line, value) == 0)
		longer = curl_slist_append(r->headers, buffer_text(&line));
	if (longer != NULL)
		r->headers = longer;
	buffer_free(&line);
	return longer != NULL ? 0 : -1;
}

/* A member of the URL's query. */
static void
open_member(struct search_request *r, const char *name)
{
	buffer_putc(&r->url, strchr(buffer_text(&r->url), '?') != NULL ? '&' : '?');
	buffer_puts(&r->url, name);
}

static int
write_searxng(struct search_request *r, const struct query *q)
{
	open_member(r, "q=");
	if (write_query(&r->url, q) != 0)
		return -1;
	open_member(r, "format=json");
	return 0;
}

static int
write_brave(struct search_request *r, const struct query *q)
{
	open_member(r, "q=");
	if (write_query(&r->url, q) != 0)
		return -1;
	open_member(r, "count=10");
	open_member(r, "text_decorations=false");
	return add_header(r, "X-Subscription-Token: ", q->config->key);
}

static void
put_sites(struct json_writer *w, const char *name, char *const *sites)
{
	if (sites == NULL)
		return;
	json_open_array_member(w, name);
	for (; *sites != NULL; sites++) {
		size_t length;
		const char *host = search_site_host(*sites, &length);
		json_put_string(w, host, length);
	}
	json_close_array(w);
}

static int
write_tavily(struct search_request *r, const struct query *q)
{
	struct json_writer w = JSON_WRITER(&r->body);

	json_open_object(&w);
	json_put_text_member(&w, "query", q->text);
	json_put_int_member(&w, "max_results", MOST_RESULTS);
	put_sites(&w, "include_domains", q->sites->allowed);
	put_sites(&w, "exclude_domains", q->sites->blocked);
	json_close_object(&w);
	r->method = "POST";
	if (add_header(r, "Content-Type: ", "application/json") != 0)
		return -1;
	return add_header(r, "Authorization: Bearer ", q->config->key);
}

/* The base URL with the endpoint behind its path, before its query. */
static void
write_url(struct search_request *r, const char *base, const char *endpoint)
{
	size_t path = strcspn(base, "?");
	size_t length = path;
	size_t own = strlen(endpoint);

	while (length > 0 && base[length - 1] == '/')
		length--;
	buffer_append(&r->url, base, length);
	if (length < own || strncmp(base + length - own, endpoint, own) != 0)
		buffer_puts(&r->url, endpoint);
	buffer_puts(&r->url, base + path);
}

enum search_outcome
search_request_write(struct search_request *r, const struct search_config *config, const char *text,
	const struct search_sites *sites)
{
	const struct search_provider *p = search_provider_find(config->provider);
	const struct query q = {text, p, sites, config};

	*r = (struct search_request){.method = "GET"};
	if (p == NULL)
		return SEARCH_UNAVAILABLE;
	if (text[strspn(text, " \t\r\n")] == '\0')
		return SEARCH_INVALID_INPUT;
	if (utf8_count_characters(text, strlen(text)) > p->longest)
		return SEARCH_QUERY_TOO_LONG;
	write_url(r, search_url(config), p->endpoint);
	if (add_header(r, "Accept: ", "application/json") != 0 || p->write(r, &q) != 0 ||
		r->url.failed || r->body.failed)
		return SEARCH_UNAVAILABLE;
	return SEARCH_DONE;
}

void
search_request_free(struct search_request *r)
{
	buffer_free(&r->url);
	buffer_free(&r->body);
	curl_slist_free_all(r->headers);
	*r = (struct search_request){0};
}

/* ---- how it ends ---- */

const char *
search_error_code(enum search_outcome outcome)
{
	static const char *const codes[] = {
		[SEARCH_DONE] = NULL,
		[SEARCH_UNAVAILABLE] = "unavailable",
		[SEARCH_TOO_MANY_REQUESTS] = "too_many_requests",
		[SEARCH_INVALID_INPUT] = "invalid_tool_input",
		[SEARCH_QUERY_TOO_LONG] = "query_too_long",
		[SEARCH_MAX_USES_EXCEEDED] = "max_uses_exceeded",
	};

	return codes[outcome];
}

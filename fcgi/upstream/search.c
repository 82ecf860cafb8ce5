/*
 * The proxy's own web search; see search.h.  A new service is a row of the table.
 */
#include "upstream/search.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/safe_text.h"
#include "base/settings.h"
#include "store/config.h"
#include "upstream/transfer.h"

enum {
	MOST_VALUES = 50000, /* in an answer's JSON */
	MOST_OPERATORS = 8,  /* sites that the query itself names */
	SHORT_QUERY = 400,   /* characters that some services take */
	MOST_SNIPPETS = 5,   /* further ones of a page */
	TOO_MANY = 429,      /* statuses */
	PLAN_EXCEEDED = 432, /* Tavily's, as the next */
	PAYGO_EXCEEDED = 433,
};

/* ---- the services ---- */

struct query {
	const char *text;
	const struct search_sites *sites;
	const struct search_config *config;
};

typedef int request_writer(struct search_request *, const struct query *);

struct provider {
	struct search_provider seen;
	const char *endpoint;
	size_t longest;        /* query, in characters */
	request_writer *write; /* headers, and what says what is searched for */
	/* What its answer is called. */
	const char *group; /* the object that has the list; NULL: the answer itself */
	const char *text;
	const char *more; /* a list of further texts; NULL: none */
	const char *age;
	bool may_lack;       /* an answer without the list found nothing */
	const char *refusal; /* what 403 means */
};

static request_writer write_searxng;
static request_writer write_brave;
static request_writer write_tavily;

static const struct provider providers[] = {
	{{"searxng", NULL, false}, "/search", SEARCH_LONGEST_QUERY, write_searxng, NULL, "content",
		NULL, "publishedDate", false,
		"it does not answer in JSON: let its settings.yml list json under search.formats"},
	{{"brave", "https://api.search.brave.com", true}, "/res/v1/web/search", SHORT_QUERY,
		write_brave, "web", "description", "extra_snippets", "page_age", true,
		"it refuses the key"},
	{{"tavily", "https://api.tavily.com", true}, "/search", SHORT_QUERY, write_tavily, NULL,
		"content", NULL, "published_date", false, "it refuses the key"},
};

enum { PROVIDERS = sizeof(providers) / sizeof(providers[0]) };

const struct search_provider *
search_provider_at(size_t index)
{
	return index < PROVIDERS ? &providers[index].seen : NULL;
}

static const struct provider *
find_provider(const char *name)
{
	for (size_t i = 0; i < PROVIDERS; i++)
		if (strcmp(providers[i].seen.name, name) == 0)
			return &providers[i];
	return NULL;
}

const struct search_provider *
search_provider_find(const char *name)
{
	const struct provider *p = find_provider(name);

	return p != NULL ? &p->seen : NULL;
}

bool
search_is_configured(const struct search_config *config)
{
	return config->provider != NULL && find_provider(config->provider) != NULL &&
	       search_url(config)[0] != '\0';
}

const char *
search_url(const struct search_config *config)
{
	const struct provider *p = find_provider(config->provider);

	if (config->url[0] != '\0' || p == NULL || p->seen.url == NULL)
		return config->url;
	return p->seen.url;
}

/* ---- sites ---- */

/* The host of a site, without the scheme that some write before it, and its length. */
static const char *
host_of(const char *site, size_t *length)
{
	const char *scheme = strstr(site, "://");
	const char *host = scheme != NULL ? scheme + strlen("://") : site;

	*length = strcspn(host, "/");
	return host;
}

/* Is ${host} the one of the site, or below it? */
static bool
is_below(const char *host, const char *site, size_t length)
{
	size_t all = strlen(host);

	if (length == 0 || all < length || strncasecmp(host + all - length, site, length) != 0)
		return false;
	return all == length || host[all - length - 1] == '.';
}

static bool
matches(const char *host, const char *path, const char *site)
{
	size_t length;
	const char *own = host_of(site, &length);
	size_t prefix = strcspn(own + length, "*");

	return is_below(host, own, length) && strncmp(path, own + length, prefix) == 0;
}

static bool
is_among(const char *host, const char *path, char *const *sites)
{
	for (; *sites != NULL; sites++)
		if (matches(host, path, *sites))
			return true;
	return false;
}

bool
search_sites_admit(const struct search_sites *sites, const char *text)
{
	CURLU *url = curl_url();
	char *host = NULL;
	char *path = NULL;
	bool admitted = false;

	if (url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK)
		admitted = (sites->allowed == NULL || is_among(host, path, sites->allowed)) &&
			   (sites->blocked == NULL || !is_among(host, path, sites->blocked));
	curl_free(host);
	curl_free(path);
	curl_url_cleanup(url);
	return admitted;
}

static void
free_list(char **list)
{
	for (char **each = list; each != NULL && *each != NULL; each++)
		free(*each);
	free(list);
}

void
search_sites_free(struct search_sites *sites)
{
	free_list(sites->allowed);
	free_list(sites->blocked);
	*sites = (struct search_sites){0};
}

/* ---- the request ---- */

static size_t
count_characters(const char *text, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

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
		const char *host = host_of(sites[i], &length);
		buffer_puts(query, i == 0 ? first : next);
		buffer_append(query, host, length);
	}
}

/* The query with the sites in the operators that most search engines know: what they do not heed is
 * left out of the hits. */
static int
write_query(struct buffer *url, const struct query *q)
{
	const struct provider *p = find_provider(q->config->provider);
	struct buffer text = BUFFER_INIT(0);

	buffer_puts(&text, q->text);
	add_operators(&text, q->sites->allowed, " site:", " OR site:");
	add_operators(&text, q->sites->blocked, " -site:", " -site:");
	if (count_characters(buffer_text(&text), text.length) > p->longest)
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
		const char *host = host_of(*sites, &length);
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
	json_put_int_member(&w, "max_results", SEARCH_MOST_HITS);
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
	const struct provider *p = find_provider(config->provider);
	const struct query q = {text, sites, config};

	*r = (struct search_request){.method = "GET"};
	if (text[strspn(text, " \t\r\n")] == '\0')
		return SEARCH_INVALID_INPUT;
	if (count_characters(text, strlen(text)) > p->longest)
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

/* ---- the answer ---- */

const char *
search_error_code(enum search_outcome outcome)
{
	static const char *const codes[] = {
		[SEARCH_DONE] = NULL,
		[SEARCH_UNAVAILABLE] = "unavailable",
		[SEARCH_TOO_MANY_REQUESTS] = "too_many_requests",
		[SEARCH_INVALID_INPUT] = "invalid_input",
		[SEARCH_QUERY_TOO_LONG] = "query_too_long",
		[SEARCH_MAX_USES_EXCEEDED] = "max_uses_exceeded",
	};

	return codes[outcome];
}

static void __attribute__((format(printf, 3, 4)))
fail(struct search_result *r, enum search_outcome outcome, const char *format, ...)
{
	va_list arguments;

	r->outcome = outcome;
	va_start(arguments, format);
	vsnprintf(r->problem, sizeof(r->problem), format, arguments);
	va_end(arguments);
}

/* Append a string's text on one line, at most ${most} bytes in all. */
static void
add_text(struct buffer *out, const struct json *string, size_t most)
{
	struct buffer text = BUFFER_INIT(0);

	json_append(&text, string);
	for (size_t i = 0; i < text.length; i++)
		if (strchr("\t\r\n", text.data[i]) != NULL)
			text.data[i] = ' ';
	size_t room = most > out->length ? most - out->length : 0;
	safe_text_write(
		out, buffer_text(&text), safe_text_cut(buffer_text(&text), text.length, room));
	if (text.failed)
		out->failed = true;
	buffer_free(&text);
}

/* A URL is whole or useless, and is handed on as it came. */
static bool
take_url(struct search_hit *hit, const struct json *url, const struct search_sites *sites)
{
	if (!json_is_string(url) || json_content_length(url) > SEARCH_LONGEST_TEXT ||
		json_append(&hit->url, url) != 0)
		return false;
	const char *text = buffer_text(&hit->url);
	if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
		return false;
	return strlen(text) == hit->url.length && strpbrk(text, " \"<>\\") == NULL &&
	       safe_text_is_plain(text) && search_sites_admit(sites, text);
}

static void
free_hit(struct search_hit *hit)
{
	buffer_free(&hit->url);
	buffer_free(&hit->title);
	buffer_free(&hit->text);
	buffer_free(&hit->age);
}

static bool
is_known(const struct search_result *r, const struct search_hit *hit)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(buffer_text(&r->hits[i].url), buffer_text(&hit->url)) == 0)
			return true;
	return false;
}

/* A page without a title goes by its address. */
static void
take_texts(struct search_hit *hit, const struct provider *p, const struct json *page)
{
	size_t snippets = 0;

	add_text(&hit->title, json_member(page, "title"), SEARCH_LONGEST_TITLE);
	if (hit->title.length == 0)
		buffer_puts(&hit->title, buffer_text(&hit->url));
	add_text(&hit->text, json_member(page, p->text), SEARCH_LONGEST_TEXT);
	JSON_EACH (snippet, p->more != NULL ? json_member_array(page, p->more) : NULL) {
		if (snippets++ == MOST_SNIPPETS || hit->text.length >= SEARCH_LONGEST_TEXT)
			break;
		buffer_putc(&hit->text, ' ');
		add_text(&hit->text, snippet, SEARCH_LONGEST_TEXT);
	}
	add_text(&hit->age, json_member(page, p->age), SEARCH_LONGEST_AGE);
}

static void
take_page(struct search_result *r, const struct provider *p, const struct json *page,
	const struct search_sites *sites)
{
	struct search_hit hit = {.url = BUFFER_INIT(0)};

	if (!take_url(&hit, json_member(page, "url"), sites) || is_known(r, &hit)) {
		free_hit(&hit);
		return;
	}
	take_texts(&hit, p, page);
	r->hits[r->count++] = hit;
	if (hit.title.failed || hit.text.failed || hit.age.failed)
		fail(r, SEARCH_UNAVAILABLE, "the proxy is out of memory");
}

static void
read_list(struct search_result *r, const struct provider *p, const struct json *answer,
	const struct search_sites *sites)
{
	const struct json *group = p->group != NULL ? json_member(answer, p->group) : answer;
	const struct json *list = json_member_array(group, "results");

	if (!json_is_object(answer))
		fail(r, SEARCH_UNAVAILABLE, "its answer is not JSON");
	else if (list == NULL && !p->may_lack)
		fail(r, SEARCH_UNAVAILABLE, "its answer has no list of results");
	JSON_EACH (page, list) {
		if (r->count == SEARCH_MOST_HITS || r->outcome != SEARCH_DONE)
			break;
		take_page(r, p, page, sites);
	}
}

static void
read_status(struct search_result *r, const struct provider *p, int status)
{
	if (status == TOO_MANY || status == PLAN_EXCEEDED || status == PAYGO_EXCEEDED)
		fail(r, SEARCH_TOO_MANY_REQUESTS,
			"it has had too many requests, or its plan is used up (status %d)", status);
	else if (status == 403)
		fail(r, SEARCH_UNAVAILABLE, "%s (status 403)", p->refusal);
	else if (status == 401)
		fail(r, SEARCH_UNAVAILABLE, "it refuses the key (status 401)");
	else
		fail(r, SEARCH_UNAVAILABLE, "it answered with status %d", status);
}

void
search_read(struct search_result *r, const struct search_config *config, int status,
	const char *body, size_t length, const struct search_sites *sites)
{
	const struct provider *p = find_provider(config->provider);
	struct json_document index = {0};

	*r = (struct search_result){.outcome = SEARCH_DONE};
	if (status == 200)
		read_list(r, p, json_read(&index, body, length, MOST_VALUES, NULL), sites);
	else
		read_status(r, p, status);
	json_document_free(&index);
}

void
search_result_free(struct search_result *r)
{
	for (size_t i = 0; i < r->count; i++)
		free_hit(&r->hits[i]);
	*r = (struct search_result){0};
}

/* ---- the transfer ---- */

struct search {
	struct search_job job;
	struct search_request request;
	struct transfer *transfer;
	int status;
	struct buffer body;
};

static void
free_search(struct search *s)
{
	search_request_free(&s->request);
	buffer_free(&s->body);
	free(s);
}

/* Tell the result, after which nothing is left. */
static void
finish(struct search *s, struct search_result *result)
{
	const struct search_job job = s->job;

	free_search(s);
	job.done(job.context, result);
	search_result_free(result);
}

static void
on_head(void *context)
{
	struct search *s = context;

	s->status = transfer_status(s->transfer);
}

static bool
on_body(void *context, const char *bytes, size_t length)
{
	struct search *s = context;

	return buffer_append(&s->body, bytes, length) == 0;
}

static void
on_batch_end(void *context)
{
	(void)context;
}

static void
on_ended(void *context, enum transfer_outcome outcome, const char *problem)
{
	struct search *s = context;
	struct search_result result = {.outcome = SEARCH_DONE};

	s->transfer = NULL;
	if (outcome == TRANSFER_COMPLETE)
		search_read(&result, s->job.config, s->status, buffer_text(&s->body),
			s->body.length, s->job.sites);
	else if (s->body.failed)
		fail(&result, SEARCH_UNAVAILABLE, "it sent more than 1 MiB");
	else
		fail(&result, SEARCH_UNAVAILABLE, "%s", problem);
	finish(s, &result);
}

static const struct transfer_handler handler = {
	.head = on_head,
	.body = on_body,
	.batch_end = on_batch_end,
	.ended = on_ended,
};

static const char *
why_not_sent(enum search_outcome outcome)
{
	switch (outcome) {
	case SEARCH_INVALID_INPUT:
		return "the query is empty";
	case SEARCH_QUERY_TOO_LONG:
		return "the query is longer than it takes";
	default:
		return "the proxy is out of memory";
	}
}

/* Return SEARCH_DONE, or why there is no transfer. */
static enum search_outcome
begin(struct search *s, const struct search_job *job, struct transfers *transfers)
{
	s->job = *job;
	s->body = BUFFER_INIT(SEARCH_MOST_BODY);
	enum search_outcome outcome = search_request_write(
		&s->request, s->job.config, s->job.query, s->job.sites);
	const struct transfer_request request = {
		.url = buffer_text(&s->request.url),
		.method = s->request.method,
		.body = buffer_text(&s->request.body),
		.body_length = s->request.body.length,
		.headers = s->request.headers,
		.certificates = s->job.certificates,
		.connect_timeout = SEARCH_PATIENCE,
	};

	if (outcome != SEARCH_DONE)
		return outcome;
	s->transfer = transfer_start(transfers, &request, &handler, s);
	return s->transfer != NULL ? SEARCH_DONE : SEARCH_UNAVAILABLE;
}

struct search *
search_start(
	struct transfers *transfers, const struct search_job *job, struct search_result *result)
{
	struct search *s = calloc(1, sizeof(*s));
	enum search_outcome outcome = SEARCH_UNAVAILABLE;
	const char *problem = "this version of claude-proxy does not know it";

	*result = (struct search_result){.outcome = SEARCH_DONE};
	if (s == NULL || search_is_configured(job->config)) {
		outcome = s != NULL ? begin(s, job, transfers) : outcome;
		problem = why_not_sent(outcome);
	}
	if (outcome == SEARCH_DONE)
		return s;
	fail(result, outcome, "%s", problem);
	if (s != NULL)
		free_search(s);
	return NULL;
}

int64_t
search_patience(const struct settings *settings)
{
	int64_t silence = settings->silence_timeout;

	return silence < SEARCH_PATIENCE ? silence : SEARCH_PATIENCE;
}

void
search_time_out(struct search *s)
{
	struct search_result result = {.outcome = SEARCH_UNAVAILABLE};
	bool connected = transfer_connect_time(s->transfer) >= 0;

	fail(&result, SEARCH_UNAVAILABLE, "%s",
		connected ? "it did not answer in time" : transfer_obstacle(s->transfer));
	transfer_cancel(s->transfer);
	finish(s, &result);
}

void
search_cancel(struct search *s)
{
	transfer_cancel(s->transfer);
	free_search(s);
}

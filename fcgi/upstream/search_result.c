/*
 * What a web search found; see search_result.h.
 */
#include "upstream/search_result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json/json.h"
#include "base/text/safe_text.h"
#include "store/config.h"
#include "upstream/search_sites.h"

enum {
	MOST_VALUES = 50000, /* in an answer's JSON */
	MOST_SNIPPETS = 5,   /* further excerpts of a page */
	LONGEST_URL = 2048,  /* bytes, as the next */
	LONGEST_TITLE = 300,
	LONGEST_TEXT = 2048,
	LONGEST_AGE = 64,
	TOO_MANY = 429,      /* statuses */
	PLAN_EXCEEDED = 432, /* Tavily's, as the next */
	PAYGO_EXCEEDED = 433,
};

void
search_fail(struct search_result *r, enum search_outcome outcome, const char *format, ...)
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
	if (!json_is_string(url) || json_content_length(url) > LONGEST_URL ||
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
take_texts(struct search_hit *hit, const struct search_provider *p, const struct json *page)
{
	size_t snippets = 0;

	add_text(&hit->title, json_member(page, "title"), LONGEST_TITLE);
	if (hit->title.length == 0)
		buffer_puts(&hit->title, buffer_text(&hit->url));
	add_text(&hit->text, json_member(page, p->text), LONGEST_TEXT);
	JSON_EACH (snippet, p->more != NULL ? json_member_array(page, p->more) : NULL) {
		if (snippets++ == MOST_SNIPPETS || hit->text.length >= LONGEST_TEXT)
			break;
		buffer_putc(&hit->text, ' ');
		add_text(&hit->text, snippet, LONGEST_TEXT);
	}
	add_text(&hit->age, json_member(page, p->age), LONGEST_AGE);
}

static void
take_page(struct search_result *r, const struct search_provider *p, const struct json *page,
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
		search_fail(r, SEARCH_UNAVAILABLE, "the proxy is out of memory");
}

static void
read_list(struct search_result *r, const struct search_provider *p, const struct json *answer,
	const struct search_sites *sites)
{
	const struct json *group = p->group != NULL ? json_member(answer, p->group) : answer;
	const struct json *list = json_member_array(group, "results");

	if (!json_is_object(answer))
		search_fail(r, SEARCH_UNAVAILABLE, "its answer is not JSON");
	else if (list == NULL && !p->may_lack)
		search_fail(r, SEARCH_UNAVAILABLE, "its answer has no list of results");
	JSON_EACH (page, list) {
		if (r->count == SEARCH_MOST_HITS || r->outcome != SEARCH_DONE)
			break;
		take_page(r, p, page, sites);
	}
}

static void
read_status(struct search_result *r, const struct search_provider *p, int status)
{
	if (status == TOO_MANY || status == PLAN_EXCEEDED || status == PAYGO_EXCEEDED)
		search_fail(r, SEARCH_TOO_MANY_REQUESTS,
			"it has had too many requests, or its plan is used up (status %d)", status);
	else if (status == 403)
		search_fail(r, SEARCH_UNAVAILABLE, "%s (status 403)", p->refusal);
	else if (status == 422 && p->needs_key)
		search_fail(r, SEARCH_UNAVAILABLE, "it refuses the key or the query (status 422)");
	else if (status == 401)
		search_fail(r, SEARCH_UNAVAILABLE, "it refuses the key (status 401)");
	else
		search_fail(r, SEARCH_UNAVAILABLE, "it answered with status %d", status);
}

void
search_read(struct search_result *r, const struct search_config *config, int status,
	const char *body, size_t length, const struct search_sites *sites)
{
	const struct search_provider *p = search_provider_find(config->provider);
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

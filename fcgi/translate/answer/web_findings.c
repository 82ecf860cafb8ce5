/*
 * What one answer found on the web; see web_findings.h.
 */
#include "translate/answer/web_findings.h"

#include <string.h>

#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/writer.h"

enum {
	MOST_KNOWN = 1024,          /* queries, pages and citations of one answer */
	LONGEST_TEXT = 4096,        /* bytes of a URL, a title, an age or a query */
	MOST_RETITLED = 256 * 1024, /* bytes of searches or pages in which one gets its title */
};

void
web_findings_free(struct web_findings *f)
{
	buffer_free(&f->searches);
	buffer_free(&f->pages);
	buffer_free(&f->citations);
	text_map_free(&f->known);
	*f = (struct web_findings){0};
}

/* ---- what comes ---- */

/* Is the text new, and is there room for it?  It is known with the number then. */
static bool
is_news(struct web_findings *f, const struct buffer *text, uint64_t number)
{
	if (text->failed) {
		f->failed = true;
		return false;
	}
	if (text_map_get(&f->known, text->data, text->length, NULL) || f->known.count == MOST_KNOWN)
		return false;
	if (text_map_set(&f->known, text->data, text->length, number) != 0)
		f->failed = true;
	return !f->failed;
}

static bool
is_fit(const struct json *string)
{
	size_t length = string != NULL ? json_content_length(string) : 0;

	return length > 0 && length <= LONGEST_TEXT;
}

/* In the place of the pages of a search that failed. */
static const char failed_search[] = "!";

/* The last search found the pages, and no more.  Those that came after all searches were written
 * belong to none. */
static void
close_search(struct web_findings *f)
{
	if (f->searches.length == 0) {
		if (f->searched)
			buffer_clear(&f->pages);
		return;
	}
	buffer_putc(&f->searches, '\t');
	if (f->last_failed && f->pages.length == 0)
		buffer_puts(&f->searches, failed_search);
	buffer_append(&f->searches, f->pages.data, f->pages.length);
	f->last_failed = false;
	buffer_putc(&f->searches, '\n');
	buffer_clear(&f->pages);
}

void
web_findings_add_search(struct web_findings *f, const struct json *query)
{
	close_search(f);
	if (is_fit(query))
		json_write(&f->searches, query);
	else
		buffer_puts(&f->searches, "\"\"");
	f->failed = f->failed || f->searches.failed;
}

void
web_findings_fail_search(struct web_findings *f)
{
	f->last_failed = true;
}

void
web_findings_add_query(struct web_findings *f, const struct json *query)
{
	struct buffer key = BUFFER_INIT(0);

	if (!is_fit(query))
		return;
	buffer_putc(&key, 'q');
	json_write(&key, query);
	if (is_news(f, &key, 0))
		web_findings_add_search(f, query);
	buffer_free(&key);
}

/* A page without a title goes by its address. */
static void
put_page(struct json_writer *w, const struct web_page *page)
{
	json_put_value_member(w, "url", page->url);
	json_put_value_member(w, "title", is_fit(page->title) ? page->title : page->url);
}

static void
write_page(struct buffer *text, const struct web_page *page)
{
	struct json_writer w = JSON_WRITER(text);

	json_open_object(&w);
	json_put_text_member(&w, "type", "web_search_result");
	put_page(&w, page);
	json_put_text_member(&w, "encrypted_content", "");
	json_put_value_member(&w, "page_age", is_fit(page->age) ? page->age : NULL);
	json_close_object(&w);
}

/* The same bytes with ${to} for the first ${from} in them. */
static bool
replace(struct buffer *in, const struct buffer *from, const struct buffer *to)
{
	struct buffer whole = BUFFER_INIT(0);
	const char *text = buffer_text(in);
	const char *at = in->length <= MOST_RETITLED
				 ? memmem(text, in->length, from->data, from->length)
				 : NULL;

	if (at == NULL)
		return false;
	buffer_append(&whole, text, (size_t)(at - text));
	buffer_append(&whole, to->data, to->length);
	at += from->length;
	buffer_append(&whole, at, in->length - (size_t)(at - text));
	buffer_free(in);
	*in = whole;
	return true;
}

/* The title comes later: a source is told by its address alone, and then it is cited. */
static void
retitle(struct web_findings *f, const struct web_page *page)
{
	const struct web_page untitled = {.url = page->url};
	struct buffer before = BUFFER_INIT(0);
	struct buffer after = BUFFER_INIT(0);

	write_page(&before, &untitled);
	write_page(&after, page);
	f->failed = f->failed || before.failed || after.failed;
	if (!f->failed && !replace(&f->pages, &before, &after))
		replace(&f->searches, &before, &after);
	f->failed = f->failed || f->pages.failed || f->searches.failed;
	buffer_free(&before);
	buffer_free(&after);
}

static void
add_new_page(struct web_findings *f, const struct web_page *page)
{
	struct buffer text = BUFFER_INIT(0);

	write_page(&text, page);
	if (f->pages.length > 0)
		buffer_putc(&f->pages, ',');
	buffer_append(&f->pages, text.data, text.length);
	f->failed = f->failed || text.failed || f->pages.failed;
	buffer_free(&text);
}

void
web_findings_add_page(struct web_findings *f, const struct web_page *page)
{
	struct buffer key = BUFFER_INIT(0);
	bool titled = is_fit(page->title);
	uint64_t was_titled = 1;

	if (!is_fit(page->url))
		return;
	/* One page is one result, under the first title that it has. */
	buffer_putc(&key, 'p');
	json_write(&key, page->url);
	if (is_news(f, &key, titled)) {
		add_new_page(f, page);
	} else if (titled && text_map_get(&f->known, buffer_text(&key), key.length, &was_titled) &&
		   was_titled == 0) {
		retitle(f, page);
		if (text_map_set(&f->known, key.data, key.length, 1) != 0)
			f->failed = true;
	}
	buffer_free(&key);
}

/* The beginning of what is cited, without half of a character. */
static void
put_quote(struct json_writer *w, const struct json *quote)
{
	const char *content = json_content(quote);
	const char *end = content + json_content_length(quote);
	const char *at = content;
	size_t left = CLAUDE_LONGEST_QUOTE;
	char bytes[4];
	size_t length;

	while (at < end && left > 0) {
		at = json_content_next(at, end, bytes, &length);
		left -= at == end || ((unsigned char)*at & 0xc0) != 0x80;
	}
	json_put_name(w, "cited_text");
	json_open_string(w);
	json_string_content(w, content, (size_t)(at - content));
	json_close_string(w);
}

void
web_findings_add_citation(struct web_findings *f, const struct web_page *page)
{
	struct buffer text = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&text);

	if (!is_fit(page->url))
		return;
	json_open_object(&w);
	json_put_text_member(&w, "type", "web_search_result_location");
	put_quote(&w, page->quote);
	put_page(&w, page);
	json_put_text_member(&w, "encrypted_index", "");
	json_close_object(&w);
	if (is_news(f, &text, 0)) {
		buffer_append(&f->citations, text.data, text.length);
		buffer_putc(&f->citations, '\n');
		f->failed = f->failed || f->citations.failed;
	}
	buffer_free(&text);
}

/* ---- what is written ---- */

/* What a search found: the pages, with commas. */
static void
write_result(struct buffer *out, const char *pages, size_t length)
{
	bool failed = length == 1 && *pages == failed_search[0];

	buffer_clear(out);
	if (failed) {
		buffer_puts(out, "{\"type\":\"web_search_tool_result_error\","
				 "\"error_code\":\"unavailable\"}");
		return;
	}
	buffer_putc(out, '[');
	buffer_append(out, pages, length);
	buffer_putc(out, ']');
}

/* The searches from line to line. */
static void
write_lines(const char *at, struct claude_writer *w)
{
	struct buffer result = BUFFER_INIT(0);

	while (*at != '\0') {
		size_t query = strcspn(at, "\t");
		const char *found = at + query + 1;
		size_t length = strcspn(found, "\n");
		write_result(&result, found, length);
		claude_writer_search_begin(w, at + 1, query - 2);
		claude_writer_search_end(
			w, buffer_text(&result), result.length, *buffer_text(&result) == '[');
		at = found + length + 1;
	}
	buffer_free(&result);
}

void
web_findings_write_searches(struct web_findings *f, struct claude_writer *w)
{
	if (f->searches.length == 0 && (f->searched || f->pages.length == 0))
		return;
	if (f->searches.length == 0)
		web_findings_add_search(f, NULL);
	close_search(f);
	f->failed = f->failed || f->searches.failed;
	if (f->failed)
		return;
	write_lines(buffer_text(&f->searches), w);
	buffer_clear(&f->searches);
	f->searched = true;
}

void
web_findings_write_citations(struct web_findings *f, struct claude_writer *w)
{
	const char *at = buffer_text(&f->citations);

	if (!claude_writer_is_text(w))
		return;
	while (*at != '\0') {
		size_t length = strcspn(at, "\n");
		claude_writer_citation(w, at, length);
		at += length + 1;
	}
	buffer_clear(&f->citations);
}

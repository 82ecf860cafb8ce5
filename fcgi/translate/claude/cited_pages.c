/*
 * The pages that a text may cite; see cited_pages.h.
 */
#include "translate/claude/cited_pages.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/json/json.h"

enum { LOOKED_AT = 32 << 10 /* bytes of a text */ };

static bool
is_known(const struct cited_pages *p, const char *url)
{
	size_t length = strlen(url);

	for (const char *line = buffer_text(&p->lines); *line != '\0';
		line += strcspn(line, "\n") + 1)
		if (strncmp(line, url, length) == 0 && line[length] == '\t')
			return true;
	return false;
}

void
cited_pages_add(struct cited_pages *p, const char *url, const char *citation, size_t length)
{
	if (is_known(p, url))
		return;
	buffer_puts(&p->lines, url);
	buffer_putc(&p->lines, '\t');
	buffer_append(&p->lines, citation, length);
	buffer_putc(&p->lines, '\n');
}

/* Could the address go on here, so that it is another one? */
static bool
goes_on(const char *at, const char *end)
{
	if (at < end && *at == '.')
		at++;
	return at < end && (isalnum((unsigned char)*at) || strchr("/_~%=&#?+-", *at) != NULL);
}

static bool
is_in(const struct buffer *text, const char *url, size_t url_length)
{
	const char *at = buffer_text(text);
	const char *end = at + text->length;

	while ((at = memmem(at, (size_t)(end - at), url, url_length)) != NULL) {
		at += url_length;
		if (!goes_on(at, end))
			return true;
	}
	return false;
}

/* The beginning of the text, without its escapes. */
static void
decode(struct buffer *text, const char *content, size_t length)
{
	const char *end = content + length;
	const char *at = content;
	char bytes[4];

	while (at < end && at - content < LOOKED_AT) {
		at = json_content_next(at, end, bytes, &length);
		buffer_append(text, bytes, length);
	}
}

void
cited_pages_find(const struct cited_pages *p, const char *content, size_t length,
	void (*take)(void *context, const char *citation, size_t length), void *context)
{
	const char *line = buffer_text(&p->lines);
	struct buffer text = BUFFER_INIT(0);

	if (*line != '\0')
		decode(&text, content, length);

	while (*line != '\0') {
		size_t url = strcspn(line, "\t");
		const char *citation = line + url + 1;
		size_t citation_length = strcspn(citation, "\n");
		if (is_in(&text, line, url))
			take(context, citation, citation_length);
		line = citation + citation_length + 1;
	}
	buffer_free(&text);
}

void
cited_pages_free(struct cited_pages *p)
{
	buffer_free(&p->lines);
}

/*
 * Finding what is known of a host and a model; see model_facts.h.
 */
#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text/url.h"
#include "translate/model_rows.h"

enum { LONGEST_NAME = 256 };

static inline bool
ends_glob(char c)
{
	return c == ' ' || c == '\0';
}

static inline bool
is_wild(char c)
{
	return c == '*' || c == '?' || c == '[';
}

/* Does the glob, which begins with a wildcard, match the name?  Nearly all are "*", "*x" or "*x*".
 */
static bool
matches_wildly(const char *glob, const char *name)
{
	char pattern[LONGEST_NAME];
	size_t length = strcspn(glob, " ");
	const char *inner = glob + 1;
	size_t inner_length = strcspn(inner, "*?[ ");
	size_t name_length = strlen(name);

	if (*glob == '*' && length == 1 + inner_length)
		return name_length >= inner_length &&
		       memcmp(name + name_length - inner_length, inner, inner_length) == 0;
	if (*glob == '*' && length == 2 + inner_length && inner[inner_length] == '*')
		return memmem(name, name_length, inner, inner_length) != NULL;
	memcpy(pattern, glob, length);
	pattern[length] = '\0';
	return fnmatch(pattern, name, 0) == 0;
}

/* Does the glob, which ends at a space or with the text, match the name?  Every request asks
 * for all of them, and most are ruled out by their first letters. */
static inline bool
matches_one(const char *glob, const char *name)
{
	while (!is_wild(*glob) && !ends_glob(*glob) && *glob == *name) {
		glob++;
		name++;
	}
	return ends_glob(*glob) ? *name == '\0' : is_wild(*glob) && matches_wildly(glob, name);
}

/* Does one of the globs, with spaces between them, match the name? */
static bool
matches(const char *patterns, const char *name)
{
	for (const char *at = patterns; at != NULL; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (matches_one(at, name))
			return true;
	}
	return false;
}

/* A port counts only where the pattern names one. */
static bool
is_host(const struct host_facts *row, const char *host)
{
	char bare[LONGEST_NAME];
	size_t length = strcspn(host, ":");

	if (row->patterns == NULL)
		return true;
	if (length >= sizeof(bare))
		return false;
	memcpy(bare, host, length);
	bare[length] = '\0';
	return matches(row->patterns, bare) ||
	       (host[length] != '\0' && matches(row->patterns, host));
}

static const struct host_facts *
find_host(const char *host)
{
	size_t i = 0;

	if (host == NULL)
		return &model_own_host;
	while (!is_host(&model_hosts[i], host))
		i++;
	return &model_hosts[i];
}

/* The last part of the name, without a tag such as ":free", in lower case. */
static void
simplify(const char *model, char name[LONGEST_NAME])
{
	const char *slash = strrchr(model, '/');
	const char *start = slash != NULL ? slash + 1 : model;
	size_t length = strcspn(start, ":");

	if (length >= LONGEST_NAME)
		length = LONGEST_NAME - 1;
	for (size_t i = 0; i < length; i++)
		name[i] = (char)tolower((unsigned char)start[i]);
	name[length] = '\0';
}

static const struct model_row *
find_model(const struct host_facts *host, const char *name)
{
	size_t i = 0;

	while (!matches(model_rows[i].patterns, name) ||
		(model_rows[i].hosts != NULL && !matches(model_rows[i].hosts, host->name)))
		i++;
	return &model_rows[i];
}

struct model_facts
model_facts_find(const char *host, const char *model)
{
	char name[LONGEST_NAME];
	const struct host_facts *row = find_host(host);

	simplify(model, name);
	return (struct model_facts){.host = row, .model = find_model(row, name)};
}

enum search_form
model_facts_chat_search(const struct model_facts *f)
{
	if (f->no_search)
		return SEARCH_NONE;
	bool groq = f->host->search == SEARCH_GROQ;
	if (model_facts_is(f, MODEL_SEARCHES))
		return groq ? SEARCH_UNASKED : SEARCH_ALWAYS;
	return groq && !model_facts_is(f, MODEL_BROWSES) ? SEARCH_NONE : f->host->search;
}

enum search_form
model_facts_responses_search(const struct model_facts *f)
{
	if (f->no_search || model_facts_is(f, MODEL_NO_SEARCH) ||
		model_facts_host_is(f, HOST_NO_SEARCH))
		return SEARCH_NONE;
	return model_facts_host_is(f, HOST_EXCLUDES_SITES) ? SEARCH_EXCLUDING : SEARCH_TOOL;
}

int
model_facts_write_host(struct buffer *out, const char *base_url)
{
	struct buffer origin = BUFFER_INIT(0);

	url_write_origin(&origin, base_url);
	const char *start = strstr(buffer_text(&origin), "://");
	for (start = start != NULL ? start + 3 : ""; *start != '\0'; start++)
		buffer_putc(out, (char)tolower((unsigned char)*start));
	if (origin.failed)
		out->failed = true;
	buffer_free(&origin);
	return out->failed ? -1 : 0;
}

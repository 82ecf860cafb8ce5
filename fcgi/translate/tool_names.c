/*
 * Function names that a service refuses, made to fit; see tool_names.h.
 */
#include "translate/tool_names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/text/text_map.h"

enum { LONGEST_NAME = 64, KEPT = 55, DIGITS = 8 };

struct tool_names {
	enum tool_name_rule rule;
	struct text_map changed; /* what the service calls them: where in ${clients} */
	char **clients;          /* what the client calls them; owned */
	size_t count;
	enum lacking_tool lacking;
	bool search_first;
	const char *own;     /* a function that is the service's own; NULL if none is */
	const char *builtin; /* what it is called there */
};

struct tool_names *
tool_names_new(enum tool_name_rule rule)
{
	struct tool_names *names = calloc(1, sizeof(*names));

	if (names != NULL)
		names->rule = rule;
	return names;
}

void
tool_names_free(struct tool_names *names)
{
	if (names == NULL)
		return;
	for (size_t i = 0; i < names->count; i++)
		free(names->clients[i]);
	free(names->clients);
	text_map_free(&names->changed);
	free(names);
}

void
tool_names_lack(struct tool_names *names, enum lacking_tool lacking)
{
	names->lacking = lacking;
}

enum lacking_tool
tool_names_lacking(const struct tool_names *names)
{
	return names != NULL ? names->lacking : LACKS_NOTHING;
}

void
tool_names_search_first(struct tool_names *names)
{
	names->search_first = true;
}

bool
tool_names_searches_first(const struct tool_names *names)
{
	return names != NULL && names->search_first;
}

void
tool_names_set_builtin(struct tool_names *names, const char *name, const char *builtin)
{
	names->own = name;
	names->builtin = builtin;
}

const char *
tool_names_builtin(const struct tool_names *names, const struct json *name)
{
	return names->own != NULL && json_is_text(name, names->own) ? names->builtin : NULL;
}

static bool
is_fit_character(enum tool_name_rule rule, char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || (c == '.' && rule == TOOL_NAMES_GEMINI);
}

static bool
is_fit_start(enum tool_name_rule rule, char c)
{
	return rule != TOOL_NAMES_GEMINI || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_';
}

static bool
is_fit(enum tool_name_rule rule, const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_fit_character(rule, name[i]) || i == LONGEST_NAME)
			return false;
	return length > 0 && is_fit_start(rule, name[0]);
}

static void
shorten(enum tool_name_rule rule, const char *name, size_t length, char shortened[LONGEST_NAME + 1])
{
	size_t kept = length < KEPT ? length : KEPT;

	for (size_t i = 0; i < kept; i++)
		shortened[i] = is_fit_character(rule, name[i]) ? name[i] : '_';
	if (kept == 0 || !is_fit_start(rule, shortened[0]))
		shortened[0] = '_';
	shortened[kept] = '_';
	hash_hex(name, length, DIGITS, shortened + kept + 1);
}

/* Remember what ${shortened} stands for.  Return 0 or -1. */
static int
remember(struct tool_names *names, const char *shortened, const char *client)
{
	size_t length = strlen(shortened);

	if (text_map_get(&names->changed, shortened, length, NULL))
		return 0;
	/* The list doubles at powers of two. */
	if ((names->count & (names->count - 1)) == 0) {
		size_t capacity = names->count > 0 ? 2 * names->count : 1;
		char **grown = reallocarray((void *)names->clients, capacity, sizeof(*grown));
		if (grown == NULL)
			return -1;
		names->clients = grown;
	}
	char *copy = strdup(client);
	if (copy == NULL || text_map_set(&names->changed, shortened, length, names->count) != 0) {
		free(copy);
		return -1;
	}
	names->clients[names->count++] = copy;
	return 0;
}

void
tool_names_put(struct tool_names *names, struct json_writer *w, const struct json *name)
{
	char shortened[LONGEST_NAME + 1];
	struct buffer decoded = BUFFER_INIT(0);

	if (tool_names_builtin(names, name) != NULL) {
		json_put_text(w, names->builtin);
		return;
	}
	/* A backslash fits nowhere. */
	if (is_fit(names->rule, json_content(name), json_content_length(name))) {
		json_put_value(w, name);
		return;
	}
	json_append(&decoded, name);
	if (is_fit(names->rule, buffer_text(&decoded), decoded.length)) {
		json_put_string(w, decoded.data, decoded.length);
	} else {
		shorten(names->rule, buffer_text(&decoded), decoded.length, shortened);
		if (remember(names, shortened, buffer_text(&decoded)) != 0)
			w->out->failed = true;
		json_put_text(w, shortened);
	}
	if (decoded.failed)
		w->out->failed = true;
	buffer_free(&decoded);
}

const char *
tool_names_to_client(const struct tool_names *names, const char *name)
{
	uint64_t at;

	if (names != NULL && names->own != NULL && strcmp(name, names->builtin) == 0)
		return names->own;
	if (names == NULL || !text_map_get(&names->changed, name, strlen(name), &at))
		return name;
	return names->clients[at];
}

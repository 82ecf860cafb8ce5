/*
 * Function names that a service refuses, made to fit; see tool_names.h.
 */
#include "translate/tool_names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { LONGEST_NAME = 64, KEPT = 55, DIGITS = 8 };

struct entry {
	char *client;
	char upstream[LONGEST_NAME + 1];
};

struct tool_names {
	enum tool_name_rule rule;
	struct entry **entries;
	size_t count;
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
	for (size_t i = 0; i < names->count; i++) {
		free(names->entries[i]->client);
		free(names->entries[i]);
	}
	free(names->entries);
	free(names);
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
is_fit(enum tool_name_rule rule, const char *name)
{
	size_t length = 0;

	for (; name[length] != '\0'; length++)
		if (!is_fit_character(rule, name[length]) || length == LONGEST_NAME)
			return false;
	return length > 0 && is_fit_start(rule, name[0]);
}

static void
shorten(enum tool_name_rule rule, const char *name, char shortened[LONGEST_NAME + 1])
{
	size_t length = strlen(name);
	size_t kept = length < KEPT ? length : KEPT;

	for (size_t i = 0; i < kept; i++)
		shortened[i] = is_fit_character(rule, name[i]) ? name[i] : '_';
	if (!is_fit_start(rule, shortened[0]))
		shortened[0] = '_';
	shortened[kept] = '_';
	hash_hex(name, length, DIGITS, shortened + kept + 1);
}

static const char *
add(struct tool_names *names, const char *name)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	struct entry **grown = NULL;

	if (entry == NULL)
		return NULL;
	entry->client = strdup(name);
	if (entry->client == NULL)
		goto err0;
	grown = reallocarray(names->entries, names->count + 1, sizeof(struct entry *));
	if (grown == NULL)
		goto err1;
	shorten(names->rule, name, entry->upstream);
	names->entries = grown;
	grown[names->count++] = entry;
	return entry->upstream;

err1:
	free(entry->client);
err0:
	free(entry);
	return NULL;
}

const char *
tool_names_to_upstream(struct tool_names *names, const char *name)
{
	if (is_fit(names->rule, name))
		return name;
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->entries[i]->client, name) == 0)
			return names->entries[i]->upstream;
	return add(names, name);
}

const char *
tool_names_to_client(const struct tool_names *names, const char *name)
{
	for (size_t i = 0; names != NULL && i < names->count; i++)
		if (strcmp(names->entries[i]->upstream, name) == 0)
			return names->entries[i]->client;
	return name;
}

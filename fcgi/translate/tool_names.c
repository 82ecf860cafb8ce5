/*
 * Function names that a service refuses, made to fit; see tool_names.h.
 */
#include "translate/tool_names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"

enum { LONGEST_NAME = 64, KEPT = 55, DIGITS = 8 };

struct tool_names {
	enum tool_name_rule rule;
	struct json_object *to_upstream; /* the client's name: the service's */
	struct json_object *to_client;
};

struct tool_names *
tool_names_new(enum tool_name_rule rule)
{
	struct tool_names *names = calloc(1, sizeof(*names));

	if (names == NULL)
		return NULL;
	names->rule = rule;
	names->to_upstream = json_object_new_object();
	names->to_client = json_object_new_object();
	if (names->to_upstream != NULL && names->to_client != NULL)
		return names;
	tool_names_free(names);
	return NULL;
}

void
tool_names_free(struct tool_names *names)
{
	if (names == NULL)
		return;
	json_object_put(names->to_upstream);
	json_object_put(names->to_client);
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
	if (kept == 0 || !is_fit_start(rule, shortened[0]))
		shortened[0] = '_';
	shortened[kept] = '_';
	hash_hex(name, length, DIGITS, shortened + kept + 1);
}

static int
add(struct json_object *map, const char *name, const char *value)
{
	struct json_object *text = json_object_new_string(value);

	if (text != NULL && json_object_object_add(map, name, text) == 0)
		return 0;
	json_object_put(text);
	return -1;
}

const char *
tool_names_to_upstream(struct tool_names *names, const char *name)
{
	char shortened[LONGEST_NAME + 1];

	if (is_fit(names->rule, name))
		return name;
	const char *known = json_member_string(names->to_upstream, name);
	if (known != NULL)
		return known;
	shorten(names->rule, name, shortened);
	if (add(names->to_upstream, name, shortened) != 0 ||
		add(names->to_client, shortened, name) != 0)
		return NULL;
	return json_member_string(names->to_upstream, name);
}

const char *
tool_names_to_client(const struct tool_names *names, const char *name)
{
	const char *known = names != NULL ? json_member_string(names->to_client, name) : NULL;

	return known != NULL ? known : name;
}

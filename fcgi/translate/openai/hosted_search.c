/*
 * The search that a service runs by itself; see hosted_search.h.
 */
#include "translate/openai/hosted_search.h"

#include <stddef.h>
#include <string.h>

#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/translator.h"

enum {
	MOST_SITES = 100, /* that Responses takes */
	MOST_AT_XAI = 5,
};

enum search_form
openai_search_of(const struct model_facts *facts, enum openai_interface interface)
{
	return interface == OPENAI_RESPONSES ? model_facts_responses_search(facts)
					     : model_facts_chat_search(facts);
}

bool
openai_search_is_offered(const struct claude_request *r, const struct model_facts *facts)
{
	return r->web_search != NULL && model_facts_responses_search(facts) != SEARCH_NONE;
}

static bool
has_search(const struct translate_target *target, enum openai_interface interface)
{
	return openai_search_of(&target->facts, interface) != SEARCH_NONE;
}

bool
openai_chat_has_search(const struct claude_request *r, const struct translate_target *target)
{
	(void)r;
	return has_search(target, OPENAI_CHAT);
}

bool
openai_responses_has_search(const struct claude_request *r, const struct translate_target *target)
{
	(void)r;
	return has_search(target, OPENAI_RESPONSES);
}

static bool
is_of_responses(enum search_form form)
{
	return form == SEARCH_TOOL || form == SEARCH_EXCLUDING;
}

bool
openai_search_is_tool(enum search_form form)
{
	return is_of_responses(form) || form == SEARCH_OPENROUTER || form == SEARCH_GLM ||
	       form == SEARCH_GROQ;
}

bool
openai_search_is_told_late(enum search_form form)
{
	return form == SEARCH_ALWAYS || form == SEARCH_OPENROUTER || form == SEARCH_GLM ||
	       form == SEARCH_GROQ || form == SEARCH_UNASKED;
}

/* ---- sites ---- */

/* Lists of the tool; a list that is empty says nothing. */
#define ALLOWED "allowed_domains"
#define BLOCKED "blocked_domains"

/* A site without what no service wants before it. */
static const char *
site_of(const struct json *site, size_t *length)
{
	static const char *const schemes[] = {"https://", "http://"};
	const char *content = json_content(site);

	*length = json_content_length(site);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t before = strlen(schemes[i]);
		if (*length > before && memcmp(content, schemes[i], before) == 0) {
			*length -= before;
			return content + before;
		}
	}
	return content;
}

/* The site's host, without a path: services that take sites take no more. */
static void
put_host(struct json_writer *w, const struct json *site)
{
	size_t length;
	const char *host = site_of(site, &length);
	const char *path = memchr(host, '/', length);

	json_open_string(w);
	json_string_content(w, host, path != NULL ? (size_t)(path - host) : length);
	json_close_string(w);
}

static void
put_sites(struct json_writer *w, const char *name, const struct json *list)
{
	if (list == NULL)
		return;
	json_open_array_member(w, name);
	JSON_EACH (site, list)
		put_host(w, site);
	json_close_array(w);
}

/* Is none of the sites only a part of one? */
static bool
is_precise(const struct json *list)
{
	JSON_EACH (site, list) {
		size_t length;
		const char *host = site_of(site, &length);
		const char *path = memchr(host, '/', length);
		if (path != NULL && path + 1 < host + length)
			return false;
	}
	return true;
}

/* The list, or NULL if nothing is said. */
static const struct json *
sites(const struct json *declared, const char *name)
{
	const struct json *list = json_member_array(declared, name);

	JSON_EACH (site, list)
		if (json_content_length(site) == 0)
			return NULL;
	return json_first(list) != NULL ? list : NULL;
}

/* How many sites a list may have that the service is told in a member. */
static size_t
most_sites(enum search_form form, bool allowed)
{
	switch (form) {
	case SEARCH_TOOL:
	case SEARCH_OPENROUTER:
		return MOST_SITES;
	case SEARCH_EXCLUDING:
		return MOST_AT_XAI;
	case SEARCH_GLM:
		return allowed ? 1 : 0;
	default:
		return 0;
	}
}

/* The list that the service is told in a member; NULL if none.  A part of a site can be searched
 * with the rest of it, but the rest must not be left out. */
static const struct json *
carried_sites(const struct json *declared, const char *name, enum search_form form)
{
	bool allowed = strcmp(name, ALLOWED) == 0;
	const struct json *list = sites(declared, name);
	size_t count = 0;

	JSON_EACH (site, list)
		count++;
	if (count > most_sites(form, allowed) || (!allowed && !is_precise(list)))
		return NULL;
	return list;
}

/* The list as far as only words can tell it. */
static const struct json *
told_sites(const struct json *declared, const char *name, enum search_form form)
{
	const struct json *carried = carried_sites(declared, name, form);

	return carried != NULL && is_precise(carried) ? NULL : sites(declared, name);
}

static void
put_given(struct json_writer *w, const char *name, const struct json *value)
{
	if (value != NULL)
		json_put_value_member(w, name, value);
}

/* ---- as a tool ---- */

static void
put_responses_members(struct json_writer *w, const struct json *declared, enum search_form form)
{
	const struct json *allowed = carried_sites(declared, ALLOWED, form);
	const struct json *blocked = carried_sites(declared, BLOCKED, form);

	if (allowed != NULL || blocked != NULL) {
		json_open_object_member(w, "filters");
		put_sites(w, ALLOWED, allowed);
		put_sites(w, form == SEARCH_EXCLUDING ? "excluded_domains" : BLOCKED, blocked);
		json_close_object(w);
	}
	put_given(w, "user_location", json_member_object(declared, "user_location"));
}

static void
put_openrouter_members(struct json_writer *w, const struct json *declared)
{
	const struct json *uses = json_member(declared, "max_uses");

	json_open_object_member(w, "parameters");
	put_given(w, "max_uses", json_is_integer(uses) ? uses : NULL);
	put_sites(w, ALLOWED, carried_sites(declared, ALLOWED, SEARCH_OPENROUTER));
	put_sites(w, "excluded_domains", carried_sites(declared, BLOCKED, SEARCH_OPENROUTER));
	put_given(w, "user_location", json_member_object(declared, "user_location"));
	json_close_object(w);
}

static void
put_glm_members(struct json_writer *w, const struct json *declared)
{
	const struct json *allowed = carried_sites(declared, ALLOWED, SEARCH_GLM);

	json_open_object_member(w, "web_search");
	json_put_bool_member(w, "enable", true);
	json_put_text_member(w, "search_engine", "search_pro");
	json_put_bool_member(w, "search_result", true);
	if (allowed != NULL) {
		json_put_name(w, "search_domain_filter");
		put_host(w, json_first(allowed));
	}
	json_close_object(w);
}

void
openai_put_search_tool(struct json_writer *w, const struct json *declared, enum search_form form)
{
	bool openrouter = form == SEARCH_OPENROUTER;
	bool groq = form == SEARCH_GROQ;

	json_open_object(w);
	json_put_text_member(w, "type",
		openrouter ? "openrouter:web_search"
		: groq     ? "browser_search"
			   : "web_search");
	if (openrouter)
		put_openrouter_members(w, declared);
	else if (form == SEARCH_GLM)
		put_glm_members(w, declared);
	else if (!groq)
		put_responses_members(w, declared, form);
	json_close_object(w);
}

bool
openai_search_can_be_forced(enum search_form form)
{
	return is_of_responses(form) || form == SEARCH_GROQ;
}

/* ---- as members ---- */

/* Chat has what says where the user is one level deeper. */
static void
put_chat_options(struct json_writer *w, const struct json *declared)
{
	const struct json *location = json_member_object(declared, "user_location");

	json_open_object_member(w, "web_search_options");
	if (location != NULL) {
		json_open_object_member(w, "user_location");
		json_put_text_member(w, "type", "approximate");
		json_open_object_member(w, "approximate");
		JSON_EACH (member, location)
			if (!json_is_named(member, "type"))
				json_put_member(w, member);
		json_close_object(w);
		json_close_object(w);
	}
	json_close_object(w);
}

void
openai_put_search_members(
	struct json_writer *w, const struct claude_request *r, enum search_form form)
{
	if (form == SEARCH_ALWAYS)
		put_chat_options(w, r->web_search);
	if (form != SEARCH_SWITCH || r->tool_choice == CLAUDE_CHOICE_NONE)
		return;
	json_put_bool_member(w, "enable_search", true);
	if (r->forces_search) {
		json_open_object_member(w, "search_options");
		json_put_bool_member(w, "forced_search", true);
		json_close_object(w);
	}
}

void
openai_set_search_words(
	struct claude_words *words, const struct claude_request *r, enum search_form form)
{
	if (r->tool_choice == CLAUDE_CHOICE_NONE)
		return;
	words->no_fetch = r->offers_fetch;
	if (r->web_search == NULL)
		return;
	words->no_search = form == SEARCH_NONE;
	if (form == SEARCH_NONE)
		return;
	words->must_search = r->forces_search && openai_search_is_tool(form) &&
			     !openai_search_can_be_forced(form);
	words->only = told_sites(r->web_search, ALLOWED, form);
	words->never = told_sites(r->web_search, BLOCKED, form);
}

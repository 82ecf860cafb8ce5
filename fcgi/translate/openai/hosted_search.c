/*
 * The search that a service runs by itself; see hosted_search.h.
 */
#include "translate/openai/hosted_search.h"

#include <stddef.h>

#include "base/json.h"
#include "base/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/translator.h"

/* A list of sites that is not empty; NULL: nothing is said of them. */
static const struct json *
sites(const struct json *declared, const char *name)
{
	const struct json *list = json_member_array(declared, name);

	return json_first(list) != NULL ? list : NULL;
}

enum search_form
openai_search_of(const struct model_facts *facts, enum openai_interface interface)
{
	return interface == OPENAI_RESPONSES ? model_facts_responses_search(facts)
					     : model_facts_chat_search(facts);
}

static bool
has_search(const struct translate_target *target, enum openai_interface interface)
{
	const struct model_facts facts = translate_facts(target);

	return openai_search_of(&facts, interface) != SEARCH_NONE;
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
	return is_of_responses(form) || form == SEARCH_OPENROUTER || form == SEARCH_GLM;
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
	const struct json *allowed = sites(declared, "allowed_domains");
	const struct json *blocked = sites(declared, "blocked_domains");

	if (allowed != NULL || blocked != NULL) {
		json_open_object_member(w, "filters");
		put_given(w, "allowed_domains", allowed);
		put_given(w, form == SEARCH_EXCLUDING ? "excluded_domains" : "blocked_domains",
			blocked);
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
	put_given(w, "allowed_domains", sites(declared, "allowed_domains"));
	put_given(w, "excluded_domains", sites(declared, "blocked_domains"));
	put_given(w, "user_location", json_member_object(declared, "user_location"));
	json_close_object(w);
}

static void
put_glm_members(struct json_writer *w)
{
	json_open_object_member(w, "web_search");
	json_put_bool_member(w, "enable", true);
	json_put_text_member(w, "search_engine", "search_pro");
	json_put_bool_member(w, "search_result", true);
	json_close_object(w);
}

void
openai_put_search_tool(struct json_writer *w, const struct json *declared, enum search_form form)
{
	bool openrouter = form == SEARCH_OPENROUTER;

	json_open_object(w);
	json_put_text_member(w, "type", openrouter ? "openrouter:web_search" : "web_search");
	if (openrouter)
		put_openrouter_members(w, declared);
	else if (form == SEARCH_GLM)
		put_glm_members(w);
	else
		put_responses_members(w, declared, form);
	json_close_object(w);
}

/* Only Responses documents how a search is forced; elsewhere the model decides, which is told to
 * search by whoever forces it. */
void
openai_put_search_choice(struct json_writer *w, enum search_form form)
{
	if (!is_of_responses(form))
		return;
	json_open_object_member(w, "tool_choice");
	json_put_text_member(w, "type", "web_search");
	json_close_object(w);
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
	if (r->web_search == NULL || r->tool_choice == CLAUDE_CHOICE_NONE)
		return;
	words->no_search = form == SEARCH_NONE;
	if (form == SEARCH_NONE || is_of_responses(form) || form == SEARCH_OPENROUTER)
		return;
	words->only = sites(r->web_search, "allowed_domains");
	words->never = sites(r->web_search, "blocked_domains");
}

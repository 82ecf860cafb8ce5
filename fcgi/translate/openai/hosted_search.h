/*
 * Claude's web search as the search that a service runs by itself (PROTOCOL.md §B.5).
 */
#ifndef HOSTED_SEARCH_H
#define HOSTED_SEARCH_H

#include <stdbool.h>

#include "translate/model_facts.h"
#include "translate/openai/parameters.h"

struct claude_request;
struct claude_words;
struct json;
struct json_writer;
struct translate_target;

/** How the service searches. */
enum search_form openai_search_of(const struct model_facts *, enum openai_interface);

/* Does the service search by itself?  Of struct translator. */
bool openai_chat_has_search(const struct claude_request *, const struct translate_target *);
bool openai_responses_has_search(const struct claude_request *, const struct translate_target *);

/** Is it offered in a request to Responses? */
bool openai_search_is_offered(const struct claude_request *, const struct model_facts *);

/** Is the search one of the tools, and not a member of the request? */
bool openai_search_is_tool(enum search_form);

/** Does the answer report the search only with its text, or after it? */
bool openai_search_is_told_late(enum search_form);

/** The search as an element of the list of tools. */
void openai_put_search_tool(struct json_writer *, const struct json *declared, enum search_form);

/** Does the tool_choice "required" force it, where nothing else is offered?  Elsewhere the model
 * decides, which is told to search. */
bool openai_search_can_be_forced(enum search_form);

/** The members that switch on a search that is no tool. */
void
openai_put_search_members(struct json_writer *, const struct claude_request *, enum search_form);

/** Set what only words can tell about the search. */
void
openai_set_search_words(struct claude_words *, const struct claude_request *, enum search_form);

#endif

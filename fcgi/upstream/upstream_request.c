/*
 * One request to an upstream; see upstream_request.h.
 */
#include "upstream/upstream_request.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json/json.h"
#include "base/json/json_edit.h"
#include "store/config.h"
#include "translate/claude/request.h"
#include "translate/model_facts.h"
#include "translate/tool_names.h"
#include "upstream/search_provider.h"
#include "upstream/service.h"

enum {
	BODY_GROWTH = 1024, /* bytes by which a translation is usually longer, at most */
	ORIGIN_DIGITS = 12,
};

/* What is carried goes back to the upstream and the model that it came from, and to no other. */
static void
write_origin(struct upstream_request *r)
{
	struct buffer name = BUFFER_INIT(0);
	char digits[ORIGIN_DIGITS + 1];

	buffer_printf(&name, "%s\n%s", r->upstream->name, r->model);
	hash_hex(buffer_text(&name), name.length, ORIGIN_DIGITS, digits);
	buffer_printf(&r->origin, "%s:%s", r->service->translator->kind, digits);
	if (name.failed)
		r->origin.failed = true;
	buffer_free(&name);
}

/* May the service search by itself, for all that the owner says? */
static bool
lets_search(const struct upstream *u)
{
	return u->options.search == SEARCH_BY_ANY || u->options.search == SEARCH_BY_SERVICE;
}

/* Does the request have the model search the web, which Chat does not do there? */
static bool
needs_responses_to_search(const struct model_facts *facts, const struct json *body)
{
	const struct json *choice = json_member(json_member(body, "tool_choice"), "type");

	if (!model_facts_host_is(facts, HOST_SEARCH_MOVES) || json_is_text(choice, "none") ||
		model_facts_chat_search(facts) != SEARCH_NONE ||
		model_facts_responses_search(facts) == SEARCH_NONE)
		return false;
	JSON_EACH (tool, json_member_array(body, "tools"))
		if (claude_tool_is_web_search(tool))
			return true;
	return false;
}

/* Look up what is known of the host and the model, once.  Return 0 or -1. */
static int
find_facts(struct upstream_request *r)
{
	struct buffer host = BUFFER_INIT(0);

	if (r->facts.host != NULL)
		return 0;
	int status = model_facts_write_host(&host, r->upstream->base_url);
	if (status == 0)
		r->facts = model_facts_find(buffer_text(&host), r->model);
	buffer_free(&host);
	return status;
}

void
upstream_request_choose_interface(struct upstream_request *r, const struct claude_request *claude)
{
	const struct service *chat = r->service;

	if (chat->other_interface == NULL || find_facts(r) != 0 ||
		!model_facts_host_is(&r->facts, HOST_BOTH_INTERFACES) ||
		service_is_endpoint(chat, r->upstream->base_url))
		return;
	bool tools = json_first(json_member_array(claude->body, "tools")) != NULL;
	if (model_facts_is(&r->facts, MODEL_RESPONSES_ONLY) ||
		(tools && model_facts_is(&r->facts, MODEL_TOOLS_BY_RESPONSES)) ||
		(lets_search(r->upstream) && needs_responses_to_search(&r->facts, claude->body)))
		r->service = service_find(chat->other_interface);
}

/* ---- what was learned ---- */

static bool
counts(const struct lesson *lesson, const struct upstream_request *r, int64_t now)
{
	return r->model != NULL && strcmp(lesson->model, r->model) == 0 &&
	       lesson->learned + LESSON_LASTS >= now;
}

int
upstream_lessons_gather(struct upstream_lessons *l, const struct upstream_request *r)
{
	size_t most = r->upstream->lesson_count;
	int64_t now = most > 0 ? clock_now_ms() : 0;
	char *save = NULL;

	*l = (struct upstream_lessons){0};
	for (const char *c = r->lessons; c != NULL && *c != '\0'; c = strchr(c + 1, '\n'))
		most++;
	if (most == 0)
		return 0;
	const char **list = calloc(most, sizeof(*list));
	l->list.list = list;
	if (r->lessons != NULL)
		l->lines = strdup(r->lessons);
	if (list == NULL || (r->lessons != NULL && l->lines == NULL))
		return -1;
	for (size_t i = 0; i < r->upstream->lesson_count; i++)
		if (counts(&r->upstream->lessons[i], r, now))
			list[l->list.count++] = r->upstream->lessons[i].text;
	for (char *line = l->lines != NULL ? strtok_r(l->lines, "\n", &save) : NULL;
		line != NULL && l->list.count < most; line = strtok_r(NULL, "\n", &save))
		list[l->list.count++] = line;
	return 0;
}

void
upstream_lessons_free(struct upstream_lessons *l)
{
	free((void *)l->list.list);
	free(l->lines);
	*l = (struct upstream_lessons){0};
}

/* What must be otherwise, for what was learned or by the owner's options. */
static unsigned
fixes_of(const struct upstream_request *r, const struct lessons *lessons)
{
	return lesson_fixes(lessons) | (r->upstream->options.images_off ? FIX_NO_IMAGES : 0) |
	       (lets_search(r->upstream) ? 0 : FIX_NO_SEARCH);
}

/* Its facts are looked up already (find_facts). */
static struct translate_target
target_of(struct upstream_request *r, const struct lessons *lessons)
{
	struct translate_target target = {
		.model = r->model,
		.max_output_tokens = r->upstream->options.max_output_tokens,
		.reasoning_off = r->upstream->options.reasoning_off,
		.facts = r->facts,
		.builtin_search = r->builtin_search,
		.origin = buffer_text(&r->origin),
		.fixes = fixes_of(r, lessons),
	};

	target.facts.no_search = (target.fixes & FIX_NO_SEARCH) != 0;
	return target;
}

/* Ask ${question} about what is known and was learned of the upstream's search. */
static bool
asks_of_search(struct upstream_request *r, const struct claude_request *claude,
	bool (*question)(const struct claude_request *, const struct translate_target *))
{
	struct upstream_lessons lessons = {0};
	bool holds = false;

	if (find_facts(r) == 0 && upstream_lessons_gather(&lessons, r) == 0) {
		const struct translate_target target = target_of(r, &lessons.list);
		holds = question(claude, &target);
	}
	upstream_lessons_free(&lessons);
	return holds;
}

/* Does the service search by itself for this request? */
static bool
has_search(struct upstream_request *r, const struct claude_request *claude)
{
	const struct translator *t = r->service->translator;

	return t->has_search == NULL || asks_of_search(r, claude, t->has_search);
}

static bool
has_builtin(const struct claude_request *claude, const struct translate_target *target)
{
	(void)claude;
	return !target->facts.no_search && model_facts_host_is(&target->facts, HOST_BUILTIN_SEARCH);
}

bool
upstream_request_has_builtin_search(struct upstream_request *r)
{
	return r->service->translator == &openai_chat && asks_of_search(r, NULL, has_builtin);
}

bool
upstream_request_runs_search(struct upstream_request *r, const struct claude_request *claude,
	const struct search_config *search)
{
	enum search_by by = r->upstream->options.search;

	if (by == SEARCH_OFF || claude->web_search == NULL ||
		claude->tool_choice == CLAUDE_CHOICE_NONE)
		return false;
	return upstream_request_has_builtin_search(r) ||
	       (by != SEARCH_BY_SERVICE && search_is_configured(search) && !has_search(r, claude));
}

/* ---- the body ---- */

/* Is a beta whose name begins so withheld, by the owner or for what was learned? */
static bool
withholds_beta(
	const struct upstream_request *r, const struct lessons *lessons, const char *beginning)
{
	return lesson_withholds(lessons, "anthropic-beta") ||
	       lesson_withholds_value(lessons, "anthropic-beta", beginning) ||
	       service_withholds_beta(&r->upstream->options, beginning, strlen(beginning), true);
}

/* Members that only a beta makes known go with it: without it they are refused. */
static int
drop_members_of_betas(struct upstream_request *r, const struct lessons *lessons)
{
	static const struct {
		const char *beta; /* the beginning of its name: a date follows */
		const char *lesson;
	} members[] = {
		{"context-management-", "drop context_management"},
		{"fast-mode-", "drop speed"},
	};
	const char *list[sizeof(members) / sizeof(members[0])];
	struct lessons drops = {list, 0};

	if (!r->service->translator->passes_through)
		return 0;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (withholds_beta(r, lessons, members[i].beta))
			list[drops.count++] = members[i].lesson;
	return lesson_edit_body(&drops, &r->body);
}

/* Translate, and then change what the translation cannot know. */
static int
write_learned(struct upstream_request *r, const struct claude_request *claude,
	request_writer *write, const struct lessons *lessons, struct api_error *error)
{
	const struct translate_target target = target_of(r, lessons);

	if (write(claude, &target, r->tool_names, &r->body, error) != 0)
		return -1;
	if (lesson_edit_body(lessons, &r->body) != 0 || drop_members_of_betas(r, lessons) != 0)
		return api_error_no_memory(error);
	return 0;
}

int
upstream_request_translate(struct upstream_request *r, const struct claude_request *claude,
	request_writer *write, struct api_error *error)
{
	write_origin(r);
	if (r->origin.failed || find_facts(r) != 0)
		return api_error_no_memory(error);
	r->tool_names = tool_names_new(r->service->translator->name_rule);
	/* A translation is about as long as what it is made of; a buffer that doubles would be half
	 * empty. */
	if (r->tool_names == NULL || buffer_allocate(&r->body, claude->length + BODY_GROWTH) != 0)
		return api_error_no_memory(error);
	struct upstream_lessons lessons;
	int status = upstream_lessons_gather(&lessons, r) == 0
			     ? write_learned(r, claude, write, &lessons.list, error)
			     : api_error_no_memory(error);
	upstream_lessons_free(&lessons);
	buffer_fit(&r->body);
	return status;
}

/* Put the owner's members into the body: the options `body.<member>`. */
static int
edit_body(struct upstream_request *r, struct api_error *error)
{
	const struct upstream_options *options = &r->upstream->options;
	struct json_document index = {0};

	for (size_t i = 0; i < options->body_count; i++) {
		struct buffer edited = BUFFER_INIT(0);
		const struct json *body = json_read(&index, buffer_text(&r->body), r->body.length,
			JSON_MAX_REQUEST_VALUES, NULL);
		json_edit(&edited, body, options->body[i].path, options->body[i].value);
		buffer_free(&r->body);
		r->body = edited;
	}
	json_document_free(&index);
	return r->body.failed ? api_error_no_memory(error) : 0;
}

/* Is the URL of this endpoint the same for all requests to the upstream? */
static bool
is_same_for_all(const struct upstream_request *r, const char *endpoint, const char *query)
{
	return endpoint == r->service->endpoint && strchr(endpoint, '{') == NULL &&
	       (query == NULL || query[0] == '\0') &&
	       strcmp(r->service->name, r->upstream->service_type) == 0;
}

/* Write the URL.  One that is the same for all is put together once, and kept with the snapshot. */
static int
write_url(struct upstream_request *r, const char *endpoint, const char *query)
{
	_Atomic(char *) *kept = is_same_for_all(r, endpoint, query) ? r->upstream->message_url
								    : NULL;
	const char *url = kept != NULL ? atomic_load(kept) : NULL;
	char *none = NULL;

	if (url != NULL)
		return buffer_puts(&r->url, url);
	if (service_write_url(
		    r->service, r->upstream->base_url, endpoint, r->model, query, &r->url) != 0)
		return -1;
	char *copy = kept != NULL ? strdup(buffer_text(&r->url)) : NULL;
	if (copy != NULL && !atomic_compare_exchange_strong(kept, &none, copy))
		free(copy); /* another request came first */
	return 0;
}

int
upstream_request_address(struct upstream_request *r, const char *endpoint, const char *query,
	const struct service_head *head, struct api_error *error)
{
	struct service_head full = *head;
	bool message = endpoint == r->service->endpoint || endpoint == r->service->stream_endpoint;

	if (message && edit_body(r, error) != 0)
		return -1;
	if (write_url(r, endpoint, query) != 0) {
		api_error_set(
			error, 500, "upstream '%s' has no usable base URL", r->upstream->name);
		return api_error_set_permanent(error);
	}
	struct upstream_lessons lessons;
	if (upstream_lessons_gather(&lessons, r) != 0) {
		upstream_lessons_free(&lessons);
		return api_error_no_memory(error);
	}
	full.has_body = r->body.length > 0;
	full.auth = lesson_auth(&lessons.list);
	r->headers = service_headers(r->service, r->upstream, r->key, &full);
	r->secrets = service_secrets(r->upstream, r->key);
	upstream_lessons_free(&lessons);
	return r->headers != NULL && r->secrets != NULL && !r->body.failed
		       ? 0
		       : api_error_no_memory(error);
}

void
upstream_request_free(struct upstream_request *r)
{
	curl_slist_free_all(r->headers);
	free(r->secrets);
	free(r->lessons);
	buffer_free(&r->body);
	buffer_free(&r->url);
	tool_names_free(r->tool_names);
	buffer_free(&r->origin);
	*r = (struct upstream_request){0};
}

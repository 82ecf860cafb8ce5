/*
 * Where a client's request goes; see plan.h.
 */
#include "proxy/plan.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/json.h"
#include "base/shell_word.h"
#include "http/web_request.h"
#include "proxy/client_request.h"
#include "store/config.h"
#include "translate/claude/models.h"
#include "translate/claude/own_search.h"
#include "translate/claude/request.h"
#include "translate/tokens.h"
#include "translate/translator.h"
#include "upstream/service.h"

enum { MOST_FORWARDED = 32 /* headers */ };

static int
no_memory(struct api_error *error)
{
	return api_error_set(error, 500, "out of memory");
}

/* ---- choosing ---- */

/* The request goes to the target as it is now. */
static int
aim(struct plan *plan, struct api_error *error)
{
	const struct upstream *u = plan->to.upstream;

	plan->request.upstream = u;
	plan->request.key = plan->to.key;
	plan->request.model = plan->to.model;
	plan->request.service = service_find(u->service_type);
	if (plan->request.service != NULL)
		return 0;
	api_error_set(error, 500,
		"upstream '%s' has the service type '%s', which this version of claude-proxy does "
		"not know",
		u->name, u->service_type);
	return api_error_set_permanent(error);
}

/* No key was chosen: tell why, and what to do. */
static int
refuse_without_key(const struct plan *plan, struct api_error *error)
{
	const char *name = plan->to.upstream != NULL ? plan->to.upstream->name : "";
	struct buffer word = BUFFER_INIT(0);

	if (plan->to.command_failed)
		return api_error_set(error, 502,
			"upstream '%s' has no API key: the command that prints it failed; the "
			"proxy's log tells why",
			name);
	shell_word_write(&word, name);
	api_error_set(error, 500,
		"upstream '%s' has no API key that is enabled: claude-proxy-admin key %s add -",
		name, buffer_text(&word));
	buffer_free(&word);
	return api_error_set_permanent(error);
}

static int
choose_key(struct plan *plan, struct store *store, const struct settings *settings,
	struct api_error *error)
{
	if (target_choose_key(&plan->to, store, settings) == 0)
		return aim(plan, error);
	return refuse_without_key(plan, error);
}

/* Does the upstream speak Claude's language? */
static bool
speaks_claude(const struct plan *plan)
{
	const struct service *s = plan->request.service;

	return s != NULL && s->translator->passes_through;
}

/* ---- the headers that a service which speaks Claude's language gets from the client ---- */

struct forwarded {
	struct forwarded_header list[MOST_FORWARDED];
	size_t count;
	bool failed;
};

static void
forward(struct forwarded *f, const char *name, size_t name_length, const char *value)
{
	if (f->count == MOST_FORWARDED)
		return;
	struct forwarded_header header = {strndup(name, name_length), strdup(value)};
	f->failed = f->failed || header.name == NULL || header.value == NULL;
	/* HTTP_ANTHROPIC_BETA is anthropic-beta. */
	for (char *c = header.name; c != NULL && *c != '\0'; c++)
		*c = (char)(*c == '_' ? '-' : tolower((unsigned char)*c));
	f->list[f->count++] = header;
}

static void
forward_all(struct forwarded *f, const struct web_request *web)
{
	static const char wanted[] = "HTTP_ANTHROPIC_";
	bool has_version = false;

	for (char *const *p = web_request_parameters(web); p != NULL && *p != NULL; p++) {
		const char *value = strchr(*p, '=');
		if (value == NULL || strncmp(*p, wanted, sizeof(wanted) - 1) != 0)
			continue;
		const char *name = *p + strlen("HTTP_");
		has_version = has_version || strncmp(name, "ANTHROPIC_VERSION=", 18) == 0;
		forward(f, name, (size_t)(value - name), value + 1);
	}
	if (!has_version)
		forward(f, "anthropic-version", strlen("anthropic-version"), "2023-06-01");
}

static void
forget_forwarded(struct forwarded *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->list[i].name);
		free(f->list[i].value);
	}
}

/* Leave out what an upstream has refused of them. */
static void
withhold(struct forwarded *f, const struct lessons *lessons)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++) {
		struct forwarded_header *header = &f->list[i];
		struct buffer value = BUFFER_INIT(0);
		bool known = header->name != NULL && header->value != NULL;
		if (known && strcmp(header->name, "anthropic-beta") == 0) {
			lesson_write_header(lessons, header->name, header->value, &value);
			free(header->value);
			header->value = buffer_take(&value);
			f->failed = f->failed || value.failed;
		}
		if (known && (lesson_withholds(lessons, header->name) || header->value == NULL ||
				     *header->value == '\0')) {
			free(header->name);
			free(header->value);
			continue;
		}
		f->list[kept++] = *header;
	}
	f->count = kept;
}

/* ---- what is sent ---- */

/* Write the rest of a request whose body, if it has one, is written. */
static int
address(struct plan *plan, const struct client_request *client, const char *endpoint,
	const char *query, struct api_error *error)
{
	int status = -1;
	struct forwarded forwarded = {0};

	struct upstream_lessons lessons = {0};

	if (speaks_claude(plan)) {
		forward_all(&forwarded, client->web);
		forwarded.failed = forwarded.failed ||
				   upstream_lessons_gather(&lessons, &plan->request) != 0;
		if (!forwarded.failed && lessons.list.count > 0)
			withhold(&forwarded, &lessons.list);
		upstream_lessons_free(&lessons);
	}
	const struct service_head head = {
		.content_type = plan->pass ? client->content_type : NULL,
		.stream = client->match.endpoint == ENDPOINT_MESSAGES && client->stream,
		.forwarded = forwarded.list,
		.forwarded_count = forwarded.count,
	};
	if (forwarded.failed)
		no_memory(error);
	else
		status = upstream_request_address(&plan->request, endpoint, query, &head, error);
	forget_forwarded(&forwarded);
	return status;
}

/* The client's query, for a service that knows it. */
static const char *
own_query(const struct plan *plan, const struct client_request *client)
{
	return speaks_claude(plan) ? client->query : NULL;
}

/* ---- messages ---- */

/* What an answer must end before.  Not every service takes all stop sequences, or heeds them. */
static int
copy_stop_sequences(struct plan *plan, const struct json *sequences)
{
	size_t count = 0;

	if (json_first(sequences) == NULL)
		return 0;
	plan->stop_sequences = calloc(json_count(sequences) + 1, sizeof(*plan->stop_sequences));
	if (plan->stop_sequences == NULL)
		return -1;
	JSON_EACH (sequence, sequences) {
		plan->stop_sequences[count] = json_copy(sequence);
		if (plan->stop_sequences[count++] == NULL)
			return -1;
	}
	return 0;
}

/* How many tokens of output are asked for; 0: the request does not say. */
static uint64_t
asked_output(const struct plan *plan, const struct claude_request *request)
{
	int64_t asked = json_member_int(request->body, "max_tokens", 0);
	int64_t most = plan->to.upstream->options.max_output_tokens;

	if (most > 0 && asked > most)
		asked = most;
	return asked > 0 ? (uint64_t)asked : 0;
}

/* The request in the upstream's terms, but for its address. */
static int
translate_message(struct plan *plan, struct claude_request *request, struct api_error *error)
{
	if (upstream_request_translate(&plan->request, request,
		    plan->request.service->translator->write_request, error) != 0)
		return -1;
	if (plan->pass)
		return 0;
	plan->input_tokens = tokens_guess_input(request);
	return copy_stop_sequences(plan, request->stop_sequences) == 0 ? 0 : no_memory(error);
}

/* With a function in the place of the search. */
static int
translate_searching(struct plan *plan, const struct client_request *client,
	const struct claude_request *request, struct api_error *error)
{
	enum own_search_turn turn = client->last_turn        ? OWN_SEARCH_LAST
				    : client->turn_count > 0 ? OWN_SEARCH_NEXT
							     : OWN_SEARCH_FIRST;
	struct buffer text = BUFFER_INIT(0);
	struct claude_request own;

	plan->searches = true;
	plan->request.builtin_search = upstream_request_has_builtin_search(&plan->request);
	plan->search.returns_arguments = plan->request.builtin_search;
	if (web_search_terms_read(&plan->search, request->web_search) != 0)
		return no_memory(error);
	int status = own_search_make_request(request, turn, &client->turns, &text, &own, error);
	if (status == 0)
		status = translate_message(plan, &own, error);
	claude_request_free(&own);
	buffer_free(&text);
	return status;
}

/* Does the proxy search for the model?  Once it did, the conversation tells so. */
static bool
searches_here(struct plan *plan, const struct client_request *client,
	const struct claude_request *request)
{
	return !plan->pass &&
	       (client->turn_count > 0 || upstream_request_runs_search(&plan->request, request,
						  &plan->to.config->search));
}

static int
plan_message(struct plan *plan, const struct client_request *client, struct claude_request *request,
	struct api_error *error)
{
	upstream_request_choose_interface(&plan->request, request);
	const struct service *s = plan->request.service;
	const char *endpoint = request->stream && s->stream_endpoint != NULL ? s->stream_endpoint
									     : s->endpoint;

	plan->request.method = "POST";
	plan->pass = speaks_claude(plan);
	plan->max_tokens = asked_output(plan, request);
	if (plan->pass && client->turn_count > 0)
		return api_error_set(error, 502,
			"upstream '%s' cannot go on with the proxy's search",
			plan->to.upstream->name);
	if (!plan->pass && claude_request_check(request, CLAUDE_TO_ANSWER, error) != 0)
		return -1;
	int status = searches_here(plan, client, request)
			     ? translate_searching(plan, client, request, error)
			     : translate_message(plan, request, error);
	if (status != 0)
		return -1;
	return address(plan, client, endpoint, own_query(plan, client), error);
}

/* ---- counting tokens ---- */

static int
write_count(struct buffer *out, uint64_t tokens)
{
	buffer_puts(out, "{\"input_tokens\":");
	buffer_put_uint(out, tokens);
	return buffer_putc(out, '}');
}

/* Does the key fail with every request, whichever endpoint it is for? */
static bool
is_refused_key(int status)
{
	return status == 401 || status == 402 || status == 429;
}

/* The upstream's count; the estimate where it has no such endpoint.  A service says that in any
 * way, also with a status that elsewhere is a failure, or with a page of its own. */
static int
convert_count(void *context, int status, const char *body, size_t length, struct buffer *out,
	struct api_error *error)
{
	const struct plan *plan = context;
	const char *member = plan->request.service->translator->count_member;
	struct json_document index = {0};
	int64_t count = -1;

	if (status == 200)
		count = json_member_int(
			json_read(&index, body, length, JSON_MAX_ANSWER_VALUES, NULL), member, -1);
	json_document_free(&index);
	if (count >= 0)
		return write_count(out, (uint64_t)count);
	if (status != 200 && (is_refused_key(error->status) || plan->input_tokens == 0))
		return -1;
	if (plan->input_tokens == 0)
		return api_error_set(error, 502,
			"upstream '%s' did not say how many tokens it counted",
			plan->to.upstream->name);
	return write_count(out, plan->input_tokens);
}

static int
plan_count(struct plan *plan, const struct client_request *client, struct claude_request *request,
	struct api_error *error)
{
	const struct service *s = plan->request.service;
	bool checked = claude_request_check(request, CLAUDE_TO_COUNT, error) == 0;

	/* What only Claude's own service knows, that one may count. */
	if (!checked && !speaks_claude(plan))
		return -1;
	api_error_clear(error);
	plan->input_tokens = checked ? tokens_estimate_input(request) : 0;
	if (s->count_endpoint == NULL)
		return 0;
	plan->request.method = "POST";
	plan->convert = convert_count;
	if (upstream_request_translate(
		    &plan->request, request, s->translator->write_count_request, error) != 0)
		return -1;
	return address(plan, client, s->count_endpoint, own_query(plan, client), error);
}

int
plan_write_answer(const struct plan *plan, struct buffer *out)
{
	return write_count(out, plan->input_tokens);
}

/* ---- what is only handed on ---- */

static int
plan_other(struct plan *plan, const struct client_request *client, struct api_error *error)
{
	plan->request.method = client->method;
	plan->pass = true;
	buffer_append(&plan->request.body, buffer_text(&client->body), client->body.length);
	return address(plan, client, client->match.path, own_query(plan, client), error);
}

/* ---- models ---- */

/* Is the route's pattern the plain name of a model? */
static bool
is_plain(const struct route *route)
{
	return strpbrk(route->pattern, "*?[\\") == NULL;
}

static bool
has_plain_route(const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (is_plain(&config->routes[i]))
			return true;
	return false;
}

/* People see where a route leads: "gpt-6.1-sol (openai)". */
static void
add_route(struct claude_models *models, const struct config *config, const struct route *route)
{
	const struct upstream *u = route->upstream != NULL ? route->upstream : config->current;
	struct buffer title = BUFFER_INIT(0);

	buffer_puts(&title, route->model);
	if (u != NULL)
		buffer_printf(&title, " (%s)", u->name);
	claude_models_add(models, route->pattern, buffer_text(&title),
		u == config->current ? route->model : NULL);
	buffer_free(&title);
}

static void
add_routes(struct claude_models *models, const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (is_plain(&config->routes[i]))
			add_route(models, config, &config->routes[i]);
}

/* Does the status, which is told as ${told}, say that a service has no list of models?  Those that
 * speak Claude's language and are not Claude's own say it in more ways. */
static bool
has_no_models(const struct plan *plan, int status, int told)
{
	if (status == 404 || status == 405)
		return true;
	return speaks_claude(plan) && (told == 400 || status == 501);
}

/* The models in the upstream's answer.  One that speaks Claude's language may have none. */
static int
read_models(const struct plan *plan, int status, const struct json *answer,
	struct claude_models *models, struct api_error *error)
{
	if (status != 200)
		return has_no_models(plan, status, error->status) ? 0 : -1;
	if (claude_models_read(models, answer) == 0 || speaks_claude(plan))
		return 0;
	return api_error_set(error, 502, "upstream '%s' answered without a list of models",
		plan->to.upstream->name);
}

static int
write_models(const struct plan *plan, const struct claude_models *models, struct buffer *out,
	struct api_error *error)
{
	return plan->model_id != NULL ? claude_models_write_one(models, plan->model_id, out, error)
				      : claude_models_write_page(models, plan->query, out, error);
}

static int
convert_models(void *context, int status, const char *body, size_t length, struct buffer *out,
	struct api_error *error)
{
	const struct plan *plan = context;
	struct claude_models models = {0};
	struct json_document index = {0};
	const struct json *answer = json_read(&index, body, length, JSON_MAX_ANSWER_VALUES, NULL);
	int result = 0;

	/* A service without such a list has its routes all the same. */
	add_routes(&models, plan->to.config);
	if (status == 200 && models.count == 0 && claude_models_is_answer(answer))
		buffer_append(out, body, length);
	else if (read_models(plan, status, answer, &models, error) == 0)
		result = write_models(plan, &models, out, error);
	else
		result = -1;
	json_document_free(&index);
	claude_models_free(&models);
	return result;
}

/* The one model or the page that the client asked for, where the service can tell it; else all, to
 * be chosen from here. */
static int
address_models(struct plan *plan, const struct client_request *client, struct api_error *error)
{
	if (speaks_claude(plan) && !has_plain_route(plan->to.config))
		return address(plan, client, client->match.path, client->query, error);
	return address(plan, client, plan->request.service->models_endpoint, NULL, error);
}

static int
plan_models(struct plan *plan, const struct client_request *client, struct api_error *error)
{
	plan->request.method = "GET";
	plan->convert = convert_models;
	plan->query = strdup(client->query);
	if (client->match.endpoint == ENDPOINT_MODEL) {
		char *decoded = curl_easy_unescape(
			NULL, client->match.path + strlen("/models/"), 0, NULL);
		plan->model_id = decoded != NULL ? strdup(decoded) : NULL;
		curl_free(decoded);
		if (plan->model_id == NULL)
			return no_memory(error);
	}
	return plan->query != NULL ? address_models(plan, client, error) : no_memory(error);
}

static int
refuse_other(struct api_error *error)
{
	return api_error_set(error, 404,
		"not found: this proxy speaks the Claude Messages API (POST /v1/messages); an "
		"OpenAI client talks to the upstream itself");
}

/* ---- the plan ---- */

int
plan_check_other(const struct config *config, struct api_error *error)
{
	const struct upstream *current = config != NULL ? config->current : NULL;
	struct plan plan = {
		.request.service = current != NULL ? service_find(current->service_type) : NULL};

	return speaks_claude(&plan) ? 0 : refuse_other(error);
}

/* Write what is sent, and say how it is answered. */
static int
write_plan(struct plan *plan, const struct client_request *client, struct claude_request *request,
	struct api_error *error)
{
	switch (client->match.endpoint) {
	case ENDPOINT_COUNT_TOKENS:
		return plan_count(plan, client, request, error);
	case ENDPOINT_MODELS:
	case ENDPOINT_MODEL:
		return plan_models(plan, client, error);
	case ENDPOINT_OTHER:
		return speaks_claude(plan) ? plan_other(plan, client, error) : refuse_other(error);
	default:
		return plan_message(plan, client, request, error);
	}
}

/* Is the answer known without asking anybody, and without a key? */
static bool
needs_no_key(const struct plan *plan, const struct client_request *client)
{
	return client->match.endpoint == ENDPOINT_COUNT_TOKENS &&
	       plan->request.service->count_endpoint == NULL;
}

int
plan_make(struct plan *plan, struct store *store, const struct client_request *client,
	struct claude_request *request, struct api_error *error)
{
	bool other = client->match.endpoint == ENDPOINT_OTHER;

	*plan = (struct plan){.repeatable = !other || strcmp(client->method, "GET") == 0 ||
					    strcmp(client->method, "HEAD") == 0};
	if (client->config == NULL)
		return api_error_set(error, 500,
			"could not read the configuration: the proxy's log tells why; see "
			"claude-proxy-admin show");
	if (target_find(&plan->to, config_retain(client->config), client->model, error) != 0 ||
		aim(plan, error) != 0)
		return -1;
	if (!needs_no_key(plan, client) && choose_key(plan, store, client->settings, error) != 0)
		return -1;
	return write_plan(plan, client, request, error);
}

static int
write_next(struct plan *next, const struct client_request *client)
{
	struct api_error error = API_ERROR_NONE;
	struct claude_request request;
	int status = client_request_read_again(client, &request, &error);

	if (status == 0)
		status = aim(next, &error);
	if (status == 0)
		status = write_plan(next, client, &request, &error);
	claude_request_free(&request);
	api_error_clear(&error);
	return status;
}

/* Free all but the target. */
static void
free_request(struct plan *plan)
{
	upstream_request_free(&plan->request);
	search_sites_free(&plan->search.sites);
	free(plan->query);
	free(plan->model_id);
	free(plan->corrects.refusal);
	free(plan->corrects.lesson);
	for (char **sequence = plan->stop_sequences; sequence != NULL && *sequence != NULL;
		sequence++)
		free(*sequence);
	free(plan->stop_sequences);
}

static int
keep_corrections(const struct plan *from, struct plan *next)
{
	const struct correction_made *made = &from->corrects;

	if (made->count == 0)
		return 0;
	next->corrects = (struct correction_made){
		.count = made->count,
		.refusal = strdup(made->refusal),
		.lesson = strdup(made->lesson),
	};
	return next->corrects.refusal != NULL && next->corrects.lesson != NULL ? 0 : -1;
}

/* What was learned of this request counts for the next attempts, too, and so does that it was
 * corrected already. */
static int
keep_lessons(const struct plan *from, struct plan *next, const char *lesson)
{
	const char *known = from->request.lessons;
	bool both = known != NULL && lesson != NULL;

	if (keep_corrections(from, next) != 0)
		return -1;
	if (known == NULL && lesson == NULL)
		return 0;
	if (asprintf(&next->request.lessons, "%s%s%s", known != NULL ? known : "", both ? "\n" : "",
		    lesson != NULL ? lesson : "") >= 0)
		return 0;
	next->request.lessons = NULL;
	return -1;
}

int
plan_repeat(const struct plan *refused, struct plan *next, const struct client_request *client,
	const char *lesson)
{
	*next = (struct plan){.repeatable = refused->repeatable};
	if (target_copy(&refused->to, &next->to) == 0 && keep_lessons(refused, next, lesson) == 0 &&
		write_next(next, client) == 0)
		return 0;
	plan_free(next);
	return -1;
}

int
plan_next(const struct plan *failed, struct plan *next, struct store *store,
	const struct client_request *client)
{
	struct target to;
	int status = target_copy(&failed->to, &to);

	while (status == 0 && target_choose_next(&to, store, client->settings) == 0) {
		*next = (struct plan){.to = to, .repeatable = failed->repeatable};
		if (keep_lessons(failed, next, NULL) == 0 && write_next(next, client) == 0)
			return 0;
		/* Skip a fallback that cannot serve this request. */
		free_request(next);
		status = target_exclude(&to);
	}
	target_free(&to);
	return -1;
}

void
plan_replace(struct plan *failed, struct plan *next)
{
	plan_free(failed);
	*failed = *next;
}

void
plan_free(struct plan *plan)
{
	free_request(plan);
	target_free(&plan->to);
	*plan = (struct plan){0};
}

/*
 * Where a client's request goes; see plan.h, plan_steps.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/text/shell_word.h"
#include "proxy/client_request.h"
#include "proxy/plan/forwarded_headers.h"
#include "proxy/plan/plan_steps.h"
#include "store/config.h"
#include "translate/claude/request.h"
#include "translate/translator.h"
#include "upstream/service.h"

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

/* No key was chosen: say why, and what to do. */
static int
refuse_without_key(const struct plan *plan, struct api_error *error)
{
	const char *name = plan->to.upstream != NULL ? plan->to.upstream->name : "";
	struct buffer word = BUFFER_INIT(0);

	if (plan->to.command_failed)
		return api_error_set(error, 502,
			"upstream '%s' has no API key: the command that prints it failed; see the "
			"proxy's log",
			name);
	shell_word_write(&word, name);
	api_error_set(error, 500,
		"upstream '%s' has no enabled API key: claude-proxy-admin key %s add -", name,
		buffer_text(&word));
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

bool
plan_speaks_claude(const struct plan *plan)
{
	const struct service *s = plan->request.service;

	return s != NULL && s->translator->passes_through;
}

/* ---- what is sent ---- */

int
plan_address(struct plan *plan, const struct client_request *client, const char *endpoint,
	const char *query, struct api_error *error)
{
	int status = -1;
	struct forwarded_headers forwarded = {0};
	struct upstream_lessons lessons = {0};

	if (plan_speaks_claude(plan)) {
		forwarded_headers_read(&forwarded, client->web);
		forwarded.failed = forwarded.failed ||
				   upstream_lessons_gather(&lessons, &plan->request) != 0;
		if (!forwarded.failed && lessons.list.count > 0)
			forwarded_headers_withhold(&forwarded, &lessons.list);
		upstream_lessons_free(&lessons);
	}
	const struct service_head head = {
		.content_type = plan->pass ? client->content_type : NULL,
		.stream = client->match.endpoint == ENDPOINT_MESSAGES && client->stream,
		.forwarded = forwarded.list,
		.forwarded_count = forwarded.count,
	};
	if (forwarded.failed)
		api_error_no_memory(error);
	else
		status = upstream_request_address(&plan->request, endpoint, query, &head, error);
	forwarded_headers_free(&forwarded);
	return status;
}

const char *
plan_own_query(const struct plan *plan, const struct client_request *client)
{
	return plan_speaks_claude(plan) ? client->query : NULL;
}

/* ---- what is only handed on ---- */

static int
plan_other(struct plan *plan, const struct client_request *client, struct api_error *error)
{
	plan->request.method = client->method;
	plan->pass = true;
	buffer_append(&plan->request.body, buffer_text(&client->body), client->body.length);
	return plan_address(plan, client, client->match.path, plan_own_query(plan, client), error);
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

	return plan_speaks_claude(&plan) ? 0 : refuse_other(error);
}

/* Write what is sent, and say how it is answered. */
static int
write_plan(struct plan *plan, const struct client_request *client, struct claude_request *request,
	struct api_error *error)
{
	switch (client->match.endpoint) {
	case ENDPOINT_COUNT_TOKENS:
		return plan_token_count(plan, client, request, error);
	case ENDPOINT_MODELS:
	case ENDPOINT_MODEL:
		return plan_models(plan, client, error);
	case ENDPOINT_OTHER:
		return plan_speaks_claude(plan) ? plan_other(plan, client, error)
						: refuse_other(error);
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
			"could not read the configuration: see the proxy's log, and "
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

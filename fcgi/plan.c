/*
 * Where a client's request goes; see plan.h.
 */
#include "plan.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/settings.h"
#include "inquiry.h"
#include "store/config.h"
#include "store/store.h"
#include "translate/claude_models.h"
#include "translate/tokens.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "upstream/balance.h"
#include "upstream/service.h"
#include "web/gateway.h"

enum { MOST_FORWARDED = 32 }; /* headers */

static int
no_memory(struct api_error *error)
{
	return api_error_set(error, 500, "out of memory");
}

/* ---- choosing ---- */

/* ${model}: as the client named it; NULL: the request is about no model. */
static int
choose_upstream(struct plan *plan, const char *model, struct api_error *error)
{
	const struct config *config = plan->config;
	const struct route *route = model != NULL ? config_find_route(config, model) : NULL;

	plan->upstream = route != NULL && route->upstream != NULL ? route->upstream
								  : config->current;
	plan->model = route != NULL ? route->model : model;
	if (plan->upstream == NULL)
		return api_error_set(error, 500,
			"no upstream is configured: claude-proxy-admin add <name> <baseUrl> "
			"<serviceType>");
	plan->service = service_find(plan->upstream->service_type);
	if (plan->service == NULL)
		return api_error_set(error, 500,
			"upstream '%s' has the service type '%s', which this version of "
			"claude-proxy does "
			"not know",
			plan->upstream->name, plan->upstream->service_type);
	return 0;
}

static int
choose_key(struct plan *plan, struct store *store, const struct settings *settings,
	struct api_error *error)
{
	enum strategy strategy = plan->config->strategy;

	if (!plan->config->has_strategy)
		strategy_parse(settings->strategy, &strategy);
	if (balance_choose(store, strategy, plan->upstream, NULL, 0, clock_now_ms(), &plan->key) ==
		BALANCE_OK)
		return 0;
	return api_error_set(error, 500,
		"upstream '%s' has no API key that is enabled: claude-proxy-admin key %s add -",
		plan->upstream->name, plan->upstream->name);
}

/* Does the upstream speak Claude's language? */
static bool
speaks_claude(const struct plan *plan)
{
	return plan->service != NULL && plan->service->translator->reader_new == NULL;
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
forward_all(struct forwarded *f, const struct gateway *gateway)
{
	static const char wanted[] = "HTTP_ANTHROPIC_";
	bool has_version = false;

	for (char *const *p = gateway_parameters(gateway); p != NULL && *p != NULL; p++) {
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

/* ---- what is sent ---- */

/* The URL and the headers of a request whose body, if it has one, is written. */
static int
address(struct plan *plan, const struct inquiry *inquiry, const char *endpoint, bool stream,
	struct api_error *error)
{
	bool claude = speaks_claude(plan);
	/* Of a request for models the query is ours to answer. */
	const char *query = claude && plan->query == NULL ? inquiry->query : NULL;
	struct forwarded forwarded = {0};

	if (service_write_url(plan->service, plan->upstream->base_url, endpoint, plan->model, query,
		    &plan->url) != 0)
		return api_error_set(
			error, 500, "upstream '%s' has no usable base URL", plan->upstream->name);
	if (claude)
		forward_all(&forwarded, inquiry->gateway);
	const struct service_head head = {
		.content_type = plan->pass ? inquiry->content_type : NULL,
		.stream = stream,
		.has_body = plan->body.length > 0,
		.forwarded = forwarded.list,
		.forwarded_count = forwarded.count,
	};
	if (!forwarded.failed)
		plan->headers = service_headers(plan->service, plan->upstream, plan->key, &head);
	forget_forwarded(&forwarded);
	return plan->headers != NULL && !plan->body.failed ? 0 : no_memory(error);
}

typedef int request_writer(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *, struct api_error *);

static int
translate(struct plan *plan, const struct claude_request *request, request_writer *write,
	struct api_error *error)
{
	const struct translate_target target = {
		.model = plan->model,
		.max_output_tokens = plan->upstream->options.max_output_tokens,
		.reasoning_off = plan->upstream->options.reasoning_off,
	};

	plan->tool_names = tool_names_new(plan->service->translator->name_rule);
	if (plan->tool_names == NULL)
		return no_memory(error);
	return write(request, &target, plan->tool_names, &plan->body, error);
}

/* ---- messages ---- */

static int
plan_message(struct plan *plan, struct inquiry *inquiry, struct api_error *error)
{
	struct claude_request *request = &inquiry->request;
	const struct service *s = plan->service;
	const char *endpoint = request->stream && s->stream_endpoint != NULL ? s->stream_endpoint
									     : s->endpoint;

	plan->method = "POST";
	plan->pass = speaks_claude(plan);
	if (!plan->pass && claude_request_check(request, CLAUDE_TO_ANSWER, error) != 0)
		return -1;
	if (translate(plan, request, s->translator->write_request, error) != 0)
		return -1;
	if (!plan->pass)
		plan->input_tokens = tokens_guess_input(request);
	return address(plan, inquiry, endpoint, request->stream, error);
}

/* ---- counting tokens ---- */

static int
write_count(struct buffer *out, uint64_t tokens)
{
	buffer_puts(out, "{\"input_tokens\":");
	buffer_put_uint(out, tokens);
	return buffer_putc(out, '}');
}

/* The upstream's count; the estimate where it has no such endpoint. */
static int
convert_count(void *context, int status, const char *body, size_t length, struct buffer *out,
	struct api_error *error)
{
	const struct plan *plan = context;
	const char *member = plan->service->translator->count_member;
	struct json_object *answer = NULL;
	const char *problem;
	int64_t count = -1;

	if (status != 200)
		return write_count(out, plan->input_tokens);
	if (json_parse(body, length, &answer, &problem) == 0)
		count = json_member_int(answer, member, -1);
	json_object_put(answer);
	if (count < 0)
		return api_error_set(error, 502,
			"upstream '%s' did not say how many tokens it counted",
			plan->upstream->name);
	return write_count(out, (uint64_t)count);
}

static int
plan_count(struct plan *plan, struct store *store, const struct settings *settings,
	struct inquiry *inquiry, struct api_error *error)
{
	struct claude_request *request = &inquiry->request;
	const struct service *s = plan->service;
	bool checked = claude_request_check(request, CLAUDE_TO_COUNT, error) == 0;

	/* What only Claude's own service knows, that one may count. */
	if (!checked && !speaks_claude(plan))
		return -1;
	api_error_clear(error);
	plan->input_tokens = checked ? tokens_estimate_input(request) : 0;
	if (s->count_endpoint == NULL)
		return 0;
	plan->method = "POST";
	plan->convert = convert_count;
	if (choose_key(plan, store, settings, error) != 0 ||
		translate(plan, request, s->translator->write_count_request, error) != 0)
		return -1;
	return address(plan, inquiry, s->count_endpoint, false, error);
}

int
plan_write_answer(const struct plan *plan, struct buffer *out)
{
	return write_count(out, plan->input_tokens);
}

/* ---- what is only handed on ---- */

static int
plan_other(struct plan *plan, const struct inquiry *inquiry, struct api_error *error)
{
	plan->method = inquiry->method;
	plan->pass = true;
	buffer_append(&plan->body, buffer_text(&inquiry->body), inquiry->body.length);
	return address(plan, inquiry, inquiry->asked.path, false, error);
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

static void
add_routes(struct json_object *models, const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (is_plain(&config->routes[i]))
			claude_models_add(models, config->routes[i].pattern);
}

static int
convert_models(void *context, int status, const char *body, size_t length, struct buffer *out,
	struct api_error *error)
{
	const struct plan *plan = context;
	struct json_object *answer = NULL;
	struct json_object *models = json_object_new_array();
	const char *problem;
	int found = 0;

	add_routes(models, plan->config);
	/* A service without such a list has its routes all the same. */
	if (status == 200 && json_parse(body, length, &answer, &problem) != 0)
		found = -1;
	else if (status == 200)
		found = claude_models_read(models, answer);
	json_object_put(answer);
	if (found != 0) {
		json_object_put(models);
		return api_error_set(error, 502, "upstream '%s' answered without a list of models",
			plan->upstream->name);
	}
	int result = plan->model_id != NULL
			     ? claude_models_write_one(models, plan->model_id, out, error)
			     : claude_models_write_page(models, plan->query, out, error);
	json_object_put(models);
	return result;
}

static int
plan_models(struct plan *plan, const struct inquiry *inquiry, struct api_error *error)
{
	if (speaks_claude(plan) && !has_plain_route(plan->config))
		return plan_other(plan, inquiry, error);
	plan->method = "GET";
	plan->convert = convert_models;
	plan->query = strdup(inquiry->query);
	if (inquiry->asked.endpoint == ENDPOINT_MODEL) {
		char *decoded = curl_easy_unescape(
			NULL, inquiry->asked.path + strlen("/models/"), 0, NULL);
		plan->model_id = decoded != NULL ? strdup(decoded) : NULL;
		curl_free(decoded);
		if (plan->model_id == NULL)
			return no_memory(error);
	}
	if (plan->query == NULL)
		return no_memory(error);
	return address(plan, inquiry, plan->service->models_endpoint, false, error);
}

static int
refuse_other(struct api_error *error)
{
	return api_error_set(
		error, 404, "there is nothing at this path; messages go to POST /v1/messages");
}

/* ---- the plan ---- */

int
plan_check_other(struct store *store, struct api_error *error)
{
	struct plan plan = {.config = store_config(store)};
	bool served = plan.config != NULL && choose_upstream(&plan, NULL, error) == 0 &&
		      speaks_claude(&plan);

	config_release(plan.config);
	return served ? 0 : refuse_other(error);
}

int
plan_make(struct plan *plan, struct store *store, const struct settings *settings,
	struct inquiry *inquiry, struct api_error *error)
{
	enum endpoint endpoint = inquiry->asked.endpoint;

	*plan = (struct plan){0};
	plan->config = store_config(store);
	if (plan->config == NULL)
		return api_error_set(error, 500,
			"the configuration cannot be read: the proxy's log says why; see "
			"claude-proxy-admin show");
	if (choose_upstream(plan, inquiry->request.model, error) != 0)
		return endpoint == ENDPOINT_OTHER ? refuse_other(error) : -1;
	if (endpoint == ENDPOINT_OTHER && !speaks_claude(plan))
		return refuse_other(error);
	if (endpoint == ENDPOINT_COUNT_TOKENS)
		return plan_count(plan, store, settings, inquiry, error);
	if (choose_key(plan, store, settings, error) != 0)
		return -1;
	switch (endpoint) {
	case ENDPOINT_MODELS:
	case ENDPOINT_MODEL:
		return plan_models(plan, inquiry, error);
	case ENDPOINT_OTHER:
		return plan_other(plan, inquiry, error);
	default:
		return plan_message(plan, inquiry, error);
	}
}

void
plan_free(struct plan *plan)
{
	curl_slist_free_all(plan->headers);
	buffer_free(&plan->body);
	buffer_free(&plan->url);
	tool_names_free(plan->tool_names);
	free(plan->query);
	free(plan->model_id);
	config_release(plan->config);
	*plan = (struct plan){0};
}

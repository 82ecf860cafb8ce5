/*
 * What is sent for GET /v1/models, and the upstream's list, with the routes, as the answer; see
 * plan_steps.h.
 */
#include <curl/curl.h>
#include <string.h>

#include "base/api_error.h"
#include "base/json/json.h"
#include "proxy/client_request.h"
#include "proxy/plan/plan_steps.h"
#include "store/config.h"
#include "translate/claude/models.h"
#include "translate/translator.h"
#include "upstream/service.h"

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

/* Does the status, which the client would get as ${told}, say that a service has no list of models?
 * Those that speak Claude's language and are not Claude's own say it in more ways. */
static bool
has_no_models(const struct plan *plan, int status, int told)
{
	if (status == 404 || status == 405)
		return true;
	return plan_speaks_claude(plan) && (told == 400 || status == 501);
}

/* The models in the upstream's answer.  One that speaks Claude's language may have none. */
static int
read_models(const struct plan *plan, int status, const struct json *answer,
	struct claude_models *models, struct api_error *error)
{
	if (status != 200)
		return has_no_models(plan, status, error->status) ? 0 : -1;
	if (claude_models_read(models, answer) == 0 || plan_speaks_claude(plan))
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

/* Ask for the one model or the page that the client wants, where the service can select it;
 * otherwise for all, and select here. */
static int
address_models(struct plan *plan, const struct client_request *client, struct api_error *error)
{
	if (plan_speaks_claude(plan) && !has_plain_route(plan->to.config))
		return plan_address(plan, client, client->match.path, client->query, error);
	return plan_address(plan, client, plan->request.service->models_endpoint, NULL, error);
}

int
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
			return api_error_no_memory(error);
	}
	return plan->query != NULL ? address_models(plan, client, error)
				   : api_error_no_memory(error);
}

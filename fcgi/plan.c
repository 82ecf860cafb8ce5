/*
 * Where a Claude request goes; see plan.h.
 */
#include "plan.h"

#include <curl/curl.h>

#include "base/api_error.h"
#include "base/clock.h"
#include "base/settings.h"
#include "store/config.h"
#include "store/store.h"
#include "translate/claude.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "upstream/balance.h"
#include "upstream/service.h"

static int
choose_upstream(struct plan *plan, const struct claude_request *request, struct api_error *error)
{
	const struct config *config = plan->config;
	const struct route *route = config_find_route(config, request->model);

	plan->upstream = route != NULL && route->upstream != NULL ? route->upstream
								  : config->current;
	plan->model = route != NULL ? route->model : request->model;
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

static int
translate(struct plan *plan, const struct claude_request *request, struct api_error *error)
{
	const struct translate_target target = {
		.model = plan->model,
		.max_output_tokens = plan->upstream->options.max_output_tokens,
		.reasoning_off = plan->upstream->options.reasoning_off,
	};

	plan->tool_names = tool_names_new();
	if (plan->tool_names == NULL)
		return api_error_set(error, 500, "out of memory");
	if (plan->service->translator->write_request(
		    request, &target, plan->tool_names, &plan->body, error) != 0)
		return -1;
	if (service_write_url(plan->service, plan->upstream->base_url, &plan->url) != 0)
		return api_error_set(
			error, 500, "upstream '%s' has no usable base URL", plan->upstream->name);
	plan->headers = service_headers(plan->service, plan->upstream, plan->key, request->stream);
	if (plan->headers == NULL || plan->body.failed)
		return api_error_set(error, 500, "out of memory");
	return 0;
}

int
plan_make(struct plan *plan, struct store *store, const struct settings *settings,
	const struct claude_request *request, struct api_error *error)
{
	*plan = (struct plan){0};
	plan->config = store_config(store);
	if (plan->config == NULL)
		return api_error_set(error, 500,
			"the configuration cannot be read: the proxy's log says why; see "
			"claude-proxy-admin show");
	if (choose_upstream(plan, request, error) != 0 ||
		choose_key(plan, store, settings, error) != 0)
		return -1;
	return translate(plan, request, error);
}

void
plan_free(struct plan *plan)
{
	curl_slist_free_all(plan->headers);
	buffer_free(&plan->body);
	buffer_free(&plan->url);
	tool_names_free(plan->tool_names);
	config_release(plan->config);
	*plan = (struct plan){0};
}

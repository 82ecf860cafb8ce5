/*
 * What is sent for POST /v1/messages: the request in the upstream's terms, with a function in the
 * place of the search where the proxy searches itself; see plan_steps.h.
 */
#include <stdlib.h>

#include "base/api_error.h"
#include "base/json/json.h"
#include "proxy/client_request.h"
#include "proxy/plan/plan_steps.h"
#include "store/config.h"
#include "translate/claude/own_search.h"
#include "translate/claude/request.h"
#include "translate/tokens.h"
#include "translate/translator.h"
#include "upstream/service.h"

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

/* How many tokens of output the request allows; 0 if it does not say. */
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
	return copy_stop_sequences(plan, request->stop_sequences) == 0 ? 0
								       : api_error_no_memory(error);
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
		return api_error_no_memory(error);
	int status = own_search_make_request(request, turn, &client->turns, &text, &own, error);
	if (status == 0)
		status = translate_message(plan, &own, error);
	claude_request_free(&own);
	buffer_free(&text);
	return status;
}

/* Does the proxy search for the model?  Once it has, it does so to the end. */
static bool
searches_here(struct plan *plan, const struct client_request *client,
	const struct claude_request *request)
{
	return !plan->pass &&
	       (client->turn_count > 0 || upstream_request_runs_search(&plan->request, request,
						  &plan->to.config->search));
}

int
plan_message(struct plan *plan, const struct client_request *client, struct claude_request *request,
	struct api_error *error)
{
	upstream_request_choose_interface(&plan->request, request);
	const struct service *s = plan->request.service;
	const char *endpoint = request->stream && s->stream_endpoint != NULL ? s->stream_endpoint
									     : s->endpoint;

	plan->request.method = "POST";
	plan->pass = plan_speaks_claude(plan);
	plan->max_tokens = asked_output(plan, request);
	if (plan->pass && client->turn_count > 0)
		return api_error_set(error, 502,
			"upstream '%s' cannot continue after a web search that the proxy has made",
			plan->to.upstream->name);
	if (!plan->pass && claude_request_check(request, CLAUDE_TO_ANSWER, error) != 0)
		return -1;
	int status = searches_here(plan, client, request)
			     ? translate_searching(plan, client, request, error)
			     : translate_message(plan, request, error);
	if (status != 0)
		return -1;
	return plan_address(plan, client, endpoint, plan_own_query(plan, client), error);
}

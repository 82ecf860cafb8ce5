/*
 * What is sent for POST /v1/messages/count_tokens, and the upstream's count or our estimate as the
 * answer; see plan_steps.h.
 */
#include "base/api_error.h"
#include "base/json/json.h"
#include "proxy/client_request.h"
#include "proxy/plan/plan_steps.h"
#include "translate/claude/request.h"
#include "translate/tokens.h"
#include "translate/translator.h"
#include "upstream/service.h"

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

int
plan_token_count(struct plan *plan, const struct client_request *client,
	struct claude_request *request, struct api_error *error)
{
	const struct service *s = plan->request.service;
	bool checked = claude_request_check(request, CLAUDE_TO_COUNT, error) == 0;

	/* What only Claude's own service knows, that one may count. */
	if (!checked && !plan_speaks_claude(plan))
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
	return plan_address(plan, client, s->count_endpoint, plan_own_query(plan, client), error);
}

int
plan_write_answer(const struct plan *plan, struct buffer *out)
{
	return write_count(out, plan->input_tokens);
}

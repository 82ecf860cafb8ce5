/*
 * What is recorded of one request; see accounting.h.
 */
#include "proxy/accounting.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_body.h"
#include "base/secret.h"
#include "base/settings.h"
#include "proxy/client_request.h"
#include "proxy/plan.h"
#include "proxy/usage_writer.h"
#include "store/usage.h"
#include "translate/answer.h"

/* What web servers log where the client went away before a status was told. */
enum { CLIENT_WENT_AWAY = 499 };

void
accounting_bytes(
	struct accounting *a, const struct settings *settings, const char *bytes, size_t length)
{
	size_t most = (size_t)settings->log_body_limit + 1;

	if (!settings->log_responses)
		return;
	a->response_bytes += length;
	if (a->shown.length < most)
		buffer_append(&a->shown, bytes,
			length < most - a->shown.length ? length : most - a->shown.length);
}

static const char *
mask_key(const struct plan *plan, char mask[SECRET_MASK_SIZE])
{
	mask[0] = '\0';
	if (plan->to.key != NULL)
		secret_mask(plan->to.key->secret, mask);
	return mask;
}

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static int64_t
since(const struct accounting *a, uint64_t moment)
{
	return (int64_t)(moment - a->began);
}

static int64_t
first_byte_ms(const struct accounting *a)
{
	return a->first_byte != 0 ? since(a, a->first_byte) : -1;
}

void
accounting_failed_attempt(const struct client_request *client, const struct plan *plan,
	const char *error_type, int64_t rest)
{
	char mask[SECRET_MASK_SIZE];
	const struct log_field fields[] = {
		{"request_id", client->id, 0},
		{"upstream", plan->to.upstream->name, 0},
		{"key", mask_key(plan, mask), 0},
		{"error", error_type, 0},
		{"rests_s", NULL, rest / 1000},
	};

	log_line(LOG_WARN, "attempt failed", fields, sizeof(fields) / sizeof(fields[0]));
}

/* What a whole answer used, as far as that is plausible; nothing of another. */
static struct claude_usage
plausible_usage(struct answer *answer)
{
	if (answer_state(answer) != ANSWER_DONE)
		return (struct claude_usage){0};
	const struct claude_usage *told = answer_usage(answer);
	return (struct claude_usage){
		.input_tokens = usage_clamp(told->input_tokens),
		.output_tokens = usage_clamp(told->output_tokens),
		.cache_read_input_tokens = usage_clamp(told->cache_read_input_tokens),
		.cache_creation_input_tokens = usage_clamp(told->cache_creation_input_tokens),
	};
}

/* The line that every request gets. */
static void
log_end(const struct accounting *a, const struct plan *plan, const struct client_request *client,
	struct answer *answer, uint64_t now, const char *message)
{
	const struct claude_usage usage = plausible_usage(answer);
	const char *stop_reason = answer_stop_reason(answer);
	char mask[SECRET_MASK_SIZE];
	const struct log_field fields[] = {
		{"request_id", client->id, 0},
		{"status", NULL, a->status},
		{"upstream", plan->to.upstream->name, 0},
		{"key", mask_key(plan, mask), 0},
		{"model", or_empty(client->model), 0},
		{"upstream_model", or_empty(plan->to.model), 0},
		{"stream", client->stream ? "true" : "false", 0},
		{"attempts", NULL, a->attempts},
		{"ms", NULL, since(a, now)},
		{"first_byte_ms", NULL, first_byte_ms(a)},
		{"input_tokens", NULL, (int64_t)usage.input_tokens},
		{"output_tokens", NULL, (int64_t)usage.output_tokens},
		{a->error_type != NULL ? "error" : "stop_reason",
			a->error_type != NULL ? a->error_type
			: stop_reason != NULL ? stop_reason
					      : "none",
			0},
	};

	log_line(LOG_INFO, message, fields, sizeof(fields) / sizeof(fields[0]));
}

static enum request_kind
kind_of(enum endpoint endpoint)
{
	switch (endpoint) {
	case ENDPOINT_MESSAGES:
		return REQUEST_MESSAGE;
	case ENDPOINT_COUNT_TOKENS:
		return REQUEST_COUNT_TOKENS;
	case ENDPOINT_MODELS:
	case ENDPOINT_MODEL:
		return REQUEST_MODELS;
	default:
		return REQUEST_OTHER;
	}
}

static enum request_kind
accounting_kind(const struct client_request *client)
{
	return client->stream ? REQUEST_STREAM : kind_of(client->match.endpoint);
}

void
accounting_refusal(struct usage_writer *usage_writer, enum endpoint endpoint, int status)
{
	const struct usage_row row = {
		.kind = kind_of(endpoint),
		.upstream = "",
		.status = status,
		.first_byte = -1,
		.duration = -1,
	};

	usage_writer_add(usage_writer, &row);
}

/* A stream that ends with an error began with 200. */
static int
status_of(const struct accounting *a)
{
	if (a->status < 400 && a->error_status != 0)
		return a->error_status;
	return a->status != 0 ? a->status : CLIENT_WENT_AWAY;
}

static void
keep(const struct accounting *a, const struct plan *plan, const struct client_request *client,
	struct answer *answer, struct usage_writer *usage_writer, uint64_t now)
{
	const struct claude_usage usage = plausible_usage(answer);
	const struct usage_row row = {
		.kind = accounting_kind(client),
		.finished = clock_now_ms(),
		.upstream = plan->to.upstream->name,
		.key_id = plan->to.key != NULL ? plan->to.key->id : 0,
		.model = or_empty(plan->to.model),
		.status = status_of(a),
		.input_tokens = usage.input_tokens,
		.output_tokens = usage.output_tokens,
		.cache_read_input_tokens = usage.cache_read_input_tokens,
		.cache_creation_input_tokens = usage.cache_creation_input_tokens,
		.first_byte = first_byte_ms(a),
		.duration = since(a, now),
	};

	usage_writer_add(usage_writer, &row);
}

void
accounting_end(struct accounting *a, const struct plan *plan, const struct client_request *client,
	struct answer *answer, struct usage_writer *usage_writer, uint64_t now, const char *message)
{
	if (log_enabled(LOG_INFO))
		log_end(a, plan, client, answer, now, message);
	if (client->settings->log_responses)
		log_body("response body", client->id, buffer_text(&a->shown), a->response_bytes,
			plan->request.secrets, client->settings);
	keep(a, plan, client, answer, usage_writer, now);
	buffer_free(&a->shown);
}

/*
 * What is recorded of one request; see accounting.h.
 */
#include "proxy/accounting.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "base/log/log_body.h"
#include "base/secret.h"
#include "base/settings/settings.h"
#include "http/web_request.h"
#include "proxy/client_request.h"
#include "proxy/plan/plan.h"
#include "proxy/usage_writer.h"
#include "store/usage.h"
#include "translate/answer/answer.h"

/* What web servers log if the client went away before a status was sent. */
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
		{"paused_s", NULL, rest / 1000},
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

/* The fields of a line: only those that apply. */
struct fields {
	struct log_field list[17];
	size_t count;
};

static void
add_text(struct fields *f, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		f->list[f->count++] = (struct log_field){name, text, 0};
}

static void
add_number(struct fields *f, const char *name, int64_t number)
{
	if (number >= 0)
		f->list[f->count++] = (struct log_field){name, NULL, number};
}

static void
add_usage(struct fields *f, const struct client_request *client, struct answer *answer)
{
	const struct claude_usage usage = plausible_usage(answer);

	if (client->match.endpoint != ENDPOINT_MESSAGES)
		return;
	add_number(f, "input_tokens", (int64_t)usage.input_tokens);
	add_number(f, "output_tokens", (int64_t)usage.output_tokens);
}

/* The line that every request gets. */
static void
log_end(const struct accounting *a, const struct plan *plan, const struct client_request *client,
	struct answer *answer, uint64_t now, const char *message)
{
	struct fields f = {.count = 0};
	char path[sizeof("/v1") + ROUTER_LONGEST_PATH];
	char mask[SECRET_MASK_SIZE];

	snprintf(path, sizeof(path), "/v1%s", or_empty(client->match.path));
	add_text(&f, "request_id", client->id);
	add_number(&f, "status", a->status);
	add_text(&f, "method", client->method);
	add_text(&f, "path", path);
	add_text(&f, "addr", web_request_text(client->web, "REMOTE_ADDR"));
	add_text(&f, "upstream", plan->to.upstream->name);
	add_text(&f, "key", mask_key(plan, mask));
	add_text(&f, "model", client->model);
	add_text(&f, "upstream_model", plan->to.model);
	add_text(&f, "stream", client->stream ? "true" : NULL);
	add_number(&f, "attempts", a->attempts);
	add_number(&f, "searches", a->searches > 0 ? a->searches : -1);
	add_number(&f, "ms", since(a, now));
	add_number(&f, "first_byte_ms", first_byte_ms(a));
	add_usage(&f, client, answer);
	add_text(&f, a->error_type != NULL ? "error" : "stop_reason",
		a->error_type != NULL ? a->error_type : answer_stop_reason(answer));
	log_line(LOG_INFO, message, f.list, f.count);
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

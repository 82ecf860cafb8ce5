/*
 * One request to an upstream; see probe.h.
 */
#include "probe.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/settings/settings.h"
#include "base/watch.h"
#include "store/config.h"
#include "translate/answer/answer.h"
#include "translate/claude/models.h"
#include "translate/claude/request.h"
#include "translate/translator.h"
#include "translate/answer/upstream_error.h"
#include "upstream/service.h"
#include "upstream/transfer.h"
#include "upstream/upstream_request.h"

enum { MOST_BODY = 8 << 20, PATIENCE = 60000 /* ms, unless a setting tells */ };

/* What is sent, and what came. */
struct asking {
	const struct probe *probe;
	struct upstream_request request;
	struct error_context error_context;

	uv_loop_t loop;
	uv_timer_t timer;
	struct watches *watches;
	struct transfers *transfers;
	struct transfer *transfer;
	struct probe_answer *answer;
	char content_type[128];
	int64_t retry_after;
};

static int64_t
patience(const struct probe *p)
{
	if (p->upstream->options.timeout != 0)
		return p->upstream->options.timeout;
	return p->settings->request_timeout != 0 ? p->settings->request_timeout : PATIENCE;
}

/* ---- the transfer ---- */

static void
on_head(void *context)
{
	struct asking *a = context;
	const char *type = transfer_content_type(a->transfer);

	a->answer->status = transfer_status(a->transfer);
	a->retry_after = transfer_retry_after(a->transfer);
	strncpy(a->content_type, type != NULL ? type : "", sizeof(a->content_type) - 1);
}

static bool
on_body(void *context, const char *bytes, size_t length)
{
	struct asking *a = context;

	return buffer_append(&a->answer->body, bytes, length) == 0;
}

static void
on_batch_end(void *context)
{
	(void)context;
}

static void
on_ended(void *context, enum transfer_outcome outcome, const char *problem)
{
	struct asking *a = context;
	const struct upstream *u = a->probe->upstream;

	if (outcome == TRANSFER_NO_ANSWER || outcome == TRANSFER_NO_ROOM)
		upstream_error_no_answer(
			u->base_url, problem, 0, &a->error_context, &a->answer->error);
	else if (outcome != TRANSFER_COMPLETE)
		upstream_error_bad_answer("broke off its answer", problem, strlen(problem),
			&a->error_context, &a->answer->error);
	a->transfer = NULL;
	uv_timer_stop(&a->timer);
}

static void
on_time_over(uv_timer_t *timer)
{
	struct asking *a = timer->data;

	if (transfer_connect_time(a->transfer) < 0)
		upstream_error_no_answer(a->probe->upstream->base_url,
			transfer_obstacle(a->transfer), patience(a->probe), &a->error_context,
			&a->answer->error);
	else
		api_error_set(&a->answer->error, 504, "there was no answer within %lld ms",
			(long long)patience(a->probe));
	transfer_cancel(a->transfer);
	a->transfer = NULL;
}

static const struct transfer_handler handler = {
	.head = on_head,
	.body = on_body,
	.batch_end = on_batch_end,
	.ended = on_ended,
};

static int
start(struct asking *a)
{
	const struct transfer_request request = {
		.method = a->request.method,
		.url = buffer_text(&a->request.url),
		.body = buffer_text(&a->request.body),
		.body_length = a->request.body.length,
		.headers = a->request.headers,
		.proxy = a->probe->upstream->options.proxy,
		.certificates = a->probe->settings->certificates,
		.connect_timeout = patience(a->probe),
	};

	a->transfers = transfers_new(&a->loop, a->watches);
	if (a->transfers != NULL)
		a->transfer = transfer_start(a->transfers, &request, &handler, a);
	return a->transfer != NULL ? 0 : api_error_no_memory(&a->answer->error);
}

static void
run(struct asking *a)
{
	uv_timer_init(&a->loop, &a->timer);
	a->timer.data = a;
	uv_timer_start(&a->timer, on_time_over, (uint64_t)patience(a->probe), 0);
	uint64_t began = uv_hrtime();
	if (start(a) == 0)
		while (a->transfer != NULL)
			uv_run(&a->loop, UV_RUN_ONCE);
	a->answer->ms = (int64_t)((uv_hrtime() - began) / 1000000);
	transfers_free(a->transfers);
	uv_close((uv_handle_t *)&a->timer, NULL);
}

static bool
speaks_claude(const struct asking *a)
{
	return a->request.service->translator->passes_through;
}

/* Send it to ${endpoint}, and wait. */
static void
ask(struct asking *a, const char *endpoint)
{
	static const struct forwarded_header version = {"anthropic-version", "2023-06-01"};
	const struct service_head head = {
		.forwarded = &version,
		.forwarded_count = speaks_claude(a) ? 1 : 0,
	};

	a->answer->body = BUFFER_INIT(MOST_BODY);
	if (upstream_request_address(&a->request, endpoint, NULL, &head, &a->answer->error) != 0)
		return;
	a->error_context.secrets = a->request.secrets;
	if (uv_loop_init(&a->loop) != 0) {
		api_error_no_memory(&a->answer->error);
		return;
	}
	a->watches = watches_new(&a->loop);
	if (a->watches != NULL)
		run(a);
	watches_free(a->watches);
	uv_run(&a->loop, UV_RUN_DEFAULT);
	uv_loop_close(&a->loop);
}

/* Return 0, or -1: the service type is unknown. */
static int
begin(struct asking *a, const struct probe *p, const char *model, struct probe_answer *answer)
{
	const struct upstream *u = p->upstream;

	*answer = (struct probe_answer){0};
	*a = (struct asking){
		.probe = p,
		.answer = answer,
		.request = {.upstream = u,
			.service = service_find(u->service_type),
			.key = p->key,
			.model = model},
		.error_context = {.name = u->name,
			.key = p->key != NULL ? p->key->secret : NULL,
			.model = model != NULL ? model : ""},
	};
	if (a->request.service != NULL)
		return 0;
	return api_error_set(
		&answer->error, 500, "its service type '%s' is unknown", u->service_type);
}

/* ---- models ---- */

void
probe_models(const struct probe *p, struct probe_answer *answer)
{
	struct asking a;

	if (begin(&a, p, NULL, answer) != 0)
		return;
	a.request.method = "GET";
	ask(&a, a.request.service->models_endpoint);
	if (answer->error.status == 0 && answer->status >= 300)
		upstream_error_from_status(answer->status, a.retry_after,
			buffer_text(&answer->body), answer->body.length, &a.error_context,
			&answer->error);
	upstream_request_free(&a.request);
}

/* Does the name contain one of the words? */
static bool
contains_any(const char *name, const char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return false;
}

/* The first small model that may talk, else the first that may. */
static const char *
choose(const struct claude_models *models)
{
	static const char *const small[] = {"mini", "flash", "lite", "haiku", "nano", NULL};
	static const char *const mute[] = {"embed", "tts", "whisper", "dall-e", "image", "audio",
		"realtime", "transcribe", "moderation", "imagen", "veo", "sora", "babbage",
		"davinci", NULL};
	const char *first = NULL;

	for (size_t i = 0; i < models->count; i++) {
		const char *id = claude_models_id(models, i);
		if (contains_any(id, mute))
			continue;
		if (contains_any(id, small))
			return id;
		first = first != NULL ? first : id;
	}
	return first;
}

char *
probe_choose_model(const struct probe *p, struct probe_answer *list)
{
	struct claude_models models = {0};
	struct json_document index = {0};
	char *chosen = NULL;

	probe_models(p, list);
	if (list->error.status == 0 &&
		claude_models_read(
			&models, json_read(&index, buffer_text(&list->body), list->body.length,
					 JSON_MAX_ANSWER_VALUES, NULL)) == 0) {
		const char *id = choose(&models);
		chosen = id != NULL ? strdup(id) : NULL;
	}
	json_document_free(&index);
	claude_models_free(&models);
	return chosen;
}

/* ---- a message ---- */

static int
write_message(struct asking *a, const char *model)
{
	struct buffer text = BUFFER_INIT(0);
	struct claude_request claude = {0};
	struct api_error *error = &a->answer->error;
	int status;

	buffer_puts(&text, "{\"model\":");
	json_write_text(&text, model);
	buffer_puts(&text, ",\"max_tokens\":16,\"messages\":[{\"role\":\"user\",\"content\":"
			   "\"Reply with OK.\"}]}");
	status = claude_request_parse(buffer_text(&text), text.length, &claude, error);
	if (status == 0)
		status = claude_request_check(&claude, CLAUDE_TO_ANSWER, error);
	if (status == 0) {
		upstream_request_choose_interface(&a->request, &claude);
		status = upstream_request_translate(
			&a->request, &claude, a->request.service->translator->write_request, error);
	}
	claude_request_free(&claude);
	buffer_free(&text);
	return status;
}

/* Does the responder read what came as an answer? */
static void
read_message(struct asking *a, const char *model)
{
	struct buffer out = BUFFER_INIT(0);
	const struct answer_options options = {
		.translator = a->request.service->translator,
		.model = model,
		.pass = speaks_claude(a),
		.message = true,
	};
	struct answer *answer = answer_new(&options, &out);

	if (answer == NULL) {
		api_error_no_memory(&a->answer->error);
		return;
	}
	answer_begin(answer, &a->error_context);
	answer_head(answer, a->answer->status, a->content_type, a->retry_after);
	answer_feed(answer, buffer_text(&a->answer->body), a->answer->body.length);
	if (answer_end(answer, true) == ANSWER_FAILED)
		api_error_copy(answer_error(answer), &a->answer->error);
	answer_free(answer);
	buffer_free(&out);
}

void
probe_message(const struct probe *p, const char *model, struct probe_answer *answer)
{
	struct asking a;

	if (begin(&a, p, model, answer) != 0)
		return;
	a.request.method = "POST";
	if (write_message(&a, model) == 0)
		ask(&a, a.request.service->endpoint);
	if (answer->error.status == 0)
		read_message(&a, model);
	upstream_request_free(&a.request);
}

void
probe_answer_free(struct probe_answer *answer)
{
	buffer_free(&answer->body);
	api_error_clear(&answer->error);
}

/*
 * Asking an upstream; see probe.h.
 */
#include "probe.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/settings.h"
#include "base/watch.h"
#include "store/config.h"
#include "translate/answer.h"
#include "translate/claude/request.h"
#include "translate/claude/models.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "translate/upstream_error.h"
#include "upstream/service.h"
#include "upstream/transfer.h"

enum { MOST_BODY = 8 << 20, PATIENCE = 60000 /* ms, where no setting says */ };

/* What is sent, and what came. */
struct asking {
	const struct probe *probe;
	const struct service *service;
	const char *method;
	struct buffer url;
	struct buffer body;
	struct curl_slist *headers;
	struct error_context error_context;
	const char **secrets; /* of the identity; owned */

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
		.method = a->method,
		.url = buffer_text(&a->url),
		.body = buffer_text(&a->body),
		.body_length = a->body.length,
		.headers = a->headers,
		.proxy = a->probe->upstream->options.proxy,
		.certificates = a->probe->settings->certificates,
		.connect_timeout = patience(a->probe),
	};

	a->transfers = transfers_new(&a->loop, a->watches);
	if (a->transfers != NULL)
		a->transfer = transfer_start(a->transfers, &request, &handler, a);
	return a->transfer != NULL ? 0 : api_error_set(&a->answer->error, 500, "out of memory");
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
	return a->service->translator->passes_through;
}

/* Send what is written, and wait. */
static void
ask(struct asking *a)
{
	static const struct forwarded_header version = {"anthropic-version", "2023-06-01"};
	const struct probe *p = a->probe;
	const struct service_head head = {
		.has_body = a->body.length > 0,
		.forwarded = &version,
		.forwarded_count = speaks_claude(a) ? 1 : 0,
	};

	a->answer->body = BUFFER_INIT(MOST_BODY);
	a->headers = service_headers(a->service, p->upstream, p->key, &head);
	if (a->headers == NULL || a->body.failed || a->url.failed || uv_loop_init(&a->loop) != 0) {
		api_error_set(&a->answer->error, 500, "out of memory");
		return;
	}
	a->watches = watches_new(&a->loop);
	if (a->watches != NULL)
		run(a);
	watches_free(a->watches);
	uv_run(&a->loop, UV_RUN_DEFAULT);
	uv_loop_close(&a->loop);
}

static void
end_asking(struct asking *a)
{
	curl_slist_free_all(a->headers);
	free(a->secrets);
	buffer_free(&a->url);
	buffer_free(&a->body);
}

static struct asking
asking_of(const struct probe *p, const char *model, struct probe_answer *answer)
{
	const char **secrets = service_secrets(p->upstream, p->key);

	*answer = (struct probe_answer){0};
	return (struct asking){
		.probe = p,
		.service = service_find(p->upstream->service_type),
		.answer = answer,
		.error_context = {.name = p->upstream->name,
			.key = p->key != NULL ? p->key->secret : NULL,
			.model = model,
			.secrets = secrets},
		.secrets = secrets,
	};
}

/* ---- models ---- */

void
probe_models(const struct probe *p, struct probe_answer *answer)
{
	struct asking a = asking_of(p, "", answer);

	a.method = "GET";
	if (a.service == NULL || service_write_url(a.service, p->upstream->base_url,
					 a.service->models_endpoint, NULL, NULL, &a.url) != 0)
		api_error_set(&answer->error, 500, "it has no usable base URL or service type");
	else
		ask(&a);
	if (answer->error.status == 0 && answer->status >= 300)
		upstream_error_from_status(answer->status, a.retry_after,
			buffer_text(&answer->body), answer->body.length, &a.error_context,
			&answer->error);
	end_asking(&a);
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
	struct claude_request request = {0};
	struct tool_names *names = tool_names_new(a->service->translator->name_rule);
	const struct translate_target target = {
		.model = model,
		.max_output_tokens = a->probe->upstream->options.max_output_tokens,
		.reasoning_off = a->probe->upstream->options.reasoning_off,
	};
	int status = -1;

	buffer_puts(&text, "{\"model\":");
	json_write_text(&text, model);
	buffer_puts(&text, ",\"max_tokens\":16,\"messages\":[{\"role\":\"user\",\"content\":"
			   "\"Reply with OK.\"}]}");
	if (names != NULL && claude_request_parse(buffer_text(&text), text.length, &request,
				     &a->answer->error) == 0) {
		status = claude_request_check(&request, CLAUDE_TO_ANSWER, &a->answer->error);
		if (status == 0)
			status = a->service->translator->write_request(
				&request, &target, names, &a->body, &a->answer->error);
		claude_request_free(&request);
	}
	tool_names_free(names);
	buffer_free(&text);
	return status;
}

/* Is what came an answer, as the responder reads it? */
static void
read_message(struct asking *a, const char *model)
{
	struct buffer out = BUFFER_INIT(0);
	const struct answer_options options = {
		.translator = a->service->translator,
		.model = model,
		.pass = speaks_claude(a),
		.message = true,
	};
	struct answer *answer = answer_new(&options, &out);

	if (answer == NULL) {
		api_error_set(&a->answer->error, 500, "out of memory");
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
	struct asking a = asking_of(p, model, answer);

	a.method = "POST";
	if (a.service == NULL || service_write_url(a.service, p->upstream->base_url,
					 a.service->endpoint, model, NULL, &a.url) != 0)
		api_error_set(&answer->error, 500, "it has no usable base URL or service type");
	else if (write_message(&a, model) == 0)
		ask(&a);
	if (a.service != NULL && answer->error.status == 0)
		read_message(&a, model);
	end_asking(&a);
}

void
probe_answer_free(struct probe_answer *answer)
{
	buffer_free(&answer->body);
	api_error_clear(&answer->error);
}

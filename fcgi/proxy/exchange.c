/*
 * The life of one request to an upstream on the loop; see exchange.h, exchange_steps.h.
 */
#include <stdlib.h>

#include "base/settings/settings.h"
#include "proxy/exchange_steps.h"
#include "proxy/usage_writer.h"
#include "store/config.h"
#include "translate/claude/request.h"
#include "upstream/service.h"

enum {
	MOST_PENDING = 65536, /* bytes kept for a slow client before the transfer is held */
	MOST_DRAINED = 65536, /* bytes that may come after the answer's end */
};

static void on_client(void *context, bool gone);
static void end_answer(struct exchange *);
static void end_response(struct exchange *, const char *message);
static void free_exchange(struct exchange *);

/* ---- the beginning ---- */

struct answer_options
exchange_answer_options(struct exchange *x)
{
	return (struct answer_options){
		.translator = x->plan.request.service->translator,
		.tool_names = x->plan.request.tool_names,
		.origin = x->plan.request.origin.length > 0 ? buffer_text(&x->plan.request.origin)
							    : NULL,
		.model = x->client.model,
		.stream = x->client.stream,
		.hide_thinking = x->client.no_thinking ||
				 x->plan.to.upstream->options.reasoning_off,
		.estimated_input_tokens = x->plan.input_tokens,
		.stop_sequences = (const char *const *)x->plan.stop_sequences,
		.searches = x->plan.searches,
		.pass = x->plan.pass,
		.message = x->client.match.endpoint == ENDPOINT_MESSAGES,
		.convert = x->plan.convert,
		.convert_context = &x->plan,
	};
}

static int
prepare(struct exchange *x, struct api_error *error)
{
	struct claude_request claude;
	int status = client_request_read(&x->client, &claude, error);

	if (status == 0)
		status = plan_make(&x->plan, x->all->store, &x->client, &claude, error);
	claude_request_free(&claude);
	if (status != 0)
		return -1;
	const struct answer_options options = exchange_answer_options(x);
	x->answer = answer_new(&options, &x->reply.out);
	return x->answer != NULL ? 0 : api_error_no_memory(error);
}

struct exchange *
exchange_new(struct exchanges *all, struct client_request *client, struct api_error *error)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		api_error_no_memory(error);
		return NULL;
	}
	x->all = all;
	x->client = *client;
	*client = (struct client_request){0};
	x->reply = (struct reply){
		.client = &x->client,
		.web = x->client.web,
		.accounting = &x->accounting,
		.watches = all->watches,
		.ready = on_client,
		.context = x,
	};
	if (prepare(x, error) == 0)
		return x;
	*client = x->client;
	x->client = (struct client_request){0};
	free_exchange(x);
	return NULL;
}

void
exchange_run(struct exchange *x)
{
	struct exchanges *all = x->all;

	x->next = all->first;
	if (x->next != NULL)
		x->next->previous = x;
	all->first = x;
	x->accounting.began = x->last_output = uv_now(all->loop);
	usage_writer_note_begin(all->usage_writer);
	uv_timer_init(all->loop, &x->timer);
	x->timer.data = x;
	x->timer_due = UINT64_MAX;
	x->accounting.attempts = 1;
	exchange_attempt(x);
}

/* ---- an attempt ---- */

static const struct transfer_handler handler;

static void
start_transfer(struct exchange *x)
{
	const struct transfer_request request = {
		.method = x->plan.request.method,
		.certificates = x->client.settings->certificates,
		.url = x->plan.request.url.data,
		.body = buffer_text(&x->plan.request.body),
		.body_length = x->plan.request.body.length,
		.headers = x->plan.request.headers,
		.proxy = x->plan.to.upstream->options.proxy,
		.connect_timeout = exchange_connect_timeout(x),
		.once = !x->plan.repeatable,
	};

	answer_begin(x->answer, &x->error_context);
	x->transfer = transfer_start(x->all->transfers, &request, &handler, x);
	if (x->transfer == NULL)
		exchange_fail_without_room(x, "the proxy is out of memory");
	else
		exchange_flush(x);
}

/* The answer is known without asking anybody. */
static void
answer_at_once(struct exchange *x)
{
	plan_write_answer(&x->plan, &x->reply.out);
	exchange_begin_ending(x);
}

void
exchange_attempt(struct exchange *x)
{
	x->state = ASKING;
	x->error_context = (struct error_context){
		.name = x->plan.to.upstream->name,
		.key = x->plan.to.key != NULL ? x->plan.to.key->secret : NULL,
		.model = x->plan.to.model != NULL ? x->plan.to.model : "",
		.secrets = x->plan.request.secrets,
		.max_tokens = x->plan.max_tokens,
	};
	x->attempt_began = x->last_input = uv_now(x->all->loop);
	if (x->plan.request.url.length > 0)
		start_transfer(x);
	else
		answer_at_once(x);
}

/* ---- from the upstream ---- */

static void
on_head(void *context)
{
	struct exchange *x = context;

	if (x->state != ASKING)
		return;
	if (x->plan.pass)
		reply_keep_head(&x->reply, x->transfer);
	answer_head(x->answer, transfer_status(x->transfer), transfer_content_type(x->transfer),
		transfer_retry_after(x->transfer));
}

/* What comes after the end is read only to keep the connection. */
static bool
drain(struct exchange *x, size_t length)
{
	x->drained += length;
	return x->drained <= MOST_DRAINED;
}

static bool
on_body(void *context, const char *bytes, size_t length)
{
	struct exchange *x = context;

	if (answer_state(x->answer) == ANSWER_DONE)
		return drain(x, length);
	return answer_feed(x->answer, bytes, length) != ANSWER_FAILED &&
	       answer_wants_more(x->answer);
}

static void
on_batch_end(void *context)
{
	struct exchange *x = context;

	if (x->state != ASKING)
		return;
	x->last_input = uv_now(x->all->loop);
	/* It will not be sent again: a long stream need not keep it. */
	if (x->client.body.length > 0 && answer_has_content(x->answer) && !x->plan.searches) {
		client_request_forget_body(&x->client);
		x->all->forgotten++;
	}
	if (answer_state(x->answer) == ANSWER_DONE)
		end_answer(x);
	else
		exchange_flush(x);
}

/* There was no response, or none that is read. */
static void
fail_without_answer(struct exchange *x, enum transfer_outcome outcome, const char *problem)
{
	struct api_error error = API_ERROR_NONE;

	if (outcome == TRANSFER_EXCESSIVE)
		upstream_error_bad_answer(problem, "", 0, &x->error_context, &error);
	else
		upstream_error_no_answer(
			x->plan.to.upstream->base_url, problem, 0, &x->error_context, &error);
	exchange_fail_attempt(x, &error, false);
	api_error_clear(&error);
}

/* The transfer ended while its answer was waited for. */
static void
end_asking(struct exchange *x, enum transfer_outcome outcome, const char *problem)
{
	switch (outcome) {
	case TRANSFER_NO_ROOM:
		exchange_fail_without_room(x, problem);
		return;
	case TRANSFER_NO_ANSWER:
	case TRANSFER_EXCESSIVE:
		fail_without_answer(x, outcome, problem);
		return;
	case TRANSFER_COMPLETE:
	case TRANSFER_BROKEN:
	case TRANSFER_STOPPED:
		break;
	}
	if (answer_end(x->answer, outcome != TRANSFER_BROKEN) == ANSWER_FAILED)
		exchange_fail_attempt(x, answer_error(x->answer), outcome == TRANSFER_COMPLETE);
	else
		end_answer(x);
}

static void
on_ended(void *context, enum transfer_outcome outcome, const char *problem)
{
	struct exchange *x = context;

	x->transfer = NULL;
	if (x->state == ASKING)
		end_asking(x, outcome, problem);
	else if (x->state == DRAINING)
		exchange_dispose(x);
}

/* Whoever needs it again, for another key, writes it anew. */
static void
on_body_sent(void *context)
{
	struct exchange *x = context;

	buffer_free(&x->plan.request.body);
}

static const struct transfer_handler handler = {
	.head = on_head,
	.body_sent = on_body_sent,
	.body = on_body,
	.batch_end = on_batch_end,
	.ended = on_ended,
};

void
exchange_cancel_transfer(struct exchange *x)
{
	if (x->transfer != NULL)
		transfer_cancel(x->transfer);
	x->transfer = NULL;
}

/* The answer is whole, or a turn of it. */
static void
end_answer(struct exchange *x)
{
	if (answer_waits(x->answer))
		exchange_begin_searching(x);
	else
		exchange_begin_ending(x);
}

/* ---- to the client ---- */

/* Read from the upstream as fast as the client takes it, but for MOST_PENDING bytes. */
static void
hold_back(struct exchange *x)
{
	size_t pending = reply_pending(&x->reply);

	if (x->transfer == NULL)
		return;
	if (x->state == ASKING && pending > MOST_PENDING) {
		transfer_hold(x->transfer);
	} else if (transfer_is_held(x->transfer) && pending < MOST_PENDING / 2) {
		x->last_input = uv_now(x->all->loop);
		transfer_go_on(x->transfer);
	}
}

/* Give the client what it takes, and go on from there. */
void
exchange_flush(struct exchange *x)
{
	bool streamed = x->reply.head == REPLY_STREAM;
	x->reply.pass = answer_passes(x->answer);
	ssize_t n = reply_write(&x->reply, x->state == ENDING, uv_now(x->all->loop));

	x->all->streaming += !streamed && x->reply.head == REPLY_STREAM;
	if (n < 0) {
		exchange_abandon(x);
		return;
	}
	if (x->state == ENDING && reply_pending(&x->reply) == 0 && reply_end(&x->reply)) {
		end_response(x, "request");
		return;
	}
	if (reply_watch(&x->reply, exchange_waits_for_client(x)) || n > 0)
		x->last_output = uv_now(x->all->loop);
	hold_back(x);
	exchange_arm_timer(x);
}

static void
on_client(void *context, bool gone)
{
	if (gone)
		exchange_abandon(context);
	else
		exchange_flush(context);
}

/* ---- the end ---- */

/* All of the response is written. */
void
exchange_begin_ending(struct exchange *x)
{
	x->state = ENDING;
	x->whole_since = uv_now(x->all->loop);
	exchange_flush(x);
}

/* The client is gone: stop the upstream, which would only bill tokens. */
void
exchange_abandon(struct exchange *x)
{
	exchange_cancel_transfer(x);
	web_search_free(&x->search);
	if (x->state != PLANNING) {
		end_response(x, "client went away");
		return;
	}
	x->state = ABANDONED;
	reply_unwatch(&x->reply);
}

bool
exchange_resume(struct exchange *x, struct plan *next)
{
	if (x->state != ABANDONED) {
		x->state = ASKING;
		return true;
	}
	/* The row of usage names the key that was used: the next one never was. */
	if (next != NULL)
		plan_free(next);
	end_response(x, "client went away");
	return false;
}

/* The client has its response, or is gone. */
static void
end_response(struct exchange *x, const char *message)
{
	x->accounting.searches = x->search.used;
	accounting_end(&x->accounting, &x->plan, &x->client, x->answer, x->all->usage_writer,
		uv_now(x->all->loop), message);
	reply_close(&x->reply);
	atomic_fetch_sub(&x->all->in_flight, 1);
	x->all->streaming -= x->reply.head == REPLY_STREAM;
	if (x->transfer == NULL) {
		exchange_dispose(x);
		return;
	}
	x->state = DRAINING;
	exchange_arm_timer(x);
}

static void
on_timer_closed(uv_handle_t *timer)
{
	free_exchange(timer->data);
}

/* Response and transfer are both over. */
void
exchange_dispose(struct exchange *x)
{
	if (x->previous != NULL)
		x->previous->next = x->next;
	else
		x->all->first = x->next;
	if (x->next != NULL)
		x->next->previous = x->previous;
	uv_close((uv_handle_t *)&x->timer, on_timer_closed);
}

static void
free_exchange(struct exchange *x)
{
	web_search_free(&x->search);
	answer_free(x->answer);
	reply_free(&x->reply);
	buffer_free(&x->accounting.shown);
	plan_free(&x->plan);
	client_request_free(&x->client);
	api_error_clear(&x->failure);
	free(x);
}

/*
 * The life of one request to an upstream on the loop; see exchange.h, fcgi/DESIGN.md.
 *
 *   exchange_run
 *        |                  it failed
 *        +---> ASKING ------------------> RETRYING ---------> ABANDONED
 *        |       |  ^ |   the next key    ^  | |      client      |
 *        |       |  +-|-------------------|--+ |      left        | the worker is done
 *        |       |    +--> SEARCHING -----+    | no key           |
 *        |       |  the     |   the model's    | is left          v
 *        |       |  model   |   next turn      |               disposed
 *        |       |  wants   | the client's     |
 *        |       |  it      v tools are next   |
 *        +---> ENDING <------------------------+
 *                |
 *                | the client has it all
 *                v
 *             DRAINING -- the transfer ended, or took too long --> disposed
 *
 * In ASKING, SEARCHING and ENDING, a client that leaves ends everything at once.
 */
#include "proxy/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/log.h"
#include "base/settings.h"
#include "proxy/client_request.h"
#include "proxy/correction.h"
#include "proxy/plan.h"
#include "proxy/reply.h"
#include "proxy/retry.h"
#include "proxy/usage_writer.h"
#include "proxy/web_search.h"
#include "store/config.h"
#include "translate/answer.h"
#include "translate/claude/request.h"
#include "translate/upstream_error.h"
#include "upstream/service.h"
#include "upstream/transfer.h"

enum {
	MOST_PENDING = 65536,    /* bytes kept for a slow client before the transfer is held */
	MOST_DRAINED = 65536,    /* bytes that may come after the answer's end */
	STALLED_CLIENT = 600000, /* ms without taking a byte: it is gone */
	DRAIN = 1000, /* ms for the end of a transfer whose answer is whole: keeps its connection */
	RETRY_WHEN_FULL = 1, /* s, said with 529 */
};

enum state {
	ASKING,    /* a transfer runs, and its answer goes to the client as it comes */
	SEARCHING, /* a turn of the model ended, and the proxy searches for it */
	RETRYING,  /* a worker looks for the next key, or writes the request of the model's next
		      turn; it reads client request, plan and web request */
	ABANDONED, /* the same, but the client is gone */
	ENDING,    /* all of the response is in the reply; the transfer may still run */
	DRAINING,  /* the client has its response; the transfer still runs */
};

struct exchange {
	struct exchanges *all;
	struct exchange *next;
	struct exchange *previous;
	enum state state;

	struct client_request client;
	struct plan plan;
	struct error_context error_context;

	struct transfer *transfer; /* in ASKING and DRAINING; until it ends, in ENDING, and from
				      SEARCHING to the next attempt */
	struct answer *answer;
	struct web_search search;
	size_t drained;           /* bytes that came after the answer's end */
	struct api_error failure; /* of the attempt that a retry follows */

	struct reply reply; /* has its web request but in DRAINING */

	uv_timer_t timer;
	uint64_t timer_due; /* UINT64_MAX: it does not run; ms of the loop's clock, as the rest */
	uint64_t attempt_began;
	uint64_t last_input;  /* from the upstream, or since it is not held any more */
	uint64_t last_output; /* to the client, or since it is waited for */
	uint64_t whole_since; /* the answer, in ENDING and DRAINING, or the model's turn */
	struct accounting accounting;
};

/* The steps, in the order of the flow. */
static void attempt(struct exchange *);
static void on_client(void *context, bool gone);
static void flush(struct exchange *);
static void begin_ending(struct exchange *);
static void end_answer(struct exchange *);
static void fail_attempt(struct exchange *, const struct api_error *, bool refused);
static void fail(struct exchange *, const struct api_error *);
static void abandon(struct exchange *);
static void end_response(struct exchange *, const char *message);
static void cancel_transfer(struct exchange *);
static void dispose(struct exchange *);
static void arm_timer(struct exchange *);
static void on_next_turn(void *context, struct plan *next);
static void free_exchange(struct exchange *);

/* ---- the beginning ---- */

static struct answer_options
answer_options_of(struct exchange *x)
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
	const struct answer_options options = answer_options_of(x);
	x->answer = answer_new(&options, &x->reply.out);
	return x->answer != NULL ? 0 : api_error_set(error, 500, "out of memory");
}

struct exchange *
exchange_new(struct exchanges *all, struct client_request *client, struct api_error *error)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		api_error_set(error, 500, "out of memory");
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
	attempt(x);
}

/* ---- an attempt ---- */

static int64_t
connect_timeout(const struct exchange *x)
{
	int64_t own = x->plan.to.upstream->options.timeout;

	return own != 0 ? own : x->client.settings->connect_timeout;
}

static int64_t
silence_timeout(const struct exchange *x)
{
	int64_t own = x->plan.to.upstream->options.timeout;

	return own != 0 ? own : x->client.settings->silence_timeout;
}

/* The proxy itself ran out of something: no key is at fault, and another would not help. */
static void
fail_without_room(struct exchange *x, const char *problem)
{
	struct api_error error = API_ERROR_NONE;

	api_error_set(&error, 529, "%s", problem);
	error.retry_after = RETRY_WHEN_FULL;
	fail(x, &error);
	api_error_clear(&error);
}

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
		.connect_timeout = connect_timeout(x),
		.once = !x->plan.repeatable,
	};

	answer_begin(x->answer, &x->error_context);
	x->transfer = transfer_start(x->all->transfers, &request, &handler, x);
	if (x->transfer == NULL)
		fail_without_room(x, "the proxy is out of memory");
	else
		flush(x);
}

/* The answer is known without asking anybody. */
static void
answer_at_once(struct exchange *x)
{
	plan_write_answer(&x->plan, &x->reply.out);
	begin_ending(x);
}

static void
attempt(struct exchange *x)
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
		flush(x);
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
	fail_attempt(x, &error, false);
	api_error_clear(&error);
}

/* The transfer ended while its answer was waited for. */
static void
end_asking(struct exchange *x, enum transfer_outcome outcome, const char *problem)
{
	switch (outcome) {
	case TRANSFER_NO_ROOM:
		fail_without_room(x, problem);
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
		fail_attempt(x, answer_error(x->answer), outcome == TRANSFER_COMPLETE);
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
		dispose(x);
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

static void
cancel_transfer(struct exchange *x)
{
	if (x->transfer != NULL)
		transfer_cancel(x->transfer);
	x->transfer = NULL;
}

/* ---- to the client ---- */

/* Does the client have to take something before the exchange can go on? */
static bool
waits_for_client(const struct exchange *x)
{
	switch (x->state) {
	case ASKING:
	case SEARCHING:
	case RETRYING:
		return reply_pending(&x->reply) > 0;
	case ENDING:
		return true;
	case ABANDONED:
	case DRAINING:
		break;
	}
	return false;
}

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
static void
flush(struct exchange *x)
{
	bool streamed = x->reply.head == REPLY_STREAM;
	x->reply.pass = answer_passes(x->answer);
	ssize_t n = reply_write(&x->reply, x->state == ENDING, uv_now(x->all->loop));

	x->all->streaming += !streamed && x->reply.head == REPLY_STREAM;
	if (n < 0) {
		abandon(x);
		return;
	}
	if (x->state == ENDING && reply_pending(&x->reply) == 0 && reply_end(&x->reply)) {
		end_response(x, "request");
		return;
	}
	if (reply_watch(&x->reply, waits_for_client(x)) || n > 0)
		x->last_output = uv_now(x->all->loop);
	hold_back(x);
	arm_timer(x);
}

static void
on_client(void *context, bool gone)
{
	if (gone)
		abandon(context);
	else
		flush(context);
}

/* ---- what the model wants searched ---- */

static void
fail_search(struct exchange *x, const char *problem)
{
	struct api_error error = API_ERROR_NONE;

	api_error_set(&error, 502, "upstream '%s' %s", x->plan.to.upstream->name, problem);
	fail(x, &error);
	api_error_clear(&error);
}

/* The model's next turn: a worker writes its request. */
static void
begin_next_turn(struct exchange *x)
{
	const struct retry_request next = {
		.loop = x->all->loop,
		.store = x->all->store,
		.failed = &x->plan,
		.next_turn = true,
		.client = &x->client,
		.done = on_next_turn,
		.context = x,
	};

	if (retry_begin(&next) != 0) {
		fail_without_room(x, "the proxy is out of memory");
		return;
	}
	x->state = RETRYING;
	flush(x);
}

/* Make the next search of the turn that has ended, or go on after the last. */
static void
search(void *context)
{
	struct exchange *x = context;

	switch (web_search_step(&x->search, uv_now(x->all->loop))) {
	case WEB_SEARCH_RUNS:
		flush(x);
		break;
	case WEB_SEARCH_GOES_ON:
		begin_next_turn(x);
		break;
	case WEB_SEARCH_ENDED:
		begin_ending(x);
		break;
	case WEB_SEARCH_FAILED:
		fail_search(x, "sent more than can be kept while the proxy searches the web");
		break;
	}
}

static void
begin_searching(struct exchange *x)
{
	x->state = SEARCHING;
	x->whole_since = uv_now(x->all->loop);
	x->search.client = &x->client;
	x->search.writer = answer_writer(x->answer);
	x->search.terms = &x->plan.search;
	x->search.transfers = x->all->transfers;
	x->search.ended = search;
	x->search.context = x;
	if (web_search_begin(&x->search, x->plan.to.config) == 0)
		search(x);
	else
		fail_search(x, "sent more than can be kept while the proxy searches the web");
}

/* The answer is whole, or a turn of it. */
static void
end_answer(struct exchange *x)
{
	if (answer_waits(x->answer))
		begin_searching(x);
	else
		begin_ending(x);
}

/* ---- a failure ---- */

/* The client left while a worker was at work. */
static void
end_abandoned(struct exchange *x, struct plan *next)
{
	/* The key that was asked is the one that counts: the next one never was. */
	if (next != NULL)
		plan_free(next);
	end_response(x, "client went away");
}

/* On the loop again: the next plan, or NULL when nothing is left to try. */
static void
on_retry(void *context, struct plan *next)
{
	struct exchange *x = context;

	if (x->state == ABANDONED) {
		end_abandoned(x, next);
		return;
	}
	x->state = ASKING;
	if (next == NULL) {
		fail(x, &x->failure);
		return;
	}
	plan_replace(&x->plan, next);
	x->accounting.attempts++;
	const struct answer_options options = answer_options_of(x);
	if (answer_switch_upstream(x->answer, &options) == 0)
		attempt(x);
	else
		fail(x, &x->failure);
}

/* The same with the plan for the model's next turn. */
static void
on_next_turn(void *context, struct plan *next)
{
	struct exchange *x = context;

	if (x->state == ABANDONED) {
		end_abandoned(x, next);
		return;
	}
	x->state = ASKING;
	if (next == NULL) {
		fail_search(x, "cannot be asked to go on after the web search");
		return;
	}
	/* What the turn before came with may not have ended. */
	cancel_transfer(x);
	x->drained = 0;
	plan_replace(&x->plan, next);
	const struct answer_options options = answer_options_of(x);
	if (answer_next_turn(x->answer, &options) == 0)
		attempt(x);
	else
		fail_without_room(x, "the proxy is out of memory");
}

/* May a message be asked for otherwise?  Only before anything of the response went out. */
static bool
may_be_corrected(const struct exchange *x, const struct api_error *error)
{
	return x->client.match.endpoint == ENDPOINT_MESSAGES && !answer_started(x->answer) &&
	       x->reply.head == REPLY_NO_HEAD && correction_may_help(error);
}

/*
 * The attempt failed.  While the client has got nothing of an answer, another key may do better, or
 * another wording where the upstream refused this one.
 * ${refused}: the upstream said so; else it may have done the work all the same.
 */
static void
fail_attempt(struct exchange *x, const struct api_error *error, bool refused)
{
	struct retry_request retry = {
		.loop = x->all->loop,
		.store = x->all->store,
		.failed = &x->plan,
		.client = &x->client,
		.error = &x->failure,
		.correct = refused && may_be_corrected(x, error),
		.next_key = retry_may_help(error) && (refused || x->plan.repeatable),
		.done = on_retry,
		.context = x,
	};

	if (answer_has_content(x->answer) || !(retry.correct || retry.next_key) ||
		api_error_copy(error, &x->failure) != 0) {
		fail(x, error);
		return;
	}
	if (retry.correct)
		answer_copy_refusal(x->answer, &retry.refusal);
	if (retry_begin(&retry) != 0) {
		buffer_free(&retry.refusal);
		fail(x, error);
		return;
	}
	x->state = RETRYING;
	flush(x); /* what this attempt wrote: the next one may have another head */
}

/*
 * Put the failure into the response: with a status while nothing was sent, else as the stream's
 * last event.  Return 0, or -1: nothing can be said any more, it must break off.
 */
static int
write_failure(struct exchange *x, const struct api_error *error)
{
	x->accounting.error_type = error->type;
	x->accounting.error_status = error->status;
	log_debug("%s %d %s: %s", x->client.id, error->status, error->type,
		error->message != NULL ? error->message : "");
	if (answer_pass_refusal(x->answer))
		return 0; /* the upstream's own words */
	if (answer_started(x->answer))
		return answer_write_error(x->answer, error) ? 0 : -1;
	reply_write_error(&x->reply, error);
	return 0;
}

static void
fail(struct exchange *x, const struct api_error *error)
{
	if (write_failure(x, error) != 0)
		abandon(x);
	else
		begin_ending(x);
}

/* ---- the end ---- */

/* All of the response is written. */
static void
begin_ending(struct exchange *x)
{
	x->state = ENDING;
	x->whole_since = uv_now(x->all->loop);
	flush(x);
}

/* The client is gone: stop the upstream, which would only bill tokens. */
static void
abandon(struct exchange *x)
{
	cancel_transfer(x);
	web_search_free(&x->search);
	if (x->state != RETRYING) {
		end_response(x, "client went away");
		return;
	}
	x->state = ABANDONED;
	reply_unwatch(&x->reply);
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
		dispose(x);
		return;
	}
	x->state = DRAINING;
	arm_timer(x);
}

static void
on_timer_closed(uv_handle_t *timer)
{
	free_exchange(timer->data);
}

/* Response and transfer are both over. */
static void
dispose(struct exchange *x)
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

/* ---- time ---- */

/* When a client that takes nothing counts as gone; UINT64_MAX, here and below: it does not now. */
static uint64_t
client_deadline(const struct exchange *x)
{
	return waits_for_client(x) ? x->last_output + STALLED_CLIENT : UINT64_MAX;
}

/* When the upstream has been silent for too long. */
static uint64_t
silence_deadline(const struct exchange *x)
{
	if (x->last_input > x->attempt_began)
		return x->last_input + (uint64_t)silence_timeout(x);
	int64_t connected = transfer_connect_time(x->transfer);
	if (connected < 0)
		return x->attempt_began + (uint64_t)connect_timeout(x);
	return x->attempt_began + (uint64_t)connected + (uint64_t)silence_timeout(x);
}

/* When the transfer is cancelled; not while we hold it ourselves. */
static uint64_t
upstream_deadline(const struct exchange *x)
{
	if (x->state == SEARCHING)
		return web_search_deadline(&x->search);
	if (x->transfer == NULL)
		return UINT64_MAX;
	if (x->state != ASKING)
		return x->whole_since + DRAIN;
	return transfer_is_held(x->transfer) ? UINT64_MAX : silence_deadline(x);
}

/* When a silent stream gets a ping.  What is passed through has its own. */
static uint64_t
ping_deadline(const struct exchange *x)
{
	bool open = x->state == ASKING || x->state == SEARCHING || x->state == RETRYING;

	if (!open || reply_pending(&x->reply) > 0 || !x->client.stream || x->plan.pass)
		return UINT64_MAX;
	return x->last_output + (uint64_t)x->client.settings->ping_interval;
}

static void
time_out(struct exchange *x)
{
	struct api_error error = API_ERROR_NONE;

	if (transfer_connect_time(x->transfer) < 0)
		upstream_error_no_answer(x->plan.to.upstream->base_url,
			transfer_obstacle(x->transfer), connect_timeout(x), &x->error_context,
			&error);
	else
		api_error_set(&error, 504, "upstream '%s' sent nothing for %lld ms",
			x->plan.to.upstream->name, (long long)silence_timeout(x));
	cancel_transfer(x);
	fail_attempt(x, &error, false);
	api_error_clear(&error);
}

/* The answer is whole, and the end of the transfer has not come in time. */
static void
stop_draining(struct exchange *x)
{
	cancel_transfer(x);
	if (x->state == DRAINING)
		dispose(x);
	else
		arm_timer(x);
}

static void
ping(struct exchange *x)
{
	answer_ping(x->answer);
	x->last_output = uv_now(x->all->loop);
	flush(x);
}

static void
on_timer(uv_timer_t *timer)
{
	struct exchange *x = timer->data;
	uint64_t now = uv_now(x->all->loop);

	x->timer_due = UINT64_MAX;
	if (now >= client_deadline(x))
		abandon(x);
	else if (now < upstream_deadline(x) && now >= ping_deadline(x))
		ping(x);
	else if (now < upstream_deadline(x))
		arm_timer(x);
	else if (x->state == ASKING)
		time_out(x);
	else if (x->state == SEARCHING)
		web_search_time_out(&x->search);
	else
		stop_draining(x);
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * To be called whatever changed the exchange, so that its deadlines are those of the state that it
 * is in now.  Deadlines that moved away, as they do at every byte, cost nothing: the timer finds
 * out when it fires.
 */
static void
arm_timer(struct exchange *x)
{
	uint64_t now = uv_now(x->all->loop);
	uint64_t due = earlier(client_deadline(x), earlier(upstream_deadline(x), ping_deadline(x)));

	if (due >= x->timer_due)
		return;
	x->timer_due = due;
	uv_timer_start(&x->timer, on_timer, due > now ? due - now : 0, 0);
}

/* ---- stopping ---- */

/* A worker still reads what belongs to the exchange: tell the client at once what it takes, and
 * leave the rest to the end of the process. */
static void
abort_retry(struct exchange *x, const struct api_error *error)
{
	if (write_failure(x, error) == 0)
		reply_write(&x->reply, true, uv_now(x->all->loop));
	x->state = ABANDONED;
	reply_unwatch(&x->reply);
}

void
exchanges_abort(struct exchanges *all)
{
	struct api_error error = API_ERROR_NONE;
	struct exchange *next;

	api_error_set(&error, 529, "the proxy is shutting down: please retry");
	for (struct exchange *x = all->first; x != NULL; x = next) {
		next = x->next;
		switch (x->state) {
		case ASKING:
		case SEARCHING:
			cancel_transfer(x);
			web_search_free(&x->search);
			fail(x, &error);
			break;
		case RETRYING:
			abort_retry(x, &error);
			break;
		case ABANDONED:
			break;
		case ENDING:
			abandon(x);
			break;
		case DRAINING:
			stop_draining(x);
			break;
		}
	}
	api_error_clear(&error);
}

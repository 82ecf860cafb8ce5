/*
 * The life of one request to an upstream on the loop; see exchange.h, FASTCGI.md §2 and §4.
 */
#include "proxy/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/watch.h"
#include "proxy/client_request.h"
#include "proxy/passed_head.h"
#include "proxy/plan.h"
#include "proxy/usage_writer.h"
#include "proxy/retry.h"
#include "store/config.h"
#include "translate/answer.h"
#include "translate/claude/request.h"
#include "translate/upstream_error.h"
#include "upstream/service.h"
#include "upstream/transfer.h"
#include "http/web_request.h"
#include "http/response.h"

enum {
	MOST_PENDING = 65536,    /* bytes kept for a slow client before the transfer pauses */
	STALLED_CLIENT = 600000, /* ms without taking a byte: it is gone */
	DRAIN = 1000, /* ms for the end of a transfer whose answer is whole: keeps its connection */
	CONNECT_GRACE =
		1000, /* ms beyond which a connection that curl does not report counts as made */
};

struct exchange {
	struct exchanges *all;
	struct exchange *next;
	struct exchange *previous;

	struct gateway *gateway; /* NULL once the response has ended */
	struct settings *settings;
	struct inquiry inquiry;
	struct plan plan;
	struct upstream_identity identity;
	char *headers; /* lines for the response's head */

	struct transfer *transfer; /* NULL when none runs */
	struct answer *answer;
	struct buffer out; /* what the client has still to get, from ${sent} on */
	size_t sent;
	int passed_status;
	struct buffer passed_head; /* the head of a response that is passed through */
	struct api_error failure;  /* of the attempt that a retry follows */
	bool retrying;             /* a worker thread looks for the next key */
	bool gone;                 /* meanwhile the client went away */
	bool has_head;             /* the response's head is written */
	bool head_known;           /* the upstream's head was told to the answer */
	bool streaming;            /* it began a stream, and counts as one under way */
	bool paused;               /* the transfer waits for the client */
	bool ending;               /* all of the response is in ${out} */

	uv_timer_t timer;
	int watched; /* events that the gateway's descriptor is watched for; 0: it is not */

	uint64_t attempt_began; /* ms of the loop's clock, as the rest */
	uint64_t last_input;    /* from the upstream */
	uint64_t last_output;   /* to the client */
	struct record record;
};

static void flush(struct exchange *);
static void on_timer(uv_timer_t *);

/* ---- the end ---- */

static void
free_exchange(struct exchange *x)
{
	answer_free(x->answer);
	buffer_free(&x->out);
	buffer_free(&x->record.shown);
	buffer_free(&x->passed_head);
	plan_free(&x->plan);
	inquiry_free(&x->inquiry);
	api_error_clear(&x->failure);
	settings_release(x->settings);
	free(x->headers);
	free(x);
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

/* The client has its response, or is gone. */
static void
end_response(struct exchange *x, const char *message)
{
	record_end(&x->record, &x->plan, &x->inquiry, x->answer, x->settings, x->all->recorder,
		uv_now(x->all->loop), message);
	if (x->watched != 0)
		watch_stop(x->all->watches, gateway_descriptor(x->gateway));
	gateway_free(x->gateway);
	x->gateway = NULL;
	atomic_fetch_sub(&x->all->in_flight, 1);
	x->all->streaming -= x->streaming;
	if (x->transfer == NULL)
		dispose(x);
	else
		uv_timer_start(&x->timer, on_timer, DRAIN, 0);
}

static void
cancel_transfer(struct exchange *x)
{
	if (x->transfer != NULL)
		transfer_cancel(x->transfer);
	x->transfer = NULL;
	x->paused = false;
}

/* Nobody waits for the answer any more: what the upstream still does would only cost. */
static void
abandon(struct exchange *x)
{
	cancel_transfer(x);
	if (!x->retrying) {
		end_response(x, "client went away");
		return;
	}
	/* The worker still reads what the gateway lends. */
	x->gone = true;
	uv_timer_stop(&x->timer);
	if (x->watched != 0)
		watch_stop(x->all->watches, gateway_descriptor(x->gateway));
	x->watched = 0;
}

/* ---- to the client ---- */

static size_t
pending(const struct exchange *x)
{
	return x->out.length - x->sent;
}

/* Does the client have to take something before the exchange can go on? */
static bool
waits_for_client(const struct exchange *x)
{
	return pending(x) > 0 || x->ending;
}

static void
on_gateway(void *context, int status, int events)
{
	struct exchange *x = context;
	bool suspicious = status < 0 || (events & (UV_READABLE | UV_DISCONNECT)) != 0;

	if (suspicious && (status < 0 || gateway_is_gone(x->gateway))) {
		abandon(x);
		return;
	}
	if (events & UV_WRITABLE)
		flush(x);
}

/*
 * Wait for the client's going away always, for room to write where something is pending.  A CGI
 * program's output may be a file, which cannot be waited for, and takes everything at once.
 */
static void
watch_gateway(struct exchange *x)
{
	int events = gateway_tells_by_reading(x->gateway) ? UV_READABLE : UV_DISCONNECT;

	if (waits_for_client(x))
		events |= UV_WRITABLE;
	if (events == x->watched)
		return;
	if (watch_start(x->all->watches, gateway_descriptor(x->gateway), events, on_gateway, x) ==
		0)
		x->watched = events;
}

/* Put the response's head before its first bytes. */
static void
add_head(struct exchange *x)
{
	struct buffer whole = BUFFER_INIT(x->out.limit);

	if (x->has_head || (x->out.length == 0 && !(x->ending && x->plan.pass)))
		return;
	x->record.status = 200;
	if (x->plan.pass) {
		x->record.status = x->passed_status;
		buffer_append(&whole, buffer_text(&x->passed_head), x->passed_head.length);
		buffer_append(&whole, buffer_text(&x->out), x->out.length);
	} else if (x->inquiry.stream) {
		x->streaming = true;
		x->all->streaming++;
		response_write_stream_head(&whole, x->record.request_id, x->headers);
		buffer_append(&whole, x->out.data, x->out.length);
	} else {
		response_write_json(
			&whole, 200, x->record.request_id, x->out.data, x->out.length, x->headers);
	}
	x->has_head = true;
	if (whole.failed) {
		buffer_free(&whole);
		x->out.failed = true;
		return;
	}
	buffer_free(&x->out);
	x->out = whole;
}

/* Give the client what it takes, and go on from there. */
static void
flush(struct exchange *x)
{
	if (x->gateway == NULL || x->gone)
		return;
	add_head(x);
	if (pending(x) > 0) {
		ssize_t n = gateway_write(x->gateway, x->out.data + x->sent, pending(x), x->ending);
		if (n < 0 || x->out.failed) {
			abandon(x);
			return;
		}
		if (n > 0) {
			x->last_output = uv_now(x->all->loop);
			if (x->record.first_byte == 0)
				x->record.first_byte = x->last_output;
			record_bytes(&x->record, x->settings, x->out.data + x->sent, (size_t)n);
		}
		x->sent += (size_t)n;
	}
	if (pending(x) == 0) {
		buffer_clear(&x->out);
		x->sent = 0;
	}
	if (x->ending && pending(x) == 0 && gateway_end(x->gateway)) {
		end_response(x, "request");
		return;
	}
	watch_gateway(x);
	if (x->paused && pending(x) < MOST_PENDING / 2) {
		x->paused = false;
		x->last_input = uv_now(x->all->loop);
		transfer_resume(x->transfer); /* may come back here, and end the exchange */
	}
}

/* Tell the client of the failure: with a status while nothing was sent, else as the stream's last
 * event. */
static void
fail(struct exchange *x, const struct api_error *error)
{
	x->record.error_type = error->type;
	x->record.error_status = error->status;
	log_debug("%s %d %s: %s", x->record.request_id, error->status, error->type,
		error->message != NULL ? error->message : "");
	if (answer_pass_refusal(x->answer)) {
		/* The upstream's own words. */
	} else if (answer_started(x->answer)) {
		if (!answer_write_error(x->answer, error)) {
			abandon(x);
			return;
		}
	} else {
		response_write_error(&x->out, error, x->record.request_id, x->headers);
		x->has_head = true;
		x->record.status = error->status;
	}
	x->ending = true;
	flush(x);
}

/* ---- attempts ---- */

static void start_transfer(struct exchange *);
static struct answer_options answer_options_of(struct exchange *);

/* The answer is known without asking anybody. */
static void
answer_at_once(struct exchange *x)
{
	plan_write_answer(&x->plan, &x->out);
	x->ending = true;
	flush(x);
}

static void
attempt(struct exchange *x)
{
	x->record.attempts++;
	x->identity = (struct upstream_identity){
		.name = x->plan.to.upstream->name,
		.key = x->plan.to.key != NULL ? x->plan.to.key->secret : NULL,
		.model = x->plan.to.model != NULL ? x->plan.to.model : "",
		.secrets = x->plan.secrets,
	};
	x->attempt_began = x->last_input = uv_now(x->all->loop);
	if (x->plan.url.length > 0)
		start_transfer(x);
	else
		answer_at_once(x);
}

/* On the loop again: the next plan, or NULL when nothing is left to try. */
static void
on_retry(void *context, struct plan *next)
{
	struct exchange *x = context;

	x->retrying = false;
	if (next != NULL)
		plan_replace(&x->plan, next);
	if (x->gone) {
		end_response(x, "client went away");
		return;
	}
	const struct answer_options options = answer_options_of(x);
	if (next != NULL && answer_redirect(x->answer, &options) == 0)
		attempt(x);
	else
		fail(x, &x->failure);
}

/*
 * The attempt failed.  While the client has got nothing of an answer, another key may do better.
 * ${refused}: the upstream said so; else it may have done the work all the same.
 */
static void
fail_attempt(struct exchange *x, const struct api_error *error, bool refused)
{
	const struct retry_request retry = {
		.loop = x->all->loop,
		.store = x->all->store,
		.settings = x->settings,
		.failed = &x->plan,
		.inquiry = &x->inquiry,
		.error = &x->failure,
		.done = on_retry,
		.context = x,
	};

	if (answer_has_content(x->answer) || !retry_may_cure(error) ||
		!(refused || x->plan.repeatable) || api_error_copy(error, &x->failure) != 0) {
		fail(x, error);
		return;
	}
	record_failed_attempt(&x->record, &x->plan, error->type, retry_rest(error));
	x->retrying = retry_begin(&retry) == 0;
	if (!x->retrying)
		fail(x, error);
}

/* ---- from the upstream ---- */

static void
tell_head(struct exchange *x)
{
	if (x->head_known)
		return;
	x->head_known = true;
	if (x->plan.pass) {
		buffer_clear(&x->passed_head);
		x->passed_status = passed_head_write(&x->passed_head, x->transfer, x->headers);
	}
	answer_head(x->answer, transfer_status(x->transfer), transfer_content_type(x->transfer),
		transfer_retry_after(x->transfer));
}

static enum transfer_take
on_body(void *context, const char *bytes, size_t length)
{
	struct exchange *x = context;

	if (answer_state(x->answer) != ANSWER_OPEN)
		return TRANSFER_TAKEN; /* What comes after the end is read only to keep the
					  connection. */
	if (pending(x) > MOST_PENDING) {
		x->paused = true;
		return TRANSFER_PAUSE;
	}
	x->last_input = uv_now(x->all->loop);
	tell_head(x);
	return answer_feed(x->answer, bytes, length) == ANSWER_FAILED ? TRANSFER_STOP
								      : TRANSFER_TAKEN;
}

static void
on_pause_in_bytes(void *context)
{
	struct exchange *x = context;

	if (answer_state(x->answer) == ANSWER_DONE)
		x->ending = true;
	/* It will not be sent again: a long stream need not keep it. */
	if (x->inquiry.body.length > 0 && answer_has_content(x->answer))
		inquiry_forget_body(&x->inquiry);
	flush(x);
}

static int64_t
connect_timeout(const struct exchange *x)
{
	int64_t own = x->plan.to.upstream->options.timeout;

	return own != 0 ? own : x->settings->connect_timeout;
}

/* There was no response at all. */
static void
fail_without_answer(struct exchange *x, enum transfer_outcome outcome, const char *problem)
{
	struct api_error error = API_ERROR_NONE;

	upstream_error_no_answer(x->plan.to.upstream->base_url, problem,
		outcome == TRANSFER_NO_TIME ? connect_timeout(x) : 0, &x->identity, &error);
	fail_attempt(x, &error, false);
	api_error_clear(&error);
}

static void
on_ended(void *context, enum transfer_outcome outcome, const char *problem)
{
	struct exchange *x = context;

	if (outcome == TRANSFER_COMPLETE || outcome == TRANSFER_BROKEN)
		tell_head(x);
	x->transfer = NULL;
	if (x->gateway == NULL) {
		dispose(x);
		return;
	}
	if (outcome == TRANSFER_NO_ANSWER || outcome == TRANSFER_NO_TIME) {
		fail_without_answer(x, outcome, problem);
		return;
	}
	if (outcome != TRANSFER_STOPPED)
		answer_end(x->answer, outcome == TRANSFER_COMPLETE);
	if (answer_state(x->answer) == ANSWER_FAILED) {
		fail_attempt(x, answer_error(x->answer), outcome == TRANSFER_COMPLETE);
		return;
	}
	x->ending = true;
	flush(x);
}

static const struct transfer_handler handler = {
	.body = on_body,
	.pause_in_bytes = on_pause_in_bytes,
	.ended = on_ended,
};

/* ---- time ---- */

static int64_t
silence_timeout(const struct exchange *x)
{
	int64_t own = x->plan.to.upstream->options.timeout;

	return own != 0 ? own : x->settings->silence_timeout;
}

/* When the upstream has been silent for too long, in ms of the loop's clock; while it connects,
 * curl keeps the time. */
static uint64_t
silence_deadline(const struct exchange *x)
{
	uint64_t from = x->last_input;
	int64_t connected = transfer_connect_time(x->transfer);
	uint64_t latest = x->attempt_began + (uint64_t)connect_timeout(x) + CONNECT_GRACE;

	if (connected < 0 && from < latest)
		from = latest;
	else if (connected >= 0 && from < x->attempt_began + (uint64_t)connected)
		from = x->attempt_began + (uint64_t)connected;
	return from + (uint64_t)silence_timeout(x);
}

static void
time_out(struct exchange *x)
{
	struct api_error error = API_ERROR_NONE;

	cancel_transfer(x);
	api_error_set(&error, 504, "upstream '%s' sent nothing for %lld ms",
		x->plan.to.upstream->name, (long long)silence_timeout(x));
	fail_attempt(x, &error, false);
	api_error_clear(&error);
}

/* Does a silent stream get pings?  What is passed through has its own. */
static bool
has_pings(const struct exchange *x)
{
	return x->inquiry.stream && !x->plan.pass;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The moment of the next thing that time does. */
static uint64_t
next_deadline(const struct exchange *x)
{
	if (waits_for_client(x))
		return x->last_output + STALLED_CLIENT;
	uint64_t next = x->transfer != NULL ? silence_deadline(x) : UINT64_MAX;
	if (has_pings(x))
		next = earlier(next, x->last_output + (uint64_t)x->settings->ping_interval);
	return next;
}

/* Armed once; deadlines that moved meanwhile are found here, not at every byte. */
static void
on_timer(uv_timer_t *timer)
{
	struct exchange *x = timer->data;
	uint64_t now = uv_now(x->all->loop);

	if (x->gateway == NULL) {
		cancel_transfer(x);
		dispose(x);
		return;
	}
	if (waits_for_client(x) && now >= x->last_output + STALLED_CLIENT) {
		abandon(x);
		return;
	}
	if (!waits_for_client(x) && x->transfer != NULL && now >= silence_deadline(x)) {
		time_out(x);
		return;
	}
	uint64_t next = next_deadline(x);
	uv_timer_start(timer, on_timer, next > now ? next - now : 1, 0);
	if (has_pings(x) && !waits_for_client(x) &&
		now >= x->last_output + (uint64_t)x->settings->ping_interval) {
		answer_ping(x->answer);
		flush(x);
	}
}

/* When the timer looks first, in ms from now. */
static uint64_t
first_look(const struct exchange *x)
{
	uint64_t silence = (uint64_t)silence_timeout(x);

	return has_pings(x) ? earlier((uint64_t)x->settings->ping_interval, silence) : silence;
}

static void
start_transfer(struct exchange *x)
{
	const struct transfer_request request = {
		.method = x->plan.method,
		.certificates = x->settings->certificates,
		.url = x->plan.url.data,
		.body = buffer_text(&x->plan.body),
		.body_length = x->plan.body.length,
		.headers = x->plan.headers,
		.proxy = x->plan.to.upstream->options.proxy,
		.connect_timeout = connect_timeout(x),
		.once = !x->plan.repeatable,
	};

	answer_begin(x->answer, &x->identity);
	x->head_known = false;
	x->transfer = transfer_start(x->all->transfers, &request, &handler, x);
	if (x->transfer == NULL)
		fail_without_answer(x, TRANSFER_NO_ANSWER, "out of memory");
	else
		uv_timer_start(&x->timer, on_timer, first_look(x), 0);
}

/* ---- the beginning ---- */

static struct answer_options
answer_options_of(struct exchange *x)
{
	return (struct answer_options){
		.translator = x->plan.service->translator,
		.tool_names = x->plan.tool_names,
		.model = x->inquiry.model,
		.stream = x->inquiry.stream,
		.hide_thinking = x->inquiry.no_thinking ||
				 x->plan.to.upstream->options.reasoning_off,
		.estimated_input_tokens = x->plan.input_tokens,
		.stop_sequences = (const char *const *)x->plan.stop_sequences,
		.pass = x->plan.pass,
		.counts_usage = x->inquiry.asked.endpoint == ENDPOINT_MESSAGES,
		.convert = x->plan.convert,
		.convert_context = &x->plan,
	};
}

static int
prepare(struct exchange *x, const struct exchange_request *request, struct api_error *error)
{
	struct claude_request claude;
	int status = inquiry_read(&x->inquiry, request->gateway, request->asked, request->settings,
		request->request_id, &claude, error);

	if (status == 0)
		status = plan_make(&x->plan, request->config, x->all->store, request->settings,
			&x->inquiry, &claude, error);
	claude_request_free(&claude);
	if (status != 0)
		return -1;
	const struct answer_options options = answer_options_of(x);
	x->answer = answer_new(&options, &x->out);
	x->headers = strdup(request->headers);
	return x->answer != NULL && x->headers != NULL ? 0
						       : api_error_set(error, 500, "out of memory");
}

struct exchange *
exchange_new(struct exchanges *all, const struct exchange_request *request, struct api_error *error)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		api_error_set(error, 500, "out of memory");
		return NULL;
	}
	x->all = all;
	x->gateway = request->gateway;
	x->settings = settings_retain(request->settings);
	memcpy(x->record.request_id, request->request_id, REQUEST_ID_SIZE);
	if (prepare(x, request, error) == 0)
		return x;
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
	x->record.began = x->last_output = uv_now(all->loop);
	recorder_note_begin(all->recorder);
	uv_timer_init(all->loop, &x->timer);
	x->timer.data = x;
	watch_gateway(x);
	attempt(x);
}

void
exchanges_abort(struct exchanges *all)
{
	struct api_error error = API_ERROR_NONE;
	struct exchange *next;

	api_error_set(&error, 529, "the proxy is being stopped: please ask again");
	for (struct exchange *x = all->first; x != NULL; x = next) {
		next = x->next;
		if (x->retrying)
			continue;
		cancel_transfer(x);
		if (x->gateway == NULL)
			dispose(x);
		else if (x->ending)
			abandon(x);
		else
			fail(x, &error);
	}
	api_error_clear(&error);
}

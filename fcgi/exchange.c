/*
 * The life of one request to an upstream on the loop; see exchange.h, FASTCGI.md §2 and §4.
 */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/log_body.h"
#include "base/secret.h"
#include "base/settings.h"
#include "base/watch.h"
#include "inquiry.h"
#include "plan.h"
#include "store/config.h"
#include "translate/answer.h"
#include "translate/claude.h"
#include "upstream/service.h"
#include "upstream/transfer.h"
#include "web/gateway.h"
#include "web/response.h"

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
	char request_id[REQUEST_ID_SIZE];
	struct claude_request request;
	struct plan plan;
	struct upstream_identity identity;

	struct transfer *transfer; /* NULL when none runs */
	struct answer *answer;
	struct buffer out; /* what the client has still to get, from ${sent} on */
	size_t sent;
	int passed_status;
	struct buffer passed_head; /* the head of a response that is passed through */
	bool has_head;             /* the response's head is written */
	bool head_known;           /* the upstream's head was told to the answer */
	bool streaming;            /* it began a stream, and counts as one under way */
	bool paused;               /* the transfer waits for the client */
	bool ending;               /* all of the response is in ${out} */

	uv_timer_t timer;
	int watched; /* events that the gateway's descriptor is watched for; 0: it is not */

	uint64_t began;       /* ms of the loop's clock, as the rest */
	uint64_t last_input;  /* from the upstream */
	uint64_t last_output; /* to the client */
	uint64_t first_byte;  /* to the client; 0: none yet */
	int status;           /* told to the client */
	const char *error_type;

	struct buffer shown; /* the start of the response, for ENABLE_RESPONSE_LOGS */
	size_t response_bytes;
};

static void flush(struct exchange *);
static void on_timer(uv_timer_t *);

/* ---- the end ---- */

static void
free_exchange(struct exchange *x)
{
	answer_free(x->answer);
	buffer_free(&x->out);
	buffer_free(&x->shown);
	buffer_free(&x->passed_head);
	plan_free(&x->plan);
	claude_request_free(&x->request);
	settings_release(x->settings);
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

static int64_t
since(const struct exchange *x, uint64_t moment)
{
	return (int64_t)(moment - x->began);
}

/* Keep what is sent for the log, as much of it as will be shown. */
static void
keep_for_log(struct exchange *x, const char *bytes, size_t length)
{
	size_t most = (size_t)x->settings->log_body_limit + 1;

	x->response_bytes += length;
	if (x->shown.length < most)
		buffer_append(&x->shown, bytes,
			length < most - x->shown.length ? length : most - x->shown.length);
}

/* The line that every request gets. */
static void
log_request(const struct exchange *x, const char *message)
{
	const struct claude_usage *usage = answer_usage(x->answer);
	const char *stop_reason = answer_stop_reason(x->answer);
	bool done = answer_state(x->answer) == ANSWER_DONE;
	const char *model = x->request.model != NULL ? x->request.model : "";
	char mask[SECRET_MASK_SIZE] = "";

	if (x->plan.key != NULL)
		secret_mask(x->plan.key->secret, mask);
	const struct log_field fields[] = {
		{"request_id", x->request_id, 0},
		{"status", NULL, x->status},
		{"upstream", x->plan.upstream->name, 0},
		{"key", mask, 0},
		{"model", model, 0},
		{"upstream_model", x->plan.model != NULL ? x->plan.model : "", 0},
		{"stream", x->request.stream ? "true" : "false", 0},
		{"ms", NULL, since(x, uv_now(x->all->loop))},
		{"first_byte_ms", NULL, x->first_byte != 0 ? since(x, x->first_byte) : -1},
		{"input_tokens", NULL, done ? (int64_t)usage->input_tokens : 0},
		{"output_tokens", NULL, done ? (int64_t)usage->output_tokens : 0},
		{x->error_type != NULL ? "error" : "stop_reason",
			x->error_type != NULL ? x->error_type
			: stop_reason != NULL ? stop_reason
					      : "none",
			0},
	};
	log_line(LOG_INFO, message, fields, sizeof(fields) / sizeof(fields[0]));
}

/* The client has its response, or is gone. */
static void
end_response(struct exchange *x, const char *message)
{
	if (log_enabled(LOG_INFO))
		log_request(x, message);
	if (x->settings->log_responses)
		log_body("response body", x->request_id, buffer_text(&x->shown), x->response_bytes,
			x->identity.key, x->settings);
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
	end_response(x, "client went away");
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
	x->status = 200;
	if (x->plan.pass) {
		x->status = x->passed_status;
		buffer_append(&whole, buffer_text(&x->passed_head), x->passed_head.length);
		buffer_append(&whole, buffer_text(&x->out), x->out.length);
	} else if (x->request.stream) {
		x->streaming = true;
		x->all->streaming++;
		response_write_stream_head(&whole, x->request_id);
		buffer_append(&whole, x->out.data, x->out.length);
	} else {
		response_write_json(&whole, 200, x->request_id, x->out.data, x->out.length, NULL);
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
	if (x->gateway == NULL)
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
			if (x->first_byte == 0)
				x->first_byte = x->last_output;
			if (x->settings->log_responses)
				keep_for_log(x, x->out.data + x->sent, (size_t)n);
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
	x->error_type = error->type;
	log_debug("%s %d %s: %s", x->request_id, error->status, error->type,
		error->message != NULL ? error->message : "");
	if (answer_started(x->answer)) {
		if (!answer_write_error(x->answer, error)) {
			abandon(x);
			return;
		}
	} else {
		response_write_error(&x->out, error, x->request_id, NULL);
		x->has_head = true;
		x->status = error->status;
	}
	x->ending = true;
	flush(x);
}

/* ---- from the upstream ---- */

/* The headers that come back unchanged (PROTOCOL.md §B.4). */
static void
pass_header(void *context, const char *name, const char *value)
{
	static const char *const passed[] = {"request-id", "retry-after", "content-type"};
	struct exchange *x = context;
	bool pass = strncasecmp(name, "anthropic-", 10) == 0;

	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		pass = pass || strcasecmp(name, passed[i]) == 0;
	if (pass)
		buffer_printf(&x->passed_head, "%s: %s\r\n", name, value);
}

static void
write_passed_head(struct exchange *x)
{
	const char *type = transfer_content_type(x->transfer);

	x->passed_status = transfer_status(x->transfer);
	buffer_clear(&x->passed_head);
	response_write_status(&x->passed_head, x->passed_status);
	transfer_each_header(x->transfer, pass_header, x);
	if (type != NULL && strncasecmp(type, "text/event-stream", 17) == 0)
		buffer_puts(
			&x->passed_head, "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
	buffer_puts(&x->passed_head, "\r\n");
}

static void
tell_head(struct exchange *x)
{
	if (x->head_known)
		return;
	x->head_known = true;
	if (x->plan.pass)
		write_passed_head(x);
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
	flush(x);
}

/* There was no response at all. */
static void
fail_without_answer(struct exchange *x, enum transfer_outcome outcome, const char *problem)
{
	struct api_error error = API_ERROR_NONE;

	if (outcome == TRANSFER_NO_TIME)
		api_error_set(&error, 504, "upstream '%s' could not be reached within %lld ms: %s",
			x->plan.upstream->name, (long long)x->settings->connect_timeout, problem);
	else
		api_error_set(&error, 502, "upstream '%s' at %s could not be asked: %s",
			x->plan.upstream->name, x->plan.upstream->base_url, problem);
	fail(x, &error);
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
		fail(x, answer_error(x->answer));
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

static void
start_transfer(struct exchange *x)
{
	const struct upstream_options *options = &x->plan.upstream->options;
	const struct transfer_request request = {
		.method = x->plan.method,
		.url = x->plan.url.data,
		.body = buffer_text(&x->plan.body),
		.body_length = x->plan.body.length,
		.headers = x->plan.headers,
		.proxy = options->proxy,
		.connect_timeout = options->timeout != 0 ? options->timeout
							 : x->settings->connect_timeout,
	};

	answer_begin(x->answer, &x->identity);
	x->head_known = false;
	x->transfer = transfer_start(x->all->transfers, &request, &handler, x);
	if (x->transfer == NULL)
		fail_without_answer(x, TRANSFER_NO_ANSWER, "out of memory");
}

/* ---- time ---- */

static int64_t
silence_timeout(const struct exchange *x)
{
	int64_t own = x->plan.upstream->options.timeout;

	return own != 0 ? own : x->settings->silence_timeout;
}

/* When the upstream has been silent for too long, in ms of the loop's clock; while it connects,
 * curl keeps the time. */
static uint64_t
silence_deadline(const struct exchange *x)
{
	uint64_t from = x->last_input;
	int64_t connected = transfer_connect_time(x->transfer);
	uint64_t latest = x->began + (uint64_t)x->settings->connect_timeout + CONNECT_GRACE;

	if (connected < 0 && from < latest)
		from = latest;
	else if (connected >= 0 && from < x->began + (uint64_t)connected)
		from = x->began + (uint64_t)connected;
	return from + (uint64_t)silence_timeout(x);
}

static void
time_out(struct exchange *x)
{
	struct api_error error = API_ERROR_NONE;

	cancel_transfer(x);
	api_error_set(&error, 504, "upstream '%s' sent nothing for %lld ms", x->plan.upstream->name,
		(long long)silence_timeout(x));
	fail(x, &error);
	api_error_clear(&error);
}

/* Does a silent stream get pings?  What is passed through has its own. */
static bool
has_pings(const struct exchange *x)
{
	return x->request.stream && !x->plan.pass;
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
	if (has_pings(x) && pending(x) == 0 &&
		now >= x->last_output + (uint64_t)x->settings->ping_interval) {
		answer_ping(x->answer);
		flush(x);
	}
}

/* ---- the beginning ---- */

static int
make_answer(struct exchange *x, struct api_error *error)
{
	const struct answer_options options = {
		.translator = x->plan.service->translator,
		.tool_names = x->plan.tool_names,
		.model = x->request.model,
		.stream = x->request.stream,
		.hide_thinking = x->request.thinking == CLAUDE_THINKING_DISABLED ||
				 x->plan.upstream->options.reasoning_off,
		.estimated_input_tokens = x->plan.input_tokens,
		.pass = x->plan.pass,
		.convert = x->plan.convert,
		.convert_context = &x->plan,
	};

	x->identity = (struct upstream_identity){
		.name = x->plan.upstream->name,
		.key = x->plan.key != NULL ? x->plan.key->secret : NULL,
		.model = x->plan.model != NULL ? x->plan.model : "",
	};
	x->answer = answer_new(&options, &x->out);
	return x->answer != NULL ? 0 : api_error_set(error, 500, "out of memory");
}

struct exchange *
exchange_new(struct exchanges *all, struct gateway *gateway, struct settings *settings,
	const struct asked *asked, const char request_id[REQUEST_ID_SIZE], struct api_error *error)
{
	struct exchange *x = calloc(1, sizeof(*x));
	struct inquiry inquiry;

	if (x == NULL) {
		api_error_set(error, 500, "out of memory");
		return NULL;
	}
	x->all = all;
	x->gateway = gateway;
	x->settings = settings_retain(settings);
	x->out = BUFFER_INIT(0);
	memcpy(x->request_id, request_id, sizeof(x->request_id));
	int status = inquiry_read(&inquiry, gateway, asked, settings, request_id, error);
	if (status == 0)
		status = plan_make(&x->plan, all->store, settings, &inquiry, error);
	x->request = inquiry_end(&inquiry);
	if (status == 0 && make_answer(x, error) == 0)
		return x;
	free_exchange(x);
	return NULL;
}

/* The answer is known without asking anybody. */
static void
answer_at_once(struct exchange *x)
{
	plan_write_answer(&x->plan, &x->out);
	x->ending = true;
	flush(x);
}

void
exchange_run(struct exchange *x)
{
	struct exchanges *all = x->all;

	x->next = all->first;
	if (x->next != NULL)
		x->next->previous = x;
	all->first = x;
	x->began = x->last_input = x->last_output = uv_now(all->loop);
	uv_timer_init(all->loop, &x->timer);
	x->timer.data = x;
	watch_gateway(x);
	uint64_t next = x->request.stream ? earlier((uint64_t)x->settings->ping_interval,
						    (uint64_t)silence_timeout(x))
					  : (uint64_t)silence_timeout(x);
	uv_timer_start(&x->timer, on_timer, next, 0);
	if (x->plan.url.length > 0)
		start_transfer(x);
	else
		answer_at_once(x);
}

void
exchanges_abort(struct exchanges *all)
{
	struct api_error error = API_ERROR_NONE;
	struct exchange *next;

	api_error_set(&error, 529, "the proxy is being stopped: please ask again");
	for (struct exchange *x = all->first; x != NULL; x = next) {
		next = x->next;
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

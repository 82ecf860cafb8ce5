/*
 * Taking in a web request; see intake.h.
 */
#include "proxy/intake.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/log/log.h"
#include "base/settings/settings.h"
#include "http/access.h"
#include "http/cors.h"
#include "http/metrics.h"
#include "http/pages.h"
#include "http/response.h"
#include "http/router.h"
#include "http/web_request.h"
#include "proxy/accounting.h"
#include "proxy/client_request.h"
#include "proxy/exchange.h"
#include "proxy/live_settings.h"
#include "proxy/plan/plan.h"
#include "proxy/usage_writer.h"
#include "store/config.h"
#include "store/store.h"
#include "store/totals.h"

enum {
	RETRY_WHEN_FULL = 1,     /* seconds */
	ANSWER_PATIENCE = 10000, /* ms that a client may take for each part of a small answer */
	/* ms that a body may take: a web server has it whole, or hands it on as it comes */
	BODY_PATIENCE = 120000,
	SILENCE_PATIENCE = 30000,  /* ms between two pieces of it */
	DISCARD_PATIENCE = 10000,  /* ms for the rest of one that is not wanted */
	MOST_DISCARDED = 64 << 20, /* bytes of it */
};

/* Write a small answer; the acceptor may wait for it, within bounds. */
static void
send_answer(struct web_request *web, const struct buffer *answer)
{
	struct pollfd p = {.fd = web_request_descriptor(web), .events = POLLOUT};
	size_t sent = 0;

	while (sent < answer->length) {
		ssize_t n = web_request_write(
			web, answer->data + sent, answer->length - sent, true);
		if (n < 0 || (n == 0 && poll(&p, 1, ANSWER_PATIENCE) <= 0))
			break;
		sent += (size_t)n;
	}
	while (sent == answer->length && !web_request_end(web))
		if (poll(&p, 1, ANSWER_PATIENCE) <= 0)
			break;
	web_request_free(web);
}

struct intake {
	struct exchanges *all;
	struct client_request client;
	int64_t uptime;         /* ms; -1: as CGI */
	struct api_error error; /* what the head shows to be wrong; status 0: nothing */
	bool admitted;          /* counted as in flight */

	/* Of the body, in ms of clock_monotonic_ms. */
	int64_t began;
	int64_t last_input;
	int64_t refused; /* when it was known that the body is not wanted; 0: it is */
};

static void
log_answer(const struct intake *in, int status, const char *error_type)
{
	const struct web_request *web = in->client.web;
	const struct log_field fields[] = {
		{"request_id", in->client.id, 0},
		{"status", NULL, status},
		{"method", web_request_text(web, "REQUEST_METHOD"), 0},
		{"script", web_request_text(web, "SCRIPT_NAME"), 0},
		{"path", web_request_text(web, "PATH_INFO"), 0},
		{"addr", web_request_text(web, "REMOTE_ADDR"), 0},
		{"error", error_type, 0},
	};
	size_t count = sizeof(fields) / sizeof(fields[0]);

	log_line(error_type != NULL ? LOG_INFO : LOG_DEBUG, "request", fields,
		error_type != NULL ? count : count - 1);
}

static void
refuse(struct intake *in, const struct api_error *error)
{
	struct buffer answer = BUFFER_INIT(0);

	accounting_refusal(in->all->usage_writer, in->client.match.endpoint, error->status);
	log_answer(in, error->status, error->type);
	log_debug("%s %s", in->client.id, error->message != NULL ? error->message : "");
	if (in->client.match.allow != NULL)
		buffer_printf(&in->client.headers, "Allow: %s\r\n", in->client.match.allow);
	response_write_error(&answer, error, in->client.id, buffer_text(&in->client.headers));
	send_answer(in->client.web, &answer);
	buffer_free(&answer);
}

static const char json_type[] = "application/json";

/* Answer with something that must not be cached; HEAD gets its head. */
static void
answer_status(struct intake *in, int status, const char *content_type, const struct buffer *body)
{
	struct buffer answer = BUFFER_INIT(0);

	log_answer(in, status, NULL);
	buffer_printf(&in->client.headers, "Cache-Control: no-store\r\nContent-Length: %zu\r\n",
		body->length);
	response_write_head(
		&answer, status, in->client.id, content_type, buffer_text(&in->client.headers));
	if (strcmp(web_request_text(in->client.web, "REQUEST_METHOD"), "HEAD") != 0)
		buffer_append(&answer, buffer_text(body), body->length);
	send_answer(in->client.web, &answer);
	buffer_free(&answer);
}

/* CORS preflight. */
static void
answer_preflight(struct intake *in)
{
	struct buffer answer = BUFFER_INIT(0);

	log_answer(in, 204, NULL);
	buffer_printf(&in->client.headers, "Allow: %s, OPTIONS\r\n", in->client.match.allow);
	cors_write_preflight(in->client.web, in->client.settings, &in->client.headers);
	response_write_head(&answer, 204, in->client.id, NULL, buffer_text(&in->client.headers));
	send_answer(in->client.web, &answer);
	buffer_free(&answer);
}

/* What is in flight in all processes, and for how long the service has been up, in ms. */
struct service_state {
	int64_t in_flight;
	int64_t uptime;
};

static struct service_state
read_service_state(const struct intake *in)
{
	const struct exchanges *all = in->all;
	int64_t now = clock_now_ms();
	int64_t others;
	int64_t began;

	store_read_service(
		all->store, usage_writer_process(all->usage_writer), now, &others, &began);
	return (struct service_state){
		.in_flight = others + atomic_load(&all->in_flight),
		.uptime = in->uptime >= 0             ? in->uptime
			  : began != 0 && began < now ? now - began
						      : 0,
	};
}

static void
answer_health(struct intake *in)
{
	struct buffer body = BUFFER_INIT(0);
	bool readable = store_is_readable(in->all->store);
	int64_t uptime = in->uptime >= 0 ? in->uptime : read_service_state(in).uptime;
	int status = status_write_health(
		&body, in->client.config, readable, in->client.settings, uptime);

	answer_status(in, status, json_type, &body);
	buffer_free(&body);
}

static void
answer_metrics(struct intake *in)
{
	struct buffer body = BUFFER_INIT(0);
	struct totals totals = {0};

	/* Those of this process must not be a second late. */
	usage_writer_write(in->all->usage_writer);
	store_read_totals(in->all->store, &totals);
	const struct service_state service = read_service_state(in);
	const struct metrics metrics = {
		.totals = &totals,
		.config = in->client.config,
		.in_flight = service.in_flight,
		.uptime = service.uptime,
		.now = clock_now_ms(),
	};
	metrics_write(&body, &metrics);
	answer_status(in, 200, metrics_content_type, &body);
	totals_free(&totals);
	buffer_free(&body);
}

static void
answer_dev_info(struct intake *in)
{
	struct buffer body = BUFFER_INIT(0);
	const struct service_state service = read_service_state(in);
	const struct dev_info info = {
		.settings = in->client.settings,
		.config = in->client.config,
		.is_cgi = in->uptime < 0,
		.uptime = service.uptime,
		.in_flight = service.in_flight,
		.now = clock_now_ms(),
	};

	status_write_dev_info(&body, &info);
	answer_status(in, 200, json_type, &body);
	buffer_free(&body);
}

/* The URL that the client used, without a slash at the end. */
static void
write_base_url(struct buffer *out, const struct web_request *web)
{
	const char *uri = web_request_text(web, "REQUEST_URI");
	const char *forwarded = web_request_text(web, "HTTP_X_FORWARDED_PROTO");
	size_t path = strcspn(uri, "?#");
	bool https = strcmp(web_request_text(web, "HTTPS"), "on") == 0 ||
		     strcmp(web_request_text(web, "REQUEST_SCHEME"), "https") == 0 ||
		     strcmp(forwarded, "https") == 0;

	buffer_puts(out, https ? "https://" : "http://");
	buffer_puts(out, web_request_text(web, "HTTP_HOST"));
	while (path > 0 && uri[path - 1] == '/')
		path--;
	buffer_append(out, uri, path);
}

static void
answer_root(struct intake *in)
{
	struct buffer base = BUFFER_INIT(0);
	struct buffer body = BUFFER_INIT(0);

	write_base_url(&base, in->client.web);
	status_write_front_page(&body, buffer_text(&base));
	answer_status(in, 200, "text/plain; charset=utf-8", &body);
	buffer_free(&base);
	buffer_free(&body);
}

static void
answer_hello(struct intake *in)
{
	struct buffer body = BUFFER_INIT(0);

	buffer_puts(&body, "{\"message\":\"hello\"}");
	answer_status(in, 200, json_type, &body);
	buffer_free(&body);
}

/* Read the settings again here, then have all other processes do so. */
static int
reload(struct intake *in, struct api_error *error)
{
	struct buffer problem = BUFFER_INIT(0);
	struct buffer body = BUFFER_INIT(0);
	struct settings *fresh = live_settings_reload(in->all->live, &problem);

	if (fresh == NULL)
		api_error_set(
			error, 500, "the settings stay as they were: %s", buffer_text(&problem));
	else if (store_announce_reload(in->all->store) != STORE_OK)
		api_error_set(error, 500,
			"the settings were read again in this process only: the database cannot be "
			"written; see the proxy's log");
	if (error->status == 0) {
		status_write_reload(&body, in->client.config, fresh);
		answer_status(in, 200, json_type, &body);
	}
	settings_release(fresh);
	buffer_free(&problem);
	buffer_free(&body);
	return error->status == 0 ? 0 : -1;
}

/* May this client ask now? */
static int
check_access(struct intake *in, struct api_error *error)
{
	if (access_count_request(in->client.web, in->client.settings, in->all->store,
		    &in->client.headers, error) != 0)
		return -1;
	return access_check(in->client.web, in->client.settings, error);
}

/* Count one more request in flight, unless that is one too many.  Return 0 or -1. */
static int
admit(struct exchanges *all, const struct settings *settings, struct api_error *error)
{
	if (atomic_fetch_add(&all->in_flight, 1) < settings->max_concurrent_requests)
		return 0;
	atomic_fetch_sub(&all->in_flight, 1);
	api_error_set(error, 529, "too many concurrent requests (limit %lld): retry shortly",
		(long long)settings->max_concurrent_requests);
	error->retry_after = RETRY_WHEN_FULL;
	return -1;
}

/* Answer what needs no upstream and was not refused by its head. */
static void
answer_here(struct intake *in, struct api_error *error)
{
	switch (in->client.match.endpoint) {
	case ENDPOINT_HEALTH:
		answer_health(in);
		break;
	case ENDPOINT_PREFLIGHT:
		answer_preflight(in);
		break;
	case ENDPOINT_ROOT:
		answer_root(in);
		break;
	case ENDPOINT_HELLO:
		answer_hello(in);
		break;
	case ENDPOINT_RELOAD:
		reload(in, error);
		break;
	case ENDPOINT_METRICS:
		answer_metrics(in);
		break;
	case ENDPOINT_DEV_INFO:
		answer_dev_info(in);
		break;
	default:
		break;
	}
}

/* Does it need the access key, though not an upstream? */
static bool
is_for_owner(enum endpoint endpoint)
{
	return endpoint == ENDPOINT_RELOAD || endpoint == ENDPOINT_METRICS ||
	       endpoint == ENDPOINT_DEV_INFO;
}

static bool
asks_upstream(enum endpoint endpoint)
{
	switch (endpoint) {
	case ENDPOINT_MESSAGES:
	case ENDPOINT_COUNT_TOKENS:
	case ENDPOINT_MODELS:
	case ENDPOINT_MODEL:
	case ENDPOINT_OTHER:
		return true;
	default:
		return false;
	}
}

/* ---- the head ---- */

/* Is the body that the head announces too large? */
static bool
announces_too_much(const struct intake *in)
{
	const char *length = web_request_text(in->client.web, "CONTENT_LENGTH");

	return strtoull(length, NULL, 10) >
	       (unsigned long long)in->client.settings->max_request_bytes;
}

/* May this request go to an upstream?  Then it is counted as in flight. */
static int
admit_exchange(struct intake *in)
{
	struct api_error *error = &in->error;
	bool other = in->client.match.endpoint == ENDPOINT_OTHER;

	/* 404 comes before the access key is checked: unknown paths reveal nothing. */
	if ((other && plan_check_other(in->client.config, error) != 0) ||
		check_access(in, error) != 0)
		return -1;
	if (announces_too_much(in))
		return client_request_refuse_size(&in->client, error);
	return admit(in->all, in->client.settings, error);
}

/* Decide whatever the head decides. */
static void
read_head(struct intake *in)
{
	if (web_request_has_control_characters(in->client.web)) {
		api_error_set(&in->error, 400, "a header or the path contains control characters");
		return;
	}
	cors_write_headers(in->client.web, in->client.settings, &in->client.headers);
	router_find(in->client.web, in->client.settings, &in->client.match, &in->error);
	if (asks_upstream(in->client.match.endpoint))
		in->admitted = admit_exchange(in) == 0;
	else if (is_for_owner(in->client.match.endpoint))
		check_access(in, &in->error);
}

struct intake *
intake_begin(struct exchanges *all, struct web_request *web, struct settings *settings,
	struct config *config, int64_t uptime)
{
	struct intake *in = calloc(1, sizeof(*in));

	if (in == NULL) {
		web_request_free(web);
		return NULL;
	}
	in->all = all;
	client_request_init(&in->client, web, settings, config);
	in->uptime = uptime;
	in->began = in->last_input = clock_monotonic_ms();
	read_head(in);
	if (!in->admitted)
		in->refused = in->began;
	return in;
}

/* ---- the body ---- */

int
intake_input(const struct intake *in)
{
	return web_request_input(in->client.web);
}

bool
intake_is_wanted(const struct intake *in)
{
	return in->refused == 0;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
intake_deadline(const struct intake *in)
{
	if (in->refused != 0)
		return in->refused + DISCARD_PATIENCE;
	return earlier(in->began + BODY_PATIENCE, in->last_input + SILENCE_PATIENCE);
}

/* Take what is there.  True: the body is whole, or no more of it is waited for. */
static bool
take_input(struct intake *in)
{
	size_t limit = in->admitted ? (size_t)in->client.settings->max_request_bytes : 0;
	size_t before = web_request_received(in->client.web);
	bool over = web_request_receive(in->client.web, limit) != WEB_REQUEST_MORE;
	size_t received = web_request_received(in->client.web);
	int64_t now = clock_monotonic_ms();

	if (received > before)
		in->last_input = now;
	if (received > limit && in->refused == 0)
		in->refused = now;
	return over || now >= intake_deadline(in) || received > limit + MOST_DISCARDED;
}

bool
intake_receive(struct intake *in, int64_t patience)
{
	struct pollfd p = {.fd = intake_input(in), .events = POLLIN};
	int64_t until = clock_monotonic_ms() + patience;

	while (!take_input(in)) {
		int64_t left = earlier(until, intake_deadline(in)) - clock_monotonic_ms();
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return clock_monotonic_ms() >= intake_deadline(in);
	}
	return true;
}

/* ---- the end ---- */

static struct exchange *
make_exchange(struct intake *in)
{
	struct exchange *x = exchange_new(in->all, &in->client, &in->error);

	if (x == NULL)
		atomic_fetch_sub(&in->all->in_flight, 1);
	return x;
}

static void
free_intake(struct intake *in)
{
	client_request_free(&in->client);
	api_error_clear(&in->error);
	free(in);
}

struct exchange *
intake_end(struct intake *in)
{
	struct exchange *x = NULL;

	if (in->admitted)
		x = make_exchange(in);
	else if (in->error.status == 0)
		answer_here(in, &in->error);
	if (in->error.status != 0)
		refuse(in, &in->error);
	free_intake(in);
	return x;
}

/*
 * What becomes of a web request first; see front.h.
 */
#include "proxy/front.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "proxy/accounting.h"
#include "proxy/client_request.h"
#include "proxy/exchange.h"
#include "proxy/live_settings.h"
#include "proxy/plan.h"
#include "proxy/usage_writer.h"
#include "store/config.h"
#include "store/store.h"
#include "store/totals.h"
#include "http/access.h"
#include "http/cors.h"
#include "http/web_request.h"
#include "http/metrics.h"
#include "http/response.h"
#include "http/router.h"
#include "http/pages.h"

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

/* One web request on its way in. */
struct visit {
	struct exchanges *all;
	struct web_request *web;
	struct settings *settings;
	struct config *config; /* NULL: it cannot be read */
	int64_t uptime;        /* ms; -1: as CGI */
	struct endpoint_match match;
	char request_id[REQUEST_ID_SIZE];
	struct buffer headers;  /* lines for the response's head */
	struct api_error error; /* what the head tells; status 0: nothing */
	bool admitted;          /* counted as in flight */

	/* Of the body, in ms of clock_monotonic_ms. */
	int64_t began;
	int64_t last_input;
	int64_t refused; /* when it was known that the body is not wanted; 0: it is */
};

static void
log_answer(const struct visit *v, int status, const char *error_type)
{
	const struct web_request *web = v->web;
	const struct log_field fields[] = {
		{"request_id", v->request_id, 0},
		{"status", NULL, status},
		{"method", web_request_text(web, "REQUEST_METHOD"), 0},
		{"script", web_request_text(web, "SCRIPT_NAME"), 0},
		{"path", web_request_text(web, "PATH_INFO"), 0},
		{"client", web_request_text(web, "REMOTE_ADDR"), 0},
		{"error", error_type, 0},
	};
	size_t count = sizeof(fields) / sizeof(fields[0]);

	log_line(error_type != NULL ? LOG_INFO : LOG_DEBUG, "request", fields,
		error_type != NULL ? count : count - 1);
}

static void
refuse(struct visit *v, const struct api_error *error)
{
	struct buffer answer = BUFFER_INIT(0);

	accounting_refusal(v->all->usage_writer, v->match.endpoint, error->status);
	log_answer(v, error->status, error->type);
	log_debug("%s %s", v->request_id, error->message != NULL ? error->message : "");
	if (v->match.allow != NULL)
		buffer_printf(&v->headers, "Allow: %s\r\n", v->match.allow);
	response_write_error(&answer, error, v->request_id, buffer_text(&v->headers));
	send_answer(v->web, &answer);
	buffer_free(&answer);
}

static const char json_type[] = "application/json";

/* Answer with what nobody keeps; HEAD gets the head of it. */
static void
answer_status(struct visit *v, int status, const char *content_type, const struct buffer *body)
{
	struct buffer answer = BUFFER_INIT(0);

	log_answer(v, status, NULL);
	buffer_printf(
		&v->headers, "Cache-Control: no-store\r\nContent-Length: %zu\r\n", body->length);
	response_write_head(&answer, status, v->request_id, content_type, buffer_text(&v->headers));
	if (strcmp(web_request_text(v->web, "REQUEST_METHOD"), "HEAD") != 0)
		buffer_append(&answer, buffer_text(body), body->length);
	send_answer(v->web, &answer);
	buffer_free(&answer);
}

/* What a page of another origin asks before it asks. */
static void
answer_preflight(struct visit *v)
{
	struct buffer answer = BUFFER_INIT(0);

	log_answer(v, 204, NULL);
	buffer_printf(&v->headers, "Allow: %s, OPTIONS\r\n", v->match.allow);
	cors_write_preflight(v->web, v->settings, &v->headers);
	response_write_head(&answer, 204, v->request_id, NULL, buffer_text(&v->headers));
	send_answer(v->web, &answer);
	buffer_free(&answer);
}

/* What is in flight in all processes, and for how long the service has been up, in ms. */
struct service {
	int64_t in_flight;
	int64_t uptime;
};

static struct service
read_service(const struct visit *v)
{
	const struct exchanges *all = v->all;
	int64_t now = clock_now_ms();
	int64_t others;
	int64_t began;

	store_read_service(
		all->store, usage_writer_process(all->usage_writer), now, &others, &began);
	return (struct service){
		.in_flight = others + atomic_load(&all->in_flight),
		.uptime = v->uptime >= 0              ? v->uptime
			  : began != 0 && began < now ? now - began
						      : 0,
	};
}

static void
answer_health(struct visit *v)
{
	struct buffer body = BUFFER_INIT(0);
	bool readable = store_is_readable(v->all->store);
	int64_t uptime = v->uptime >= 0 ? v->uptime : read_service(v).uptime;
	int status = status_write_health(&body, v->config, readable, v->settings, uptime);

	answer_status(v, status, json_type, &body);
	buffer_free(&body);
}

static void
answer_metrics(struct visit *v)
{
	struct buffer body = BUFFER_INIT(0);
	struct totals totals = {0};

	/* Those of this process must not be a second late. */
	usage_writer_write(v->all->usage_writer);
	store_read_totals(v->all->store, &totals);
	const struct service service = read_service(v);
	const struct metrics metrics = {
		.totals = &totals,
		.config = v->config,
		.in_flight = service.in_flight,
		.uptime = service.uptime,
		.now = clock_now_ms(),
	};
	metrics_write(&body, &metrics);
	answer_status(v, 200, metrics_content_type, &body);
	totals_free(&totals);
	buffer_free(&body);
}

static void
answer_dev_info(struct visit *v)
{
	struct buffer body = BUFFER_INIT(0);
	const struct service service = read_service(v);
	const struct dev_info info = {
		.settings = v->settings,
		.config = v->config,
		.is_cgi = v->uptime < 0,
		.uptime = service.uptime,
		.in_flight = service.in_flight,
		.now = clock_now_ms(),
	};

	status_write_dev_info(&body, &info);
	answer_status(v, 200, json_type, &body);
	buffer_free(&body);
}

static void
answer_hello(struct visit *v)
{
	struct buffer body = BUFFER_INIT(0);

	buffer_puts(&body, "{\"message\":\"hello\"}");
	answer_status(v, 200, json_type, &body);
	buffer_free(&body);
}

/* Read the settings again here, then tell all other processes. */
static int
reload(struct visit *v, struct api_error *error)
{
	struct buffer problem = BUFFER_INIT(0);
	struct buffer body = BUFFER_INIT(0);
	struct settings *fresh = live_settings_reload(v->all->live, &problem);

	if (fresh == NULL)
		api_error_set(
			error, 500, "the settings stay as they were: %s", buffer_text(&problem));
	else if (store_announce_reload(v->all->store) != STORE_OK)
		api_error_set(error, 500,
			"the settings were read again in this process only: the database cannot be "
			"written, the proxy's log says why");
	if (error->status == 0) {
		status_write_reload(&body, v->config, fresh);
		answer_status(v, 200, json_type, &body);
	}
	settings_release(fresh);
	buffer_free(&problem);
	buffer_free(&body);
	return error->status == 0 ? 0 : -1;
}

/* May this client ask now? */
static int
let_in(struct visit *v, struct api_error *error)
{
	if (access_count_request(v->web, v->settings, v->all->store, &v->headers, error) != 0)
		return -1;
	return access_check(v->web, v->settings, error);
}

/* Count one more request in flight, unless that is one too many.  Return 0 or -1. */
static int
admit(struct exchanges *all, const struct settings *settings, struct api_error *error)
{
	if (atomic_fetch_add(&all->in_flight, 1) < settings->max_concurrent_requests)
		return 0;
	atomic_fetch_sub(&all->in_flight, 1);
	api_error_set(error, 529, "%lld requests are in flight already: ask again in a moment",
		(long long)settings->max_concurrent_requests);
	error->retry_after = RETRY_WHEN_FULL;
	return -1;
}

/* Answer what no upstream is asked for, and what the head does not refuse. */
static void
answer_here(struct visit *v, struct api_error *error)
{
	switch (v->match.endpoint) {
	case ENDPOINT_HEALTH:
		answer_health(v);
		break;
	case ENDPOINT_PREFLIGHT:
		answer_preflight(v);
		break;
	case ENDPOINT_HELLO:
		answer_hello(v);
		break;
	case ENDPOINT_RELOAD:
		reload(v, error);
		break;
	case ENDPOINT_METRICS:
		answer_metrics(v);
		break;
	case ENDPOINT_DEV_INFO:
		answer_dev_info(v);
		break;
	default:
		break;
	}
}

/* Does it need the access key, though no upstream is asked? */
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
announces_too_much(const struct visit *v)
{
	const char *length = web_request_text(v->web, "CONTENT_LENGTH");

	return strtoull(length, NULL, 10) > (unsigned long long)v->settings->max_request_bytes;
}

/* May this request go to an upstream?  Then it is counted as in flight. */
static int
admit_exchange(struct visit *v)
{
	struct api_error *error = &v->error;
	bool other = v->match.endpoint == ENDPOINT_OTHER;

	/* What is not there is not there for anybody: no key is asked for. */
	if ((other && plan_check_other(v->config, error) != 0) || let_in(v, error) != 0)
		return -1;
	if (announces_too_much(v))
		return client_request_refuse_size(v->settings, error);
	return admit(v->all, v->settings, error);
}

/* Decide whatever the head decides. */
static void
read_head(struct visit *v)
{
	if (web_request_has_control_characters(v->web)) {
		api_error_set(&v->error, 400, "a header or the path contains control characters");
		return;
	}
	cors_write_headers(v->web, v->settings, &v->headers);
	router_find(v->web, v->settings, &v->match, &v->error);
	if (asks_upstream(v->match.endpoint))
		v->admitted = admit_exchange(v) == 0;
	else if (is_for_owner(v->match.endpoint))
		let_in(v, &v->error);
}

struct visit *
front_begin(struct exchanges *all, struct web_request *web, struct settings *settings,
	struct config *config, int64_t uptime)
{
	struct visit *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		web_request_free(web);
		return NULL;
	}
	v->all = all;
	v->web = web;
	v->settings = settings_retain(settings);
	v->config = config != NULL ? config_retain(config) : NULL;
	v->uptime = uptime;
	v->began = v->last_input = clock_monotonic_ms();
	random_id(v->request_id, sizeof(v->request_id), "req_");
	read_head(v);
	if (!v->admitted)
		v->refused = v->began;
	return v;
}

/* ---- the body ---- */

int
front_input(const struct visit *v)
{
	return web_request_input(v->web);
}

bool
front_is_wanted(const struct visit *v)
{
	return v->refused == 0;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
front_deadline(const struct visit *v)
{
	if (v->refused != 0)
		return v->refused + DISCARD_PATIENCE;
	return earlier(v->began + BODY_PATIENCE, v->last_input + SILENCE_PATIENCE);
}

/* Take what is there.  True: the body is whole, or no more of it is waited for. */
static bool
take_input(struct visit *v)
{
	size_t limit = v->admitted ? (size_t)v->settings->max_request_bytes : 0;
	size_t before = web_request_received(v->web);
	bool over = web_request_receive(v->web, limit) != WEB_REQUEST_MORE;
	size_t received = web_request_received(v->web);
	int64_t now = clock_monotonic_ms();

	if (received > before)
		v->last_input = now;
	if (received > limit && v->refused == 0)
		v->refused = now;
	return over || now >= front_deadline(v) || received > limit + MOST_DISCARDED;
}

bool
front_receive(struct visit *v, int64_t patience)
{
	struct pollfd p = {.fd = front_input(v), .events = POLLIN};
	int64_t until = clock_monotonic_ms() + patience;

	while (!take_input(v)) {
		int64_t left = earlier(until, front_deadline(v)) - clock_monotonic_ms();
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return clock_monotonic_ms() >= front_deadline(v);
	}
	return true;
}

/* ---- the end ---- */

static struct exchange *
make_exchange(struct visit *v)
{
	const struct exchange_request request = {
		.web = v->web,
		.settings = v->settings,
		.config = v->config,
		.match = &v->match,
		.request_id = v->request_id,
		.headers = buffer_text(&v->headers),
	};
	struct exchange *x = exchange_new(v->all, &request, &v->error);

	if (x == NULL)
		atomic_fetch_sub(&v->all->in_flight, 1);
	return x;
}

static void
free_visit(struct visit *v)
{
	settings_release(v->settings);
	config_release(v->config);
	api_error_clear(&v->error);
	buffer_free(&v->headers);
	free(v);
}

struct exchange *
front_end(struct visit *v)
{
	struct exchange *x = NULL;

	if (v->admitted)
		x = make_exchange(v);
	else if (v->error.status == 0)
		answer_here(v, &v->error);
	if (v->error.status != 0)
		refuse(v, &v->error);
	free_visit(v);
	return x;
}

/*
 * What becomes of a web request first; see front.h.
 */
#include "proxy/front.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "proxy/exchange.h"
#include "proxy/live_settings.h"
#include "proxy/plan.h"
#include "proxy/accounting.h"
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
};

/* Write a small answer; the acceptor may wait for it, within bounds. */
static void
send_answer(struct gateway *g, const struct buffer *answer)
{
	struct pollfd p = {.fd = gateway_descriptor(g), .events = POLLOUT};
	size_t sent = 0;

	while (sent < answer->length) {
		ssize_t n = gateway_write(g, answer->data + sent, answer->length - sent, true);
		if (n < 0 || (n == 0 && poll(&p, 1, ANSWER_PATIENCE) <= 0))
			break;
		sent += (size_t)n;
	}
	while (sent == answer->length && !gateway_end(g))
		if (poll(&p, 1, ANSWER_PATIENCE) <= 0)
			break;
	gateway_free(g);
}

/* One web request on its way in. */
struct visit {
	struct exchanges *all;
	struct gateway *gateway;
	struct settings *settings;
	struct config *config; /* NULL: it cannot be read */
	int64_t uptime;        /* ms; -1: as CGI */
	struct asked asked;
	char request_id[REQUEST_ID_SIZE];
	struct buffer headers; /* lines for the response's head */
};

static void
log_answer(const struct visit *v, int status, const char *error_type)
{
	const struct gateway *g = v->gateway;
	const struct log_field fields[] = {
		{"request_id", v->request_id, 0},
		{"status", NULL, status},
		{"method", gateway_text(g, "REQUEST_METHOD"), 0},
		{"script", gateway_text(g, "SCRIPT_NAME"), 0},
		{"path", gateway_text(g, "PATH_INFO"), 0},
		{"client", gateway_text(g, "REMOTE_ADDR"), 0},
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

	record_refusal(v->all->recorder, v->asked.endpoint, error->status);
	log_answer(v, error->status, error->type);
	log_debug("%s %s", v->request_id, error->message != NULL ? error->message : "");
	if (v->asked.allow != NULL)
		buffer_printf(&v->headers, "Allow: %s\r\n", v->asked.allow);
	response_write_error(&answer, error, v->request_id, buffer_text(&v->headers));
	send_answer(v->gateway, &answer);
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
	if (strcmp(gateway_text(v->gateway, "REQUEST_METHOD"), "HEAD") != 0)
		buffer_append(&answer, buffer_text(body), body->length);
	send_answer(v->gateway, &answer);
	buffer_free(&answer);
}

/* What a page of another origin asks before it asks. */
static void
answer_preflight(struct visit *v)
{
	struct buffer answer = BUFFER_INIT(0);

	log_answer(v, 204, NULL);
	buffer_printf(&v->headers, "Allow: %s, OPTIONS\r\n", v->asked.allow);
	cors_write_preflight(v->gateway, v->settings, &v->headers);
	response_write_head(&answer, 204, v->request_id, NULL, buffer_text(&v->headers));
	send_answer(v->gateway, &answer);
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

	store_read_service(all->store, recorder_process(all->recorder), now, &others, &began);
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
	recorder_write(v->all->recorder);
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

/* Read what the client still sends: some web servers lose an answer that comes before the end of
 * the request, even of one without a body (Apache's mod_proxy_fcgi makes it a 503). */
static void
discard_body(struct gateway *g)
{
	struct buffer nothing = BUFFER_INIT(0);

	gateway_read_body(g, 0, &nothing);
	buffer_free(&nothing);
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
	if (access_count_request(v->gateway, v->settings, v->all->store, &v->headers, error) != 0)
		return -1;
	return access_check(v->gateway, v->settings, error);
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

static struct exchange *
make_exchange(struct visit *v, struct api_error *error)
{
	/* What is not there is not there for anybody: no key is asked for. */
	bool other = v->asked.endpoint == ENDPOINT_OTHER;

	if ((other && plan_check_other(v->config, error) != 0) || let_in(v, error) != 0 ||
		admit(v->all, v->settings, error) != 0) {
		discard_body(v->gateway);
		return NULL;
	}
	const struct exchange_request request = {
		.gateway = v->gateway,
		.settings = v->settings,
		.config = v->config,
		.asked = &v->asked,
		.request_id = v->request_id,
		.headers = buffer_text(&v->headers),
	};
	struct exchange *x = exchange_new(v->all, &request, error);
	if (x == NULL)
		atomic_fetch_sub(&v->all->in_flight, 1);
	return x;
}

/* Answer what no upstream is asked for. */
static void
answer_here(struct visit *v, struct api_error *error)
{
	discard_body(v->gateway);
	switch (v->asked.endpoint) {
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
		if (let_in(v, error) == 0)
			reload(v, error);
		break;
	case ENDPOINT_METRICS:
		if (let_in(v, error) == 0)
			answer_metrics(v);
		break;
	case ENDPOINT_DEV_INFO:
		if (let_in(v, error) == 0)
			answer_dev_info(v);
		break;
	default: /* the router has set the error */
		break;
	}
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

struct exchange *
front_serve(struct exchanges *all, struct gateway *g, struct settings *settings,
	struct config *config, int64_t uptime)
{
	struct visit v = {
		.all = all,
		.gateway = g,
		.settings = settings,
		.config = config,
		.uptime = uptime,
	};
	struct api_error error = API_ERROR_NONE;
	struct exchange *x = NULL;

	random_id(v.request_id, sizeof(v.request_id), "req_");
	cors_write_headers(g, settings, &v.headers);
	router_find(g, settings, &v.asked, &error);
	if (asks_upstream(v.asked.endpoint))
		x = make_exchange(&v, &error);
	else
		answer_here(&v, &error);
	if (error.status != 0)
		refuse(&v, &error);
	api_error_clear(&error);
	buffer_free(&v.headers);
	return x;
}

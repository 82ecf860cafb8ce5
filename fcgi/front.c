/*
 * What becomes of a web request first; see front.h.
 */
#include "front.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/settings.h"
#include "exchange.h"
#include "plan.h"
#include "web/access.h"
#include "web/gateway.h"
#include "web/response.h"
#include "web/router.h"
#include "web/status.h"

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

static const char *
parameter(const struct gateway *g, const char *name)
{
	const char *value = gateway_parameter(g, name);

	return value != NULL ? value : "";
}

static void
log_answer(const struct gateway *g, const char *request_id, int status, const char *error_type)
{
	const struct log_field fields[] = {
		{"request_id", request_id, 0},
		{"status", NULL, status},
		{"method", parameter(g, "REQUEST_METHOD"), 0},
		{"script", parameter(g, "SCRIPT_NAME"), 0},
		{"path", parameter(g, "PATH_INFO"), 0},
		{"client", parameter(g, "REMOTE_ADDR"), 0},
		{"error", error_type, 0},
	};
	size_t count = sizeof(fields) / sizeof(fields[0]);

	log_line(error_type != NULL ? LOG_INFO : LOG_DEBUG, "request", fields,
		error_type != NULL ? count : count - 1);
}

/* ${allow}: for the header of a 405, else NULL. */
static void
refuse(struct gateway *g, const char *request_id, const struct api_error *error, const char *allow)
{
	struct buffer answer = BUFFER_INIT(0);
	struct buffer extra = BUFFER_INIT(0);

	log_answer(g, request_id, error->status, error->type);
	log_debug("%s %s", request_id, error->message != NULL ? error->message : "");
	if (allow != NULL)
		buffer_printf(&extra, "Allow: %s\r\n", allow);
	response_write_error(&answer, error, request_id, buffer_text(&extra));
	send_answer(g, &answer);
	buffer_free(&extra);
	buffer_free(&answer);
}

static void
answer_health(struct exchanges *all, struct gateway *g, struct settings *settings,
	const char *request_id, int64_t uptime)
{
	struct buffer body = BUFFER_INIT(0);
	struct buffer answer = BUFFER_INIT(0);

	int status = status_write_health(&body, all->store, settings, uptime);
	log_answer(g, request_id, status, NULL);
	if (strcmp(parameter(g, "REQUEST_METHOD"), "HEAD") == 0)
		response_write_head(&answer, status, request_id, "application/json",
			"Cache-Control: no-store\r\n");
	else
		response_write_json(&answer, status, request_id, buffer_text(&body), body.length,
			"Cache-Control: no-store\r\n");
	send_answer(g, &answer);
	buffer_free(&answer);
	buffer_free(&body);
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

/* Read what the client still sends: some web servers lose an answer that comes before the end of
 * the request. */
static void
discard_body(struct gateway *g)
{
	struct buffer nothing = BUFFER_INIT(0);

	gateway_read_body(g, 0, &nothing);
	buffer_free(&nothing);
}

static struct exchange *
take_inquiry(struct exchanges *all, struct gateway *g, struct settings *settings,
	const struct asked *asked, const char *request_id, struct api_error *error)
{
	/* What is not there is not there for anybody: no key is asked for. */
	bool other = asked->endpoint == ENDPOINT_OTHER;
	if ((other && plan_check_other(all->store, error) != 0) ||
		access_check(g, settings, error) != 0 || admit(all, settings, error) != 0) {
		discard_body(g);
		return NULL;
	}
	struct exchange *x = exchange_new(all, g, settings, asked, request_id, error);
	if (x == NULL)
		atomic_fetch_sub(&all->in_flight, 1);
	return x;
}

struct exchange *
front_serve(struct exchanges *all, struct gateway *g, struct settings *settings, int64_t uptime)
{
	struct api_error error = API_ERROR_NONE;
	char request_id[REQUEST_ID_SIZE];
	struct exchange *x = NULL;
	struct asked asked;

	random_id(request_id, sizeof(request_id), "req_");
	router_find(g, settings, &asked, &error);
	switch (asked.endpoint) {
	case ENDPOINT_HEALTH:
		answer_health(all, g, settings, request_id, uptime);
		break;
	case ENDPOINT_NONE:
		discard_body(g);
		break;
	default:
		x = take_inquiry(all, g, settings, &asked, request_id, &error);
		break;
	}
	if (error.status != 0)
		refuse(g, request_id, &error, asked.allow);
	api_error_clear(&error);
	return x;
}

/*
 * HTTP transfers to upstreams; see transfer.h and FASTCGI.md §1.
 *
 * curl says which sockets and which timer it waits for; each socket is watched.  What curl
 * brings of one socket's bytes comes in many calls (one for each chunk of a chunked response), so
 * the owners are told once at the end of each round that there is a pause.
 */
#include "upstream/transfer.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/watch.h"
#include "upstream/ca_bundle.h"

enum {
	KEPT_HANDLES = 256,       /* easy handles kept for the next transfer */
	LONGEST_RETRY = 31536000, /* s: a year */
	MOST_SENT = 2,            /* times that a request is, see before_sending */
	KEPT_CONNECTIONS = 512,   /* idle ones: the streams of a busy minute come again */
};

struct transfer {
	struct transfers *all;
	CURL *easy;
	const struct transfer_handler *handler;
	void *context;
	struct transfer *next_active; /* in the list of those that took bytes in this round */
	bool active;
	bool stopped;
	int sent; /* how often the request was */
	char problem[CURL_ERROR_SIZE];
};

struct transfers {
	struct watches *watches;
	CURLM *multi;
	uv_timer_t *timer;
	const char *certificates; /* the system's file; NULL: libcurl looks by itself */
	struct transfer *first_active;
	CURL *kept[KEPT_HANDLES];
	size_t kept_count;
};

/* A socket that curl waits for. */
struct curl_socket {
	struct transfers *all;
	curl_socket_t socket;
};

static void
free_handle_data(uv_handle_t *handle)
{
	free(handle->data);
}

static void
tell_pauses(struct transfers *all)
{
	struct transfer *t;

	while ((t = all->first_active) != NULL) {
		all->first_active = t->next_active;
		t->active = false;
		t->handler->pause_in_bytes(t->context);
	}
}

static void
forget_active(struct transfer *t)
{
	struct transfer **at = &t->all->first_active;

	if (!t->active)
		return;
	while (*at != t)
		at = &(*at)->next_active;
	*at = t->next_active;
	t->active = false;
}

/* Take the transfer out of curl and keep its handle for another. */
static void
release(struct transfer *t)
{
	struct transfers *all = t->all;

	forget_active(t);
	curl_multi_remove_handle(all->multi, t->easy);
	if (all->kept_count < KEPT_HANDLES) {
		curl_easy_reset(t->easy);
		all->kept[all->kept_count++] = t->easy;
	} else {
		curl_easy_cleanup(t->easy);
	}
	free(t);
}

static enum transfer_outcome
outcome_of(struct transfer *t, CURLcode code)
{
	if (code == CURLE_OK)
		return TRANSFER_COMPLETE;
	if (t->stopped)
		return TRANSFER_STOPPED;
	if (transfer_status(t) != 0)
		return TRANSFER_BROKEN;
	return code == CURLE_OPERATION_TIMEDOUT ? TRANSFER_NO_TIME : TRANSFER_NO_ANSWER;
}

static void
end(struct transfer *t, CURLcode code)
{
	const struct transfer_handler *handler = t->handler;
	void *context = t->context;
	enum transfer_outcome outcome = outcome_of(t, code);
	char problem[CURL_ERROR_SIZE] = "";

	if (t->sent > MOST_SENT)
		snprintf(problem, sizeof(problem), "it closed the connection without an answer");
	else if (code != CURLE_OK)
		snprintf(problem, sizeof(problem), "%s",
			t->problem[0] != '\0' ? t->problem : curl_easy_strerror(code));
	handler->ended(context, outcome, problem);
	release(t);
}

/* After every call of curl_multi_socket_action: who has ended, who has bytes? */
static void
finish_round(struct transfers *all)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(all->multi, &left)) != NULL) {
		struct transfer *t = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		end(t, message->data.result);
	}
	tell_pauses(all);
}

static void
on_socket(void *context, int status, int events)
{
	struct curl_socket *s = context;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;
	struct transfers *all = s->all;
	int running;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(all->multi, s->socket, flags, &running);
	finish_round(all);
}

static void
on_timer(uv_timer_t *timer)
{
	struct transfers *all = timer->data;
	int running;

	curl_multi_socket_action(all->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_round(all);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct transfers *all = context;

	(void)multi;
	if (timeout_ms < 0)
		uv_timer_stop(all->timer);
	else
		uv_timer_start(all->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static int
set_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context)
{
	struct transfers *all = context;
	struct curl_socket *s = socket_context;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		watch_stop(all->watches, socket);
		free(s);
		return 0;
	}
	if (s == NULL) {
		s = malloc(sizeof(*s));
		if (s == NULL)
			return -1;
		*s = (struct curl_socket){all, socket};
		curl_multi_assign(all->multi, socket, s);
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return watch_start(all->watches, socket, events, on_socket, s);
}

/*
 * A kept connection may have been closed just before the request came, so curl sends it again on
 * another one: up to five times, as long as it has kept ones.  Twice it was no accident.
 */
static int
before_sending(void *context, char *remote, char *local, int remote_port, int local_port)
{
	struct transfer *t = context;

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	return ++t->sent > MOST_SENT ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t
on_bytes(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	size_t length = size * count;

	if (!t->active) {
		t->active = true;
		t->next_active = t->all->first_active;
		t->all->first_active = t;
	}
	switch (t->handler->body(t->context, bytes, length)) {
	case TRANSFER_TAKEN:
		return length;
	case TRANSFER_PAUSE:
		return CURL_WRITEFUNC_PAUSE;
	case TRANSFER_STOP:
		break;
	}
	t->stopped = true;
	return 0;
}

static CURLM *
new_multi(struct transfers *all)
{
	CURLM *multi = curl_multi_init();

	if (multi == NULL)
		return NULL;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, all);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, all);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	/* By default curl keeps four for each running transfer: none when the last one ended. */
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
	return multi;
}

struct transfers *
transfers_new(uv_loop_t *loop, struct watches *watches)
{
	struct transfers *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return NULL;
	all->watches = watches;
	all->certificates = trust_file();
	all->timer = malloc(sizeof(*all->timer));
	if (all->timer == NULL)
		goto err0;
	all->multi = new_multi(all);
	if (all->multi == NULL)
		goto err1;
	uv_timer_init(loop, all->timer);
	all->timer->data = all;
	return all;

err1:
	free(all->timer);
err0:
	free(all);
	return NULL;
}

void
transfers_free(struct transfers *all)
{
	if (all == NULL)
		return;
	for (size_t i = 0; i < all->kept_count; i++)
		curl_easy_cleanup(all->kept[i]);
	/* Closing idle connections still calls set_socket and set_timer. */
	curl_multi_cleanup(all->multi);
	all->timer->data = all->timer;
	uv_close((uv_handle_t *)all->timer, free_handle_data);
	free(all);
}

static void
allow_http_only(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void
set_method(CURL *easy, const struct transfer_request *request)
{
	if (strcmp(request->method, "GET") == 0)
		return;
	if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
	if (strcmp(request->method, "POST") != 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void
set_trust(const struct transfer *t, const char *certificates)
{
	const char *file = certificates != NULL ? certificates : t->all->certificates;

	if (file == NULL)
		return;
	curl_easy_setopt(t->easy, CURLOPT_CAINFO, file);
	curl_easy_setopt(t->easy, CURLOPT_PROXY_CAINFO, file);
}

static void
set_options(struct transfer *t, const struct transfer_request *request)
{
	CURL *easy = t->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->problem);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_sending);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	set_method(easy, request);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy);
	set_trust(t, request->certificates);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	/* Only TLS tells at once whether HTTP/2 is there; without it curl would wait for the first
	 * response. */
	curl_easy_setopt(
		easy, CURLOPT_PIPEWAIT, strncasecmp(request->url, "https:", 6) == 0 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	allow_http_only(easy);
}

struct transfer *
transfer_start(struct transfers *all, const struct transfer_request *request,
	const struct transfer_handler *handler, void *context)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->all = all;
	t->handler = handler;
	t->context = context;
	t->easy = all->kept_count > 0 ? all->kept[--all->kept_count] : curl_easy_init();
	if (t->easy == NULL)
		goto err0;
	set_options(t, request);
	if (curl_multi_add_handle(all->multi, t->easy) != CURLM_OK)
		goto err1;
	return t;

err1:
	curl_easy_cleanup(t->easy);
err0:
	free(t);
	return NULL;
}

void
transfer_resume(struct transfer *t)
{
	struct transfers *all = t->all;

	/* It may bring bytes at once; the end comes by the timer that curl sets. */
	curl_easy_pause(t->easy, CURLPAUSE_CONT);
	tell_pauses(all);
}

void
transfer_cancel(struct transfer *t)
{
	release(t);
}

int
transfer_status(struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

const char *
transfer_content_type(struct transfer *t)
{
	char *type = NULL;

	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	return type;
}

/* Seconds, or a date.  "Now" is a second: 0 would mean that nothing was said. */
static int64_t
read_retry_after(const char *value)
{
	double seconds;

	if (isdigit((unsigned char)value[0])) {
		seconds = strtod(value, NULL);
	} else {
		time_t date = curl_getdate(value, NULL);
		if (date == -1)
			return 0;
		seconds = difftime(date, time(NULL));
	}
	if (seconds <= 1 || seconds >= LONGEST_RETRY)
		return seconds <= 1 ? 1 : LONGEST_RETRY;
	int64_t whole = (int64_t)seconds;
	return whole + ((double)whole < seconds);
}

int64_t
transfer_retry_after(struct transfer *t)
{
	struct curl_header *header = NULL;

	/* curl's own reading of it takes numbers that are too large for it, and 0, as none. */
	if (curl_easy_header(t->easy, "retry-after", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return 0;
	return read_retry_after(header->value);
}

void
transfer_each_header(struct transfer *t,
	void (*take)(void *context, const char *name, const char *value), void *context)
{
	struct curl_header *header = NULL;

	while ((header = curl_easy_nextheader(t->easy, CURLH_HEADER, -1, header)) != NULL)
		take(context, header->name, header->value);
}

int64_t
transfer_connect_time(struct transfer *t)
{
	curl_off_t microseconds = 0;

	curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
	return microseconds > 0 ? microseconds / 1000 : -1;
}

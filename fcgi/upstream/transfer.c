/*
 * HTTP transfers to upstreams; see transfer.h and fcgi/DESIGN.md.
 *
 * What curl brings of one socket's bytes comes in many calls (one for each chunk of a chunked
 * response), so the owners are told once at the end of each round that the batch has ended.
 *
 * Each connection carries one transfer at a time, HTTP/2 or not.  Streams that share one would
 * share its fate, too: a reset ends all of them, and one that is held either stops the others or
 * makes curl keep what comes for it, up to 32 MB (7.88 even takes a stream that was reset while
 * another one was held for a whole one).
 *
 * curl waits for its resolver's thread when a transfer is removed while its name is looked up, and
 * some versions can be told not to.  So such a transfer is parked instead: its owner is rid of it,
 * and it stays with curl until the lookup ends, when it is refused the socket that it asks for.
 */
#include "upstream/transfer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "upstream/ca_bundle.h"
#include "upstream/curl_loop.h"
#include "upstream/response_head.h"

enum {
	KEPT_HANDLES = 256,       /* easy handles kept for the next transfer */
	KEPT_CONNECTIONS = 512,   /* idle ones: the streams of a busy minute come again */
	LONGEST_RETRY = 31536000, /* s: a year */
	LARGE_BODY = 32 << 10,   /* bytes of a request's body from which on it is freed once sent */
	UPLOAD_ROUND = 32 << 10, /* bytes sent in one round of the loop, at most: curl keeps so many
				    for each transfer, to its end */
	MOST_SENT = 2,           /* times that a request is, see before_sending */
	MOST_PARKED = 256,       /* transfers whose name is looked up for nobody */
	MOST_DECODED = 8 << 20,  /* bytes of a body in one round: of 16 KiB read, 500 times more */
	LONGEST_LOOKUP = 86400000, /* ms */
	PATIENCE = 2000,           /* ms that curl waits for a connection after its owner gave up */
	LOOKUP_DESCRIPTORS = 4,    /* that the lookup of a name takes, at most */
};

enum state {
	RUNNING,
	LOOKING_UP, /* a thread of curl's does, for its name */
	PARKED,     /* so it does, but the owner is gone */
	HELD,       /* nothing is read until transfer_go_on */
};

struct transfer {
	struct transfers *all;
	CURL *easy;
	const struct transfer_handler *handler;
	void *context;
	enum state state;
	struct transfer *next; /* in the list it is in: of those with a batch, or of the parked */
	struct transfer **at;  /* what points to it there; NULL: it is in none */

	bool told_head;   /* the handler was */
	bool body_lent;   /* the handler was not told that its body was sent */
	bool connected;   /* for this request: nobody will ask for its body again */
	const char *body; /* of the request, as far as it is read by on_upload */
	size_t body_length;
	size_t body_at;
	int sent;       /* how often the request was */
	size_t decoded; /* bytes of the body in this round */
	struct response_head head;

	bool gave_up; /* we did, with: */
	enum transfer_outcome outcome;
	char reason[160];
	char problem[CURL_ERROR_SIZE]; /* as curl tells it */
};

struct transfers {
	uv_loop_t *loop;
	CURLM *multi;
	struct curl_loop *curl;
	const char *certificates; /* the system's file; NULL: libcurl looks by itself */
	struct transfer *with_batch;
	struct transfer *parked;
	size_t parked_count;
	CURL *kept[KEPT_HANDLES];
	size_t kept_count;
};

static const char no_descriptor[] = "the proxy has no file descriptor left, its limit is %d: raise "
				    "it (LimitNOFILE=, ulimit -n)";

/* ---- lists ---- */

static void
enlist(struct transfer *t, struct transfer **list)
{
	t->next = *list;
	if (t->next != NULL)
		t->next->at = &t->next;
	t->at = list;
	*list = t;
}

static void
unlist(struct transfer *t)
{
	if (t->at == NULL)
		return;
	*t->at = t->next;
	if (t->next != NULL)
		t->next->at = t->at;
	t->at = NULL;
}

/* ---- the end ---- */

/* Take the transfer out of curl and keep its handle for another. */
static void
release(struct transfer *t)
{
	struct transfers *all = t->all;

	unlist(t);
	if (t->state == PARKED)
		all->parked_count--;
	curl_multi_remove_handle(all->multi, t->easy);
	if (all->kept_count < KEPT_HANDLES) {
		curl_easy_reset(t->easy);
		all->kept[all->kept_count++] = t->easy;
	} else {
		curl_easy_cleanup(t->easy);
	}
	response_head_free(&t->head);
	free(t);
}

/* Let curl keep it until the lookup ends. */
static void
park(struct transfer *t)
{
	unlist(t);
	enlist(t, &t->all->parked);
	t->all->parked_count++;
	t->state = PARKED;
	t->handler = NULL;
	/* What the owner lent is not there any more, and a timeout would wait for the lookup. */
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, "");
	curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)LONGEST_LOOKUP);
}

void
transfer_cancel(struct transfer *t)
{
	if (t->state == LOOKING_UP)
		park(t);
	else
		release(t);
}

static void give_up(struct transfer *, enum transfer_outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* It ends for this reason, whatever curl makes of it. */
static void
give_up(struct transfer *t, enum transfer_outcome outcome, const char *format, ...)
{
	va_list arguments;

	t->gave_up = true;
	t->outcome = outcome;
	va_start(arguments, format);
	vsnprintf(t->reason, sizeof(t->reason), format, arguments);
	va_end(arguments);
}

static bool
has_status(struct transfer *t)
{
	return transfer_status(t) >= 200;
}

static enum transfer_outcome
outcome_of(struct transfer *t, CURLcode code)
{
	if (code == CURLE_OK)
		return TRANSFER_COMPLETE;
	/* A header line beyond curl's own bound comes as this, too. */
	if (code == CURLE_OUT_OF_MEMORY && !t->gave_up && t->sent == 0)
		give_up(t, TRANSFER_NO_ROOM, "the proxy is out of memory");
	if (t->gave_up)
		return t->outcome;
	return has_status(t) ? TRANSFER_BROKEN : TRANSFER_NO_ANSWER;
}

/* What went wrong, for people. */
static void
write_problem(struct transfer *t, CURLcode code, char *problem, size_t size)
{
	const char *told = t->problem[0] != '\0' ? t->problem : curl_easy_strerror(code);
	bool broke = code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;

	if (code == CURLE_OK)
		*problem = '\0';
	else if (t->gave_up)
		snprintf(problem, size, "%s", t->reason);
	else if (t->sent > MOST_SENT || code == CURLE_GOT_NOTHING)
		snprintf(problem, size, "it closed the connection without an answer");
	else if (broke && !has_status(t))
		snprintf(problem, size, "the connection broke before an answer came: %s", told);
	else
		snprintf(problem, size, "%s", told);
}

/* The body is no longer needed, if it was. */
static void
tell_body_sent(struct transfer *t)
{
	if (!t->body_lent)
		return;
	t->body_lent = false;
	if (t->handler->body_sent != NULL)
		t->handler->body_sent(t->context);
}

static void
tell_head(struct transfer *t)
{
	if (t->told_head)
		return;
	t->told_head = true;
	tell_body_sent(t);
	t->handler->head(t->context);
}

static void
end(struct transfer *t, CURLcode code)
{
	const struct transfer_handler *handler = t->handler;
	void *context = t->context;
	enum transfer_outcome outcome = outcome_of(t, code);
	char problem[CURL_ERROR_SIZE + 64];

	if (t->state == PARKED) {
		release(t);
		return;
	}
	write_problem(t, code, problem, sizeof(problem));
	if (outcome == TRANSFER_COMPLETE || outcome == TRANSFER_BROKEN)
		tell_head(t);
	release(t);
	handler->ended(context, outcome, problem);
}

/* ---- rounds ---- */

static void
on_ended(void *context, CURL *easy, CURLcode code)
{
	struct transfer *t = NULL;

	(void)context;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
	end(t, code);
}

static void
end_batches(void *context)
{
	struct transfers *all = context;
	struct transfer *t;

	while ((t = all->with_batch) != NULL) {
		unlist(t); // NOLINT(clang-analyzer-unix.Malloc): what ended left the list
		t->decoded = 0;
		if (t->gave_up)
			end(t, CURLE_WRITE_ERROR);
		else
			t->handler->batch_end(t->context);
	}
}

/* ---- what curl calls on the way ---- */

/* Is the host of its URL a number, so that there is nothing to look up? */
static bool
has_numeric_host(const struct transfer *t)
{
	unsigned char address[sizeof(struct in6_addr)];
	char *host = NULL;
	char *text = NULL;
	CURLU *url = curl_url();
	bool numeric = false;

	curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &text);
	if (url != NULL && text != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		numeric = host[0] == '[' || inet_pton(AF_INET, host, address) == 1;
	curl_free(host);
	curl_url_cleanup(url);
	return numeric;
}

/* Its name was not found in curl's cache. */
static int
begin_lookup(void *resolver, void *reserved, void *context)
{
	struct transfer *t = context;
	const struct transfers *all = t->all;

	(void)resolver;
	(void)reserved;
	if (all->parked_count >= MOST_PARKED && !has_numeric_host(t))
		give_up(t, TRANSFER_NO_ROOM,
			"%zu name lookups have not ended: its name server does not answer",
			all->parked_count);
	else if (!descriptors_left(uv_backend_fd(all->loop), LOOKUP_DESCRIPTORS))
		give_up(t, TRANSFER_NO_ROOM, no_descriptor, descriptors_limit());
	else
		t->state = LOOKING_UP;
	return t->gave_up ? 1 : 0;
}

static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = context;

	(void)purpose;
	if (t->state == PARKED)
		return CURL_SOCKET_BAD;
	t->state = RUNNING;
	int s = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	/* Another of the server's addresses may still find one. */
	if (s < 0 && (errno == EMFILE || errno == ENFILE))
		give_up(t, TRANSFER_NO_ROOM, no_descriptor, descriptors_limit());
	else if (s >= 0)
		t->gave_up = false;
	return s;
}

/*
 * A kept connection may have been closed just before the request came; then curl sends it again.
 * From now on that is on a fresh connection, where a failure is no accident, and not on the next
 * kept one, which the server may have closed, too.
 */
static bool
note_sending(struct transfer *t)
{
	long connections = 0;

	t->state = RUNNING;
	curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connections);
	t->connected = connections > 0;
	curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
	return ++t->sent <= MOST_SENT;
}

#if LIBCURL_VERSION_NUM >= 0x075000
static int
before_sending(void *context, char *remote, char *local, int remote_port, int local_port)
{
	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	return note_sending(context) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}
#else
static int
on_debug(CURL *easy, curl_infotype type, char *text, size_t length, void *context)
{
	(void)easy;
	(void)text;
	(void)length;
	if (type == CURLINFO_HEADER_OUT)
		note_sending(context);
	return 0;
}
#endif

/*
 * Read more of a large body.  What went out on a connection that was made for it is not asked for
 * again; on a kept one curl may have to begin anew, until a response begins.
 */
static size_t
on_upload(char *to, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	size_t left = t->body_length - t->body_at;
	size_t length = size * count < left ? size * count : left;

	if (!t->body_lent)
		return left == 0 ? 0 : CURL_READFUNC_ABORT;
	memcpy(to, t->body + t->body_at, length);
	t->body_at += length;
	if (t->body_at == t->body_length && t->connected)
		tell_body_sent(t);
	return length;
}

static int
on_rewind(void *context, curl_off_t offset, int origin)
{
	struct transfer *t = context;

	if (!t->body_lent || origin != SEEK_SET || offset < 0 || (size_t)offset > t->body_length)
		return CURL_SEEKFUNC_FAIL;
	t->body_at = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t
on_line(char *line, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	size_t length = size * count;
	const char *wrong = response_head_add(&t->head, line, length);

	if (wrong == NULL)
		return length;
	give_up(t, TRANSFER_EXCESSIVE, "%s", wrong);
	return 0;
}

static size_t
on_bytes(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	size_t length = size * count;

	if (t->at == NULL)
		enlist(t, &t->all->with_batch);
	tell_head(t);
	t->decoded += length;
	if (t->decoded > MOST_DECODED)
		give_up(t, TRANSFER_EXCESSIVE,
			"sent an answer that unpacks to far more than it is");
	else if (!t->handler->body(t->context, bytes, length))
		give_up(t, TRANSFER_STOPPED, "%s", "");
	return t->gave_up ? 0 : length;
}

/* ---- all of them ---- */

static CURLM *
new_multi(void)
{
	CURLM *multi = curl_multi_init();
	int share = descriptors_limit() / 4;

	if (multi == NULL)
		return NULL;
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	/* By default curl keeps four for each running transfer: none when the last one ended. */
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
		(long)(share < KEPT_CONNECTIONS ? share : KEPT_CONNECTIONS));
#if LIBCURL_VERSION_NUM >= 0x081400
	curl_multi_setopt(multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
	return multi;
}

struct transfers *
transfers_new(uv_loop_t *loop, struct watches *watches)
{
	struct transfers *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return NULL;
	const struct curl_loop_owner owner = {
		.ended = on_ended,
		.round_end = end_batches,
		.context = all,
	};
	all->loop = loop;
	all->certificates = ca_bundle_file();
	all->multi = new_multi();
	if (all->multi == NULL)
		goto err0;
	all->curl = curl_loop_new(all->multi, loop, watches, &owner);
	if (all->curl == NULL)
		goto err1;
	return all;

err1:
	curl_multi_cleanup(all->multi);
err0:
	free(all);
	return NULL;
}

bool
transfers_leave_lookups(const struct transfers *all)
{
	return all->parked != NULL;
}

void
transfers_free(struct transfers *all)
{
	if (all == NULL)
		return;
	for (size_t i = 0; i < all->kept_count; i++)
		curl_easy_cleanup(all->kept[i]);
	curl_loop_free(all->curl);
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

/* Small bodies go out with the head; large ones are read, so that it is known when they were. */
static void
set_body(struct transfer *t, const struct transfer_request *request)
{
	CURL *easy = t->easy;

	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
	if (request->body_length < LARGE_BODY) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
		return;
	}
	t->body = request->body;
	t->body_length = request->body_length;
	t->body_lent = true;
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
	curl_easy_setopt(easy, CURLOPT_READDATA, t);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
		(long)(request->body_length < UPLOAD_ROUND ? request->body_length : UPLOAD_ROUND));
}

static void
set_method(struct transfer *t, const struct transfer_request *request)
{
	CURL *easy = t->easy;

	if (strcmp(request->method, "GET") == 0)
		return;
	if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	set_body(t, request);
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
set_callbacks(struct transfer *t)
{
	CURL *easy = t->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->problem);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, begin_lookup);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, t);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
#if LIBCURL_VERSION_NUM >= 0x075000
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_sending);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
#else
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, t);
#endif
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
}

static void
set_options(struct transfer *t, const struct transfer_request *request)
{
	CURL *easy = t->easy;

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	set_method(t, request);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy);
	set_trust(t, request->certificates);
	curl_easy_setopt(
		easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout + PATIENCE);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	/* Their decoders need no more than 32 KiB, and make of a byte at most a thousand. */
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075800
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
#else
	/* 7.74 keeps what comes for an HTTP/2 stream that is held, and brings it all at once. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#endif
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
	set_callbacks(t);
	set_options(t, request);
	if (curl_loop_add(all->curl, t->easy) != CURLM_OK)
		goto err1;
	return t;

err1:
	curl_easy_cleanup(t->easy);
err0:
	free(t);
	return NULL;
}

void
transfer_hold(struct transfer *t)
{
	if (t->state == HELD)
		return;
	t->state = HELD;
	/* Sending, too: where only one direction is paused, some versions of curl read once more,
	 * and keep what they read. */
	curl_easy_pause(t->easy, CURLPAUSE_ALL);
}

void
transfer_go_on(struct transfer *t)
{
	if (t->state != HELD)
		return;
	t->state = RUNNING;
	/* It sets curl's timer for now, unless bytes that were still kept are refused. */
	if (curl_easy_pause(t->easy, CURLPAUSE_CONT) != CURLE_OK)
		curl_loop_wake(t->all->curl);
}

bool
transfer_is_held(const struct transfer *t)
{
	return t->state == HELD;
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
	/* curl's own reading of it takes numbers that are too large for it, and 0, as none. */
	const char *value = response_head_find(&t->head, "retry-after");

	return value != NULL ? read_retry_after(value) : 0;
}

void
transfer_each_header(struct transfer *t,
	void (*take)(void *context, const char *name, const char *value), void *context)
{
	response_head_each(&t->head, take, context);
}

const char *
transfer_obstacle(const struct transfer *t)
{
	return t->state == LOOKING_UP ? "its name is still being looked up"
				      : "the connection is not there yet";
}

int64_t
transfer_connect_time(struct transfer *t)
{
	curl_off_t microseconds = 0;

	curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
	return microseconds > 0 ? microseconds / 1000 : -1;
}

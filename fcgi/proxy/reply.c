/*
 * The response on its way to the client; see reply.h.
 */
#include "proxy/reply.h"

#include <stdlib.h>

#include "base/api_error.h"
#include "base/watch.h"
#include "http/response.h"
#include "http/web_request.h"
#include "proxy/accounting.h"
#include "proxy/client_request.h"
#include "proxy/passed_head.h"

enum { WORTH_FREEING = 65536 /* bytes that were sent, while others are pending */ };

/* ---- the head ---- */

void
reply_keep_head(struct reply *r, struct transfer *transfer)
{
	buffer_clear(&r->passed_head);
	r->passed_status = passed_head_write(
		&r->passed_head, transfer, buffer_text(&r->client->headers));
}

void
reply_write_error(struct reply *r, const struct api_error *error)
{
	response_write_error(&r->out, error, r->client->id, buffer_text(&r->client->headers));
	r->head = REPLY_WHOLE;
	r->accounting->status = error->status;
}

/* Write the head of a response that is not an error, and after it what there is of the body. */
static void
write_head(struct reply *r, struct buffer *out)
{
	const struct buffer *body = &r->out;

	r->head = REPLY_WHOLE;
	r->accounting->status = 200;
	if (r->pass) {
		r->accounting->status = r->passed_status;
		buffer_append(out, buffer_text(&r->passed_head), r->passed_head.length);
		buffer_append(out, buffer_text(body), body->length);
	} else if (r->client->stream) {
		r->head = REPLY_STREAM;
		response_write_stream_head(out, r->client->id, buffer_text(&r->client->headers));
		buffer_append(out, body->data, body->length);
	} else {
		response_write_json(out, 200, r->client->id, body->data, body->length,
			buffer_text(&r->client->headers));
	}
}

/* Put the head before the first bytes. */
static void
add_head(struct reply *r, bool last)
{
	struct buffer whole = BUFFER_INIT(r->out.limit);

	if (r->head != REPLY_NO_HEAD || (r->out.length == 0 && !(last && r->pass)))
		return;
	write_head(r, &whole);
	buffer_free(&r->out);
	r->out = whole;
}

/* ---- writing ---- */

size_t
reply_pending(const struct reply *r)
{
	return r->out.length - r->sent;
}

static void
forget_sent(struct reply *r)
{
	if (reply_pending(r) == 0)
		buffer_clear(&r->out);
	else if (r->sent > WORTH_FREEING && r->sent > reply_pending(r))
		buffer_consume(&r->out, r->sent);
	else
		return;
	r->sent = 0;
}

ssize_t
reply_write(struct reply *r, bool last, uint64_t now)
{
	add_head(r, last);
	if (r->out.failed)
		return -1;
	if (reply_pending(r) == 0)
		return 0;
	ssize_t n = web_request_write(r->web, r->out.data + r->sent, reply_pending(r), last);
	if (n <= 0)
		return n;
	if (r->accounting->first_byte == 0)
		r->accounting->first_byte = now;
	accounting_bytes(r->accounting, r->client->settings, r->out.data + r->sent, (size_t)n);
	r->sent += (size_t)n;
	forget_sent(r);
	return n;
}

bool
reply_end(struct reply *r)
{
	return web_request_end(r->web);
}

/* ---- waiting for the client ---- */

static void
on_web_request(void *context, int events)
{
	struct reply *r = context;
	bool gone = (events & (UV_READABLE | UV_DISCONNECT)) != 0 && web_request_is_gone(r->web);

	if (gone || (events & UV_WRITABLE) != 0)
		r->ready(r->context, gone);
}

/* A CGI program's output may be a file, which cannot be waited for, and takes everything at once.
 */
bool
reply_watch(struct reply *r, bool for_room)
{
	int before = r->watched;
	int events = web_request_tells_by_reading(r->web) ? UV_READABLE : UV_DISCONNECT;

	if (for_room)
		events |= UV_WRITABLE;
	if (events != before && watch_start(r->watches, web_request_descriptor(r->web), events,
					on_web_request, r) == 0)
		r->watched = events;
	return for_room && (before & UV_WRITABLE) == 0;
}

void
reply_unwatch(struct reply *r)
{
	if (r->watched != 0)
		watch_stop(r->watches, web_request_descriptor(r->web));
	r->watched = 0;
}

void
reply_close(struct reply *r)
{
	reply_unwatch(r);
	web_request_free(r->web);
	r->web = NULL;
}

void
reply_free(struct reply *r)
{
	buffer_free(&r->out);
	buffer_free(&r->passed_head);
}

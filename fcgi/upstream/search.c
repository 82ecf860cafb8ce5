/*
 * One web search of the proxy's own; see search.h.
 */
#include "upstream/search.h"

#include <stdlib.h>

#include "base/settings/settings.h"
#include "upstream/transfer.h"

enum {
	MOST_BODY = 1 << 20, /* bytes of an answer */
	PATIENCE = 15000,    /* ms, unless REQUEST_TIMEOUT is shorter */
};

struct search {
	struct search_job job;
	struct search_request request;
	struct transfer *transfer;
	int status;
	struct buffer body;
};

static void
free_search(struct search *s)
{
	search_request_free(&s->request);
	buffer_free(&s->body);
	free(s);
}

/* Tell the result, after which nothing is left. */
static void
finish(struct search *s, struct search_result *result)
{
	const struct search_job job = s->job;

	free_search(s);
	job.done(job.context, result);
	search_result_free(result);
}

static void
on_head(void *context)
{
	struct search *s = context;

	s->status = transfer_status(s->transfer);
}

static bool
on_body(void *context, const char *bytes, size_t length)
{
	struct search *s = context;

	return buffer_append(&s->body, bytes, length) == 0;
}

static void
on_batch_end(void *context)
{
	(void)context;
}

static void
on_ended(void *context, enum transfer_outcome outcome, const char *problem)
{
	struct search *s = context;
	struct search_result result = {.outcome = SEARCH_DONE};

	s->transfer = NULL;
	if (outcome == TRANSFER_COMPLETE)
		search_read(&result, s->job.config, s->status, buffer_text(&s->body),
			s->body.length, s->job.sites);
	else if (s->body.failed)
		search_fail(&result, SEARCH_UNAVAILABLE, "it sent more than 1 MiB");
	else
		search_fail(&result, SEARCH_UNAVAILABLE, "%s", problem);
	finish(s, &result);
}

static const struct transfer_handler handler = {
	.head = on_head,
	.body = on_body,
	.batch_end = on_batch_end,
	.ended = on_ended,
};

static const char *
why_not_sent(const struct search_config *config, enum search_outcome outcome)
{
	if (!search_is_configured(config))
		return "this version of claude-proxy does not know it";
	switch (outcome) {
	case SEARCH_INVALID_INPUT:
		return "the query is empty";
	case SEARCH_QUERY_TOO_LONG:
		return "the query is longer than it takes";
	default:
		return "the proxy is out of memory";
	}
}

/* Return SEARCH_DONE, or why there is no transfer. */
static enum search_outcome
begin(struct search *s, const struct search_job *job, struct transfers *transfers)
{
	s->job = *job;
	s->body = BUFFER_INIT(MOST_BODY);
	enum search_outcome outcome = search_request_write(
		&s->request, s->job.config, s->job.query, s->job.sites);
	const struct transfer_request request = {
		.url = buffer_text(&s->request.url),
		.method = s->request.method,
		.body = buffer_text(&s->request.body),
		.body_length = s->request.body.length,
		.headers = s->request.headers,
		.certificates = s->job.certificates,
		.connect_timeout = PATIENCE,
	};

	if (outcome != SEARCH_DONE)
		return outcome;
	s->transfer = transfer_start(transfers, &request, &handler, s);
	return s->transfer != NULL ? SEARCH_DONE : SEARCH_UNAVAILABLE;
}

struct search *
search_start(
	struct transfers *transfers, const struct search_job *job, struct search_result *result)
{
	struct search *s = calloc(1, sizeof(*s));
	enum search_outcome outcome = s != NULL ? begin(s, job, transfers) : SEARCH_UNAVAILABLE;

	*result = (struct search_result){.outcome = SEARCH_DONE};
	if (outcome == SEARCH_DONE)
		return s;
	search_fail(result, outcome, "%s", why_not_sent(job->config, outcome));
	if (s != NULL)
		free_search(s);
	return NULL;
}

int64_t
search_patience(const struct settings *settings)
{
	int64_t silence = settings->silence_timeout;

	return silence < PATIENCE ? silence : PATIENCE;
}

void
search_time_out(struct search *s)
{
	struct search_result result = {.outcome = SEARCH_UNAVAILABLE};
	bool connected = transfer_connect_time(s->transfer) >= 0;

	search_fail(&result, SEARCH_UNAVAILABLE, "%s",
		connected ? "it did not answer in time" : transfer_obstacle(s->transfer));
	transfer_cancel(s->transfer);
	finish(s, &result);
}

void
search_cancel(struct search *s)
{
	transfer_cancel(s->transfer);
	free_search(s);
}

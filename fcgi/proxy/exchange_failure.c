/*
 * An exchange that fails: the next key or another wording, or the client gets the error; see
 * exchange_steps.h.
 */
#include "base/log/log.h"
#include "proxy/exchange_steps.h"
#include "proxy/plan/correction.h"
#include "proxy/plan/next_plan.h"

enum { RETRY_WHEN_FULL = 1 /* s, sent with 529 */ };

/* ---- another attempt ---- */

/* On the loop again: the next plan, or NULL when nothing is left to try. */
static void
on_retry(void *context, struct plan *next)
{
	struct exchange *x = context;

	if (!exchange_resume(x, next))
		return;
	if (next == NULL) {
		exchange_fail(x, &x->failure);
		return;
	}
	plan_replace(&x->plan, next);
	x->accounting.attempts++;
	const struct answer_options options = exchange_answer_options(x);
	if (answer_switch_upstream(x->answer, &options) == 0)
		exchange_attempt(x);
	else
		exchange_fail(x, &x->failure);
}

/* May the request for a message be corrected?  Only before anything of the response went out. */
static bool
may_be_corrected(const struct exchange *x, const struct api_error *error)
{
	return x->client.match.endpoint == ENDPOINT_MESSAGES && !answer_started(x->answer) &&
	       x->reply.head == REPLY_NO_HEAD && correction_may_help(error);
}

void
exchange_fail_attempt(struct exchange *x, const struct api_error *error, bool refused)
{
	struct next_plan_request retry = {
		.loop = x->all->loop,
		.store = x->all->store,
		.previous = &x->plan,
		.client = &x->client,
		.error = &x->failure,
		.correct = refused && may_be_corrected(x, error),
		.next_key = next_key_may_help(error) && (refused || x->plan.repeatable),
		.done = on_retry,
		.context = x,
	};

	if (answer_has_content(x->answer) || !(retry.correct || retry.next_key) ||
		api_error_copy(error, &x->failure) != 0) {
		exchange_fail(x, error);
		return;
	}
	if (retry.correct)
		answer_copy_refusal(x->answer, &retry.refusal);
	if (next_plan_begin(&retry) != 0) {
		buffer_free(&retry.refusal);
		exchange_fail(x, error);
		return;
	}
	x->state = PLANNING;
	exchange_flush(x); /* what this attempt wrote: the next one may have another head */
}

/* ---- the client is told ---- */

/*
 * Put the failure into the response: with a status while nothing was sent, else as the stream's
 * last event.  Return 0, or -1: the response cannot report it and must break off.
 */
static int
write_failure(struct exchange *x, const struct api_error *error)
{
	x->accounting.error_type = error->type;
	x->accounting.error_status = error->status;
	log_debug("%s %d %s: %s", x->client.id, error->status, error->type,
		error->message != NULL ? error->message : "");
	if (answer_pass_refusal(x->answer))
		return 0; /* the upstream's own words */
	if (answer_started(x->answer))
		return answer_write_error(x->answer, error) ? 0 : -1;
	reply_write_error(&x->reply, error);
	return 0;
}

void
exchange_fail(struct exchange *x, const struct api_error *error)
{
	if (write_failure(x, error) != 0)
		exchange_abandon(x);
	else
		exchange_begin_ending(x);
}

void
exchange_fail_without_room(struct exchange *x, const char *problem)
{
	struct api_error error = API_ERROR_NONE;

	api_error_set(&error, 529, "%s", problem);
	error.retry_after = RETRY_WHEN_FULL;
	exchange_fail(x, &error);
	api_error_clear(&error);
}

/* ---- stopping ---- */

/* A worker still reads what belongs to the exchange: give the client what it takes now, and leave
 * the rest to the end of the process. */
static void
abort_planning(struct exchange *x, const struct api_error *error)
{
	if (write_failure(x, error) == 0)
		reply_write(&x->reply, true, uv_now(x->all->loop));
	x->state = ABANDONED;
	reply_unwatch(&x->reply);
}

void
exchanges_abort(struct exchanges *all)
{
	struct api_error error = API_ERROR_NONE;
	struct exchange *next;

	api_error_set(&error, 529, "the proxy is shutting down: please retry");
	for (struct exchange *x = all->first; x != NULL; x = next) {
		next = x->next;
		switch (x->state) {
		case ASKING:
		case SEARCHING:
			exchange_cancel_transfer(x);
			web_search_free(&x->search);
			exchange_fail(x, &error);
			break;
		case PLANNING:
			abort_planning(x, &error);
			break;
		case ABANDONED:
			break;
		case ENDING:
			exchange_abandon(x);
			break;
		case DRAINING:
			exchange_stop_draining(x);
			break;
		}
	}
	api_error_clear(&error);
}

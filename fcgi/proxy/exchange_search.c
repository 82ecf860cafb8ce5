/*
 * An exchange whose model wants something searched: the searches, and the model's next turn; see
 * exchange_steps.h.
 */
#include "proxy/exchange_steps.h"
#include "proxy/plan/next_plan.h"
#include "store/config.h"

static void on_next_turn(void *context, struct plan *next);

static void
fail_search(struct exchange *x, const char *problem)
{
	struct api_error error = API_ERROR_NONE;

	api_error_set(&error, 502, "upstream '%s' %s", x->plan.to.upstream->name, problem);
	exchange_fail(x, &error);
	api_error_clear(&error);
}

/* The model's next turn: a worker writes its request. */
static void
begin_next_turn(struct exchange *x)
{
	const struct next_plan_request next = {
		.loop = x->all->loop,
		.store = x->all->store,
		.previous = &x->plan,
		.client = &x->client,
		.done = on_next_turn,
		.context = x,
	};

	if (next_plan_begin(&next) != 0) {
		exchange_fail_without_room(x, "the proxy is out of memory");
		return;
	}
	x->state = PLANNING;
	exchange_flush(x);
}

/* Make the next search of the turn that has ended, or go on after the last. */
static void
search(void *context)
{
	struct exchange *x = context;

	switch (web_search_step(&x->search, uv_now(x->all->loop))) {
	case WEB_SEARCH_RUNS:
		exchange_flush(x);
		break;
	case WEB_SEARCH_GOES_ON:
		begin_next_turn(x);
		break;
	case WEB_SEARCH_ENDED:
		exchange_begin_ending(x);
		break;
	case WEB_SEARCH_FAILED:
		fail_search(x, "sent more than can be kept while the proxy searches the web");
		break;
	}
}

void
exchange_begin_searching(struct exchange *x)
{
	x->state = SEARCHING;
	x->whole_since = uv_now(x->all->loop);
	x->search.client = &x->client;
	x->search.writer = answer_writer(x->answer);
	x->search.terms = &x->plan.search;
	x->search.transfers = x->all->transfers;
	x->search.ended = search;
	x->search.context = x;
	if (web_search_begin(&x->search, x->plan.to.config) == 0)
		search(x);
	else
		fail_search(x, "sent more than can be kept while the proxy searches the web");
}

/* On the loop again: the plan of the model's next turn, or NULL where there is none. */
static void
on_next_turn(void *context, struct plan *next)
{
	struct exchange *x = context;

	if (!exchange_resume(x, next))
		return;
	if (next == NULL) {
		fail_search(x, "could not continue after the web search");
		return;
	}
	/* What the turn before came with may not have ended. */
	exchange_cancel_transfer(x);
	x->drained = 0;
	plan_replace(&x->plan, next);
	const struct answer_options options = exchange_answer_options(x);
	if (answer_next_turn(x->answer, &options) == 0)
		exchange_attempt(x);
	else
		exchange_fail_without_room(x, "the proxy is out of memory");
}

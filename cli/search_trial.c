/*
 * One search; see search_trial.h.
 */
#include "search_trial.h"

#include <curl/curl.h>
#include <stdio.h>
#include <uv.h>

#include "base/settings/settings.h"
#include "base/watch.h"
#include "command.h"
#include "store/config.h"
#include "upstream/search.h"
#include "upstream/search_sites.h"
#include "upstream/transfer.h"

struct trial {
	const struct admin *admin;
	const char *query;
	struct search_result *result;
	uv_loop_t loop;
	uv_timer_t timer;
	struct search *search; /* NULL: it is over */
};

static void
on_done(void *context, struct search_result *result)
{
	struct trial *t = context;

	t->search = NULL;
	uv_timer_stop(&t->timer);
	*t->result = *result;
	*result = (struct search_result){0};
}

static void
on_time_over(uv_timer_t *timer)
{
	struct trial *t = timer->data;

	search_time_out(t->search);
}

static void
begin(struct trial *t, struct transfers *transfers)
{
	static const struct search_sites anywhere;
	const struct search_job job = {
		.config = &t->admin->config->search,
		.query = t->query,
		.sites = &anywhere,
		.certificates = t->admin->settings->certificates,
		.done = on_done,
		.context = t,
	};

	t->search = search_start(transfers, &job, t->result);
}

static void
run(struct trial *t, struct watches *watches)
{
	struct transfers *transfers = transfers_new(&t->loop, watches);

	if (transfers == NULL)
		return;
	uv_timer_init(&t->loop, &t->timer);
	t->timer.data = t;
	uv_timer_start(&t->timer, on_time_over, (uint64_t)search_patience(t->admin->settings), 0);
	begin(t, transfers);
	while (t->search != NULL)
		uv_run(&t->loop, UV_RUN_ONCE);
	transfers_free(transfers);
	uv_close((uv_handle_t *)&t->timer, NULL);
}

void
search_try(const struct admin *a, const char *query, struct search_result *result)
{
	struct trial t = {.admin = a, .query = query, .result = result};

	*result = (struct search_result){.outcome = SEARCH_UNAVAILABLE, .problem = "out of memory"};
	if (uv_loop_init(&t.loop) != 0)
		return;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	struct watches *watches = watches_new(&t.loop);
	if (watches != NULL)
		run(&t, watches);
	watches_free(watches);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	uv_loop_close(&t.loop);
	curl_global_cleanup();
}

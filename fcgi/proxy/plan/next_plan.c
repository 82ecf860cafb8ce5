/*
 * The plan that follows another; see next_plan.h.
 */
#include "proxy/plan/next_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/text/safe_text.h"
#include "proxy/accounting.h"
#include "proxy/plan/correction.h"
#include "proxy/plan/plan.h"
#include "store/config.h"
#include "store/store.h"
#include "translate/answer/upstream_error.h"

enum { MOST_STORED = 300 /* bytes of an error's message */ };

struct job {
	uv_work_t work;
	struct next_plan_request request;
	struct plan next;
	bool found;
};

bool
next_key_may_help(const struct api_error *error)
{
	return upstream_error_pause(error->status) > 0;
}

/* How long the key is paused, in ms. */
static int64_t
pause_after(const struct api_error *error)
{
	int64_t seconds = error->retry_after > 0 ? error->retry_after
						 : upstream_error_pause(error->status);

	return 1000 * seconds < KEY_LONGEST_REST ? 1000 * seconds : KEY_LONGEST_REST;
}

/* Store that the key is paused, and why. */
static void
pause_key(const struct next_plan_request *r)
{
	const struct api_key *key = r->previous->to.key;
	const char *message = r->error->message != NULL ? r->error->message : "";
	struct buffer reason = BUFFER_INIT(0);

	if (key == NULL)
		return;
	/* The token was revoked early, perhaps: the next request gets another. */
	if (key->command != NULL && r->error->status == 401)
		store_forget_token(r->store, key->id);
	buffer_printf(&reason, "%d: ", r->error->status);
	buffer_append(&reason, message, safe_text_cut(message, strlen(message), MOST_STORED));
	store_rest_key(
		r->store, key->id, clock_now_ms() + pause_after(r->error), buffer_text(&reason));
	buffer_free(&reason);
}

static void
write_next(uv_work_t *work)
{
	struct job *job = work->data;
	const struct next_plan_request *r = &job->request;

	if (r->error == NULL) {
		job->found = plan_repeat(r->previous, &job->next, r->client, NULL) == 0;
		return;
	}
	job->found = r->correct && correction_find(r->previous, &job->next, r->store, r->client,
					   r->error, &r->refusal) == 0;
	if (job->found || !r->next_key)
		return;
	/* Only now: a key whose request was corrected is not paused. */
	accounting_failed_attempt(r->client, r->previous, r->error->type, pause_after(r->error));
	pause_key(r);
	job->found = plan_next(r->previous, &job->next, r->store, r->client) == 0;
}

static void
after_work(uv_work_t *work, int status)
{
	struct job *job = work->data;

	(void)status; /* never cancelled */
	job->request.done(job->request.context, job->found ? &job->next : NULL);
	buffer_free(&job->request.refusal);
	free(job);
}

int
next_plan_begin(const struct next_plan_request *request)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return -1;
	job->request = *request;
	job->work.data = job;
	if (uv_queue_work(request->loop, &job->work, write_next, after_work) == 0)
		return 0;
	free(job);
	return -1;
}

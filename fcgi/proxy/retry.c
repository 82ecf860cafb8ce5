/*
 * What follows a failed attempt; see retry.h.
 */
#include "proxy/retry.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "proxy/accounting.h"
#include "proxy/correction.h"
#include "proxy/plan.h"
#include "store/config.h"
#include "store/store.h"
#include "translate/upstream_error.h"

enum { MOST_STORED = 300 /* bytes of an error's message */ };

struct retry {
	uv_work_t work;
	struct retry_request request;
	struct plan next;
	bool found;
};

bool
retry_may_help(const struct api_error *error)
{
	return upstream_error_pause(error->status) > 0;
}

/* How long the key rests, in ms. */
static int64_t
rest_after(const struct api_error *error)
{
	int64_t seconds = error->retry_after > 0 ? error->retry_after
						 : upstream_error_pause(error->status);

	return 1000 * seconds < KEY_LONGEST_REST ? 1000 * seconds : KEY_LONGEST_REST;
}

/* Store that the key rests, and why. */
static void
let_key_rest(const struct retry_request *r)
{
	const struct api_key *key = r->failed->to.key;
	const char *message = r->error->message != NULL ? r->error->message : "";
	struct buffer reason = BUFFER_INIT(0);

	if (key == NULL)
		return;
	/* The token was revoked early, perhaps: the next request gets another. */
	if (key->command != NULL && r->error->status == 401)
		store_forget_token(r->store, key->id);
	buffer_printf(&reason, "%d: ", r->error->status);
	for (size_t at = 0; at < MOST_STORED && message[at] != '\0';) {
		size_t n = utf8_character_length(message + at, strlen(message + at));
		buffer_append(&reason, message + at, n > 0 ? n : 1);
		at += n > 0 ? n : 1;
	}
	store_rest_key(
		r->store, key->id, clock_now_ms() + rest_after(r->error), buffer_text(&reason));
	buffer_free(&reason);
}

static void
work(uv_work_t *job)
{
	struct retry *retry = job->data;
	const struct retry_request *r = &retry->request;

	if (r->next_turn) {
		retry->found = plan_repeat(r->failed, &retry->next, r->client, NULL) == 0;
		return;
	}
	retry->found = r->correct && correction_find(r->failed, &retry->next, r->store, r->client,
					     r->error, &r->refusal) == 0;
	if (retry->found || !r->next_key)
		return;
	/* Only now: a key whose request was corrected is not paused. */
	accounting_failed_attempt(r->client, r->failed, r->error->type, rest_after(r->error));
	let_key_rest(r);
	retry->found = plan_next(r->failed, &retry->next, r->store, r->client) == 0;
}

static void
after_work(uv_work_t *job, int status)
{
	struct retry *retry = job->data;

	(void)status; /* never cancelled */
	retry->request.done(retry->request.context, retry->found ? &retry->next : NULL);
	buffer_free(&retry->request.refusal);
	free(retry);
}

int
retry_begin(const struct retry_request *request)
{
	struct retry *retry = calloc(1, sizeof(*retry));

	if (retry == NULL)
		return -1;
	retry->request = *request;
	retry->work.data = retry;
	if (uv_queue_work(request->loop, &retry->work, work, after_work) == 0)
		return 0;
	free(retry);
	return -1;
}

/*
 * What time does to an exchange: its deadlines, one timer for all of them, and pings; see
 * exchange_steps.h.
 */
#include "base/settings/settings.h"
#include "proxy/exchange_steps.h"
#include "store/config.h"

enum {
	STALLED_CLIENT = 600000, /* ms without taking a byte: it is gone */
	DRAIN = 1000, /* ms for the end of a transfer whose answer is whole: keeps its connection */
};

int64_t
exchange_connect_timeout(const struct exchange *x)
{
	int64_t own = x->plan.to.upstream->options.timeout;

	return own != 0 ? own : x->client.settings->connect_timeout;
}

static int64_t
silence_timeout(const struct exchange *x)
{
	int64_t own = x->plan.to.upstream->options.timeout;

	return own != 0 ? own : x->client.settings->silence_timeout;
}

bool
exchange_waits_for_client(const struct exchange *x)
{
	switch (x->state) {
	case ASKING:
	case SEARCHING:
	case PLANNING:
		return reply_pending(&x->reply) > 0;
	case ENDING:
		return true;
	case ABANDONED:
	case DRAINING:
		break;
	}
	return false;
}

/* When a client that takes nothing counts as gone; UINT64_MAX, here and below: it does not now. */
static uint64_t
client_deadline(const struct exchange *x)
{
	return exchange_waits_for_client(x) ? x->last_output + STALLED_CLIENT : UINT64_MAX;
}

/* When the upstream has been silent for too long. */
static uint64_t
silence_deadline(const struct exchange *x)
{
	if (x->last_input > x->attempt_began)
		return x->last_input + (uint64_t)silence_timeout(x);
	int64_t connected = transfer_connect_time(x->transfer);
	if (connected < 0)
		return x->attempt_began + (uint64_t)exchange_connect_timeout(x);
	return x->attempt_began + (uint64_t)connected + (uint64_t)silence_timeout(x);
}

/* When the transfer is cancelled; not while we hold it ourselves. */
static uint64_t
upstream_deadline(const struct exchange *x)
{
	if (x->state == SEARCHING)
		return web_search_deadline(&x->search);
	if (x->transfer == NULL)
		return UINT64_MAX;
	if (x->state != ASKING)
		return x->whole_since + DRAIN;
	return transfer_is_held(x->transfer) ? UINT64_MAX : silence_deadline(x);
}

/* When a silent stream gets a ping.  What is passed through has its own. */
static uint64_t
ping_deadline(const struct exchange *x)
{
	bool open = x->state == ASKING || x->state == SEARCHING || x->state == PLANNING;

	if (!open || reply_pending(&x->reply) > 0 || !x->client.stream || x->plan.pass)
		return UINT64_MAX;
	return x->last_output + (uint64_t)x->client.settings->ping_interval;
}

static void
time_out(struct exchange *x)
{
	struct api_error error = API_ERROR_NONE;

	if (transfer_connect_time(x->transfer) < 0)
		upstream_error_no_answer(x->plan.to.upstream->base_url,
			transfer_obstacle(x->transfer), exchange_connect_timeout(x),
			&x->error_context, &error);
	else
		api_error_set(&error, 504, "upstream '%s' sent nothing for %lld ms",
			x->plan.to.upstream->name, (long long)silence_timeout(x));
	exchange_cancel_transfer(x);
	exchange_fail_attempt(x, &error, false);
	api_error_clear(&error);
}

void
exchange_stop_draining(struct exchange *x)
{
	exchange_cancel_transfer(x);
	if (x->state == DRAINING)
		exchange_dispose(x);
	else
		exchange_arm_timer(x);
}

static void
ping(struct exchange *x)
{
	answer_ping(x->answer);
	x->last_output = uv_now(x->all->loop);
	exchange_flush(x);
}

static void
on_timer(uv_timer_t *timer)
{
	struct exchange *x = timer->data;
	uint64_t now = uv_now(x->all->loop);

	x->timer_due = UINT64_MAX;
	if (now >= client_deadline(x))
		exchange_abandon(x);
	else if (now < upstream_deadline(x) && now >= ping_deadline(x))
		ping(x);
	else if (now < upstream_deadline(x))
		exchange_arm_timer(x);
	else if (x->state == ASKING)
		time_out(x);
	else if (x->state == SEARCHING)
		web_search_time_out(&x->search);
	else
		exchange_stop_draining(x);
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Deadlines that moved away, as they do at every byte, cost nothing: the timer finds out when it
 * fires. */
void
exchange_arm_timer(struct exchange *x)
{
	uint64_t now = uv_now(x->all->loop);
	uint64_t due = earlier(client_deadline(x), earlier(upstream_deadline(x), ping_deadline(x)));

	if (due >= x->timer_due)
		return;
	x->timer_due = due;
	uv_timer_start(&x->timer, on_timer, due > now ? due - now : 0, 0);
}

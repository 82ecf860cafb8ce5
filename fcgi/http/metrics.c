/*
 * GET /metrics; see metrics.h.
 */
#include "http/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "store/config.h"
#include "store/totals.h"

const char metrics_content_type[] = "text/plain; version=0.0.4; charset=utf-8";

static void
write_heading(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value may be anything that an upstream can be named. */
static void
write_label_text(struct buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			buffer_puts(out, "\\n");
			continue;
		}
		if (*text == '\\' || *text == '"')
			buffer_putc(out, '\\');
		buffer_putc(out, *text);
	}
}

/* `name{upstream="…",` */
static void
begin_sample(struct buffer *out, const char *name, const char *suffix, const char *upstream)
{
	buffer_puts(out, name);
	buffer_puts(out, suffix);
	buffer_puts(out, "{upstream=\"");
	write_label_text(out, upstream);
	buffer_puts(out, "\",");
}

static void
begin_row(struct buffer *out, const char *name, const char *suffix, const struct request_total *row)
{
	begin_sample(out, name, suffix, row->upstream);
	buffer_printf(out, "kind=\"%s\",status=\"%d\"", request_kind_name(row->kind), row->status);
}

static void
end_sample(struct buffer *out, uint64_t value)
{
	buffer_puts(out, "} ");
	buffer_put_uint(out, value);
	buffer_putc(out, '\n');
}

static void
write_requests(struct buffer *out, const struct totals *t)
{
	static const char name[] = "claude_proxy_requests_total";

	write_heading(out, name, "counter",
		"Requests by upstream (empty: refused before one was chosen), kind and the HTTP "
		"status sent.");
	for (size_t i = 0; i < t->count; i++) {
		begin_row(out, name, "", &t->rows[i]);
		end_sample(out, t->rows[i].requests);
	}
}

struct tokens {
	uint64_t input, output, cache_read, cache_creation;
};

/* Those of all rows of an upstream, which stand together: from ${i} on, which is moved behind them.
 */
static struct tokens
sum_tokens(const struct totals *t, size_t *i)
{
	const char *upstream = t->rows[*i].upstream;
	struct tokens sum = {0};

	for (; *i < t->count && strcmp(t->rows[*i].upstream, upstream) == 0; ++*i) {
		sum.input = usage_sum(sum.input, t->rows[*i].input_tokens);
		sum.output = usage_sum(sum.output, t->rows[*i].output_tokens);
		sum.cache_read = usage_sum(sum.cache_read, t->rows[*i].cache_read_input_tokens);
		sum.cache_creation = usage_sum(
			sum.cache_creation, t->rows[*i].cache_creation_input_tokens);
	}
	return sum;
}

static void
write_token_sample(struct buffer *out, const char *upstream, const char *type, uint64_t tokens)
{
	begin_sample(out, "claude_proxy_tokens_total", "", upstream);
	buffer_printf(out, "type=\"%s\"", type);
	end_sample(out, tokens);
}

static void
write_tokens(struct buffer *out, const struct totals *t)
{
	write_heading(out, "claude_proxy_tokens_total", "counter",
		"Tokens that upstreams reported, by upstream and type.");
	for (size_t i = 0; i < t->count;) {
		const char *upstream = t->rows[i].upstream;
		const struct tokens sum = sum_tokens(t, &i);
		if (upstream[0] == '\0')
			continue;
		write_token_sample(out, upstream, "input", sum.input);
		write_token_sample(out, upstream, "output", sum.output);
		write_token_sample(out, upstream, "cache_read", sum.cache_read);
		write_token_sample(out, upstream, "cache_creation", sum.cache_creation);
	}
}

static void
write_histogram(struct buffer *out, const char *name, const struct request_total *row,
	const struct latency *latency)
{
	uint64_t requests = 0;
	uint64_t ms = 0;

	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		requests += latency->requests[i];
	if (requests == 0)
		return;
	requests = 0;
	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		requests += latency->requests[i];
		ms += latency->duration[i];
		begin_row(out, name, "_bucket", row);
		buffer_puts(out, ",le=\"");
		if (latency_bounds[i] == INT64_MAX)
			buffer_puts(out, "+Inf");
		else
			clock_write_duration(out, latency_bounds[i]);
		buffer_putc(out, '"');
		end_sample(out, requests);
	}
	begin_row(out, name, "_sum", row);
	buffer_puts(out, "} ");
	clock_write_duration(out, (int64_t)ms);
	buffer_putc(out, '\n');
	begin_row(out, name, "_count", row);
	end_sample(out, requests);
}

static void
write_latencies(struct buffer *out, const struct totals *t)
{
	static const char first_byte[] = "claude_proxy_first_byte_seconds";
	static const char duration[] = "claude_proxy_request_duration_seconds";

	write_heading(out, first_byte, "histogram",
		"Time from a request to the first byte of its answer.");
	for (size_t i = 0; i < t->count; i++)
		write_histogram(out, first_byte, &t->rows[i], &t->rows[i].first_byte);
	write_heading(out, duration, "histogram", "Time from a request to the end of its answer.");
	for (size_t i = 0; i < t->count; i++)
		write_histogram(out, duration, &t->rows[i], &t->rows[i].duration);
}

static void
write_keys(struct buffer *out, const struct config *config, int64_t now)
{
	static const char name[] = "claude_proxy_api_keys";

	write_heading(out, name, "gauge", "API keys by upstream and state.");
	for (size_t i = 0; config != NULL && i < config->upstream_count; i++) {
		const struct upstream *u = &config->upstreams[i];
		uint64_t counts[KEY_STATES] = {0};
		for (size_t k = 0; k < u->key_count; k++)
			counts[api_key_state(&u->keys[k], now)]++;
		for (int state = 0; state < KEY_STATES; state++) {
			begin_sample(out, name, "", u->name);
			buffer_printf(out, "state=\"%s\"", key_state_name((enum key_state)state));
			end_sample(out, counts[state]);
		}
	}
}

static void
write_current(struct buffer *out, const struct config *config)
{
	static const char name[] = "claude_proxy_upstream_current";

	write_heading(out, name, "gauge", "1 for the current upstream, 0 for the others.");
	for (size_t i = 0; config != NULL && i < config->upstream_count; i++) {
		const struct upstream *u = &config->upstreams[i];
		begin_sample(out, name, "", u->name);
		buffer_puts(out, "service_type=\"");
		write_label_text(out, u->service_type);
		buffer_putc(out, '"');
		end_sample(out, u == config->current);
	}
}

void
metrics_write(struct buffer *out, const struct metrics *m)
{
	write_heading(out, "claude_proxy_info", "gauge", "The version, as a label.");
	buffer_puts(out, "claude_proxy_info{version=\"" VERSION "\"} 1\n");
	write_heading(out, "claude_proxy_uptime_seconds", "gauge",
		"How long the service has been up; run as CGI, since its database was made.");
	buffer_puts(out, "claude_proxy_uptime_seconds ");
	clock_write_duration(out, m->uptime);
	buffer_putc(out, '\n');
	write_heading(out, "claude_proxy_requests_in_flight", "gauge",
		"Requests being answered, in all processes.");
	buffer_puts(out, "claude_proxy_requests_in_flight ");
	buffer_put_uint(out, (uint64_t)m->in_flight);
	buffer_putc(out, '\n');
	write_keys(out, m->config, m->now);
	write_current(out, m->config);
	write_requests(out, m->totals);
	write_tokens(out, m->totals);
	write_latencies(out, m->totals);
}

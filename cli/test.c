/*
 * The command `test`: one short real request for each key.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/secret.h"
#include "base/url.h"
#include "command.h"
#include "output.h"
#include "print.h"
#include "probe.h"
#include "store/config.h"

/* What is shown of one key. */
struct result {
	const struct upstream *upstream;
	size_t index; /* of the key */
	bool asked;   /* false: it is disabled */
	const char *model;
	const struct probe_answer *answer; /* NULL where it was not asked */
};

/* The test of several keys. */
struct run {
	struct admin *admin;
	size_t failed;
	struct buffer rows; /* for --json */
};

static bool
is_good(const struct result *r)
{
	return r->asked && r->answer->error.status == 0;
}

static void
show(const struct result *r)
{
	char mask[SECRET_MASK_SIZE];

	secret_mask(r->upstream->keys[r->index].secret, mask);
	print("  %zu  %s  ", r->index, mask);
	if (!r->asked)
		puts("disabled: not asked");
	else if (is_good(r))
		print("ok  %lld ms  %s\n", (long long)r->answer->ms, r->model);
	else
		print("%d %s  %lld ms  %s\n       %s\n", r->answer->error.status,
			r->answer->error.type, (long long)r->answer->ms, r->model,
			r->answer->error.message);
}

static void
write_row(struct buffer *out, const struct result *r)
{
	char mask[SECRET_MASK_SIZE];

	secret_mask(r->upstream->keys[r->index].secret, mask);
	buffer_puts(out, out->length > 0 ? ",{\"upstream\":" : "{\"upstream\":");
	json_write_text(out, r->upstream->name);
	buffer_printf(out, ",\"index\":%zu,\"key\":", r->index);
	json_write_text(out, mask);
	buffer_printf(out, ",\"asked\":%s", r->asked ? "true" : "false");
	if (r->asked) {
		buffer_puts(out, ",\"model\":");
		json_write_text(out, r->model);
		buffer_printf(out, ",\"ok\":%s,\"status\":%d,\"ms\":%lld",
			is_good(r) ? "true" : "false",
			is_good(r) ? r->answer->status : r->answer->error.status,
			(long long)r->answer->ms);
	}
	if (r->asked && !is_good(r)) {
		buffer_puts(out, ",\"error\":");
		json_write_text(out, r->answer->error.type);
		buffer_puts(out, ",\"message\":");
		json_write_text(out, r->answer->error.message);
	}
	buffer_putc(out, '}');
}

static void
tell(struct run *run, const struct result *r)
{
	if (r->asked && !is_good(r))
		run->failed++;
	if (run->admin->json)
		write_row(&run->rows, r);
	else
		show(r);
}

/* The model to ask: --model, else that of a route, else one of the upstream's own.  Owned; NULL:
 * none was found. */
static char *
find_model(const struct admin *a, const struct upstream *u)
{
	const struct config *config = a->config;
	struct probe probe = {.settings = a->settings, .upstream = u};

	if (a->model != NULL)
		return strdup(a->model);
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *r = &config->routes[i];
		if (r->upstream == u || (r->upstream == NULL && u == config->current))
			return strdup(r->model);
	}
	for (size_t i = 0; i < u->key_count; i++) {
		char *model = NULL;
		probe.key = &u->keys[i];
		if (u->keys[i].enabled && (model = probe_choose_model(&probe)) != NULL)
			return model;
	}
	return NULL;
}

static void
test_key(struct run *run, const struct upstream *u, size_t index, const char *model)
{
	struct result result = {.upstream = u, .index = index, .model = model};
	const struct probe probe = {run->admin->settings, u, &u->keys[index]};
	struct probe_answer answer = {0};

	result.asked = u->keys[index].enabled;
	result.answer = &answer;
	if (result.asked)
		probe_message(&probe, model, &answer);
	tell(run, &result);
	fflush(stdout);
	probe_answer_free(&answer);
}

static void
show_heading(const struct upstream *u)
{
	struct buffer origin = BUFFER_INIT(0);

	url_write_origin(&origin, u->base_url);
	fputs(print_bold(), stdout);
	print("%s", u->name);
	fputs(print_plain(), stdout);
	print("  %s  %s\n", u->service_type, buffer_text(&origin));
	buffer_free(&origin);
}

static int
test_upstream(struct run *run, const struct upstream *u)
{
	if (!run->admin->json)
		show_heading(u);
	if (u->key_count == 0)
		return fail("%s has no API key: claude-proxy-admin key %s add -", u->name, u->name);
	char *model = find_model(run->admin, u);
	if (model == NULL)
		return fail("%s lists no model that could be asked: say one with --model", u->name);
	for (size_t i = 0; i < u->key_count; i++)
		test_key(run, u, i, model);
	free(model);
	return EXIT_DONE;
}

int
run_test(struct admin *a, int count, char **arguments)
{
	struct run run = {.admin = a, .rows = BUFFER_INIT(0)};
	const struct upstream *one = count > 0 ? find_upstream(a, arguments[0])
					       : a->config->current;
	int status = EXIT_DONE;

	if (one == NULL)
		return count > 0 ? EXIT_FAILED
				 : fail("there is no upstream: claude-proxy-admin add <name> "
					"<baseUrl> <serviceType>");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (size_t i = 0; i < a->config->upstream_count; i++) {
		const struct upstream *u = &a->config->upstreams[i];
		if ((a->all || u == one) && test_upstream(&run, u) != EXIT_DONE)
			status = EXIT_FAILED;
	}
	if (a->json)
		print_json_array(&run.rows);
	buffer_free(&run.rows);
	curl_global_cleanup();
	return run.failed > 0 ? EXIT_FAILED : status;
}

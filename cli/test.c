/*
 * The command `test`: one short real request for each key.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json/json_writer.h"
#include "base/secret.h"
#include "base/text/url.h"
#include "command.h"
#include "terminal/output.h"
#include "terminal/print.h"
#include "probe.h"
#include "store/config.h"

/* What is shown of one key. */
struct result {
	const struct upstream *upstream;
	size_t index; /* of the key */
	bool asked;   /* false: the key is disabled, or its command failed */
	const char *model;
	const struct probe_answer *answer; /* NULL if the key is disabled */
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
show_good(const struct result *r)
{
	print_styled(STYLE_GOOD, "ok");
	print("  %lld ms  %s\n", (long long)r->answer->ms, r->model);
}

static void
show_bad(const struct result *r)
{
	char status[64];

	snprintf(status, sizeof(status), "%d %s", r->answer->error.status, r->answer->error.type);
	print_styled(STYLE_BAD, status);
	print("  %lld ms  %s\n       %s\n", (long long)r->answer->ms, r->model,
		r->answer->error.message);
}

static void
show(const struct result *r)
{
	char mask[SECRET_MASK_SIZE];

	secret_mask(r->upstream->keys[r->index].secret, mask);
	print("  %zu  %s  ", r->index, mask);
	if (!r->asked)
		puts(r->upstream->keys[r->index].enabled ? "not tested: its command failed"
							 : "disabled: not tested");
	else if (is_good(r))
		show_good(r);
	else
		show_bad(r);
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
report(struct run *run, const struct result *r)
{
	if (r->asked && !is_good(r))
		run->failed++;
	if (run->admin->json)
		write_row(&run->rows, r);
	else
		show(r);
}

/* A model from the upstream's own list.  Without one, any model shows what is wrong with the
 * connection or the key; but a service that has no list would only refuse the name. */
static char *
choose_listed_model(const struct admin *a, const struct upstream *u)
{
	static const char any_model[] = "gpt-6-luna";
	struct probe probe = {.settings = a->settings, .upstream = u};
	struct probe_answer list;
	char *model = NULL;
	bool no_list = true;
	bool sent = false;

	for (size_t i = 0; i < u->key_count && model == NULL; i++) {
		probe.key = &u->keys[i];
		if (!u->keys[i].enabled || u->keys[i].secret[0] == '\0')
			continue;
		sent = true;
		model = probe_choose_model(&probe, &list);
		no_list = list.error.status == 0 || list.status == 404 || list.status == 405;
		if (model == NULL && no_list)
			fail("%s does not list a model to test with%s%s: name one with --model",
				u->name, list.error.status != 0 ? ": " : "",
				list.error.status != 0 ? list.error.message : "");
		probe_answer_free(&list);
		if (no_list)
			break;
	}
	return model == NULL && (!no_list || !sent) ? strdup(any_model) : model;
}

/* The model to test with: --model, else that of a route, else one of the upstream's own.  Owned;
 * NULL if there is none (reported). */
static char *
find_model(const struct admin *a, const struct upstream *u)
{
	const struct config *config = a->config;

	if (a->model != NULL)
		return strdup(a->model);
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *r = &config->routes[i];
		if (r->upstream == u || (r->upstream == NULL && u == config->current))
			return strdup(r->model);
	}
	return choose_listed_model(a, u);
}

static void
test_key(struct run *run, const struct upstream *u, size_t index, const char *model)
{
	struct result result = {.upstream = u, .index = index, .model = model};
	const struct probe probe = {run->admin->settings, u, &u->keys[index]};
	struct probe_answer answer = {0};

	/* Without what its command should have printed, there is nothing to send. */
	result.asked = u->keys[index].enabled && u->keys[index].secret[0] != '\0';
	run->failed += u->keys[index].enabled && !result.asked;
	result.answer = &answer;
	if (result.asked)
		probe_message(&probe, model, &answer);
	report(run, &result);
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
	u = keys_fetch(run->admin, u);
	if (u == NULL)
		return EXIT_FAILED;
	if (u->key_count == 0)
		return fail("%s has no API key: %s", u->name, HINT("key", u->name, "add", "-"));
	if (upstream_enabled_key(u) == NULL)
		return fail("all keys of %s are disabled: %s", u->name,
			HINT("key", u->name, "enable", "<index>"));
	char *model = find_model(run->admin, u);
	if (model == NULL)
		return EXIT_FAILED;
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
	int64_t id = one != NULL ? one->id : 0;
	int status = EXIT_DONE;

	if (one == NULL)
		return count > 0 ? EXIT_FAILED
				 : fail("there is no upstream yet: %s",
					   hint_first_upstream(&(struct hint){{0}}));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (size_t i = 0; i < a->config->upstream_count; i++) {
		const struct upstream *u = &a->config->upstreams[i];
		if ((a->all || u->id == id) && test_upstream(&run, u) != EXIT_DONE)
			status = EXIT_FAILED;
	}
	if (a->json)
		print_json_array(&run.rows);
	buffer_free(&run.rows);
	curl_global_cleanup();
	return run.failed > 0 ? EXIT_FAILED : status;
}

/*
 * The command translate: what the responder would send to an upstream, or make of its response
 * (SPEC §7).  The same code, without a network; without the database, too, unless an upstream of it
 * is named.
 */
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/secret.h"
#include "command.h"
#include "terminal/input.h"
#include "terminal/output.h"
#include "store/config.h"
#include "translate/answer/answer.h"
#include "translate/claude/own_search.h"
#include "translate/claude/request.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "upstream/service.h"
#include "upstream/upstream_request.h"

enum { MOST_INPUT = 64 << 20 }; /* bytes */

static int
say_error(const struct api_error *error)
{
	return fail("%s: %s", error->type, error->message != NULL ? error->message : "");
}

/* ---- requests ---- */

static int
translate_request(const struct translator *translator, const struct buffer *text,
	struct buffer *out, struct api_error *error)
{
	struct claude_request request;
	struct tool_names *names = tool_names_new(translator->name_rule);
	int status = claude_request_parse(buffer_text(text), text->length, &request, error);

	if (status == 0 && !translator->passes_through)
		status = claude_request_check(&request, CLAUDE_TO_ANSWER, error);
	if (status == 0 && names == NULL)
		status = api_error_no_memory(error);
	if (status == 0) {
		const struct translate_target target = {
			.model = request.model,
			.facts = model_facts_find(NULL, request.model),
		};
		status = translator->write_request(&request, &target, names, out, error);
	}
	tool_names_free(names);
	claude_request_free(&request);
	return status;
}

/* ---- requests to an upstream of the database ---- */

/* The model that the upstream would be asked for. */
static const char *
model_at(const struct config *config, const struct upstream *u, const char *model)
{
	const struct route *route = config_find_route(config, model);
	bool leads_there = route != NULL && (route->upstream == u || (route->upstream == NULL &&
									     u == config->current));

	if (!leads_there)
		route = config_find_route_to(config, model, u);
	return route != NULL ? route->model : model;
}

/* Where it goes, and its headers; every secret masked. */
static void
show_head(const struct upstream_request *r)
{
	struct buffer shown = BUFFER_INIT(0);
	const char *key = r->key != NULL ? r->key->secret : NULL;

	secret_redact(&shown, buffer_text(&r->url), r->url.length, key, r->secrets);
	tell("POST %s", buffer_text(&shown));
	for (const struct curl_slist *line = r->headers; line != NULL; line = line->next) {
		buffer_clear(&shown);
		secret_redact(&shown, line->data, strlen(line->data), key, r->secrets);
		if (strcmp(line->data, "Expect:") != 0)
			tell("%s", buffer_text(&shown));
	}
	buffer_free(&shown);
}

/* The body: as the first turn of a model for which the proxy searches, if it does. */
static int
write_body(const struct admin *a, struct upstream_request *r, const struct claude_request *request,
	struct api_error *error)
{
	static const struct buffer no_turns;
	struct buffer text = BUFFER_INIT(0);
	struct claude_request own;

	if (r->service->translator->passes_through ||
		!upstream_request_runs_search(r, request, &a->config->search))
		return upstream_request_translate(
			r, request, r->service->translator->write_request, error);
	r->builtin_search = upstream_request_has_builtin_search(r);
	int status = own_search_make_request(
		request, OWN_SEARCH_FIRST, &no_turns, &text, &own, error);
	if (status == 0)
		status = upstream_request_translate(
			r, &own, r->service->translator->write_request, error);
	claude_request_free(&own);
	buffer_free(&text);
	return status;
}

static int
write_for_upstream(const struct admin *a, struct upstream_request *r,
	struct claude_request *request, struct api_error *error)
{
	static struct forwarded_header version[] = {{"anthropic-version", "2023-06-01"}};

	upstream_request_choose_interface(r, request);
	const struct service *s = r->service;
	bool pass = s->translator->passes_through;
	const struct service_head head = {
		.stream = request->stream,
		.forwarded = version,
		.forwarded_count = pass ? 1 : 0,
	};
	const char *endpoint = request->stream && s->stream_endpoint != NULL ? s->stream_endpoint
									     : s->endpoint;

	if (!pass && claude_request_check(request, CLAUDE_TO_ANSWER, error) != 0)
		return -1;
	if (write_body(a, r, request, error) != 0)
		return -1;
	return upstream_request_address(r, endpoint, NULL, &head, error);
}

static int
translate_for_upstream(const struct admin *a, const struct upstream *u,
	const struct service *service, const struct buffer *text, struct buffer *out,
	struct api_error *error)
{
	struct claude_request request;
	struct upstream_request r = {
		.upstream = u, .service = service, .key = upstream_enabled_key(u)};
	int status = claude_request_parse(buffer_text(text), text->length, &request, error);

	if (status == 0) {
		r.model = model_at(a->config, u, request.model != NULL ? request.model : "");
		status = write_for_upstream(a, &r, &request, error);
	}
	if (status == 0) {
		show_head(&r);
		buffer_move(out, &r.body);
	}
	upstream_request_free(&r);
	claude_request_free(&request);
	return status;
}

/* ---- answers ---- */

/* An answer is one JSON text, or else a stream of events. */
static bool
is_stream(const struct buffer *text)
{
	size_t blanks = strspn(buffer_text(text), " \t\r\n");

	return strchr("{[", buffer_text(text)[blanks]) == NULL;
}

static int
translate_response(const struct translator *translator, const struct buffer *text,
	struct buffer *out, struct api_error *error)
{
	static const struct error_context error_context = {.name = "upstream", .model = "model"};
	bool stream = is_stream(text);
	const struct answer_options options = {
		.translator = translator,
		.model = "model",
		.stream = stream,
		.pass = translator->passes_through,
		.message = true,
	};
	struct answer *a = answer_new(&options, out);

	if (a == NULL)
		return api_error_no_memory(error);
	answer_begin(a, &error_context);
	answer_head(a, 200, stream ? "text/event-stream" : "application/json", 0);
	answer_feed(a, buffer_text(text), text->length);
	int status = 0;
	if (answer_end(a, true) == ANSWER_FAILED) {
		const struct api_error *found = answer_error(a);
		status = api_error_set(error, found->status, "%s", found->message);
		if (answer_started(a))
			answer_write_error(a, found);
	}
	answer_free(a);
	return status;
}

/* Read the input, translate it, and print what came of it; ${u} may be NULL. */
static int
translate(struct admin *a, const struct service *service, const struct upstream *u, FILE *file,
	const char *name)
{
	struct buffer text = BUFFER_INIT(MOST_INPUT);
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;
	int status = EXIT_FAILED;

	if (input_read(file, name, &text) == 0) {
		int result;
		if (a->response)
			result = translate_response(service->translator, &text, &out, &error);
		else if (u != NULL)
			result = translate_for_upstream(a, u, service, &text, &out, &error);
		else
			result = translate_request(service->translator, &text, &out, &error);
		/* Of a stream that fails, what came before is worth seeing; of a request nothing.
		 */
		if (result != 0 && !a->response)
			buffer_clear(&out);
		fwrite(buffer_text(&out), 1, out.length, stdout);
		if (out.length > 0 && out.data[out.length - 1] != '\n')
			putchar('\n');
		status = result == 0 ? EXIT_DONE : say_error(&error);
	}
	api_error_clear(&error);
	buffer_free(&text);
	buffer_free(&out);
	return status;
}

static int
translate_by_name(struct admin *a, FILE *file, const char *name)
{
	int status = EXIT_FAILED;

	if (admin_open(a) == 0) {
		const struct upstream *u = find_upstream(a, a->upstream);
		const struct service *service = u != NULL ? service_find(u->service_type) : NULL;
		if (service != NULL)
			status = translate(a, service, u, file, name);
		else if (u != NULL)
			unknown_service(u->service_type);
	}
	admin_close(a);
	return status;
}

int
run_translate(struct admin *a, int count, char **arguments)
{
	const struct service *service = a->to != NULL ? service_find(a->to) : NULL;
	const char *name = count > 0 ? arguments[0] : NULL;
	FILE *file;

	if ((a->to != NULL) == (a->upstream != NULL))
		return misuse("translate needs --to <serviceType> or --upstream <name>");
	if (a->to != NULL && service == NULL)
		return unknown_service(a->to);
	if (input_open(name, &file) != 0)
		return EXIT_FAILED;
	return service != NULL ? translate(a, service, NULL, file, name)
			       : translate_by_name(a, file, name);
}

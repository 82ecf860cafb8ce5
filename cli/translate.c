/*
 * The command translate: what the responder would send to an upstream, or make of its answer (SPEC
 * §7).  The same code, without a network and without the database.
 */
#include <stdio.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "command.h"
#include "input.h"
#include "translate/answer.h"
#include "translate/claude/request.h"
#include "translate/tool_names.h"
#include "translate/translator.h"
#include "upstream/service.h"

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
	const struct translate_target target = {.model = request.model};
	if (status == 0 && names == NULL)
		status = api_error_set(error, 500, "out of memory");
	if (status == 0)
		status = translator->write_request(&request, &target, names, out, error);
	tool_names_free(names);
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
		return api_error_set(error, 500, "out of memory");
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

int
run_translate(struct admin *a, int count, char **arguments)
{
	const struct service *service = a->to != NULL ? service_find(a->to) : NULL;
	struct buffer text = BUFFER_INIT(MOST_INPUT);
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;
	int status = EXIT_FAILED;

	if (service == NULL)
		return a->to != NULL ? unknown_service(a->to)
				     : misuse("translate needs --to <serviceType>");
	if (input_read(count > 0 ? arguments[0] : NULL, &text) == 0) {
		int result = a->response
				     ? translate_response(service->translator, &text, &out, &error)
				     : translate_request(service->translator, &text, &out, &error);
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

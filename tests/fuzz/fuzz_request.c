/*
 * Any bytes as a Claude request: what is taken is translated to valid JSON for every service, each
 * time to the same.
 */
#include "fuzz.h"

#include "base/api_error.h"
#include "translate/claude/request.h"
#include "translate/tokens.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

typedef int request_writer(const struct claude_request *, const struct translate_target *,
	struct tool_names *, struct buffer *, struct api_error *);

/* A few schemas may be written out in full (gemini/schema.c); more than this is a bomb. */
enum { MOST_GROWTH = 1 << 20 };

static int
write_once(const struct claude_request *request, const struct translator *translator,
	request_writer *write, struct buffer *body)
{
	const struct translate_target target = {
		.model = request->model, .facts = model_facts_find(NULL, request->model)};
	struct tool_names *names = tool_names_new(translator->name_rule);
	struct api_error error = API_ERROR_NONE;
	int status = write(request, &target, names, body, &error);

	fuzz_check(status == 0 || error.status == 400);
	api_error_clear(&error);
	tool_names_free(names);
	return status;
}

static void
translate(const struct claude_request *request, const struct translator *translator,
	request_writer *write)
{
	struct buffer body = BUFFER_INIT(0);
	struct buffer again = BUFFER_INIT(0);

	if (write == NULL)
		return;
	int status = write_once(request, translator, write, &body);
	fuzz_check(write_once(request, translator, write, &again) == status);
	if (status == 0) {
		fuzz_check(fuzz_is_json(buffer_text(&body), body.length));
		fuzz_check(fuzz_same(&body, &again));
		fuzz_check(body.length <= 8 * request->length + MOST_GROWTH);
	}
	buffer_free(&body);
	buffer_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct translator *const all[] = {&openai_chat, &openai_responses, &gemini};
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;

	fuzz_quiet();
	if (claude_request_parse((const char *)data, size, &request, &error) == 0 &&
		claude_request_check(&request, CLAUDE_TO_ANSWER, &error) == 0) {
		tokens_estimate_input(&request);
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			translate(&request, all[i], all[i]->write_request);
			translate(&request, all[i], all[i]->write_count_request);
		}
	} else {
		fuzz_check(error.status == 400);
	}
	claude_request_free(&request);
	api_error_clear(&error);
	return 0;
}

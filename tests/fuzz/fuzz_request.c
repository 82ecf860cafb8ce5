/* Any bytes as a Claude request: what is taken is translated to valid JSON. */
#include <stdint.h>
#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/claude/request.h"
#include "translate/tokens.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
translate(const struct claude_request *request, const struct translator *translator,
	int (*write)(const struct claude_request *, const struct translate_target *,
		struct tool_names *, struct buffer *, struct api_error *))
{
	const struct translate_target target = {.model = request->model};
	struct tool_names *names = tool_names_new(translator->name_rule);
	struct api_error error = API_ERROR_NONE;
	struct buffer body = BUFFER_INIT(0);
	struct json_document sent = {0};

	if (write(request, &target, names, &body, &error) == 0 &&
		json_read(&sent, buffer_text(&body), body.length, SIZE_MAX, NULL) == NULL)
		abort();
	json_document_free(&sent);
	buffer_free(&body);
	api_error_clear(&error);
	tool_names_free(names);
}

static void
translate_all(const struct claude_request *request)
{
	static const struct translator *const all[] = {
		&openai_chat, &openai_responses, &gemini, &passthrough};

	tokens_estimate_input(request);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		translate(request, all[i], all[i]->write_request);
		if (all[i]->write_count_request != NULL)
			translate(request, all[i], all[i]->write_count_request);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;

	log_open(&quiet);
	if (claude_request_parse((const char *)data, size, &request, &error) == 0) {
		/* Not checked before: the service itself does that. */
		translate(&request, &passthrough, passthrough.write_request);
		if (claude_request_check(&request, CLAUDE_TO_ANSWER, &error) == 0)
			translate_all(&request);
	}
	claude_request_free(&request);
	api_error_clear(&error);
	return 0;
}

/*
 * Any bytes as a request for a service that speaks Claude's language: byte for byte, unless the
 * owner decides otherwise; then the same JSON but for what was decided.
 */
#include "fuzz.h"

#include "base/api_error.h"
#include "translate/claude/request.h"
#include "translate/translator.h"

static void
write_to(const struct claude_request *request, const char *model, int64_t most, struct buffer *out)
{
	const struct translate_target target = {
		.model = model, .max_output_tokens = most, .facts = model_facts_find(NULL, model)};
	struct api_error error = API_ERROR_NONE;

	fuzz_check(passthrough.write_request(request, &target, NULL, out, &error) == 0);
}

static bool
says_model_twice(const struct claude_request *request)
{
	size_t count = 0;

	JSON_EACH (member, request->body) {
		count += json_is_named(member, "model");
	}
	return count > 1;
}

/* Nothing is to be changed but thinking of other services, which begins in a way that shows. */
static void
check_unchanged(const struct claude_request *request)
{
	struct buffer out = BUFFER_INIT(0);

	write_to(request, request->model, 0, &out);
	if (memmem(request->text, request->length, "cp1", 3) == NULL &&
		memchr(request->text, '\\', request->length) == NULL && !says_model_twice(request))
		fuzz_check(out.length == request->length &&
			   memcmp(buffer_text(&out), request->text, out.length) == 0);
	fuzz_check(fuzz_is_json(buffer_text(&out), out.length));
	buffer_free(&out);
}

/* What goes out is read as the same request with the new model; written again, nothing changes. */
static void
check_changed(const struct claude_request *request, const char *model, int64_t most)
{
	struct buffer out = BUFFER_INIT(0);
	struct buffer again = BUFFER_INIT(0);
	struct claude_request sent;
	struct api_error error = API_ERROR_NONE;

	write_to(request, model, most, &out);
	fuzz_check(claude_request_parse(buffer_text(&out), out.length, &sent, &error) == 0);
	fuzz_check(strcmp(sent.model, model) == 0 && sent.stream == request->stream);
	JSON_EACH (member, sent.body) {
		if (json_is_named(member, "model"))
			fuzz_check(json_is_text(member, model));
		if (json_is_named(member, "max_tokens") && most > 0)
			fuzz_check(json_int(member, 0) <= most);
	}
	write_to(&sent, model, most, &again);
	fuzz_check(fuzz_same(&out, &again));
	claude_request_free(&sent);
	buffer_free(&again);
	buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const models[] = {"m", "claude-x", "a\"b\\\n", "\xc3\xa4"};
	struct fuzz_input in = fuzz_input(data, size);
	unsigned choice = fuzz_byte(&in);
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;

	fuzz_quiet();
	if (claude_request_parse(in.at, in.left, &request, &error) == 0) {
		check_unchanged(&request);
		check_changed(&request, models[choice & 3], choice & 4 ? 4096 : 0);
	}
	claude_request_free(&request);
	api_error_clear(&error);
	return 0;
}

/*
 * Any bytes as the body of an upstream's refusal, with any status: the client is told an error of
 * Claude's, as valid JSON, and never a secret.
 */
#include "fuzz.h"

#include "base/api_error.h"
#include "translate/answer/upstream_error.h"

/* Bytes of the input that stand for secrets, so that many bodies contain them. */
enum { KEY_BYTE = 1, OTHER_BYTE = 2 };

static const char key[] = "key-with-16-characters";
static const char other[] = "another-secret-of-the-owner";
static const char *const others[] = {other, NULL};
static const struct error_context error_context = {
	.name = "up", .key = key, .model = "m", .secrets = others};

static void
put_secrets_in(struct buffer *body, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == KEY_BYTE)
			buffer_puts(body, key);
		else if (text[i] == OTHER_BYTE)
			buffer_puts(body, other);
		else
			buffer_putc(body, text[i]);
	}
}

static void
check_error(struct api_error *error)
{
	struct buffer text = BUFFER_INIT(0);

	fuzz_check(error->status >= 400 && error->status <= 599);
	fuzz_check(error->type != NULL && error->message != NULL && error->retry_after >= 0);
	api_error_write(error, "req_1", &text);
	fuzz_check(fuzz_is_json(buffer_text(&text), text.length));
	fuzz_check(strstr(buffer_text(&text), key) == NULL);
	fuzz_check(strstr(buffer_text(&text), other) == NULL);
	buffer_free(&text);
	api_error_clear(error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	int status = (int)(fuzz_byte(&in) << 2 | fuzz_byte(&in) % 4);
	int64_t retry_after = fuzz_byte(&in);
	struct buffer body = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;
	struct json_document document = {0};

	fuzz_quiet();
	put_secrets_in(&body, in.at, in.left);
	const char *text = buffer_text(&body);
	upstream_error_from_status(status, retry_after, text, body.length, &error_context, &error);
	check_error(&error);
	upstream_error_bad_answer("sent nonsense", text, body.length, &error_context, &error);
	check_error(&error);
	/* What curl says is UTF-8. */
	if (fuzz_is_utf8(text)) {
		upstream_error_no_answer(
			"https://api.test/v1", text, retry_after, &error_context, &error);
		check_error(&error);
	}
	const struct json *value = fuzz_json(&document, text, body.length);
	if (value != NULL) {
		upstream_error_from_object(value, &error_context, &error);
		check_error(&error);
	}
	json_document_free(&document);
	buffer_free(&body);
	return 0;
}

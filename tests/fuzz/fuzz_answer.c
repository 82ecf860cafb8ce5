/*
 * Any bytes as an upstream's answer.  The first byte chooses: streamed or not, asked for as a
 * stream or not, complete or not, the size of the pieces.  What comes out is an error or ends
 * properly.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "translate/answer.h"
#include "translate/translator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_output(const struct buffer *out, const struct answer_options *options)
{
	bool stream = options->stream;
	static const char end[] = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
	struct json_document message = {0};

	/* What is passed through may end as the service likes. */
	if (stream && options->pass && memmem(out->data, out->length, "message_stop", 12) == NULL)
		abort();
	if (stream && !options->pass &&
		(out->length < strlen(end) ||
			strcmp(out->data + out->length - strlen(end), end) != 0))
		abort();
	if (!stream && json_read(&message, buffer_text(out), out->length, SIZE_MAX, NULL) == NULL)
		abort();
	json_document_free(&message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct upstream_identity identity = {
		.name = "up", .key = "sk-0123456789abcdef", .model = "m"};
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	struct buffer out = BUFFER_INIT(0);

	log_open(&quiet);
	if (size == 0)
		return 0;
	unsigned choice = data[0];
	static const struct translator *const all[] = {
		&openai_chat, &openai_responses, &gemini, &passthrough};
	size_t piece = choice >> 6 != 0 ? choice >> 6 : size;
	const struct translator *translator = all[choice >> 4 & 3];
	const struct answer_options options = {.translator = translator,
		.model = "m",
		.stream = choice & 1,
		.pass = translator == &passthrough,
		.message = true};
	struct answer *a = answer_new(&options, &out);
	answer_begin(a, &identity);
	answer_head(a, choice & 8 ? 429 : 200, choice & 2 ? "text/event-stream" : NULL, 0);
	for (size_t at = 1; at < size; at += piece)
		answer_feed(a, (const char *)data + at, size - at < piece ? size - at : piece);
	if (answer_end(a, choice & 4) == ANSWER_DONE)
		check_output(&out, &options);
	else if (answer_error(a)->status < 400)
		abort();
	answer_free(a);
	buffer_free(&out);
	return 0;
}

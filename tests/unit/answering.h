/* Answers of an upstream, cut anywhere. */
#ifndef ANSWERING_H
#define ANSWERING_H

#include "unit.h"

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/log/log.h"
#include "translate/answer/answer.h"
#include "translate/translator.h"

static const struct error_context error_context = {
	.name = "up", .key = "sk-secret-0123456789", .model = "m"};

/* Feed the body in pieces of ${size} bytes; the answer's state, with what it wrote in ${out}. */
static inline enum answer_state
answer_of(const struct translator *translator, const char *type, const char *body, bool stream,
	bool complete, size_t size, struct buffer *out, struct api_error *error)
{
	const struct answer_options options = {
		.translator = translator, .model = "asked", .stream = stream};
	struct answer *a = answer_new(&options, out);
	size_t length = strlen(body);

	answer_begin(a, &error_context);
	answer_head(a, 200, type, 0);
	for (size_t at = 0; at < length; at += size)
		answer_feed(a, body + at, length - at < size ? length - at : size);
	enum answer_state state = answer_end(a, complete);
	if (state == ANSWER_FAILED)
		api_error_set(error, answer_error(a)->status, "%s", answer_error(a)->message);
	answer_free(a);
	return state;
}

/* The body must fail with this status and these words, streamed and whole. */
static inline void
check_failure(const struct translator *translator, const char *type, const char *body,
	bool complete, int status, const char *words)
{
	for (int stream = 0; stream < 2; stream++) {
		struct buffer out = BUFFER_INIT(0);
		struct api_error error = API_ERROR_NONE;
		assert_int_equal(
			answer_of(translator, type, body, stream, complete, 7, &out, &error),
			ANSWER_FAILED);
		assert_int_equal(error.status, status);
		assert_contains(error.message, words);
		api_error_clear(&error);
		buffer_free(&out);
	}
}

#endif

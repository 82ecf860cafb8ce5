/* Claude requests and what becomes of them: JSON in, JSON out. */
#ifndef TRANSLATION_H
#define TRANSLATION_H

#include "unit.h"

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/log/log.h"
#include "translate/claude/request.h"
#include "translate/tokens.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

/* Parts of requests that many rows have. */
#define USER  "{\"role\":\"user\",\"content\":\"u\"}"
#define HEAD  "\"model\":\"m\",\"max_tokens\":9,"
#define PLAIN "\"messages\":[" USER "]"
#define TOOL  "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]"

struct row {
	const char *in;  /* without its braces */
	const char *out; /* likewise; NULL: refused */
};

/* The target with what is known of its model at a service's own host, where it says nothing. */
static inline struct translate_target
with_facts(const struct translate_target *target)
{
	struct translate_target known = *target;

	if (known.facts.host == NULL)
		known.facts = model_facts_find(NULL, known.model);
	return known;
}

static inline void
check_translation(const struct translator *translator, const struct row *row,
	const struct translate_target *target)
{
	struct buffer in = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	struct buffer expected = BUFFER_INIT(0);
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;
	struct tool_names *names = tool_names_new(translator->name_rule);
	const struct translate_target known = with_facts(target);

	buffer_printf(&in, "{%s}", row->in);
	buffer_printf(&expected, "{%s}", row->out != NULL ? row->out : "");
	int status = claude_request_parse(buffer_text(&in), in.length, &request, &error);
	if (status == 0)
		status = claude_request_check(&request, CLAUDE_TO_ANSWER, &error);
	if (status == 0)
		status = translator->write_request(&request, &known, names, &out, &error);
	if (row->out == NULL) {
		if (status == 0)
			fail_msg("taken: %s", row->in);
		assert_int_equal(error.status, 400);
	} else {
		if (status != 0)
			fail_msg("refused: %s: %s", row->in, error.message);
		assert_string_equal(buffer_text(&out), buffer_text(&expected));
		assert_true(tokens_estimate_input(&request) > 0);
	}
	claude_request_free(&request);
	tool_names_free(names);
	api_error_clear(&error);
	buffer_free(&in);
	buffer_free(&out);
	buffer_free(&expected);
}

#endif

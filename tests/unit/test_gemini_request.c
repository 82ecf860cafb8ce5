/* Claude requests as requests to Gemini, beyond tests/cases/gemini: what is large (PROTOCOL.md
 * §B.2). */
#include "translation.h"

#include "translate/gemini/gemini.h"

static const struct translate_target target = {.model = "gemini-2.0-flash"};

static void
test_numbers_of_any_length(void **state)
{
	enum { DIGITS = 10000 };
	char digits[DIGITS + 1];
	struct buffer in = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	memset(digits, '7', DIGITS);
	digits[DIGITS] = '\0';
	buffer_printf(&in,
		HEAD "\"messages\":[" USER
		     ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
		     "\"id\":\"a\",\"name\":\"f\",\"input\":{\"n\":%s}}]}]",
		digits);
	buffer_printf(&out,
		"\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"u\"}]},{\"role\":"
		"\"model\","
		"\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"n\":%s}}}]},{\"role\":"
		"\"user\","
		"\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{\"result\":\"(no "
		"result)\"}}}]}],\"generationConfig\":{\"maxOutputTokens\":9}",
		digits);
	const struct row row = {buffer_text(&in), buffer_text(&out)};
	check_translation(&gemini, &row, &target);
	buffer_free(&in);
	buffer_free(&out);
}

/* Two hundred tools whose references multiply are one bounded request, and none of them is lost. */
static void
test_schemas_share_one_budget(void **state)
{
	enum { TOOLS = 200 };
	struct buffer in = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;
	struct tool_names *names = tool_names_new(gemini.name_rule);
	const struct translate_target known = with_facts(&target);

	(void)state;
	buffer_printf(&in, "{%s%s,\"tools\":[", HEAD, PLAIN);
	for (int i = 0; i < TOOLS; i++) {
		buffer_printf(&in,
			"%s{\"name\":\"f%d\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
			"\"a\":{\"$ref\":\"#/$defs/d0\"}},\"$defs\":{",
			i > 0 ? "," : "", i);
		for (int d = 0; d < 20; d++)
			buffer_printf(&in,
				"\"d%d\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/d%d\"},\"b\":{"
				"\"$ref\":\"#/$defs/d%d\"},\"c\":{\"$ref\":\"#/$defs/d%d\"}}},",
				d, d + 1, d + 1, d + 1);
		buffer_puts(&in, "\"d20\":{\"type\":\"string\"}}}}");
	}
	buffer_puts(&in, "]}");
	assert_int_equal(claude_request_parse(buffer_text(&in), in.length, &request, &error), 0);
	assert_int_equal(claude_request_check(&request, CLAUDE_TO_ANSWER, &error), 0);
	assert_int_equal(gemini_write_request(&request, &known, names, &out, &error), 0);
	assert_in_range(out.length, 100000, 4 << 20);
	assert_contains(buffer_text(&out), "{\"name\":\"f0\",\"parameters\":");
	assert_contains(buffer_text(&out), "{\"name\":\"f199\"}");
	claude_request_free(&request);
	tool_names_free(names);
	buffer_free(&in);
	buffer_free(&out);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_of_any_length),
		cmocka_unit_test(test_schemas_share_one_budget),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("gemini request", tests, NULL, NULL);
}

/* Claude requests as requests to Gemini, beyond tests/cases/gemini: what is large, and what models
 * do not take (PROTOCOL.md §B.2). */
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
	assert_int_equal(gemini_write_request(&request, &target, names, &out, &error), 0);
	assert_in_range(out.length, 100000, 4 << 20);
	assert_contains(buffer_text(&out), "{\"name\":\"f0\",\"parameters\":");
	assert_contains(buffer_text(&out), "{\"name\":\"f199\"}");
	claude_request_free(&request);
	tool_names_free(names);
	buffer_free(&in);
	buffer_free(&out);
}

#define FORCED ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_search\"}"

/* What a generation does not take is said in another way, or left out. */
static void
test_what_models_do_not_take(void **state)
{
	static const char search[] = ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":"
				     "\"object\"}},{\"type\":\"web_search_20250305\",\"name\":"
				     "\"web_search\"}]";
	static const char sites[] = ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":"
				    "\"web_search\",\"allowed_domains\":[\"a\",\"b\"]}]";
	static const char format[] = ",\"output_format\":{\"type\":\"json_schema\",\"schema\":{"
				     "\"const\":1}}";
	static const char ends[] = "\"messages\":[" USER
				   ",{\"role\":\"assistant\",\"content\":\"a\"}]";
	static const struct {
		const char *model, *conversation, *in, *part;
		bool there;
	} rows[] = {
		{"gemini-2.5-pro", PLAIN, search, "googleSearch", false},
		{"gemini-2.5-pro", PLAIN, search, "functionDeclarations", true},
		{"gemini-3-pro-preview", PLAIN, search, "googleSearch", true},
		{"gemini-2.5-pro", PLAIN, search, "There is no web search here", true},
		/* What is forced is all that is offered. */
		{"gemini-2.5-pro", PLAIN FORCED, search, "googleSearch", true},
		{"gemini-2.5-pro", PLAIN FORCED, search, "functionDeclarations", false},
		{"gemini-3-pro-preview", PLAIN FORCED, search, "toolConfig", false},
		{"gemma-3-27b-it", PLAIN FORCED, search, "googleSearch", false},
		{"gemma-3-27b-it", PLAIN FORCED, search, "There is no web search here", true},
		{"gemini-2.5-pro", PLAIN, sites, "use only these sites: a, b.", true},
		{"gemini-3-pro-preview", PLAIN, search,
			"{\"includeServerSideToolInvocations\":true,\"functionCallingConfig\":{"
			"\"mode\":\"VALIDATED\"}}",
			true},
		{"gemini-2.5-pro", PLAIN "," TOOL, format, "responseMimeType", false},
		{"gemini-2.5-pro", PLAIN "," TOOL, format, "{\\\"const\\\":1}\"}]}", true},
		{"gemini-3-pro-preview", PLAIN "," TOOL, format, "responseMimeType", true},
		{"gemma-3-27b-it", PLAIN, ",\"system\":\"s\"", "systemInstruction", false},
		{"gemma-3-27b-it", PLAIN, ",\"system\":\"s\"",
			"[{\"text\":\"s\"},{\"text\":\"u\"}]", true},
		{"gemini-3.6-flash", ends, "",
			"{\"role\":\"user\",\"parts\":[{\"text\":\"Continue.\"}]}]", true},
		{"gemini-3.5-flash", ends, "", "Continue.", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer text = BUFFER_INIT(0);
		struct buffer out = BUFFER_INIT(0);
		struct claude_request request;
		struct api_error error = API_ERROR_NONE;
		struct tool_names *names = tool_names_new(gemini.name_rule);
		const struct translate_target to = {.model = rows[i].model};
		buffer_printf(&text, "{%s%s%s}", HEAD, rows[i].conversation, rows[i].in);
		assert_int_equal(
			claude_request_parse(buffer_text(&text), text.length, &request, &error), 0);
		assert_int_equal(claude_request_check(&request, CLAUDE_TO_ANSWER, &error), 0);
		assert_int_equal(gemini.write_request(&request, &to, names, &out, &error), 0);
		if ((strstr(buffer_text(&out), rows[i].part) != NULL) != rows[i].there)
			fail_msg("%s: %s: %s", rows[i].model, rows[i].part, buffer_text(&out));
		claude_request_free(&request);
		tool_names_free(names);
		buffer_free(&text);
		buffer_free(&out);
	}
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_of_any_length),
		cmocka_unit_test(test_schemas_share_one_budget),
		cmocka_unit_test(test_what_models_do_not_take),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("gemini request", tests, NULL, NULL);
}

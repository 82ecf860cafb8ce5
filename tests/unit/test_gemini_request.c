/* Claude requests as requests to Gemini (PROTOCOL.md §B.2). */
#include "translation.h"

#include "translate/gemini/gemini.h"
#include "translate/round_trip.h"

#define U         "{\"role\":\"user\",\"parts\":[{\"text\":\"u\"}]}"
#define CONTENTS  "\"contents\":[" U "]"
#define LIMIT     "\"generationConfig\":{\"maxOutputTokens\":9}"
#define ASSISTANT "{\"role\":\"assistant\",\"content\":["
#define USE(id, name, input)                                                                       \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" input "}"
#define RESULT(id, rest) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\"" rest "}"
#define CALL(name, args) "{\"functionCall\":{\"name\":\"" name "\",\"args\":" args "}}"
#define RESPONSE(name, response)                                                                   \
	"{\"functionResponse\":{\"name\":\"" name "\",\"response\":" response "}}"
#define MODEL(parts) "{\"role\":\"model\",\"parts\":[" parts "]}"
#define FROM(parts)  "{\"role\":\"user\",\"parts\":[" parts "]}"

static const struct translate_target target = {.model = "gemini-2.0-flash"};

static void
test_messages(void **state)
{
	static const struct row rows[] = {
		{HEAD PLAIN, CONTENTS "," LIMIT},
		/* H.10: system as a string, as blocks, and empty. */
		{HEAD "\"system\":\"s\"," PLAIN,
			"\"systemInstruction\":{\"parts\":[{\"text\":\"s\"}]}," CONTENTS "," LIMIT},
		{HEAD "\"system\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":"
		      "\"b\"}]," PLAIN,
			"\"systemInstruction\":{\"parts\":[{\"text\":\"a\\n\\nb\"}]}," CONTENTS
			"," LIMIT},
		{HEAD "\"system\":\"\"," PLAIN, CONTENTS "," LIMIT},
		/* H.8: neighbours of one role are merged, whatever was dropped in between. */
		{HEAD "\"messages\":[" USER ",{\"role\":\"system\",\"content\":\"s\"}," ASSISTANT
		      "{\"type\":\"text\",\"text\":\"\"}]}," USER "]",
			"\"contents\":[" FROM("{\"text\":\"u\"},{\"text\":\"<system>s</"
					      "system>\"},{\"text\":\"u\"}") "]," LIMIT},
		/* What a search found is a part of its own. */
		{HEAD "\"messages\":[" USER "," ASSISTANT WEB_RESULT
		      ",{\"type\":\"text\",\"text\":\"b\"}]}," USER "]",
			"\"contents\":[" U "," MODEL("{\"text\":\"" WEB_RESULT_TEXT
						     "\\n\\n\"},{\"text\":\"b\"}") "," U
										   "]," LIMIT},
		/* A conversation that begins with the assistant; H.9: a prefill. */
		{HEAD "\"messages\":[" ASSISTANT "{\"type\":\"text\",\"text\":\"a\"}]}]",
			"\"contents\":[" FROM("{\"text\":\"Continue.\"}") "," MODEL(
				"{\"text\":\"a\"}") "]," LIMIT},
		/* Images and documents, inside and by address. */
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
		      "\"source\":{"
		      "\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"eA==\"}},"
		      "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"http://i/"
		      "a.webp?x\"}},"
		      "{\"type\":\"document\",\"source\":{\"type\":\"url\",\"url\":\"http://d\"}},"
		      "{\"type\":\"document\",\"title\":\"T\",\"source\":{\"type\":\"text\","
		      "\"data\":"
		      "\"D\"}}]}]",
			"\"contents\":[" FROM(
				"{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"eA==\"}},"
				"{\"fileData\":{\"mimeType\":\"image/webp\",\"fileUri\":\"http://i/"
				"a.webp?x\"}},"
				"{\"fileData\":{\"mimeType\":\"application/"
				"pdf\",\"fileUri\":\"http:"
				"//d\"}},"
				"{\"text\":\"Title: T\\nD\"}") "]," LIMIT},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"\"}]", NULL},
	};

	(void)state;
	check_all(&gemini, rows, COUNT(rows), &target);
}

static void
test_tool_calls_and_results(void **state)
{
	static const struct row rows[] = {
		/* H.2, H.3, H.18: numbers and order of keys; result, then text; one function twice,
		 * the results in the calls' order. */
		{HEAD "\"messages\":[" USER
		      "," ASSISTANT USE("a", "f", "{\"b\":-0,\"a\":1.10}") "," USE(
			      "b", "f", "{}") "]},{\"role\":\"user\",\"content\":["
					      "{\"type\":\"text\",\"text\":\"t\"}," RESULT(
						      "b", ",\"content\":\"2\"") "," RESULT("a",
						      ",\"content\":\"{\\\"x\\\": 1}\"") "]}]",
			"\"contents\":[" U "," MODEL(CALL("f", "{\"b\":-0,\"a\":1.10}") "," CALL(
				"f", "{}")) "," FROM(RESPONSE("f", "{\"x\":1}") "," RESPONSE("f",
				"{\"result\":\"2\"}") ",{\"text\":\"t\"}") "]," LIMIT},
		/* H.5, H.6: an image; an error; empty and absent content. */
		{HEAD "\"messages\":[" USER
		      "," ASSISTANT USE("a", "f", "{}") "," USE("b", "g", "{}") "," USE(
			      "c", "h", "{}") "]},{\"role\":\"user\",\"content\":[" RESULT("a",
			      ",\"is_error\":true,\"content\":\"{}\"") "," RESULT("b",
			      ",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
			      "\"media_type\":\"image/png\",\"data\":\"eA==\"}}]") "," RESULT("c",
			      "") "]}]",
			"\"contents\":[" U "," MODEL(CALL("f", "{}") "," CALL("g", "{}") "," CALL(
				"h", "{}")) "," FROM(RESPONSE("f",
				"{\"error\":\"{}\"}") "," RESPONSE("g",
				"{\"result\":\"\"}") "," RESPONSE("h",
				"{\"result\":\"\"}") ",{\"inlineData\":{\"mimeType\":\"image/"
						     "png\",\"data\":\"eA==\"}}") "]," LIMIT},
		/* H.7: a call without a result; a result without a call. */
		{HEAD "\"messages\":[" USER "," ASSISTANT USE(
			 "a", "f", "{}") "]},{\"role\":\"user\","
					 "\"content\":[" RESULT(
						 "z", ",\"content\":\"o\"") "]}," ASSISTANT USE("b",
						 "f", "{}") "]}]",
			"\"contents\":[" U "," MODEL(CALL("f", "{}")) "," FROM(RESPONSE("f",
				"{\"result\":\"(no result)\"}") ",{\"text\":\"o\"}") "," MODEL(CALL("f",
				"{}")) "," FROM(RESPONSE("f",
				"{\"result\":\"(no result)\"}")) "]," LIMIT},
	};

	(void)state;
	check_all(&gemini, rows, COUNT(rows), &target);
}

/* A call of f and its result as text; what follows is the response. */
#define RESULT_ROW(content, response)                                                              \
	{                                                                                          \
		HEAD "\"messages\":[" USER "," ASSISTANT USE(                                      \
			"a", "f", "{}") "]},{\"role\":\"user\",\"content\":[" RESULT("a",          \
			",\"content\":" content) "]}]",                                            \
			"\"contents\":[" U                                                         \
			"," MODEL(CALL("f", "{}")) "," FROM(RESPONSE("f", response)) "]," LIMIT    \
	}

static void
test_results_that_are_objects(void **state)
{
	static const struct row rows[] = {
		RESULT_ROW("\"\\t{\\\"a\\\" : 1, \\\"a\\\":[ -0 ]}\\n\"", "{\"a\":1,\"a\":[-0]}"),
		RESULT_ROW("\"\\u007b\\\"\\u00e9\\\":\\\"\\\\u00e9\\\"}\"",
			"{\"\xc3\xa9\":\"\\u00e9\"}"),
		RESULT_ROW(
			"[{\"type\":\"text\",\"text\":\"{\"},{\"type\":\"text\",\"text\":\"}\"}]",
			"{}"),
		RESULT_ROW("\"[{}]\"", "{\"result\":\"[{}]\"}"),
		RESULT_ROW("\"{\"", "{\"result\":\"{\"}"),
		RESULT_ROW("\" \\n\"", "{\"result\":\" \\n\"}"),
		RESULT_ROW("\"{\\\"a\\\":\\\"\\ud800\\\"}\"",
			"{\"result\":\"{\\\"a\\\":\\\"\\ud800\\\"}\"}"),
		RESULT_ROW("\"{\\\"a\\\":\\\"\\u0000\\\"}\"",
			"{\"result\":\"{\\\"a\\\":\\\"\\u0000\\\"}\"}"),
	};

	(void)state;
	check_all(&gemini, rows, COUNT(rows), &target);
}

/* What is only handed on leaves as it came, but for white space. */
static void
test_odd_spellings(void **state)
{
	static const struct row rows[] = {
		{HEAD "\"system\":\"\\ud800\\/\"," PLAIN,
			"\"systemInstruction\":{\"parts\":[{\"text\":\"\\ud800\\/\"}]}," CONTENTS
			"," LIMIT},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"\\udc00\\u0000\\u00e9\\b\"},"
		      "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"x\","
		      "\"text\":\"\\ud83d\\ude00\"}," USE(
			      "a", "f", "{ \"a\" : 1e400, \"a\" : \"\\u0000\" }") "]}]",
			"\"contents\":[" FROM("{\"text\":\"\\udc00\\u0000\\u00e9\\b\"}") "," MODEL(
				"{\"text\":"
				"\"\\ud83d\\ud"
				"e00\"}," CALL("f",
					"{\"a\":1e400,\"a\":\"\\u0000\"}")) "," FROM(RESPONSE("f",
				"{\"result\":\"(no result)\"}")) "]," LIMIT},
	};

	(void)state;
	check_all(&gemini, rows, COUNT(rows), &target);
}

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
		HEAD "\"messages\":[" USER "," ASSISTANT USE("a", "f", "{\"n\":%s}") "]}]", digits);
	buffer_printf(&out,
		"\"contents\":[" U "," MODEL(CALL("f", "{\"n\":%s}")) "," FROM(
			RESPONSE("f", "{\"result\":\"(no result)\"}")) "]," LIMIT,
		digits);
	const struct row row = {buffer_text(&in), buffer_text(&out)};
	check_translation(&gemini, &row, &target);
	buffer_free(&in);
	buffer_free(&out);
}

/* What turns out empty is no part, and ends no content. */
static void
test_empty_blocks(void **state)
{
	static const struct row rows[] = {
		{HEAD "\"messages\":[" USER "," ASSISTANT "{\"type\":\"text\",\"text\":\"a\"}]},{"
		      "\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{\"type\":"
		      "\"text\",\"data\":\"\"}}," RESULT(
			      "z", "") "]}," ASSISTANT "{\"type\":\"text\",\"text\":\"b\"}]}]",
			"\"contents\":[" U
			"," MODEL("{\"text\":\"a\"},{\"text\":\"b\"}") "]," LIMIT},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\","
		      "\"source\":{\"type\":\"text\",\"data\":\"\"}}]}]",
			NULL},
	};

	(void)state;
	check_all(&gemini, rows, COUNT(rows), &target);
}

static void
test_tools(void **state)
{
	static const struct row rows[] = {
		/* H.11: without properties, no parameters. */
		{HEAD PLAIN "," TOOL ",\"tool_choice\":{\"type\":\"auto\"}", CONTENTS
			",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}],"
			"\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"AUTO\"}}," LIMIT},
		/* H.12: both shapes; a name that Gemini refuses. */
		{HEAD PLAIN
			",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"g.1\","
			"\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"properties\":{"
			"\"format\":{\"type\":\"string\",\"format\":\"uri\"}}}}},{\"name\":\"1x\","
			"\"input_schema\":{}}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"g."
			"1\"}",
			CONTENTS
			",\"tools\":[{\"functionDeclarations\":[{\"name\":\"g.1\",\"description\":"
			"\"d\","
			"\"parameters\":{\"type\":\"object\",\"properties\":{\"format\":{\"type\":"
			"\"string\"}}}},{\"name\":\"_x_39cc8c0d\"}]}],\"toolConfig\":{"
			"\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":["
			"\"g.1\"]}}," LIMIT},
		/* H.14: a choice without tools; a search. */
		{HEAD PLAIN ",\"tool_choice\":{\"type\":\"any\"}", CONTENTS "," LIMIT},
		{HEAD PLAIN
			",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"},"
			"{\"type\":\"computer_20250124\",\"name\":\"computer\"}]",
			CONTENTS ",\"tools\":[{\"googleSearch\":{}}]," LIMIT},
	};

	(void)state;
	check_all(&gemini, rows, COUNT(rows), &target);
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

static void
test_parameters(void **state)
{
	static const struct {
		const char *model;
		int64_t most;
		bool off;
		const char *in, *config;
	} rows[] = {
		{"gemini-2.0-flash", 5, false,
			"\"temperature\":0.70,\"top_p\":1,\"top_k\":3,\"stop_sequences\":[\"\","
			"\"1\","
			"\"2\",\"3\",\"4\",\"5\",\"6\"],\"thinking\":{\"type\":\"enabled\","
			"\"budget_tokens\":2000}",
			"\"maxOutputTokens\":5,\"temperature\":0.70,\"topP\":1,\"topK\":3,"
			"\"stopSequences\":[\"1\",\"2\",\"3\",\"4\",\"5\"]"},
		{"models/gemini-2.5-pro", 0, false,
			"\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"includeThoughts\":true,"
			"\"thinkingBudget\":2000}"},
		{"gemini-2.5-flash", 0, false,
			"\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":31999}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"includeThoughts\":true,"
			"\"thinkingBudget\":24576}"},
		{"gemini-2.5-flash-lite", 0, false, "\"thinking\":{\"type\":\"disabled\"}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"thinkingBudget\":0}"},
		/* What cannot be off thinks as little as it can. */
		{"gemini-2.5-pro", 0, true, "\"thinking\":{\"type\":\"adaptive\"}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"thinkingBudget\":128}"},
		{"gemini-3-flash-preview", 0, true, "\"top_k\":1",
			"\"maxOutputTokens\":9,\"topK\":1,\"thinkingConfig\":{\"thinkingLevel\":"
			"\"MINIMAL\"}"},
		{"gemini-3.8-flash", 0, false, "\"thinking\":{\"type\":\"disabled\"}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"thinkingLevel\":\"LOW\"}"},
		/* Efforts and budgets, each in the terms of the model. */
		{"gemini-2.5-flash-lite", 0, false,
			"\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":"
			"\"low\"}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"includeThoughts\":true,"
			"\"thinkingBudget\":2048}"},
		{"gemini-flash-latest", 0, false,
			"\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":5000}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"includeThoughts\":true,"
			"\"thinkingLevel\":\"MEDIUM\"}"},
		{"vendor/gemini-4-hydrogen", 0, false,
			"\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":"
			"\"max\"}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"includeThoughts\":true,"
			"\"thinkingLevel\":\"XHIGH\"}"},
		{"gemini-3-pro-preview", 0, false,
			"\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},\"output_"
			"config\":"
			"{\"effort\":\"medium\"}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"includeThoughts\":true,"
			"\"thinkingLevel\":\"HIGH\"}"},
		{"gemini-3-flash", 0, false, "\"thinking\":{\"type\":\"adaptive\"}",
			"\"maxOutputTokens\":9,\"thinkingConfig\":{\"includeThoughts\":true}"},
		{"gemini-2.5-pro", 0, false,
			"\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{"
			"\"type\":"
			"\"object\"}}}",
			"\"maxOutputTokens\":9,\"responseMimeType\":\"application/json\","
			"\"responseJsonSchema\":{\"type\":\"object\"}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer in = BUFFER_INIT(0);
		struct buffer out = BUFFER_INIT(0);
		buffer_printf(&in, "%s%s,%s", HEAD, PLAIN, rows[i].in);
		buffer_printf(&out, "%s,\"generationConfig\":{%s}", CONTENTS, rows[i].config);
		const struct row row = {buffer_text(&in), buffer_text(&out)};
		const struct translate_target to = {.model = rows[i].model,
			.max_output_tokens = rows[i].most,
			.reasoning_off = rows[i].off};
		check_translation(&gemini, &row, &to);
		buffer_free(&in);
		buffer_free(&out);
	}
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
		const struct translate_target to = {
			.model = rows[i].model, .facts = model_facts_find(NULL, rows[i].model)};
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

/* H.17: what an answer carried comes back, and Gemini 3 gets a stand-in where nothing did. */
static void
test_signatures(void **state)
{
	static const char signature[] = "{\"s\":\"S+/=\"}";
	struct buffer in = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	struct buffer id = BUFFER_INIT(0);
	struct buffer thought = BUFFER_INIT(0);
	const struct translate_target three = {.model = "gemini-3-pro"};

	(void)state;
	round_trip_write_call_id(&id, "gemini", "a", signature, strlen(signature));
	round_trip_write_signature(&thought, "gemini", signature, strlen(signature));
	buffer_printf(&in,
		HEAD
		"\"messages\":[" USER "," ASSISTANT "{\"type\":\"thinking\",\"thinking\":\"h\","
		"\"signature\":\"%s\"},{\"type\":\"thinking\",\"thinking\":\"x\","
		"\"signature\":\"other\"}," USE("%s", "f", "{}") "," USE(
			"b", "f", "{}") "]},{\"role\":\"user\",\"content\":[" RESULT("%s",
			",\"content\":\"1\"") "," RESULT("b",
			",\"content\":\"2\"") "]}," ASSISTANT USE("c", "f", "{}") "," USE("d", "f",
			"{}") "]}]",
		buffer_text(&thought), buffer_text(&id), buffer_text(&id));
	buffer_printf(&out,
		"\"contents\":[" U "," MODEL(
			"{\"text\":\"h\",\"thought\":true,\"thoughtSignature\":"
			"\"S+/"
			"=\"},{\"functionCall\":{\"name\":\"f\",\"args\":{}},\"thoughtSignature\":"
			"\"S+/=\"}," CALL("f", "{}")) "," FROM(RESPONSE("f",
			"{\"result\":\"1\"}") "," RESPONSE("f",
			"{\"result\":\"2\"}")) "," MODEL("{\"functionCall\":{\"name\":\"f\","
							 "\"args\":{}},\"thoughtSignature\":\"skip_"
							 "thought_signature_validator\"}," CALL(
								 "f", "{}")) "," FROM(RESPONSE("f",
			"{\"result\":\"(no result)\"}") "," RESPONSE("f",
			"{\"result\":\"(no result)\"}")) "]," LIMIT);
	const struct row row = {buffer_text(&in), buffer_text(&out)};
	check_translation(&gemini, &row, &three);
	buffer_free(&in);
	buffer_free(&out);
	buffer_free(&id);
	buffer_free(&thought);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_tool_calls_and_results),
		cmocka_unit_test(test_results_that_are_objects),
		cmocka_unit_test(test_odd_spellings),
		cmocka_unit_test(test_numbers_of_any_length),
		cmocka_unit_test(test_empty_blocks),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_schemas_share_one_budget),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_what_models_do_not_take),
		cmocka_unit_test(test_signatures),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("gemini request", tests, NULL, NULL);
}

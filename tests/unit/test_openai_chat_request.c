/* Claude requests as Chat Completions requests (PROTOCOL.md §A, §B.1): JSON in, JSON out. */
#include "translation.h"

#include "base/json.h"
#include "base/json_writer.h"

#define SCHEMA "{\"type\":\"object\",\"properties\":{}}"
#define SENT_TOOL                                                                                  \
	"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":" SCHEMA    \
	"}}]"

static void
test_messages(void **state)
{
	static const struct row rows[] = {
		{HEAD PLAIN, "\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9"},
		{HEAD "\"system\":\"s\"," PLAIN,
			"\"model\":\"up\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"}"
			"," USER "],\"max_tokens\":9"},
		{HEAD "\"system\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{}},{"
		      "\"type\":\"text\",\"text\":\"\"},"
		      "{\"type\":\"text\",\"text\":\"b\"}]," PLAIN,
			"\"model\":\"up\",\"messages\":[{\"role\":\"system\",\"content\":"
			"\"a\\n\\nb\"}," USER "],\"max_tokens\":9"},
		{HEAD "\"system\":\"\"," PLAIN,
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9"},
		/* Texts are joined, empty ones dropped, and turns that are empty then. */
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		      "\"a\"},"
		      "{\"type\":\"text\",\"text\":\"\"},{\"type\":\"text\",\"text\":\"b\"}]},"
		      "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"\"}]},"
		      "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"c\"},"
		      "{\"type\":\"text\",\"text\":\"d\"}]}]",
			"\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":"
			"\"a\\n\\nb\"},"
			"{\"role\":\"assistant\",\"content\":\"cd\"}],\"max_tokens\":9"},
		/* A system turn may not stand between a call and its result. */
		{HEAD "\"messages\":[" USER
		      ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\","
		      "\"name\":\"f\",\"input\":{\"b\":-0,\"a\":1.10}}]},{\"role\":\"system\","
		      "\"content\":\"s\"},"
		      "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
		      "\"t\"}]}]",
			"\"model\":\"up\",\"messages\":[" USER
			",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
			"{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\","
			"\"arguments\":"
			"\"{\\\"b\\\":-0,\\\"a\\\":1.10}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
			"\"t\",\"content\":\"\"},"
			"{\"role\":\"system\",\"content\":\"s\"}],\"max_tokens\":9"},
		/* Documents and search results as text; an image by its address. */
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\","
		      "\"title\":\"T\",\"context\":\"C\","
		      "\"source\":{\"type\":\"text\",\"data\":\"D\"}},{\"type\":\"search_result\","
		      "\"source\":\"S\","
		      "\"title\":\"R\",\"content\":[{\"type\":\"text\",\"text\":\"X\"}]},{\"type\":"
		      "\"image\",\"source\":"
		      "{\"type\":\"url\",\"url\":\"http://i\"}}]}]",
			"\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
			"\"text\",\"text\":"
			"\"Title: T\\nContext: C\\nD\"},{\"type\":\"text\",\"text\":\"Title: "
			"R\\nSource: S\\nX\"},"
			"{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
			"i\"}}]}],\"max_tokens\":9"},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\","
		      "\"source\":{\"type\":\"base64\","
		      "\"media_type\":\"application/pdf\",\"data\":\"eA==\"}}]}]",
			"\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
			"\"file\",\"file\":{\"filename\":"
			"\"document.pdf\",\"file_data\":\"data:application/"
			"pdf;base64,eA==\"}}]}],\"max_tokens\":9"},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\","
		      "\"source\":{\"type\":\"url\","
		      "\"url\":\"http://d\"}}]}]",
			NULL},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"\"}]", NULL},
		/* What a search found stands apart from what was said. */
		{HEAD "\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":[{\"type\":"
		      "\"text\",\"text\":\"a\"}," WEB_RESULT
		      ",{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"text\",\"text\":\"c\"}]}"
		      "," USER "]",
			"\"model\":\"up\",\"messages\":[" USER
			",{\"role\":\"assistant\",\"content\":\"a\\n\\n" WEB_RESULT_TEXT
			"\\n\\nbc\"}," USER "],\"max_tokens\":9"},
		{HEAD "\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":[" WEB_RESULT
		      "]}]",
			"\"model\":\"up\",\"messages\":[" USER
			",{\"role\":\"assistant\",\"content\":\"" WEB_RESULT_TEXT
			"\"}],\"max_tokens\":9"},
		/* Blocks of Claude's own tools are dropped. */
		{HEAD "\"messages\":[" USER
		      ",{\"role\":\"assistant\",\"content\":[{\"type\":\"server_tool_use\"},"
		      "{\"type\":\"web_search_tool_result\"},{\"type\":\"redacted_thinking\","
		      "\"data\":\"x\"},"
		      "{\"type\":\"text\",\"text\":\"a\"}]}]",
			"\"model\":\"up\",\"messages\":[" USER
			",{\"role\":\"assistant\",\"content\":\"a\"}],\"max_tokens\":9"},
	};
	const struct translate_target target = {.model = "up"};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &target);
}

static void
test_tools(void **state)
{
	static const struct row rows[] = {
		{HEAD PLAIN "," TOOL,
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9," SENT_TOOL},
		{HEAD PLAIN ",\"tools\":[{\"type\":\"custom\",\"name\":\"f\",\"description\":\"d\","
			    "\"strict\":true,"
			    "\"input_schema\":{\"$schema\":\"x\",\"properties\":{\"$schema\":{"
			    "\"type\":[\"null\"]}},"
			    "\"type\":\"object\",\"$defs\":{}}}]",
			"\"model\":\"up\",\"messages\":[" USER
			"],\"max_tokens\":9,\"tools\":[{\"type\":\"function\",\"function\":"
			"{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"properties\":{\"$"
			"schema\":{\"type\":[\"null\"]}},"
			"\"type\":\"object\",\"$defs\":{}},\"strict\":false}}]"},
		{HEAD PLAIN ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9," SENT_TOOL},
		{HEAD PLAIN ",\"tools\":[]",
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9"},
		{HEAD PLAIN
			",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}],"
			"\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}",
			"\"model\":\"up\",\"messages\":[{\"role\":\"system\",\"content\":\"There "
			"is no "
			"web search here, though one may be asked for. Say so where the answer "
			"needs one, and invent neither results nor links.\"}," USER
			"],\"max_tokens\":9"},
		{HEAD PLAIN ",\"tool_choice\":{\"type\":\"any\"}",
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9"},
		{HEAD PLAIN "," TOOL ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}",
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9," SENT_TOOL
			",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"},
	};
	const struct translate_target target = {.model = "up"};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &target);
}

static void
test_parameters(void **state)
{
	static const struct {
		const char *model;
		int64_t most;
		bool reasoning_off;
		struct row row;
	} rows[] = {
		{"gpt-4o", 5, false,
			{HEAD PLAIN ",\"stream\":true,\"temperature\":0.70,\"top_p\":1.5,\"top_k\":"
				    "3,\"stop_sequences\":[\"\",\"x\"]",
				"\"model\":\"gpt-4o\",\"messages\":[" USER
				"],\"max_tokens\":5,\"temperature\":0.70,\"top_p\":1,"
				"\"stop\":[\"x\"],\"stream\":true,\"stream_options\":{\"include_"
				"usage\":true}"}},
		{"v/gpt-5.1", 0, false,
			{HEAD PLAIN ",\"temperature\":1,\"stop_sequences\":[\"x\"],\"output_"
				    "config\":{\"effort\":\"max\"}",
				"\"model\":\"v/gpt-5.1\",\"messages\":[" USER
				"],\"max_completion_tokens\":9,"
				"\"reasoning_effort\":\"high\""}},
		{"gpt-10", 0, false,
			{HEAD PLAIN ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":20000}",
				"\"model\":\"gpt-10\",\"messages\":[" USER
				"],\"max_completion_tokens\":9,"
				"\"reasoning_effort\":\"high\""}},
		{"gpt-5", 0, false,
			{HEAD PLAIN ",\"thinking\":{\"type\":\"disabled\"}",
				"\"model\":\"gpt-5\",\"messages\":[" USER
				"],\"max_completion_tokens\":9,"
				"\"reasoning_effort\":\"minimal\""}},
		{"o3", 0, true,
			{HEAD PLAIN ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}",
				"\"model\":\"o3\",\"messages\":[" USER
				"],\"max_completion_tokens\":9,\"reasoning_effort\":\"low\""}},
		{"olmo", 0, false,
			{HEAD PLAIN ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{"
				    "\"effort\":\"low\",\"format\":"
				    "{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}",
				"\"model\":\"olmo\",\"messages\":[" USER
				"],\"max_tokens\":9,\"response_format\":{\"type\":"
				"\"json_schema\",\"json_schema\":{\"name\":\"output\",\"schema\":{"
				"\"type\":\"object\"},"
				"\"strict\":false}}"}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct translate_target target = {.model = rows[i].model,
			.max_output_tokens = rows[i].most,
			.reasoning_off = rows[i].reasoning_off};
		check_translation(&openai_chat, &rows[i].row, &target);
	}
}

/* What a service is sent for a name, as JSON and then decoded. */
static char *
sent_name(struct tool_names *names, const char *name)
{
	struct buffer in = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&out);
	struct json_document index = {0};

	json_write_text(&in, name);
	tool_names_put(names, &w, json_read(&index, in.data, in.length, 1, NULL));
	char *sent = json_copy(json_read(&index, out.data, out.length, 1, NULL));
	assert_non_null(sent);
	json_document_free(&index);
	buffer_free(&in);
	buffer_free(&out);
	return sent;
}

static void
test_names_are_shortened_and_come_back(void **state)
{
	static const char *const changed[] = {"mcp__a.b", "t\xc3\xa4st", "x y", "",
		"a234567890123456789012345678901234567890123456789012345678901234567890"};
	struct tool_names *names = tool_names_new(TOOL_NAMES_OPENAI);
	char *fine = sent_name(names, "fine-Name_1");

	(void)state;
	assert_string_equal(fine, "fine-Name_1");
	free(fine);
	for (size_t i = 0; i < COUNT(changed); i++) {
		char *sent = sent_name(names, changed[i]);
		char *again = sent_name(names, changed[i]);
		assert_string_not_equal(sent, changed[i]);
		assert_true(strlen(sent) <= 64);
		assert_string_equal(sent, again);
		assert_string_equal(tool_names_to_client(names, sent), changed[i]);
		free(sent);
		free(again);
	}
	assert_string_equal(tool_names_to_client(names, "unknown"), "unknown");
	assert_string_equal(tool_names_to_client(NULL, "unknown"), "unknown");
	tool_names_free(names);
}

/* What is only handed on stays as it was written, and what has to be read is read by the rules. */
static void
test_odd_spellings(void **state)
{
	static const struct row rows[] = {
		/* Escapes, lone surrogates and U+0000 in texts. */
		{HEAD "\"system\":\"\\u0041\\/\","
		      "\"messages\":[{\"role\":\"user\",\"content\":"
		      "[{\"type\":\"text\",\"text\":\"a\\ud800\"},{\"type\":\"text\",\"text\":"
		      "\"\\u0000\\/\"}]}]",
			"\"model\":\"up\",\"messages\":[{\"role\":\"system\",\"content\":"
			"\"\\u0041\\/\"},{\"role\":\"user\",\"content\":\"a\\ud800\\n\\n\\u0000\\/"
			"\"}],\"max_tokens\":9"},
		/* Of duplicates the last counts where they are read, and all are handed on. */
		{HEAD PLAIN
			",\"tools\":[{\"name\":\"g\",\"name\":\"f\",\"input_schema\":{ \"x\" : 1,"
			"\"x\":[ ] , \"type\":\"object\",\"\\u0024schema\":0,\"\\u0070\":1.0,"
			"\"properties\":{}}}]",
			"\"model\":\"up\",\"messages\":[" USER
			"],\"max_tokens\":9,\"tools\":[{\"type\":\"function\",\"function\":{"
			"\"name\":"
			"\"f\",\"parameters\":{\"x\":1,\"x\":[],\"type\":\"object\",\"\\u0070\":1."
			"0,"
			"\"properties\":{}}}}]"},
		/* What stays as it came stands beside what does not: an array wants items. */
		{HEAD PLAIN ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\","
			    "\"$defs\":{\"type\":{\"type\":\"string\",\"type\":\"number\"}},"
			    "\"properties\":{\"items\":{\"type\":[\"array\",\"null\"]},\"a\":{"
			    "\"\\u0074ype\":\"arr\\u0061y\",\"items\":{},\"items\":null}}}},{"
			    "\"name\":\"g\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
			    "\"a\":{\"anyOf\":[{\"properties\":[]},{\"type\":\"array\","
			    "\"prefixItems\":[{}],\"items\":null}]}}}}]",
			"\"model\":\"up\",\"messages\":[" USER
			"],\"max_tokens\":9,\"tools\":[{\"type\":\"function\",\"function\":{"
			"\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"$defs\":{"
			"\"type\":{\"type\":\"string\",\"type\":\"number\"}},\"properties\":{"
			"\"items\":{\"type\":[\"array\",\"null\"],\"items\":{}},\"a\":{"
			"\"\\u0074ype\":\"arr\\u0061y\",\"items\":{},\"items\":null,\"items\":{}"
			"}}}}},{\"type\":\"function\",\"function\":{\"name\":\"g\","
			"\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"anyOf\":[{},{"
			"\"type\":\"array\",\"prefixItems\":[{}],\"items\":null}]}}}}}]"},
		/* Arguments: without white space between their parts, escaped once more. */
		{HEAD "\"messages\":[" USER
		      ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\","
		      "\"name\":\"f\",\"input\":{ \"a b\" : \"\\ud800 \\\"\",\n\"a b\":1e400}}]}]",
			"\"model\":\"up\",\"messages\":[" USER
			",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t\","
			"\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
			"\"{\\\"a b\\\":\\\"\\\\ud800 \\\\\\\"\\\",\\\"a b\\\":1e400}\"}}]},{"
			"\"role\":\"tool\",\"tool_call_id\":\"t\",\"content\":\"(no result)\"}],"
			"\"max_tokens\":9"},
	};
	const struct translate_target target = {.model = "up"};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &target);
}

static void
test_a_number_of_ten_thousand_digits(void **state)
{
	char digits[10001];
	struct buffer in = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	const struct translate_target target = {.model = "up"};

	(void)state;
	memset(digits, '7', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	buffer_printf(&in,
		HEAD PLAIN ",\"temperature\":0.%s,\"tools\":[{\"name\":\"f\",\"input_schema\":{"
			   "\"type\":\"string\",\"maximum\":%s}}]",
		digits, digits);
	buffer_printf(&out,
		"\"model\":\"up\",\"messages\":[" USER
		"],\"max_tokens\":9,\"temperature\":0.%s,\"tools\":[{\"type\":\"function\","
		"\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"string\",\"maximum\":%s}}}"
		"]",
		digits, digits);
	const struct row row = {buffer_text(&in), buffer_text(&out)};
	check_translation(&openai_chat, &row, &target);
	buffer_free(&in);
	buffer_free(&out);
}

/* Texts that turn out empty make no part; files of a result come after a label. */
static void
test_parts_of_user_messages(void **state)
{
	static const struct row rows[] = {
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		      "\"u\"},"
		      "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"data\":\"\"}},"
		      "{\"type\":\"tool_result\",\"tool_use_id\":\"q\",\"content\":[]},"
		      "{\"type\":\"tool_result\",\"tool_use_id\":\"q\",\"content\":\"\",\"is_"
		      "error\":"
		      "true}]}]",
			"\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":"
			"\"Error: \\n\\nu\"}],\"max_tokens\":9"},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
		      "\"tool_use_id\":\"q\",\"content\":[{\"type\":\"text\",\"text\":\"r\"},{"
		      "\"type\":"
		      "\"document\",\"title\":\"T.pdf\",\"source\":{\"type\":\"base64\","
		      "\"media_type\":\"application/pdf\",\"data\":\"eA==\"}}]}]}]",
			"\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
			"\"text\",\"text\":\"r\"},{\"type\":\"text\",\"text\":\"Document from tool "
			"result "
			"q:\"},{\"type\":\"file\",\"file\":{\"filename\":\"T.pdf\",\"file_data\":"
			"\"data:application/pdf;base64,eA==\"}}]}],\"max_tokens\":9"},
	};
	const struct translate_target target = {.model = "up"};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &target);
}

/* Each service searches in a form of its own, or not at all. */
static void
test_searches(void **state)
{
	static const char in[] =
		"{" HEAD PLAIN ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_"
		"search\",\"max_uses\":3,"
		"\"blocked_domains\":[\"c\"],\"user_location\":{\"type\":\"approximate\",\"city\":"
		"\"Linz\"}}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_search\"}}";
	static const struct {
		const char *host, *model, *part;
		bool lacking;
	} rows[] = {
		{"api.groq.com", "openai/gpt-oss-20b",
			"\"tools\":[{\"type\":\"browser_search\"}],\"tool_choice\":\"required\"",
			false},
		{"api.groq.com", "groq/compound", "use nothing from these sites: c.", false},
		{"api.groq.com", "llama-3.3-70b-versatile", "There is no web search here", true},
		{"gateway.example", "compound", "There is no web search here", true},
		{"api.z.ai", "glm-5", "Search the web before you answer.", false},
		{"openrouter.ai", "m",
			"\"tools\":[{\"type\":\"openrouter:web_search\",\"parameters\":{\"max_"
			"uses\":3,"
			"\"excluded_domains\":[\"c\"],\"user_location\":{\"type\":\"approximate\","
			"\"city\":\"Linz\"}}}]}",
			false},
		{"api.z.ai", "glm-5",
			"\"tools\":[{\"type\":\"web_search\",\"web_search\":{\"enable\":true,",
			false},
		{"api.z.ai", "glm-5", "use nothing from these sites: c.", false},
		{"dashscope.aliyuncs.com", "qwen3-max",
			"\"enable_search\":true,\"search_options\":{\"forced_search\":true}",
			false},
		{"api.openai.com", "gpt-4o-search-preview",
			"\"web_search_options\":{\"user_location\":{\"type\":\"approximate\","
			"\"approximate\":{\"city\":\"Linz\"}}}",
			false},
		{"api.openai.com", "gpt-5-search-api", "\"web_search_options\":{", false},
		{"api.openai.com", "gpt-5", "There is no web search here", true},
		{"localhost:11434", "m", "There is no web search here", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct claude_request request;
		struct api_error error = API_ERROR_NONE;
		struct tool_names *names = tool_names_new(openai_chat.name_rule);
		const struct translate_target to = {.model = rows[i].model,
			.facts = model_facts_find(rows[i].host, rows[i].model)};
		assert_int_equal(claude_request_parse(in, strlen(in), &request, &error), 0);
		assert_int_equal(claude_request_check(&request, CLAUDE_TO_ANSWER, &error), 0);
		assert_int_equal(openai_chat.write_request(&request, &to, names, &out, &error), 0);
		if (strstr(buffer_text(&out), rows[i].part) == NULL)
			fail_msg("%s: %s", rows[i].host, buffer_text(&out));
		assert_true((strstr(buffer_text(&out), "\"tool_choice\"") != NULL) ==
			    (strstr(rows[i].part, "\"tool_choice\"") != NULL));
		assert_true((tool_names_lacking(names) == LACKS_SEARCH) == rows[i].lacking);
		tool_names_free(names);
		claude_request_free(&request);
		buffer_free(&out);
	}
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_names_are_shortened_and_come_back),
		cmocka_unit_test(test_odd_spellings),
		cmocka_unit_test(test_a_number_of_ten_thousand_digits),
		cmocka_unit_test(test_parts_of_user_messages),
		cmocka_unit_test(test_searches),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("openai chat request", tests, NULL, NULL);
}

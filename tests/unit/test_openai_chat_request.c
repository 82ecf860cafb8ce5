/* Claude requests as Chat Completions requests (PROTOCOL.md §A, §B.1): JSON in, JSON out. */
#include "translation.h"

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
			"\"type\":\"object\",\"$defs\":{}},\"strict\":true}}]"},
		{HEAD PLAIN ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9," SENT_TOOL},
		{HEAD PLAIN ",\"tools\":[]",
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9"},
		{HEAD PLAIN
			",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}],"
			"\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}",
			"\"model\":\"up\",\"messages\":[" USER "],\"max_tokens\":9"},
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
				"\"reasoning_effort\":\"xhigh\""}},
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
				"],\"max_completion_tokens\":9"}},
		{"olmo", 0, false,
			{HEAD PLAIN ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{"
				    "\"effort\":\"low\",\"format\":"
				    "{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}",
				"\"model\":\"olmo\",\"messages\":[" USER
				"],\"max_tokens\":9,\"response_format\":{\"type\":"
				"\"json_schema\",\"json_schema\":{\"name\":\"output\",\"schema\":{"
				"\"type\":\"object\"},"
				"\"strict\":true}}"}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct translate_target target = {
			rows[i].model, rows[i].most, rows[i].reasoning_off};
		check_translation(&openai_chat, &rows[i].row, &target);
	}
}

static void
test_names_are_shortened_and_come_back(void **state)
{
	static const char *const changed[] = {"mcp__a.b", "t\xc3\xa4st", "x y", "",
		"a234567890123456789012345678901234567890123456789012345678901234567890"};
	struct tool_names *names = tool_names_new(TOOL_NAMES_OPENAI);

	(void)state;
	assert_string_equal(tool_names_to_upstream(names, "fine-Name_1"), "fine-Name_1");
	for (size_t i = 0; i < COUNT(changed); i++) {
		const char *sent = tool_names_to_upstream(names, changed[i]);
		assert_string_not_equal(sent, changed[i]);
		assert_true(strlen(sent) <= 64);
		assert_ptr_equal(sent, tool_names_to_upstream(names, changed[i]));
		assert_string_equal(tool_names_to_client(names, sent), changed[i]);
	}
	assert_string_equal(tool_names_to_client(names, "unknown"), "unknown");
	assert_string_equal(tool_names_to_client(NULL, "unknown"), "unknown");
	tool_names_free(names);
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
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("openai chat request", tests, NULL, NULL);
}

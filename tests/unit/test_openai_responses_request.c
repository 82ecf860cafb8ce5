/* Claude requests as Responses requests, beyond tests/cases/responses: who searches (PROTOCOL.md
 * §B.3). */
#include "translation.h"

/* xAI has another name for the sites to leave out; some have no search. */
static void
test_searches_by_host(void **state)
{
	static const char in[] = "{" HEAD PLAIN
				 ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\","
				 "\"blocked_domains\":[\"c\"]}]}";
	static const struct {
		const char *host, *model, *part;
	} rows[] = {
		{"api.x.ai", "grok-4",
			"{\"type\":\"web_search\",\"filters\":{\"excluded_domains\":[\"c\"]}}"},
		{"api.openai.com", "gpt-5",
			"{\"type\":\"web_search\",\"filters\":{\"blocked_domains\":[\"c\"]}}"},
		{"api.openai.com", "gpt-4.1-nano", "There is no web search here"},
		{"localhost:1234", "m", "There is no web search here"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct claude_request request;
		struct api_error error = API_ERROR_NONE;
		struct tool_names *names = tool_names_new(openai_responses.name_rule);
		const struct translate_target to = {.model = rows[i].model, .host = rows[i].host};
		assert_int_equal(claude_request_parse(in, strlen(in), &request, &error), 0);
		assert_int_equal(claude_request_check(&request, CLAUDE_TO_ANSWER, &error), 0);
		assert_int_equal(
			openai_responses.write_request(&request, &to, names, &out, &error), 0);
		if (strstr(buffer_text(&out), rows[i].part) == NULL)
			fail_msg("%s: %s", rows[i].host, buffer_text(&out));
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
		cmocka_unit_test(test_searches_by_host),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("openai responses request", tests, NULL, NULL);
}

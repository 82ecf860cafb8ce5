/* What newer clients say beside the conversation, as Chat Completions gets it: JSON in, JSON out.
 */
#include "translation.h"

#define ANY            "{\"type\":\"object\",\"properties\":{}}"
#define DECLARED(name) "{\"name\":\"" name "\",\"input_schema\":" ANY "}"
#define DEFERRED(name) "{\"name\":\"" name "\",\"input_schema\":" ANY ",\"defer_loading\":true}"
#define SENT(name)                                                                                 \
	"{\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"parameters\":" ANY "}}"
#define SYSTEM(blocks)      "{\"role\":\"system\",\"content\":[" blocks "]}"
#define ADDED(tool)         "{\"type\":\"tool_addition\",\"tool\":" tool "}"
#define REMOVED(name)       "{\"type\":\"tool_removal\",\"tool\":" NAMED(name) "}"
#define NAMED(name)         "{\"type\":\"tool_reference\",\"name\":\"" name "\"}"
#define DEFINED(definition) "{\"type\":\"tool_definition\",\"definition\":" definition "}"
#define CALL                                                                                       \
	"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"s\"," \
	"\"input\":{}}]}"
#define FOUND(name)                                                                                \
	"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\","         \
	"\"content\":[{\"type\":\"tool_reference\",\"tool_name\":\"" name "\"}]}]}"
#define SENT_CALL                                                                                  \
	"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t\",\"type\":"         \
	"\"function\",\"function\":{\"name\":\"s\",\"arguments\":\"{}\"}}]}"
#define SENT_FOUND(name)                                                                           \
	"{\"role\":\"tool\",\"tool_call_id\":\"t\",\"content\":\"The tool " name                   \
	" can be called now.\"}"
#define IN(messages, tools) HEAD "\"messages\":[" messages "],\"tools\":[" tools "]"
#define OUT(messages)       "\"model\":\"up\",\"messages\":[" messages "],\"max_tokens\":9"
#define WITH(tools)         ",\"tools\":[" tools "]"

static const struct translate_target target = {.model = "up"};

static void
test_deferred_tools_wait_until_they_are_found(void **state)
{
	static const struct row rows[] = {
		{IN(USER, DECLARED("s") "," DEFERRED("d")), OUT(USER) WITH(SENT("s"))},
		{IN(USER, DEFERRED("d")), OUT(USER)},
		{IN(USER "," CALL "," FOUND("d"),
			 DECLARED("s") "," DEFERRED("d") "," DEFERRED("e")),
			OUT(USER "," SENT_CALL "," SENT_FOUND("d")) WITH(SENT("s") "," SENT("d"))},
		/* Nobody else can search for Claude's service: then nothing waits. */
		{IN(USER, "{\"type\":\"tool_search_tool_regex_20251119\",\"name\":\"r\"}," DEFERRED(
				  "d")),
			OUT(USER) WITH(SENT("d"))},
	};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &target);
}

static void
test_tools_change_in_the_conversation(void **state)
{
	static const struct row rows[] = {
		{IN(USER "," SYSTEM(ADDED(NAMED("d"))), DECLARED("s") "," DEFERRED("d")),
			OUT(USER) WITH(SENT("s") "," SENT("d"))},
		{IN(USER "," SYSTEM(REMOVED("s")), DECLARED("s") "," DECLARED("d")),
			OUT(USER) WITH(SENT("d"))},
		{IN(USER "," SYSTEM(REMOVED("s")) "," SYSTEM(ADDED(NAMED("s"))), DECLARED("s")),
			OUT(USER) WITH(SENT("s"))},
		{IN(USER "," SYSTEM(REMOVED("s")), DECLARED("s")), OUT(USER)},
		{IN(USER "," SYSTEM(ADDED(DEFINED(DECLARED("n")))), DECLARED("s")),
			OUT(USER) WITH(SENT("s") "," SENT("n"))},
		{HEAD "\"messages\":[" USER "," SYSTEM(ADDED(DEFINED(DECLARED("n")))) "]",
			OUT(USER) WITH(SENT("n"))},
		{IN(USER "," SYSTEM(ADDED(DEFINED(DECLARED("n")))) "," SYSTEM(REMOVED("n")), ""),
			OUT(USER)},
		{IN(USER "," SYSTEM(ADDED("{\"type\":\"mcp_toolset_reference\",\"server_name\":"
					  "\"m\"}")),
			 DECLARED("s")),
			OUT(USER) WITH(SENT("s"))},
		/* Beside text. */
		{IN(USER "," SYSTEM("{\"type\":\"text\",\"text\":\"x\"}," REMOVED("s")), ""),
			OUT(USER ",{\"role\":\"system\",\"content\":\"x\"}")},
		{IN(USER "," SYSTEM(ADDED("{}")), ""), NULL},
		{IN(USER "," SYSTEM(ADDED("1")), ""), NULL},
		{IN(USER "," SYSTEM(ADDED("{\"type\":\"tool_reference\"}")), ""), NULL},
		{IN(USER "," SYSTEM(ADDED(DEFINED("{\"name\":\"n\"}"))), ""), NULL},
		{IN(USER "," SYSTEM(ADDED("{\"type\":\"tool_definition\"}")), ""), NULL},
		{IN("{\"role\":\"user\",\"content\":[" REMOVED("s") "]}", ""), NULL},
		/* A choice must be on offer. */
		{IN(USER, DEFERRED("d")) ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"d\"}",
			NULL},
	};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &target);
}

static void
test_system_turns_for_one_turn(void **state)
{
#define ONCE "{\"role\":\"system\",\"content\":\"once\",\"clear_at\":\"next_user_message\"}"
	static const struct row rows[] = {
		{HEAD "\"messages\":[" USER "," ONCE "]",
			OUT(USER ",{\"role\":\"system\",\"content\":\"once\"}")},
		{HEAD "\"messages\":[" USER "," ONCE ",{\"role\":\"assistant\",\"content\":\"a\"},"
		      "{\"role\":\"user\",\"content\":\"v\"}," ONCE "]",
			OUT(USER ",{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\","
				 "\"content\":\"v\"},{\"role\":\"system\",\"content\":\"once\"}")},
		{HEAD "\"messages\":[" USER ",{\"role\":\"system\",\"content\":\"stays\","
		      "\"clear_at\":\"never\"},{\"role\":\"user\",\"content\":\"v\"}]",
			OUT(USER ",{\"role\":\"system\",\"content\":\"stays\"},{\"role\":\"user\","
				 "\"content\":\"v\"}")},
	};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &target);
}

static void
test_the_effort_of_a_turn(void **state)
{
#define EFFORT(value)   "{\"role\":\"system\",\"output_config\":{\"effort\":\"" value "\"}}"
#define MODEL           "\"model\":\"m\",\"max_tokens\":9,\"output_config\":{\"effort\":\"low\"},"
#define REASONS(effort) ",\"reasoning_effort\":\"" effort "\""
#define O3(messages)    "\"model\":\"o3\",\"messages\":[" messages "],\"max_completion_tokens\":9"
	static const struct translate_target o3 = {.model = "o3"};
	static const struct row rows[] = {
		{MODEL "\"messages\":[" USER "]", O3(USER) REASONS("low")},
		{MODEL "\"messages\":[" USER "," EFFORT("high") "]", O3(USER) REASONS("high")},
		{MODEL "\"messages\":[" USER "," EFFORT("high") "," CALL "," FOUND("x") "]",
			O3(USER "," SENT_CALL "," SENT_FOUND("x")) REASONS("high")},
		{MODEL "\"messages\":[" USER "," EFFORT("high") "," USER "]",
			O3(USER "," USER) REASONS("low")},
		{MODEL "\"messages\":[" USER ",{\"role\":\"system\"}]", NULL},
		{MODEL "\"messages\":[{\"role\":\"user\",\"output_config\":{}}]", NULL},
	};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &o3);
}

static void
test_a_note_to_anthropic_is_for_nobody_else(void **state)
{
#define NOTE "{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: v=1;\"}"
	static const struct row rows[] = {
		{HEAD "\"system\":[" NOTE ",{\"type\":\"text\",\"text\":\"s\"}]," PLAIN,
			OUT("{\"role\":\"system\",\"content\":\"s\"}," USER)},
		{HEAD "\"system\":[" NOTE "]," PLAIN, OUT(USER)},
		{HEAD "\"system\":\"x-anthropic\"," PLAIN,
			OUT("{\"role\":\"system\",\"content\":\"x-anthropic\"}," USER)},
	};

	(void)state;
	check_all(&openai_chat, rows, COUNT(rows), &target);
}

/* As when the next upstream is tried: the second check finds what the first one found. */
static void
test_a_request_may_be_checked_again(void **state)
{
	static const char text[] = "{" IN(USER "," SYSTEM(ADDED(NAMED("d"))), DEFERRED("d")) "}";
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;

	(void)state;
	assert_int_equal(claude_request_parse(text, sizeof(text) - 1, &request, &error), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(claude_request_check(&request, CLAUDE_TO_ANSWER, &error), 0);
		assert_int_equal(request.tools.count, 1);
	}
	claude_request_free(&request);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deferred_tools_wait_until_they_are_found),
		cmocka_unit_test(test_tools_change_in_the_conversation),
		cmocka_unit_test(test_system_turns_for_one_turn),
		cmocka_unit_test(test_the_effort_of_a_turn),
		cmocka_unit_test(test_a_note_to_anthropic_is_for_nobody_else),
		cmocka_unit_test(test_a_request_may_be_checked_again),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("claude directives", tests, NULL, NULL);
}

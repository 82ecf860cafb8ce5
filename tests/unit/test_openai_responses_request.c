/* Claude requests as Responses requests (PROTOCOL.md §B.3). */
#include "translation.h"

#include "translate/round_trip.h"

#define U               "{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"u\"}]}"
#define INPUT_OF(items) "\"model\":\"up\",\"input\":[" items "]"
#define INPUT           INPUT_OF(U)
#define REST                                                                                       \
	"\"max_output_tokens\":16,\"store\":false,\"include\":[\"reasoning.encrypted_content\"]"
#define SEARCHING_REST                                                                             \
	"\"max_output_tokens\":16,\"store\":false,\"include\":[\"reasoning.encrypted_content\","   \
	"\"web_search_call.action.sources\"]"
#define ASSISTANT "{\"role\":\"assistant\",\"content\":["
#define USE(id, input)                                                                             \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"f\",\"input\":" input "}"
#define RESULT(id, rest) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\"" rest "}"
#define CALL(id, arguments)                                                                        \
	"{\"type\":\"function_call\",\"call_id\":\"" id                                            \
	"\",\"name\":\"f\",\"arguments\":\"" arguments "\"}"
#define OUTPUT(id, text)                                                                           \
	"{\"type\":\"function_call_output\",\"call_id\":\"" id "\",\"output\":\"" text "\"}"
#define SAID(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"

static const struct translate_target target = {.model = "up"};

static void
test_messages(void **state)
{
	static const struct row rows[] = {
		{HEAD PLAIN, INPUT "," REST},
		{HEAD "\"system\":\"s\"," PLAIN,
			"\"model\":\"up\",\"instructions\":\"s\",\"input\":[" U "]," REST},
		/* What a search found stands apart from what was said. */
		{HEAD "\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":[{\"type\":"
		      "\"text\",\"text\":\"a\"}," WEB_RESULT
		      ",{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"text\",\"text\":\"c\"}]}"
		      "," USER "]",
			INPUT_OF(U "," SAID("a\\n\\n" WEB_RESULT_TEXT "\\n\\nbc") "," U) "," REST},
		/* H.8, and a system turn at its place; H.9: a prefill. */
		{HEAD "\"messages\":[" USER "," USER
		      ",{\"role\":\"system\",\"content\":\"s\"}," ASSISTANT
		      "{\"type\":\"text\",\"text\":\"a\"}]}]",
			"\"model\":\"up\",\"input\":[" U "," U
			",{\"role\":\"system\",\"content\":[{"
			"\"type\":\"input_text\",\"text\":\"s\"}]}," SAID("a") "]," REST},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
		      "\"source\":{"
		      "\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"eA==\"}},"
		      "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":"
		      "\"application/pdf\",\"data\":\"eA==\"}},{\"type\":\"document\",\"source\":{"
		      "\"type\":\"url\",\"url\":\"http://d\"}}]}]",
			"\"model\":\"up\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
			"\"input_image\",\"image_url\":\"data:image/png;base64,eA==\"},{\"type\":"
			"\"input_file\",\"filename\":\"document.pdf\",\"file_data\":\"data:"
			"application/"
			"pdf;base64,eA==\"},{\"type\":\"input_file\",\"file_url\":\"http://"
			"d\"}]}]," REST},
		/* H.2, H.3, H.4, H.7: outputs behind their calls, then the rest of the turn. */
		{HEAD "\"messages\":[" USER "," ASSISTANT "{\"type\":\"text\",\"text\":\"a\"}," USE(
			 "x", "{\"b\":-0,\"a\":1.10}") "," USE("y", "{}") "," USE("z",
			 "{}") "]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
			       "\"u\"}," RESULT(
				       "y", ",\"is_error\":true,\"content\":\"2\"") "," RESULT("x",
				       "") "," RESULT("q", ",\"content\":\"o\"") "]}]",
			"\"model\":\"up\",\"input\":[" U
			"," SAID("a") "," CALL("x", "{\\\"b\\\":-0,\\\"a\\\":1.10}") "," CALL(
				"y", "{}") "," CALL("z", "{}") "," OUTPUT("x", "") "," OUTPUT("y",
				"Error: 2") "," OUTPUT("z",
				"(no result)") ",{\"role\":\"user\",\"content\":[{\"type\":\"input_"
					       "text\",\"text\":\"o\"},{"
					       "\"type\":\"input_text\",\"text\":\"u\"}]}]," REST},
		/* H.5: an image in a result. */
		{HEAD "\"messages\":[" USER
		      "," ASSISTANT USE("x", "{}") "]},{\"role\":\"user\",\"content\":[" RESULT("x",
			      ",\"content\":[{\"type\":"
			      "\"text\",\"text\":\"t\"},{\"type\":\"image\",\"source\":{\"type\":"
			      "\"url\","
			      "\"url\":\"http://i\"}}]") "]}]",
			"\"model\":\"up\",\"input\":[" U "," CALL("x", "{}") "," OUTPUT("x",
				"t") ",{\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
				     "\"text\":\"Image "
				     "from tool result "
				     "x:\"},{\"type\":\"input_image\",\"image_url\":\"http://i\"}]}"
				     "]," REST},
		{HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"\"}]", NULL},
	};

	(void)state;
	check_all(&openai_responses, rows, COUNT(rows), &target);
}

#define FUNCTION                                                                                   \
	"{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\","               \
	"\"properties\":{}},\"strict\":false}"

static void
test_tools(void **state)
{
	static const struct row rows[] = {
		{HEAD PLAIN "," TOOL ",\"tool_choice\":{\"type\":\"any\","
			    "\"disable_parallel_tool_use\":true}",
			INPUT ",\"tools\":[" FUNCTION "],\"tool_choice\":\"required\","
			      "\"parallel_tool_calls\":false," REST},
		{HEAD PLAIN "," TOOL ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}",
			INPUT ",\"tools\":[" FUNCTION "],\"tool_choice\":{\"type\":\"function\","
			      "\"name\":\"f\"}," REST},
		{HEAD PLAIN
			",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"},"
			"{\"type\":\"computer_20250124\",\"name\":\"computer\"}]",
			INPUT ",\"tools\":[{\"type\":\"web_search\"}]," SEARCHING_REST},
		/* A search that is forced, with its sites and the place of the user. */
		{HEAD PLAIN ",\"tools\":[{\"type\":\"web_search_20260318\",\"name\":\"w\","
			    "\"max_uses\":8,\"allowed_domains\":[\"a\"],\"blocked_domains\":[],"
			    "\"user_location\":{\"type\":\"approximate\",\"country\":\"AT\"}}],"
			    "\"tool_choice\":{\"type\":\"tool\",\"name\":\"w\"}",
			INPUT ",\"tools\":[{\"type\":\"web_search\",\"filters\":{"
			      "\"allowed_domains\":[\"a\"]},\"user_location\":{\"type\":"
			      "\"approximate\",\"country\":\"AT\"}}],\"tool_choice\":"
			      "\"required\"," SEARCHING_REST},
		/* Beside functions, of which none may be called then. */
		{HEAD PLAIN
			",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}},"
			"{\"type\":\"web_search_20250305\",\"name\":\"w\",\"blocked_domains\":"
			"[\"https://a/\"],\"allowed_domains\":[\"https://b/c\"]}],\"tool_choice\":{"
			"\"type\":\"tool\",\"name\":\"w\"}",
			"\"model\":\"up\",\"instructions\":\"Of what a web search finds, use only "
			"these sites: https://b/c.\",\"input\":[{\"role\":\"user\",\"content\":[{"
			"\"type\":\"input_text\",\"text\":\"u\"}]}],\"tools\":[{\"type\":\"web_"
			"search\","
			"\"filters\":{\"allowed_domains\":[\"b\"],\"blocked_domains\":[\"a\"]}}],"
			"\"tool_choice\":\"required\"," SEARCHING_REST},
		{HEAD PLAIN ",\"tool_choice\":{\"type\":\"none\"}", INPUT "," REST},
	};

	(void)state;
	check_all(&openai_responses, rows, COUNT(rows), &target);
}

/* xAI has another name for the sites to leave out, and takes few, of one kind; some have no search.
 */
static void
test_searches_by_host(void **state)
{
	static const struct {
		const char *host, *model, *sites, *part;
	} rows[] = {
		{"api.x.ai", "grok-4", "\"blocked_domains\":[\"c\"]",
			"{\"type\":\"web_search\",\"filters\":{\"excluded_domains\":[\"c\"]}}"},
		{"api.x.ai", "grok-4", "\"blocked_domains\":[\"c\"],\"allowed_domains\":[\"a\"]",
			"{\"type\":\"web_search\",\"filters\":{\"allowed_domains\":[\"a\"]}}"},
		{"api.x.ai", "grok-4", "\"blocked_domains\":[\"c\"],\"allowed_domains\":[\"a\"]",
			"use nothing from these sites: c."},
		{"api.x.ai", "grok-4", "\"allowed_domains\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]",
			"use only these sites: 1, 2, 3, 4, 5, 6."},
		{"api.x.ai", "grok-4", "\"allowed_domains\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]",
			"\"tools\":[{\"type\":\"web_search\"}]"},
		{"api.openai.com", "gpt-5", "\"blocked_domains\":[\"c\"]",
			"{\"type\":\"web_search\",\"filters\":{\"blocked_domains\":[\"c\"]}}"},
		{"api.openai.com", "gpt-5", "\"blocked_domains\":[\"c/d\"]",
			"use nothing from these sites: c/d."},
		{"api.openai.com", "gpt-5", "\"blocked_domains\":[\"c/d\"]",
			"\"tools\":[{\"type\":\"web_search\"}]"},
		{"api.openai.com", "gpt-4.1-nano", "\"max_uses\":1", "There is no web search here"},
		{"localhost:1234", "m", "\"max_uses\":1", "There is no web search here"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char in[512];
		struct buffer out = BUFFER_INIT(0);
		struct claude_request request;
		struct api_error error = API_ERROR_NONE;
		struct tool_names *names = tool_names_new(openai_responses.name_rule);
		const struct translate_target to = {.model = rows[i].model,
			.facts = model_facts_find(rows[i].host, rows[i].model)};
		snprintf(in, sizeof(in),
			"{" HEAD PLAIN
			",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\","
			"%s}]}",
			rows[i].sites);
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

static void
test_parameters(void **state)
{
	static const struct {
		const char *model;
		bool off;
		const char *in, *out;
	} rows[] = {
		{"gpt-4o", false,
			"\"stream\":true,\"temperature\":0.5,\"top_p\":2,\"top_k\":1,\"stop_"
			"sequences\":"
			"[\"x\"],\"metadata\":{\"user_id\":\"me\"}",
			"\"max_output_tokens\":16,\"temperature\":0.5,\"top_p\":1,\"safety_"
			"identifier\":\"2c26ef077c08b01072c2d05a453d8b3b\","
			"\"store\":false,\"stream\":true"},
		{"o3", false,
			"\"temperature\":0.5,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
			"5000}",
			"\"reasoning\":{\"effort\":\"medium\",\"summary\":\"auto\"}," REST},
		{"gpt-5", false, "\"top_k\":1", REST},
		{"gpt-5", false, "\"thinking\":{\"type\":\"adaptive\"}",
			"\"reasoning\":{\"summary\":\"auto\"}," REST},
		{"gpt-5-mini", true, "\"top_k\":1", "\"reasoning\":{\"effort\":\"minimal\"}," REST},
		{"o3", false, "\"thinking\":{\"type\":\"disabled\"}",
			"\"reasoning\":{\"effort\":\"low\"}," REST},
		{"up", false,
			"\"output_format\":{\"type\":\"json_schema\",\"schema\":{\"type\":"
			"\"object\"}}",
			"\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"output\","
			"\"schema\":{\"type\":\"object\"},\"strict\":false}}," REST},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer in = BUFFER_INIT(0);
		struct buffer out = BUFFER_INIT(0);
		buffer_printf(&in, "%s%s,%s", HEAD, PLAIN, rows[i].in);
		buffer_printf(
			&out, "\"model\":\"%s\",\"input\":[%s],%s", rows[i].model, U, rows[i].out);
		const struct row row = {buffer_text(&in), buffer_text(&out)};
		const struct translate_target to = {
			.model = rows[i].model, .reasoning_off = rows[i].off};
		check_translation(&openai_responses, &row, &to);
		buffer_free(&in);
		buffer_free(&out);
	}
}

#define REASONING(summary)                                                                         \
	"{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[" summary                            \
	"],\"encrypted_content\":\"E\"}"

/* Reasoning comes back before what followed it, from a thinking block or from a call's id, and is
 * dropped where nothing followed. */
static void
test_reasoning_comes_back(void **state)
{
	static const char item[] = "{\"id\":\"rs_1\",\"encrypted_content\":\"E\"}";
	struct buffer in = BUFFER_INIT(0);
	struct buffer thought = BUFFER_INIT(0);
	struct buffer id = BUFFER_INIT(0);

	(void)state;
	round_trip_write_signature(&thought, "openai-responses", item, strlen(item));
	round_trip_write_call_id(&id, "openai-responses", "c", item, strlen(item));
	buffer_printf(&in,
		HEAD
		"\"messages\":[" USER "," ASSISTANT "{\"type\":\"thinking\",\"thinking\":\"h\","
		"\"signature\":\"%s\"}," USE("a", "{}") "," USE("%s",
			"{}") "]},"
			      "{\"role\":\"user\",\"content\":[" RESULT("a", "") "," RESULT("%s",
				      "") "]}," ASSISTANT "{\"type\":\"text\",\"text\":\"t\"},{"
					  "\"type\":\"thinking\","
					  "\"thinking\":\"\",\"signature\":\"%s\"}]}," USER "]",
		buffer_text(&thought), buffer_text(&id), buffer_text(&id), buffer_text(&thought));
	const struct row row = {buffer_text(&in),
		"\"model\":\"up\",\"input\":[" U
		"," REASONING("{\"type\":\"summary_text\",\"text\":"
			      "\"h\"}") "," CALL("a", "{}") "," REASONING("") "," CALL("c",
			"{}") "," OUTPUT("a", "") "," OUTPUT("c", "") "," SAID("t") "," U
										    "]," REST};
	check_translation(&openai_responses, &row, &target);
	buffer_free(&in);
	buffer_free(&thought);
	buffer_free(&id);
}

/* Two thoughts in a row are two items, each before what followed it; a damaged one is dropped. */
static void
test_each_thought_is_an_item_of_its_own(void **state)
{
	static const char whole[] = "{\"id\":\"rs_1\",\"encrypted_content\":\"E\"}";
	static const char damaged[] = "{\"id\":5}";
	struct buffer in = BUFFER_INIT(0);
	struct buffer thought = BUFFER_INIT(0);
	struct buffer broken = BUFFER_INIT(0);

	(void)state;
	round_trip_write_signature(&thought, "openai-responses", whole, strlen(whole));
	round_trip_write_signature(&broken, "openai-responses", damaged, strlen(damaged));
	buffer_printf(&in,
		HEAD "\"messages\":[" USER "," ASSISTANT
		     "{\"type\":\"thinking\",\"thinking\":\"\\ud800\",\"signature\":\"%s\"},"
		     "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"%s\"},"
		     "{\"type\":\"thinking\",\"thinking\":\"x\",\"signature\":\"%s\"},"
		     "{\"type\":\"text\",\"text\":\"t\"}]}]",
		buffer_text(&thought), buffer_text(&thought), buffer_text(&broken));
	const struct row row = {buffer_text(&in),
		"\"model\":\"up\",\"input\":[" U
		"," REASONING("{\"type\":\"summary_text\",\"text\":\"\\ud800\"}") "," REASONING(
			"") "," SAID("t") "]," REST};
	check_translation(&openai_responses, &row, &target);
	buffer_free(&in);
	buffer_free(&thought);
	buffer_free(&broken);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_searches_by_host),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_reasoning_comes_back),
		cmocka_unit_test(test_each_thought_is_an_item_of_its_own),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("openai responses request", tests, NULL, NULL);
}

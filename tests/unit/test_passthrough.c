/* Requests to a service that speaks Claude's language: byte for byte but for what the proxy's owner
 * decides, and without what another service thought (PROTOCOL.md §B.4). */
#include "unit.h"

#include "base/api_error.h"
#include "base/buffer.h"
#include "translate/claude/request.h"
#include "translate/translator.h"

struct row {
	const char *in, *out; /* NULL: as it came */
};

static void
check(const struct row *rows, size_t count, const struct translate_target *target)
{
	struct translate_target known = *target;

	if (known.facts.host == NULL)
		known.facts = model_facts_find(NULL, known.model);
	for (size_t i = 0; i < count; i++) {
		struct claude_request request;
		struct buffer out = BUFFER_INIT(0);
		struct api_error error = API_ERROR_NONE;
		const char *in = rows[i].in;
		if (claude_request_parse(in, strlen(in), &request, &error) != 0)
			fail_msg("refused: %s: %s", in, error.message);
		assert_int_equal(
			passthrough.write_request(&request, &known, NULL, &out, &error), 0);
		assert_string_equal(buffer_text(&out), rows[i].out != NULL ? rows[i].out : in);
		claude_request_free(&request);
		buffer_free(&out);
	}
}

static void
test_nothing_changes(void **state)
{
	static const struct translate_target target = {.model = "m"};
	static const struct row rows[] = {
		{"{\"model\":\"m\"}", NULL},
		{" {\r\n\t\"max_tokens\" : 1.10e2 ,\"model\" :\"m\" , \"x\":[1.0,-0,\"\\/\\u0041"
		 "\\ud800\\u0000\",null]} \n",
			NULL},
		{"{\"model\":\"\\u006d\",\"messages\":[{\"role\":\"user\",\"content\":\"model\"},"
		 "{},7,null]}",
			NULL},
		{"{\"model\":\"m\",\"messages\":{\"content\":[]},\"messages\":null}", NULL},
		{"{\"model\":\"m\",\"messages\":[{\"content\":[{\"type\":\"thinking\","
		 "\"signature\":"
		 "\"theirs\"},{\"type\":\"text\",\"signature\":\"cp1.x\"},\"cp1.\"]}]}",
			NULL},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
}

static void
test_the_model_is_replaced(void **state)
{
	static const struct translate_target target = {.model = "up/\"2\""};
	static const struct row rows[] = {
		{"{\"model\":\"m\"}", "{\"model\":\"up/\\\"2\\\"\"}"},
		{"{ \"a\":{\"model\":\"m\"}, \"model\" :\n\"m\" ,\"max_tokens\":9}",
			"{ \"a\":{\"model\":\"m\"}, \"model\" :\n\"up/\\\"2\\\"\" ,"
			"\"max_tokens\":9}"},
		/* Each of duplicates, however it is spelled: the service may read another one. */
		{"{\"model\":\"a\",\"mod\\u0065l\":5,\"model\":\"m\"}",
			"{\"model\":\"up/\\\"2\\\"\",\"mod\\u0065l\":\"up/\\\"2\\\"\","
			"\"model\":\"up/\\\"2\\\"\"}"},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
}

static void
test_max_tokens_are_clamped(void **state)
{
	static const struct translate_target target = {.model = "m", .max_output_tokens = 100};
	static const struct row rows[] = {
		{"{\"model\":\"m\",\"max_tokens\":100}", NULL},
		{"{\"model\":\"m\",\"max_tokens\":\"999\"}", NULL},
		{"{\"model\":\"m\",\"max_tokens\":null}", NULL},
		{"{\"model\":\"m\",\"max_tokens\":101 }", "{\"model\":\"m\",\"max_tokens\":100 }"},
		{"{\"model\":\"m\",\"max_tokens\":1e99}", "{\"model\":\"m\",\"max_tokens\":100}"},
		{"{\"max_tokens\":99999999999999999999999,\"model\":\"m\",\"max_tokens\":5,"
		 "\"max_tokens\":200}",
			"{\"max_tokens\":100,\"model\":\"m\",\"max_tokens\":5,\"max_tokens\":100}"},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
}

#define SEARCH(id)                                                                                 \
	"{\"type\":\"server_tool_use\",\"id\":\"" id "\",\"name\":\"web_search\",\"input\":{}}"
#define FOUND(id, content)                                                                         \
	"{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"" id "\",\"content\":" content "}"
#define FOREIGN "{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"cp1.eyJ9\"}"
#define OWN     "{\"type\":\"thinking\",\"thinking\":\"o\",\"signature\":\"EqQB\"}"
#define TEXT    "{\"text\" : \"\\u0041\",\"type\":\"text\",\"n\":1.10}"
#define IN(content)                                                                                \
	"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"u\"}, {\"content\":"      \
	"[" content "],\"more\":1.0} ]}"

static void
test_foreign_thinking_is_cut_out(void **state)
{
	static const struct translate_target target = {.model = "m"};
	static const struct row rows[] = {
		{IN(FOREIGN "," TEXT), IN(TEXT)},
		{IN(" " FOREIGN " , " TEXT " "), IN(" " TEXT " ")},
		{IN(TEXT " , " FOREIGN " "), IN(TEXT " ")},
		{IN(FOREIGN "," FOREIGN "," TEXT "," FOREIGN "," FOREIGN), IN(TEXT)},
		{IN(OWN " ," FOREIGN ", " TEXT), IN(OWN ", " TEXT)},
		{IN(FOREIGN "," OWN "," FOREIGN "," TEXT "," FOREIGN), IN(OWN "," TEXT)},
		/* A search of another service: its result says what it found, in a text. */
		{IN(SEARCH("srvtoolu_cp1_x") " , " FOUND("srvtoolu_cp1_x",
			 "[{\"type\":\"web_search_result\",\"url\":\"https://"
			 "a\",\"title\":\"A\"}]") "," TEXT),
			IN("{\"type\":\"text\",\"text\":\"The web search found:\\n- A: "
			   "https://a\"}," TEXT)},
		{IN(SEARCH("srvtoolu_cp1_x") "," FOUND("srvtoolu_cp1_x", "[]") "," TEXT), IN(TEXT)},
		{IN(SEARCH("srvtoolu_01") "," FOUND("srvtoolu_01", "[]") "," TEXT), NULL},
		{IN("{\"type\":\"text\",\"citations\":[{\"encrypted_index\":\"\"}],\"text\":"
		    "\"a\"}"),
			IN("{\"type\":\"text\",\"text\":\"a\"}")},
		{IN("{\"type\":\"text\",\"citations\":[{\"encrypted_index\":\"x\"}],\"text\":"
		    "\"a\"}"),
			NULL},
		{IN("{\"type\":\"th\\u0069nking\",\"signature\":\"\\u0063p1.\"}," TEXT), IN(TEXT)},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
}

static void
test_a_message_of_foreign_thinking_alone_is_left_out(void **state)
{
#define M(messages)  "{\"messages\": [" messages "] ,\"model\":\"m\"}"
#define SAYS(blocks) "{\"role\":\"assistant\",\"content\":[" blocks "]}"
#define USER         "{\"role\":\"user\",\"content\":\"u\"}"
	static const struct translate_target target = {.model = "m"};
	static const struct row rows[] = {
		{M(USER "," SAYS(FOREIGN) "," USER), M(USER "," USER)},
		{M(SAYS(FOREIGN) "," SAYS(FOREIGN "," FOREIGN) ", " USER), M(USER)},
		{M(USER " ," SAYS(FOREIGN)), M(USER)},
		{M(SAYS(FOREIGN)), M("")},
		{M(SAYS("") "," SAYS(TEXT "," FOREIGN)), M(SAYS("") "," SAYS(TEXT))},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
}

#define CALL                  "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}"
#define THINKS(as)            "\"thinking\": " as " ,"
#define ENABLED               "{\"type\":\"enabled\", \"budget_tokens\":2000}"
#define OFF                   "{\"type\":\"disabled\"}"
#define T(thinking, messages) "{" THINKS(thinking) "\"messages\":[" messages "],\"model\":\"m\"}"

/* Whoever is to think must be given what was thought before the last calls. */
static void
test_without_what_was_thought_nobody_is_to_think(void **state)
{
	static const struct translate_target target = {.model = "m"};
	static const struct translate_target forgets = {.model = "m", .fixes = FIX_FORGET_THINKING};
	static const char kept[] = T(
		ENABLED, USER "," SAYS(FOREIGN "," CALL) "," USER "," SAYS(TEXT));
	static const struct row rows[] = {
		{T(ENABLED, USER "," SAYS(FOREIGN "," CALL) "," USER),
			T(OFF, USER "," SAYS(CALL) "," USER)},
		{T(ENABLED, USER "," SAYS(FOREIGN "," TEXT) "," USER),
			T(ENABLED, USER "," SAYS(TEXT) "," USER)},
		{T(ENABLED, USER "," SAYS(OWN "," CALL) "," USER),
			T(ENABLED, USER "," SAYS(OWN "," CALL) "," USER)},
		{T("{\"type\":\"adaptive\"}", USER "," SAYS(FOREIGN "," CALL) "," USER),
			T("{\"type\":\"adaptive\"}", USER "," SAYS(CALL) "," USER)},
		{kept, T(ENABLED, USER "," SAYS(CALL) "," USER "," SAYS(TEXT))},
	};
	static const struct row healed[] = {
		{T(ENABLED, USER "," SAYS(OWN ",{\"type\":\"redacted_thinking\",\"data\":\"x\"}"
					      "," CALL) "," USER),
			T(OFF, USER "," SAYS(CALL) "," USER)},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
	check(healed, COUNT(healed), &forgets);
}

static void
test_what_was_refused_is_said_in_another_way(void **state)
{
#define IMAGE          "{\"type\":\"image\",\"source\":{}}"
#define SORRY          "{\"type\":\"text\",\"text\":\"[An image was left out: this model cannot see it.]\"}"
#define RESULT(blocks) "{\"type\":\"tool_result\",\"content\":[" blocks "]}"
	static const struct translate_target target = {
		.model = "m", .fixes = FIX_NO_IMAGES | FIX_SYSTEM_AS_USER};
	static const struct row rows[] = {
		{M(SAYS(IMAGE ", " TEXT "," RESULT(IMAGE))),
			M(SAYS(SORRY ", " TEXT "," RESULT(SORRY)))},
		{M("{\"role\": \"system\",\"content\":\"s\"}"),
			M("{\"role\": \"user\",\"content\":\"s\"}")},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
}

static void
test_what_deepseek_does_not_take(void **state)
{
	const struct translate_target target = {
		.model = "m",
		.facts = model_facts_find("api.deepseek.com", "m"),
	};
	static const struct row rows[] = {
		{"{\"model\": \"m\",\"metadata\":{\"user_id\":\"user-1\"},\"output_config\":{"
		 "\"effort\":\"low\"}}",
			"{\"model\": "
			"\"m\",\"metadata\":{\"user_id\":\"user-1\"},\"output_config\":{"
			"\"effort\":\"low\"}}"},
		{"{\"model\":\"m\",\"metadata\":{\"user_id\":\"{}\"},\"thinking\":" OFF
		 ",\"output_config\":{\"effort\":\"low\"}}",
			"{\"model\":\"m\",\"metadata\":{\"user_id\":"
			"\"49b91e323f93ee49ee81557500c6b744\"},"
			"\"thinking\":" OFF ",\"output_config\":{}}"},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
}

static void
test_everything_at_once(void **state)
{
	static const struct translate_target target = {.model = "up", .max_output_tokens = 5};
	static const struct row rows[] = {
		{"{\"max_tokens\":7,\"messages\":[" SAYS(FOREIGN "," TEXT) "],\"model\":\"m\"}",
			"{\"max_tokens\":5,\"messages\":[" SAYS(TEXT) "],\"model\":\"up\"}"},
	};

	(void)state;
	check(rows, COUNT(rows), &target);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_changes),
		cmocka_unit_test(test_the_model_is_replaced),
		cmocka_unit_test(test_max_tokens_are_clamped),
		cmocka_unit_test(test_foreign_thinking_is_cut_out),
		cmocka_unit_test(test_a_message_of_foreign_thinking_alone_is_left_out),
		cmocka_unit_test(test_without_what_was_thought_nobody_is_to_think),
		cmocka_unit_test(test_what_was_refused_is_said_in_another_way),
		cmocka_unit_test(test_what_deepseek_does_not_take),
		cmocka_unit_test(test_everything_at_once),
	};

	return cmocka_run_group_tests_name("passthrough", tests, NULL, NULL);
}

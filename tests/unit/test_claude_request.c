/* A Claude request: what is refused and where, and its parts as the translators find them
 * (PROTOCOL.md §A, §B.1). */
#include "unit.h"

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json_writer.h"
#include "translate/claude/history_calls.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/round_trip.h"
#include "translate/translator.h"

#define A16(a)    a a a a a a a a a a a a a a a a
#define A256(a)   A16(A16(a))
#define ASK(more) "{\"model\":\"m\",\"max_tokens\":1," more "}"
#define USER      "\"messages\":[{\"role\":\"user\",\"content\":\"u\"}]"

/* ---- what is refused ---- */

struct refusal {
	const char *text, *message;
};

static void
check_refusals(const struct refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct claude_request request;
		struct api_error error = API_ERROR_NONE;
		const char *text = rows[i].text;
		if (claude_request_parse(text, strlen(text), &request, &error) == 0 &&
			claude_request_check(&request, CLAUDE_TO_ANSWER, &error) == 0)
			fail_msg("taken: %s", text);
		assert_int_equal(error.status, 400);
		assert_string_equal(error.message, rows[i].message);
		claude_request_free(&request);
		api_error_clear(&error);
	}
}

static void
test_an_error_says_where(void **state)
{
	static const struct refusal rows[] = {
		{"{\"model\":\"m\",}",
			"the request body is not valid JSON: unexpected character (at byte 13)"},
		{"{\"model\":\"m\"",
			"the request body is not valid JSON: it ends too early (at byte 12)"},
		{"[]", "the request body must be a JSON object"},
		{"{}", "model: is required"},
		{"{\"model\":null}", "model: is required"},
		{"{\"model\":1}", "model: must be a string"},
		{"{\"model\":\"\"}", "model: must not be empty"},
		{ASK("\"messages\":[]"), "messages: must not be empty"},
		{ASK("\"messages\":[{\"role\":\"user\",\"content\":\"u\"},null]"),
			"messages.1: must be an object"},
		{ASK("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		     "\"\"},{\"type\":\"odd\"}]}]"),
			"messages.0.content.1.type: 'odd' is not supported by this upstream"},
		{ASK("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"thinking\","
		     "\"thinking\":\"\"}]}]"),
			"messages.0.content.0.type: 'thinking' is not allowed here"},
		{ASK(USER ",\"stop_sequences\":[\"a\",1]"), "stop_sequences.1: must be a string"},
		{ASK(USER ",\"tools\":[{\"name\":\"f\",\"input_schema\":{}},{\"name\":\"g\"}]"),
			"tools.1.input_schema: is required"},
		{ASK(USER ",\"tools\":[],\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}"),
			"tool_choice.name: there is no tool 'f' that this upstream can call"},
		{ASK(USER ",\"tools\":[{\"type\":\"web_search_1\",\"name\":\"w\",\"max_uses\":0}]"),
			"tools.0.max_uses: must be a whole number of at least 1"},
		{ASK(USER ",\"tools\":[{\"type\":\"web_search_1\",\"name\":\"w\",\"max_uses\":1.5}"
			  "]"),
			"tools.0.max_uses: must be a whole number of at least 1"},
		{ASK(USER ",\"tools\":[{\"type\":\"web_search_1\",\"name\":\"w\","
			  "\"allowed_domains\":[\"a\"],\"blocked_domains\":[\"b\"]}]"),
			"tools.0.blocked_domains: must not be given beside allowed_domains"},
		{ASK(USER ",\"top_k\":\"1\""), "top_k: must be a number"},
		{"{\"model\":\"m\",\"max_tokens\":1.0," USER "}",
			"max_tokens: must be a whole number of at least 1"},
	};

	(void)state;
	check_refusals(rows, COUNT(rows));
}

static void
test_names_have_no_odd_characters(void **state)
{
#define WRONG "must contain neither U+0000 nor half of a surrogate pair"
#define OF(id)                                                                                     \
	ASK("\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"    \
	    "\"" id "\",\"name\":\"f\",\"input\":{}}]}]")
	static const struct refusal rows[] = {
		{"{\"model\":\"m\\u0000\"}", "model: " WRONG},
		{"{\"model\":\"\\ud83d\"}", "model: " WRONG},
		{OF("a\\udc00"), "messages.0.content.0.id: " WRONG},
		{OF("\\u0000"), "messages.0.content.0.id: " WRONG},
	};

	(void)state;
	check_refusals(rows, COUNT(rows));
}

static void
test_the_name_of_a_model_is_bounded(void **state)
{
	static const char longest[] = "{\"model\":\"\\u0061" A256("m") "\"}";
	static const struct refusal too_long[] = {
		{longest, "model: must not be longer than 256 bytes"}};
	char text[sizeof(longest)];
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;

	(void)state;
	check_refusals(too_long, 1);
	snprintf(text, sizeof(text), "%.*s\"}", (int)sizeof(longest) - 4, longest);
	assert_int_equal(claude_request_parse(text, strlen(text), &request, &error), 0);
	assert_int_equal(strlen(request.model), 256);
	assert_int_equal(request.model[0], 'a');
	claude_request_free(&request);
}

/* ---- what is taken ---- */

static void
read_request(struct claude_request *request, const char *text, size_t length)
{
	struct api_error error = API_ERROR_NONE;

	if (claude_request_parse(text, length, request, &error) != 0 ||
		claude_request_check(request, CLAUDE_TO_ANSWER, &error) != 0)
		fail_msg("refused: %s", error.message);
}

static void
test_a_tool_may_be_named_in_other_escapes(void **state)
{
	static const char text[] = ASK(
		USER ",\"tools\":[{\"name\":\"\\u0066\xc3\xa9\",\"input_schema\":{}}],"
		     "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\\u00e9\"},"
		     "\"max_tokens\":99999999999999999999");
	struct claude_request request;

	(void)state;
	read_request(&request, text, sizeof(text) - 1);
	assert_true(json_is_text(request.tool_choice_name, "f\xc3\xa9"));
	assert_true(request.max_tokens == INT64_MAX);
	claude_request_free(&request);
}

/* White space of any kind stays; tests/cases/claude has what changes. */
static void
test_a_request_passes_byte_for_byte(void **state)
{
	static const char text[] =
		" {\r\n\t\"max_tokens\" : 1.10e2 ,\"model\" :\"m\" , \"x\":[1.0,-0,\"\\/"
		"\\u0041\\ud800\\u0000\",null]} \n";
	const struct translate_target target = {.model = "m", .facts = model_facts_find(NULL, "m")};
	struct claude_request request;
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	(void)state;
	assert_int_equal(claude_request_parse(text, strlen(text), &request, &error), 0);
	assert_int_equal(passthrough.write_request(&request, &target, NULL, &out, &error), 0);
	assert_string_equal(buffer_text(&out), text);
	claude_request_free(&request);
	buffer_free(&out);
}

/* As when the next upstream is tried: the second check finds what the first one found. */
static void
test_a_request_may_be_checked_again(void **state)
{
	static const char text[] = ASK(
		"\"messages\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"system\","
		"\"content\":["
		"{\"type\":\"tool_addition\",\"tool\":{\"type\":\"tool_reference\",\"name\":\"d\"}}"
		"]}],"
		"\"tools\":[{\"name\":\"d\",\"input_schema\":{},\"defer_loading\":true}]");
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

/* ---- calls ---- */

static void
test_equal_ids_are_told_apart(void **state)
{
	static const char *const same[] = {"{\"id\":\"a\"}", "{\"id\":\"\\u0061\"}",
		"{\"id\":\"a\"}", "{\"id\":\"b c\"}", "{\"id\":\"b c\"}"};
	static const char result[] = "{\"tool_use_id\":\"a\"}";
	struct json_document index[COUNT(same)] = {0};
	struct json_document results[4] = {0};
	struct history_calls calls;

	(void)state;
	history_calls_init(&calls, "k", CLAUDE_IDS);
	for (size_t i = 0; i < COUNT(same); i++)
		assert_int_equal(history_calls_add(&calls,
					 json_read(&index[i], same[i], strlen(same[i]), 9, NULL)),
			0);
	assert_string_equal(calls.list[0].id, "a");
	for (size_t i = 0; i < calls.count; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(calls.list[i].id, calls.list[k].id);
	for (size_t i = 0; i < calls.count; i++)
		assert_true(round_trip_is_id(calls.list[i].id, strlen(calls.list[i].id)));
	/* Results answer calls of one id in their order; a fourth answers none. */
	for (size_t i = 0; i < COUNT(results); i++) {
		const struct json *r = json_read(&results[i], result, strlen(result), 9, NULL);
		struct history_call *call = history_calls_answer(&calls, r);
		assert_ptr_equal(call, i < 3 ? &calls.list[i] : NULL);
		assert_ptr_equal(history_calls_find(&calls, r), call);
	}
	history_calls_clear(&calls);
	assert_null(history_calls_find(&calls, results[0].values));
	assert_int_equal(history_calls_add(&calls, index[0].values), 0);
	assert_string_equal(calls.list[0].id, "a");
	history_calls_free(&calls);
	for (size_t i = 0; i < COUNT(same); i++)
		json_document_free(&index[i]);
	for (size_t i = 0; i < COUNT(results); i++)
		json_document_free(&results[i]);
}

static void
test_ids_stay_taken_in_a_whole_conversation(void **state)
{
	static const char use[] = "{\"id\":\"a\"}";
	struct json_document index = {0};
	const struct json *block = json_read(&index, use, sizeof(use) - 1, 9, NULL);
	struct history_calls calls;

	(void)state;
	history_calls_init(&calls, "k", CLAUDE_IDS_UNIQUE);
	assert_int_equal(history_calls_add(&calls, block), 0);
	history_calls_clear(&calls);
	assert_int_equal(history_calls_add(&calls, block), 0);
	assert_string_not_equal(calls.list[0].id, "a");
	history_calls_free(&calls);
	json_document_free(&index);
}

/* 200,000 calls of one id, each answered: this was quadratic. */
static void
test_many_equal_ids(void **state)
{
	enum { CALLS = 200000 };
	static const char use[] = "{\"id\":\"a\"}";
	static const char result[] = "{\"tool_use_id\":\"a\"}";
	struct json_document uses = {0};
	struct json_document results = {0};
	const struct json *block = json_read(&uses, use, sizeof(use) - 1, 9, NULL);
	const struct json *answer = json_read(&results, result, sizeof(result) - 1, 9, NULL);
	struct history_calls calls;

	(void)state;
	history_calls_init(&calls, "k", CLAUDE_IDS);
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(history_calls_add(&calls, block), 0);
	assert_int_equal(calls.taken.count, CALLS);
	for (int i = 0; i < CALLS; i++)
		assert_ptr_equal(history_calls_answer(&calls, answer), &calls.list[i]);
	assert_null(history_calls_answer(&calls, answer));
	history_calls_free(&calls);
	json_document_free(&uses);
	json_document_free(&results);
}

static void
test_what_came_with_a_call(void **state)
{
	struct json_document index = {0};
	struct buffer use = BUFFER_INIT(0);
	struct history_calls calls;

	(void)state;
	buffer_puts(&use, "{\"id\":\"");
	round_trip_write_call_id(&use, "gemini", "own", "{\"s\":\"x\"}", 9);
	buffer_puts(&use, "\"}");
	const struct json *block = json_read(&index, use.data, use.length, 9, NULL);
	history_calls_init(&calls, "gemini", CLAUDE_IDS);
	history_calls_add(&calls, block);
	assert_string_equal(calls.list[0].id, "own");
	assert_true(json_is_text(json_member(calls.list[0].extra, "s"), "x"));
	history_calls_free(&calls);
	history_calls_init(&calls, "openai", CLAUDE_IDS);
	history_calls_add(&calls, block);
	assert_contains(calls.list[0].id, "call_");
	assert_null(calls.list[0].extra);
	history_calls_free(&calls);
	buffer_free(&use);
	json_document_free(&index);
}

/* ---- text ---- */

static void
test_blocks_as_text(void **state)
{
#define SAYS(text)      "{\"type\":\"text\",\"text\":\"" text "\"}"
#define RESULT(content) "{\"content\":" content "}"
#define FAILED(content) "{\"is_error\":true,\"content\":" content "}"
#define IMAGE           "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"u\"}}"
	static const struct {
		const char *result, *text;
	} rows[] = {
		{"{}", ""},
		{RESULT("\"a\\u0041\\ud800\\n\""), "a\\u0041\\ud800\\n"},
		{RESULT("[" SAYS("a") "," IMAGE "," SAYS("") "," SAYS("b") "," IMAGE "]"),
			"a\\n\\nb"},
		{RESULT("[" IMAGE "," SAYS("a") "]"), "a"},
		{RESULT("[{\"type\":\"tool_reference\",\"tool_name\":\"t\"}]"),
			"The tool t can be called now."},
		{RESULT("[{\"type\":\"search_result\",\"title\":\"\",\"source\":\"s\",\"content\":"
			"[" SAYS("a") "," SAYS("b") "]}]"),
			"Source: s\\na\\n\\nb"},
		{RESULT("[{\"type\":\"document\",\"title\":\"t\",\"context\":\"c\",\"source\":"
			"{\"type\":\"text\",\"data\":\"\\/\"}}]"),
			"Title: t\\nContext: c\\n\\/"},
		{FAILED("\"it broke\""), "Error: it broke"},
		{FAILED("\"ERROR 5\""), "ERROR 5"},
		{FAILED("[" IMAGE "]"), "Error: "},
		{"{\"is_error\":true}", "Error: "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_document index = {0};
		struct buffer out = BUFFER_INIT(0);
		struct json_writer w = JSON_WRITER(&out);
		const char *result = rows[i].result;
		json_open_string(&w);
		claude_string_tool_result(&w, json_read(&index, result, strlen(result), 99, NULL));
		json_close_string(&w);
		assert_int_equal(out.length, strlen(rows[i].text) + 2);
		assert_memory_equal(out.data + 1, rows[i].text, out.length - 2);
		buffer_free(&out);
		json_document_free(&index);
	}
}

/* What words tell of a search stands behind the system prompt. */
static void
test_words_about_a_search(void **state)
{
	static const char text[] = ASK(
		USER ",\"system\":\"s\",\"tools\":[{\"type\":\"web_search_1\",\"name\":\"w\","
		     "\"allowed_domains\":[\"a\",\"b\"],\"blocked_domains\":[],"
		     "\"max_uses\":null}]");
	struct claude_request request;
	struct buffer out = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&out);

	(void)state;
	read_request(&request, text, strlen(text));
	const struct claude_words words = {
		.no_search = true,
		.only = json_member(request.web_search, "allowed_domains"),
		.never = json_member(request.web_search, "allowed_domains"),
	};
	assert_true(claude_has_words(&words));
	claude_string_instructions(&w, &request, &words);
	assert_non_null(strstr(buffer_text(&out), "s\\n\\nThere is no web search here"));
	assert_non_null(
		strstr(buffer_text(&out), "\\n\\nOf what a web search finds, use only these "
					  "sites: a, b.\\n\\nOf what"));
	assert_non_null(strstr(buffer_text(&out), "nothing from these sites: a, b."));
	claude_request_free(&request);
	buffer_free(&out);
}

/* A choice that leaves nothing but the search forces it. */
static void
test_forced_search(void **state)
{
	static const struct {
		const char *rest;
		bool forced;
	} rows[] = {
		{"", false},
		{",\"tool_choice\":{\"type\":\"auto\"}", false},
		{",\"tool_choice\":{\"type\":\"any\"}", true},
		{",\"tool_choice\":{\"type\":\"tool\",\"name\":\"w\"}", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[512];
		struct claude_request request;
		snprintf(text, sizeof(text),
			ASK(USER ",\"tools\":[{\"type\":\"web_search_1\",\"name\":\"w\"}]%s"),
			rows[i].rest);
		read_request(&request, text, strlen(text));
		assert_non_null(request.web_search);
		assert_true(request.forces_search == rows[i].forced);
		claude_request_free(&request);
	}
}

static void
test_the_system_prompt_as_text(void **state)
{
	static const struct {
		const char *system, *text;
	} rows[] = {{"\"\"", ""}, {"\"a\\u0041\"", "a\\u0041"}, {"[" SAYS("") "]", ""},
		{"[" SAYS("a") "," SAYS("") "," SAYS("b") "]", "a\\n\\nb"}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[256];
		struct claude_request request;
		struct buffer out = BUFFER_INIT(0);
		struct json_writer w = JSON_WRITER(&out);
		snprintf(text, sizeof(text), ASK(USER ",\"system\":%s"), rows[i].system);
		read_request(&request, text, strlen(text));
		claude_string_instructions(&w, &request, &(struct claude_words){0});
		assert_string_equal(buffer_text(&out), rows[i].text);
		assert_true(claude_has_system(&request) == (rows[i].text[0] != '\0'));
		claude_request_free(&request);
		buffer_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_error_says_where),
		cmocka_unit_test(test_names_have_no_odd_characters),
		cmocka_unit_test(test_the_name_of_a_model_is_bounded),
		cmocka_unit_test(test_a_tool_may_be_named_in_other_escapes),
		cmocka_unit_test(test_a_request_passes_byte_for_byte),
		cmocka_unit_test(test_a_request_may_be_checked_again),
		cmocka_unit_test(test_equal_ids_are_told_apart),
		cmocka_unit_test(test_ids_stay_taken_in_a_whole_conversation),
		cmocka_unit_test(test_many_equal_ids),
		cmocka_unit_test(test_what_came_with_a_call),
		cmocka_unit_test(test_blocks_as_text),
		cmocka_unit_test(test_words_about_a_search),
		cmocka_unit_test(test_forced_search),
		cmocka_unit_test(test_the_system_prompt_as_text),
	};

	return cmocka_run_group_tests_name("claude request", tests, NULL, NULL);
}

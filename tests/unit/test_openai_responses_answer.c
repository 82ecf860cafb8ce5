/* Answers of Responses (PROTOCOL.md §C, §D.2 "Responses events"). */
#include "answering.h"

#include "translate/round_trip.h"

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define ADDED(i, item)                                                                             \
	EVENT("response.output_item.added", ",\"output_index\":" #i ",\"item\":" item)
#define ITEM(i, item) EVENT("response.output_item.done", ",\"output_index\":" #i ",\"item\":" item)
#define TEXTS(i, text)                                                                             \
	EVENT("response.output_text.delta", ",\"output_index\":" #i ",\"delta\":\"" text "\"")
#define ARGUMENTS(i, text)                                                                         \
	EVENT("response.function_call_arguments.delta",                                            \
		",\"output_index\":" #i ",\"delta\":\"" text "\"")
#define SUMMARY(i, part, text)                                                                     \
	EVENT("response.reasoning_summary_text.delta",                                             \
		",\"output_index\":" #i ",\"summary_index\":" #part ",\"delta\":\"" text "\"")
#define MESSAGE(text)                                                                              \
	"{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"" text "\"}]}"
#define CALL(id, arguments)                                                                        \
	"{\"type\":\"function_call\",\"call_id\":\"" id                                            \
	"\",\"name\":\"f\",\"arguments\":\"" arguments "\"}"
#define RESPONSE(status, output, rest)                                                             \
	"{\"status\":\"" status "\",\"error\":null,\"output\":[" output                            \
	"],\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":4},"         \
	"\"output_tokens\":5}" rest "}"
#define DONE "data: [DONE]\n\n"
#define COMPLETED(output)                                                                          \
	EVENT("response.completed", ",\"response\":" RESPONSE("completed", output, ""))
#define TOLD                                                                                       \
	"\"usage\":{\"input_tokens\":6,\"cache_creation_input_tokens\":0,"                         \
	"\"cache_read_input_tokens\":4,\"output_tokens\":5}}"

static void
test_streams(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		/* What came in pieces is not taken again from the whole items. */
		{EVENT("response.created", "") ADDED(0, MESSAGE("")) TEXTS(0, "a") TEXTS(0, "b")
				ITEM(0, MESSAGE("ab")) COMPLETED(MESSAGE("ab")),
			OPEN_TEXT(0) TEXT(0, "a") TEXT(0, "b") STOP(0)
				END("end_turn", "null", 6, 4, 5)},
		/* Only whole items, or only the whole response. */
		{ITEM(0, MESSAGE("ab")) COMPLETED(""),
			OPEN_TEXT(0) TEXT(0, "ab") STOP(0) END("end_turn", "null", 6, 4, 5)},
		{COMPLETED(MESSAGE("ab") "," CALL("t", "{}")),
			OPEN_TEXT(0) TEXT(0, "ab") STOP(0) OPEN_TOOL(1, "t", "f") JSON(1, "{}")
				STOP(1) END("tool_use", "null", 6, 4, 5)},
		/* Parallel calls, interleaved; arguments that only the end brings, or nothing. */
		{ADDED(0, CALL("x", "")) ADDED(1, CALL("y", "")) ARGUMENTS(0, "{")
				ARGUMENTS(1, "{\\\"a\\\"") ARGUMENTS(0, "}") ARGUMENTS(1, ":1}")
					ITEM(0, CALL("x", "{}")) ITEM(1, CALL("y", "{\\\"a\\\":1}"))
						COMPLETED(""),
			OPEN_TOOL(0, "x", "f") JSON(0, "{") JSON(0, "}") STOP(0)
				OPEN_TOOL(1, "y", "f") JSON(1, "{\\\"a\\\"") JSON(1, ":1}") STOP(1)
					END("tool_use", "null", 6, 4, 5)},
		{ADDED(0, CALL("x", "")) EVENT("response.function_call_arguments.done",
			 ",\"output_index\":0,\"arguments\":\"{\\\"b\\\":-0}\"")
				ITEM(0, CALL("x", "{\\\"b\\\":-0}")) ADDED(1, CALL("y", ""))
					ITEM(1, CALL("y", "")) COMPLETED(""),
			OPEN_TOOL(0, "x", "f") JSON(0, "{\\\"b\\\":-0}") STOP(0) OPEN_TOOL(1, "y",
				"f") JSON(1, "{}") STOP(1) END("tool_use", "null", 6, 4, 5)},
		/* Refusals, and answers that were cut. */
		{EVENT("response.refusal.delta", ",\"output_index\":0,\"delta\":\"no\"")
				COMPLETED("{\"type\":\"message\",\"content\":[{\"type\":"
					  "\"refusal\",\"refusal\":\"no\"}]}"),
			OPEN_TEXT(0) TEXT(0, "no") STOP(0) END("refusal", "null", 6, 4, 5)},
		{TEXTS(0, "a") EVENT("response.incomplete",
			 ",\"response\":" RESPONSE("incomplete", "",
				 ",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}")),
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("max_tokens", "null", 6, 4, 5)},
		{EVENT("response.incomplete",
			 ",\"response\":" RESPONSE("incomplete", "",
				 ",\"incomplete_details\":{\"reason\":\"content_filter\"}")),
			END("refusal", "null", 6, 4, 5)},
		/* Texts go through as they came; of duplicates the last counts. */
		{EVENT("response.output_text.delta",
			 ",\"output_index\":0,\"delta\":\"x\",\"delta\":\"\\ud800\\u0000\\/\"")
				COMPLETED(""),
			OPEN_TEXT(0) TEXT(0, "\\ud800\\u0000\\/") STOP(0)
				END("end_turn", "null", 6, 4, 5)},
		/* Text while a call is incomplete waits; the end is told in another way. */
		{ADDED(0, CALL("x", "")) ARGUMENTS(0, "{") TEXTS(1, "a") ARGUMENTS(0, "}") DONE,
			OPEN_TOOL(0, "x", "f") JSON(0, "{") JSON(0, "}") STOP(0) OPEN_TEXT(1)
				TEXT(1, "a") STOP(1) END("tool_use", "null", 0, 0, 1)},
		/* Wrong types and unknown events are ignored. */
		{"data: 5\n\ndata: {\"type\":5}\n\n" EVENT("response.new", ",\"delta\":\"z\"")
				ADDED(0, "5") EVENT("response.output_text.delta", ",\"delta\":[]")
					ITEM(1, "{\"type\":\"file_search_call\"}") TEXTS(2, "a")
						DONE,
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("end_turn", "null", 0, 0, 1)},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_stream(&openai_responses, rows[i].in, rows[i].out);
}

#define REASONING(summary)                                                                         \
	"{\"type\":\"reasoning\",\"id\":\"rs_1\",\"encrypted_content\":\"E\",\"summary\":"         \
	"[" summary "]}"
#define PART(text) "{\"type\":\"summary_text\",\"text\":\"" text "\"}"
/* base64url of {"k":"openai-responses","id":"rs_1","encrypted_content":"E"} */
#define SIGNATURE                                                                                  \
	"cp1.eyJrIjoib3BlbmFpLXJlc3BvbnNlcyIsImlkIjoicnNfMSIsImVuY3J5cHRlZF9jb250ZW50IjoiRSJ9"

static void
test_reasoning_is_thinking_with_its_item_in_the_signature(void **state)
{
	static const char thinking[] = START(
		0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
		DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"a\"}") DELTA(
			0, "{\"type\":\"thinking_delta\",\"thinking\":\"\\n\\n\"}")
			DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"b\"}") DELTA(
				0, "{\"type\":\"signature_delta\",\"signature\":\"" SIGNATURE "\"}")
				STOP(0) OPEN_TOOL(1, "t", "f") JSON(1, "{}") STOP(1)
					END("tool_use", "null", 6, 4, 5);

	(void)state;
	check_stream(&openai_responses,
		ADDED(0, REASONING("")) SUMMARY(0, 0, "a") SUMMARY(0, 1, "b")
			ITEM(0, REASONING(PART("a") "," PART("b"))) ADDED(1, CALL("t", ""))
				ARGUMENTS(1, "{}") ITEM(1, CALL("t", "{}")) COMPLETED(""),
		thinking);
	check_stream(&openai_responses,
		COMPLETED(REASONING(PART("a") "," PART("b")) "," CALL("t", "{}")), thinking);
	/* Without a summary: nothing to read, but still to be sent back. */
	check_message(&openai_responses, RESPONSE("completed", REASONING("") "," MESSAGE("x"), ""),
		"\"content\":[{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"" SIGNATURE
		"\"},{\"type\":\"text\",\"text\":\"x\"}],\"stop_reason\":\"end_turn\","
		"\"stop_sequence\":null," TOLD);
}

/* A reasoning item in the middle of a call cannot be a block: the next call carries it. */
static void
test_reasoning_that_cannot_be_shown_goes_with_the_next_call(void **state)
{
	struct buffer out = BUFFER_INIT(0);
	struct buffer id = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;
	static const char item[] = "{\"id\":\"rs_1\",\"encrypted_content\":\"E\"}";

	(void)state;
	round_trip_write_call_id(&id, "openai-responses", "y", item, strlen(item));
	assert_int_equal(
		answer_of(&openai_responses, "text/event-stream",
			ADDED(0, CALL("x", "")) ARGUMENTS(0, "{") ITEM(1, REASONING(PART("a")))
				ARGUMENTS(0, "}") ITEM(2, CALL("y", "{}")) COMPLETED(""),
			true, true, 9999, &out, &error),
		ANSWER_DONE);
	assert_contains(buffer_text(&out), buffer_text(&id));
	assert_null(strstr(buffer_text(&out), "thinking"));
	buffer_free(&out);
	buffer_free(&id);
}

/* Items are found by their number, however many and in whatever order; more than fit are refused.
 */
static void
test_many_items(void **state)
{
	static const int counts[] = {4096, 4097};

	(void)state;
	for (size_t c = 0; c < COUNT(counts); c++) {
		struct buffer in = BUFFER_INIT(0);
		struct buffer out = BUFFER_INIT(0);
		struct api_error error = API_ERROR_NONE;
		for (int i = counts[c]; i-- > 0;)
			buffer_printf(&in,
				"data: {\"type\":\"response.output_text.delta\","
				"\"output_index\":%d,\"delta\":\"a\"}\n\n",
				i * 1000);
		buffer_puts(&in, DONE);
		assert_int_equal(answer_of(&openai_responses, "text/event-stream", buffer_text(&in),
					 false, true, 99999, &out, &error),
			c == 0 ? ANSWER_DONE : ANSWER_FAILED);
		if (c > 0)
			assert_contains(error.message, "more than can be kept");
		api_error_clear(&error);
		buffer_free(&in);
		buffer_free(&out);
	}
}

/* Events that say by id which item they belong to, or not at all. */
#define AT(id)            ",\"item_id\":\"" id "\""
#define BEGAN(item)       EVENT("response.output_item.added", ",\"item\":" item)
#define ENDED(item)       EVENT("response.output_item.done", ",\"item\":" item)
#define SAID(at, text)    EVENT("response.output_text.delta", at ",\"delta\":\"" text "\"")
#define THOUGHT(at, text) EVENT("response.reasoning_text.delta", at ",\"delta\":\"" text "\"")
#define GAVE(at, text)    EVENT("response.function_call_arguments.delta", at ",\"delta\":\"" text "\"")
#define THE_CALL(members, id, name, arguments)                                                     \
	"{\"type\":\"function_call\"," members "\"call_id\":\"" id "\",\"name\":\"" name           \
	"\",\"arguments\":\"" arguments "\"}"
#define THE_MESSAGE(id, text)                                                                      \
	"{\"type\":\"message\",\"id\":\"" id                                                       \
	"\",\"content\":[{\"type\":\"output_text\",\"text\":\"" text "\"}]}"
#define THE_THOUGHT(id, text)                                                                      \
	"{\"type\":\"reasoning\",\"id\":\"" id "\",\"summary\":[],\"encrypted_content\":\"\","     \
	"\"content\":[{\"type\":\"reasoning_text\",\"text\":\"" text "\"}]}"

static void
test_items_are_told_apart(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		/* Ids and no numbers; calls known by their call ids; the end repeats all. */
		{BEGAN(THE_THOUGHT("rs", "")) THOUGHT(AT("rs"), "t") BEGAN(THE_MESSAGE("m",
			 "")) SAID(AT("m"), "a") BEGAN(THE_CALL("", "x", "f", "")) GAVE(AT("x"),
			 "{\\\"a\\\"") BEGAN(THE_CALL("", "y", "f", "")) GAVE(AT("x"), ":1}")
				GAVE(AT("y"), "{\\\"a\\\":2}") ENDED(THE_THOUGHT("rs", "t"))
					ENDED(THE_CALL("", "x", "f", "{\\\"a\\\":1}"))
						COMPLETED(THE_THOUGHT("rs", "t") "," THE_MESSAGE(
							"m", "a") "," THE_CALL("", "x", "f",
							"{\\\"a\\\":1}") "," THE_CALL("", "y", "f",
							"{\\\"a\\\":2}")),
			"thinking[t] text[a] f[{\"a\":1}] f[{\"a\":2}] tool_use"},
		/* Nothing but the order. */
		{BEGAN(MESSAGE("")) SAID("", "a") ENDED(MESSAGE("a")) BEGAN(CALL("x", "")) GAVE(
			 "", "{\\\"a\\\":1}") ENDED(CALL("x", "{\\\"a\\\":1}")) BEGAN(CALL("y", ""))
				GAVE("", "{\\\"a\\\":2}") COMPLETED(MESSAGE("a") "," CALL(
					"x", "{\\\"a\\\":1}") "," CALL("y", "{\\\"a\\\":2}")),
			"text[a] f[{\"a\":1}] f[{\"a\":2}] tool_use"},
		/* One number for all. */
		{ADDED(0, MESSAGE("")) TEXTS(0, "a") ITEM(0, MESSAGE("a")) ADDED(0, CALL("x", ""))
				ARGUMENTS(0, "{}") ITEM(0, CALL("x", "{}")) ADDED(0, CALL("y", ""))
					ARGUMENTS(0, "{}") COMPLETED(MESSAGE("a") "," CALL(
						"x", "{}") "," CALL("y", "{}")),
			"text[a] f[{}] f[{}] tool_use"},
		{ADDED(0, CALL("x", "")) ARGUMENTS(0, "{}") ADDED(0, CALL("y", ""))
				ARGUMENTS(0, "{}") TEXTS(0, "a") COMPLETED(""),
			"f[{}] f[{}] text[a] tool_use"},
		/* Ids that change from event to event; call ids that the end does not repeat. */
		{ADDED(0, THE_CALL("\"id\":\"1\",", "x", "f", "")) EVENT(
			 "response.function_call_arguments.delta",
			 ",\"output_index\":0,\"item_id\":\"2\",\"delta\":\"{}\"")
				ITEM(0, THE_CALL("\"id\":\"3\",", "x", "f", "{}"))
					COMPLETED(THE_CALL("\"id\":\"4\",", "x", "f", "{}")),
			"f[{}] tool_use"},
		{ADDED(0, CALL("x", "")) ARGUMENTS(0, "{}") ITEM(0, CALL("z", "{}"))
				COMPLETED(CALL("y", "{}")),
			"f[{}] tool_use"},
		/* The end has what the events had not, and nothing twice. */
		{SAID("", "a") COMPLETED(THE_CALL("", "x", "g", "{}") "," MESSAGE("abc")),
			"text[a] g[{}] text[bc] tool_use"},
		{ADDED(0, CALL("x", "")) ARGUMENTS(0, "{\\\"a\\\":")
				ITEM(0, CALL("x", "{\\\"a\\\":1}")) COMPLETED(""),
			"f[{\"a\":1}] tool_use"},
		{EVENT("response.output_text.done", ",\"output_index\":0,\"text\":\"a\"")
				EVENT("response.reasoning_summary_text.done",
					",\"output_index\":1,\"summary_index\":0,\"text\":\"t\"")
					COMPLETED(MESSAGE("a")),
			"text[a] thinking[t] end_turn"},
		/* Arguments as an object; a finished call without any is finished. */
		{ADDED(0, "{\"type\":\"function_call\",\"call_id\":\"x\",\"name\":\"f\","
			  "\"arguments\":{\"a\":1}}") COMPLETED(""),
			"f[{\"a\":1}] tool_use"},
		{ADDED(0, CALL("x", "")) ITEM(0, CALL("x", "")) SUMMARY(1, 0, "t") COMPLETED(""),
			"f[{}] thinking[t] tool_use"},
		/* Messages are kept apart, and so is thinking. */
		{ADDED(0, MESSAGE("")) TEXTS(0, "a") ITEM(0, MESSAGE("a")) TEXTS(1, "b")
				COMPLETED(MESSAGE("a") "," MESSAGE("b")),
			"text[a\n\nb] end_turn"},
		{COMPLETED(MESSAGE("a") "," MESSAGE("b")), "text[a\n\nb] end_turn"},
		{COMPLETED(MESSAGE("a") "," THE_THOUGHT("r", "t") "," THE_THOUGHT(
			 "s", "u") "," MESSAGE("b")),
			"text[a] thinking[t\n\nu] text[b] end_turn"},
		{COMPLETED(MESSAGE("<think>t</think>a") "," MESSAGE("<think>u</think>b")),
			"thinking[t] text[a] thinking[u] text[b] end_turn"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_outline(&openai_responses, rows[i].in, rows[i].out);
}

static void
test_how_an_answer_ends(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{RESPONSE("incomplete", MESSAGE("a"), ",\"incomplete_details\":{\"reason\":null}"),
			"text[a] max_tokens"},
		{RESPONSE("incomplete", MESSAGE("a"), ",\"incomplete_details\":{\"reason\":\"x\"}"),
			"text[a] max_tokens"},
		{RESPONSE("incomplete", MESSAGE("a"),
			 ",\"incomplete_details\":{\"reason\":\"steered\"}"),
			"text[a] end_turn"},
		/* The service's policies refuse. */
		{EVENT("response.failed", ",\"response\":{\"status\":\"failed\",\"error\":{"
					  "\"code\":\"bio_policy\",\"message\":\"m\"}}"),
			"refusal"},
		{"{\"status\":\"failed\",\"error\":{\"code\":\"misalignment_policy_violation\"}}",
			"refusal"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_outline(&openai_responses, rows[i].in, rows[i].out);
}

static void
test_failures(void **state)
{
	static const struct {
		const char *type, *body;
		bool complete;
		int status;
		const char *words;
	} rows[] = {
		{"application/json", "{}", true, 502, "without output"},
		{"application/json",
			"{\"status\":\"failed\",\"error\":{\"code\":"
			"\"rate_limit_exceeded\",\"message\":\"m\"}}",
			true, 429, "m"},
		{"text/event-stream",
			EVENT("response.failed", ",\"response\":{\"status\":\"failed\",\"error\":{"
						 "\"code\":\"server_error\",\"message\":\"m\"}}"),
			true, 502, "m"},
		{"text/event-stream",
			EVENT("error", ",\"code\":\"insufficient_quota\",\"message\":\"m\""), true,
			402, "m"},
		{"text/event-stream", TEXTS(0, "a"), false, 502, "broke off"},
		{"text/event-stream", TEXTS(0, "a"), true, 502, "broke off"},
		{"text/event-stream", EVENT("response.created", ""), true, 502, "answer"},
		{"application/json", "{\"status\":\"cancelled\",\"output\":[]}", true, 502,
			"cancelled"},
		{"application/json", "{\"status\":\"queued\",\"output\":[]}", true, 502, "queued"},
		{"application/json", "{\"detail\":\"m\"}", true, 502, "m"},
		{"application/json",
			"{\"output\":[{\"type\":\"function_call\",\"call_id\":\"x\","
			"\"arguments\":\"{\\\"a\\\":1}\"}]}",
			true, 502, "without a name"},
		{"text/event-stream",
			TEXTS(0, "a") EVENT("response.completed",
				",\"response\":{\"status\":\"cancelled\",\"output\":[]}"),
			true, 502, "cancelled"},
		{"text/event-stream",
			TEXTS(0, "a") "data: {\"object\":\"error\",\"message\":\"m\"}\n\n", true,
			502, "m"},
		{"text/event-stream", TEXTS(0, "a") "{\"error\":{\"message\":\"m\"}}", true, 502,
			"m"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_failure(&openai_responses, rows[i].type, rows[i].body, rows[i].complete,
			rows[i].status, rows[i].words);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_reasoning_is_thinking_with_its_item_in_the_signature),
		cmocka_unit_test(test_reasoning_that_cannot_be_shown_goes_with_the_next_call),
		cmocka_unit_test(test_items_are_told_apart),
		cmocka_unit_test(test_how_an_answer_ends),
		cmocka_unit_test(test_many_items),
		cmocka_unit_test(test_failures),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("openai responses answer", tests, NULL, NULL);
}

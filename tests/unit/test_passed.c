/* Answers in Claude's own language on their way through: good ones byte for byte, others as what
 * they are (PROTOCOL.md §B.4, §D.1). */
#include "answering.h"

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define BEGIN             "{\"id\":\"msg_1\",\"type\":\"message\",\"usage\":{\"input_tokens\":9}}"
#define MESSAGE_START     EVENT("message_start", ",\"message\":" BEGIN)
#define BLOCK_START                                                                                \
	EVENT("content_block_start",                                                               \
		",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
#define DELTA_OF(text)                                                                             \
	EVENT("content_block_delta",                                                               \
		",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define BLOCK_STOP EVENT("content_block_stop", ",\"index\":0")
#define MESSAGE_DELTA                                                                              \
	EVENT("message_delta",                                                                     \
		",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}")
#define MESSAGE_STOP EVENT("message_stop", "")
#define BODY         BLOCK_START DELTA_OF("a") BLOCK_STOP MESSAGE_DELTA
#define GOOD         MESSAGE_START BODY MESSAGE_STOP
#define OVERLOADED                                                                                 \
	EVENT("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}")

static const struct answer_options asks_stream = {.translator = &passthrough,
	.model = "asked",
	.stream = true,
	.pass = true,
	.message = true};
static const struct answer_options asks_whole = {
	.translator = &passthrough, .model = "asked", .pass = true, .message = true};

/* One transfer of an answer, in pieces of ${size} bytes; the answer's state. */
static enum answer_state
transfer(struct answer *a, const char *type, const char *body, size_t size, bool complete)
{
	size_t length = strlen(body);

	answer_begin(a, &error_context);
	answer_head(a, 200, type, 0);
	for (size_t at = 0; at < length && answer_state(a) == ANSWER_OPEN; at += size)
		answer_feed(a, body + at, length - at < size ? length - at : size);
	return answer_end(a, complete);
}

static const size_t sizes[] = {1, 2, 3, 7, 100000};

static void
check_passed(const char *in, const char *expected)
{
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&asks_stream, &out);
		if (transfer(a, "text/event-stream", in, sizes[i], true) != ANSWER_DONE)
			fail_msg("failed: %s: %s", in, answer_error(a)->message);
		assert_string_equal(buffer_text(&out), expected);
		assert_true(answer_passes(a));
		assert_int_equal(answer_usage(a)->input_tokens, 9);
		assert_int_equal(answer_usage(a)->output_tokens, 3);
		assert_string_equal(answer_stop_reason(a), "end_turn");
		answer_free(a);
		buffer_free(&out);
	}
}

static void
test_good_streams_pass_byte_for_byte(void **state)
{
	static const char *const rows[] = {
		GOOD,
		": hi\n\n" EVENT("ping", "") MESSAGE_START ": and\r\n\r\n" BODY "\n\n" MESSAGE_STOP,
		"id: 1\r\nevent:message_start\r\ndata: {\"type\":\"message_start\",\r\n"
		"data:\"message\":" BEGIN "}\r\n\r\n" BODY MESSAGE_STOP,
		"data: {\"message\" : " BEGIN " , \"type\" : \"message_start\"}\nevent: "
		"message_start\n\n" BODY MESSAGE_STOP,
		MESSAGE_START EVENT("of_tomorrow", ",\"error\":null") BODY MESSAGE_STOP,
		MESSAGE_START "event: x\ndata: no JSON\n\nretry: 5\n\n" BODY MESSAGE_STOP,
		/* Nothing real is replaced by nothing, or by nonsense. */
		MESSAGE_START BODY EVENT("message_delta", ",\"usage\":{}") MESSAGE_STOP,
		MESSAGE_START BODY EVENT("message_delta",
			",\"delta\":{},\"usage\":{\"input_tokens\":0,\"output_tokens\":-1}")
			MESSAGE_STOP,
		MESSAGE_START BODY EVENT("message_delta", ",\"usage\":{\"output_tokens\":1e300}")
			MESSAGE_STOP,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_passed(rows[i], rows[i]);
}

static void
test_what_is_missing_is_added(void **state)
{
#define BARE(type, rest) "data: {\"type\":\"" type "\"" rest "}\n\n"
	static const struct {
		const char *in, *out;
	} rows[] = {
		/* The lines that name events, also where only some are missing. */
		{BARE("message_start", ",\"message\":" BEGIN) BARE(
			 "content_block_delta", ",\"x\":1") MESSAGE_DELTA BARE("message_stop", ""),
			MESSAGE_START EVENT("content_block_delta", ",\"x\":1")
				MESSAGE_DELTA MESSAGE_STOP},
		{": x\ndata: {\"type\":\"message_start\",\"message\":" BEGIN
		 "}\r\n\r\n" BODY MESSAGE_STOP,
			"event: message_start\n: x\ndata: "
			"{\"type\":\"message_start\",\"message\":" BEGIN
			"}\r\n\r\n" BODY MESSAGE_STOP},
		/* Such a line names the event that it stands in, and no other. */
		{MESSAGE_START "event: x\n\n" BARE("ping", "") "\n\r\nid: 7\r\n\r\n" BARE(
			 "ping", "") BODY MESSAGE_STOP,
			MESSAGE_START "event: x\n\n" EVENT("ping", "") "\n\r\nid: 7\r\n\r\n" EVENT(
				"ping", "") BODY MESSAGE_STOP},
		/* What follows the last event is none of the message. */
		{GOOD "data: [DONE]\n\n" MESSAGE_START, GOOD},
		/* The last event, where the service said why it stopped. */
		{MESSAGE_START BODY, GOOD},
		{MESSAGE_START BODY "event: message_stop\ndata: {\"type\":\"message_stop\"}", GOOD},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_passed(rows[i].in, rows[i].out);
}

/* Nothing of it reaches the client, and another key may do better. */
static void
test_streams_that_never_begin(void **state)
{
	static const struct {
		const char *type, *body;
		bool complete;
		int status;
		const char *words;
	} rows[] = {
		{"text/event-stream", OVERLOADED, true, 529, "Overloaded"},
		{"text/event-stream", "data: {\"error\":{\"message\":\"m\",\"code\":429}}\n\n",
			true, 429, "m"},
		{"text/event-stream", "data: {\"error\":\"m\"}", true, 502, "m"},
		{"text/event-stream", "{\"error\":{\"message\":\"m\",\"code\":503}}", true, 529,
			"m"},
		{"text/event-stream", "", true, 502, "contained no message"},
		{"text/event-stream", "\r\n\n\n", true, 502, "contained no message"},
		{"text/event-stream", "data: nonsense\n\n", true, 502, "data: nonsense"},
		{"text/event-stream", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n", true, 502,
			"choices"},
		{"text/event-stream", BODY, true, 502, "contained no message"},
		{"text/event-stream", "event: message_start\ndata: {\"type\":\"mess", false, 502,
			"broke off"},
		{"text/html", "<html>", true, 502, "<html>"},
		{"application/json",
			"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", true, 529,
			"overloaded_error"},
		{"application/json", "{\"code\":404,\"msg\":\"none\"}", true, 502, "none"},
		{"application/json", "{\"content\":[", true, 502, "content"},
		{"application/json", "{\"content\":[]}", false, 502, "broke off"},
		{NULL, "", true, 502, "empty"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t j = 0; j < COUNT(sizes); j++) {
			struct buffer out = BUFFER_INIT(0);
			struct answer *a = answer_new(&asks_stream, &out);
			assert_int_equal(
				transfer(a, rows[i].type, rows[i].body, sizes[j], rows[i].complete),
				ANSWER_FAILED);
			assert_int_equal(answer_error(a)->status, rows[i].status);
			assert_contains(answer_error(a)->message, rows[i].words);
			assert_false(answer_started(a));
			answer_free(a);
			buffer_free(&out);
		}
	}
}

/* What came is given; then an error event ends the stream. */
static void
test_streams_that_fail_later(void **state)
{
#define TOLD(type, message)                                                                        \
	"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"" type                      \
	"\",\"message\":\"upstream 'up'" message "\"}}\n\n"
	static const struct {
		const char *in;
		bool complete;
		const char *out;
	} rows[] = {
		{MESSAGE_START BLOCK_START OVERLOADED DELTA_OF("b"), true,
			MESSAGE_START BLOCK_START TOLD("overloaded_error", ": Overloaded")},
		{MESSAGE_START BLOCK_START
			"data: {\"error\":{\"message\":\"sk-secret-0123456789\"}}\n\n",
			true, MESSAGE_START BLOCK_START TOLD("api_error", ": sk-s…6789")},
		{MESSAGE_START BLOCK_START DELTA_OF("a"), true,
			MESSAGE_START BLOCK_START DELTA_OF("a")
				TOLD("api_error", " broke off its answer")},
		{MESSAGE_START BLOCK_START "event: content_block_delta\ndata: {\"ty", false,
			MESSAGE_START BLOCK_START TOLD("api_error", " broke off its answer")},
		{MESSAGE_START BLOCK_START
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"in",
			true, MESSAGE_START BLOCK_START TOLD("api_error", " broke off its answer")},
		{MESSAGE_START BLOCK_START BLOCK_STOP, true,
			MESSAGE_START BLOCK_START BLOCK_STOP TOLD(
				"api_error", " broke off its answer")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t j = 0; j < COUNT(sizes); j++) {
			struct buffer out = BUFFER_INIT(0);
			struct answer *a = answer_new(&asks_stream, &out);
			assert_int_equal(transfer(a, "text/event-stream", rows[i].in, sizes[j],
						 rows[i].complete),
				ANSWER_FAILED);
			assert_true(answer_has_content(a));
			assert_true(answer_write_error(a, answer_error(a)));
			assert_string_equal(buffer_text(&out), rows[i].out);
			answer_free(a);
			buffer_free(&out);
		}
	}
}

/* An error after message_start, before any content: another upstream's stream goes on after it. */
static void
test_another_stream_goes_on_after_the_start(void **state)
{
	static const struct answer_options translated = {
		.translator = &openai_chat, .model = "asked", .stream = true};
	static const struct {
		const struct answer_options *options;
		const char *type, *body;
		const char *out; /* what the client gets of it */
	} rows[] = {
		{&asks_stream, "text/event-stream", GOOD, BODY MESSAGE_STOP},
		{&asks_stream, "text/event-stream", ": x\n\n" GOOD, ": x\n\n" BODY MESSAGE_STOP},
		{&asks_stream, "application/json",
			"{\"type\":\"message\",\"content\":[],\"stop_reason\":\"end_turn\"}",
			"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_"
			"reason\":\"end_turn\",\"stop_sequence\":null}}\n\n" MESSAGE_STOP},
		{&translated, "application/json",
			"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{\"prompt_"
			"tokens\":9,"
			"\"completion_tokens\":3}}",
			BLOCK_START DELTA_OF("a") BLOCK_STOP
			"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_"
			"reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":"
			"9,"
			"\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
			"\"output_tokens\":3}}\n\n" MESSAGE_STOP},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&asks_stream, &out);
		assert_int_equal(transfer(a, "text/event-stream",
					 MESSAGE_START EVENT("ping", "") OVERLOADED, 5, true),
			ANSWER_FAILED);
		assert_string_equal(buffer_text(&out), MESSAGE_START EVENT("ping", ""));
		assert_true(answer_started(a));
		assert_false(answer_has_content(a));
		buffer_clear(&out);
		assert_int_equal(answer_switch_upstream(a, rows[i].options), 0);
		assert_int_equal(transfer(a, rows[i].type, rows[i].body, 5, true), ANSWER_DONE);
		assert_string_equal(buffer_text(&out), rows[i].out);
		answer_free(a);
		buffer_free(&out);
	}
}

/* The other way round: a translated stream had begun, for the upstream was silent. */
static void
test_a_passed_stream_goes_on_after_a_translated_start(void **state)
{
	static const struct answer_options translated = {
		.translator = &openai_chat, .model = "asked", .stream = true};
	struct buffer out = BUFFER_INIT(0);
	struct answer *a = answer_new(&translated, &out);

	(void)state;
	answer_begin(a, &error_context);
	answer_ping(a);
	assert_int_equal(answer_end(a, false), ANSWER_FAILED);
	buffer_clear(&out);
	assert_int_equal(answer_switch_upstream(a, &asks_stream), 0);
	assert_int_equal(transfer(a, "text/event-stream", GOOD, 5, true), ANSWER_DONE);
	assert_string_equal(buffer_text(&out), BODY MESSAGE_STOP);
	answer_free(a);
	buffer_free(&out);
}

static void
test_whole_messages(void **state)
{
	static const struct {
		const char *type, *body;
		int status; /* 200: it passes as it is */
		const char *words;
	} rows[] = {
		{"application/json",
			" {\"type\" : \"message\", \"content\":[ ],\"usage\":{\"input_tokens\":9,"
			"\"output_tokens\":3},\"stop_reason\":\"end_turn\",\"x\":1.10}\n",
			200, NULL},
		{NULL,
			"{\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":3},\"stop_"
			"reason\":\"end_turn\"}",
			200, NULL},
		{"application/json", "{}", 502, "no message: {}"},
		{"application/json", "", 502, "empty"},
		{"text/html", "<title>x</title>", 502, "not JSON"},
		{"application/json", "{\"error\":{\"message\":\"m\",\"code\":429}}", 429, "m"},
		{"application/json",
			"{\"base_resp\":{\"status_code\":1002,\"status_msg\":\"slow\"}}", 429,
			"slow"},
		{"text/event-stream", GOOD, 502, "no stream was requested"},
		{"application/json", GOOD, 502, "no stream was requested"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&asks_whole, &out);
		enum answer_state end = transfer(a, rows[i].type, rows[i].body, 7, true);
		if (rows[i].status == 200) {
			assert_int_equal(end, ANSWER_DONE);
			assert_string_equal(
				strpbrk(buffer_text(&out), "{"), strpbrk(rows[i].body, "{"));
			assert_int_equal(answer_usage(a)->input_tokens, 9);
			assert_int_equal(answer_usage(a)->output_tokens, 3);
		} else {
			assert_int_equal(end, ANSWER_FAILED);
			assert_int_equal(answer_error(a)->status, rows[i].status);
			assert_contains(answer_error(a)->message, rows[i].words);
			assert_false(answer_has_content(a));
		}
		answer_free(a);
		buffer_free(&out);
	}
}

/* A whole message where a stream was asked for: every block as a stream would have it. */
static void
test_a_message_is_played_as_the_stream_that_was_asked_for(void **state)
{
	static const char body[] =
		"{\"id\":\"msg_1\",\"type\":\"message\",\"stop_reason\":\"tool_use\",\"content\":["
		"{\"type\":\"thinking\",\"thinking\":\"h\\u0000m\",\"signature\":\"S\"},"
		"{\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"n\":1},{\"n\":2}]},"
		"{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{ \"a\" : 1.10 }},"
		"{\"type\":\"of_tomorrow\",\"content\":[{\"text\":\"x\"}]}],"
		"\"stop_sequence\":null,\"usage\":{\"output_tokens\":3}}";
	static const char expected[] = EVENT("message_start",
		",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"stop_reason\":null,"
		"\"content\":[],"
		"\"stop_sequence\":null,\"usage\":{\"output_tokens\":3}}") EVENT("content_block_"
										 "start",
		",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\","
		"\"signature\":\"\"}") EVENT("content_block_delta",
		",\"index\":0,\"delta\":{\"type\":\"thinking_delta\","
		"\"thinking\":\"h\\u0000m\"}") EVENT("content_block_delta",
		",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"S\"}")
		EVENT("content_block_stop", ",\"index\":0") EVENT("content_block_start",
			",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
			EVENT("content_block_delta",
				",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}")
				EVENT("content_block_delta",
					",\"index\":1,\"delta\":{\"type\":\"citations_delta\","
					"\"citation\":{\"n\":1}}") EVENT("content_block_delta",
					",\"index\":1,\"delta\":{\"type\":\"citations_delta\","
					"\"citation\":{\"n\":2}}") EVENT("content_block_stop",
					",\"index\":1") EVENT("content_block_start",
					",\"index\":2,\"content_block\":{\"type\":\"tool_use\","
					"\"id\":\"t\","
					"\"name\":\"f\",\"input\":{}}") EVENT("content_block_delta",
					",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
					"\"partial_json\":"
					"\"{\\\"a\\\":1.10}\"}") EVENT("content_block_stop",
					",\"index\":2") EVENT("content_block_start",
					",\"index\":3,\"content_block\":{\"type\":\"of_tomorrow\","
					"\"content\":["
					"{\"text\":\"x\"}]}")
					EVENT("content_block_stop", ",\"index\":3")
						EVENT("message_delta",
							",\"delta\":{\"stop_reason\":\"tool_use\","
							"\"stop_sequence\":null},\"usage\":"
							"{\"output_tokens\":3}") MESSAGE_STOP;
	struct buffer out = BUFFER_INIT(0);
	struct answer *a = answer_new(&asks_stream, &out);

	(void)state;
	assert_int_equal(transfer(a, "application/json", body, 7, true), ANSWER_DONE);
	assert_string_equal(buffer_text(&out), expected);
	assert_false(answer_passes(a));
	answer_free(a);
	buffer_free(&out);
}

/* Refusals pass in the service's own words, unless clients would not know what to do. */
static void
test_refusals(void **state)
{
	static const struct {
		int status;
		const char *body, *passed; /* NULL: the error is told instead */
	} rows[] = {
		{429, "{\"error\":{\"message\":\"no, sk-secret-0123456789\"}}",
			"{\"error\":{\"message\":\"no, sk-s…6789\"}}"},
		{400, "{\"error\":{\"message\":\"prompt is too long: 2 tokens > 1 maximum\"}}",
			"{\"error\":{\"message\":\"prompt is too long: 2 tokens > 1 maximum\"}}"},
		{400, "{\"error\":{\"code\":\"1261\",\"message\":\"Prompt exceeds max length\"}}",
			NULL},
		{529, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&asks_whole, &out);
		answer_begin(a, &error_context);
		answer_head(a, rows[i].status, "application/json", 0);
		answer_feed(a, rows[i].body, strlen(rows[i].body));
		assert_int_equal(answer_end(a, true), ANSWER_FAILED);
		assert_int_equal(answer_pass_refusal(a), rows[i].passed != NULL);
		assert_string_equal(
			buffer_text(&out), rows[i].passed != NULL ? rows[i].passed : "");
		answer_free(a);
		buffer_free(&out);
	}
}

/* What a service sends before its message, or as one event, has a bound. */
static void
test_what_comes_without_end(void **state)
{
	static const struct {
		const char *piece;
		size_t most; /* bytes until it fails */
	} rows[] = {
		{"data: {\"x\":\"0123456789012345678901234567890123456789\"}\n\n", 100000},
		{"data: 01234567890123456789012345678901234567890123456789", 9 << 20},
		{": 0123456789012345678901234567890123456789012345678901\n", 9 << 20},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&asks_stream, &out);
		size_t fed = 0;
		answer_begin(a, &error_context);
		answer_head(a, 200, "text/event-stream", 0);
		while (fed < rows[i].most &&
			answer_feed(a, rows[i].piece, strlen(rows[i].piece)) == ANSWER_OPEN)
			fed += strlen(rows[i].piece);
		assert_int_equal(answer_state(a), ANSWER_FAILED);
		assert_int_equal(answer_error(a)->status, 502);
		answer_free(a);
		buffer_free(&out);
	}
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_streams_pass_byte_for_byte),
		cmocka_unit_test(test_what_is_missing_is_added),
		cmocka_unit_test(test_streams_that_never_begin),
		cmocka_unit_test(test_streams_that_fail_later),
		cmocka_unit_test(test_another_stream_goes_on_after_the_start),
		cmocka_unit_test(test_a_passed_stream_goes_on_after_a_translated_start),
		cmocka_unit_test(test_whole_messages),
		cmocka_unit_test(test_a_message_is_played_as_the_stream_that_was_asked_for),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_what_comes_without_end),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("passed", tests, NULL, NULL);
}

/* Answers in Claude's own language on their way through, beyond tests/cases/claude: line ends,
 * other upstreams, and what comes without end (PROTOCOL.md §B.4, §D.1). */
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

/* Whatever ends their lines; tests/cases/claude/streams.txt has what LF ends. */
static void
test_streams_with_any_line_end(void **state)
{
#define BARE(type, rest) "data: {\"type\":\"" type "\"" rest "}\n\n"
	static const struct {
		const char *in, *out; /* NULL: as it came */
	} rows[] = {
		{": hi\n\n" EVENT("ping", "") MESSAGE_START ": and\r\n\r\n" BODY
							    "\n\n" MESSAGE_STOP,
			NULL},
		{"id: 1\r\nevent:message_start\r\ndata: {\"type\":\"message_start\",\r\n"
		 "data:\"message\":" BEGIN "}\r\n\r\n" BODY MESSAGE_STOP,
			NULL},
		{": x\ndata: {\"type\":\"message_start\",\"message\":" BEGIN
		 "}\r\n\r\n" BODY MESSAGE_STOP,
			"event: message_start\n: x\ndata: "
			"{\"type\":\"message_start\",\"message\":" BEGIN
			"}\r\n\r\n" BODY MESSAGE_STOP},
		/* A line that names an event names the one that it stands in, and no other. */
		{MESSAGE_START "event: x\n\n" BARE("ping", "") "\n\r\nid: 7\r\n\r\n" BARE(
			 "ping", "") BODY MESSAGE_STOP,
			MESSAGE_START "event: x\n\n" EVENT("ping", "") "\n\r\nid: 7\r\n\r\n" EVENT(
				"ping", "") BODY MESSAGE_STOP},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_passed(rows[i].in, rows[i].out != NULL ? rows[i].out : rows[i].in);
}

static void
test_nothing_but_line_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&asks_stream, &out);
		assert_int_equal(transfer(a, "text/event-stream", "\r\n\n\n", sizes[i], true),
			ANSWER_FAILED);
		assert_int_equal(answer_error(a)->status, 502);
		assert_contains(answer_error(a)->message, "contained no message");
		assert_false(answer_started(a));
		answer_free(a);
		buffer_free(&out);
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
		cmocka_unit_test(test_streams_with_any_line_end),
		cmocka_unit_test(test_nothing_but_line_ends),
		cmocka_unit_test(test_another_stream_goes_on_after_the_start),
		cmocka_unit_test(test_a_passed_stream_goes_on_after_a_translated_start),
		cmocka_unit_test(test_what_comes_without_end),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("passed", tests, NULL, NULL);
}

/* Answers: bytes of an upstream's body in, Claude's answer out, however the bytes are cut
 * (PROTOCOL.md §C, §D, §E). */
#include "answering.h"

#include <time.h>

#include "translate/event_stream.h"

#define CHUNK(delta)  "data: {\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define FINISH(value) "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" value "\"}]}\n\n"
#define USAGE(value)  "data: {\"choices\":[],\"usage\":" value "}\n\n"
#define DONE          "data: [DONE]\n\n"
#define CALL(text)    CHUNK("{\"tool_calls\":[" text "]}")

static void
test_streams(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{CHUNK("{\"role\":\"assistant\",\"content\":\"\"}")
				CHUNK("{\"content\":\"a\\u0000b\"}") FINISH("stop") DONE,
			OPEN_TEXT(0) TEXT(0, "a\\u0000b") STOP(0) END("end_turn", "null", 0, 0, 2)},
		/* Usage with the end, after it, and in each chunk; cached tokens counted apart;
		   never negative. */
		{CHUNK("{\"content\":\"a\"}") FINISH(
			 "length") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,"
				   "\"completion_tokens\":3,\"prompt_tokens_details\":{"
				   "\"cached_tokens\":4}}}\n\n" DONE,
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("max_tokens", "null", 6, 4, 3)},
		{"data: "
		 "{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":5,"
		 "\"completion_tokens\":1,"
		 "\"prompt_cache_hit_tokens\":9}}\n\n" DONE,
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("end_turn", "null", 0, 9, 1)},
		/* The matched stop sequence, as vLLM says it. */
		{CHUNK("{\"content\":\"a\"}") "data: "
					      "{\"choices\":[{\"delta\":{},\"finish_reason\":"
					      "\"stop\",\"stop_reason\":\"X\"}]}\n\n" DONE,
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("stop_sequence", "\"X\"", 0, 0, 1)},
		/* A whole call in one chunk; empty arguments; arguments as an object. */
		{CALL("{\"index\":0,\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":\"{"
		      "\\\"a\\\":-0}\"}}") DONE,
			OPEN_TOOL(0, "t", "f") JSON(0, "{\\\"a\\\":-0}") STOP(0)
				END("tool_use", "null", 0, 0, 3)},
		{CALL("{\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}")
				FINISH("stop") DONE,
			OPEN_TOOL(0, "t", "f") JSON(0, "{}") STOP(0)
				END("tool_use", "null", 0, 0, 1)},
		{CALL("{\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1]}}}")
				DONE,
			OPEN_TOOL(0, "t", "f") JSON(0, "{\\\"a\\\":[1]}") STOP(0)
				END("tool_use", "null", 0, 0, 3)},
		/* Text while a call is incomplete waits; a cut answer stays max_tokens. */
		{CALL("{\"index\":0,\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}"
		      "}") CHUNK("{\"content\":\"x\"}")
				CALL("{\"index\":0,\"function\":{\"arguments\":\"}\"}}")
					FINISH("length") DONE,
			OPEN_TOOL(0, "t", "f") JSON(0, "{") JSON(0, "}") STOP(0) OPEN_TEXT(1)
				TEXT(1, "x") STOP(1) END("max_tokens", "null", 0, 0, 1)},
		/* Mistral's parts; a refusal; the older function_call. */
		{CHUNK("{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
		       "\"text\":\"b\"}]}") DONE,
			OPEN_TEXT(0) TEXT(0, "a") TEXT(0, "b") STOP(0)
				END("end_turn", "null", 0, 0, 1)},
		{CHUNK("{\"refusal\":\"no\"}") FINISH("stop") DONE,
			OPEN_TEXT(0) TEXT(0, "no") STOP(0) END("refusal", "null", 0, 0, 1)},
		{CHUNK("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\","
		       "\"text\":\"t\"}]},{\"type\":\"text\",\"text\":\"a\"}]}") DONE,
			START(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
				DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"t\"}")
			/* base64url of {"k":"openai","m":"content"} */
			DELTA(0, "{\"type\":\"signature_delta\",\"signature\":"
				 "\"cp1.eyJrIjoib3BlbmFpIiwibSI6ImNvbnRlbnQifQ\"}") STOP(0)
				OPEN_TEXT(1) TEXT(1, "a") STOP(1) END("end_turn", "null", 0, 0, 1)},
		/* Texts go through as they came; of duplicates the last counts. */
		{CHUNK("{\"content\":\"x\",\"content\":\"\\ud800\\u0000\\/\\u0041\"}") USAGE(
			 "{\"prompt_tokens\":2,\"completion_tokens\":7,\"prompt_tokens\":1}") DONE,
			OPEN_TEXT(0) TEXT(0, "\\ud800\\u0000\\/\\u0041") STOP(0)
				END("end_turn", "null", 1, 0, 7)},
		/* The text of a second choice, unknown members and wrong types are ignored. */
		{CHUNK("{\"content\":\"\"}") "data: "
					     "5\n\ndata: {\"choices\":5}\n\n"
					     "data: "
					     "{\"choices\":[null,{\"delta\":{\"content\":7,\"tool_"
					     "calls\":[null,5,\"x\"]}}]}"
					     "\n\n" CHUNK(
						     "{\"content\":\"a\"}") "data: "
									    "{\"choices\":[{"
									    "\"index\":1,"
									    "\"delta\":{"
									    "\"content\":\"z\"}}]}"
									    "\n\n" DONE,
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("end_turn", "null", 0, 0, 1)},
		{FINISH("content_filter") DONE, END("refusal", "null", 0, 0, 0)},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_stream(&openai_chat, rows[i].in, rows[i].out);
}

static void
test_what_is_no_answer_fails(void **state)
{
	static const struct {
		const char *type, *body;
		bool complete;
		int status;
		const char *words;
	} rows[] = {
		{"application/json", "", true, 502, "empty"},
		{"application/json", "{\"choices\":[{\"message\":{", true, 502, "not JSON"},
		{"application/json", "{\"choices\":[]}", true, 502, "without choices"},
		{"application/json", "{\"choices\":[{}]", false, 502, "broke off"},
		{"application/json", "key sk-secret-0123456789", true, 502, "sk-s…6789"},
		{"text/event-stream", "", true, 502, "without"},
		{"text/event-stream", "data: x\n\n", true, 502, "data: x"},
		{"text/event-stream", CHUNK("{\"content\":\"a\"}"), false, 502, "broke off"},
		{"text/event-stream",
			"data: {\"error\":{\"message\":\"m\",\"code\":\"insufficient_quota\"}}\n\n",
			true, 402, "m"},
		{"text/event-stream",
			CALL("{\"id\":\"t\",\"function\":{\"arguments\":\"{}\"}}") DONE, true, 502,
			"without a name"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_failure(&openai_chat, rows[i].type, rows[i].body, rows[i].complete,
			rows[i].status, rows[i].words);
}

static void
test_content_types_that_lie(void **state)
{
	static const char *const types[] = {
		NULL, "text/plain", "application/json", "application/octet-stream"};

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct api_error error = API_ERROR_NONE;
		assert_int_equal(
			answer_of(&openai_chat, types[i], "\n: hi\n" CHUNK("{\"content\":\"a\"}"),
				false, true, 1, &out, &error),
			ANSWER_DONE);
		assert_contains(
			buffer_text(&out), "\"content\":[{\"type\":\"text\",\"text\":\"a\"}]");
		buffer_free(&out);
	}
}

static void
test_duplicate_and_odd_ids_are_made_anew(void **state)
{
	static const char body[] = "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"t\","
				   "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
				   "{\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":\"{}"
				   "\"}},{\"id\":\"a.b\",\"function\":{\"name\":\"f\"}}]}}]}";
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	(void)state;
	assert_int_equal(
		answer_of(&openai_chat, "application/json", body, false, true, 9999, &out, &error),
		ANSWER_DONE);
	const char *first = strstr(buffer_text(&out), "\"id\":\"t\"");
	assert_non_null(first);
	assert_null(strstr(first + 1, "\"id\":\"t\""));
	assert_null(strstr(buffer_text(&out), "a.b"));
	assert_contains(first, "\"id\":\"toolu_");
	buffer_free(&out);
}

static int
collect_event(void *context, const char *data, size_t length)
{
	buffer_append(context, data, length);
	return buffer_putc(context, '|');
}

static void
test_event_streams_however_they_are_written_and_cut(void **state)
{
	static const char *const rows[][2] = {
		{"data: a\n\ndata: b\n\n", "a|b|"},
		{"data:a\r\n\r\ndata:  b\r\n\r\n", "a| b|"},
		{"data: a\r\rdata: b\r\r", "a|b|"},
		{"data: a\ndata: b\n\n", "a\nb|"},
		{": c\nevent: x\nid: 1\nretry: 2\ndata: a\n\n\n\n", "a|"},
		{"data\n\ndatax: b\n\ndata: a", "a|"},
		{"data: a\r\n\ndata: b", "a|b|"},
		{"data: {a\r\ndata: b}\r\n\r\n", "{a\nb}|"},
		{"data: a\rdata: b\r\ndata: c\n\r", "a\nb\nc|"},
		{"data:\n\n", "|"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t size = 1; size < 9; size++) {
			struct buffer out = BUFFER_INIT(0);
			struct event_stream *s = event_stream_new(collect_event, &out);
			size_t length = strlen(rows[i][0]);
			for (size_t at = 0; at < length; at += size)
				event_stream_feed(s, rows[i][0] + at,
					length - at < size ? length - at : size);
			event_stream_end(s);
			assert_string_equal(buffer_text(&out), rows[i][1]);
			event_stream_free(s);
			buffer_free(&out);
		}
	}
}

/* What is linear takes some hundredths of a second here; what is not takes minutes. */
enum { PADDING = 15 << 20, PATIENCE = 10 /* s of processor time */ };

static double
seconds_since(clock_t began)
{
	return (double)(clock() - began) / CLOCKS_PER_SEC;
}

static void
test_line_ends_cost_the_same_however_many_come(void **state)
{
	static const char *const rows[] = {"\r", "\n", "\r\n", "\r\r\n", "\n\r"};
	char *text = malloc(PADDING);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct event_stream *s = event_stream_new(collect_event, &out);
		clock_t began = clock();
		for (size_t at = 0; at < PADDING; at++)
			text[at] = rows[i][at % strlen(rows[i])];
		event_stream_feed(s, text, PADDING);
		event_stream_feed(s, "\ndata: a\n\n", 10);
		assert_string_equal(buffer_text(&out), "a|");
		assert_true(seconds_since(began) < PATIENCE);
		event_stream_free(s);
		buffer_free(&out);
	}
	free(text);
}

/* ${padding} comes first, in pieces of ${size} bytes, then the answer; how it ends. */
static enum answer_state
answer_after(
	char padding, size_t padding_length, size_t size, const char *answer, struct buffer *out)
{
	const struct answer_options options = {.translator = &openai_chat, .model = "asked"};
	struct answer *a = answer_new(&options, out);
	char *text = malloc(size);

	memset(text, padding, size);
	answer_begin(a, &error_context);
	answer_head(a, 200, "application/json", 0);
	for (size_t at = 0; at < padding_length; at += size)
		answer_feed(a, text, padding_length - at < size ? padding_length - at : size);
	answer_feed(a, answer, strlen(answer));
	enum answer_state state = answer_end(a, true);
	free(text);
	answer_free(a);
	return state;
}

static void
test_blanks_before_an_answer_cost_the_same_however_many_come(void **state)
{
	static const char whole[] = "{\"choices\":[{\"message\":{\"content\":\"a\"}}]}";
	static const char stream[] = ": hi\n" CHUNK("{\"content\":\"a\"}") DONE;
	static const struct {
		char padding;
		size_t length, size;
		const char *answer;
		enum answer_state state;
	} rows[] = {
		{' ', PADDING, 1, whole, ANSWER_DONE},
		{' ', PADDING, 16384, stream, ANSWER_DONE},
		{'\r', PADDING, 16384, stream, ANSWER_DONE},
		{'\r', PADDING, PADDING, stream, ANSWER_DONE},
		{'\n', ANSWER_MAX_BODY + 1, 16384, whole, ANSWER_FAILED},
		{'\n', PADDING, 16384, "", ANSWER_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		clock_t began = clock();
		assert_int_equal(answer_after(rows[i].padding, rows[i].length, rows[i].size,
					 rows[i].answer, &out),
			rows[i].state);
		assert_true(seconds_since(began) < PATIENCE);
		if (rows[i].state == ANSWER_DONE)
			assert_contains(buffer_text(&out),
				"\"content\":[{\"type\":\"text\",\"text\":\"a\"}]");
		buffer_free(&out);
	}
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_what_is_no_answer_fails),
		cmocka_unit_test(test_content_types_that_lie),
		cmocka_unit_test(test_duplicate_and_odd_ids_are_made_anew),
		cmocka_unit_test(test_event_streams_however_they_are_written_and_cut),
		cmocka_unit_test(test_line_ends_cost_the_same_however_many_come),
		cmocka_unit_test(test_blanks_before_an_answer_cost_the_same_however_many_come),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}

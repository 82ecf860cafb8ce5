/* Answers: bytes of an upstream's body in, Claude's answer out, beyond tests/cases: event streams,
 * types that lie, and what comes without end (PROTOCOL.md §C, §D, §E). */
#include "answering.h"

#include <time.h>

#include "translate/answer/event_stream.h"

#define CHUNK(delta) "data: {\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define DONE         "data: [DONE]\n\n"

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
		cmocka_unit_test(test_content_types_that_lie),
		cmocka_unit_test(test_duplicate_and_odd_ids_are_made_anew),
		cmocka_unit_test(test_event_streams_however_they_are_written_and_cut),
		cmocka_unit_test(test_line_ends_cost_the_same_however_many_come),
		cmocka_unit_test(test_blanks_before_an_answer_cost_the_same_however_many_come),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}

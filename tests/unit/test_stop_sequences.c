/* Stop sequences that are carried out here: wherever they are cut, however they are escaped. */
#include "unit.h"

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "translate/answer/answer.h"
#include "translate/claude/stop_sequences.h"
#include "translate/translator.h"

/* Feed the content of a string in pieces that end where ${cuts} says, and at the end. */
static void
feed(struct stop_sequences *stops, const char *content, size_t cut, struct buffer *out)
{
	size_t length = strlen(content);
	const size_t ends[] = {cut, length};
	size_t start = 0;

	for (size_t i = 0; i < COUNT(ends); i++) {
		const char *piece = content + start;
		size_t count = ends[i] - start;
		start = ends[i];
		stop_sequences_take(stops, &piece, &count);
		buffer_append(out, piece, count);
	}
	const char *held;
	size_t count;
	stop_sequences_end(stops, &held, &count);
	buffer_append(out, held, count);
}

/* May a string be cut there?  Not in an escape, nor in a character. */
static bool
is_border(const char *content, size_t cut)
{
	const char *at = content;
	char bytes[4];
	size_t length;

	while (at < content + cut)
		at = json_content_next(at, content + strlen(content), bytes, &length);
	return at == content + cut && ((unsigned char)*at & 0xc0) != 0x80;
}

static void
test_the_text_ends_before_the_first(void **state)
{
	static const struct {
		const char *sequences[4];
		const char *content, *expected, *found;
	} rows[] = {
		{{"X"}, "abc", "abc", NULL},
		{{"X"}, "abXc", "ab", "X"},
		{{"X"}, "Xabc", "", "X"},
		{{"aab"}, "aaaab", "aa", "aab"},
		{{"abab"}, "abaabab", "aba", "abab"},
		{{"</b>"}, "<b>yes</b><c>", "<b>yes", "</b>"},
		{{"</b>"}, "yes</", "yes</", NULL},
		/* The one that is complete first; of two at once the longer. */
		{{"abcd", "c"}, "xabcd", "xab", "c"},
		{{"b", "ab"}, "xab", "x", "ab"},
		{{"abc", "bd"}, "abd", "a", "bd"},
		/* Escapes, on either side of the border. */
		{{"\n\nHuman:"}, "a\\n\\nHuman: b", "a", "\n\nHuman:"},
		{{"\n\nHuman:"}, "a\\n\\nHumus", "a\\n\\nHumus", NULL},
		{{"</b>"}, "a\\u003c\\/b\\u003e", "a", "</b>"},
		{{"\"}"}, "{\\\"a\\\":\\\"b\\\"}", "{\\\"a\\\":\\\"b", "\"}"},
		{{"\xc3\xa9"}, "a\\u00e9b", "a", "\xc3\xa9"},
		{{"\xf0\x9f\x98\x80!"}, "a\\ud83d\\ude00!", "a", "\xf0\x9f\x98\x80!"},
		{{"\xf0\x9f\x98\x80"}, "a\xf0\x9f\x98\x81", "a\xf0\x9f\x98\x81", NULL},
		{{"X"}, "\\u0000\\ud800X", "\\u0000\\ud800", "X"},
		{{""}, "abc", "abc", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t cut = 0; cut <= strlen(rows[i].content); cut++) {
			struct buffer out = BUFFER_INIT(0);
			if (!is_border(rows[i].content, cut))
				continue;
			struct stop_sequences *stops = stop_sequences_new(rows[i].sequences);
			feed(stops, rows[i].content, cut, &out);
			assert_string_equal(buffer_text(&out), rows[i].expected);
			if (rows[i].found == NULL)
				assert_null(stop_sequences_found(stops));
			else
				assert_string_equal(stop_sequences_found(stops), rows[i].found);
			assert_false(stop_sequences_failed(stops));
			stop_sequences_free(stops);
			buffer_free(&out);
		}
	}
}

/* What is too long, or too much, is not looked for. */
static void
test_bounds(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char texts[STOP_SEQUENCES_MOST + 1][2] = {0};
	const char *sequences[STOP_SEQUENCES_MOST + 2] = {NULL};
	char *giant = calloc(1, STOP_SEQUENCES_LONGEST + 2);
	const char *long_ones[] = {giant, NULL};
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		texts[i][0] = letters[i];
		sequences[i] = texts[i];
	}
	struct stop_sequences *stops = stop_sequences_new(sequences);
	feed(stops, &letters[STOP_SEQUENCES_MOST], 0, &out);
	assert_string_equal(buffer_text(&out), &letters[STOP_SEQUENCES_MOST]);
	stop_sequences_free(stops);

	memset(giant, 'x', STOP_SEQUENCES_LONGEST + 1);
	stops = stop_sequences_new(long_ones);
	buffer_clear(&out);
	feed(stops, giant, 9, &out);
	assert_string_equal(buffer_text(&out), giant);
	stop_sequences_free(stops);
	buffer_free(&out);
	free(giant);
}

#define DATA(json) "data: " json "\n\n"

/* Every service's text ends there, streamed and whole; the upstream need not be heard out. */
static void
test_answers_of_all_services(void **state)
{
	static const char *const sequences[] = {"</b>", NULL};
	static const struct {
		const struct translator *translator;
		const char *body;
	} rows[] = {
		{&openai_chat, DATA("{\"choices\":[{\"delta\":{\"reasoning\":\"</b>\"}}]}") DATA(
				       "{\"choices\":[{\"delta\":{\"content\":\"<b>yes</\"}}]}")
				       DATA("{\"choices\":[{\"delta\":{\"content\":\"b> no\"}}]}")},
		{&openai_chat, "{\"choices\":[{\"message\":{\"reasoning\":\"</b>\",\"content\":"
			       "\"<b>yes</b> no\",\"tool_calls\":[{\"id\":\"a\",\"function\":{"
			       "\"name\":\"f\"}}]}}]}"},
		{&openai_responses, DATA("{\"type\":\"response.reasoning_text.delta\",\"delta\":"
					 "\"</b>\"}") DATA("{\"type\":\"response.output_text."
							   "delta\",\"delta\":\"<b>yes</b> no\"}")},
		{&gemini, DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"</b>\","
			       "\"thought\":true},{\"text\":\"<b>yes</b> no\"}]}}]}")},
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		static const struct error_context error_context = {.name = "up", .model = "m"};
		const char *body = rows[i / 2].body;
		struct buffer out = BUFFER_INIT(0);
		const struct answer_options options = {
			.translator = rows[i / 2].translator,
			.model = "asked",
			.stream = i % 2 == 0,
			.stop_sequences = sequences,
		};
		struct answer *a = answer_new(&options, &out);
		answer_begin(a, &error_context);
		answer_head(a, 200, NULL, 0);
		answer_feed(a, body, strlen(body));
		if (*body == 'd')
			assert_int_equal(answer_state(a), ANSWER_DONE);
		assert_int_equal(answer_end(a, true), ANSWER_DONE);
		assert_contains(buffer_text(&out), "\"<b>yes\"");
		assert_contains(buffer_text(&out), "\"stop_reason\":\"stop_sequence\"");
		assert_contains(buffer_text(&out), "\"stop_sequence\":\"</b>\"");
		assert_null(strstr(buffer_text(&out), " no"));
		assert_null(strstr(buffer_text(&out), "tool_use"));
		answer_free(a);
		buffer_free(&out);
	}
}

/* An attempt that failed leaves nothing of its text to the next. */
static void
test_another_attempt_begins_anew(void **state)
{
	static const char *const sequences[] = {"</b>", NULL};
	static const struct error_context error_context = {.name = "up", .model = "m"};
	static const char *const failures[] = {
		"{\"choices\":[{\"message\":{\"content\":\"</b>\"},\"finish_reason\":\"error\"}]}",
		"{\"choices\":[{\"message\":{\"content\":\"</\"},\"finish_reason\":\"error\"}]}"};
	static const char good[] = "{\"choices\":[{\"message\":{\"content\":\"b>good\"}}]}";

	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		const struct answer_options options = {
			.translator = &openai_chat, .model = "m", .stop_sequences = sequences};
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&options, &out);
		answer_begin(a, &error_context);
		answer_head(a, 200, NULL, 0);
		answer_feed(a, failures[i], strlen(failures[i]));
		assert_int_equal(answer_end(a, true), ANSWER_FAILED);
		assert_int_equal(answer_switch_upstream(a, &options), 0);
		answer_begin(a, &error_context);
		answer_head(a, 200, NULL, 0);
		answer_feed(a, good, strlen(good));
		assert_int_equal(answer_end(a, true), ANSWER_DONE);
		assert_contains(buffer_text(&out), "\"text\":\"b>good\"");
		assert_contains(buffer_text(&out), "\"stop_reason\":\"end_turn\"");
		answer_free(a);
		buffer_free(&out);
	}
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_text_ends_before_the_first),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_answers_of_all_services),
		cmocka_unit_test(test_another_attempt_begins_anew),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("stop sequences", tests, NULL, NULL);
}

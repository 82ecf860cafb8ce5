/* Answers of Gemini, beyond tests/cases/gemini: every way in which they end (PROTOCOL.md §C). */
#include "answering.h"

/* The answer is whole, and says so. */
static void
check_end(const char *body, const char *type, const char *stop_reason)
{
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	if (answer_of(&gemini, type, body, false, true, 7, &out, &error) != ANSWER_DONE)
		fail_msg("failed: %s: %s", body, error.message);
	assert_contains(buffer_text(&out), stop_reason);
	buffer_free(&out);
}

struct end_row {
	const char *reason;
	const char *stop_reason;
	bool fault; /* unless the model said something */
};

/* What came before the end: the parts, and whether they are more than thoughts. */
struct before_row {
	const char *parts;
	bool said;
};

static void
check_ending(const struct end_row *row, const struct before_row *before)
{
	bool told = strcmp(row->reason, "FINISH_REASON_UNSPECIFIED") != 0;
	char stream[512], whole[512], stop[64];

	snprintf(stream, sizeof(stream),
		"data: {\"candidates\":[{\"content\":{\"parts\":[%s]}}]}\n\n"
		"data: {\"candidates\":[{\"finishReason\":\"%s\",\"finishMessage\":\"why\"}]}\n\n",
		before->parts, row->reason);
	snprintf(whole, sizeof(whole),
		"{\"candidates\":[{\"content\":{\"parts\":[%s]},\"finishReason\":\"%s\","
		"\"finishMessage\":\"why\"}]}",
		before->parts, row->reason);
	snprintf(stop, sizeof(stop), "\"stop_reason\":\"%s\"", row->stop_reason);
	if (before->said || (told && !row->fault)) {
		check_end(stream, "text/event-stream", stop);
		check_end(whole, "application/json", stop);
		return;
	}
	const char *words = told ? row->reason : "answer";
	check_failure(&gemini, "text/event-stream", stream, true, 502, words);
	check_failure(&gemini, "application/json", whole, true, 502, words);
	check_failure(&gemini, "application/json", whole, true, 502, "why");
}

/* Every finishReason, after nothing, after thoughts alone, and after text. */
static void
test_ends(void **state)
{
	static const struct end_row rows[] = {
		{"STOP", "end_turn", false},
		{"MAX_TOKENS", "max_tokens", false},
		{"CONTINUATION", "max_tokens", false},
		{"SAFETY", "refusal", false},
		{"RECITATION", "refusal", false},
		{"LANGUAGE", "refusal", false},
		{"BLOCKLIST", "refusal", false},
		{"PROHIBITED_CONTENT", "refusal", false},
		{"SPII", "refusal", false},
		{"MODEL_ARMOR", "refusal", false},
		{"ESCALATION", "refusal", false},
		{"PUP_LIMITED_DISABLED", "refusal", false},
		{"IMAGE_SAFETY", "refusal", false},
		{"IMAGE_PROHIBITED_CONTENT", "refusal", false},
		{"IMAGE_OTHER", "refusal", false},
		{"IMAGE_RECITATION", "refusal", false},
		{"NO_IMAGE", "refusal", false},
		{"OTHER", "end_turn", true},
		{"MALFORMED_FUNCTION_CALL", "end_turn", true},
		{"MALFORMED_RESPONSE", "end_turn", true},
		{"UNEXPECTED_TOOL_CALL", "end_turn", true},
		{"TOO_MANY_TOOL_CALLS", "end_turn", true},
		{"MISSING_THOUGHT_SIGNATURE", "end_turn", true},
		{"SOMETHING_NEW", "end_turn", false},
		{"FINISH_REASON_UNSPECIFIED", "end_turn", false},
	};
	static const struct before_row befores[] = {
		{"{\"text\":\"\"}", false},
		{"{\"text\":\"hm\",\"thought\":true}", false},
		{"{\"text\":\"a\"}", true},
		{"{\"text\":\"hm\",\"thought\":true},{\"text\":\"a\"}", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; j < COUNT(befores); j++)
			check_ending(&rows[i], &befores[j]);
}

/* A fault leaves the client with nothing that another key's answer could not follow, unless its
 * thoughts have been streamed. */
static void
test_a_fault_may_be_cured(void **state)
{
	static const char body[] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\","
				   "\"thought\":true}]},\"finishReason\":\"OTHER\"}]}";
	static const char good[] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},"
				   "\"finishReason\":\"STOP\"}]}";

	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		const struct answer_options options = {
			.translator = &gemini, .model = "asked", .stream = stream};
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&options, &out);
		answer_begin(a, &error_context);
		answer_head(a, 200, "application/json", 0);
		answer_feed(a, body, strlen(body));
		assert_int_equal(answer_end(a, true), ANSWER_FAILED);
		assert_int_equal(answer_has_content(a), stream);
		if (!stream) {
			assert_int_equal(answer_switch_upstream(a, &options), 0);
			answer_begin(a, &error_context);
			answer_head(a, 200, "application/json", 0);
			answer_feed(a, good, strlen(good));
			assert_int_equal(answer_end(a, true), ANSWER_DONE);
			assert_contains(buffer_text(&out),
				"\"content\":[{\"type\":\"text\",\"text\":\"a\"}]");
		}
		answer_free(a);
		buffer_free(&out);
	}
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_a_fault_may_be_cured),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("gemini answer", tests, NULL, NULL);
}

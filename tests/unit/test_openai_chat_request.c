/* Claude requests as Chat Completions requests, beyond tests/cases/chat: names and long
 * numbers (PROTOCOL.md §B.1). */
#include "translation.h"

#include "base/json/json.h"
#include "base/json/json_writer.h"

/* What a service is sent for a name, as JSON and then decoded. */
static char *
sent_name(struct tool_names *names, const char *name)
{
	struct buffer in = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&out);
	struct json_document index = {0};

	json_write_text(&in, name);
	tool_names_put(names, &w, json_read(&index, in.data, in.length, 1, NULL));
	char *sent = json_copy(json_read(&index, out.data, out.length, 1, NULL));
	assert_non_null(sent);
	json_document_free(&index);
	buffer_free(&in);
	buffer_free(&out);
	return sent;
}

static void
test_names_are_shortened_and_come_back(void **state)
{
	static const char *const changed[] = {"mcp__a.b", "t\xc3\xa4st", "x y", "",
		"a234567890123456789012345678901234567890123456789012345678901234567890"};
	struct tool_names *names = tool_names_new(TOOL_NAMES_OPENAI);
	char *fine = sent_name(names, "fine-Name_1");

	(void)state;
	assert_string_equal(fine, "fine-Name_1");
	free(fine);
	for (size_t i = 0; i < COUNT(changed); i++) {
		char *sent = sent_name(names, changed[i]);
		char *again = sent_name(names, changed[i]);
		assert_string_not_equal(sent, changed[i]);
		assert_true(strlen(sent) <= 64);
		assert_string_equal(sent, again);
		assert_string_equal(tool_names_to_client(names, sent), changed[i]);
		free(sent);
		free(again);
	}
	assert_string_equal(tool_names_to_client(names, "unknown"), "unknown");
	assert_string_equal(tool_names_to_client(NULL, "unknown"), "unknown");
	tool_names_free(names);
}

static void
test_a_number_of_ten_thousand_digits(void **state)
{
	char digits[10001];
	struct buffer in = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	const struct translate_target target = {.model = "up"};

	(void)state;
	memset(digits, '7', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	buffer_printf(&in,
		HEAD PLAIN ",\"temperature\":0.%s,\"tools\":[{\"name\":\"f\",\"input_schema\":{"
			   "\"type\":\"string\",\"maximum\":%s}}]",
		digits, digits);
	buffer_printf(&out,
		"\"model\":\"up\",\"messages\":[" USER
		"],\"max_tokens\":9,\"temperature\":0.%s,\"tools\":[{\"type\":\"function\","
		"\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"string\",\"maximum\":%s}}}"
		"]",
		digits, digits);
	const struct row row = {buffer_text(&in), buffer_text(&out)};
	check_translation(&openai_chat, &row, &target);
	buffer_free(&in);
	buffer_free(&out);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_shortened_and_come_back),
		cmocka_unit_test(test_a_number_of_ten_thousand_digits),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("openai chat request", tests, NULL, NULL);
}

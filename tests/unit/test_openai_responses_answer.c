/* Answers of Responses, beyond tests/cases/responses: how many items they may have. */
#include "answering.h"

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
		buffer_puts(&in, "data: [DONE]\n\n");
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

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_items),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("openai responses answer", tests, NULL, NULL);
}

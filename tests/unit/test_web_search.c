/* What services found on the web, beyond tests/cases: how much of it is kept (PROTOCOL.md §C.5). */
#include "answering.h"

/* A thousand pages more than are kept are no fault. */
static void
test_too_many_pages(void **state)
{
	struct buffer body = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	(void)state;
	buffer_puts(&body, "{\"choices\":[{\"message\":{\"content\":\"a\",\"annotations\":[5");
	for (int i = 0; i < 2000; i++)
		buffer_printf(&body,
			",{\"type\":\"url_citation\",\"url\":\"https://%d\",\"title\":\"t\"}", i);
	buffer_puts(&body, "]},\"finish_reason\":\"stop\"}]}");
	assert_int_equal(answer_of(&openai_chat, "application/json", buffer_text(&body), false,
				 true, 100000, &out, &error),
		ANSWER_DONE);
	assert_non_null(strstr(buffer_text(&out), "\"https://400\""));
	assert_null(strstr(buffer_text(&out), "\"https://1100\""));
	buffer_free(&body);
	buffer_free(&out);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many_pages),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("web search", tests, NULL, NULL);
}

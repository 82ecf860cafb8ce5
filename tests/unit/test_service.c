/* The URL rule and the headers of a request (SPEC §5). */
#include "unit.h"

#include <curl/curl.h>

#include "base/buffer.h"
#include "store/config.h"
#include "upstream/service.h"

static void
test_urls(void **state)
{
	static const struct {
		const char *service, *base, *url;
	} rows[] = {
		{"openai", "https://api.example.com",
			"https://api.example.com/v1/chat/completions"},
		{"openai", "https://api.example.com/",
			"https://api.example.com/v1/chat/completions"},
		{"openai", "https://api.example.com/v1",
			"https://api.example.com/v1/chat/completions"},
		{"openai", "https://api.example.com/v1///",
			"https://api.example.com/v1/chat/completions"},
		{"openai", "https://api.example.com/api/v3",
			"https://api.example.com/api/v3/chat/completions"},
		{"openai", "http://127.0.0.1:8080/v1beta/openai/",
			"http://127.0.0.1:8080/v1beta/openai/chat/completions"},
		{"openai", "http://a.example/v1/chat/completions",
			"http://a.example/v1/chat/completions"},
		{"openai", "http://a.example/v1/chat/completions/",
			"http://a.example/v1/chat/completions"},
		{"custom", "http://a.example", "http://a.example/chat/completions"},
		{"custom", "http://a.example/deep/path",
			"http://a.example/deep/path/chat/completions"},
		{"custom", "http://a.example/x/chat/completions",
			"http://a.example/x/chat/completions"},
		{"custom", "https://a.example/d/gpt?api-version=1",
			"https://a.example/d/gpt/chat/completions?api-version=1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer url = BUFFER_INIT(0);
		const struct service *s = service_find(rows[i].service);
		assert_non_null(s);
		assert_null(service_check_base_url(rows[i].base));
		assert_int_equal(service_write_url(s, rows[i].base, &url), 0);
		assert_string_equal(buffer_text(&url), rows[i].url);
		buffer_free(&url);
	}
}

static void
test_base_urls_that_are_refused(void **state)
{
	static const char *const refused[] = {"", "api.example.com", "ftp://a.example",
		"file:///etc/passwd", "http://", "https://user:pw@a.example",
		"https://a.example/#x", "http://a b", "http://a\nb"};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_non_null(service_check_base_url(refused[i]));
}

static bool
has_line(const struct curl_slist *list, const char *line)
{
	for (; list != NULL; list = list->next)
		if (strcmp(list->data, line) == 0)
			return true;
	return false;
}

static void
test_headers_of_the_upstream_replace_ours(void **state)
{
	struct extra_header own[] = {{"authorization", "Token x"}, {"X-Title", "proxy"}};
	struct upstream upstream = {.options = {.headers = own, .header_count = 2}};
	struct api_key key = {.secret = "sk-test"};

	(void)state;
	struct curl_slist *list = service_headers(service_find("openai"), &upstream, &key, true);
	assert_true(has_line(list, "authorization: Token x"));
	assert_true(has_line(list, "X-Title: proxy"));
	assert_true(has_line(list, "Accept: text/event-stream"));
	assert_false(has_line(list, "Authorization: Bearer sk-test"));
	curl_slist_free_all(list);

	upstream.options.header_count = 0;
	list = service_headers(service_find("custom"), &upstream, &key, false);
	assert_true(has_line(list, "Authorization: Bearer sk-test"));
	assert_true(has_line(list, "Content-Type: application/json"));
	curl_slist_free_all(list);
}

static void
test_unknown_service_types_are_not_found(void **state)
{
	(void)state;
	assert_null(service_find("openai2"));
	assert_null(service_find(""));
	assert_null(service_at(1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_base_urls_that_are_refused),
		cmocka_unit_test(test_headers_of_the_upstream_replace_ours),
		cmocka_unit_test(test_unknown_service_types_are_not_found),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}

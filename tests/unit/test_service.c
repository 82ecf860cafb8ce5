/* The URL rule and the headers of a request (SPEC §5). */
#include "unit.h"

#include <curl/curl.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "store/config.h"
#include "upstream/service.h"
#include "upstream/upstream_request.h"

static void
test_urls(void **state)
{
	static const struct {
		const char *service, *base, *url;
		const char *endpoint, *query; /* NULL: of messages, none */
	} rows[] = {
		{"openai", "https://api.example.com", "https://api.example.com/v1/chat/completions",
			NULL, NULL},
		{"openai", "https://api.example.com/",
			"https://api.example.com/v1/chat/completions", NULL, NULL},
		{"openai", "https://api.example.com/v1",
			"https://api.example.com/v1/chat/completions", NULL, NULL},
		{"openai", "https://api.example.com/v1///",
			"https://api.example.com/v1/chat/completions", NULL, NULL},
		{"openai", "https://api.example.com/api/v3",
			"https://api.example.com/api/v3/chat/completions", NULL, NULL},
		{"openai", "http://127.0.0.1:8080/v1beta/openai/",
			"http://127.0.0.1:8080/v1beta/openai/chat/completions", NULL, NULL},
		{"openai", "http://a.example/v1/chat/completions",
			"http://a.example/v1/chat/completions", NULL, NULL},
		{"openai", "http://a.example/v1/chat/completions/",
			"http://a.example/v1/chat/completions", NULL, NULL},
		{"custom", "http://a.example", "http://a.example/chat/completions", NULL, NULL},
		{"custom", "http://a.example/deep/path",
			"http://a.example/deep/path/chat/completions", NULL, NULL},
		{"custom", "http://a.example/x/chat/completions",
			"http://a.example/x/chat/completions", NULL, NULL},
		{"custom", "https://a.example/d/gpt?api-version=1",
			"https://a.example/d/gpt/chat/completions?api-version=1", NULL, NULL},
		{"custom", "http://a.example/x/chat/completions", "http://a.example/x/models",
			"/models", NULL},
		{"openai-responses", "http://a", "http://a/v1/responses", NULL, NULL},
		{"openai-responses", "http://a/v1/responses", "http://a/v1/responses/input_tokens",
			"/responses/input_tokens", NULL},
		{"gemini", "https://g", "https://g/v1beta/models/m%2f1:generateContent", NULL,
			NULL},
		{"gemini", "https://g/v1",
			"https://g/v1/models/m%2f1:streamGenerateContent?alt=sse",
			"/models/{model}:streamGenerateContent?alt=sse", NULL},
		{"gemini", "https://g/up/", "https://g/up/v1beta/models?pageSize=9",
			"/models?pageSize=9", NULL},
		{"gemini", "https://g/v1/models/x:generateContent",
			"https://g/v1/models/x:generateContent", NULL, NULL},
		{"gemini", "https://g/v1/models/x:generateContent", "https://g/v1/models",
			"/models", NULL},
		{"claude", "https://c", "https://c/v1/messages?beta=true", NULL, "beta=true"},
		{"claude", "https://c/api/anthropic", "https://c/api/anthropic/v1/messages", NULL,
			""},
		/* The list of models, as people copy it. */
		{"gemini", "https://g/v1beta/models/",
			"https://g/v1beta/models/m%2f1:generateContent", NULL, NULL},
		{"openai", "https://h/v1/models", "https://h/v1/chat/completions", NULL, NULL},
		{"claude", "https://h/v1/models", "https://h/v1/messages", NULL, NULL},
		{"custom", "https://h/x/models", "https://h/x/models/chat/completions", NULL, NULL},
		/* Vertex. */
		{"gemini", "https://v/v1/publishers/google",
			"https://v/v1/publishers/google/models/m%2f1:generateContent", NULL, NULL},
		{"gemini", "https://v/v1/projects/p/locations/l/publishers/google/models",
			"https://v/v1/projects/p/locations/l/publishers/google/models/"
			"m%2f1:countTokens",
			"/models/{model}:countTokens", NULL},
		{"gemini", "https://v/v1/publishers/google/models/x:generateContent",
			"https://v/v1/publishers/google/models/x:generateContent", NULL, NULL},
		/* Microsoft's and Amazon's. */
		{"claude", "https://r.services.ai.azure.com/anthropic",
			"https://r.services.ai.azure.com/anthropic/v1/messages", NULL, NULL},
		{"claude", "https://r.services.ai.azure.com",
			"https://r.services.ai.azure.com/anthropic/v1/messages", NULL, NULL},
		{"openai-responses", "https://r.openai.azure.com",
			"https://r.openai.azure.com/openai/v1/responses", NULL, NULL},
		{"openai", "https://r.openai.azure.com/openai/v1/",
			"https://r.openai.azure.com/openai/v1/chat/completions", NULL, NULL},
		{"claude", "https://bedrock-runtime.us-east-1.amazonaws.com",
			"https://bedrock-runtime.us-east-1.amazonaws.com/anthropic/v1/messages",
			NULL, NULL},
		{"claude", "https://bedrock-mantle.us-east-1.api.aws/anthropic",
			"https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages", NULL,
			NULL},
		{"openai", "https://openrouter.ai", "https://openrouter.ai/api/v1/chat/completions",
			NULL, NULL},
		{"claude", "https://eu.openrouter.ai/", "https://eu.openrouter.ai/api/v1/messages",
			NULL, NULL},
		{"openai", "https://notopenrouter.ai",
			"https://notopenrouter.ai/v1/chat/completions", NULL, NULL},
		{"custom", "https://openrouter.ai", "https://openrouter.ai/chat/completions", NULL,
			NULL},
		{"openai", "https://api.deepseek.com",
			"https://api.deepseek.com/v1/chat/completions", NULL, NULL},
		{"claude", "https://api.deepseek.com",
			"https://api.deepseek.com/anthropic/v1/messages", NULL, NULL},
		{"claude", "https://c/v1/messages?k=1", "https://c/v1/files/f?k=1&a=b%20c",
			"/files/f", "a=b%20c"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer url = BUFFER_INIT(0);
		const struct service *s = service_find(rows[i].service);
		assert_non_null(s);
		assert_null(service_check_base_url(rows[i].base));
		assert_int_equal(service_write_url(s, rows[i].base,
					 rows[i].endpoint != NULL ? rows[i].endpoint : s->endpoint,
					 "m/1", rows[i].query, &url),
			0);
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
	struct upstream upstream = {
		.base_url = (char[]){"http://h"}, .options = {.headers = own, .header_count = 2}};
	struct api_key key = {.secret = "sk-test"};
	const struct service_head streamed = {.stream = true, .has_body = true};
	const struct service_head whole = {.has_body = true};

	(void)state;
	struct curl_slist *list = service_headers(
		service_find("openai"), &upstream, &key, &streamed);
	assert_true(has_line(list, "authorization: Token x"));
	assert_true(has_line(list, "X-Title: proxy"));
	assert_true(has_line(list, "Accept: text/event-stream"));
	assert_false(has_line(list, "Authorization: Bearer sk-test"));
	curl_slist_free_all(list);

	upstream.options.header_count = 0;
	list = service_headers(service_find("custom"), &upstream, &key, &whole);
	assert_true(has_line(list, "Authorization: Bearer sk-test"));
	assert_true(has_line(list, "Content-Type: application/json"));
	curl_slist_free_all(list);
}

static void
test_the_owner_decides_how_the_key_is_sent_and_which_betas(void **state)
{
	static const struct {
		enum auth auth;
		const char *beta, *key_line, *beta_line;
	} rows[] = {
		{AUTH_BEARER, NULL, "Authorization: Bearer k", "anthropic-beta: a-1, b-2,c"},
		{AUTH_X_API_KEY, "-b-2", "x-api-key: k", "anthropic-beta: a-1,c"},
		{AUTH_API_KEY, "-c,-a-1", "api-key: k", "anthropic-beta: b-2"},
		{AUTH_BY_SERVICE, "-a", "x-api-key: k", "anthropic-beta: a-1,b-2,c"},
		{AUTH_BY_SERVICE, "none", "x-api-key: k", NULL},
		{AUTH_BY_SERVICE, "-a-1,-b-2,-c", "x-api-key: k", NULL},
	};
	struct forwarded_header forwarded[] = {
		{"anthropic-beta", "a-1, b-2,c"}, {"anthropic-version", "2023-06-01"}};
	const struct service_head head = {.forwarded = forwarded, .forwarded_count = 2};
	struct api_key key = {.secret = "k"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct upstream upstream = {.base_url = (char[]){"https://c"},
			.options = {.auth = rows[i].auth, .beta = (char *)(uintptr_t)rows[i].beta}};
		struct curl_slist *list = service_headers(
			service_find("claude"), &upstream, &key, &head);
		size_t lines = 0;
		for (const struct curl_slist *at = list; at != NULL; at = at->next)
			lines += strncmp(at->data, "anthropic-beta:", 15) == 0;
		assert_true(has_line(list, rows[i].key_line));
		assert_true(has_line(list, "anthropic-version: 2023-06-01"));
		assert_int_equal(lines, rows[i].beta_line != NULL);
		if (rows[i].beta_line != NULL && !has_line(list, rows[i].beta_line))
			fail_msg("%s", rows[i].beta_line);
		curl_slist_free_all(list);
	}
}

static void
test_each_service_gets_its_key_in_its_way(void **state)
{
	static const struct {
		const char *service, *key, *line;
	} rows[] = {
		{"openai", "k", "Authorization: Bearer k"},
		{"openai-responses", "k", "Authorization: Bearer k"},
		{"custom", "k", "Authorization: Bearer k"},
		{"gemini", "k", "x-goog-api-key: k"},
		{"claude", "sk-ant-api-1", "x-api-key: sk-ant-api-1"},
		{"claude", "sk-ant-oat01-1", "Authorization: Bearer sk-ant-oat01-1"},
		{"gemini", "ya29.token", "Authorization: Bearer ya29.token"},
	};
	struct forwarded_header forwarded[] = {
		{"anthropic-beta", "a,b"}, {"anthropic-version", "2023-06-01"}};
	const struct upstream upstream = {.base_url = (char[]){"http://h"}};
	const struct service_head head = {.forwarded = forwarded, .forwarded_count = 2};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct api_key key = {.secret = (char *)(uintptr_t)rows[i].key};
		struct curl_slist *list = service_headers(
			service_find(rows[i].service), &upstream, &key, &head);
		assert_true(has_line(list, rows[i].line));
		assert_true(has_line(list, "anthropic-beta: a,b"));
		assert_false(has_line(list, "Content-Type: application/json"));
		curl_slist_free_all(list);
	}
}

static void
test_unknown_service_types_are_not_found(void **state)
{
	(void)state;
	assert_null(service_find("openai2"));
	assert_null(service_find(""));
	assert_null(service_at(1000));
}

static void
test_what_of_a_request_is_secret(void **state)
{
	struct extra_header header = {(char[]){"X-Token"}, (char[]){"a-token-of-mine"}};
	struct api_key key = {.secret = (char[]){"sk-key"}};
	struct upstream upstream = {
		.base_url = (char[]){"https://h/v1?v=2024-10-21&key=a%2Fb"},
		.options = {.headers = &header,
			.header_count = 1,
			.proxy = (char[]){"http://me:w%40rd@proxy"}},
	};
	static const char *const expected[] = {"sk-key", "a-token-of-mine", "2024-10-21", "a%2Fb",
		"a/b", "http://me:w%40rd@proxy", "w@rd"};

	(void)state;
	const char **secrets = service_secrets(&upstream, &key);
	for (size_t i = 0; i < COUNT(expected); i++)
		assert_string_equal(secrets[i], expected[i]);
	assert_null(secrets[COUNT(expected)]);
	free(secrets);
	upstream = (struct upstream){.base_url = (char[]){"https://h"}};
	secrets = service_secrets(&upstream, NULL);
	assert_null(secrets[0]);
	free(secrets);
}

/* What ${r} would be sent to, by ${service} at its ${endpoint}. */
static void
check_address(struct upstream *upstream, const char *service, const char *endpoint,
	const char *query, const char *url)
{
	const struct service_head head = {.stream = false};
	struct upstream_request r = {
		.upstream = upstream, .service = service_find(service), .model = "m"};
	struct api_error error = API_ERROR_NONE;

	if (endpoint == NULL)
		endpoint = r.service->endpoint;
	assert_int_equal(upstream_request_address(&r, endpoint, query, &head, &error), 0);
	assert_string_equal(buffer_text(&r.url), url);
	upstream_request_free(&r);
}

static void
test_a_url_is_kept_where_it_is_the_same_for_all(void **state)
{
	_Atomic(char *) kept = NULL;
	struct upstream chat = {.base_url = (char[]){"HTTPS://h/a/../v1?key=1"},
		.service_type = (char[]){"openai"},
		.message_url = &kept};
	struct upstream google = {.base_url = (char[]){"https://h"},
		.service_type = (char[]){"gemini"},
		.message_url = &kept};

	(void)state;
	check_address(&google, "gemini", NULL, NULL, "https://h/v1beta/models/m:generateContent");
	check_address(&chat, "openai", "/models", NULL, "https://h/v1/models?key=1");
	check_address(&chat, "openai", NULL, "a=b", "https://h/v1/chat/completions?key=1&a=b");
	check_address(&chat, "openai-responses", NULL, NULL, "https://h/v1/responses?key=1");
	assert_null(kept);
	for (int i = 0; i < 2; i++)
		check_address(&chat, "openai", NULL, "", "https://h/v1/chat/completions?key=1");
	assert_string_equal(kept, "https://h/v1/chat/completions?key=1");
	check_address(&chat, "openai-responses", NULL, NULL, "https://h/v1/responses?key=1");
	check_address(&chat, "openai", "/models", NULL, "https://h/v1/models?key=1");
	free(kept);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_base_urls_that_are_refused),
		cmocka_unit_test(test_headers_of_the_upstream_replace_ours),
		cmocka_unit_test(test_the_owner_decides_how_the_key_is_sent_and_which_betas),
		cmocka_unit_test(test_each_service_gets_its_key_in_its_way),
		cmocka_unit_test(test_unknown_service_types_are_not_found),
		cmocka_unit_test(test_what_of_a_request_is_secret),
		cmocka_unit_test(test_a_url_is_kept_where_it_is_the_same_for_all),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}

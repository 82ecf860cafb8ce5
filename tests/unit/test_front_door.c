/* Routes, access and response heads over a web request made of a table (SPEC §4, fcgi/DESIGN.md).
 */
#include "unit.h"

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/settings/settings.h"
#include "http/access.h"
#include "http/cors.h"
#include "http/response.h"
#include "http/router.h"
#include "http/web_request_kind.h"

/* A request that is only its parameters, name and value in turn, and a body of a given size, which
 * comes in pieces: between two of them, and at first, there is nothing. */
struct table_request {
	struct web_request base;
	const char *const *parameters;
	size_t body;
	size_t piece; /* bytes; 0: all at once */
	bool breaks;  /* off, where the body should end */
	bool silent;
};

static const char *
table_parameter(const struct web_request *web, const char *name)
{
	const char *const *p = ((const struct table_request *)web)->parameters;

	for (; p != NULL && p[0] != NULL; p += 2)
		if (strcmp(p[0], name) == 0)
			return p[1];
	return NULL;
}

static ssize_t
table_read(struct web_request *web, char *data, size_t size)
{
	struct table_request *t = (struct table_request *)web;
	size_t n = t->body < size ? t->body : size;

	if (t->piece != 0 && n > t->piece)
		n = t->piece;
	t->silent = !t->silent && t->piece != 0;
	if (t->silent)
		return NOTHING_YET;
	memset(data, 'x', n);
	t->body -= n;
	return n == 0 && t->breaks ? -1 : (ssize_t)n;
}

static void
table_free(struct web_request *web)
{
	(void)web;
}

static const struct web_request_kind table_kind = {
	.parameter = table_parameter, .read = table_read, .free = table_free};

static struct table_request
web_request_of(const char *const *parameters)
{
	return (struct table_request){.base = {.kind = &table_kind}, .parameters = parameters};
}

static struct settings settings = {
	.health_check = true,
	.health_check_path = (char[]){"/health"},
	.access_key = (char[]){"secret-access-key"},
};

static void
test_only_the_end_of_the_path_counts(void **state)
{
	static const struct {
		const char *method, *script, *info, *uri;
		enum endpoint endpoint;
		int status;
		const char *path;
	} rows[] = {
		{"POST", "/v1", "/messages", "/v1/messages?beta=true", ENDPOINT_MESSAGES, 0,
			"/messages"},
		{"POST", "/v1/messages", NULL, "/v1/messages", ENDPOINT_MESSAGES, 0, NULL},
		{"POST", "/cgi-bin/claude-proxy.fcgi", "/v1/messages", NULL, ENDPOINT_MESSAGES, 0,
			NULL},
		{"POST", NULL, NULL, "/v1/messages?beta=true", ENDPOINT_MESSAGES, 0, NULL},
		{"POST", "/v1/messages/", NULL, NULL, ENDPOINT_MESSAGES, 0, NULL},
		{"GET", "/health", "", NULL, ENDPOINT_HEALTH, 0, NULL},
		{"HEAD", "/health", NULL, NULL, ENDPOINT_HEALTH, 0, NULL},
		{"POST", "/health", NULL, NULL, ENDPOINT_NONE, 405, NULL},
		{"HEAD", "/api", "/hello", NULL, ENDPOINT_HELLO, 0, NULL},
		{"GET", "/v1/messages", NULL, NULL, ENDPOINT_NONE, 405, NULL},
		{"", "/v1/messages", NULL, NULL, ENDPOINT_NONE, 405, NULL},
		{"POST", "/v1/messages/count_tokens", NULL, NULL, ENDPOINT_COUNT_TOKENS, 0, NULL},
		{"GET", "/p/v1/models", NULL, NULL, ENDPOINT_MODELS, 0, NULL},
		{"POST", "/v1/models", NULL, NULL, ENDPOINT_NONE, 405, NULL},
		{"GET", "/v1/models", "/vendor/a b", "/v1/models/vendor%2Fa%20b?x=1",
			ENDPOINT_MODEL, 0, "/models/vendor%2Fa%20b"},
		{"DELETE", "/v1/models/a", NULL, NULL, ENDPOINT_NONE, 405, NULL},
		{"POST", "/v1/message", NULL, NULL, ENDPOINT_OTHER, 0, "/message"},
		{"DELETE", "/x.fcgi", "/v1/files/f_1", NULL, ENDPOINT_OTHER, 0, "/files/f_1"},
		{"GET", "/v1/../secret", NULL, NULL, ENDPOINT_NONE, 404, NULL},
		{"GET", "/v1/files/x", NULL, "/v1/..%2fsecret", ENDPOINT_OTHER, 0, "/files/x"},
		{"OPTIONS", "/v1/messages", NULL, NULL, ENDPOINT_PREFLIGHT, 0, NULL},
		{"OPTIONS", "/anything", NULL, NULL, ENDPOINT_PREFLIGHT, 0, NULL},
		{"HEAD", "/v1/models", NULL, NULL, ENDPOINT_MODELS, 0, NULL},
		{"POST", "/messages", NULL, NULL, ENDPOINT_NONE, 404, NULL},
		{"GET", "/", NULL, NULL, ENDPOINT_ROOT, 0, NULL},
		{"HEAD", "/ai", "/", NULL, ENDPOINT_ROOT, 0, NULL},
		{"GET", "/cgi-bin/claude-proxy.fcgi", "", NULL, ENDPOINT_ROOT, 0, NULL},
		{"GET", "/other", NULL, NULL, ENDPOINT_NONE, 404, NULL},
		{"POST", "/", NULL, NULL, ENDPOINT_NONE, 404, NULL},
		{NULL, NULL, NULL, NULL, ENDPOINT_NONE, 404, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const p[] = {"REQUEST_METHOD", rows[i].method, "SCRIPT_NAME",
			rows[i].script, "PATH_INFO", rows[i].info, "REQUEST_URI", rows[i].uri,
			NULL};
		struct table_request web = web_request_of(p);
		struct api_error error = API_ERROR_NONE;
		struct endpoint_match match;
		router_find(&web.base, &settings, &match, &error);
		assert_int_equal(match.endpoint, rows[i].endpoint);
		assert_int_equal(error.status, rows[i].status);
		assert_int_equal(match.allow != NULL,
			rows[i].status == 405 || rows[i].endpoint == ENDPOINT_PREFLIGHT);
		if (rows[i].path != NULL)
			assert_string_equal(match.path, rows[i].path);
		free(match.path);
		api_error_clear(&error);
	}
}

static void
test_a_health_check_that_is_off_is_not_there(void **state)
{
	const char *const p[] = {"REQUEST_METHOD", "GET", "SCRIPT_NAME", "/health", NULL};
	struct table_request web = web_request_of(p);
	struct settings off = {.health_check_path = settings.health_check_path};
	struct api_error error = API_ERROR_NONE;
	struct endpoint_match match;

	(void)state;
	router_find(&web.base, &off, &match, &error);
	assert_int_equal(match.endpoint, ENDPOINT_NONE);
	assert_int_equal(error.status, 404);
	assert_null(match.path);
	api_error_clear(&error);
}

static void
test_the_access_key_comes_either_way(void **state)
{
	static const struct {
		const char *name, *value;
		int result;
	} rows[] = {
		{"HTTP_X_API_KEY", "secret-access-key", 0},
		{"HTTP_AUTHORIZATION", "Bearer secret-access-key", 0},
		{"HTTP_AUTHORIZATION", "bearer  secret-access-key", 0},
		{"REDIRECT_HTTP_AUTHORIZATION", "Bearer secret-access-key", 0},
		{"HTTP_X_API_KEY", "secret-access-keyx", -1},
		{"HTTP_X_API_KEY", "secret-access-ke", -1},
		{"HTTP_X_API_KEY", "", -1},
		{"HTTP_AUTHORIZATION", "Basic secret-access-key", -1},
		{"HTTP_AUTHORIZATION", "secret-access-key", -1},
		{"HTTP_OTHER", "secret-access-key", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const p[] = {rows[i].name, rows[i].value, NULL};
		struct table_request web = web_request_of(p);
		struct api_error error = API_ERROR_NONE;
		assert_int_equal(access_check(&web.base, &settings, &error), rows[i].result);
		assert_int_equal(error.status, rows[i].result == 0 ? 0 : 401);
		if (error.message != NULL)
			assert_null(strstr(error.message, "secret-access-key"));
		api_error_clear(&error);
	}
}

static void
test_without_an_access_key_everything_is_refused(void **state)
{
	const char *const p[] = {"HTTP_X_API_KEY", "", NULL};
	struct table_request web = web_request_of(p);
	struct settings none = {.access_key = NULL};
	struct api_error error = API_ERROR_NONE;

	(void)state;
	assert_int_equal(access_check(&web.base, &none, &error), -1);
	assert_string_equal(error.type, "authentication_error");
	assert_non_null(strstr(error.message, "PROXY_ACCESS_KEY"));
	api_error_clear(&error);
}

#define NO_ORIGIN "Vary: Origin\r\n"
#define ORIGIN(origin)                                                                             \
	"Access-Control-Allow-Origin: " origin "\r\nAccess-Control-Expose-Headers: *\r\n"

static void
test_origins(void **state)
{
	static const struct {
		bool on;
		const char *allowed, *origin, *headers;
	} rows[] = {
		{true, "*", "https://a.example", ORIGIN("*")},
		{true, "*", NULL, ORIGIN("*")},
		{true, "https://b.example, *", "https://a.example", ORIGIN("*")},
		{false, "*", "https://a.example", ""},
		{true, "https://a.example", "https://a.example",
			NO_ORIGIN ORIGIN("https://a.example")},
		{true, "https://b.example,https://a.example", "https://a.example",
			NO_ORIGIN ORIGIN("https://a.example")},
		{true, " https://b.example ,\thttps://a.example/ ", "https://a.example",
			NO_ORIGIN ORIGIN("https://a.example")},
		{true, "https://a.example", "https://a.example.evil", NO_ORIGIN},
		{true, "https://a.example", "https://a.exampl", NO_ORIGIN},
		{true, "https://a.example", "http://a.example", NO_ORIGIN},
		{true, "https://a.example,https://b.example", "https://a.example,https://b.example",
			NO_ORIGIN},
		{true, "https://a.example", "*", NO_ORIGIN},
		{true, "https://a.example", "", NO_ORIGIN},
		{true, "https://a.example", NULL, NO_ORIGIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const p[] = {"HTTP_ORIGIN", rows[i].origin, NULL};
		struct table_request web = web_request_of(p);
		struct settings s = {.cors = rows[i].on, .cors_origin = (char *)rows[i].allowed};
		struct buffer headers = BUFFER_INIT(0);
		cors_write_headers(&web.base, &s, &headers);
		assert_string_equal(buffer_text(&headers), rows[i].headers);
		buffer_free(&headers);
	}
}

static void
test_a_preflight_lets_the_headers_through_that_were_asked_for(void **state)
{
	static const char *const rows[][2] = {
		{"x-api-key,content-type", "Allow-Headers: x-api-key,content-type\r\n"},
		{"x-stainless-os, authorization",
			"Allow-Headers: x-stainless-os, authorization\r\n"},
		{"x\r\nSet-Cookie: a=b", "Allow-Headers: authorization, "},
		{"", "Allow-Headers: authorization, "},
		{NULL, "Allow-Headers: authorization, "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const p[] = {"HTTP_ACCESS_CONTROL_REQUEST_HEADERS", rows[i][0], NULL};
		struct table_request web = web_request_of(p);
		struct settings s = {.cors = true, .cors_origin = (char[]){"*"}};
		struct buffer headers = BUFFER_INIT(0);
		cors_write_preflight(&web.base, &s, &headers);
		assert_non_null(strstr(buffer_text(&headers), rows[i][1]));
		assert_null(strstr(buffer_text(&headers), "Set-Cookie"));
		buffer_clear(&headers);
		s.cors = false;
		cors_write_preflight(&web.base, &s, &headers);
		assert_int_equal(headers.length, 0);
		buffer_free(&headers);
	}
}

static void
test_a_body_is_bounded(void **state)
{
	static const struct {
		size_t body, limit, piece;
		bool breaks;
		enum web_request_read result;
	} rows[] = {
		{0, 10, 0, false, WEB_REQUEST_READ},
		{10, 10, 0, false, WEB_REQUEST_READ},
		{10, 10, 1, false, WEB_REQUEST_READ},
		{200000, 200000, 999, false, WEB_REQUEST_READ},
		{11, 10, 0, false, WEB_REQUEST_TOO_LARGE},
		{11, 10, 3, false, WEB_REQUEST_TOO_LARGE},
		{11, 10, 3, true, WEB_REQUEST_TOO_LARGE},
		{200000, 100000, 0, false, WEB_REQUEST_TOO_LARGE},
		{40000000, 100000, 0, false, WEB_REQUEST_TOO_LARGE},
		{1, 0, 0, false, WEB_REQUEST_TOO_LARGE},
		{9, 10, 0, true, WEB_REQUEST_BROKEN},
		{9, 10, 2, true, WEB_REQUEST_BROKEN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct table_request web = web_request_of(NULL);
		struct buffer body = BUFFER_INIT(0);
		web.body = rows[i].body;
		web.piece = rows[i].piece;
		web.breaks = rows[i].breaks;
		while (web_request_receive(&web.base, rows[i].limit) == WEB_REQUEST_MORE)
			assert_true(web.base.body.length <= rows[i].limit);
		assert_int_equal(web.body, 0);
		assert_int_equal(web_request_received(&web.base), rows[i].body);
		assert_int_equal(web_request_take_body(&web.base, &body), rows[i].result);
		assert_int_equal(
			body.length, rows[i].result == WEB_REQUEST_READ ? rows[i].body : 0);
		buffer_free(&body);
		web_request_free(&web.base);
	}
}

static void
test_a_body_that_is_not_whole_is_not_given_away(void **state)
{
	struct table_request web = web_request_of(NULL);
	struct buffer body = BUFFER_INIT(0);

	(void)state;
	web.body = web.piece = 7;
	assert_int_equal(web_request_receive(&web.base, 10), WEB_REQUEST_MORE);
	assert_int_equal(web_request_take_body(&web.base, &body), WEB_REQUEST_MORE);
	assert_int_equal(body.length, 0);
	web_request_free(&web.base);
}

static char *const *
listed(const struct web_request *web)
{
	return (char *const *)((const struct table_request *)web)->parameters;
}

static void
test_control_characters_count_where_a_client_may_have_put_them(void **state)
{
	static const struct web_request_kind kind = {.parameters = listed};
	static const struct {
		const char *parameter;
		bool found;
	} rows[] = {
		{"HTTP_ANTHROPIC_BETA=a, b", false},
		{"HTTP_ANTHROPIC_BETA=a\tb", false},
		{"HTTP_ANTHROPIC_BETA=a\nb", true},
		{"HTTP_A\nB=c", true},
		{"REDIRECT_HTTP_AUTHORIZATION=a\rb", true},
		{"CONTENT_TYPE=a\x7f", true},
		{"CONTENT_LENGTH=1\n", true},
		{"REQUEST_METHOD=GET\n", true},
		{"REQUEST_URI=/\033", true},
		{"QUERY_STRING=a\nb", true},
		{"PATH_INFO=/a\nb", true},
		{"SCRIPT_NAME=/a\nb", true},
		{"REMOTE_ADDR=1\n2", true},
		{"BASH_FUNC_x=() {\n}", false},
		{"LESS=\033[1m", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *const p[] = {"HTTP_HOST=h", rows[i].parameter, NULL};
		struct table_request web = {.base = {.kind = &kind}, .parameters = p};
		assert_int_equal(web_request_has_control_characters(&web.base), rows[i].found);
	}
}

static void
test_an_error_is_told_in_the_shape_of_claude(void **state)
{
	struct api_error error = API_ERROR_NONE;
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	api_error_set(&error, 429, "slow \"down\"");
	error.retry_after = 7;
	assert_int_equal(response_write_error(&out, &error, "req_1", "Allow: GET\r\n"), 0);
	assert_string_equal(buffer_text(&out),
		"Status: 429 Too Many Requests\r\nrequest-id: req_1\r\nContent-Type: "
		"application/json\r\n"
		"Content-Length: 99\r\nretry-after: 7\r\nAllow: GET\r\n\r\n"
		"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow "
		"\\\"down\\\"\"},"
		"\"request_id\":\"req_1\"}");
	buffer_free(&out);
	api_error_clear(&error);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_end_of_the_path_counts),
		cmocka_unit_test(test_a_health_check_that_is_off_is_not_there),
		cmocka_unit_test(test_the_access_key_comes_either_way),
		cmocka_unit_test(test_without_an_access_key_everything_is_refused),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_a_preflight_lets_the_headers_through_that_were_asked_for),
		cmocka_unit_test(test_a_body_is_bounded),
		cmocka_unit_test(test_a_body_that_is_not_whole_is_not_given_away),
		cmocka_unit_test(test_control_characters_count_where_a_client_may_have_put_them),
		cmocka_unit_test(test_an_error_is_told_in_the_shape_of_claude),
	};

	return cmocka_run_group_tests_name("front door", tests, NULL, NULL);
}

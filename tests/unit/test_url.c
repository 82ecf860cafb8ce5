/* What may be told of a URL. */
#include "unit.h"

#include "base/buffer.h"
#include "base/text/url.h"

static const struct {
	const char *url, *origin, *masked;
} rows[] = {
	{"https://api.example.com", "https://api.example.com", "https://api.example.com"},
	{"http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/"},
	{"http://[::1]:8080/v1?a=", "http://[::1]:8080", "http://[::1]:8080/v1?a="},
	{"https://h/acc/v1?key=0123456789abcdef", "https://h", "https://h/acc/v1?key=0123…cdef"},
	{"https://h?0123456789abcdef", "https://h", "https://h?0123…cdef"},
	{"https://h/?v=1&key=0123456789&&c", "https://h", "https://h/?v=…&key=01…89&&…"},
	{"https://h/v1?a=b=c#top", "https://h", "https://h/v1?a=…#top"},
	{"https://h/v1#top?a=b", "https://h", "https://h/v1#top?a=b"},
	{"https://h/v1?k=a?b/c@d", "https://h", "https://h/v1?k=…"},
	{"https://me:word@h:1/v1?k=v", "https://h:1", "https://…@h:1/v1?k=…"},
	{"https://me:w@rd@h", "https://h", "https://…@h"},
	{"h?key=0123456789", "h", "h?key=01…89"},
	{"h/v1?to=http://x&key=0123456789", "h", "h/v1?to=ht…/x&key=01…89"},
	{"", "", ""},
};

static void
test_an_origin_is_scheme_host_and_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		assert_int_equal(url_write_origin(&out, rows[i].url), 0);
		assert_string_equal(buffer_text(&out), rows[i].origin);
		buffer_free(&out);
	}
}

static void
test_the_values_of_a_query_are_masked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		assert_int_equal(url_write_masked(&out, rows[i].url), 0);
		assert_string_equal(buffer_text(&out), rows[i].masked);
		buffer_free(&out);
	}
}

static void
take(void *context, const char *value, size_t length)
{
	buffer_append(context, value, length);
	buffer_putc(context, '|');
}

static void
test_the_values_of_a_query(void **state)
{
	static const char *const queries[][2] = {
		{"http://h", ""},
		{"http://h?", ""},
		{"http://h?a=b&c&d=&=e&f=g=h#i=j", "b|c|e|g=h|"},
		{"http://h#?a=b", ""},
		{"http://h?key=a%2Fb", "a%2Fb|"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(queries); i++) {
		struct buffer out = BUFFER_INIT(0);
		url_each_query_value(queries[i][0], take, &out);
		assert_string_equal(buffer_text(&out), queries[i][1]);
		buffer_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_origin_is_scheme_host_and_port),
		cmocka_unit_test(test_the_values_of_a_query_are_masked),
		cmocka_unit_test(test_the_values_of_a_query),
	};

	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}

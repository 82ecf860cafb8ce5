/* One member set or removed, and all the rest as it came. */
#include "unit.h"

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_edit.h"

static void
test_members_are_set_and_removed(void **state)
{
	static const struct {
		const char *json, *path, *value, *expected;
	} rows[] = {
		{"{}", "a", "1", "{\"a\":1}"},
		{"{\"a\":1,\"b\":2}", "a", "{\"x\":[]}", "{\"a\":{\"x\":[]},\"b\":2}"},
		{"{\"a\":1,\"b\":2}", "a", "null", "{\"b\":2}"},
		{"{\"a\":1}", "b", "null", "{\"a\":1}"},
		{"{\"a\":{\"b\":1,\"c\":2}}", "a.b", "3", "{\"a\":{\"b\":3,\"c\":2}}"},
		{"{\"a\":{\"b\":1,\"c\":2}}", "a.b", "null", "{\"a\":{\"c\":2}}"},
		{"{\"z\":0}", "a.b.c", "true", "{\"z\":0,\"a\":{\"b\":{\"c\":true}}}"},
		{"{\"z\":0}", "a.b.c", "null", "{\"z\":0}"},
		{"{\"a\":7}", "a.b", "1", "{\"a\":{\"b\":1}}"},
		{"{\"a\":7}", "a.b", "null", "{\"a\":7}"},
		{"{\"a\":{}}", "a.b", "1", "{\"a\":{\"b\":1}}"},
		/* Of duplicates none is left. */
		{"{\"a\":1,\"a\":2}", "a", "3", "{\"a\":3}"},
		{"{\"a\":1,\"a\":2}", "a", "null", "{}"},
		/* A name that is written with an escape is the same name. */
		{"{\"\\u0061\":1}", "a", "2", "{\"a\":2}"},
		{"{\"ab\":1}", "a", "2", "{\"ab\":1,\"a\":2}"},
		/* The rest is as it came. */
		{"{\"n\":1.10,\"s\":\"\\ud800\\u00e9\",\"a\":[1e5]}", "x", "0",
			"{\"n\":1.10,\"s\":\"\\ud800\\u00e9\",\"a\":[1e5],\"x\":0}"},
		{"[1]", "a", "2", "[1]"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_document index = {0};
		struct buffer out = BUFFER_INIT(0);
		const struct json *json = json_read(
			&index, rows[i].json, strlen(rows[i].json), JSON_MAX_REQUEST_VALUES, NULL);
		assert_non_null(json);
		assert_int_equal(json_edit(&out, json, rows[i].path, rows[i].value), 0);
		assert_string_equal(buffer_text(&out), rows[i].expected);
		json_document_free(&index);
		buffer_free(&out);
	}
}

static void
test_paths(void **state)
{
	char longest[JSON_EDIT_LONGEST_PATH + 2];

	(void)state;
	assert_true(json_edit_is_path("a"));
	assert_true(json_edit_is_path("a.b-c.d"));
	assert_false(json_edit_is_path(""));
	assert_false(json_edit_is_path("a\n"));
	assert_true(json_edit_is_path("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16"));
	assert_false(json_edit_is_path("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17"));
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_false(json_edit_is_path(longest));
	assert_true(json_edit_is_path(longest + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members_are_set_and_removed),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

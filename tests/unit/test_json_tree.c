/* JSON as trees of json-c: the same of every version of it. */
#include "unit.h"

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_tree.h"
#include "base/json/json_writer.h"

static struct json_object *
tree_of(const char *text)
{
	struct json_document index = {0};
	bool failed = false;
	const struct json *value = json_read(
		&index, text, strlen(text), JSON_MAX_REQUEST_VALUES, NULL);

	if (value == NULL)
		fail_msg("refused: %s", text);
	struct json_object *tree = json_tree(value, &failed);
	assert_false(failed);
	json_document_free(&index);
	return tree;
}

static void
check(const char *text, const char *expected)
{
	struct buffer out = BUFFER_INIT(0);
	struct json_object *tree = tree_of(text);

	json_put_tree(&JSON_WRITER(&out), tree);
	assert_string_equal(buffer_text(&out), expected);
	json_object_put(tree);
	buffer_free(&out);
}

static void
test_texts_leave_as_they_came(void **state)
{
	static const char *const same[] = {"null", "true", "false", "0", "-0", "-1", "[-0,0]",
		"1.10", "1e21", "1E5", "-0.0", "1e999", "0.30000000000000004",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "12345678901234567890", "123456789012345678901234567890",
		"\"\"", "\"/\"", "\"\\u0000\"", "\"a\\u0000b\"", "\"\\ud800\"",
		"[\"\\udc00\\ud800\"]", "\"\xe2\x80\xa8\xf0\x9f\x98\x80\x7f\"",
		"\"\\\"\\\\\\n\\r\\t\\u0001\"", "[]", "{}", "[null,[[]],{}]",
		"{\"b\":1,\"a\":{\"d\":[[[]]],\"c\":null}}", "{\"\":0}", "{\"\\ud800\":1}"};

	(void)state;
	for (size_t i = 0; i < COUNT(same); i++)
		check(same[i], same[i]);
}

static void
test_what_is_spelled_differently(void **state)
{
	static const char *const rows[][2] = {
		{" [ 1 , { \"a\" : 2 } ] ", "[1,{\"a\":2}]"},
		{"\"\\u00e9\\/\\uD83D\\uDE00\"", "\"\xc3\xa9/\xf0\x9f\x98\x80\""},
		{"\"\\b\\f\"", "\"\\u0008\\u000c\""},
		/* Of duplicates, the last counts. */
		{"{\"a\":1,\"b\":2,\"\\u0061\":3}", "{\"a\":3,\"b\":2}"},
		/* json-c's names end at U+0000. */
		{"{\"a\\u0000b\":[1],\"a\":2,\"\\u0000\":3}", "{\"a\":2}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(rows[i][0], rows[i][1]);
}

static void
test_numbers_of_any_length(void **state)
{
	enum { DIGITS = 10000 };
	char digits[DIGITS + 1];

	(void)state;
	memset(digits, '7', DIGITS);
	digits[DIGITS] = '\0';
	check(digits, digits);
}

/* Integers are integers, and what int64 cannot contain is not. */
static void
test_kinds_of_numbers(void **state)
{
	static const struct {
		const char *text;
		enum json_type type;
	} rows[] = {{"1", json_type_int}, {"-9223372036854775808", json_type_int},
		{"9223372036854775807", json_type_int}, {"9223372036854775808", json_type_double},
		{"18446744073709551615", json_type_double}, {"-0", json_type_double},
		{"1.0", json_type_double}, {"1e2", json_type_double}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_object *tree = tree_of(rows[i].text);
		assert_int_equal(json_object_get_type(tree), rows[i].type);
		json_object_put(tree);
	}
}

static void
test_the_deepest_that_can_be_read(void **state)
{
	char text[2 * JSON_MAX_DEPTH + 1] = "";

	(void)state;
	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	check(text, text);
}

static void
test_absent_is_no_tree(void **state)
{
	bool failed = false;

	(void)state;
	assert_null(json_tree(NULL, &failed));
	assert_null(tree_of("null"));
	assert_false(failed);
}

static void
test_members_of_the_wrong_type_are_absent(void **state)
{
	struct json_object *tree = tree_of(
		"{\"s\":\"x\",\"i\":5,\"o\":{\"p\":1},\"a\":[],\"n\":null}");

	(void)state;
	assert_string_equal(json_tree_member_string(tree, "s"), "x");
	assert_null(json_tree_member_string(tree, "i"));
	assert_non_null(json_tree_member_object(tree, "o"));
	assert_null(json_tree_member_object(tree, "a"));
	assert_non_null(json_tree_member_array(tree, "a"));
	assert_null(json_tree_member_array(tree, "n"));
	assert_null(json_tree_member(NULL, "x"));
	assert_null(json_tree_member(json_tree_member(tree, "s"), "x"));
	assert_true(json_tree_is_string(json_tree_member(tree, "s")));
	assert_false(json_tree_is_string(NULL));
	assert_true(json_tree_is_text(json_tree_member(tree, "s"), "x"));
	assert_false(json_tree_is_text(json_tree_member(tree, "s"), "xy"));
	assert_false(json_tree_is_text(json_tree_member(tree, "i"), "5"));
	json_object_put(tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_leave_as_they_came),
		cmocka_unit_test(test_what_is_spelled_differently),
		cmocka_unit_test(test_numbers_of_any_length),
		cmocka_unit_test(test_kinds_of_numbers),
		cmocka_unit_test(test_the_deepest_that_can_be_read),
		cmocka_unit_test(test_absent_is_no_tree),
		cmocka_unit_test(test_members_of_the_wrong_type_are_absent),
	};

	return cmocka_run_group_tests_name("json tree", tests, NULL, NULL);
}

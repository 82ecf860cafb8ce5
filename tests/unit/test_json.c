/* JSON: strict in, faithful out (FASTCGI.md §8). */
#include "unit.h"

#include "base/buffer.h"
#include "base/json.h"

static void
test_what_is_not_json_is_refused(void **state)
{
	static const char *const refused[] = {"", " ", "{", "}", "[1,]", "{\"a\":1,}", "{'a':1}",
		"{a:1}", "[1]x", "1 2", "NaN", "[NaN]", "Infinity", "-Infinity", "nan", "[inf]",
		"True", "NULL", "nul", "// c\n1", "/* c */1", "[1 /* c */]", "\"a", "\"\\x\"",
		"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
		"\"\xe4\xb8\"", "+1", "01a", "01", "[-01]", "1.", "[1.e5]", "-", "1e+", ".5", "--1",
		"1e", "\xef\xbb\xbf{}", "[\"a\" \"b\"]"};

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct json_object *value = NULL;
		const char *problem = NULL;
		if (json_parse(refused[i], strlen(refused[i]), &value, &problem) == 0)
			fail_msg("taken: %s", refused[i]);
		assert_non_null(problem);
		assert_null(value);
	}
}

static void
test_texts_leave_as_they_came(void **state)
{
	static const char *const same[] = {"1", "-1", "0", "-0", "[-0,0]", "0.1", "1.10", "1e21",
		"1E5", "12345678901234567890", "18446744073709551615", "18446744073709551616",
		"123456789012345678901234567890", "-9223372036854775808", "-9223372036854775809",
		"[1,-0,{\"z\":-0,\"a\":99999999999999999999999}]", "{}", "[]", "\"\"", "true",
		"null", "{\"b\":1,\"a\":{\"d\":[[[]]],\"c\":null}}", "\"/\"", "\"\\u0000\"",
		"\"\xe2\x80\xa8\"", "\"\xf0\x9f\x98\x80\"", "[\"\\\\\\\"-0\",-0]", "1e999",
		"0.30000000000000004", "{\"\":-0}",
		"{\"a\\u0000b\":{\"\\u0000\\u0000\":\"\\u0000\"}}", "{\"\\\\u0000\":-0}"};

	(void)state;
	for (size_t i = 0; i < COUNT(same); i++) {
		struct json_object *value = NULL;
		const char *problem = NULL;
		size_t length = 0;
		if (json_parse(same[i], strlen(same[i]), &value, &problem) != 0)
			fail_msg("refused: %s: %s", same[i], problem);
		assert_string_equal(json_text(value, &length), same[i]);
		assert_int_equal(length, strlen(same[i]));
		json_object_put(value);
	}
}

static void
test_escaped_characters_of_every_plane(void **state)
{
	(void)state;
	for (unsigned c = 0x10000; c < 0x110000; c += c % 0x400 == 0 ? 1 : 0x3ff) {
		char text[32];
		char expected[] = {'"', (char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)),
			(char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)), '"', '\0'};
		struct json_object *value = NULL;
		const char *problem = NULL;
		snprintf(text, sizeof(text), c & 1 ? "\"\\u%04X\\u%04X\"" : "\"\\u%04x\\u%04x\"",
			0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
		assert_int_equal(json_parse(text, strlen(text), &value, &problem), 0);
		assert_string_equal(json_text(value, NULL), expected);
		json_object_put(value);
	}
}

/* json-c keeps half a surrogate pair of a text that it refused. */
static void
test_a_refused_text_leaves_nothing_to_the_next(void **state)
{
	static const char *const refused[] = {"\"\\ud83d", "\"\\ud83d\\u", "\"\\ud83d\\u0",
		"\"\\ud83d\\ux\"", "\"\\ud83d\\u00g\""};
	static const char next[] = "\"\\u0016\"";

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct json_object *value = NULL;
		const char *problem = NULL;
		assert_int_equal(json_parse(refused[i], strlen(refused[i]), &value, &problem), -1);
		assert_int_equal(json_parse(next, strlen(next), &value, &problem), 0);
		assert_string_equal(json_text(value, NULL), next);
		json_object_put(value);
	}
}

static void
test_depth_is_bounded(void **state)
{
	char text[2 * 129];
	const char *problem = NULL;
	struct json_object *value = NULL;

	(void)state;
	for (size_t depth = 128; depth <= 129; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(
			json_parse(text, 2 * depth, &value, &problem), depth == 128 ? 0 : -1);
		json_object_put(value);
		value = NULL;
	}
	assert_contains(problem, "128");
}

static void
test_lone_surrogates_become_replacement_characters(void **state)
{
	struct json_object *value = NULL;
	const char *problem = NULL;

	(void)state;
	assert_int_equal(json_parse("\"\\ud800\"", 8, &value, &problem), 0);
	assert_string_equal(json_object_get_string(value), "\xef\xbf\xbd");
	json_object_put(value);
}

static void
test_strings_are_escaped(void **state)
{
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	json_write_string(&out, "a\"\\\n\r\t\b\0/\x1f\xc3\xa9", 12);
	assert_string_equal(
		buffer_text(&out), "\"a\\\"\\\\\\n\\r\\t\\u0008\\u0000/\\u001f\xc3\xa9\"");
	buffer_free(&out);
}

static void
test_members_of_the_wrong_type_are_absent(void **state)
{
	static const char text[] =
		"{\"s\":\"x\",\"i\":5,\"d\":7.9,\"b\":true,\"o\":{},\"a\":[],\"n\":null}";
	struct json_object *value = NULL;
	const char *problem = NULL;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &value, &problem), 0);
	assert_string_equal(json_member_string(value, "s"), "x");
	assert_null(json_member_string(value, "i"));
	assert_int_equal(json_member_int(value, "i", -1), 5);
	assert_int_equal(json_member_int(value, "d", -1), 7);
	assert_int_equal(json_member_int(value, "s", -1), -1);
	assert_true(json_member_bool(value, "b", false));
	assert_true(json_member_bool(value, "s", true));
	assert_non_null(json_member_object(value, "o"));
	assert_null(json_member_object(value, "a"));
	assert_null(json_member_array(value, "n"));
	assert_null(json_member(NULL, "x"));
	assert_null(json_member(json_member(value, "s"), "x"));
	json_object_put(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_not_json_is_refused),
		cmocka_unit_test(test_texts_leave_as_they_came),
		cmocka_unit_test(test_escaped_characters_of_every_plane),
		cmocka_unit_test(test_a_refused_text_leaves_nothing_to_the_next),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_lone_surrogates_become_replacement_characters),
		cmocka_unit_test(test_strings_are_escaped),
		cmocka_unit_test(test_members_of_the_wrong_type_are_absent),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

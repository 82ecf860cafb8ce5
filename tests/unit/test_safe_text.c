/* What a remote wrote, made harmless for terminals, logs and headers. */
#include "unit.h"

#include "base/buffer.h"
#include "base/text/safe_text.h"

static const struct {
	const char *text, *safe, *json;
} rows[] = {
	{"", "", ""},
	{"Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		"Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		"Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
	{"\033[2J\a", "\\u001b[2J\\u0007", "\033[2J\a"},
	{"a\tb\r\n", "a\\u0009b\\u000d\\u000a", "a\tb\r\n"},
	{"\x7f", "\\u007f", "\\u007f"},
	{"\xc2\x80|\xc2\x9b|\xc2\x9f|\xc2\xa0", "\\u0080|\\u009b|\\u009f|\xc2\xa0",
		"\\u0080|\\u009b|\\u009f|\xc2\xa0"},
	{"\xd8\x9c|\xe2\x80\x8d|\xe2\x80\x8e|\xe2\x80\x8f", "\\u061c|\xe2\x80\x8d|\\u200e|\\u200f",
		"\\u061c|\xe2\x80\x8d|\\u200e|\\u200f"},
	{"\xe2\x80\xa7|\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xaa|\xe2\x80\xae|\xe2\x80\xaf",
		"\xe2\x80\xa7|\\u2028|\\u2029|\\u202a|\\u202e|\xe2\x80\xaf",
		"\xe2\x80\xa7|\\u2028|\\u2029|\\u202a|\\u202e|\xe2\x80\xaf"},
	{"\xe2\x81\xa5|\xe2\x81\xa6|\xe2\x81\xa9|\xe2\x81\xaa",
		"\xe2\x81\xa5|\\u2066|\\u2069|\xe2\x81\xaa",
		"\xe2\x81\xa5|\\u2066|\\u2069|\xe2\x81\xaa"},
	{"\x9b|\xff|\xe2\x80|\xed\xa0\x80",
		"\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		"\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};

static void
test_characters_show_and_do_not_act(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		safe_text_write(&out, rows[i].text, strlen(rows[i].text));
		assert_string_equal(buffer_text(&out), rows[i].safe);
		buffer_clear(&out);
		safe_text_write_json(&out, rows[i].text, strlen(rows[i].text));
		assert_string_equal(buffer_text(&out), rows[i].json);
		buffer_free(&out);
	}
}

static void
test_a_nul_shows_too(void **state)
{
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	safe_text_write(&out, "a\0b", 3);
	assert_string_equal(buffer_text(&out), "a\\u0000b");
	buffer_free(&out);
}

static void
test_a_cut_leaves_characters_whole(void **state)
{
	static const char text[] = "a\xe2\x82\xac\xf0\x9f\x98\x80";
	static const size_t cuts[] = {0, 1, 1, 1, 4, 4, 4, 4, 8, 8};

	(void)state;
	for (size_t most = 0; most < COUNT(cuts); most++)
		assert_int_equal(safe_text_cut(text, strlen(text), most), cuts[most]);
	assert_int_equal(safe_text_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 2);
}

static void
test_what_may_stand_in_a_header(void **state)
{
	(void)state;
	assert_true(safe_text_is_header(""));
	assert_true(safe_text_is_header("a b\tc \xc3\xbc \xff"));
	assert_false(safe_text_is_header("a\nb"));
	assert_false(safe_text_is_header("a\r"));
	assert_false(safe_text_is_header("\x01"));
	assert_false(safe_text_is_header("\x7f"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters_show_and_do_not_act),
		cmocka_unit_test(test_a_nul_shows_too),
		cmocka_unit_test(test_a_cut_leaves_characters_whole),
		cmocka_unit_test(test_what_may_stand_in_a_header),
	};

	return cmocka_run_group_tests_name("safe text", tests, NULL, NULL);
}

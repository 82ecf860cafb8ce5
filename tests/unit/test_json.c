/* JSON: strict in, as it came out (base/json/json.h, base/json/json_writer.h). */
#include "unit.h"

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"

enum { MOST = JSON_MAX_REQUEST_VALUES };

/* The value of a text that must be taken. */
static const struct json *
read_text(struct json_document *document, const char *text)
{
	struct json_problem problem;
	const struct json *value = json_read(document, text, strlen(text), MOST, &problem);

	if (value == NULL)
		fail_msg("refused: %s at %zu: %s", problem.what, problem.offset, text);
	return value;
}

/* The value written again must be ${expected}. */
static void
assert_written(const struct json *value, const char *expected)
{
	struct buffer out = BUFFER_INIT(0);

	assert_int_equal(json_write(&out, value), 0);
	assert_string_equal(buffer_text(&out), expected);
	buffer_free(&out);
}

/* ---- reading ---- */

static void
test_what_is_not_json_is_refused(void **state)
{
	static const struct {
		const char *text;
		size_t offset; /* of what is wrong */
	} rows[] = {{"", 0}, {" ", 1}, {"{", 1}, {"}", 0}, {"[1,]", 3}, {"{\"a\":1,}", 7},
		{"{\"a\":1,\"b\"}", 10}, {"{\"a\"}", 4}, {"{\"a\":}", 5}, {"{,}", 1}, {"[,]", 1},
		{"[1", 2}, {"[1 2]", 3}, {"{1:2}", 1}, {"[}", 1}, {"{]", 1}, {"[1}", 2}, {"]", 0},
		{"{'a':1}", 1}, {"{a:1}", 1}, {"[1]x", 3}, {"1 2", 2}, {"{} {}", 3}, {"NaN", 0},
		{"[NaN]", 1}, {"Infinity", 0}, {"-Infinity", 1}, {"nan", 0}, {"[inf]", 1},
		{"True", 0}, {"NULL", 0}, {"nul", 0}, {"truex", 4}, {"// c\n1", 0}, {"/* c */1", 0},
		{"[1 /* c */]", 3}, {"\"a", 2}, {"\"", 1}, {"\"\\", 2}, {"\"\\x\"", 1},
		{"\"\\u12\"", 1}, {"\"\\u12g4\"", 1}, {"\"\\U0041\"", 1}, {"\"\n\"", 1},
		{"\"a\tb\"", 2}, {"\"\x1f\"", 1}, {"\"\xff\"", 1}, {"\"\xc0\x80\"", 1},
		{"\"\xed\xa0\x80\"", 1}, {"\"\xf4\x90\x80\x80\"", 1}, {"\"\xe4\xb8\"", 1},
		{"\"\xe0\x80\x80\"", 1}, {"\"\xf0\x80\x80\x80\"", 1}, {"\"\x80\"", 1},
		{"\"\xc3\xa9\xc3\"", 3}, {"{\"\xff\":1}", 2}, {"\xff", 0}, {"+1", 0}, {"01a", 2},
		{"01", 2}, {"[-01]", 4}, {"1.", 2}, {"[1.e5]", 3}, {"-", 1}, {"1e+", 3}, {".5", 0},
		{"--1", 1}, {"1e", 2}, {"1.5.5", 3}, {"0x10", 1}, {"\xef\xbb\xbf{}", 0},
		{"[\"a\" \"b\"]", 5}, {"[1\xc2\xa0]", 2}, {"[1\v]", 2}};
	struct json_document document = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_problem problem = {0};
		const char *text = rows[i].text;
		if (json_read(&document, text, strlen(text), MOST, &problem) != NULL)
			fail_msg("taken: %s", text);
		assert_non_null(problem.what);
		if (problem.offset != rows[i].offset)
			fail_msg("%s at %zu: %s", problem.what, problem.offset, text);
		assert_null(json_read(&document, text, strlen(text), MOST, NULL));
	}
	json_document_free(&document);
}

static void
test_a_nul_is_no_end(void **state)
{
	struct json_document document = {0};
	struct json_problem problem;

	(void)state;
	assert_null(json_read(&document, "1\0", 2, MOST, &problem));
	assert_int_equal(problem.offset, 1);
	assert_null(json_read(&document, "\"a\0b\"", 5, MOST, &problem));
	assert_int_equal(problem.offset, 2);
	json_document_free(&document);
}

/* Every text cut anywhere is refused, and nothing behind the end is read. */
static void
test_texts_that_end_too_early(void **state)
{
	static const char text[] = "{\"a\\u00e9\":[true,false,null,\"\xf0\x9f\x98\x80\\n\\ud83d\","
				   "\"a long one, more than eight\"],\"\":{\"x\":-1.5e+3}}";
	struct json_document document = {0};

	(void)state;
	for (size_t length = 0; length < sizeof(text) - 1; length++) {
		struct json_problem problem;
		char *cut = malloc(length + 1); /* for the address sanitizer */
		memcpy(cut, text, length);
		cut = realloc(cut, length > 0 ? length : 1);
		if (json_read(&document, cut, length, MOST, &problem) != NULL)
			fail_msg("taken: %zu bytes", length);
		assert_true(problem.offset <= length);
		free(cut);
	}
	assert_non_null(json_read(&document, text, sizeof(text) - 1, MOST, NULL));
	json_document_free(&document);
}

static void
test_texts_leave_as_they_came(void **state)
{
	static const char *const same[] = {"1", "-1", "0", "-0", "[-0,0]", "0.1", "1.10", "1e21",
		"1E5", "1E-5", "1e+05", "12345678901234567890", "18446744073709551615",
		"123456789012345678901234567890", "-9223372036854775808", "-9223372036854775809",
		"[1,-0,{\"z\":-0,\"a\":99999999999999999999999}]", "{}", "[]", "\"\"", "true",
		"false", "null", "{\"b\":1,\"a\":{\"d\":[[[]]],\"c\":null}}", "\"/\"", "\"\\/\"",
		"\"\\u0000\"", "\"\xe2\x80\xa8\"", "\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\"",
		"\"\\uD800\"", "\"\\udc00\\ud800\"", "\"\\u0041\\b\\f\"", "[\"\\\\\\\"-0\",-0]",
		"1e999", "0.30000000000000004", "{\"\":-0}", "{\"a\":1,\"a\":2,\"\\u0061\":3}",
		"{\"a\\u0000b\":{\"\\u0000\\u0000\":\"\\u0000\"}}", "{\"\\\\u0000\":-0}",
		"{\"\\ud800\":\"\x7f\"}"};
	struct json_document document = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(same); i++)
		assert_written(read_text(&document, same[i]), same[i]);
	assert_written(NULL, "null");
	json_document_free(&document);
}

static void
test_a_number_of_many_digits(void **state)
{
	enum { DIGITS = 10000 };
	static const char *const ends[] = {"", ".5", "e-9990"};
	char text[DIGITS + 16];
	struct json_document document = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		memset(text, '7', DIGITS);
		strcpy(text + DIGITS, ends[i]);
		const struct json *value = read_text(&document, text);
		assert_true(json_is_integer(value) == (i == 0));
		assert_written(value, text);
		assert_true(json_int(value, 1) == (i == 2 ? 7777777777 : INT64_MAX));
		assert_true(json_double(value, 1) > 7e9);
	}
	json_document_free(&document);
}

static void
test_white_space_between_parts_is_dropped(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{" 1 ", "1"},
		{"\t\r\n \"a b\" \n", "\"a b\""},
		{"[ ]", "[]"},
		{"{ }", "{}"},
		{" [ 1 , [ ] , { \"a\" : \" \\\" , \" } ,\n\t\"x\" ] ",
			"[1,[],{\"a\":\" \\\" , \"},\"x\"]"},
		{"{\"a b\" :1, \"c\": {\"d\":[1,2 ]}}", "{\"a b\":1,\"c\":{\"d\":[1,2]}}"},
		{"[\"\\\\\", \"\\\\\\\" ,\"]", "[\"\\\\\",\"\\\\\\\" ,\"]"},
	};
	struct json_document document = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_written(read_text(&document, rows[i].in), rows[i].out);
	/* A part is written on its own, spaced or not. */
	const struct json *value = read_text(&document, "{ \"a\":[1,2],\"b\":[1, 2] }");
	assert_written(json_member(value, "a"), "[1,2]");
	assert_written(json_member(value, "b"), "[1,2]");
	json_document_free(&document);
}

static void
test_depth_is_bounded(void **state)
{
	char text[2 * 129];
	struct json_document document = {0};
	struct json_problem problem;

	(void)state;
	for (size_t depth = 128; depth <= 129; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		const struct json *value = json_read(&document, text, 2 * depth, MOST, &problem);
		assert_int_equal(value != NULL, depth == 128);
		assert_int_equal(document.count, depth == 128 ? 128 : 0);
	}
	assert_contains(problem.what, "128");
	assert_int_equal(problem.offset, 128);
	json_document_free(&document);
}

static void
test_values_are_bounded(void **state)
{
	static const char text[] = "[1,{\"a\":2},\"x\"]"; /* five values */
	struct json_document document = {0};
	struct json_problem problem;

	(void)state;
	for (size_t most = 0; most < 5; most++)
		assert_null(json_read(&document, text, sizeof(text) - 1, most, &problem));
	assert_contains(problem.what, "too many values");
	assert_int_equal(problem.offset, 11);
	assert_non_null(json_read(&document, text, sizeof(text) - 1, 5, &problem));
	assert_int_equal(document.count, 5);
	json_document_free(&document);
	assert_int_equal(document.capacity, 0);
}

static void
test_a_large_index_is_given_back(void **state)
{
	struct json_document document = {0};
	struct buffer text = BUFFER_INIT(0);

	(void)state;
	read_text(&document, "[1,2,3]");
	size_t capacity = document.capacity;
	json_document_trim(&document);
	assert_int_equal(document.capacity, capacity);
	buffer_putc(&text, '[');
	for (int i = 0; i < 10000; i++)
		buffer_puts(&text, "[],");
	buffer_puts(&text, "0]");
	assert_int_equal(json_count(read_text(&document, text.data)), 10001);
	json_document_trim(&document);
	assert_int_equal(document.capacity, 0);
	buffer_free(&text);
}

/* ---- what is inside ---- */

static void
test_members_of_the_wrong_kind_are_absent(void **state)
{
	static const char text[] =
		"{\"s\":\"x\",\"i\":5,\"d\":7.9,\"b\":true,\"o\":{},\"a\":[],\"n\":null}";
	struct json_document document = {0};
	const struct json *value = read_text(&document, text);

	(void)state;
	assert_true(json_is_text(json_member_string(value, "s"), "x"));
	assert_null(json_member_string(value, "i"));
	assert_int_equal(json_member_int(value, "i", -1), 5);
	assert_int_equal(json_member_int(value, "d", -1), 7);
	assert_int_equal(json_member_int(value, "s", -1), -1);
	assert_int_equal(json_member_int(value, "x", -1), -1);
	assert_true(json_member_bool(value, "b", false));
	assert_true(json_member_bool(value, "s", true));
	assert_non_null(json_member_object(value, "o"));
	assert_null(json_member_object(value, "a"));
	assert_non_null(json_member_array(value, "a"));
	assert_null(json_member_array(value, "n"));
	assert_null(json_member(value, "n"));
	assert_null(json_member(NULL, "x"));
	assert_null(json_member(json_member(value, "s"), "x"));
	assert_null(json_member(json_member(value, "a"), "x"));
	json_document_free(&document);
}

static void
test_of_duplicates_the_last_counts(void **state)
{
	struct json_document document = {0};

	(void)state;
	const struct json *value = read_text(&document,
		"{\"a\":1,\"b\" : {\"a\":2},\"\\u0061\" :3,\"n\":1,\"n\":null,\"aa\":4,\"\":5}");
	assert_int_equal(json_member_int(value, "a", 0), 3);
	assert_int_equal(json_member_int(json_member(value, "b"), "a", 0), 2);
	assert_null(json_member(value, "n"));
	assert_int_equal(json_member_int(value, "", 0), 5);
	assert_int_equal(json_count(value), 7);
	json_document_free(&document);
}

static void
test_names(void **state)
{
	static const struct {
		const char *text, *name, *written;
	} rows[] = {
		{"{\"a\":1}", "a", "\"a\""},
		{"{\"a\" \n : 1}", "a", "\"a\""},
		{"{\"\":1}", "", "\"\""},
		{"{\"\\u0061\\n\":1}", "a\n", "\"\\u0061\\n\""},
		{"{\"\\ud83d\\ude00\":1}", "\xf0\x9f\x98\x80", "\"\\ud83d\\ude00\""},
		{"{\"a\\\"b\":1}", "a\"b", "\"a\\\"b\""},
	};
	struct json_document document = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		const struct json *member = json_first(read_text(&document, rows[i].text));
		assert_true(json_is_named(member, rows[i].name));
		assert_false(json_is_named(member, "b"));
		assert_false(json_is_named(member, "a\nb"));
		json_append_name(&out, member);
		assert_string_equal(buffer_text(&out), rows[i].name);
		buffer_clear(&out);
		json_write_name(&out, member);
		assert_string_equal(buffer_text(&out), rows[i].written);
		buffer_free(&out);
	}
	assert_false(json_is_named(NULL, "a"));
	assert_false(json_is_named(json_first(read_text(&document, "[\"a\"]")), "a"));
	/* A name goes on where another ends, and may contain NUL. */
	const struct json *value = read_text(&document, "{\"abc\":1,\"a\\u0000\":2}");
	assert_null(json_member(value, "ab"));
	assert_null(json_member(value, "a"));
	json_document_free(&document);
}

/* Several at once are what each is alone. */
static void
test_members_in_one_pass(void **state)
{
	static const struct json_name names[] = {
		JSON_NAME("a"), JSON_NAME("ab"), JSON_NAME("b"), JSON_NAME("null"), JSON_NAME("z")};
	static const char *const expected[] = {"2", "[1]", "3", NULL, NULL};
	struct json_document document = {0};
	const struct json *values[COUNT(names)];

	(void)state;
	json_members(read_text(&document, "{\"a\":1,\"ab\" : [1],\"x\":{\"z\":1},\"\\u0062\":3,"
					  "\"null\":1,\"a\":2,\"null\":null,\"\":4}"),
		names, COUNT(names), values);
	for (size_t i = 0; i < COUNT(names); i++) {
		if (expected[i] == NULL)
			assert_null(values[i]);
		else
			assert_written(values[i], expected[i]);
	}
	json_members(read_text(&document, "[]"), names, COUNT(names), values);
	json_members(NULL, names, COUNT(names), values);
	assert_null(values[0]);
	json_document_free(&document);
}

/* One by one, the characters are those of the whole. */
static void
test_content_character_by_character(void **state)
{
	static const char content[] =
		"a\\n\\\"\\\\\\/\\u0000\\u00e9\xc3\xa9\\ud83d\\ude00\\ud800\\ud83dz\\u20AC";
	const char *end = content + strlen(content);
	struct buffer whole = BUFFER_INIT(0);
	struct buffer pieces = BUFFER_INIT(0);
	char bytes[4];
	size_t length;

	(void)state;
	json_append_content(&whole, content, strlen(content));
	for (const char *at = content; at < end;) {
		at = json_content_next(at, end, bytes, &length);
		buffer_append(&pieces, bytes, length);
		assert_true(at <= end);
	}
	assert_int_equal(pieces.length, whole.length);
	assert_memory_equal(pieces.data, whole.data, whole.length);
	buffer_free(&whole);
	buffer_free(&pieces);
}

static void
test_what_is_inside_is_visited_in_order(void **state)
{
	struct json_document document = {0};
	struct json_list list = {0};
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	const struct json *value = read_text(
		&document, "[[1,[2,[]]],{\"a\":{\"b\":[3]}},\"x\",[],null]");
	JSON_EACH (element, value) {
		json_write(&out, element);
		buffer_putc(&out, ';');
		assert_int_equal(json_list_add(&list, element), 0);
	}
	assert_string_equal(buffer_text(&out), "[1,[2,[]]];{\"a\":{\"b\":[3]}};\"x\";[];null;");
	assert_int_equal(json_count(value), 5);
	assert_int_equal(json_list_add_all(&list, value), 0);
	assert_int_equal(json_list_add_all(&list, json_first(value)), 0);
	assert_int_equal(json_list_add_all(&list, NULL), 0);
	assert_int_equal(list.count, 12);
	assert_ptr_equal(list.values[4], list.values[9]);
	assert_written(list.values[11], "[2,[]]");
	assert_null(json_next(value));
	assert_null(json_first(list.values[2]));
	assert_null(json_first(list.values[3]));
	assert_null(json_first(NULL));
	assert_int_equal(json_count(NULL), 0);
	json_list_free(&list);
	assert_int_equal(list.count, 0);
	buffer_free(&out);
	json_document_free(&document);
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t number;
		bool integer;
	} rows[] = {{"0", 0, true}, {"-0", 0, true}, {"7", 7, true}, {"-7.9", -7, false},
		{"7.9", 7, false}, {"1e3", 1000, false}, {"1.5E+1", 15, false}, {"1e-3", 0, false},
		{"9223372036854775807", INT64_MAX, true}, {"9223372036854775808", INT64_MAX, true},
		{"-9223372036854775808", INT64_MIN, true},
		{"-9223372036854775809", INT64_MIN, true},
		{"18446744073709551615", INT64_MAX, true}, {"1e30", INT64_MAX, false},
		{"-1e30", INT64_MIN, false}, {"1e999", INT64_MAX, false},
		{"-1e999", INT64_MIN, false}, {"\"7\"", -1, false}, {"null", -1, false}};
	struct json_document document = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct json *value = read_text(&document, rows[i].text);
		if (json_int(value, -1) != rows[i].number)
			fail_msg("%lld: %s", (long long)json_int(value, -1), rows[i].text);
		assert_true(json_is_integer(value) == rows[i].integer);
	}
	assert_true(json_double(read_text(&document, "-1.25e2"), 0) == -125);
	assert_true(json_double(read_text(&document, "[]"), 0.5) == 0.5);
	assert_int_equal(json_int(NULL, 5), 5);
	json_document_free(&document);
}

/* ---- strings ---- */

static void
test_strings_are_decoded(void **state)
{
	static const struct {
		const char *text, *decoded;
	} rows[] = {
		{"\"\"", ""},
		{"\"plain \xc3\xa9\"", "plain \xc3\xa9"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
		{"\"x\\ud83D\\uDE00y\"", "x\xf0\x9f\x98\x80y"},
		{"\"\\ud800\"", "\xed\xa0\x80"},
		{"\"\\udfff\\ud800\\u0041\"", "\xed\xbf\xbf\xed\xa0\x80"
					      "A"},
		{"\"\\ud800\\ud800\\udc00\"", "\xed\xa0\x80\xf0\x90\x80\x80"},
		{"\"\\\\ud800\"", "\\ud800"},
	};
	struct json_document document = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct json *value = read_text(&document, rows[i].text);
		char *copy = json_copy(value);
		assert_string_equal(copy, rows[i].decoded);
		assert_true(json_is_text(value, rows[i].decoded));
		assert_true(json_starts_with(value, rows[i].decoded));
		assert_true(json_ends_with(value, rows[i].decoded));
		assert_true(json_starts_with(value, ""));
		assert_false(json_is_text(value, "other"));
		assert_false(json_starts_with(value, "x\xf0\x9f\x98\x80yz"));
		assert_false(json_ends_with(value, "zx\xf0\x9f\x98\x80y"));
		free(copy);
	}
	json_document_free(&document);
}

static void
test_what_is_no_string_has_no_text(void **state)
{
	struct json_document document = {0};
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	const struct json *values[] = {NULL, read_text(&document, "[1]")};
	for (size_t i = 0; i < COUNT(values); i++) {
		assert_null(json_copy(values[i]));
		assert_int_equal(json_append(&out, values[i]), 0);
		assert_int_equal(json_content_length(values[i]), 0);
		assert_false(json_is_text(values[i], ""));
		assert_false(json_starts_with(values[i], ""));
		assert_false(json_ends_with(values[i], ""));
		assert_false(json_has_unusual(values[i]));
	}
	assert_int_equal(out.length, 0);
	json_document_free(&document);
}

static void
test_nul_is_a_character(void **state)
{
	struct json_document document = {0};
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	const struct json *value = read_text(&document, "\"a\\u0000b\"");
	assert_int_equal(json_append(&out, value), 0);
	assert_int_equal(out.length, 3);
	assert_memory_equal(out.data, "a\0b", 3);
	assert_false(json_is_text(value, "a"));
	assert_true(json_starts_with(value, "a"));
	buffer_free(&out);
	json_document_free(&document);
}

static void
test_unusual_characters(void **state)
{
	static const struct {
		const char *text;
		bool unusual;
	} rows[] = {{"\"\"", false}, {"\"a\xf0\x9f\x98\x80\"", false}, {"\"\\n\\u0041\"", false},
		{"\"\\ud83d\\ude00\"", false}, {"\"\\\\u0000\"", false}, {"\"\\u0000\"", true},
		{"\"a\\u0000\"", true}, {"\"\\ud83d\"", true}, {"\"\\ude00\"", true},
		{"\"\\ud83dx\\ude00\"", true}, {"\"\\ud83d\\ud83d\\ude00\"", true},
		{"\"\\ud83d\\n\"", true}, {"\"\\ud83d\\u0041\"", true}};
	struct json_document document = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (json_has_unusual(read_text(&document, rows[i].text)) != rows[i].unusual)
			fail_msg("%s", rows[i].text);
	json_document_free(&document);
}

static void
test_escaped_characters_of_every_plane(void **state)
{
	struct json_document document = {0};

	(void)state;
	for (unsigned c = 0x10000; c < 0x110000; c += c % 0x400 == 0 ? 1 : 0x3ff) {
		char text[32];
		char expected[] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)),
			(char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)), '\0'};
		snprintf(text, sizeof(text), c & 1 ? "\"\\u%04X\\u%04X\"" : "\"\\u%04x\\u%04x\"",
			0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
		assert_true(json_is_text(read_text(&document, text), expected));
	}
	json_document_free(&document);
}

static void
test_what_messages_show(void **state)
{
	char text[256];
	struct json_document document = {0};

	(void)state;
	snprintf(text, sizeof(text), "%.*s", JSON_SHOWN(read_text(&document, "\"a\\n\"")));
	assert_string_equal(text, "a\\n");
	snprintf(text, sizeof(text), "%.*s", JSON_SHOWN(read_text(&document, "[1, 2]")));
	assert_string_equal(text, "[1, 2]");
	snprintf(text, sizeof(text), "<%.*s>", JSON_SHOWN((const struct json *)NULL));
	assert_string_equal(text, "<>");
	/* Cut before the character of which 100 bytes have only a part. */
	char sent[256] = "\"";
	memset(sent + 1, 'a', 99);
	strcpy(sent + 100, "\xe2\x82\xac and more\"");
	snprintf(text, sizeof(text), "%.*s", JSON_SHOWN(read_text(&document, sent)));
	assert_int_equal(strlen(text), 99);
	json_document_free(&document);
}

/* ---- writing ---- */

static void
test_strings_are_escaped(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *json;
	} rows[] = {
		{"", 0, "\"\""},
		{"a\"\\\n\r\t\b\0/\x1f\xc3\xa9\x7f", 13,
			"\"a\\\"\\\\\\n\\r\\t\\u0008\\u0000/\\u001f\xc3\xa9\x7f\""},
		{"\xed\xa0\x80 \xed\xbf\xbf", 7, "\"\\ud800 \\udfff\""},
		{"\xed\x9f\xbf\xee\x80\x80", 6, "\"\xed\x9f\xbf\xee\x80\x80\""},
		{"\xe2\x80\xa8</script>", 12, "\"\xe2\x80\xa8</script>\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		assert_int_equal(json_write_string(&out, rows[i].bytes, rows[i].length), 0);
		assert_string_equal(buffer_text(&out), rows[i].json);
		buffer_free(&out);
	}
}

/* Read [string], with letters before and after what is special in it, and write it again.  ${text}:
 * what that becomes when it is decoded; NULL: it is no JSON. */
static void
check_special(const char *json, const char *text, int before, int after)
{
	static const struct buffer empty;
	struct json_document index = {0};
	struct buffer in = empty;
	struct buffer decoded = empty;
	struct buffer expected = empty;
	struct buffer out = empty;

	buffer_printf(&in, "[\"%0*d%s%0*d\"]", before + 1, 0, json, after, 0);
	const struct json *list = json_read(&index, buffer_text(&in), in.length, 10, NULL);
	assert_true((list != NULL) == (text != NULL));
	if (text != NULL) {
		json_append(&decoded, json_first(list));
		buffer_printf(&expected, "%0*d%s%0*d", before + 1, 0, text, after, 0);
		assert_string_equal(buffer_text(&decoded), buffer_text(&expected));
		json_write_string(&out, decoded.data, decoded.length);
		assert_int_equal(out.length, in.length - 2);
		assert_memory_equal(out.data, in.data + 1, out.length);
	}
	json_document_free(&index);
	buffer_free(&in);
	buffer_free(&decoded);
	buffer_free(&expected);
	buffer_free(&out);
}

/* Strings are read and escaped several bytes at a time: what is special may stand anywhere. */
static void
test_special_characters_at_every_place(void **state)
{
	enum { LONGEST = 300 };
	static const struct {
		const char *json;
		const char *text; /* NULL: not JSON */
	} rows[] = {
		{"\\\"", "\""},
		{"\\\\", "\\"},
		{"\\\\\\n", "\\\n"},
		{"\\t", "\t"},
		{"\\u0008", "\b"},
		{"\\u0001", "\001"},
		{"\\ud800", "\xed\xa0\x80"},
		{"\xed\x9f\xbf", "\xed\x9f\xbf"},
		{"\xc3\xa4\xe6\xbc\xa2", "\xc3\xa4\xe6\xbc\xa2"},
		{"\x7f", "\x7f"},
		{"\xff", NULL},
		{"\x1f", NULL},
		{"\\x", NULL},
		{"\"", NULL},
		{"\\", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int before = 0; before < LONGEST; before++)
			check_special(rows[i].json, rows[i].text, before, LONGEST - before);
}

static void
test_a_writer_puts_the_commas(void **state)
{
	struct json_document document = {0};
	struct buffer out = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&out);
	const struct json *value = read_text(&document, "[\"a\\u0041\", 1 ]");

	(void)state;
	json_open_object(&w);
	json_put_text_member(&w, "text", "\"");
	json_put_int_member(&w, "min", INT64_MIN);
	json_put_uint_member(&w, "max", UINT64_MAX);
	json_put_bool_member(&w, "yes", true);
	json_put_value_member(&w, "value", value);
	json_put_value_member(&w, "absent", NULL);
	json_open_object_member(&w, "empty");
	json_close_object(&w);
	json_open_array_member(&w, "list");
	json_open_array(&w);
	json_close_array(&w);
	json_put_text(&w, NULL);
	json_put_null(&w);
	json_put_string(&w, "\n", 1);
	json_put_raw(&w, "{}", 2);
	json_open_string(&w);
	json_string_text(&w, "a\"");
	json_string_value(&w, json_first(value));
	json_string_bytes(&w, "\t", 1);
	json_string_content(&w, "\\/", 2);
	json_close_string(&w);
	json_put_int(&w, -1);
	json_close_array(&w);
	json_put_any_name(&w, "a\nb", 3);
	json_put_bool(&w, false);
	json_close_object(&w);
	assert_string_equal(buffer_text(&out),
		"{\"text\":\"\\\"\",\"min\":-9223372036854775808,\"max\":18446744073709551615,"
		"\"yes\":true,\"value\":[\"a\\u0041\",1],\"absent\":null,\"empty\":{},"
		"\"list\":[[],null,null,\"\\n\",{},\"a\\\"a\\u0041\\t\\/\",-1],"
		"\"a\\nb\":false}");
	read_text(&document, buffer_text(&out));
	buffer_free(&out);
	json_document_free(&document);
}

static void
test_a_full_buffer_is_noticed(void **state)
{
	struct buffer out = BUFFER_INIT(8);
	struct json_writer w = JSON_WRITER(&out);

	(void)state;
	json_open_array(&w);
	json_put_text(&w, "12345678");
	json_close_array(&w);
	assert_true(out.failed);
	buffer_free(&out);
}

/* ---- random texts ---- */

static unsigned random_state;

static unsigned
random_number(unsigned bound)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % bound;
}

/* A text as a client may send it, and the same as it must leave. */
struct sample {
	struct buffer in, out;
};

static void
add(struct sample *s, const char *text)
{
	buffer_puts(&s->in, text);
	buffer_puts(&s->out, text);
}

static void
add_blanks(struct sample *s)
{
	static const char *const blanks[] = {"", "", "", "", " ", "\n\t", "\r\n  "};

	buffer_puts(&s->in, blanks[random_number(COUNT(blanks))]);
}

static void
add_string(struct sample *s)
{
	static const char *const pieces[] = {"a", "plain and long enough", "\xc3\xa9",
		"\xe4\xb8\x96", "\xf0\x9f\x98\x80", "\\n", "\\\"", "\\\\", "\\/", "\\u0000",
		"\\u00e9", "\\ud800", "\\ud83d\\ude00", "\\udc00", " ", "{", "]", ","};

	add(s, "\"");
	for (unsigned i = random_number(8); i > 0; i--)
		add(s, pieces[random_number(COUNT(pieces))]);
	add(s, "\"");
}

static void
add_value(struct sample *s, int depth)
{
	static const char *const simple[] = {"null", "true", "false", "0", "-0", "1.50", "1e-7",
		"12345678901234567890123", "[]", "{}"};
	unsigned kind = random_number(depth > 0 ? 6 : 2);

	if (kind < 2) {
		kind == 0 ? add(s, simple[random_number(COUNT(simple))]) : add_string(s);
		return;
	}
	bool object = kind > 3;
	add(s, object ? "{" : "[");
	add_blanks(s);
	for (unsigned i = 0, count = random_number(5); i < count; i++) {
		if (i > 0) {
			add(s, ",");
			add_blanks(s);
		}
		if (object) {
			add_string(s);
			add_blanks(s);
			add(s, ":");
			add_blanks(s);
		}
		add_value(s, depth - 1);
		add_blanks(s);
	}
	add(s, object ? "}" : "]");
}

/* Write the value piece by piece, texts decoded and escaped again. */
static void
rewrite(struct json_writer *w, const struct json *value)
{
	struct buffer text = BUFFER_INIT(0);

	if (json_is_object(value) || json_is_array(value)) {
		bool object = json_is_object(value);
		object ? json_open_object(w) : json_open_array(w);
		JSON_EACH (inside, value) {
			buffer_clear(&text);
			if (object && json_append_name(&text, inside) == 0)
				json_put_any_name(w, buffer_text(&text), text.length);
			rewrite(w, inside);
		}
		object ? json_close_object(w) : json_close_array(w);
	} else if (json_is_string(value)) {
		json_append(&text, value);
		json_put_string(w, buffer_text(&text), text.length);
	} else {
		json_put_value(w, value);
	}
	buffer_free(&text);
}

static void
test_random_texts(void **state)
{
	struct json_document document = {0};
	struct json_document again = {0};

	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		struct sample s = {BUFFER_INIT(0), BUFFER_INIT(0)};
		struct buffer once = BUFFER_INIT(0);
		struct buffer twice = BUFFER_INIT(0);
		random_state = seed;
		add_blanks(&s);
		add_value(&s, 6);
		add_blanks(&s);
		const struct json *value = read_text(&document, buffer_text(&s.in));
		assert_written(value, buffer_text(&s.out));
		rewrite(&JSON_WRITER(&once), value);
		value = read_text(&again, buffer_text(&once));
		assert_int_equal(again.count, document.count);
		rewrite(&JSON_WRITER(&twice), value);
		assert_string_equal(buffer_text(&twice), buffer_text(&once));
		buffer_free(&s.in);
		buffer_free(&s.out);
		buffer_free(&once);
		buffer_free(&twice);
	}
	json_document_free(&document);
	json_document_free(&again);
}

/* What is taken although a byte of it was changed leaves as a text that is taken, too. */
static void
test_random_damage(void **state)
{
	struct json_document document = {0};
	struct json_document again = {0};

	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		struct sample s = {BUFFER_INIT(0), BUFFER_INIT(0)};
		struct json_problem problem = {0};
		random_state = seed;
		add_value(&s, 6);
		s.in.data[random_number((unsigned)s.in.length)] = (char)random_number(256);
		const struct json *value = json_read(
			&document, s.in.data, s.in.length, MOST, &problem);
		assert_true(value != NULL || problem.offset <= s.in.length);
		buffer_clear(&s.out);
		if (value != NULL && json_write(&s.out, value) == 0)
			assert_int_equal(json_count(read_text(&again, buffer_text(&s.out))),
				json_count(value));
		buffer_free(&s.in);
		buffer_free(&s.out);
	}
	json_document_free(&document);
	json_document_free(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_not_json_is_refused),
		cmocka_unit_test(test_a_nul_is_no_end),
		cmocka_unit_test(test_texts_that_end_too_early),
		cmocka_unit_test(test_texts_leave_as_they_came),
		cmocka_unit_test(test_a_number_of_many_digits),
		cmocka_unit_test(test_white_space_between_parts_is_dropped),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_values_are_bounded),
		cmocka_unit_test(test_a_large_index_is_given_back),
		cmocka_unit_test(test_members_of_the_wrong_kind_are_absent),
		cmocka_unit_test(test_of_duplicates_the_last_counts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_members_in_one_pass),
		cmocka_unit_test(test_content_character_by_character),
		cmocka_unit_test(test_what_is_inside_is_visited_in_order),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_strings_are_decoded),
		cmocka_unit_test(test_what_is_no_string_has_no_text),
		cmocka_unit_test(test_nul_is_a_character),
		cmocka_unit_test(test_unusual_characters),
		cmocka_unit_test(test_escaped_characters_of_every_plane),
		cmocka_unit_test(test_what_messages_show),
		cmocka_unit_test(test_strings_are_escaped),
		cmocka_unit_test(test_special_characters_at_every_place),
		cmocka_unit_test(test_a_writer_puts_the_commas),
		cmocka_unit_test(test_a_full_buffer_is_noticed),
		cmocka_unit_test(test_random_texts),
		cmocka_unit_test(test_random_damage),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

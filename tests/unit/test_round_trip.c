/* What the client carries to the next turn, there and back (PROTOCOL.md §C.4), and names and ids
 * that a service refuses. */
#include "unit.h"

#include "base/text/base64.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/round_trip.h"
#include "translate/tool_names.h"

/* A JSON string of the text, as a client sends it back. */
static const struct json *
as_string(struct json_document *index, struct buffer *json, const char *text)
{
	buffer_clear(json);
	json_write_text(json, text);
	const struct json *string = json_read(
		index, json->data, json->length, JSON_MAX_REQUEST_VALUES, NULL);
	assert_non_null(string);
	return string;
}

static void
test_base64_there_and_back(void **state)
{
	static const struct {
		const char *bytes, *digits;
	} rows[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
		{"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "_---"},
		{"\xfb\xff\xbf", "-_-_"}};
	char back[16];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		size_t length = strlen(rows[i].bytes);
		assert_int_equal(base64url_write(&out, rows[i].bytes, length), 0);
		assert_string_equal(buffer_text(&out), rows[i].digits);
		assert_int_equal(BASE64_DECODED(out.length), length);
		assert_int_equal(base64_read(buffer_text(&out), out.length, back), 0);
		assert_memory_equal(back, rows[i].bytes, length);
		buffer_free(&out);
	}
	assert_int_equal(base64_read("/+++", 4, back), 0);
	assert_memory_equal(back, "\xff\xef\xbe", 3);
	assert_int_equal(base64_read("Zg==", 4, back), -1);
	assert_int_equal(base64_read("Z g", 3, back), -1);
}

static void
test_signatures(void **state)
{
	static const char members[] =
		"{\"id\":\"rs_1\",\"n\":12345678901234567890,\"e\":\"\\ud800\"}";
	struct buffer out = BUFFER_INIT(0);
	struct buffer json = BUFFER_INIT(0);
	struct json_document index = {0};
	struct carried carried;

	(void)state;
	assert_int_equal(
		round_trip_write_signature(&out, "openai", members, sizeof(members) - 1), 0);
	const struct json *signature = as_string(&index, &json, buffer_text(&out));
	assert_true(round_trip_is_signature(signature));
	assert_false(round_trip_read_signature(signature, "gemini", &carried));
	assert_null(carried.object);
	assert_true(round_trip_read_signature(signature, "openai", &carried));
	assert_true(json_is_text(json_member(carried.object, "id"), "rs_1"));
	buffer_clear(&out);
	json_write(&out, carried.object);
	assert_string_equal(buffer_text(&out),
		"{\"k\":\"openai\",\"id\":\"rs_1\",\"n\":12345678901234567890,\"e\":\"\\ud800\"}");
	carried_free(&carried);
	json_document_free(&index);
	buffer_free(&out);
	buffer_free(&json);
}

static void
test_signatures_without_members(void **state)
{
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	round_trip_write_signature(&out, "k", NULL, 0);
	buffer_puts(&out, " ");
	round_trip_write_signature(&out, "k", "{}", 2);
	assert_string_equal(buffer_text(&out), "cp1.eyJrIjoiayJ9 cp1.eyJrIjoiayJ9");
	buffer_free(&out);
}

static void
test_damaged_signatures(void **state)
{
	/* Of another service; cut; no base64; no JSON; no object; of no kind. */
	static const char *const rows[] = {"", "cp1", "cp2.eyJrIjoiayJ9", "cp1.", "cp1.eyJrIjoiay",
		"cp1.eyJrIjoiayJ9=", "cp1.e\"", "cp1.WyJrIl0", "cp1.e30", "cp1.eyJrIjoxfQ"};
	struct buffer json = BUFFER_INIT(0);
	struct json_document index = {0};
	struct carried carried;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct json *signature = as_string(&index, &json, rows[i]);
		if (round_trip_read_signature(signature, "k", &carried))
			fail_msg("taken: %s", rows[i]);
		assert_null(carried.object);
	}
	assert_false(round_trip_read_signature(NULL, "k", &carried));
	assert_false(round_trip_is_signature(NULL));
	json_document_free(&index);
	buffer_free(&json);
}

static void
test_call_ids(void **state)
{
	static const struct {
		const char *id, *extra;
	} rows[] = {{"call_1", "{\"s\":\"x\\u0000y\"}"}, {NULL, "[1,-0]"}, {"odd \"id\"\n", NULL}};
	struct carried carried;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		struct buffer extra = BUFFER_INIT(0);
		const char *text = rows[i].extra;
		assert_int_equal(round_trip_write_call_id(&out, "gemini", rows[i].id, text,
					 text != NULL ? strlen(text) : 0),
			0);
		assert_true(round_trip_is_id(out.data, out.length));
		assert_false(round_trip_read_call_id(out.data, "openai", 100, &carried));
		assert_false(round_trip_read_call_id(out.data, "gemini", 1, &carried));
		assert_true(round_trip_read_call_id(out.data, "gemini", 100, &carried));
		char *id = json_copy(json_member(carried.object, "id"));
		if (rows[i].id != NULL)
			assert_string_equal(id, rows[i].id);
		else
			assert_null(id);
		json_write(&extra, json_member(carried.object, "x"));
		assert_string_equal(buffer_text(&extra), text != NULL ? text : "null");
		free(id);
		carried_free(&carried);
		buffer_free(&out);
		buffer_free(&extra);
	}
	assert_false(round_trip_read_call_id("toolu_1", "gemini", 100, &carried));
}

static void
check_name(struct tool_names *names, const char *json, const char *sent, const char *client)
{
	struct json_document index = {0};
	struct buffer out = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&out);

	tool_names_put(names, &w, json_read(&index, json, strlen(json), 10, NULL));
	char *name = strndup(out.data + 1, out.length - 2);
	if (sent != NULL)
		assert_string_equal(name, sent);
	assert_true(strlen(name) <= 64);
	assert_string_equal(tool_names_to_client(names, name), client);
	free(name);
	buffer_free(&out);
	json_document_free(&index);
}

static void
test_names(void **state)
{
#define LONG "a123456789b123456789c123456789d123456789e123456789f12345678901234"
	struct tool_names *openai = tool_names_new(TOOL_NAMES_OPENAI);
	struct tool_names *gemini = tool_names_new(TOOL_NAMES_GEMINI);

	(void)state;
	check_name(openai, "\"get_weather-2\"", "get_weather-2", "get_weather-2");
	check_name(openai, "\"get\\u005fit\"", "get_it", "get_it");
	check_name(gemini, "\"a.b\"", "a.b", "a.b");
	for (int i = 0; i < 2; i++) {
		check_name(openai, "\"a.b\"", NULL, "a.b");
		check_name(openai, "\"h\xc3\xa9\\\"\"", NULL, "h\xc3\xa9\"");
		check_name(gemini, "\"1a\"", NULL, "1a");
		check_name(openai, "\"" LONG "\"", NULL, LONG);
		check_name(openai, "\"" LONG "x\"", NULL, LONG "x");
	}
	assert_string_equal(tool_names_to_client(openai, "unknown"), "unknown");
	assert_string_equal(tool_names_to_client(NULL, "unknown"), "unknown");
	tool_names_free(openai);
	tool_names_free(gemini);
	tool_names_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64_there_and_back),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_signatures_without_members),
		cmocka_unit_test(test_damaged_signatures),
		cmocka_unit_test(test_call_ids),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("round_trip", tests, NULL, NULL);
}

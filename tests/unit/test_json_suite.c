/* The JSON parsing test suite (json-test-suite/README.md): what RFC 8259 calls JSON, and only that.
 */
#include "unit.h"

#include <dirent.h>

#include "base/buffer.h"
#include "base/json/json.h"

#define FOLDER "tests/unit/json-test-suite/test_parsing"

/* The parser that is tested. */
static bool
accepts(const char *text, size_t length)
{
	struct json_document document = {0};
	struct json_problem problem;
	bool accepted = json_read(&document, text, length, JSON_MAX_REQUEST_VALUES, &problem) !=
			NULL;

	json_document_free(&document);
	return accepted;
}

/* What the standard leaves open.  A number may have any size, since it is handed on as it is
 * spelled; half a surrogate pair is taken as an escape; text is UTF-8 to the letter, without a mark
 * before it; depth is bounded. */
static const struct {
	const char *name;
	bool accepted;
} open_cases[] = {
	{"i_number_double_huge_neg_exp", true},
	{"i_number_huge_exp", true},
	{"i_number_neg_int_huge_exp", true},
	{"i_number_pos_double_huge_exp", true},
	{"i_number_real_neg_overflow", true},
	{"i_number_real_pos_overflow", true},
	{"i_number_real_underflow", true},
	{"i_number_too_big_neg_int", true},
	{"i_number_too_big_pos_int", true},
	{"i_number_very_big_negative_int", true},
	{"i_object_key_lone_2nd_surrogate", true},
	{"i_string_1st_surrogate_but_2nd_missing", true},
	{"i_string_1st_valid_surrogate_2nd_invalid", true},
	{"i_string_incomplete_surrogate_and_escape_valid", true},
	{"i_string_incomplete_surrogate_pair", true},
	{"i_string_incomplete_surrogates_escape_valid", true},
	{"i_string_invalid_lonely_surrogate", true},
	{"i_string_invalid_surrogate", true},
	{"i_string_inverted_surrogates_U+1D11E", true},
	{"i_string_lone_second_surrogate", true},
	{"i_string_UTF-16LE_with_BOM", false},
	{"i_string_UTF-8_invalid_sequence", false},
	{"i_string_UTF8_surrogate_U+D800", false},
	{"i_string_invalid_utf-8", false},
	{"i_string_iso_latin_1", false},
	{"i_string_lone_utf8_continuation_byte", false},
	{"i_string_not_in_unicode_range", false},
	{"i_string_overlong_sequence_2_bytes", false},
	{"i_string_overlong_sequence_6_bytes", false},
	{"i_string_overlong_sequence_6_bytes_null", false},
	{"i_string_truncated-utf-8", false},
	{"i_string_utf16BE_no_BOM", false},
	{"i_string_utf16LE_no_BOM", false},
	{"i_structure_500_nested_arrays", false},
	{"i_structure_UTF-8_BOM_empty_object", false},
};

static bool
accepts_file(const char *name)
{
	struct buffer text = BUFFER_INIT(0);
	char path[512];
	char bytes[4096];
	size_t count;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s cannot be read", path);
	while ((count = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buffer_append(&text, bytes, count);
	fclose(file);
	bool accepted = accepts(buffer_text(&text), text.length);
	buffer_free(&text);
	return accepted;
}

static bool
is_to_be_accepted(const char *file)
{
	size_t length = strcspn(file, ".");

	if (file[0] != 'i')
		return file[0] == 'y';
	for (size_t i = 0; i < COUNT(open_cases); i++)
		if (strlen(open_cases[i].name) == length &&
			memcmp(file, open_cases[i].name, length) == 0)
			return open_cases[i].accepted;
	fail_msg("%s is not in the table of open cases", file);
	return false;
}

/* Try each of the ${files} whose names begin with ${prefix}. */
static void
check_files(const char *prefix, size_t files)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	size_t wrong = 0;

	if (folder == NULL)
		fail_msg("run from the top of the sources: there is no " FOLDER);
	while ((entry = readdir(folder)) != NULL) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		files--;
		if (accepts_file(entry->d_name) == is_to_be_accepted(entry->d_name))
			continue;
		print_error("wrong about %s\n", entry->d_name);
		wrong++;
	}
	closedir(folder);
	assert_int_equal(files, 0);
	assert_int_equal(wrong, 0);
}

static void
test_what_is_json_is_accepted(void **state)
{
	(void)state;
	check_files("y_", 95);
}

static void
test_what_is_not_json_is_refused(void **state)
{
	(void)state;
	check_files("n_", 188);
}

static void
test_what_the_standard_leaves_open(void **state)
{
	(void)state;
	check_files("i_", COUNT(open_cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_json_is_accepted),
		cmocka_unit_test(test_what_is_not_json_is_refused),
		cmocka_unit_test(test_what_the_standard_leaves_open),
	};

	return cmocka_run_group_tests_name("json suite", tests, NULL, NULL);
}

/* Buffers, secrets, random ids, hashes, errors. */
#include "unit.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/secret.h"

static void
test_a_buffer_keeps_its_limit(void **state)
{
	struct buffer b = BUFFER_INIT(10);

	(void)state;
	assert_string_equal(buffer_text(&b), "");
	assert_int_equal(buffer_puts(&b, "12345"), 0);
	assert_int_equal(buffer_puts(&b, "67890"), 0);
	assert_int_equal(buffer_putc(&b, 'x'), -1);
	assert_true(b.failed);
	assert_string_equal(buffer_text(&b), "1234567890");
	assert_int_equal(buffer_append(&b, "", 0), -1);
	buffer_clear(&b);
	assert_int_equal(buffer_printf(&b, "%d-%s", 42, "x"), 0);
	assert_int_equal(buffer_put_uint(&b, 0), 0);
	assert_string_equal(buffer_text(&b), "42-x0");
	/* What does not fit leaves nothing behind, though a part of it did. */
	assert_int_equal(buffer_printf(&b, "%s", "a long text"), -1);
	assert_string_equal(buffer_text(&b), "42-x0");
	buffer_cut(&b, 5);
	b.failed = false;
	buffer_consume(&b, 3);
	assert_string_equal(buffer_text(&b), "x0");
	buffer_consume(&b, 99);
	assert_int_equal(b.length, 0);
	buffer_free(&b);
}

static void
test_a_buffer_gives_its_content_away(void **state)
{
	struct buffer b = BUFFER_INIT(0);

	(void)state;
	char *empty = buffer_take(&b);
	assert_string_equal(empty, "");
	free(empty);
	buffer_put_uint(&b, UINT64_MAX);
	memset(buffer_reserve(&b, 1000), 'y', 1000);
	assert_int_equal(b.length, 1020);
	char *text = buffer_take(&b);
	assert_int_equal(strlen(text), 1020);
	assert_int_equal(b.length, 0);
	free(text);
}

static void
test_masks(void **state)
{
	static const char *const rows[][2] = {
		{"sk-1234567890abcdef", "sk-1…cdef"},
		{"0123456789abcdef", "0123…cdef"},
		{"0123456789", "01…89"},
		{"short", "…"},
		{"", "…"},
		{"schl\xc3\xbcssel-und-mehr", "…"},
	};
	char mask[SECRET_MASK_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		secret_mask(rows[i][0], mask);
		assert_string_equal(mask, rows[i][1]);
	}
}

static void
test_secrets_are_redacted_wherever_they_stand(void **state)
{
	static const char *const rows[][2] = {
		{"key my-secret-key-00, again my-secret-key-00", "key my-s…y-00, again my-s…y-00"},
		{"unknown sk-abcdefghijklmnop1234.", "unknown sk-a…1234."},
		{"AIzaSyA1234567890abcdefg", "AIza…defg"},
		{"risk-free-and-long-enough-word", "risk-free-and-long-enough-word"},
		{"sk-short", "sk-short"},
		{"a header-of-mine, tiny", "a he…ne, tiny"},
		{"nothing", "nothing"},
		{"", ""},
	};

	static const char *const others[] = {"tiny", "header-of-mine", NULL};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(0);
		secret_redact(&out, rows[i][0], strlen(rows[i][0]), "my-secret-key-00", others);
		assert_string_equal(buffer_text(&out), rows[i][1]);
		buffer_free(&out);
	}
}

static void
test_a_cut_never_shows_a_part_of_a_secret(void **state)
{
	static const char text[] = "the key is sk-abcdefghijklmnop and more";

	(void)state;
	assert_int_equal(secret_safe_cut(text, 10, 20), 10);
	assert_int_equal(secret_safe_cut(text, strlen(text), 20), 11);
	assert_int_equal(secret_safe_cut(text, strlen(text), 11), 11);
}

static void
test_secrets_are_compared_whole(void **state)
{
	(void)state;
	assert_true(secret_equal("abc", "abc"));
	assert_false(secret_equal("abcabc", "abc"));
	assert_false(secret_equal("ab", "abc"));
	assert_false(secret_equal("", "abc"));
	assert_true(secret_equal("", ""));
	assert_false(secret_equal("x", ""));
}

static void
test_no_core_dump_is_written(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct rlimit limit;
		secret_forbid_dumps();
		bool forbidden = getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 &&
				 limit.rlim_max == 0;
#ifdef __linux__
		forbidden = forbidden && prctl(PR_GET_DUMPABLE) == 0;
#endif
		_exit(forbidden ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
test_random_ids_are_base62_and_differ(void **state)
{
	char one[64];
	char other[64];

	(void)state;
	random_id(one, sizeof(one), "msg_");
	random_id(other, sizeof(other), "msg_");
	assert_int_equal(strlen(one), 4 + RANDOM_ID_LENGTH);
	assert_int_equal(
		strspn(one + 4, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
		RANDOM_ID_LENGTH);
	assert_string_not_equal(one, other);
}

static void
test_random_numbers_stay_below_their_bound(void **state)
{
	bool seen[3] = {false};

	(void)state;
	assert_int_equal(random_below(0), 0);
	assert_int_equal(random_below(1), 0);
	for (int i = 0; i < 1000; i++) {
		uint32_t n = random_below(3);
		assert_true(n < 3);
		seen[n] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
}

static void
test_hashes_are_the_same_every_time(void **state)
{
	char one[HASH_MOST_DIGITS + 1];
	char other[HASH_MOST_DIGITS + 1];

	(void)state;
	hash_hex("abc", 3, 24, one);
	hash_hex("abc", 3, 24, other);
	assert_int_equal(strlen(one), 24);
	assert_string_equal(one, other);
	hash_hex("abd", 3, 24, other);
	assert_string_not_equal(one, other);
	hash_hex("abc", 3, 100, one);
	assert_int_equal(strlen(one), HASH_MOST_DIGITS);
}

static void
test_errors_have_the_type_of_their_status(void **state)
{
	static const struct {
		int status;
		const char *type;
	} rows[] = {{400, "invalid_request_error"}, {401, "authentication_error"},
		{402, "billing_error"}, {403, "permission_error"}, {404, "not_found_error"},
		{405, "invalid_request_error"}, {413, "request_too_large"},
		{429, "rate_limit_error"}, {500, "api_error"}, {502, "api_error"},
		{504, "timeout_error"}, {529, "overloaded_error"}};
	struct api_error error = API_ERROR_NONE;
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(api_error_type(rows[i].status), rows[i].type);
	assert_int_equal(api_error_set(&error, 400, "first"), -1);
	api_error_set(&error, 504, "%s \"%d\"", "later", 2);
	api_error_write(&error, NULL, &out);
	assert_string_equal(buffer_text(&out), "{\"type\":\"error\",\"error\":{\"type\":\"timeout_"
					       "error\",\"message\":\"later \\\"2\\\"\"}}");
	buffer_free(&out);
	api_error_clear(&error);
	assert_int_equal(error.status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_buffer_keeps_its_limit),
		cmocka_unit_test(test_a_buffer_gives_its_content_away),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_secrets_are_redacted_wherever_they_stand),
		cmocka_unit_test(test_a_cut_never_shows_a_part_of_a_secret),
		cmocka_unit_test(test_secrets_are_compared_whole),
		cmocka_unit_test(test_no_core_dump_is_written),
		cmocka_unit_test(test_random_ids_are_base62_and_differ),
		cmocka_unit_test(test_random_numbers_stay_below_their_bound),
		cmocka_unit_test(test_hashes_are_the_same_every_time),
		cmocka_unit_test(test_errors_have_the_type_of_their_status),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

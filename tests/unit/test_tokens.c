/* The estimate of tokens: known counts of o200k_base, and what is no text (PROTOCOL.md §F). */
#include "unit.h"

#include "base/api_error.h"
#include "base/json/json.h"
#include "translate/claude/request.h"
#include "translate/tokens.h"

static void
test_texts(void **state)
{
	static const struct {
		const char *text;
		uint64_t least, most;
	} rows[] = {
		{"", 0, 0},
		{"a", 1, 1},
		{"Hello, world!", 4, 4},
		{"The quick brown fox jumps over the lazy dog.", 9, 11},
		{"int main(void) { return 0; }\n", 9, 11},
		{"\t\t\tif (x == NULL)\n\t\t\t\treturn -1;\n", 12, 16},
		{"{\"name\":\"value\",\"list\":[1,2,345678]}", 12, 17},
		{"----------------------------------------", 1, 4},
		{"1234567890", 4, 4},
		{"\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95\x8c", 3, 5},
		{"\xff\xfe\xc3", 1, 6},
		{"\n\n\n   \n", 1, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t tokens = tokens_estimate_text(rows[i].text, strlen(rows[i].text));
		if (tokens < rows[i].least || tokens > rows[i].most)
			fail_msg("%llu tokens: %s", (unsigned long long)tokens, rows[i].text);
	}
}

static uint64_t
tokens_of(const char *content)
{
	char text[1024];
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;

	snprintf(text, sizeof(text),
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":%s}]}", content);
	assert_int_equal(claude_request_parse(text, strlen(text), &request, &error), 0);
	assert_int_equal(claude_request_check(&request, CLAUDE_TO_COUNT, &error), 0);
	uint64_t tokens = tokens_estimate_input(&request);
	assert_true(tokens_guess_input(&request) > 0);
	claude_request_free(&request);
	return tokens;
}

#define IMAGE(data)                                                                                \
	"[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","       \
	"\"data\":\"" data "\"}}]"
/* The heads of PNG files of 1 x 1, 800 x 600 and 65535 x 65535 points. */
#define HEAD "iVBORw0KGgoAAAANSUhEUgAA"

static void
test_images_count_by_their_size(void **state)
{
	(void)state;
	uint64_t least = tokens_of(IMAGE(HEAD "AAEAAAABCAYAAAAfFcSJ"));
	uint64_t middle = tokens_of(IMAGE(HEAD "AyAAAAJYCAYAAAAfFcSJ"));
	uint64_t most = tokens_of(IMAGE(HEAD "//8AAP//CAYAAAAfFcSJ"));
	assert_in_range(least, 85, 120);
	assert_in_range(middle, 640, 680);
	assert_in_range(most, 1600, 1640);
	assert_in_range(tokens_of(IMAGE("AAAA")), 85, 120);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_images_count_by_their_size),
	};

	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}

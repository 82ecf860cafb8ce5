/* Refusals and failures of upstreams in Claude's terms, beyond tests/cases (PROTOCOL.md §E). */
#include "unit.h"

#include "base/api_error.h"
#include "base/json/json.h"
#include "translate/answer/upstream_error.h"

static const struct error_context error_context = {
	.name = "up", .key = "sk-secret-0123456789", .model = "m", .max_tokens = 32000};

#define MESSAGE(text) "{\"error\":{\"message\":\"" text "\"}}"
#define SUM(numbers)                                                                               \
	"input length and `max_tokens` exceed context limit: " numbers                             \
	", decrease input length or `max_tokens` and try again"
#define TOO_LONG(numbers) "prompt is too long: " numbers " maximum"

static void
test_statuses(void **state)
{
	static const struct {
		int upstream, client, pause;
	} rows[] = {
		{400, 400, 0},
		{401, 401, 600},
		{402, 402, 600},
		{403, 403, 600},
		{404, 404, 0},
		{405, 400, 0},
		{408, 504, 10},
		{409, 400, 0},
		{413, 413, 0},
		{422, 400, 0},
		{429, 429, 60},
		{500, 500, 10},
		{501, 502, 10},
		{502, 502, 10},
		{503, 529, 10},
		{504, 504, 10},
		{522, 502, 10},
		{529, 529, 10},
		{202, 502, 10},
		{301, 502, 10},
		{999, 502, 10},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct api_error error = API_ERROR_NONE;
		assert_false(upstream_error_from_status(rows[i].upstream, 0, MESSAGE("m"),
			sizeof(MESSAGE("m")) - 1, &error_context, &error));
		assert_int_equal(error.status, rows[i].client);
		assert_int_equal(upstream_error_pause(error.status), rows[i].pause);
		api_error_clear(&error);
	}
}

/* Where a service's own words do as well, they may be passed on. */
static void
test_who_words_it_as_claude_does(void **state)
{
	static const struct {
		const char *body;
		bool rephrased;
	} rows[] = {
		{MESSAGE(TOO_LONG("208310 tokens > 200000")), false},
		{MESSAGE(SUM("188240 + 21333 > 200000")), false},
		{MESSAGE("prompt is too long"), false},
		{MESSAGE("Prompt exceeds max length"), true},
		{MESSAGE("no"), false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct api_error error = API_ERROR_NONE;
		assert_int_equal(upstream_error_from_status(400, 0, rows[i].body,
					 strlen(rows[i].body), &error_context, &error),
			rows[i].rephrased);
		api_error_clear(&error);
	}
}

/* Errors that come with status 200, in whichever shape. */
static void
test_error_objects(void **state)
{
	static const struct {
		const char *body;
		int status; /* 0: it is no error */
		const char *words;
	} rows[] = {
		{"{\"error\":{\"message\":\"m\",\"code\":502}}", 502, "m"},
		{"{\"error\":{\"message\":\"m\",\"code\":429}}", 429, "m"},
		{"{\"error\":{\"message\":\"m\",\"type\":\"overloaded_error\"}}", 529, "m"},
		{"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"}}",
			429, "m"},
		{"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}", 502,
			"m"},
		{"{\"type\":\"error\",\"message\":\"m\"}", 502, "m"},
		{"{\"object\":\"error\",\"message\":\"m\",\"code\":400}", 400, "m"},
		{"{\"error\":\"m\"}", 502, "m"},
		{"{\"error\":{\"code\":\"insufficient_quota\",\"msg\":\"m\"}}", 402, "m"},
		{"{\"error\":{\"code\":3}}", 502, "{\"code\":3}"},
		{"{\"errors\":[{\"message\":\"m\"}]}", 502, "m"},
		{"{\"base_resp\":{\"status_code\":1008,\"status_msg\":\"no balance\"}}", 402,
			"no balance"},
		{"{\"error\":{\"message\":\"key sk-secret-0123456789\"}}", 502, "sk-s…6789"},
		{"{\"error\":{\"message\":\"maximum prompt length is 1 but the request contains 2 "
		 "tokens\"}}",
			400, TOO_LONG("2 tokens > 1")},
		{"{\"error\":null,\"choices\":[]}", 0, NULL},
		{"{\"error\":\"\",\"choices\":[]}", 0, NULL},
		{"{\"error\":{},\"errors\":[]}", 0, NULL},
		{"{\"error\":false}", 0, NULL},
		{"{\"base_resp\":{\"status_code\":0,\"status_msg\":\"\"}}", 0, NULL},
		{"{\"type\":\"message\",\"content\":[]}", 0, NULL},
		{"[]", 0, NULL},
		{"5", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct api_error error = API_ERROR_NONE;
		struct json_document index = {0};
		const struct json *value = json_read(
			&index, rows[i].body, strlen(rows[i].body), 1000, NULL);
		assert_int_equal(upstream_error_is(value), rows[i].status != 0);
		if (rows[i].status != 0) {
			upstream_error_from_object(value, &error_context, &error);
			assert_int_equal(error.status, rows[i].status);
			assert_contains(error.message, rows[i].words);
		}
		api_error_clear(&error);
		json_document_free(&index);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_who_words_it_as_claude_does),
		cmocka_unit_test(test_error_objects),
	};

	return cmocka_run_group_tests_name("upstream error", tests, NULL, NULL);
}

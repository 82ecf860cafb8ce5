/* Refusals and failures of upstreams in Claude's terms (PROTOCOL.md §E). */
#include "unit.h"

#include "base/api_error.h"
#include "base/json.h"
#include "translate/upstream_error.h"

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

/* What each service says when the context is too long, and what Claude Code must read to compact,
 * or to ask for less output. */
static void
test_overflow(void **state)
{
	static const struct {
		int status;
		const char *body, *told;
	} rows[] = {
		/* OpenAI: the prompt alone, prompt and output, with pieces, with its code. */
		{400,
			MESSAGE("This model's maximum context length is 8192 tokens. However, your "
				"messages resulted in 9,001 tokens (8500 in the messages, 501 in "
				"the "
				"functions)."),
			TOO_LONG("9001 tokens > 8192")},
		{400,
			MESSAGE("This model's maximum context length is 8192 tokens. However, you "
				"requested 13000 tokens (12000 in the messages, 1000 in the "
				"completion)."),
			TOO_LONG("12000 tokens > 8192")},
		{400,
			MESSAGE("This model's maximum context length is 8192 tokens. However, you "
				"requested 9500 tokens (5000 in the messages, 500 in the "
				"functions, "
				"and 4000 in the completion)."),
			SUM("5500 + 4000 > 8192")},
		{400,
			MESSAGE("This model's maximum context length is 4097 tokens, however you "
				"requested 5000 tokens (4000 in your prompt; 1000 for the "
				"completion)."),
			SUM("4000 + 1000 > 4097")},
		{400,
			"{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"Input "
			"tokens exceed the configured limit of 272000 tokens. Your messages "
			"resulted "
			"in 303000 tokens.\"}}",
			TOO_LONG("303000 tokens > 272000")},
		{400,
			"{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"Your input "
			"exceeds the context window of this model.\"}}",
			"prompt is too long"},
		{400, "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"too big\"}}",
			"prompt is too long"},
		/* OpenRouter, in its words and in those of the service behind it. */
		{400,
			MESSAGE("This endpoint's maximum context length is 200000 tokens. However, "
				"you requested about 263000 tokens (190000 of text input, 9000 of "
				"tool input, 64000 in the output)."),
			SUM("199000 + 64000 > 200000")},
		{400,
			"{\"error\":{\"message\":\"Provider returned error\",\"metadata\":{\"raw\":"
			"\"{\\\"message\\\":\\\"maximum prompt length is 10 but the request "
			"contains 20 tokens\\\"}\"}}}",
			TOO_LONG("20 tokens > 10")},
		/* vLLM */
		{400,
			"{\"object\":\"error\",\"message\":\"This model's maximum context length "
			"is "
			"32768 tokens. However, you requested 64000 output tokens and your prompt "
			"contains at least 769 input tokens, for a total of at least 64769 "
			"tokens.\",\"code\":400}",
			SUM("769 + 64000 > 32768")},
		{400,
			MESSAGE("'max_tokens' or 'max_completion_tokens' is too large: 64000. This "
				"model's maximum context length is 32768 tokens and your request "
				"has "
				"17459 input tokens (64000 > 32768 - 17459)."),
			SUM("17459 + 64000 > 32768")},
		{400,
			MESSAGE("You passed 40961 input tokens and requested 0 output tokens. "
				"However, the model's context length is only 40960 tokens, "
				"resulting "
				"in a maximum input length of 40960 tokens."),
			TOO_LONG("40961 tokens > 40960")},
		{400,
			MESSAGE("The decoder prompt (length 5000) is longer than the maximum model "
				"length of 4096."),
			TOO_LONG("5000 tokens > 4096")},
		/* SGLang, Together */
		{400,
			MESSAGE("Requested token count exceeds the model's maximum context length "
				"of "
				"262144 tokens. You requested a total of 294462 tokens: 230462 "
				"tokens "
				"from the input messages and 64000 tokens for the completion."),
			SUM("230462 + 64000 > 262144")},
		{400,
			MESSAGE("The input (12000 tokens) is longer than the model's context "
				"length "
				"(8192 tokens)."),
			TOO_LONG("12000 tokens > 8192")},
		{422,
			MESSAGE("`inputs` tokens + `max_new_tokens` must be <= 4097. Given: 4000 "
				"`inputs` tokens and 512 `max_new_tokens`"),
			SUM("4000 + 512 > 4097")},
		{422, MESSAGE("`inputs` must have less than 4095 tokens. Given: 5000"),
			TOO_LONG("5000 tokens > 4095")},
		/* llama.cpp, in words or in members; LM Studio; Ollama */
		{400,
			"{\"error\":{\"code\":400,\"message\":\"request (12000 tokens) exceeds the "
			"available context size (8192 tokens), try increasing it\",\"type\":"
			"\"exceed_context_size_error\"}}",
			TOO_LONG("12000 tokens > 8192")},
		{400,
			"{\"error\":{\"code\":400,\"message\":\"the request exceeds the available "
			"context size\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":"
			"12000,\"n_ctx\":8192}}",
			TOO_LONG("12000 tokens > 8192")},
		{400,
			"{\"error\":\"Trying to keep the first 12000 tokens when context the "
			"overflows. However, the model is loaded with context length of only 4096 "
			"tokens\"}",
			TOO_LONG("12000 tokens > 4096")},
		{400,
			"{\"error\":\"The number of tokens to keep from the initial prompt is "
			"greater than the context length\"}",
			"prompt is too long"},
		{500, MESSAGE("prompt too long; exceeded max context length by 7 tokens"),
			"prompt is too long"},
		/* Moonshot tells one number, which contains what was asked for. */
		{400,
			MESSAGE("Invalid request: Your request exceeded model token limit: 262144 "
				"(requested: 300000)"),
			TOO_LONG("300000 tokens > 262144")},
		{400,
			MESSAGE("Invalid request: Your request exceeded model token limit: 262144 "
				"(requested: 280000)"),
			SUM("248000 + 32000 > 262144")},
		/* GLM, Qwen, MiniMax, Mistral, xAI, Fireworks, Copilot, Groq, LiteLLM */
		{400, "{\"error\":{\"code\":\"1261\",\"message\":\"Prompt exceeds max length\"}}",
			"prompt is too long"},
		{400, "{\"error\":{\"code\":1261,\"message\":\"x\"}}", "prompt is too long"},
		{400, MESSAGE("Range of input length should be [1, 129024]"),
			"prompt is too long: more tokens than the 129024 maximum"},
		{400, MESSAGE("invalid params, context window exceeds limit (2013)"),
			"prompt is too long"},
		{400,
			"{\"message\":\"Prompt contains 40000 tokens and 0 draft tokens, too large "
			"for model with 32768 maximum context length\"}",
			TOO_LONG("40000 tokens > 32768")},
		{400,
			"{\"code\":\"Client specified an invalid argument\",\"error\":\"This "
			"model's maximum prompt length is 131072 but the request contains 537812 "
			"tokens.\"}",
			TOO_LONG("537812 tokens > 131072")},
		{400,
			MESSAGE("The prompt is too long: 131073, model maximum context length: "
				"131072"),
			TOO_LONG("131073 tokens > 131072")},
		{400, MESSAGE("prompt token count of 130000 exceeds the limit of 128000"),
			TOO_LONG("130000 tokens > 128000")},
		{413, "failed to parse request", "prompt is too long"},
		{413,
			MESSAGE("Request too large for model `x` on tokens per minute (TPM): Limit "
				"6000, Requested 40000, please reduce your message size"),
			TOO_LONG("40000 tokens > 6000")},
		{400, MESSAGE("Please reduce the length of the messages or completion."),
			"prompt is too long"},
		{400, MESSAGE("litellm.ContextWindowExceededError: too much"),
			"prompt is too long"},
		/* Gemini, with one number and with both; Bedrock; Claude */
		{400,
			MESSAGE("The input token count (1200000) exceeds the maximum number of "
				"tokens "
				"allowed (1048576)."),
			TOO_LONG("1200000 tokens > 1048576")},
		{400,
			MESSAGE("The input token count exceeds the maximum number of tokens "
				"allowed "
				"1,048,576."),
			"prompt is too long: more tokens than the 1048576 maximum"},
		{400, "{\"message\":\"Input is too long for requested model.\"}",
			"prompt is too long"},
		{400, MESSAGE(TOO_LONG("208310 tokens > 200000")),
			TOO_LONG("208310 tokens > 200000")},
		{400, MESSAGE(SUM("188240 + 21333 > 200000")), SUM("188240 + 21333 > 200000")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct api_error error = API_ERROR_NONE;
		upstream_error_from_status(rows[i].status, 0, rows[i].body, strlen(rows[i].body),
			&error_context, &error);
		assert_string_equal(error.message, rows[i].told);
		assert_int_equal(error.status, 400);
		api_error_clear(&error);
	}
}

/* A refused output limit is neither; nor are other statuses, whatever words come with them. */
static void
test_what_is_no_overflow(void **state)
{
	static const struct {
		int status;
		const char *body;
	} rows[] = {
		{400, MESSAGE("max_tokens is too large: 64000. This model supports at most 16384 "
			      "completion tokens, whereas you provided 64000.")},
		{400, "{\"error\":{\"message\":\"max_tokens is too large: 64000.\",\"code\":"
		      "\"context_length_exceeded\"}}"},
		{400, MESSAGE("'max_tokens' is too large: 64000. This model's maximum context "
			      "length is 32768 tokens.")},
		{400, MESSAGE("max_tokens: 64000 > 8192, which is the maximum allowed number of "
			      "output tokens for claude-3-5-sonnet")},
		{400, MESSAGE("Invalid max_tokens value, the valid range of max_tokens is [1, "
			      "8192]")},
		{400, MESSAGE("Range of max_tokens should be [1, 8192]")},
		{400, MESSAGE("`max_tokens` must be less than or equal to `32768`, the maximum "
			      "value for `max_tokens` is less than the `context_window` for this "
			      "model")},
		{400, MESSAGE("The maximum tokens you requested exceeds the model limit of 4096.")},
		{400, MESSAGE("Unable to submit request because it has a maxOutputTokens value of "
			      "100000 but the supported range is from 1 (inclusive) to 65537")},
		{400, MESSAGE("tools.0: too long")},
		{413, MESSAGE("Request exceeds the maximum size")},
		{429, MESSAGE("Request too large for gpt-x on tokens per min (TPM): Limit 30000, "
			      "Requested 40000. prompt is too long")},
		{401, MESSAGE("prompt is too long")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct api_error error = API_ERROR_NONE;
		assert_false(upstream_error_from_status(rows[i].status, 0, rows[i].body,
			strlen(rows[i].body), &error_context, &error));
		assert_int_equal(error.status, rows[i].status);
		assert_null(strstr(error.message, "prompt is too long:"));
		assert_null(strstr(error.message, "exceed context limit"));
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
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_what_is_no_overflow),
		cmocka_unit_test(test_who_words_it_as_claude_does),
		cmocka_unit_test(test_error_objects),
	};

	return cmocka_run_group_tests_name("upstream error", tests, NULL, NULL);
}

/* What refusals teach (translate/refusals), in the words of many services, and lessons carried
 * out (translate/lesson.h). */
#include "unit.h"

#include "base/buffer.h"
#include "base/log/log.h"
#include "translate/lesson.h"
#include "translate/refusals/refusals.h"
#include "translate/translator.h"

#define CHAT                                                                                       \
	"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":"          \
	"\"assistant\",\"content\":\"a\",\"reasoning_content\":\"r\"}],\"max_tokens\":64000,"      \
	"\"temperature\":0.5,\"reasoning_effort\":\"xhigh\",\"stop\":[\"1\",\"2\",\"3\",\"4\","    \
	"\"5\"],\"user\":\"me\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","   \
	"\"parameters\":{\"type\":\"object\",\"strict\":1},\"strict\":true}}],\"tool_choice\":{"   \
	"\"type\":\"function\"},\"stream\":true,\"stream_options\":{}}"
#define RESPONSES                                                                                  \
	"{\"model\":\"m\",\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\"}],\"reasoning\":{"    \
	"\"effort\":\"low\",\"summary\":\"auto\"},\"include\":[\"reasoning.encrypted_content\"],"  \
	"\"max_output_tokens\":64000}"
#define GEMINI                                                                                     \
	"{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"u\"}]}],\"generationConfig\":{"  \
	"\"maxOutputTokens\":99999,\"thinkingConfig\":{\"thinkingBudget\":0,\"includeThoughts\":"  \
	"true}}}"
#define CLAUDE                                                                                     \
	"{\"model\":\"m\",\"max_tokens\":64000,\"thinking\":{\"type\":\"adaptive\"},\"output_"     \
	"config\":{\"effort\":\"high\"},\"context_management\":{},\"tools\":[{\"name\":\"f\","     \
	"\"input_schema\":{},\"eager_input_streaming\":true}],\"messages\":[{\"role\":\"user\","   \
	"\"content\":[{\"type\":\"text\",\"text\":\"u\",\"cache_control\":{\"type\":"              \
	"\"ephemeral\"}}"                                                                          \
	"]},{\"role\":\"system\",\"content\":\"s\"}]}"

#define SEARCHING                                                                                  \
	"{\"model\":\"m\",\"input\":\"search\",\"reasoning\":{\"effort\":\"minimal\"},"            \
	"\"tools\":[{\"type\":\"web_search\",\"filters\":{\"blocked_domains\":[\"a\"]}}],"         \
	"\"include\":[\"web_search_call.action.sources\"]}"
#define OWN_FUNCTION                                                                               \
	"{\"model\":\"m\",\"input\":\"search\",\"tools\":[{\"type\":\"function\",\"name\":"        \
	"\"web_search\"}]}"
#define GROUNDED "{\"contents\":[],\"tools\":[{\"googleSearch\":{}}]}"

static const char *const no_headers[] = {NULL};

static void
check(const char *sent, int status, const char *message, const char *body,
	const char *const *headers, const char *expected)
{
	struct buffer lesson = BUFFER_INIT(0);
	const struct refusal_of_request said = {
		.status = status,
		.message = message,
		.body = body,
		.length = strlen(body),
		.sent = sent,
		.sent_length = strlen(sent),
		.headers = headers,
	};
	size_t row = 0;
	enum refusal_scope scope = refusal_find_lesson(&said, &row, &lesson);

	if (strcmp(buffer_text(&lesson), expected) != 0)
		fail_msg("%s: '%s' is not '%s'", message, buffer_text(&lesson), expected);
	assert_int_equal(scope == REFUSAL_UNKNOWN, *expected == '\0');
	buffer_free(&lesson);
}

static void
test_in_the_words_of_services(void **state)
{
	static const struct {
		const char *sent, *message, *lesson;
	} rows[] = {
		/* Members. */
		{CHAT, "Unknown parameter: 'user'.", "drop user"},
		{CHAT, "Unrecognized request argument supplied: user", "drop user"},
		{CHAT, "property 'user' is unsupported", "drop user"},
		{CHAT, "user: Extra inputs are not permitted", "drop user"},
		{CHAT,
			"'messages.1' : for 'role:assistant' the following must be "
			"satisfied[('messages.1' "
			": property 'reasoning_content' is unsupported)]",
			"drop messages.*.reasoning_content"},
		{CHAT, "Unsupported parameter: 'temperature' is not supported with this model.",
			"drop temperature"},
		{CHAT,
			"temperature does not support 0.5 with this model. Only the default (1) "
			"value is "
			"supported.",
			"drop temperature"},
		/* What goes in their place where the member named is not there: the object. */
		{"{\"model\":\"m\",\"input\":[],\"reasoning\":{\"summary\":\"auto\"}}",
			"Unsupported parameter: 'reasoning.effort' is not supported with this "
			"model.",
			"drop reasoning"},
		{"{\"model\":\"m\",\"input\":[],\"messages\":{\"role\":\"user\"}}",
			"Unsupported parameter: 'messages.name'", ""},
		{CHAT, "Unknown parameter: 'tools[0].function.strict'.",
			"drop tools.*.function.strict"},
		{CHAT,
			"Unsupported parameter: 'max_tokens' is not supported with this model. Use "
			"'max_completion_tokens' instead.",
			"rename max_tokens max_completion_tokens"},
		{CLAUDE, "context_management: Extra inputs are not permitted",
			"drop context_management"},
		{CLAUDE, "tools.0.custom.eager_input_streaming: Extra inputs are not permitted",
			"drop tools.*.eager_input_streaming"},
		{CLAUDE, "messages.0.content.0.text.cache_control: Extra inputs are not permitted",
			"drop messages.*.content.*.cache_control"},
		{CLAUDE, "This model does not support the effort parameter.",
			"drop output_config.effort"},
		{CLAUDE, "adaptive thinking is not supported on this model", "drop thinking"},
		{GEMINI,
			"Invalid JSON payload received. Unknown name \"include_thoughts\" at "
			"'generation_config.thinking_config': Cannot find field.",
			"drop generationConfig.thinkingConfig.includeThoughts"},
		{GEMINI, "Budget 0 is invalid. This model only works in thinking mode.",
			"drop generationConfig.thinkingConfig"},
		{RESPONSES, "Encrypted content is not supported with this model.", "drop include"},
		{CHAT, "Your organization must be verified to stream this model.", "drop stream"},

		{CHAT,
			"[{'type': 'extra_forbidden', 'loc': ('body', 'user'), 'msg': 'Extra "
			"inputs are not "
			"permitted', 'input': 'me'}]",
			"drop user"},
		{CHAT,
			"1 validation error for Request user  Extra inputs are not permitted "
			"[type=extra_forbidden, input_value='me']",
			"drop user"},
		{CLAUDE,
			"Malformed input request: #: extraneous key [context_management] is not "
			"permitted, "
			"please reformat your input and try again.",
			"drop context_management"},
		{CHAT, "json: unknown field \"user\"", "drop user"},
		{CHAT, "Model m does not support parameter reasoningEffort.",
			"drop reasoning_effort"},
		{CHAT, "\"m\" does not support thinking", "drop reasoning_effort"},
		{CHAT,
			"Provider returned error: {\"error\":{\"message\":\"Unsupported "
			"parameter\","
			"\"type\":\"invalid_request_error\",\"param\":\"reasoning_effort\"}}",
			"drop reasoning_effort"},
		{GEMINI, "Thinking budget is not supported for this model",
			"drop generationConfig.thinkingConfig"},
		{CLAUDE, "`temperature` and `top_p` cannot both be specified for this model.", ""},

		{CLAUDE, "Thinking may not be enabled when tool_choice forces tool use.",
			"kinds thinking [\"disabled\"]"},
		{"{\"model\":\"m\",\"messages\":[],\"response_format\":{\"type\":\"json_schema\"}}",
			"response_format is not supported by this model", "fix no-format"},

		/* Values. */
		{CHAT,
			"Unsupported value: 'xhigh' is not supported with the 'm' model. Supported "
			"values "
			"are: 'none', 'low', 'medium', and 'high'.",
			""},
		{CHAT, "reasoning_effort: Input should be 'low', 'medium' or 'high'",
			"choose reasoning_effort [\"low\",\"medium\",\"high\"]"},
		{CHAT, "`reasoning_effort` must be one of `low`, `medium`, or `high`",
			"choose reasoning_effort [\"low\",\"medium\",\"high\"]"},
		{CHAT, "reasoning_effort must be one of [low, high]",
			"choose reasoning_effort [\"low\",\"high\"]"},
		{CHAT, "invalid temperature: only 1 is allowed for this model",
			"choose temperature [1]"},
		{CHAT,
			"Invalid tool_choice type: 'object'. Supported string values: none, auto, "
			"required",
			"choose tool_choice [\"none\",\"auto\",\"required\"]"},
		{CLAUDE,
			"thinking: Input tag 'adaptive' found using 'type' does not match any of "
			"the "
			"expected tags: 'disabled', 'enabled'",
			"kinds thinking [\"disabled\",\"enabled\"]"},
		{CLAUDE, "thinking.type: Input should be 'enabled' or 'disabled'",
			"kinds thinking [\"enabled\",\"disabled\"]"},

		{CLAUDE,
			"Failed to deserialize the JSON body into the target type: thinking.type: "
			"unknown "
			"variant `adaptive`, expected `enabled` or `disabled` at line 1 column 100",
			"kinds thinking [\"enabled\",\"disabled\"]"},
		{CHAT, "`reasoning_effort` must be one of `none` or `default`",
			"choose reasoning_effort [\"none\",\"default\"]"},

		/* Limits. */
		{CHAT,
			"The maximum tokens you requested exceeds the model limit of 10240. Try "
			"again with a "
			"maximum tokens value that is lower than 10240.",
			"limit max_tokens - 10240"},
		{CHAT,
			"max_tokens: integer above maximum value. Expected a value <= 16384, but "
			"got 64000 "
			"instead.",
			"limit max_tokens - 16384"},
		{GEMINI,
			"The thinking budget 0 is invalid. Please choose a value between 128 and "
			"32768.",
			"limit generationConfig.thinkingConfig.thinkingBudget 128 32768"},
		{CHAT,
			"max_tokens is too large: 64000. This model supports at most 16384 "
			"completion "
			"tokens, whereas you provided 64000.",
			"limit max_tokens - 16384"},
		{CHAT, "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
			"limit max_tokens 1 8192"},
		{CHAT, "Range of max_tokens should be [1, 65536]", ""},
		{CHAT,
			"`max_tokens` must be less than or equal to `32768`, the maximum value for "
			"`max_tokens` is less than the `context_window` for this model",
			"limit max_tokens - 32768"},
		{CLAUDE,
			"max_tokens: 64000 > 32000, which is the maximum allowed number of output "
			"tokens "
			"for m",
			"limit max_tokens - 32000"},
		{GEMINI,
			"Unable to submit request because it has a maxOutputTokens value of 99999 "
			"but "
			"the supported range is from 1 (inclusive) to 65537 (exclusive).",
			"limit generationConfig.maxOutputTokens 1 65536"},
		{CHAT,
			"Invalid 'stop': array too long. Expected an array with maximum length 4, "
			"but got "
			"an array with length 5 instead.",
			"cut stop 4"},

		/* Roles, blocks, what was thought. */
		{CHAT, "System message must be at the beginning.", "fix system-first"},
		{CHAT, "Conversation roles must alternate user/assistant/user/assistant/...",
			"fix system-first"},
		{CHAT, "System role not supported", "fix system-as-user"},
		{GEMINI, "Developer instruction is not enabled for models/gemma-3-27b-it",
			"fix system-as-user"},
		{CHAT, "Unexpected role 'user' after role 'tool'", "fix text-in-result"},
		{CHAT,
			"Unsupported value: 'messages[0].role' does not support 'system' with this "
			"model.",
			"fix system-as-user"},
		{CLAUDE, "messages.1.role: Input should be 'user' or 'assistant'",
			"fix system-as-user"},
		{CHAT,
			"The `reasoning_content` in the thinking mode must be passed back to the "
			"API.",
			"fix give-thinking"},
		{CHAT,
			"thinking is enabled but reasoning_content is missing in assistant tool "
			"call message at index 2",
			"fix give-thinking"},
		{RESPONSES, "The encrypted content gAAA could not be verified.",
			"fix forget-thinking"},

		/* The service's own search. */
		{SEARCHING, "Hosted tool 'web_search' is not supported with m.", "fix no-search"},
		{SEARCHING, "tools.0.type: Input should be 'function'", "fix no-search"},
		{SEARCHING,
			"Invalid value: 'web_search'. Supported values are: 'function' and "
			"'custom'.",
			"fix no-search"},
		{SEARCHING, "Missing required parameter: 'tools[0].function'.", "fix no-search"},
		{SEARCHING,
			"The following tools cannot be used with reasoning.effort 'minimal': "
			"web_search.",
			"choose reasoning.effort [\"low\",\"medium\",\"high\",\"xhigh\"]"},
		{SEARCHING, "Unknown parameter: 'tools[0].filters.blocked_domains'.",
			"drop tools.*.filters.blocked_domains"},
		{SEARCHING, "Invalid value: 'web_search_call.action.sources'.", "drop include"},
		{GROUNDED, "Search as a tool is not enabled for this model", "fix no-search"},
		{GROUNDED, "Unknown name \"googleSearch\" at 'tools[0]': Cannot find field.",
			"fix no-search"},
		{GROUNDED, "Tool use with function calling is unsupported", "fix no-search"},
		{OWN_FUNCTION, "Function 'web_search' is not supported", ""},

		/* What is none of these. */
		{CHAT, "The model `m` does not exist or you do not have access to it.", ""},
		{CHAT, "messages: at least one message is required", ""},
		{CHAT, "Invalid schema for function 'f': array schema missing items", ""},
		{CHAT, "prompt is too long: 200 tokens > 100 maximum", ""},
		{CHAT, "Unknown parameter: 'nothing_of_ours'", ""},
		{CHAT, "Unsupported value: 'messages'", ""},
		{CHAT, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(rows[i].sent, 400, rows[i].message, "", no_headers, rows[i].lesson);
}

static void
test_what_stands_beside_the_message(void **state)
{
	(void)state;
	check(CHAT, 400,
		"Unsupported value: 'xhigh' is not supported with the 'm' model. Supported values "
		"are: "
		"'none', 'low', and 'high'.",
		"{\"error\":{\"param\":\"reasoning_effort\",\"code\":\"unsupported_value\"}}",
		no_headers, "choose reasoning_effort [\"none\",\"low\",\"high\"]");
	check(CHAT, 400, "Extra inputs are not permitted",
		"{\"detail\":[{\"loc\":[\"body\",\"messages\",1,\"assistant\",\"reasoning_"
		"content\"],"
		"\"msg\":\"Extra inputs are not permitted\"}]}",
		no_headers, "drop messages.*.reasoning_content");
	check(RESPONSES, 400, "Your organization must be verified to generate reasoning summaries.",
		"{\"error\":{\"param\":\"reasoning.summary\"}}", no_headers,
		"drop reasoning.summary");
}

static void
test_headers_and_keys(void **state)
{
	static const char *const headers[] = {"anthropic-version", "2023-06-01", "anthropic-beta",
		"one-2025-01-01,two-2025-01-01, three-2025-01-01", "anthropic-x", "1", NULL};

	(void)state;
	check(CLAUDE, 400, "Unexpected value(s) `two-2025-01-01` for the `anthropic-beta` header.",
		"", headers, "without anthropic-beta two-2025-01-01");
	check(CLAUDE, 400,
		"Unexpected value(s) `three-2025-01-01`, `one-2025-01-01` for the `anthropic-beta` "
		"header.",
		"", headers,
		"without anthropic-beta one-2025-01-01\nwithout anthropic-beta three-2025-01-01");
	check(CLAUDE, 400, "invalid beta flag", "", headers, "without anthropic-beta");
	check(CLAUDE, 400, "Unknown header: anthropic-x", "", headers, "without anthropic-x");
	check(CLAUDE, 401, "upstream 'u' refused its API key: no bearer token", "", headers,
		"auth bearer");
	check(CLAUDE, 401, "upstream 'u' refused its API key: invalid bearer token", "", headers,
		"");
	check(CLAUDE, 404, "unknown parameter context_management", "", headers, "");
}

/* ---- lessons ---- */

/* What fits beside a prompt is known of that request; an output that no prompt fits beside, of all.
 */
static void
test_an_output_that_does_not_fit(void **state)
{
#define FITS(prompt, output, window)                                                               \
	"input length and `max_tokens` exceed context limit: " prompt " + " output " > " window
	static const struct {
		const char *message, *lesson;
		enum refusal_scope scope;
	} rows[] = {
		{FITS("90000", "64000", "131072"), "limit max_tokens - 41072", REFUSAL_ONCE},
		{FITS("17459", "64000", "32768"), "limit max_tokens - 8192", REFUSAL_LASTS},
		{FITS("17459", "64000", "64000"), "limit max_tokens - 16000", REFUSAL_LASTS},
		/* So little is left that another request fares better. */
		{FITS("30000", "64000", "32768"), "limit max_tokens - 2768", REFUSAL_ONCE},
		{FITS("100", "64000", "2048"), "limit max_tokens - 1948", REFUSAL_ONCE},
		{FITS("32000", "64000", "32768"), "", REFUSAL_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer lesson = BUFFER_INIT(0);
		const struct refusal_of_request said = {.status = 400,
			.message = rows[i].message,
			.body = "",
			.sent = CHAT,
			.sent_length = strlen(CHAT),
			.headers = no_headers};
		size_t row = 0;
		assert_int_equal(refusal_find_lesson(&said, &row, &lesson), rows[i].scope);
		assert_string_equal(buffer_text(&lesson), rows[i].lesson);
		buffer_free(&lesson);
	}
#undef FITS
}

static void
test_lessons_are_carried_out(void **state)
{
	static const struct {
		const char *lesson, *before, *after; /* without their braces; NULL: as before */
	} rows[] = {
		{"drop a", "\"a\":1,\"b\":2,\"a\":3", "\"b\":2"},
		{"drop a.b", "\"a\":{\"b\":1,\"c\":[1.10]},\"b\":2",
			"\"a\":{\"c\":[1.10]},\"b\":2"},
		{"drop a.*.b", "\"a\":[{\"b\":1},{\"c\":2},3]", "\"a\":[{},{\"c\":2},3]"},
		{"drop a.*.b", "\"a\":{\"b\":1}", NULL},
		{"drop a.*", "\"a\":[1,{\"b\":2}]", NULL},
		{"drop x", "\"a\" : 1", NULL},
		{"rename a b", "\"a\":1,\"c\":2", "\"b\":1,\"c\":2"},
		{"choose e [\"low\",\"high\"]", "\"e\":\"low\"", NULL},
		{"choose e [\"low\",\"high\"]", "\"e\":\"max\"", "\"e\":\"high\""},
		{"choose e [\"low\",\"high\"]", "\"e\":\"none\"", "\"e\":\"low\""},
		{"choose e [\"x\",\"y\"]", "\"e\":\"z\",\"f\":1", "\"f\":1"},
		{"choose e [1]", "\"e\":0.5", "\"e\":1"},
		{"choose t [\"none\",\"required\"]", "\"t\":{\"type\":\"function\"}",
			"\"t\":\"required\""},
		{"kinds t [\"enabled\"]", "\"t\":{\"type\":\"enabled\",\"n\":1}", NULL},
		{"kinds t [\"enabled\"]", "\"t\":{\"type\":\"adaptive\"},\"m\":1", "\"m\":1"},
		{"limit n - 100", "\"n\":101", "\"n\":100"},
		{"limit n - 100", "\"n\":99.5", NULL},
		{"limit n 16 -", "\"n\":1", "\"n\":16"},
		{"limit n 1 20", "\"n\":21,\"n\":0", "\"n\":20,\"n\":1"},
		{"limit n - 100", "\"n\":\"many\"", NULL},
		{"limit max_tokens - 5000",
			"\"max_tokens\":9000,\"thinking\":{\"budget_tokens\":8000}",
			"\"max_tokens\":5000,\"thinking\":{\"budget_tokens\":4999}"},
		{"limit max_tokens - 900",
			"\"max_tokens\":9000,\"thinking\":{\"budget_tokens\":8000}",
			"\"max_tokens\":900"},
		{"cut s 2", "\"s\":[1,2,3]", "\"s\":[1,2]"},
		{"cut s 2", "\"s\":\"abc\",\"t\":1", "\"t\":1"},
		{"put s true", "\"t\":1", "\"t\":1,\"s\":true"},
		{"put s true", "\"s\":false", "\"s\":true"},
		{"put s true", "\"s\":true", NULL},
		{"put stream true", "\"messages\":[]",
			"\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":"
			"true}"},
		{"put stream true", "\"input\":[]", "\"input\":[],\"stream\":true"},
		{"with-tools e \"none\"", "\"e\":\"low\"", NULL},
		{"with-tools e \"none\"", "\"tools\":[1]", "\"tools\":[1],\"e\":\"none\""},
		{"drop stream", "\"stream\":true,\"stream_options\":{},\"m\":1", "\"m\":1"},
		/* Damaged ones, and those of another version. */
		{"", "\"a\":1", NULL},
		{"drop", "\"a\":1", NULL},
		{"drop ", "\"a\":1", NULL},
		{"drop a.a.a.a.a.a.a.a.a.a.a.a.a.a", "\"a\":1", NULL},
		{"choose a [", "\"a\":1", NULL},
		{"limit a", "\"a\":1", NULL},
		{"paint a blue", "\"a\":1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct lessons lessons = {&rows[i].lesson, 1};
		struct buffer body = BUFFER_INIT(0);
		struct buffer after = BUFFER_INIT(0);
		buffer_printf(&body, "{%s}", rows[i].before);
		buffer_printf(
			&after, "{%s}", rows[i].after != NULL ? rows[i].after : rows[i].before);
		assert_int_equal(lesson_edit_body(&lessons, &body), 0);
		if (strcmp(buffer_text(&body), buffer_text(&after)) != 0)
			fail_msg("%s: %s", rows[i].lesson, buffer_text(&body));
		buffer_free(&body);
		buffer_free(&after);
	}
}

static void
test_lessons_about_other_things(void **state)
{
	static const char *const list[] = {"fix no-images", "without anthropic-beta b", "drop x",
		"without anthropic-x", "auth bearer", "fix system-first"};
	const struct lessons lessons = {list, COUNT(list)};
	const struct lessons none = {0};
	struct buffer value = BUFFER_INIT(0);

	(void)state;
	assert_int_equal(lesson_fixes(&lessons), FIX_NO_IMAGES | FIX_SYSTEM_FIRST);
	assert_int_equal(lesson_fixes(&none), 0);
	lesson_write_header(&lessons, "anthropic-beta", " a ,b, bb,b,c", &value);
	assert_string_equal(buffer_text(&value), "a,bb,c");
	assert_true(lesson_withholds(&lessons, "anthropic-x"));
	assert_false(lesson_withholds(&lessons, "anthropic-beta"));
	assert_string_equal(lesson_auth(&lessons), "bearer");
	assert_null(lesson_auth(&none));
	buffer_free(&value);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_the_words_of_services),
		cmocka_unit_test(test_what_stands_beside_the_message),
		cmocka_unit_test(test_headers_and_keys),
		cmocka_unit_test(test_an_output_that_does_not_fit),
		cmocka_unit_test(test_lessons_are_carried_out),
		cmocka_unit_test(test_lessons_about_other_things),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}

/* Answers of Gemini (PROTOCOL.md §C, §D.2 "Gemini chunks"). */
#include "answering.h"

#include "translate/round_trip.h"

#define CHUNK(inside) "data: {" inside "}\r\n\r\n"
#define PARTS(parts)  "\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" parts "]}}]"
#define ENDS(reason)  "\"candidates\":[{\"finishReason\":\"" reason "\"}]"
#define USAGE                                                                                      \
	"\"usageMetadata\":{\"promptTokenCount\":10,\"toolUsePromptTokenCount\":2,"                \
	"\"cachedContentTokenCount\":4,\"candidatesTokenCount\":3,\"thoughtsTokenCount\":2}"
#define TOLD                                                                                       \
	"\"usage\":{\"input_tokens\":8,\"cache_creation_input_tokens\":0,\"cache_read_input_"      \
	"tokens\":4,\"output_tokens\":5}}"

static void
test_streams(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		/* Text of neighbouring parts is one block; thinking before it. */
		{CHUNK(PARTS("{\"text\":\"h\",\"thought\":true}")) CHUNK(PARTS(
			 "{\"text\":\"a\"},{"
			 "\"text\":\"\"},{\"text\":\"\\u00e9\"}")) CHUNK(ENDS("STOP") "," USAGE),
			START(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
				DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"h\"}") DELTA(
					0, "{\"type\":\"signature_delta\",\"signature\":\"cp1."
					   "eyJrIjoiZ2VtaW5pIn0\"}") STOP(0) OPEN_TEXT(1)
					TEXT(1, "a") TEXT(1, "\\u00e9") STOP(1)
						END("end_turn", "null", 8, 4, 5)},
		/* H.18: one function twice; ids of the service; args unchanged, or none. */
		{CHUNK(PARTS(
			 "{\"functionCall\":{\"id\":\"x\",\"name\":\"f\",\"args\":{\"b\":-0,\"a\":"
			 "1.10}}},{\"functionCall\":{\"id\":\"y\",\"name\":\"f\"}}"))
				CHUNK(ENDS("STOP")),
			OPEN_TOOL(0, "x", "f") JSON(0, "{\\\"b\\\":-0,\\\"a\\\":1.10}") STOP(0)
				OPEN_TOOL(1, "y", "f") JSON(1, "{}") STOP(1)
					END("tool_use", "null", 0, 0, 5)},
		/* H.19: blocked, and candidates without content. */
		{CHUNK("\"promptFeedback\":{\"blockReason\":\"SAFETY\"}"),
			END("refusal", "null", 0, 0, 0)},
		{CHUNK(PARTS("{\"text\":\"a\"}")) CHUNK(ENDS("SAFETY")),
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("refusal", "null", 0, 0, 1)},
		{CHUNK(ENDS("STOP")), END("end_turn", "null", 0, 0, 0)},
		{CHUNK(PARTS("") "," USAGE) CHUNK(ENDS("MAX_TOKENS")),
			END("max_tokens", "null", 8, 4, 5)},
		/* A failure of the model behind content; code and files as fenced text. */
		{CHUNK(PARTS("{\"text\":\"a\"}")) CHUNK(ENDS("MALFORMED_FUNCTION_CALL")),
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("end_turn", "null", 0, 0, 1)},
		{CHUNK(PARTS("{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}},{"
			     "\"codeExecutionResult\":{\"output\":\"2\"}}")) CHUNK(ENDS("STOP")),
			OPEN_TEXT(0) TEXT(0, "```python\\n1\\n```\\n") TEXT(0, "```\\n2\\n```\\n")
				STOP(0) END("end_turn", "null", 0, 0, 7)},
		{CHUNK(PARTS("{\"inlineData\":{\"data\":\"eA=\\u003d\"}},{\"inlineData\":{"
			     "\"mimeType\":\"a\\/b\",\"data\":\"\"}},{\"inlineData\":{}}"))
				CHUNK(ENDS("STOP")),
			OPEN_TEXT(0) TEXT(0, "```\\ndata:application/octet-stream;base64,eA=\\u003d"
					     "\\n```\\n")
				TEXT(0, "```\\ndata:a\\/b;base64,\\n```\\n") STOP(0)
					END("end_turn", "null", 0, 0, 20)},
		/* Texts as they came: escapes, half a pair of surrogates, U+0000; of duplicates the
		 * last, and those in arguments stay. */
		{CHUNK(PARTS("{\"text\":\"x\",\"text\":\"\\ud800\\/\\u0000\"}")) CHUNK(
			 PARTS("{\"functionCall\":{\"id\":\"x\",\"name\":\"f\",\"args\": { \"a\" : "
			       "[ 1e999 ] , \"a\" : \"\\udc00\" } }}")) CHUNK(ENDS("STOP")),
			OPEN_TEXT(0) TEXT(0, "\\ud800\\/\\u0000") STOP(0) OPEN_TOOL(1, "x", "f")
				JSON(1, "{\\\"a\\\":[1e999],\\\"a\\\":\\\"\\\\udc00\\\"}") STOP(1)
					END("tool_use", "null", 0, 0, 9)},
		/* Wrong types are ignored; the end may come without a reason. */
		{CHUNK("\"candidates\":5") CHUNK("\"candidates\":[5,null]")
				CHUNK("\"candidates\":[{\"content\":{\"parts\":[5,{\"text\":6},{"
				      "\"functionCall\":7},{\"text\":\"a\"}]}}]"),
			OPEN_TEXT(0) TEXT(0, "a") STOP(0) END("end_turn", "null", 0, 0, 1)},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_stream(&gemini, rows[i].in, rows[i].out);
}

/* The answer is whole, and says so. */
static void
check_end(const char *body, const char *type, const char *stop_reason)
{
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	if (answer_of(&gemini, type, body, false, true, 7, &out, &error) != ANSWER_DONE)
		fail_msg("failed: %s: %s", body, error.message);
	assert_contains(buffer_text(&out), stop_reason);
	buffer_free(&out);
}

struct end_row {
	const char *reason;
	const char *stop_reason;
	bool fault; /* unless the model said something */
};

/* What came before the end: the parts, and whether they are more than thoughts. */
struct before_row {
	const char *parts;
	bool said;
};

static void
check_ending(const struct end_row *row, const struct before_row *before)
{
	bool told = strcmp(row->reason, "FINISH_REASON_UNSPECIFIED") != 0;
	char stream[512], whole[512], stop[64];

	snprintf(stream, sizeof(stream),
		"data: {\"candidates\":[{\"content\":{\"parts\":[%s]}}]}\n\n"
		"data: {\"candidates\":[{\"finishReason\":\"%s\",\"finishMessage\":\"why\"}]}\n\n",
		before->parts, row->reason);
	snprintf(whole, sizeof(whole),
		"{\"candidates\":[{\"content\":{\"parts\":[%s]},\"finishReason\":\"%s\","
		"\"finishMessage\":\"why\"}]}",
		before->parts, row->reason);
	snprintf(stop, sizeof(stop), "\"stop_reason\":\"%s\"", row->stop_reason);
	if (before->said || (told && !row->fault)) {
		check_end(stream, "text/event-stream", stop);
		check_end(whole, "application/json", stop);
		return;
	}
	const char *words = told ? row->reason : "answer";
	check_failure(&gemini, "text/event-stream", stream, true, 502, words);
	check_failure(&gemini, "application/json", whole, true, 502, words);
	check_failure(&gemini, "application/json", whole, true, 502, "why");
}

/* Every finishReason, after nothing, after thoughts alone, and after text. */
static void
test_ends(void **state)
{
	static const struct end_row rows[] = {
		{"STOP", "end_turn", false},
		{"MAX_TOKENS", "max_tokens", false},
		{"CONTINUATION", "max_tokens", false},
		{"SAFETY", "refusal", false},
		{"RECITATION", "refusal", false},
		{"LANGUAGE", "refusal", false},
		{"BLOCKLIST", "refusal", false},
		{"PROHIBITED_CONTENT", "refusal", false},
		{"SPII", "refusal", false},
		{"MODEL_ARMOR", "refusal", false},
		{"ESCALATION", "refusal", false},
		{"PUP_LIMITED_DISABLED", "refusal", false},
		{"IMAGE_SAFETY", "refusal", false},
		{"IMAGE_PROHIBITED_CONTENT", "refusal", false},
		{"IMAGE_OTHER", "refusal", false},
		{"IMAGE_RECITATION", "refusal", false},
		{"NO_IMAGE", "refusal", false},
		{"OTHER", "end_turn", true},
		{"MALFORMED_FUNCTION_CALL", "end_turn", true},
		{"MALFORMED_RESPONSE", "end_turn", true},
		{"UNEXPECTED_TOOL_CALL", "end_turn", true},
		{"TOO_MANY_TOOL_CALLS", "end_turn", true},
		{"MISSING_THOUGHT_SIGNATURE", "end_turn", true},
		{"SOMETHING_NEW", "end_turn", false},
		{"FINISH_REASON_UNSPECIFIED", "end_turn", false},
	};
	static const struct before_row befores[] = {
		{"{\"text\":\"\"}", false},
		{"{\"text\":\"hm\",\"thought\":true}", false},
		{"{\"text\":\"a\"}", true},
		{"{\"text\":\"hm\",\"thought\":true},{\"text\":\"a\"}", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; j < COUNT(befores); j++)
			check_ending(&rows[i], &befores[j]);
}

/* A fault leaves the client with nothing that another key's answer could not follow, unless its
 * thoughts have been streamed. */
static void
test_a_fault_may_be_cured(void **state)
{
	static const char body[] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\","
				   "\"thought\":true}]},\"finishReason\":\"OTHER\"}]}";
	static const char good[] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},"
				   "\"finishReason\":\"STOP\"}]}";

	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		const struct answer_options options = {
			.translator = &gemini, .model = "asked", .stream = stream};
		struct buffer out = BUFFER_INIT(0);
		struct answer *a = answer_new(&options, &out);
		answer_begin(a, &error_context);
		answer_head(a, 200, "application/json", 0);
		answer_feed(a, body, strlen(body));
		assert_int_equal(answer_end(a, true), ANSWER_FAILED);
		assert_int_equal(answer_has_content(a), stream);
		if (!stream) {
			assert_int_equal(answer_switch_upstream(a, &options), 0);
			answer_begin(a, &error_context);
			answer_head(a, 200, "application/json", 0);
			answer_feed(a, good, strlen(good));
			assert_int_equal(answer_end(a, true), ANSWER_DONE);
			assert_contains(buffer_text(&out),
				"\"content\":[{\"type\":\"text\",\"text\":\"a\"}]");
		}
		answer_free(a);
		buffer_free(&out);
	}
}

/* Counts come in any chunk, each as long as it is not told anew; what cannot be one is none. */
static void
test_usage(void **state)
{
#define COUNTS(text) "\"usageMetadata\":{" text "}"
#define FULL                                                                                       \
	"\"promptTokenCount\":10,\"cachedContentTokenCount\":4,\"candidatesTokenCount\":3,"        \
	"\"thoughtsTokenCount\":2"
	static const struct {
		const char *first, *last;
		const char *end;
	} rows[] = {
		{COUNTS(FULL), COUNTS(""), END("end_turn", "null", 6, 4, 5)},
		{COUNTS(FULL), COUNTS("\"candidatesTokenCount\":7"),
			END("end_turn", "null", 6, 4, 9)},
		{COUNTS("\"promptTokenCount\":10"), COUNTS(FULL ",\"toolUsePromptTokenCount\":90"),
			END("end_turn", "null", 96, 4, 5)},
		{COUNTS(FULL),
			COUNTS("\"promptTokenCount\":-1,\"candidatesTokenCount\":9e99,"
			       "\"thoughtsTokenCount\":\"x\",\"cachedContentTokenCount\":null"),
			END("end_turn", "null", 6, 4, 5)},
		{COUNTS("\"promptTokenCount\":3,\"cachedContentTokenCount\":4"), COUNTS(""),
			END("end_turn", "null", 0, 4, 1)},
		{COUNTS("\"promptTokenCount\":99999999999999999999"), "\"usageMetadata\":5",
			END("end_turn", "null", 0, 0, 1)},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char stream[1024], expected[1024];
		snprintf(stream, sizeof(stream),
			"data: {%s," PARTS("{\"text\":\"a\"}") "}\n\ndata: {" ENDS(
				"STOP") ",%s}\n\n",
			rows[i].first, rows[i].last);
		snprintf(expected, sizeof(expected), OPEN_TEXT(0) TEXT(0, "a") STOP(0) "%s",
			rows[i].end);
		check_stream(&gemini, stream, expected);
	}
}

static void
test_messages(void **state)
{
	(void)state;
	check_message(&gemini,
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"functionCall\":{"
		"\"id\":"
		"\"x\",\"name\":\"f\",\"args\":[1]}},{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]"
		"," USAGE "}",
		"\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"tool_use\",\"id\":"
		"\"x\","
		"\"name\":\"f\",\"input\":{\"_raw\":\"[1]\"}},{\"type\":\"text\",\"text\":\"b\"}],"
		"\"stop_reason\":\"tool_use\",\"stop_sequence\":null," TOLD);
	/* Without alt=sse, a stream is an array. */
	check_message(&gemini,
		"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]},{\"candidates\":["
		"{"
		"\"content\":{\"parts\":[{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]," USAGE
		"}]",
		"\"content\":[{\"type\":\"text\",\"text\":\"ab\"}],\"stop_reason\":\"end_turn\","
		"\"stop_sequence\":null," TOLD);
}

/* What every service's answers may have; what is held of a text does not follow the next block. */
static void
test_forms_of_any_service(void **state)
{
	static const struct {
		const char *body, *outline;
	} rows[] = {
		{CHUNK(PARTS("{\"text\":\"\\n\"}")) CHUNK(PARTS(
			 "{\"functionCall\":{\"name\":\"f\",\"args\":{}}}")) CHUNK(ENDS("STOP")),
			"text[\n] f[{}] tool_use"},
		{CHUNK(PARTS("{\"text\":\"<th\"}")) CHUNK(
			 PARTS("{\"executableCode\":{\"code\":\"1\"}}")) CHUNK(ENDS("STOP")),
			"text[<th```\n1\n```\n] end_turn"},
		{CHUNK(PARTS("{\"text\":\"<th\"}")) CHUNK(PARTS("{\"text\":\"ink>t</think>a\"}"))
				CHUNK(ENDS("STOP")),
			"thinking[t] text[a] end_turn"},
		{"\xef\xbb\xbf" CHUNK(PARTS("{\"text\":\"a\"}")) "data: {" PARTS(
			 "{\"text\":\"b\"}") "}data: {" ENDS("STOP") "}\n\n",
			"text[ab] end_turn"},
		{"{" PARTS("{\"text\":\"a\"}") "}\n\n", "text[a] end_turn"},
		{"{" PARTS("{\"functionCall\":{\"name\":\"f\",\"args\":\"{\\\"x\\\":1}\"}},"
			   "{\"functionCall\":{\"name\":\"f\",\"args\":null}}") "}",
			"f[{\"x\":1}] f[{}] tool_use"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_outline(&gemini, rows[i].body, rows[i].outline);
}

static void
test_failures(void **state)
{
	static const struct {
		const char *type, *body;
		bool complete;
		int status;
		const char *words;
	} rows[] = {
		{"application/json", "{}", true, 502, "without candidates"},
		{"application/json", "<html>", true, 502, "not JSON"},
		{"text/event-stream", CHUNK(USAGE), true, 502, "answer"},
		{"text/event-stream", CHUNK(PARTS("{\"text\":\"a\"}")), false, 502, "broke off"},
		{"text/event-stream", CHUNK(ENDS("MALFORMED_FUNCTION_CALL")), true, 502,
			"MALFORMED_FUNCTION_CALL"},
		{"text/event-stream",
			"data: {\"error\":{\"code\":429,\"message\":\"m\",\"status\":"
			"\"RESOURCE_EXHAUSTED\"}}\n\n",
			true, 429, "m"},
		{"application/json",
			"[{\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}]",
			true, 529, "m"},
		{"text/event-stream",
			CHUNK(PARTS("{\"text\":\"a\"}")) "data: "
							 "[{\"error\":{\"code\":503,\"message\":"
							 "\"m\"}}]\n\n",
			true, 529, "m"},
		{"text/event-stream",
			"{\"error\":{\"code\":400,\"message\":\"The input token count (12) exceeds "
			"the maximum number of tokens allowed (10).\"}}",
			true, 400, "prompt is too long: 12 tokens > 10 maximum"},
		{"application/json", "{" PARTS("{\"functionCall\":{\"args\":{}}}") "}", true, 502,
			"without a name"},
		{"application/json", "", true, 502, "empty"},
		{"text/event-stream", "<html><title>x</title></html>", true, 502, "<html>"},
		{"text/event-stream", CHUNK(PARTS("{\"text\":\"h\",\"thought\":true}")), true, 502,
			"answer"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_failure(&gemini, rows[i].type, rows[i].body, rows[i].complete, rows[i].status,
			rows[i].words);
}

/* H.17: the signature of a call is in its id, that of a thought or of the text behind it in the
 * thinking block's. */
static void
test_signatures_are_carried(void **state)
{
	static const char body[] =
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h\",\"thought\":true},{"
		"\"text\":"
		"\"a\",\"thoughtSignature\":\"T\"},{\"functionCall\":{\"name\":\"f\",\"args\":{}},"
		"\"thoughtSignature\":\"S+/=\"}]},\"finishReason\":\"STOP\"}]}";
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;
	struct json_document index = {0};
	struct carried carried;

	(void)state;
	assert_int_equal(
		answer_of(&gemini, "application/json", body, false, true, 9999, &out, &error),
		ANSWER_DONE);
	const struct json *message = json_read(&index, out.data, out.length, 1000, NULL);
	const struct json *thinking = json_first(json_member_array(message, "content"));
	const struct json *call = json_next(json_next(thinking));
	assert_true(
		round_trip_read_signature(json_member(thinking, "signature"), "gemini", &carried));
	assert_true(json_is_text(json_member(carried.object, "t"), "T"));
	carried_free(&carried);
	char *id = json_copy(json_member(call, "id"));
	assert_true(round_trip_read_call_id(id, "gemini", 1000, &carried));
	assert_true(json_is_text(json_member(json_member(carried.object, "x"), "s"), "S+/="));
	carried_free(&carried);
	free(id);
	json_document_free(&index);
	buffer_free(&out);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_a_fault_may_be_cured),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_forms_of_any_service),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_signatures_are_carried),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("gemini answer", tests, NULL, NULL);
}

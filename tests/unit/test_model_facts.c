/* What is known of services and models, and that requests follow it (PROTOCOL.md §B): each service
 * in the words and the shape that it takes. */
#include "translation.h"

#include <fnmatch.h>

#include "translate/model_facts.h"

#define SAYS(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"
#define THINK(type)      ",\"thinking\":{\"type\":\"" type "\"}"
#define BUDGET(tokens)   ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":" tokens "}"
#define EFFORT(word)                                                                               \
	",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"" word "\"}"

/* ---- efforts ---- */

static void
test_the_nearest_effort(void **state)
{
	static const struct {
		unsigned accepted;
		enum effort wanted, found;
	} rows[] = {
		{1U << EFFORT_NONE | 1U << EFFORT_LOW, EFFORT_NONE, EFFORT_NONE},
		{1U << EFFORT_MINIMAL | 1U << EFFORT_LOW, EFFORT_NONE, EFFORT_MINIMAL},
		{1U << EFFORT_HIGH, EFFORT_NONE, EFFORT_HIGH},
		{1U << EFFORT_NONE, EFFORT_LOW, EFFORTS},
		{1U << EFFORT_NONE | 1U << EFFORT_HIGH, EFFORT_LOW, EFFORT_HIGH},
		{1U << EFFORT_LOW | 1U << EFFORT_HIGH | 1U << EFFORT_MAX, EFFORT_MEDIUM,
			EFFORT_HIGH},
		{1U << EFFORT_LOW | 1U << EFFORT_HIGH | 1U << EFFORT_MAX, EFFORT_XHIGH,
			EFFORT_HIGH},
		{1U << EFFORT_LOW | 1U << EFFORT_HIGH, EFFORT_MAX, EFFORT_HIGH},
		{0, EFFORT_LOW, EFFORTS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(effort_nearest(rows[i].accepted, rows[i].wanted), rows[i].found);
}

static void
test_hosts_and_names(void **state)
{
	static const struct {
		const char *host, *model, *host_name, *as;
	} rows[] = {
		{"api.openai.com", "gpt-5.2-2026-01-01", "openai", "gpt-5.2"},
		{"api.openai.com:443", "vendor/GPT-5.2", "openai", "gpt-5.2"},
		{"res.openai.azure.com", "gpt-5-mini", "azure", "gpt-5"},
		{"dashscope-intl.aliyuncs.com", "qwen3.8-max", "qwen", "qwen3.8"},
		{"localhost:1234", "x", "lm-studio", "y"},
		{"127.0.0.1:11434", "qwen3:8b", "ollama", "qwen3"},
		{"gpu.example:8000", "Qwen/Qwen3-32B", "other", "qwen3"},
		{"notapi.openai.com.example", "x", "other", "y"},
		{"generativelanguage.googleapis.com", "models/gemini-pro-latest", "google",
			"gemini-9"},
		{"eu.openrouter.ai", "z-ai/glm-4.6:free", "openrouter", "glm-4.6"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct model_facts found = model_facts_find(rows[i].host, rows[i].model);
		const struct model_facts same = model_facts_find(rows[i].host, rows[i].as);
		assert_string_equal(found.host->name, rows[i].host_name);
		if (strcmp(rows[i].as, "gemini-9") != 0)
			assert_ptr_equal(found.model, same.model);
	}
}

/* Does a glob of those with blanks between match, as fnmatch has it? */
static bool
any_matches(const char *patterns, const char *name)
{
	char copy[512];
	char *save = NULL;
	bool found = false;

	snprintf(copy, sizeof(copy), "%s", patterns);
	for (char *glob = strtok_r(copy, " ", &save); glob != NULL;
		glob = strtok_r(NULL, " ", &save))
		found = found || fnmatch(glob, name, 0) == 0;
	return found;
}

static void
check_row(const struct model_row *first, const char *host, const char *name)
{
	const struct model_facts found = model_facts_find(host, name);
	const struct model_row *expected = first;

	while (!any_matches(expected->patterns, name) ||
		(expected->hosts != NULL && !any_matches(expected->hosts, found.host->name)))
		expected++;
	if (found.model != expected)
		fail_msg("%s: %s and not %s", name, found.model->patterns, expected->patterns);
}

/* A name that the glob matches, or nearly: ${star} stands for each star. */
static void
write_name(const char *glob, const char *star, char *name)
{
	for (; *glob != ' ' && *glob != '\0'; glob++) {
		if (*glob == '*') {
			name = stpcpy(name, star);
		} else if (*glob == '[') {
			*name++ = glob[1];
			glob = strchr(glob, ']');
		} else {
			*name++ = *glob;
		}
	}
	*name = '\0';
}

static void
check_around(const struct model_row *first, const char *host, const char *glob)
{
	static const char *const stars[] = {"", "x", "-1.5-pro"};
	char name[300];

	for (size_t i = 0; i < COUNT(stars); i++) {
		write_name(glob, stars[i], name);
		check_row(first, host, name);
		strcat(name, "z");
		check_row(first, host, name);
		if (strlen(name) > 2)
			name[strlen(name) - 2] = '\0';
		check_row(first, host, name);
		check_row(first, host, name + 1);
	}
}

/* Rows are found by a way of our own that is faster than fnmatch. */
static void
test_each_row_is_found_as_fnmatch_would_find_it(void **state)
{
	static const char *const some_hosts[] = {
		NULL, "api.deepseek.com", "api.moonshot.ai", "api.z.ai", "h:8000"};
	const struct model_row *first = model_facts_find(NULL, "gpt-oss").model;

	(void)state;
	for (size_t h = 0; h < COUNT(some_hosts); h++)
		for (const struct model_row *row = first;
			strcmp(row->patterns, "*") != 0 || row->hosts != NULL; row++)
			for (const char *at = row->patterns; at != NULL;
				at = strchr(at, ' ') != NULL ? strchr(at, ' ') + 1 : NULL)
				check_around(first, some_hosts[h], at);
}

/* A name that is in no row of its family gets what the newest takes. */
static void
test_unknown_names_are_new(void **state)
{
	(void)state;
	assert_ptr_equal(model_facts_find("api.openai.com", "gpt-8").model,
		model_facts_find("api.openai.com", "gpt-6-sol").model);
	assert_ptr_equal(model_facts_find("api.moonshot.ai", "kimi-k9").model,
		model_facts_find("api.moonshot.ai", "kimi-k3").model);
	assert_ptr_equal(model_facts_find("api.z.ai", "glm-7").model,
		model_facts_find("api.z.ai", "glm-5.3").model);
	assert_true(model_facts_find(NULL, "gemini-5-pro").model->flags & MODEL_SIGNED_CALLS);
}

/* ---- what a Chat service is told of thinking ---- */

static void
check_member(const char *host, const char *model, const char *in, const char *part, bool there)
{
	struct buffer text = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	struct claude_request request;
	struct api_error error = API_ERROR_NONE;
	struct tool_names *names = tool_names_new(openai_chat.name_rule);
	const struct translate_target target = {
		.model = model, .facts = model_facts_find(host, model)};

	buffer_printf(&text, "{\"model\":\"m\",\"max_tokens\":20000,%s%s}", PLAIN, in);
	assert_int_equal(
		claude_request_parse(buffer_text(&text), text.length, &request, &error), 0);
	assert_int_equal(claude_request_check(&request, CLAUDE_TO_ANSWER, &error), 0);
	assert_int_equal(openai_chat.write_request(&request, &target, names, &out, &error), 0);
	if ((strstr(buffer_text(&out), part) != NULL) != there)
		fail_msg("%s, %s%s: %s %s", host, model, in, buffer_text(&out), part);
	claude_request_free(&request);
	tool_names_free(names);
	buffer_free(&text);
	buffer_free(&out);
}

static void
test_thinking_in_each_services_words(void **state)
{
	static const struct {
		const char *host, *model, *in, *part;
	} rows[] = {
		{"api.openai.com", "gpt-5.1", THINK("disabled"), "\"reasoning_effort\":\"none\""},
		{"api.openai.com", "gpt-5-nano", THINK("disabled"),
			"\"reasoning_effort\":\"minimal\""},
		{"api.openai.com", "o4-mini", THINK("disabled"), "\"reasoning_effort\":\"low\""},
		{"api.openai.com", "gpt-5.2", EFFORT("max"), "\"reasoning_effort\":\"xhigh\""},
		{"api.openai.com", "gpt-5.6-sol", EFFORT("max"), "\"reasoning_effort\":\"max\""},
		{"api.openai.com", "gpt-5.6-sol", EFFORT("high") "," TOOL,
			"\"reasoning_effort\":\"none\""},
		{"api.openai.com", "gpt-5.4", "," TOOL, "\"reasoning_effort\":\"none\""},
		{"api.openai.com", "gpt-5.3", EFFORT("low") "," TOOL,
			"\"reasoning_effort\":\"low\""},
		{"api.deepseek.com", "deepseek-v4-pro", THINK("disabled"),
			"\"thinking\":{\"type\":\"disabled\"}}"},
		{"api.deepseek.com", "deepseek-flash", EFFORT("medium"),
			"\"thinking\":{\"type\":\"enabled\"},\"reasoning_effort\":\"high\""},
		{"api.deepseek.com", "deepseek-v4-pro",
			"," TOOL ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}",
			"\"thinking\":{\"type\":\"disabled\"}"},
		{"api.moonshot.cn", "kimi-k2.5", BUDGET("5000"),
			"\"thinking\":{\"type\":\"enabled\"}}"},
		{"api.moonshot.ai", "kimi-k3", BUDGET("2000"), "\"reasoning_effort\":\"low\""},
		{"open.bigmodel.cn", "glm-5.1", THINK("disabled"),
			"\"thinking\":{\"type\":\"disabled\"}"},
		{"api.z.ai", "glm-5.3", EFFORT("medium"), "\"reasoning_effort\":\"high\""},
		{"dashscope.aliyuncs.com", "qwen-plus", THINK("disabled"),
			"\"enable_thinking\":false"},
		{"dashscope.aliyuncs.com", "qwen3.7-max", BUDGET("5000"),
			"\"enable_thinking\":true,\"thinking_budget\":5000"},
		{"api.minimax.io", "MiniMax-M3", EFFORT("low"),
			"\"thinking\":{\"type\":\"adaptive\"}"},
		{"api.mistral.ai", "mistral-medium-3.5", EFFORT("low"),
			"\"reasoning_effort\":\"high\""},
		{"api.groq.com", "qwen/qwen3.8-27b", THINK("disabled"),
			"\"reasoning_format\":\"parsed\",\"reasoning_effort\":\"none\""},
		{"api.x.ai", "grok-4.5", EFFORT("xhigh"), "\"reasoning_effort\":\"high\""},
		{"openrouter.ai", "anthropic/claude-sonnet-4.5", BUDGET("4000"),
			"\"reasoning\":{\"max_tokens\":4000}"},
		{"openrouter.ai", "x/y", BUDGET("30000"), "\"reasoning\":{\"effort\":\"high\"}"},
		{"openrouter.ai", "google/gemini-3-pro-preview", EFFORT("medium"),
			"\"reasoning\":{\"effort\":\"high\"}"},
		{"openrouter.ai", "x/y", THINK("adaptive"), "\"reasoning\":{\"enabled\":true}"},
		{"openrouter.ai", "x/y", THINK("disabled"), "\"reasoning\":{\"enabled\":false}"},
		{"openrouter.ai", "openai/o3", THINK("disabled"),
			"\"reasoning\":{\"effort\":\"low\"}"},
		{"api.together.ai", "zai-org/GLM-4.6", THINK("disabled"), "\"max_tokens\":20000"},
		{"gpu.example:8000", "Qwen/Qwen3-32B", THINK("disabled"),
			"\"chat_template_kwargs\":{\"enable_thinking\":false,\"thinking\":false}"},
		{"gpu.example:8000", "gpt-oss-20b", EFFORT("max"), "\"reasoning_effort\":\"high\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_member(rows[i].host, rows[i].model, rows[i].in, rows[i].part, true);
}

/* What no row says is not sent. */
static void
test_members_that_are_not_sent(void **state)
{
	static const struct {
		const char *host, *model, *in, *part;
	} rows[] = {
		{"api.openai.com", "gpt-4o", EFFORT("high"), "reasoning"},
		{"api.openai.com", "gpt-5-chat-latest", EFFORT("high"), "reasoning"},
		{"api.openai.com", "gpt-5", ",\"temperature\":1", "temperature"},
		{"api.openai.com", "gpt-5.1", EFFORT("low") ",\"temperature\":1", "temperature"},
		{"gateway.example", "claude-sonnet-4-5", THINK("disabled"), "kwargs"},
		{"gateway.example", "claude-sonnet-4-5", EFFORT("low"), "effort"},
		{"api.deepseek.com", "deepseek-v4-pro", THINK("disabled"), "reasoning_effort"},
		{"api.deepseek.com", "deepseek-v4-pro",
			"," TOOL ",\"tool_choice\":{\"type\":\"auto\"}", "tool_choice"},
		{"api.minimax.io", "MiniMax-M2.7", "," TOOL ",\"tool_choice\":{\"type\":\"any\"}",
			"tool_choice"},
		{"api.moonshot.ai", "kimi-k2.7-code", THINK("disabled"), "disabled"},
		{"api.mistral.ai", "mistral-large-latest", ",\"metadata\":{\"user_id\":\"me\"}",
			"\"user\":"},
		{"api.groq.com", "llama-3.3-70b-versatile", EFFORT("low"), "reasoning"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_member(rows[i].host, rows[i].model, rows[i].in, rows[i].part, false);
}

static void
test_other_members(void **state)
{
	static const struct {
		const char *host, *model, *in, *part;
	} rows[] = {
		{"api.openai.com", "gpt-4o", "", "\"max_completion_tokens\":16384"},
		{"api.cerebras.ai", "x", "", "\"max_completion_tokens\":20000"},
		{"gateway.example", "gpt-4o", "", "\"max_tokens\":20000"},
		{"gateway.example", "gpt-5.2", "", "\"max_completion_tokens\":20000"},
		{"api.openai.com", "gpt-5.1", ",\"temperature\":0.5", "\"temperature\":0.5"},
		{"localhost:1234", "x",
			"," TOOL ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}",
			"\"tool_choice\":\"required\""},
		{"api.moonshot.ai", "kimi-k2.6", "," TOOL ",\"tool_choice\":{\"type\":\"any\"}",
			"\"tool_choice\":\"auto\""},
		{"gateway.example", "x", ",\"metadata\":{\"user_id\":\"me\"}", "\"user\":\"me\""},
		{"api.deepseek.com", "x", ",\"metadata\":{\"user_id\":\"me\"}", "\"user_id\":\""},
		{"api.openai.com", "x",
			",\"metadata\":{\"user_id\":\"user_1_account__session_s-1\"}",
			"\"prompt_cache_key\":\"s-1\""},
		{"api.deepseek.com", "x",
			",\"output_format\":{\"type\":\"json_schema\",\"schema\":{\"const\":1}}",
			"\"response_format\":{\"type\":\"json_object\"}"},
		{"api.deepseek.com", "x",
			",\"output_format\":{\"type\":\"json_schema\",\"schema\":{\"const\":1}}",
			"{\\\"const\\\":1}"},
		{"dashscope.aliyuncs.com", "qwq-plus", "", "\"stream\":true"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_member(rows[i].host, rows[i].model, rows[i].in, rows[i].part, true);
}

/* A person is told as a hash, never in a piece of JSON, and not beside a session. */
static void
test_who_asks(void **state)
{
	static const char device[] =
		",\"metadata\":{\"user_id\":\"{\\\"device_id\\\":\\\"d0d0\\\",\\\"session_id\\\":"
		"\\\"s-2\\\"}\"}";

	(void)state;
	check_member("api.openai.com", "x", device, "d0d0", false);
	check_member("api.openai.com", "x", device, "\"safety_identifier\":\"", true);
	check_member("api.openai.com", "x", device, "\"prompt_cache_key\":\"s-2\"", true);
	check_member("gateway.example", "x", device, "\"user\":", false);
	check_member("gateway.example", "x", device, "prompt_cache_key", false);
}

/* ---- shape ---- */

#define CALLED                                                                                     \
	SAYS("user", "u")                                                                          \
	",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"toolu_1\","         \
	"\"name\":"                                                                                \
	"\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_"  \
	"use_id\":\"toolu_1\",\"content\":\"r\"},{\"type\":\"text\",\"text\":\"t\"}]}"
#define CALL(id)                                                                                   \
	"\"tool_calls\":[{\"id\":\"" id                                                            \
	"\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}"
#define RESULT(id, text) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text "\"}"

static void
check_messages(const char *host, const char *model, const char *in, const char *out)
{
	struct buffer text = BUFFER_INIT(0);

	buffer_printf(&text, "\"messages\":[%s]", out);
	struct buffer from = BUFFER_INIT(0);
	buffer_printf(&from, ",%s", in);
	/* A member of that name counts as the last of its kind. */
	check_member(host, model, buffer_text(&from), buffer_text(&text), true);
	buffer_free(&text);
	buffer_free(&from);
}

static void
test_shapes(void **state)
{
	static const char middle[] = "\"system\":\"S\",\"messages\":[" SAYS("user", "a") "," SAYS(
		"system", "x") "," SAYS("assistant", "b") "," SAYS("user", "c") "," SAYS("system",
		"y") "]";
	static const char rows[] = "\"messages\":[" SAYS("user", "a") "," SAYS(
		"user", "b") "," SAYS("assistant", "c") "," SAYS("assistant", "d") "]";

	(void)state;
	check_messages("api.openai.com", "gpt-5", middle,
		SAYS("system", "S") "," SAYS("user", "a") "," SAYS("system", "x") "," SAYS(
			"assistant", "b") "," SAYS("user", "c") "," SAYS("system", "y"));
	check_messages("gpu.example", "x", middle,
		SAYS("system", "S") "," SAYS("user", "a\\n\\n<system>x</system>") "," SAYS(
			"assistant", "b") "," SAYS("user", "c\\n\\n<system>y</system>"));
	check_messages("gpu.example", "x", rows,
		SAYS("user", "a\\n\\nb") "," SAYS("assistant", "c\\n\\nd"));
	check_messages("api.deepseek.com", "x",
		"\"messages\":[" SAYS("user", "a") "," SAYS("assistant", "b") "]",
		SAYS("user", "a") ",{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_"
				  "content\":\"\"}," SAYS("user", "Continue."));
	check_messages("api.mistral.ai", "x",
		"\"messages\":[" SAYS("user", "a") "," SAYS("assistant", "b") "]",
		SAYS("user", "a") ",{\"role\":\"assistant\",\"content\":\"b\",\"prefix\":true}");
	check_messages("gpu.example", "x", "\"messages\":[" CALLED "]",
		SAYS("user", "u") ",{\"role\":\"assistant\",\"content\":null," CALL(
			"toolu_1") "," RESULT("toolu_1", "r") "," SAYS("user", "t"));
	check_messages("api.mistral.ai", "x", "\"messages\":[" CALLED "]",
		SAYS("user", "u") ",{\"role\":\"assistant\",\"content\":null," CALL(
			"4b02d7599") "," RESULT("4b02d7599", "r\\n\\nt"));
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_nearest_effort),
		cmocka_unit_test(test_hosts_and_names),
		cmocka_unit_test(test_each_row_is_found_as_fnmatch_would_find_it),
		cmocka_unit_test(test_unknown_names_are_new),
		cmocka_unit_test(test_thinking_in_each_services_words),
		cmocka_unit_test(test_members_that_are_not_sent),
		cmocka_unit_test(test_other_members),
		cmocka_unit_test(test_who_asks),
		cmocka_unit_test(test_shapes),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("model facts", tests, NULL, NULL);
}

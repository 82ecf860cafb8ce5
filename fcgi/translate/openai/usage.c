/*
 * Usage, whatever its members are called; see usage.h.
 */
#include "translate/openai/usage.h"

#include "base/json/json.h"
#include "translate/answer/reader.h"
#include "translate/answer/upstream_json.h"

enum { MOST_NAMES = 6 };

/* What one thing is called, ends in NULL; ${inside}: in the details of the input. */
struct count_names {
	const char *inside[MOST_NAMES];
	const char *outside[MOST_NAMES];
};

/* OpenAI, Qwen, OpenRouter and most others have it in the details; Kimi and Together, Mistral,
 * DeepSeek, and gateways before Claude beside the prompt's count. */
static const struct count_names cached = {
	{"cached_tokens", NULL},
	{"cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens",
		NULL},
};

/* OpenAI and OpenRouter; gateways; Qwen. */
static const struct count_names written = {
	{"cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens", NULL},
	{"cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens", NULL},
};

/* The first of the members that counts something. */
static uint64_t
count_of(const struct json *object, const char *const *names)
{
	uint64_t count = 0;

	for (; *names != NULL && count == 0; names++)
		count = upstream_json_count(object, *names);
	return count;
}

/* Chat Completions, Mistral's misspelling of it, and Responses. */
static const struct json *
details_of(const struct json *usage)
{
	static const char *const names[] = {
		"prompt_tokens_details", "input_tokens_details", "prompt_token_details"};
	const struct json *details = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && details == NULL; i++)
		details = json_member_object(usage, names[i]);
	return details;
}

static uint64_t
cache_count(const struct json *usage, const struct count_names *names)
{
	uint64_t count = count_of(details_of(usage), names->inside);

	return count > 0 ? count : count_of(usage, names->outside);
}

/* xAI does not count its reasoning among the completion; then the total tells. */
static uint64_t
reasoning_apart(const struct json *usage, const struct reader_usage *told)
{
	uint64_t total = upstream_json_count(usage, "total_tokens");
	uint64_t reasoning = upstream_json_count(
		json_member(usage, "completion_tokens_details"), "reasoning_tokens");

	return total == told->input + told->output + reasoning ? reasoning : 0;
}

void
openai_take_usage(struct reader *r, const struct json *usage)
{
	static const char *const input[] = {"prompt_tokens", "input_tokens", NULL};
	static const char *const output[] = {"completion_tokens", "output_tokens", NULL};

	if (!json_is_object(usage))
		return;
	struct reader_usage told = {
		.input = count_of(usage, input),
		.cached = cache_count(usage, &cached),
		.written = cache_count(usage, &written),
		.output = count_of(usage, output),
	};
	told.output += reasoning_apart(usage, &told);
	reader_usage(r, &told);
}

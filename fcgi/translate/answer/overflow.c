/*
 * Refusals of a context that is too long; see overflow.h.
 *
 * No two services word them alike, and most tell numbers in an order of their own.  So one table
 * says by which words such a refusal is known, another what a number in it counts, by the words
 * that stand next to it; what the refusal amounts to is then a matter of arithmetic.  The order of
 * the rows means nothing in either.
 */
#include "translate/answer/overflow.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"

/* When a wording is enough to tell. */
enum certainty { ALWAYS, WITH_413 };

/* What may be too long by this wording. */
enum subject { PROMPT_ONLY, PROMPT_OR_SUM };

static const struct {
	const char *words;
	enum certainty certain;
	enum subject subject;
} wordings[] = {
	/* OpenAI, DeepSeek, vLLM, SGLang, OpenRouter, Fireworks, LiteLLM in front of any */
	{"maximum context length", ALWAYS, PROMPT_OR_SUM},
	{"exceeds the context window", ALWAYS, PROMPT_OR_SUM},
	{"context length is only", ALWAYS, PROMPT_OR_SUM},
	{"input tokens exceed", ALWAYS, PROMPT_ONLY},
	{"context length exceeded", ALWAYS, PROMPT_OR_SUM},
	{"context_length_exceeded", ALWAYS, PROMPT_OR_SUM},
	{"ContextWindowExceededError", ALWAYS, PROMPT_OR_SUM},
	{"longer than the model's context length", ALWAYS, PROMPT_ONLY},
	{"longer than the maximum model length", ALWAYS, PROMPT_ONLY},
	{"too long to fit into the model", ALWAYS, PROMPT_ONLY},
	/* MiniMax, Moonshot, GLM, Qwen */
	{"context window exceeds limit", ALWAYS, PROMPT_OR_SUM},
	{"exceeded model token limit", ALWAYS, PROMPT_OR_SUM},
	{"prompt exceeds max length", ALWAYS, PROMPT_ONLY},
	{"range of input length should be", ALWAYS, PROMPT_ONLY},
	/* llama.cpp, LM Studio, Ollama */
	{"exceeds the available context size", ALWAYS, PROMPT_OR_SUM},
	{"context length of only", ALWAYS, PROMPT_OR_SUM},
	{"tokens to keep from the initial prompt", ALWAYS, PROMPT_ONLY},
	{"context size has been exceeded", ALWAYS, PROMPT_OR_SUM},
	{"prompt too long", ALWAYS, PROMPT_ONLY},
	/* Together, Mistral, xAI, Groq, Copilot */
	{"inputs` tokens + `max_new_tokens", ALWAYS, PROMPT_OR_SUM},
	{"inputs tokens + max_new_tokens", ALWAYS, PROMPT_OR_SUM},
	{"inputs` must have less than", ALWAYS, PROMPT_ONLY},
	{"too large for model with", ALWAYS, PROMPT_ONLY},
	{"maximum prompt length is", ALWAYS, PROMPT_ONLY},
	{"reduce the length of the messages", ALWAYS, PROMPT_OR_SUM},
	{"request too large for model", WITH_413, PROMPT_OR_SUM}, /* more than a minute's tokens */
	{"prompt token count of", ALWAYS, PROMPT_ONLY},
	{"failed to parse request", WITH_413, PROMPT_ONLY},
	/* Gemini, Claude, Bedrock */
	{"input token count", ALWAYS, PROMPT_ONLY},
	{"exceeds the maximum number of tokens", ALWAYS, PROMPT_ONLY},
	{"prompt is too long", ALWAYS, PROMPT_ONLY},
	{"exceed context limit", ALWAYS, PROMPT_OR_SUM},
	{"input is too long", ALWAYS, PROMPT_ONLY},
};

/* What a number counts, in tokens. */
enum part {
	NOTHING,
	LIMIT,
	PROMPT,
	PROMPT_PIECE, /* one of several that add up */
	OUTPUT,
	SUM, /* of prompt and output */
	PARTS,
};

enum side { BEFORE, AFTER }; /* where the words stand, seen from the number */

static const struct {
	const char *words;
	enum side side;
	enum part part;
} labels[] = {
	{"maximum context length is", BEFORE, LIMIT},
	{"maximum context length of", BEFORE, LIMIT},
	{"maximum context length:", BEFORE, LIMIT},
	{"maximum context length", AFTER, LIMIT},
	{"maximum model length of", BEFORE, LIMIT},
	{"maximum prompt length is", BEFORE, LIMIT},
	{"context length (", BEFORE, LIMIT},
	{"(context length", BEFORE, LIMIT},
	{"context length of only", BEFORE, LIMIT},
	{"context length is only", BEFORE, LIMIT},
	{"context size (", BEFORE, LIMIT},
	{"tokens allowed", BEFORE, LIMIT},
	{"tokens allowed (", BEFORE, LIMIT},
	{"token limit:", BEFORE, LIMIT},
	{"input length should be [1,", BEFORE, LIMIT},
	{"model with", BEFORE, LIMIT},
	{"limit of", BEFORE, LIMIT},
	{"limit", BEFORE, LIMIT},
	{"must be <=", BEFORE, LIMIT},
	{"must have less than", BEFORE, LIMIT},
	{">", BEFORE, LIMIT},
	{"maximum", AFTER, LIMIT},

	{"messages resulted in", BEFORE, PROMPT},
	{"the request contains", BEFORE, PROMPT},
	{"request (", BEFORE, PROMPT},
	{"the input (", BEFORE, PROMPT},
	{"prompt (length", BEFORE, PROMPT},
	{"prompt (total length", BEFORE, PROMPT},
	{"prompt contains", BEFORE, PROMPT},
	{"token count of", BEFORE, PROMPT},
	{"token count (", BEFORE, PROMPT},
	{"prompt is too long:", BEFORE, PROMPT},
	{"keep the first", BEFORE, PROMPT},
	{"given:", BEFORE, PROMPT},
	{"exceed context limit:", BEFORE, PROMPT},
	{"input tokens", AFTER, PROMPT},
	{"inputs tokens", AFTER, PROMPT},
	{"`inputs` tokens", AFTER, PROMPT},
	{"tokens from the input messages", AFTER, PROMPT},
	{"in the messages", AFTER, PROMPT_PIECE},
	{"in the functions", AFTER, PROMPT_PIECE},
	{"in your prompt", AFTER, PROMPT_PIECE},
	{"in the prompt", AFTER, PROMPT_PIECE},
	{"of text input", AFTER, PROMPT_PIECE},
	{"of tool input", AFTER, PROMPT_PIECE},
	{"of image input", AFTER, PROMPT_PIECE},
	{"of audio input", AFTER, PROMPT_PIECE},
	{"of video input", AFTER, PROMPT_PIECE},
	{"of file input", AFTER, PROMPT_PIECE},

	{"+", BEFORE, OUTPUT},
	{"is too large:", BEFORE, OUTPUT},
	{"in the completion", AFTER, OUTPUT},
	{"for the completion", AFTER, OUTPUT},
	{"tokens for the completion", AFTER, OUTPUT},
	{"in the output", AFTER, OUTPUT},
	{"output tokens", AFTER, OUTPUT},
	{"max_new_tokens", AFTER, OUTPUT},
	{"`max_new_tokens`", AFTER, OUTPUT},

	{"requested", BEFORE, SUM},
	{"requested:", BEFORE, SUM},
	{"requested about", BEFORE, SUM},
	{"a total of", BEFORE, SUM},
	{"a total of at least", BEFORE, SUM},
};

/* How services call the output limit of a request. */
static const char *const output_limits[] = {
	"max_tokens",
	"max_completion_tokens",
	"max_output_tokens",
	"maxOutputTokens",
	"max_new_tokens",
	"completion tokens",
	"output tokens",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- numbers ---- */

/* Where a number stops growing, so that no sum of those in one message wraps. */
static const uint64_t largest_number = 1000000000000;

/* A number in a text, which may be written with commas: 1,048,576. */
struct number {
	const char *start;
	const char *end;
	uint64_t value;
};

/* Is it a comma that three digits follow, and no more? */
static bool
is_thousands(const char *at)
{
	return *at == ',' && strspn(at + 1, "0123456789") == 3;
}

/* The next number from ${at} on.  False: there is none. */
static bool
find_number(const char *at, struct number *n)
{
	n->start = at + strcspn(at, "0123456789");
	n->value = 0;
	for (at = n->start; isdigit((unsigned char)*at) || is_thousands(at); at++)
		if (*at != ',' && n->value < largest_number)
			n->value = n->value * 10 + (uint64_t)(*at - '0');
	n->end = at;
	return n->end > n->start;
}

/* Do the words end where the number starts, but for spaces? */
static bool
stands_before(const char *text, const char *start, const char *words, size_t length)
{
	while (start > text && start[-1] == ' ')
		start--;
	return (size_t)(start - text) >= length && strncasecmp(start - length, words, length) == 0;
}

static bool
stands_after(const char *end, const char *words, size_t length)
{
	return strncasecmp(end + strspn(end, " "), words, length) == 0;
}

/* What the number counts, by the longest words that stand next to it. */
static enum part
part_of(const char *text, const struct number *n)
{
	enum part part = NOTHING;
	size_t longest = 0;

	for (size_t i = 0; i < COUNT(labels); i++) {
		const char *words = labels[i].words;
		size_t length = strlen(words);
		if (length > longest &&
			(labels[i].side == BEFORE ? stands_before(text, n->start, words, length)
						  : stands_after(n->end, words, length))) {
			part = labels[i].part;
			longest = length;
		}
	}
	return part;
}

/* Of what is told twice, as in "(64000 > 32768 - 17459)", the first counts; pieces add up. */
static void
read_numbers(const char *text, uint64_t parts[PARTS])
{
	struct number n;

	for (const char *at = text; find_number(at, &n); at = n.end) {
		enum part part = part_of(text, &n);
		if (part == PROMPT_PIECE)
			parts[part] += n.value;
		else if (parts[part] == 0)
			parts[part] = n.value;
	}
}

/* ---- what it amounts to ---- */

struct amounts {
	uint64_t prompt; /* tokens; 0 if not told, as the rest */
	uint64_t output;
	uint64_t sum;
	uint64_t limit;
	bool guessed; /* prompt and output follow from what the request asked for */
};

/* What two of prompt, output and sum say about the third. */
static void
complete(struct amounts *a, uint64_t asked_output)
{
	a->guessed = a->prompt == 0 && a->output == 0;
	if (a->guessed)
		a->output = asked_output;
	if (a->prompt == 0 && a->output > 0 && a->sum > a->output)
		a->prompt = a->sum - a->output;
	else if (a->output == 0 && a->sum > a->prompt)
		a->output = a->sum - a->prompt;
}

static struct amounts
measure(const char *message, const struct overflow_facts *facts)
{
	uint64_t parts[PARTS] = {0};

	read_numbers(message, parts);
	struct amounts a = {
		.prompt = parts[PROMPT] > 0 ? parts[PROMPT] : parts[PROMPT_PIECE],
		.output = parts[OUTPUT],
		.sum = parts[SUM],
		.limit = facts->limit > 0 ? facts->limit : parts[LIMIT],
	};
	if (facts->prompt > 0)
		a.prompt = facts->prompt;
	if (a.sum > 0)
		complete(&a, facts->asked_output);
	return a;
}

/* Is only the sum of prompt and output more than the limit? */
static bool
is_only_sum(const struct amounts *a)
{
	return a->prompt > 0 && a->prompt <= a->limit && a->output > a->limit - a->prompt;
}

static bool
names_output_limit(const char *message)
{
	for (size_t i = 0; i < COUNT(output_limits); i++)
		if (strcasestr(message, output_limits[i]) != NULL)
			return true;
	return false;
}

/* Does the message, or a code with it, say that the context is too long? */
static bool
is_overflow(const char *message, const struct overflow_facts *facts, const struct amounts *a)
{
	bool found = facts->told_by_code;

	for (size_t i = 0; i < COUNT(wordings); i++) {
		bool certain = wordings[i].certain == ALWAYS || facts->too_large;
		if (!certain || strcasestr(message, wordings[i].words) == NULL)
			continue;
		if (wordings[i].subject == PROMPT_ONLY)
			return true;
		found = true;
	}
	/* Who speaks of the output limit and of no prompt refuses the limit. */
	return found && (a->prompt > 0 || a->sum > 0 || !names_output_limit(message));
}

static void
write_sum(struct buffer *out, const struct amounts *a)
{
	buffer_printf(out,
		"input length and `max_tokens` exceed context limit: %llu + %llu > %llu, "
		"decrease input length or `max_tokens` and try again",
		(unsigned long long)a->prompt, (unsigned long long)a->output,
		(unsigned long long)a->limit);
}

static void
write_prompt(struct buffer *out, const struct amounts *a)
{
	uint64_t sent = a->guessed || a->prompt == 0 ? a->sum : a->prompt;

	buffer_puts(out, "prompt is too long");
	if (sent > a->limit && a->limit > 0)
		buffer_printf(out, ": %llu tokens > %llu maximum", (unsigned long long)sent,
			(unsigned long long)a->limit);
	else if (a->limit > 0)
		buffer_printf(
			out, ": more tokens than the %llu maximum", (unsigned long long)a->limit);
}

bool
overflow_rephrase(struct buffer *out, const char *message, const struct overflow_facts *facts)
{
	const struct amounts a = measure(message, facts);

	if (!is_overflow(message, facts, &a))
		return false;
	if (is_only_sum(&a))
		write_sum(out, &a);
	else
		write_prompt(out, &a);
	return true;
}

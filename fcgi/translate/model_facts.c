/*
 * What is known of services and models; see model_facts.h.  State of the services' own documents
 * and clients: November 2026.
 */
#include "translate/model_facts.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

#include "base/buffer.h"
#include "base/url.h"

enum { LONGEST_NAME = 256 };

/* Efforts, as they stand in the table. */
#define N   (1U << EFFORT_NONE)
#define MIN (1U << EFFORT_MINIMAL)
#define L   (1U << EFFORT_LOW)
#define M   (1U << EFFORT_MEDIUM)
#define H   (1U << EFFORT_HIGH)
#define X   (1U << EFFORT_XHIGH)
#define MAX (1U << EFFORT_MAX)
#define LMH (L | M | H)

/* ---- the hosts: the first row that matches counts, the last takes the rest ---- */

static const struct host_facts hosts[] = {
	{.name = "openai",
		.patterns = "api.openai.com *.api.openai.com",
		.control = CONTROL_EFFORT,
		.user = USER_SAFETY_IDENTIFIER,
		.limit = "max_completion_tokens",
		.flags = HOST_SYSTEM_ANYWHERE | HOST_CACHE_KEY | HOST_BOTH_INTERFACES |
			 HOST_CLOSED_TOP | HOST_TELLS_SOURCES | HOST_SEARCH_MOVES | HOST_PHASES},
	{.name = "azure",
		.patterns = "*.openai.azure.com *.services.ai.azure.com "
			    "*.cognitiveservices.azure.com",
		.control = CONTROL_EFFORT,
		.user = USER_SAFETY_IDENTIFIER,
		.flags = HOST_CACHE_KEY | HOST_BOTH_INTERFACES | HOST_CLOSED_TOP |
			 HOST_TELLS_SOURCES | HOST_PHASES},
	{.name = "deepseek",
		.patterns = "api.deepseek.com",
		.control = CONTROL_TYPE,
		.user = USER_DEEPSEEK,
		.trailing = TRAILING_REFUSED,
		.limit = "max_tokens",
		.flags = HOST_NO_STRICT | HOST_NO_PARALLEL},
	{.name = "moonshot",
		.patterns = "api.moonshot.ai api.moonshot.cn api.kimi.com",
		.control = CONTROL_TYPE,
		.trailing = TRAILING_PARTIAL,
		.limit = "max_tokens",
		.flags = HOST_CACHE_KEY | HOST_TYPE_IN_BRANCHES | HOST_BUILTIN_SEARCH},
	{.name = "zai",
		.patterns = "api.z.ai open.bigmodel.cn",
		.control = CONTROL_TYPE,
		.limit = "max_tokens",
		.search = SEARCH_GLM,
		.flags = HOST_ONLY_AUTO_CHOICE},
	{.name = "qwen",
		.patterns = "*.aliyuncs.com",
		.control = CONTROL_ENABLE,
		.limit = "max_tokens",
		.search = SEARCH_SWITCH,
		.flags = HOST_CACHE_CONTROL},
	{.name = "minimax",
		.patterns = "api.minimax.io api.minimaxi.com",
		.control = CONTROL_TYPE,
		.limit = "max_completion_tokens",
		.flags = HOST_NO_STRICT | HOST_NO_TOOL_CHOICE | HOST_NO_PARALLEL | HOST_BEARER},
	{.name = "mistral",
		.patterns = "api.mistral.ai",
		.control = CONTROL_EFFORT,
		.trailing = TRAILING_PREFIX,
		.limit = "max_tokens",
		.flags = HOST_CACHE_KEY | HOST_NO_STREAM_OPTIONS},
	{.name = "groq",
		.patterns = "api.groq.com",
		.control = CONTROL_EFFORT,
		.search = SEARCH_GROQ,
		.flags = HOST_PARSED_REASONING},
	{.name = "cerebras",
		.patterns = "api.cerebras.ai",
		.control = CONTROL_EFFORT,
		.limit = "max_completion_tokens",
		.flags = HOST_CACHE_KEY},
	{.name = "xai",
		.patterns = "api.x.ai",
		.control = CONTROL_EFFORT,
		.flags = HOST_BOTH_INTERFACES | HOST_EXCLUDES_SITES | HOST_SEARCH_MOVES},
	{.name = "openrouter",
		.patterns = "openrouter.ai *.openrouter.ai",
		.control = CONTROL_REASONING,
		.user = USER_PLAIN,
		.search = SEARCH_OPENROUTER,
		.flags = HOST_CACHE_CONTROL | HOST_BEARER},
	{.name = "together",
		.patterns = "api.together.ai api.together.xyz",
		.control = CONTROL_SWITCH,
		.limit = "max_tokens"},
	{.name = "fireworks",
		.patterns = "api.fireworks.ai",
		.control = CONTROL_EFFORT,
		.limit = "max_tokens",
		.flags = HOST_BEARER | HOST_PLAIN_TOOLS},
	{.name = "nvidia",
		.patterns = "integrate.api.nvidia.com",
		.control = CONTROL_TEMPLATE,
		.limit = "max_tokens"},
	{.name = "copilot",
		.patterns = "api.githubcopilot.com *.githubcopilot.com",
		.control = CONTROL_NONE,
		.limit = "max_tokens",
		.flags = HOST_BOTH_INTERFACES | HOST_BEARER},
	{.name = "google",
		.patterns = "generativelanguage.googleapis.com",
		.control = CONTROL_EFFORT,
		.flags = HOST_GOOGLE},
	{.name = "vertex",
		.patterns = "*aiplatform.googleapis.com",
		.control = CONTROL_EFFORT,
		.flags = HOST_VERTEX},
	{.name = "ollama",
		.patterns = "ollama.com *.ollama.com",
		.control = CONTROL_EFFORT,
		.user = USER_PLAIN,
		.limit = "max_tokens",
		.flags = HOST_BEARER | HOST_NO_SEARCH},
	{.name = "ollama",
		.patterns = "*:11434",
		.control = CONTROL_EFFORT,
		.user = USER_PLAIN,
		.limit = "max_tokens",
		.flags = HOST_NO_SEARCH},
	{.name = "lm-studio",
		.patterns = "*:1234",
		.control = CONTROL_EFFORT,
		.user = USER_PLAIN,
		.limit = "max_tokens",
		.flags = HOST_NO_NAMED_CHOICE | HOST_NO_PARALLEL | HOST_NO_SEARCH},
	{.name = "other", .control = CONTROL_TEMPLATE, .user = USER_PLAIN},
};

/* A service's own host, where the request is translated without one: it takes whatever it knows. */
static const struct host_facts own_host = {.name = "own",
	.control = CONTROL_EFFORT,
	.user = USER_SAFETY_IDENTIFIER,
	.flags = HOST_SYSTEM_ANYWHERE | HOST_CACHE_KEY | HOST_CLOSED_TOP | HOST_GOOGLE |
		 HOST_TELLS_SOURCES | HOST_PHASES};

/* ---- the models: the first row that matches counts ---- */

#define OPENAI_THINKS                                                                              \
	(MODEL_THINKS | MODEL_NO_SAMPLING | MODEL_NO_STOP | MODEL_COMPLETION_LIMIT |               \
		MODEL_EFFORT_ANYWHERE)
#define OPENAI_AT_NONE                                                                             \
	(MODEL_THINKS | MODEL_SAMPLES_AT_NONE | MODEL_NO_STOP | MODEL_COMPLETION_LIMIT |           \
		MODEL_EFFORT_ANYWHERE)
#define GEMINI_2 (MODEL_ONE_TOOL_KIND | MODEL_NO_FORMAT_BESIDE_TOOLS)
#define HYBRID   (MODEL_THINKS | MODEL_CAN_BE_OFF)

static const struct model_row models[] = {
	/* OpenAI, and its open models wherever they run */
	{.patterns = "gpt-oss*",
		.hosts = "groq",
		.efforts = LMH,
		.flags = MODEL_THINKS | MODEL_EFFORT_ANYWHERE | MODEL_BROWSES,
		.context = 131072,
		.output = 65536},
	{.patterns = "gpt-oss*",
		.hosts = "cerebras",
		.efforts = LMH,
		.flags = MODEL_THINKS | MODEL_EFFORT_ANYWHERE,
		.context = 131072,
		.output = 40960},
	{.patterns = "gpt-oss*",
		.efforts = LMH,
		.flags = MODEL_THINKS | MODEL_EFFORT_ANYWHERE | MODEL_BROWSES},
	{.patterns = "compound compound-mini", .hosts = "groq", .flags = MODEL_SEARCHES},
	{.patterns = "gpt-4o-search-preview* gpt-4o-mini-search-preview*",
		.flags = MODEL_NO_SAMPLING | MODEL_SEARCHES,
		.context = 128000,
		.output = 16384},
	{.patterns = "gpt-5-search-api*",
		.flags = MODEL_NO_SAMPLING | MODEL_NO_STOP | MODEL_COMPLETION_LIMIT |
			 MODEL_SEARCHES},
	{.patterns = "gpt-4.1-nano*",
		.flags = MODEL_NO_SEARCH,
		.context = 1047576,
		.output = 32768},
	{.patterns = "gpt-4.1*", .context = 1047576, .output = 32768},
	{.patterns = "gpt-4o* chatgpt-4o*", .context = 128000, .output = 16384},
	{.patterns = "gpt-3* gpt-4*"},
	{.patterns = "o1-pro* o3-pro* o[0-9]-deep-research* o[0-9]-mini-deep-research*",
		.efforts = LMH,
		.flags = OPENAI_THINKS | MODEL_RESPONSES_ONLY,
		.context = 200000,
		.output = 100000},
	{.patterns = "o[0-9] o[0-9]-*",
		.efforts = LMH,
		.flags = OPENAI_THINKS,
		.context = 200000,
		.output = 100000},
	{.patterns = "gpt-5-pro*",
		.efforts = H,
		.flags = OPENAI_THINKS | MODEL_RESPONSES_ONLY,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-5-chat*", .context = 400000, .output = 128000},
	{.patterns = "gpt-5.[0-9]-chat* chat-latest",
		.efforts = M,
		.flags = OPENAI_THINKS,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-5.1-codex-max* gpt-5.2-codex*",
		.efforts = LMH | X,
		.flags = OPENAI_THINKS | MODEL_RESPONSES_ONLY,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-5.[3-9]-codex*",
		.efforts = LMH | X,
		.flags = OPENAI_THINKS | MODEL_RESPONSES_ONLY,
		.phases = true,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-5-codex* gpt-5.1-codex* codex-*",
		.efforts = LMH,
		.flags = OPENAI_THINKS | MODEL_RESPONSES_ONLY,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-5.[0-3]-pro*",
		.efforts = M | H | X,
		.flags = OPENAI_THINKS | MODEL_RESPONSES_ONLY,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-5.[4-9]-pro*",
		.efforts = M | H | X,
		.flags = OPENAI_THINKS | MODEL_RESPONSES_ONLY,
		.phases = true,
		.context = 1050000,
		.output = 128000},
	{.patterns = "gpt-5.1 gpt-5.1-*",
		.efforts = N | LMH,
		.flags = OPENAI_AT_NONE | MODEL_OFF_BY_DEFAULT,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-5.[23] gpt-5.[23]-*",
		.efforts = N | LMH | X,
		.flags = OPENAI_AT_NONE | MODEL_OFF_BY_DEFAULT,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-5.4 gpt-5.4-*",
		.efforts = N | LMH | X,
		.flags = OPENAI_AT_NONE | MODEL_OFF_BY_DEFAULT | MODEL_TOOLS_AT_NONE,
		.phases = true,
		.context = 1050000,
		.output = 128000},
	{.patterns = "gpt-5.5 gpt-5.5-*",
		.efforts = N | LMH | X,
		.flags = OPENAI_AT_NONE | MODEL_TOOLS_AT_NONE,
		.phases = true,
		.context = 1050000,
		.output = 128000},
	{.patterns = "gpt-5.6-cyber*",
		.efforts = LMH | X | MAX,
		.flags = OPENAI_THINKS | MODEL_RESPONSES_ONLY,
		.phases = true,
		.context = 1050000,
		.output = 128000},
	{.patterns = "gpt-5 gpt-5-*",
		.efforts = MIN | LMH,
		.flags = OPENAI_THINKS | MODEL_NO_SEARCH_AT_MINIMAL,
		.context = 400000,
		.output = 128000},
	{.patterns = "gpt-6-astra* gpt-6.1-sol*",
		.efforts = LMH | X | MAX,
		.flags = OPENAI_THINKS | MODEL_TOOLS_BY_RESPONSES,
		.phases = true,
		.context = 1050000,
		.output = 128000},
	{.patterns = "gpt-[0-9]*",
		.efforts = N | LMH | X | MAX,
		.flags = OPENAI_AT_NONE | MODEL_TOOLS_AT_NONE,
		.phases = true,
		.context = 1050000,
		.output = 128000},

	/* DeepSeek */
	{.patterns = "deepseek-r1*", .flags = MODEL_THINKS | MODEL_REFUSES_THINKING},
	{.patterns = "deepseek-v4-pro*",
		.hosts = "deepseek",
		.efforts = H | MAX,
		.flags = HYBRID | MODEL_WANTS_THINKING | MODEL_CHOOSES_AT_OFF | MODEL_OBJECT_FORMAT,
		.context = 1000000,
		.output = 384000},
	{.patterns = "*",
		.hosts = "deepseek",
		.efforts = L | H | MAX,
		.flags = HYBRID | MODEL_WANTS_THINKING | MODEL_CHOOSES_AT_OFF | MODEL_OBJECT_FORMAT,
		.context = 1000000,
		.output = 384000},
	{.patterns = "deepseek-v4* deepseek-flash*",
		.hosts = "azure nvidia",
		.efforts = LMH,
		.flags = HYBRID | MODEL_WANTS_THINKING | MODEL_TEMPLATE_SWITCH},
	{.patterns = "deepseek-v3.[1-9]* deepseek-v[4-9]* deepseek-flash*",
		.flags = HYBRID | MODEL_TEMPLATE_SWITCH},

	/* Moonshot */
	{.patterns = "moonshot-v1* kimi-k2-instruct* kimi-k2-0* kimi-k2-turbo* kimi-latest"},
	{.patterns = "kimi-k2.[56]*",
		.hosts = "moonshot",
		.flags = HYBRID | MODEL_WANTS_THINKING | MODEL_CHOOSES_AT_OFF | MODEL_NO_REQUIRED,
		.context = 262144,
		.output = 262144},
	{.patterns = "kimi-k2*",
		.hosts = "moonshot",
		.flags = MODEL_THINKS | MODEL_WANTS_THINKING | MODEL_NO_REQUIRED,
		.context = 262144,
		.output = 262144},
	{.patterns = "*",
		.hosts = "moonshot",
		.efforts = L | H | MAX,
		.flags = MODEL_THINKS | MODEL_WANTS_THINKING,
		.context = 1048576,
		.output = 1048576},

	/* GLM */
	{.patterns = "glm-4-* glm-4 glm-z1*"},
	{.patterns = "glm-4.[5-9]* glm-5 glm-5-* glm-5.1*",
		.hosts = "zai",
		.flags = HYBRID,
		.context = 200000,
		.output = 131072},
	{.patterns = "glm-5.2*",
		.hosts = "zai",
		.efforts = H | MAX,
		.flags = HYBRID,
		.context = 1000000,
		.output = 131072},
	{.patterns = "glm*",
		.hosts = "zai together",
		.efforts = L | H | MAX,
		.flags = MODEL_THINKS,
		.context = 1000000,
		.output = 131072},
	{.patterns = "glm-4.[5-9]* glm-5 glm-5-* glm-5.[12]*",
		.flags = HYBRID | MODEL_TEMPLATE_SWITCH},

	/* Qwen */
	{.patterns = "qwen*-thinking* qwq* qvq*",
		.hosts = "qwen",
		.flags = MODEL_THINKS | MODEL_STREAMS_ONLY | MODEL_OBJECT_FORMAT},
	{.patterns = "qwen*coder* qwen*-instruct* qwen2*", .flags = 0},
	{.patterns = "qwen3.8*",
		.hosts = "qwen",
		.efforts = L | M | X,
		.flags = HYBRID | MODEL_CHOOSES_AT_OFF,
		.context = 1000000,
		.output = 131072},
	{.patterns = "qwen3.7*",
		.hosts = "qwen",
		.flags = HYBRID | MODEL_CHOOSES_AT_OFF,
		.context = 1000000,
		.output = 65536},
	{.patterns = "qwen*",
		.hosts = "qwen",
		.flags = HYBRID | MODEL_CHOOSES_AT_OFF | MODEL_OBJECT_FORMAT},
	{.patterns = "*", .hosts = "qwen"},
	{.patterns = "qwen*3.6*",
		.hosts = "groq",
		.efforts = N,
		.flags = HYBRID,
		.context = 131072,
		.output = 16384},
	{.patterns = "qwen*3* qwen-3*",
		.hosts = "groq",
		.efforts = N | LMH,
		.flags = HYBRID,
		.context = 131072,
		.output = 16384},
	{.patterns = "qwen*3* qwen-3*",
		.hosts = "cerebras",
		.efforts = N | LMH,
		.flags = HYBRID,
		.context = 131072,
		.output = 40960},
	{.patterns = "qwen*3* qwen-3*", .hosts = "ollama", .efforts = N | LMH, .flags = HYBRID},
	{.patterns = "*-thinking*", .flags = MODEL_THINKS},
	{.patterns = "qwen3* qwen-3*", .flags = HYBRID | MODEL_TEMPLATE_SWITCH},

	/* MiniMax */
	{.patterns = "minimax-m3.1*",
		.hosts = "minimax",
		.efforts = LMH | MAX,
		.flags = MODEL_THINKS | MODEL_NO_FORMAT,
		.context = 1000000,
		.output = 524288},
	{.patterns = "minimax-m3*",
		.hosts = "minimax",
		.flags = HYBRID | MODEL_ADAPTIVE | MODEL_NO_FORMAT,
		.context = 1000000,
		.output = 524288},
	{.patterns = "*",
		.hosts = "minimax",
		.flags = MODEL_THINKS | MODEL_NO_FORMAT,
		.context = 204000,
		.output = 131072},

	/* Mistral */
	{.patterns = "mistral-small-2603* mistral-small-latest mistral-medium-3.5* "
		     "mistral-medium-latest",
		.hosts = "mistral",
		.efforts = N | H,
		.flags = HYBRID | MODEL_MISTRAL,
		.context = 262144},
	{.patterns = "mistral-large-4* mistral-large-latest",
		.hosts = "mistral",
		.efforts = LMH,
		.flags = MODEL_THINKS | MODEL_MISTRAL,
		.context = 1050000},
	{.patterns = "magistral*",
		.hosts = "mistral",
		.flags = MODEL_THINKS | MODEL_MISTRAL,
		.context = 262144,
		.output = 16384},
	{.patterns = "codestral*",
		.hosts = "mistral",
		.flags = MODEL_MISTRAL,
		.context = 256000,
		.output = 8192},
	{.patterns = "*", .hosts = "mistral", .flags = MODEL_MISTRAL},
	{.patterns = "mistral* ministral* mixtral* codestral* devstral* magistral* pixtral*",
		.hosts = "nvidia other ollama lm-studio together",
		.flags = MODEL_MISTRAL},

	/* xAI */
	{.patterns = "grok-4.3*",
		.hosts = "xai",
		.efforts = N | LMH | X,
		.flags = HYBRID,
		.context = 1000000,
		.output = 30000},
	{.patterns = "grok-4.5*",
		.hosts = "xai",
		.efforts = LMH,
		.flags = MODEL_THINKS,
		.context = 500000,
		.output = 500000},
	{.patterns = "grok-[123]* grok-4 grok-4-* grok-4.[12]* grok-code*", .hosts = "xai"},
	{.patterns = "grok*",
		.hosts = "xai",
		.efforts = LMH | X,
		.flags = MODEL_THINKS,
		.context = 500000,
		.output = 500000},

	/* Gemini */
	{.patterns = "gemini-1* gemini-2.0*",
		.flags = GEMINI_2,
		.context = 1048576,
		.output = 8192},
	{.patterns = "gemini-2.5-flash-lite*",
		.efforts = N | MIN | LMH,
		.flags = HYBRID | MODEL_OFF_BY_DEFAULT | GEMINI_2,
		.gemini = GEMINI_BUDGET,
		.least_budget = 512,
		.most_budget = 24576,
		.context = 1048576,
		.output = 65536},
	{.patterns = "gemini-2.5-flash*",
		.efforts = N | MIN | LMH,
		.flags = HYBRID | GEMINI_2,
		.gemini = GEMINI_BUDGET,
		.least_budget = 1,
		.most_budget = 24576,
		.context = 1048576,
		.output = 65536},
	{.patterns = "gemini-2*",
		.efforts = MIN | LMH,
		.flags = MODEL_THINKS | GEMINI_2,
		.gemini = GEMINI_BUDGET,
		.least_budget = 128,
		.most_budget = 32768,
		.context = 1048576,
		.output = 65536},
	{.patterns = "gemini-3*-image*",
		.flags = MODEL_THINKS | MODEL_SIGNED_CALLS,
		.context = 1048576},
	{.patterns = "gemini-3-pro*",
		.efforts = L | H,
		.flags = MODEL_THINKS | MODEL_SIGNED_CALLS,
		.gemini = GEMINI_LEVEL,
		.context = 1048576,
		.output = 65536},
	{.patterns = "gemini-3-flash* gemini-3.1-flash* gemini-3.5-flash gemini-3.5-flash-p*",
		.efforts = MIN | LMH,
		.flags = MODEL_THINKS | MODEL_SIGNED_CALLS,
		.gemini = GEMINI_LEVEL,
		.context = 1048576,
		.output = 65536},
	{.patterns = "gemini-3.5-flash-lite* gemini-3.6-flash* gemini-flash-lite-latest",
		.efforts = MIN | LMH,
		.flags = MODEL_THINKS | MODEL_SIGNED_CALLS | MODEL_NO_PREFILL,
		.gemini = GEMINI_LEVEL,
		.context = 1048576,
		.output = 65536},
	{.patterns = "gemini-3.[1-5]*",
		.efforts = LMH,
		.flags = MODEL_THINKS | MODEL_SIGNED_CALLS,
		.gemini = GEMINI_LEVEL,
		.context = 1048576,
		.output = 65536},
	{.patterns = "gemini-4-hydrogen*",
		.efforts = LMH | X,
		.flags = MODEL_THINKS | MODEL_SIGNED_CALLS | MODEL_NO_PREFILL,
		.gemini = GEMINI_LEVEL,
		.context = 1048576,
		.output = 32768,
		.streamed_more = 65536},
	{.patterns = "gemini-[4-9]*",
		.efforts = LMH,
		.flags = MODEL_THINKS | MODEL_SIGNED_CALLS | MODEL_NO_PREFILL,
		.gemini = GEMINI_LEVEL,
		.context = 1048576,
		.output = 32768,
		.streamed_more = 65536},
	{.patterns = "gemini*",
		.efforts = LMH,
		.flags = MODEL_THINKS | MODEL_SIGNED_CALLS | MODEL_NO_PREFILL,
		.gemini = GEMINI_LEVEL,
		.context = 1048576,
		.output = 65536},
	{.patterns = "gemma-4*",
		.efforts = MIN | H,
		.flags = MODEL_THINKS | MODEL_NO_INSTRUCTION | GEMINI_2,
		.gemini = GEMINI_LEVEL},
	{.patterns = "gemma*", .flags = MODEL_NO_INSTRUCTION | MODEL_NO_SEARCH | GEMINI_2},

	/* Llama, and what else runs there */
	{.patterns = "llama-3.3*", .hosts = "groq", .context = 131072, .output = 32768},
	{.patterns = "llama-3.1-8b*", .hosts = "groq", .context = 131072, .output = 131072},

	/* Claude, at services that speak its language */
	{.patterns = "*claude-3* *claude-*-4 *claude-*-4[-.][0125]* *claude-*-4-20*",
		.flags = HYBRID,
		.context = 200000,
		.output = 64000},
	{.patterns = "*claude-*-4[-.]6*",
		.efforts = LMH | MAX,
		.flags = HYBRID,
		.context = 1000000,
		.output = 128000},
	{.patterns = "*claude-fable-5* *claude-opus-5[-.]5* *claude-sonnet-5[-.]5*",
		.efforts = LMH | X | MAX,
		.flags = MODEL_THINKS | MODEL_NO_SAMPLING,
		.context = 1000000,
		.output = 128000},
	{.patterns = "*claude-*",
		.efforts = LMH | X | MAX,
		.flags = HYBRID | MODEL_NO_SAMPLING,
		.context = 1000000,
		.output = 128000},

	{.patterns = "*", .hosts = "cerebras", .flags = MODEL_UNKNOWN, .output = 40960},
	{.patterns = "*", .flags = MODEL_UNKNOWN},
};

/* ---- finding ---- */

/* Might a glob match that begins so?  Most are seen not to by their first letter, and every request
 * asks for all of them. */
static inline bool
may_match(char first, const char *name)
{
	return first == name[0] || first == '*' || first == '?' || first == '[';
}

/* Does the glob of ${length} bytes match the name?  Many are seen not to by their first letters, or
 * by their last ones behind a star. */
static bool
matches_one(const char *glob, size_t length, const char *name)
{
	char pattern[LONGEST_NAME];

	size_t literal = strcspn(glob, "*?[ ");
	size_t name_length = strlen(name);
	if (literal >= length)
		return name_length == length && memcmp(name, glob, length) == 0;
	if (strncmp(name, glob, literal) != 0)
		return false;
	if (literal + 1 == length && glob[literal] == '*')
		return true;
	if (glob[0] == '*' && 1 + strcspn(glob + 1, "*?[ ") >= length)
		return name_length >= length - 1 &&
		       memcmp(name + name_length - (length - 1), glob + 1, length - 1) == 0;
	memcpy(pattern, glob, length);
	pattern[length] = '\0';
	return fnmatch(pattern, name, 0) == 0;
}

/* Does a glob of ${patterns}, with blanks between, match the name? */
static bool
matches(const char *patterns, const char *name)
{
	for (const char *at = patterns; at != NULL; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (may_match(at[0], name) && matches_one(at, strcspn(at, " "), name))
			return true;
	}
	return false;
}

/* A port counts only where the pattern names one. */
static bool
is_host(const struct host_facts *row, const char *host)
{
	char bare[LONGEST_NAME];
	size_t length = strcspn(host, ":");

	if (row->patterns == NULL)
		return true;
	if (length >= sizeof(bare))
		return false;
	memcpy(bare, host, length);
	bare[length] = '\0';
	return matches(row->patterns, bare) || matches(row->patterns, host);
}

static const struct host_facts *
find_host(const char *host)
{
	size_t i = 0;

	if (host == NULL)
		return &own_host;
	while (!is_host(&hosts[i], host))
		i++;
	return &hosts[i];
}

/* The last part of the name, without a tag such as ":free", in lower case. */
static void
simplify(const char *model, char name[LONGEST_NAME])
{
	const char *slash = strrchr(model, '/');
	const char *start = slash != NULL ? slash + 1 : model;
	size_t length = strcspn(start, ":");

	if (length >= LONGEST_NAME)
		length = LONGEST_NAME - 1;
	for (size_t i = 0; i < length; i++)
		name[i] = (char)tolower((unsigned char)start[i]);
	name[length] = '\0';
}

static const struct model_row *
find_model(const struct host_facts *host, const char *name)
{
	size_t i = 0;

	while (!matches(models[i].patterns, name) ||
		(models[i].hosts != NULL && !matches(models[i].hosts, host->name)))
		i++;
	return &models[i];
}

struct model_facts
model_facts_find(const char *host, const char *model)
{
	char name[LONGEST_NAME];
	const struct host_facts *row = find_host(host);

	simplify(model, name);
	return (struct model_facts){.host = row, .model = find_model(row, name)};
}

enum search_form
model_facts_chat_search(const struct model_facts *f)
{
	if (f->no_search)
		return SEARCH_NONE;
	bool groq = f->host->search == SEARCH_GROQ;
	if (model_facts_is(f, MODEL_SEARCHES))
		return groq ? SEARCH_UNASKED : SEARCH_ALWAYS;
	return groq && !model_facts_is(f, MODEL_BROWSES) ? SEARCH_NONE : f->host->search;
}

enum search_form
model_facts_responses_search(const struct model_facts *f)
{
	if (f->no_search || model_facts_is(f, MODEL_NO_SEARCH) ||
		model_facts_host_is(f, HOST_NO_SEARCH))
		return SEARCH_NONE;
	return model_facts_host_is(f, HOST_EXCLUDES_SITES) ? SEARCH_EXCLUDING : SEARCH_TOOL;
}

int
model_facts_write_host(struct buffer *out, const char *base_url)
{
	struct buffer origin = BUFFER_INIT(0);

	url_write_origin(&origin, base_url);
	const char *start = strstr(buffer_text(&origin), "://");
	for (start = start != NULL ? start + 3 : ""; *start != '\0'; start++)
		buffer_putc(out, (char)tolower((unsigned char)*start));
	if (origin.failed)
		out->failed = true;
	buffer_free(&origin);
	return out->failed ? -1 : 0;
}

/* ---- efforts ---- */

enum {
	LOW_BUDGET = 4096, /* thinking tokens below which the effort is low, and medium */
	MEDIUM_BUDGET = 16384,
};

static const struct {
	const char *word;
	int64_t budget; /* thinking tokens that stand for it */
} efforts[EFFORTS] = {
	[EFFORT_NONE] = {"none", 0},
	[EFFORT_MINIMAL] = {"minimal", 512},
	[EFFORT_LOW] = {"low", 2048},
	[EFFORT_MEDIUM] = {"medium", 8192},
	[EFFORT_HIGH] = {"high", 24576},
	[EFFORT_XHIGH] = {"xhigh", 32768},
	[EFFORT_MAX] = {"max", 32768},
};

const char *
effort_word(enum effort effort)
{
	return effort < EFFORTS ? efforts[effort].word : NULL;
}

enum effort
effort_find(const char *word, size_t length)
{
	enum effort effort = EFFORT_NONE;

	while (effort < EFFORTS && (strlen(efforts[effort].word) != length ||
					   memcmp(efforts[effort].word, word, length) != 0))
		effort++;
	return effort;
}

/* Of two that are equally near, the one on the side of high. */
enum effort
effort_nearest(unsigned accepted, enum effort wanted)
{
	int upwards = wanted < EFFORT_HIGH ? 1 : -1;

	/* Who is to think must not be told to think nothing. */
	if (wanted > EFFORT_NONE)
		accepted &= ~N;
	for (int distance = 0; distance < EFFORTS; distance++) {
		int near = (int)wanted + upwards * distance;
		int far = (int)wanted - upwards * distance;
		if (near >= 0 && near < EFFORTS && (accepted >> near & 1) != 0)
			return (enum effort)near;
		if (far >= 0 && far < EFFORTS && (accepted >> far & 1) != 0)
			return (enum effort)far;
	}
	return EFFORTS;
}

enum effort
effort_of_budget(int64_t tokens)
{
	return tokens < LOW_BUDGET      ? EFFORT_LOW
	       : tokens < MEDIUM_BUDGET ? EFFORT_MEDIUM
					: EFFORT_HIGH;
}

int64_t
effort_budget(enum effort effort)
{
	return effort < EFFORTS ? efforts[effort].budget : 0;
}

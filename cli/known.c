/*
 * Services that are known by name; see known.h.  A new one is a row of the table.
 */
#include "known.h"

#include <string.h>

static const struct known_service services[] = {
	{"openai", "OpenAI", "https://api.openai.com", "openai-responses", "gpt-6.1-sol",
		"gpt-6-luna", false},
	{"gemini", "Google Gemini", "https://generativelanguage.googleapis.com", "gemini",
		"gemini-4-argon", "gemini-3.8-flash", false},
	{"anthropic", "Anthropic", "https://api.anthropic.com", "claude", NULL, NULL, false},
	{"openrouter", "OpenRouter", "https://openrouter.ai/api/v1", "openai",
		"qwen/qwen3.8-max-0902", "qwen/qwen3.8-flash", false},
	{"deepseek", "DeepSeek", "https://api.deepseek.com/v1", "openai", "deepseek-v4-pro",
		"deepseek-flash", false},
	{"kimi", "Moonshot (Kimi)", "https://api.moonshot.ai/v1", "openai", "kimi-k3.1-pro",
		"kimi-k2.6", false},
	{"zai", "Z.ai (GLM)", "https://api.z.ai/api/paas/v4", "openai", "glm-5.3", "glm-5.3-flash",
		false},
	{"qwen", "Alibaba (Qwen)", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
		"openai", "qwen3.8-max-0902", "qwen3.8-flash", false},
	{"minimax", "MiniMax", "https://api.minimax.io/v1", "openai", "MiniMax-M3",
		"MiniMax-M3.1-Flash", false},
	{"mistral", "Mistral", "https://api.mistral.ai/v1", "openai", "mistral-large-4",
		"mistral-small-2603", false},
	{"xai", "xAI (Grok)", "https://api.x.ai/v1", "openai-responses", "grok-4.7", "grok-4.3",
		false},
	{"groq", "Groq", "https://api.groq.com/openai/v1", "openai", "openai/gpt-oss-120b",
		"openai/gpt-oss-20b", false},
	{"cerebras", "Cerebras", "https://api.cerebras.ai/v1", "openai", "qwen-3.8-27b",
		"gpt-oss-120b", false},
	{"together", "Together", "https://api.together.ai/v1", "openai", NULL, NULL, false},
	{"fireworks", "Fireworks", "https://api.fireworks.ai/inference/v1", "openai", NULL, NULL,
		false},
	{"nvidia", "NVIDIA NIM", "https://integrate.api.nvidia.com/v1", "openai", NULL, NULL,
		false},
	{"ollama", "Ollama on this machine", "http://127.0.0.1:11434/v1", "openai", NULL, NULL,
		true},
	{"lmstudio", "LM Studio on this machine", "http://127.0.0.1:1234/v1", "openai", NULL, NULL,
		true},
	{"llamacpp", "llama.cpp on this machine", "http://127.0.0.1:8080/v1", "openai", NULL, NULL,
		true},
	{"vllm", "vLLM on this machine", "http://127.0.0.1:8000/v1", "openai", NULL, NULL, true},
};

const struct known_service *
known_at(size_t index)
{
	return index < sizeof(services) / sizeof(services[0]) ? &services[index] : NULL;
}

const struct known_service *
known_find(const char *name)
{
	const struct known_service *s = NULL;

	for (size_t i = 0; (s = known_at(i)) != NULL; i++)
		if (strcmp(s->name, name) == 0)
			break;
	return s;
}

const char *
known_name_at(const void *context, size_t index)
{
	const struct known_service *s = known_at(index);

	(void)context;
	return s != NULL ? s->name : NULL;
}

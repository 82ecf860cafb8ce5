// The AI SDK against the proxy: ai.mjs <base URL> <what> [<word>].  Prints one JSON object, last; see client.mjs.
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [baseURL, what, word] = process.argv.slice(2);
const apiKey = process.env.PROXY_ACCESS_KEY;
const model = createAnthropic({ baseURL: `${baseURL}/v1`, apiKey })("claude-test");
const request = {
  model,
  prompt: "hello",
  maxRetries: 0,
  stopWhen: stepCountIs(5),
  tools: {
    weather: tool({
      description: "d",
      inputSchema: z.object({ city: z.string(), days: z.array(z.number()).optional() }),
      execute: ({ city }) => `${word} for ${city}`,
    }),
  },
};

function summary({ text, steps, reasoningText, finishReason, totalUsage }) {
  return { text, steps: steps.length, reasoningText, finishReason, outputTokens: totalUsage.outputTokens };
}

const actions = {
  generate: async () => summary(await generateText(request)),
  async stream() {
    const errors = [];
    const result = streamText({ ...request, onError: ({ error }) => errors.push(String(error)) });
    const parts = [];
    for await (const part of result.fullStream) parts.push(part.type);
    const [text, steps, reasoningText, finishReason, totalUsage] = await Promise.all([
      result.text, result.steps, result.reasoningText, result.finishReason, result.totalUsage]);
    return { ...summary({ text, steps, reasoningText, finishReason, totalUsage }), parts, errors };
  },
  async object() {
    const { object } = await generateObject({ model, prompt: "hello", maxRetries: 0, schema: z.object({ city: z.string() }) });
    return object;
  },
  async bearer() {
    const other = createAnthropic({ baseURL: `${baseURL}/v1`, authToken: apiKey })("claude-test");
    return { text: (await generateText({ model: other, prompt: "hello", maxRetries: 0 })).text };
  },
  async error() {
    try {
      await generateText(request);
    } catch (error) {
      return { name: error.name, status: error.statusCode, type: error.data?.error?.type, again: error.isRetryable };
    }
  },
};

console.log(JSON.stringify(await actions[what]()));

// The official SDK against the proxy: client.mjs <base URL> <what> [<word>].  Prints one JSON object.
// The access key is in the environment, where the process list does not show it.  The word is what only a tool of this program can tell.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { z } from "zod";

const [baseURL, what, word] = process.argv.slice(2);
const apiKey = process.env.PROXY_ACCESS_KEY;
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const tools = [{ name: "weather", description: "d", input_schema: { type: "object", properties: { city: { type: "string" } } } }];
const request = { model: "claude-test", max_tokens: 100, messages: [{ role: "user", content: "hello" }], tools };

// Two tools for the SDK's own loop, one for each way to describe it.
const runnable = [
  betaTool({ name: "first_half", description: "d", inputSchema: { type: "object", properties: {} }, run: () => word.slice(0, 6) }),
  betaZodTool({ name: "second_half", description: "d", inputSchema: z.object({ from: z.number() }), run: ({ from }) => word.slice(from) }),
];

function described(error) {
  return { class: error.constructor.name, status: error.status, type: error.error?.error?.type, requestID: error.requestID };
}

const actions = {
  create: () => client.messages.create(request),
  stream: () => client.messages.stream(request).finalMessage(),
  async events() {
    const types = [];
    for await (const event of await client.messages.create({ ...request, stream: true })) types.push(event.type);
    return { types };
  },
  async count() {
    const { max_tokens, ...rest } = request;
    return client.messages.countTokens(rest);
  },
  async models() {
    const ids = [];
    for await (const model of await client.models.list({ limit: 2 })) ids.push(model.id);
    return { ids, one: await client.models.retrieve("b/c") };
  },
  async bearer() {
    const other = new Anthropic({ baseURL, apiKey: null, authToken: apiKey, maxRetries: 0 });
    return other.messages.create(request);
  },
  async error() {
    try {
      await client.messages.create(request);
    } catch (error) {
      return described(error);
    }
  },
  async patient() {
    const { data, response } = await new Anthropic({ baseURL, apiKey, maxRetries: 2 }).messages.create(request).withResponse();
    return { text: data.content[0].text, retried: response.headers.get("request-id") !== null };
  },
  async impatient() {
    try {
      await new Anthropic({ baseURL, apiKey, maxRetries: 2 }).messages.create(request);
    } catch (error) {
      return described(error);
    }
  },
  async loop() {
    const messages = [...request.messages];
    for (;;) {
      const stream = client.messages.stream({ ...request, messages });
      const message = await stream.finalMessage();
      const calls = message.content.filter((block) => block.type === "tool_use");
      if (calls.length === 0) return { text: message.content[0].text, turns: messages.length };
      const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: `${word} for ${call.input.city}` }));
      messages.push({ role: "assistant", content: message.content }, { role: "user", content: results });
    }
  },
  async runner() {
    const { tools, ...rest } = request;
    const message = await client.beta.messages.toolRunner({ ...rest, tools: runnable });
    return { text: message.content[0].text };
  },
  async streamingRunner() {
    const { tools, ...rest } = request;
    const texts = [];
    for await (const stream of client.beta.messages.toolRunner({ ...rest, tools: runnable, stream: true })) {
      stream.on("text", (text) => texts.push(text));
      await stream.finalMessage();
    }
    return { text: texts.join("") };
  },
  async thread() {
    const { messages, tools, ...rest } = request;
    const thread = client.beta.messages.thread(rest);
    const texts = [];
    for (const content of ["one", "two", "three"]) texts.push((await thread.send({ role: "user", content })).content[0].text);
    return { texts };
  },
  async search() {
    const { tools, messages, ...rest } = request;
    const asked = { ...rest, messages, tools: [{ type: "web_search_20250305", name: "web_search", max_uses: 3 }] };
    const whole = await client.messages.create(asked);
    const streamed = await client.messages.stream(asked).finalMessage();
    const next = { role: "user", content: "and now?" };
    const turns = [...messages, { role: "assistant", content: streamed.content }, next];
    const { content } = await client.messages.stream({ ...asked, messages: turns }).finalMessage();
    return { whole, streamed, next: content };
  },
  async fetch() {
    const { tools, messages, ...rest } = request;
    const asked = { ...rest, messages, tools: [{ type: "web_fetch_20250910", name: "web_fetch" }] };
    const choice = { tool_choice: { type: "tool", name: "web_fetch" } };
    const whole = await client.beta.messages.create({ ...asked, ...choice });
    const streamed = await client.beta.messages.stream({ ...asked, ...choice }).finalMessage();
    const turns = [...messages, { role: "assistant", content: streamed.content }, { role: "user", content: "and now?" }];
    const { content } = await client.beta.messages.stream({ ...asked, messages: turns }).finalMessage();
    return { whole, streamed, next: content };
  },
  async abort() {
    const stream = client.messages.stream(request);
    stream.on("text", () => stream.abort());
    try {
      await stream.finalMessage();
    } catch (error) {
      return { class: error.constructor.name };
    }
  },
  async streamError() {
    try {
      await client.messages.stream(request).finalMessage();
    } catch (error) {
      return { class: error.constructor.name, message: error.message };
    }
  },
};

console.log(JSON.stringify(await actions[what]()));

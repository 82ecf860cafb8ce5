// The official SDK against the proxy: client.mjs <base URL> <access key> <what>.  Prints one JSON object.
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, apiKey, what] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const tools = [{ name: "weather", description: "d", input_schema: { type: "object", properties: { city: { type: "string" } } } }];
const request = { model: "claude-test", max_tokens: 100, messages: [{ role: "user", content: "hello" }], tools };

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
      return { class: error.constructor.name, status: error.status, type: error.error?.error?.type, requestID: error.requestID };
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

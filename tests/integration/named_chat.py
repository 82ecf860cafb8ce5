"""Services that speak Chat Completions, by name; see named_services."""
import copy
import itertools
import json
import re
from dataclasses import dataclass
from typing import Callable
from urllib.parse import urlsplit

import upstream as chat
from strict_service import Rule, Service, member, most, numbers, only_members, schema_rule, schemas, strict_tools, value


def parts_of(body):
    """Every part of every message."""
    for message in body["messages"]:
        if isinstance(message.get("content"), list):
            yield from message["content"]


def put_in_part(name, inside):
    """Make the first user's content an array whose part has a member more."""
    def breaks(body):
        said = next(message for message in body["messages"] if message["role"] == "user")
        said["content"] = [{"type": "text", "text": "hello", name: inside}]
    return breaks


def no_cache_control(fact, words, status=400, **more):
    return Rule(fact, words, lambda body, _: any("cache_control" in part for part in parts_of(body)) or None,
                put_in_part("cache_control", {"type": "ephemeral"}), status, more)


def add_user(body):
    body["messages"].append({"role": "user", "content": "and then?"})


# ---- Chat: what a conversation may be ----

def is_said(message):
    content = message.get("content")
    return bool(content) if not isinstance(content, list) else all(part.get("text", "x") for part in content)


def order_problem(body, service):
    """Roles, contents, and results right behind their calls; content in parts where the service gave it so."""
    messages = copy.deepcopy(body.get("messages"))
    for said in messages if service.voice == "parts" else []:
        if said["role"] == "assistant" and isinstance(said["content"], list):
            said["content"] = "".join(part["text"] for part in said["content"] if part["type"] == "text") or None
    return chat.messages_problem(messages, urlsplit(service.base).hostname)


ORDER = Rule("2.3 OpenAI", "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
             "'tool_call_id'. ({})", order_problem, lambda body: body["messages"].pop(3))

LAST_IS_ASSISTANT = {"role": "assistant", "content": "It is"}


def last_turn(fact, words, allows=lambda message: False, **more):
    """A conversation that ends with the assistant."""
    return Rule(fact, words, lambda body, _: body["messages"][-1]["role"] == "assistant" and not allows(body["messages"][-1]) or None,
                lambda body: body["messages"].append(LAST_IS_ASSISTANT), more=more)


def not_empty(fact, words):
    return Rule(fact, words, lambda body, _: next(
        (str(i) for i, said in enumerate(body["messages"]) if said["role"] in ("user", "assistant") and not is_said(said)
         and not said.get("tool_calls")), None), lambda body: body["messages"].append({"role": "user", "content": ""}))


def calling(body):
    return [(i, message) for i, message in enumerate(body["messages"]) if message.get("tool_calls")]


def thinking_back(fact, words, name="reasoning_content", thinks=lambda body: True, every=False):
    """What was thought stands on each message with calls (${every}: of the assistant), as it was given where it is told."""
    def refuses(body, service):
        if not thinks(body):
            return None
        for i, message in enumerate(body["messages"]):
            calls = message.get("tool_calls") or []
            if message["role"] != "assistant" or not (calls or every):
                continue
            if name not in message:
                return str(i)
            given = [service.given[call["id"]] for call in calls if call["id"] in service.given]
            if message[name] and given and message[name] != given[0]["thinking"]:
                return str(i)
        return None

    return Rule(fact, words, refuses, lambda body: calling(body)[0][1].pop(name))


def forced(body):
    """Is a tool forced?"""
    choice = body.get("tool_choice")
    return isinstance(choice, dict) or choice in ("required", "any")


NAMED_CHOICE = {"type": "function", "function": {"name": "look"}}


# ---- a service ----

@dataclass
class ChatService(Service):
    """Its clients always ask for streams.  ${voice}: the member; "parts", "details": see deltas."""
    path: str = "/chat/completions"
    limit: str = "max_tokens"  # the member for the output's
    call_id: Callable = lambda name: f"call_{next(numbers)}"
    protocol: object = chat

    def good(self):
        thought = "Both, then."
        id = self.call_id("look")
        self.given[id] = {"thinking": thought, "details": self.details_of(thought, [id])}
        said = {"role": "assistant", "content": "I look.", "tool_calls": [chat.tool_call("look", '{"at":"a"}', id)]}
        if self.voice == "parts":
            said["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": thought}]}, {"type": "text", "text": "I look."}]
        elif self.voice == "details":
            said["reasoning_details"] = self.given[id]["details"]
        elif self.voice:
            said[self.voice] = thought
        return {"model": self.model, "stream": True, self.limit: 1000, "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is there?"}, said,
            {"role": "tool", "tool_call_id": id, "content": "a word"}], "tools": [{"type": "function", "function": {
                "name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {"at": {"type": "string"}},
                                                                        "required": ["at"]}}}]}

    def error_body(self, code, message, more=()):
        if self.error:
            return self.error(code, message, dict(more))
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **dict(more)}}

    # ---- answers ----

    def details_of(self, thinking, ids):
        """OpenRouter's, of Gemini: what was thought, and a signature for the first call."""
        text = [{"type": "reasoning.text", "text": thinking, "format": "google-gemini-v1", "index": 0}] if thinking else []
        return text + [{"type": "reasoning.encrypted", "data": f"signed-{id}", "id": id, "format": "google-gemini-v1", "index": 0}
                       for id in ids[:1]]

    def deltas(self, content, calls, thinking):
        yield {"role": "assistant", "content": ""}
        for piece in re.findall(r"\s*\S+\s*", thinking if self.voice else ""):
            if self.voice == "parts":
                yield {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]}]}
            elif self.voice == "details":
                yield {"reasoning": piece, "reasoning_details": self.details_of(piece, [])}
            else:
                yield {self.voice: piece}
        for delta in itertools.islice(chat.deltas_of(content, calls), 1, None):
            if self.voice == "details" and delta.get("tool_calls", [{}])[0].get("id") == (calls or [{}])[0].get("id", ""):
                delta["reasoning_details"] = self.details_of("", [call["id"] for call in calls])
            yield delta

    def parts(self, content=None, tool_calls=(), reasoning_content=None):
        thinking = reasoning_content or ""
        calls = [{**call, "id": self.call_id(call["function"]["name"])} for call in tool_calls]
        for call in calls:
            self.given[call["id"]] = {"thinking": thinking, "details": self.details_of(thinking, [c["id"] for c in calls])}

        def answer(call):
            for delta in self.deltas(content, calls, thinking):
                call.chunk(**delta)
            call.chunk(finish_reason="tool_calls" if calls else "stop")
            call.event({"choices": [], "usage": chat.USAGE})
            call.event("[DONE]")
            call.end_stream()

        return answer

    def thoughts(self, body):
        """What the request brings back of what was thought."""
        for message in body["messages"]:
            if message["role"] != "assistant":
                continue
            if self.voice == "parts" and isinstance(message["content"], list):
                yield from (part["thinking"][0]["text"] for part in message["content"] if part["type"] == "thinking")
            elif self.voice == "details":
                yield from (part["text"] for part in message.get("reasoning_details", []) if "text" in part)
            elif self.voice in message:
                yield message[self.voice]


# ---- OpenAI ----

OPENAI_MEMBERS = ("model messages max_tokens max_completion_tokens temperature top_p stop n tools tool_choice parallel_tool_calls "
                  "reasoning_effort response_format user safety_identifier prompt_cache_key stream stream_options verbosity "
                  "web_search_options metadata store logprobs presence_penalty frequency_penalty")


CHOICES = {"oneOf", "anyOf", "allOf", "enum", "not"}


def effort_of(body):
    return body["reasoning"].get("effort") if "reasoning" in body else body.get("reasoning_effort")


def unsupported(name):
    return {"param": name, "code": "unsupported_parameter"}


def openai_rules(model, efforts, limit):
    """Of every reasoning model that Chat serves; those at which an effort `none` exists take sampling with it."""
    none = "none" in efforts.split()
    default_none = model.startswith(("gpt-5.1", "gpt-5.2", "gpt-5.4"))

    def sampling(name):
        return Rule("1.1 temperature, top_p", f"Unsupported parameter: '{name}' is not supported with this model.",
                    lambda body, _: name in body and not (
                        none and (effort_of(body) == "none" or (default_none and effort_of(body) is None))) or None,
                    lambda body: body.update({name: 1, "reasoning_effort": "medium"}), more=unsupported(name))

    return [
        ORDER,
        only_members("2.4 OpenAI: unknown members", OPENAI_MEMBERS, "Unknown parameter: '{}'.", code="unknown_parameter"),
        no_cache_control("2.4 cache_control", "Unknown parameter: 'messages[1].content[0].cache_control'.", code="unknown_parameter"),
        member("1.2 max_tokens", "max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
               "'max_completion_tokens' instead.", **unsupported("max_tokens")),
        value("1.1 efforts", "reasoning_effort", efforts, "Unsupported value: 'reasoning_effort' does not support '{}' with this "
              "model. Supported values are: " + ", ".join(f"'{e}'" for e in efforts.split()) + ".",
              "minimal", param="reasoning_effort", code="unsupported_value"),
        sampling("temperature"), sampling("top_p"),
        member("1.2 stop", "stop", "Unsupported parameter: 'stop' is not supported with this model.", ["x"], **unsupported("stop")),
        member("1.2 penalties", "presence_penalty", "Unsupported parameter: '{}' is not supported with this model.",
               **unsupported("presence_penalty")),
        most("1.2 too large max_tokens", "max_completion_tokens", limit, "max_tokens is too large: {0}. This model supports at most "
             f"{limit} completion tokens, whereas you provided {{0}}.", param="max_tokens", code="invalid_value"),
        schema_rule("1.2 tool schema: the top", "Invalid schema for function '{}': schema must have type 'object' and not have "
                    "'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.",
                    lambda schema, top: top and (schema.get("type") != "object" or set(schema) & CHOICES),
                    {"anyOf": [{"type": "object", "properties": {}}]}, code="invalid_function_parameters"),
        schema_rule("1.2 tool schema: arrays", "Invalid schema for function '{}': In context=('properties', 'a'), array schema "
                    "missing items.", lambda schema, _: schema.get("type") == "array" and "items" not in schema,
                    {"type": "object", "properties": {"a": {"type": "array"}}}, code="invalid_function_parameters"),
        strict_tools("1.2 strict", "Invalid schema for function '{}': In context=(), 'additionalProperties' is required to be "
                     "supplied and to be false.", code="invalid_function_parameters"),
        Rule("1.2 numbers: call ids", "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum "
             "length 40.", lambda body, _: any(len(call["id"]) > 40 for _, said in calling(body) for call in said["tool_calls"]) or None,
             lambda body: [said["tool_calls"][0].update(id="c" * 41) or body["messages"][i + 1].update(tool_call_id="c" * 41)
                           for i, said in calling(body)], more={"code": "string_above_max_length"}),
        Rule("1.2 who the user is", "Invalid '{}': string too long.", lambda body, _: next(
            (name for name, length in (("user", 64), ("safety_identifier", 128), ("prompt_cache_key", 64))
             if len(body.get(name, "")) > length), None), lambda body: body.update(prompt_cache_key="k" * 65),
            more={"code": "string_above_max_length"}),
    ]


TOOLS_AT_NONE = Rule(
    "1.2 function tools with effort on Chat", "Function tools with reasoning_effort are not supported for this model in "
    "/v1/chat/completions. Please use /v1/responses instead.", lambda body, _: bool(body.get("tools")) and effort_of(body) != "none"
    or None, lambda body: body.pop("reasoning_effort"), more={"param": "reasoning_effort"})

GPT_5_1 = "none low medium high"
GPT_5_6 = "none low medium high xhigh max"


def openai(name, model, efforts, limit, off, more_rules=(), **more):
    return ChatService(name, "http://api.openai.com", model, [*more_rules, *openai_rules(model, efforts, limit)], "/v1/chat/completions",
                       limit="max_completion_tokens", off=lambda body: effort_of(body) == off, more=more)


# ---- DeepSeek ----

def deepseek_thinks(body):
    return body.get("thinking", {}).get("type") != "disabled"


DEEPSEEK = [
    ORDER,
    thinking_back("2.2 DeepSeek: what goes back", "The `reasoning_content` in the thinking mode must be passed back to the API.",
                  thinks=deepseek_thinks, every=True),
    value("2.2 DeepSeek: switch", "thinking.type", "enabled disabled", "thinking.type: unknown variant `{}`, expected `enabled` or "
          "`disabled`", "adaptive"),
    value("2.2 DeepSeek: effort", "reasoning_effort", "high max", "reasoning_effort: unknown variant `{}`, expected `high` or `max`",
          "medium"),
    Rule("2.2 DeepSeek: no effort beside disabled", "reasoning_effort is not supported when thinking is disabled",
         lambda body, _: not deepseek_thinks(body) and "reasoning_effort" in body or None,
         lambda body: body.update(thinking={"type": "disabled"}, reasoning_effort="high")),
    Rule("2.4 DeepSeek: tool_choice", "Thinking mode does not support this tool_choice",
         lambda body, _: deepseek_thinks(body) and forced(body) or None, lambda body: body.update(tool_choice="required")),
    Rule("2.4 DeepSeek: response_format", "This response_format type is unavailable now",
         lambda body, _: body.get("response_format", {}).get("type") == "json_schema" or None,
         lambda body: body.update(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {}}})),
    Rule("2.4 DeepSeek: json_object", "Prompt must contain the word 'json' in some form to use 'response_format' of type "
         "'json_object'.", lambda body, _: body.get("response_format", {}).get("type") == "json_object"
         and "json" not in json.dumps(body["messages"]).lower() or None, lambda body: body.update(response_format={"type": "json_object"})),
    Rule("2.4 DeepSeek: strict", "Strict mode is only available at https://api.deepseek.com/beta ({})",
         lambda body, _: next((name for name, _, strict in schemas(body) if strict), None),
         lambda body: body["tools"][0]["function"].update(strict=True)),
    last_turn("2.3 DeepSeek", "The last message of the conversation must be a user or tool message, unless prefix is true"),
    most("2.1 DeepSeek, 2.5", "max_tokens", 393216, "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]"),
    Rule("2.4 user_id", "user_id must match the pattern ^[a-zA-Z0-9_-]{{1,512}}$",
         lambda body, _: not re.fullmatch(r"[a-zA-Z0-9_-]{1,512}", body.get("user_id", "u")) or None,
         lambda body: body.update(user_id='{"session_id":"a"}')),
]


# ---- Qwen behind vLLM ----

VLLM_QWEN = [
    Rule("2.3 templates: the system message first", "System message must be at the beginning.",
         lambda body, _: any(said["role"] == "system" for said in body["messages"][1:]) or None,
         lambda body: body["messages"].append({"role": "system", "content": "And in German."})),
    Rule("2.3 templates: roles", "Conversation roles must alternate user/assistant/user/assistant/...",
         lambda body, _: any(a["role"] == b["role"] == "user" for a, b in zip(body["messages"], body["messages"][1:])) or None,
         lambda body: (add_user(body), add_user(body))),
    Rule("2.3 templates: developer", "Unexpected message role.", lambda body, _: any(said["role"] == "developer" for said in
                                                                                      body["messages"]) or None,
         lambda body: body["messages"][0].update(role="developer")),
    ORDER,
    value("2.2 vLLM: effort", "reasoning_effort", "low medium high", "[{{'type': 'literal_error', 'loc': ('body', 'reasoning_effort'), "
          "'msg': \"Input should be 'low', 'medium' or 'high'\", 'input': '{}'}}]", "none"),
    most("2.5 vLLM: too large limit", "max_tokens", 131072, "'max_tokens' or 'max_completion_tokens' is too large: {}. This model's "
         "maximum context length is 131072 tokens and your request has 1000 input tokens"),
]



# ---- Moonshot ----

def switched_on(body):
    return body.get("thinking", {}).get("type") != "disabled"


def kimi_rules(can_be_off, required=False):
    return [
        ORDER,
        thinking_back("2.2 Kimi: what goes back", "thinking is enabled but reasoning_content is missing in assistant tool call message "
                      "at index {}", thinks=switched_on),
        value("2.2 Kimi: switch", "thinking.type", "enabled disabled" if can_be_off else "enabled",
              "invalid thinking: type {} is not allowed for this model", "adaptive"),
        member("2.2 Kimi: no effort", "reasoning_effort", "invalid parameter: {} is not supported by this model", "high"),
        Rule("2.4 Kimi: tool_choice", "tool_choice 'required' is incompatible with thinking enabled",
             lambda body, _: body.get("tool_choice") == "required" or None, lambda body: body.update(tool_choice="required")),
        Rule("2.4 Kimi: ids", "tool_call_id {} is not found", lambda body, service: next(
            (call["id"] for _, said in calling(body) for call in said["tool_calls"] if call["id"] not in service.given), None),
            lambda body: [said["tool_calls"][0].update(id="call_1") or body["messages"][i + 1].update(tool_call_id="call_1")
                          for i, said in calling(body)]),
        schema_rule("2.4 Kimi: root", "Invalid request: function {}: root must be an object", lambda schema, top: top and
                    schema.get("type") != "object", {"anyOf": [{"type": "object", "properties": {}}]}),
        schema_rule("2.4 Kimi: type beside anyOf", "Invalid request: function {}: when using anyOf, type should be defined in anyOf "
                    "items instead of the parent schema", lambda schema, _: "anyOf" in schema and "type" in schema,
                    {"type": "object", "properties": {"a": {"type": "string", "anyOf": [{"minLength": 1}]}}}),
        schema_rule("2.4 Kimi: lists of items", "Invalid request: function {}: items must be an object", lambda schema, _:
                    isinstance(schema.get("items"), list),
                    {"type": "object", "properties": {"a": {"type": "array", "items": [{"type": "string"}]}}}),
        schema_rule("2.4 Kimi: $schema", "Invalid request: function {}: unknown keyword $schema", lambda schema, _: "$schema" in schema,
                    {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}}),
        not_empty("2.3 empty content", "Invalid request: message at index {} must not be empty"),
        last_turn("2.3 Kimi", "the last message must not be of the assistant unless partial is true",
                  lambda message: message.get("partial")),
        most("2.1 Kimi", "max_tokens", 262144, "Invalid request: exceeded model token limit: 262144 (requested: {})"),
    ]


def kimi(model, can_be_off):
    return ChatService(f"Kimi {model[5:]}", "http://api.moonshot.ai", model, kimi_rules(can_be_off), "/v1/chat/completions",
                       voice="reasoning_content", call_id=lambda name: f"functions.{name}:{next(numbers)}",
                       off=lambda body: (not switched_on(body)) == can_be_off)


# ---- GLM ----

def glm_error(code, message, more):
    return {"error": {"code": "1210", "message": message}}


def glm_rules(efforts, types):
    return [
        ORDER,
        value("2.2 GLM: switch", "thinking.type", types, "Invalid API parameter: thinking.type '{}'. Please check the documentation.",
              "adaptive"),
        value("2.2 GLM: effort", "reasoning_effort", efforts, "Invalid API parameter: reasoning_effort '{}' is not supported", "medium"),
        Rule("2.4 GLM: tool_choice", "tool_choice only supports auto", lambda body, _: body.get("tool_choice", "auto") != "auto" or None,
             lambda body: body.update(tool_choice="required")),
        not_empty("2.3 empty content", "messages[{}]: content must not be empty"),
        most("2.1 GLM", "max_tokens", 131072, "max_tokens parameter is illegal: the range is [1,131072]"),
    ]


def glm(model, efforts, types, off):
    return ChatService(f"GLM {model[4:]}", "http://api.z.ai/api/paas/v4", model, glm_rules(efforts, types), voice="reasoning_content",
                       off=off, error=glm_error)


# ---- Mistral ----

def mistral_error(code, message, more):
    if code == 422:
        return {"detail": [{"type": "extra_forbidden", "loc": ["body", *message.split(".")], "msg": "Extra inputs are not permitted",
                            "input": 1}]}
    return {"object": "error", "message": message, "type": "invalid_request_error", "param": None, "code": "3000"}


MISTRAL_MEMBERS = ("model messages max_tokens temperature top_p stop tools tool_choice parallel_tool_calls reasoning_effort "
                   "response_format stream random_seed prompt_mode safe_prompt metadata prompt_cache_key n presence_penalty")
MISTRAL_SAID = {"role", "content", "tool_calls", "tool_call_id", "name", "prefix"}


def forbidden_in_message(body, _):
    return next((f"messages.{i}.{name}" for i, said in enumerate(body["messages"]) for name in said if name not in MISTRAL_SAID), None)


MISTRAL = [
    ORDER,
    only_members("2.4 Mistral: unknown members", MISTRAL_MEMBERS, "{}", 422),
    Rule("2.2 Mistral: what goes back", "{}", forbidden_in_message,
         lambda body: body["messages"][2].update(reasoning_content="so"), 422),
    no_cache_control("2.4 cache_control", "messages.1.content.0.cache_control", 422),
    Rule("2.4 Mistral: call ids", "Tool call id was {} but must be a-z, A-Z, 0-9, with a length of 9.", lambda body, _: next(
        (call["id"] for _, said in calling(body) for call in said["tool_calls"] if not re.fullmatch("[a-zA-Z0-9]{9}", call["id"])), None),
        lambda body: [said["tool_calls"][0].update(id="call_1") or body["messages"][i + 1].update(tool_call_id="call_1")
                      for i, said in calling(body)]),
    Rule("2.3 Mistral: user behind tool", "Unexpected role 'user' after role 'tool'", lambda body, _: any(
        (a["role"], b["role"]) == ("tool", "user") for a, b in zip(body["messages"], body["messages"][1:])) or None, add_user),
    last_turn("2.3 Mistral: the end", "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
              lambda message: message.get("prefix")),
    not_empty("2.3 empty content", "Assistant message must have either content or tool_calls, but not none. ({})"),
    value("2.2 Mistral: effort", "reasoning_effort", "none high", "Input should be 'none' or 'high', not '{}'", "low"),
    value("2.4 Mistral: tool_choice", "tool_choice", "auto none any required", "Input should be 'auto', 'none', 'any' or 'required': {}",
          "always"),
]


# ---- Groq ----

def groq_error(code, message, more):
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


GROQ_MEMBERS = ("model messages max_tokens max_completion_tokens temperature top_p stop tools tool_choice parallel_tool_calls "
                "reasoning_effort reasoning_format include_reasoning response_format user stream stream_options seed n service_tier")


def groq_rules(limit, efforts=""):
    effort = value("2.2 Groq: effort", "reasoning_effort", efforts, "`reasoning_effort` must be one of `low`, `medium`, or `high`",
                   "minimal") if efforts else member("2.2 Groq: no effort", "reasoning_effort", "reasoning_effort is not supported with "
                                                     "this model", "low", param="reasoning_effort")
    return [
        ORDER,
        only_members("2.4 Groq: unknown members", GROQ_MEMBERS, "property '{}' is unsupported"),
        effort,
        *([] if efforts else [member("2.2 Groq: no thinking", "reasoning_format", "reasoning_format is not supported with this model",
                                     "parsed")]),
        Rule("2.2 Groq: what goes back", "'messages.{}' : for 'role:assistant' the following must be satisfied[property 'reasoning_content' "
             "is unsupported]", lambda body, _: next(
                 (str(i) for i, said in enumerate(body["messages"]) if "reasoning_content" in said), None),
             lambda body: body["messages"][2].update(reasoning_content="so")),
        no_cache_control("2.4 cache_control", "'messages.1.content.0' : property 'cache_control' is unsupported"),
        most("2.1 Groq: max_tokens", "max_tokens", limit, f"`max_tokens` must be less than or equal to `{limit}`, the maximum value for "
             "`max_tokens` is less than the `context_window` for this model", param="max_tokens"),
        most("2.1 Groq: max_completion_tokens", "max_completion_tokens", limit, "`max_completion_tokens` must be less than or equal to "
             f"`{limit}`, the maximum value for `max_completion_tokens` is less than the `context_window` for this model"),
        Rule("2.4 Groq: format beside tools", "json mode cannot be combined with tool/function calling",
             lambda body, _: "response_format" in body and "tools" in body or None,
             lambda body: body.update(response_format={"type": "json_object"})),
        strict_tools("2.4 Groq: strict", "invalid JSON schema for tool {}: additionalProperties:false must be set on every object"),
    ]


# ---- Gemini at OpenRouter ----

def details_back(body, service):
    """Unchanged and in order, on each message with calls."""
    for i, said in calling(body):
        given = service.given.get(said["tool_calls"][0]["id"])
        if given and said.get("reasoning_details") != given["details"]:
            return str(i)
    return None


OPENROUTER = [
    ORDER,
    Rule("2.2 OpenRouter: what goes back", "Function call in message {} is missing a thought_signature in functionCall parts.",
         details_back, lambda body: calling(body)[0][1].pop("reasoning_details")),
    Rule("2.2 OpenRouter: effort or tokens", "Only one of \"reasoning.effort\" and \"reasoning.max_tokens\" can be specified",
         lambda body, _: {"effort", "max_tokens"} <= set(body.get("reasoning") or {}) or None,
         lambda body: body.update(reasoning={"effort": "low", "max_tokens": 2000})),
    value("2.2 OpenRouter: words", "reasoning.effort", "none minimal low medium high xhigh max", "Invalid reasoning.effort: {}", "most"),
    Rule("3.1 cannot be off", "Reasoning is mandatory for this endpoint and cannot be disabled.",
         lambda body, _: "reasoning" in body and (body["reasoning"].get("enabled") is False
                                                  or body["reasoning"].get("effort") == "none") or None,
         lambda body: body.update(reasoning={"enabled": False})),
    last_turn("3.3 last turn from the model", "Please ensure that the conversation ends with a user turn."),
    most("3.3 maxOutputTokens", "max_tokens", 65536, "max_tokens: the supported range is from 1 (inclusive) to 65537 (exclusive)"),
]


def least_reasoning(body):
    return body.get("reasoning", {}).get("effort") in ("minimal", "low")


def chat_services():
    return [
        openai("gpt-5.1", "gpt-5.1", GPT_5_1, 128000, off="none"),
        openai("gpt-5.6 in Chat", "gpt-5.6", GPT_5_6, 128000, off="none", more_rules=[TOOLS_AT_NONE], reasoning_effort="none"),
        openai("o3", "o3", "low medium high", 100000, off="low"),
        ChatService("DeepSeek V4", "http://api.deepseek.com", "deepseek-v4-pro", DEEPSEEK, "/v1/chat/completions",
                    voice="reasoning_content", off=lambda body: not deepseek_thinks(body)),
        kimi("kimi-k2.6", True),
        kimi("kimi-k2.7-code", False),
        glm("glm-4.7", "", "enabled disabled", lambda body: not switched_on(body)),
        glm("glm-5.3", "low high max", "enabled", lambda body: body.get("reasoning_effort") == "low"),
        ChatService("Qwen on vLLM", "http://vllm.example:8000/v1", "Qwen/Qwen3.6-35B-A3B", VLLM_QWEN, voice="reasoning",
                    off=lambda body: body.get("chat_template_kwargs", {}).get("enable_thinking") is False),
        ChatService("Mistral", "http://api.mistral.ai", "mistral-medium-3.5", MISTRAL, "/v1/chat/completions", voice="parts",
                    call_id=lambda name: f"{next(numbers):09}", off=lambda body: body.get("reasoning_effort") == "none",
                    error=mistral_error),
        ChatService("Groq gpt-oss", "http://api.groq.com/openai/v1", "openai/gpt-oss-120b", groq_rules(65536, "low medium high"),
                    voice="reasoning", off=lambda body: body.get("reasoning_effort") == "low", error=groq_error),
        ChatService("Groq Llama", "http://api.groq.com/openai/v1", "llama-3.3-70b-versatile", groq_rules(32768), error=groq_error),
        ChatService("OpenRouter: Gemini", "http://openrouter.ai/api/v1", "google/gemini-3.8-flash", OPENROUTER, voice="details",
                    off=least_reasoning),
    ]

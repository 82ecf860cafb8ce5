"""Stand-ins for services and models by name: what each of them refuses, as data.

The modules upstream, upstream_responses, upstream_gemini and upstream_claude speak a protocol each, and check what every
service of it checks.  A service here is one address with one model, and a list of rules: what this service refuses
besides, in its own words and with its own status, and which fact says so.  The numbers of the facts are the parts of
SERVICES.md.  A rule knows how to break itself, so that test_named_services_are_strict can show of each that it refuses.
"""
import copy
import itertools
import json
import re
from dataclasses import dataclass, field
from types import ModuleType
from typing import Callable
from urllib.parse import urlsplit

import upstream as chat
import upstream_responses as responses

numbers = itertools.count(1)


@dataclass(frozen=True)
class Rule:
    """${refuses} is given a request's body and the service; what it returns, if anything, stands for {} in ${words}."""
    fact: str
    words: str
    refuses: Callable
    breaks: Callable  # changes a good body so that it is refused by this rule
    status: int = 400
    more: dict = field(default_factory=dict)  # members of the error beside its message


# ---- rules that many services have ----

def member(fact, name, words, value=1, **more):
    """A member that is not taken."""
    return Rule(fact, words, lambda body, _: name if name in body else None, lambda body: body.update({name: value}), more=more)


def only_members(fact, names, words, status=400, **more):
    """Nothing but these members is taken."""
    known = set(names.split())
    return Rule(fact, words, lambda body, _: next((name for name in body if name not in known), None),
                lambda body: body.update(never_heard_of=1), status, more)


def value(fact, path, taken, words, bad, **more):
    """A value, at a path with dots, that must be one of those ${taken}."""
    *outer, last = path.split(".")

    def holder(body):
        for name in outer:
            body = body.get(name) or {}
        return body

    def breaks(body):
        for name in outer:
            body = body.setdefault(name, {})
        body[last] = bad

    return Rule(fact, words, lambda body, _: holder(body)[last] if last in holder(body) and holder(body)[last] not in taken.split()
                else None, breaks, more=more)


def most(fact, name, limit, words, status=400, **more):
    """A number that has a limit."""
    return Rule(fact, words, lambda body, _: body[name] if body.get(name, 0) > limit else None,
                lambda body: body.update({name: limit + 1}), status, more)


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


def schemas(body):
    """Each function's name and schema, in either form of OpenAI's."""
    for tool in body.get("tools", []):
        function = tool.get("function", tool)
        if "parameters" in function:
            yield function["name"], function["parameters"], function.get("strict")


def schemas_in(schema):
    """A schema and all schemas in it."""
    yield schema
    for name in ("properties", "$defs", "definitions"):
        for inner in (schema.get(name) or {}).values():
            if isinstance(inner, dict):
                yield from schemas_in(inner)
    for name in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(name) or []:
            yield from schemas_in(inner)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from schemas_in(schema[name])


def schema_rule(fact, words, wrong, example, status=400, **more):
    """A function whose schema, or one in it, is wrong."""
    def refuses(body, _):
        return next((name for name, schema, _ in schemas(body) if any(wrong(inner, inner is schema) for inner in schemas_in(schema))),
                    None)

    def breaks(body):
        tool = body["tools"][0]
        tool.get("function", tool)["parameters"] = example

    return Rule(fact, words, refuses, breaks, status, more)


def is_closed(schema):
    """May it be strict?"""
    return all(inner.get("additionalProperties") is False and set(inner.get("required") or []) == set(inner.get("properties") or {})
               for inner in schemas_in(schema) if inner.get("type") == "object")


def strict_tools(fact, words, **more):
    def breaks(body):
        tool = body["tools"][0]
        tool.get("function", tool).update(strict=True, parameters={"type": "object", "properties": {"a": {"type": "string"}}})

    return Rule(fact, words, lambda body, _: next((name for name, schema, strict in schemas(body) if strict and not is_closed(schema)),
                                                  None), breaks, more=more)


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
    return chat.messages_problem(messages)


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

def good_chat(service):
    """A request that nobody could mind."""
    thought = "Both, then."
    id = service.call_id("look")
    service.given[id] = {"thinking": thought, "details": service.details_of(thought, [id])}
    said = {"role": "assistant", "content": "I look.", "tool_calls": [chat.tool_call("look", '{"at":"a"}', id)]}
    if service.voice == "parts":
        said["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": thought}]}, {"type": "text", "text": "I look."}]
    elif service.voice == "details":
        said["reasoning_details"] = service.given[id]["details"]
    elif service.voice:
        said[service.voice] = thought
    return {"model": service.model, "stream": True, service.limit: 1000, "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is there?"}, said,
        {"role": "tool", "tool_call_id": id, "content": "a word"}], "tools": [{"type": "function", "function": {
            "name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {"at": {"type": "string"}},
                                                                    "required": ["at"]}}}]}


@dataclass
class Service:
    """Can be spoken by an Upstream, as the modules can."""
    name: str
    base: str  # the base URL
    model: str
    rules: list
    path: str = "/chat/completions"  # behind the base URL
    limit: str = "max_tokens"  # the member for the output's
    voice: str = ""  # the member in which it tells what it thinks; "parts", "details": see deltas; "": it does not
    off: Callable = lambda body: True  # is it told not to think, or as little as it can?
    call_id: Callable = lambda name: f"call_{next(numbers)}"
    options: tuple = ()  # of the upstream, that its owner sets
    more: dict = field(default_factory=dict)  # members of a good request
    error: Callable = None  # the body of an error from message and members
    protocol: ModuleType = chat
    good: Callable = good_chat

    def __post_init__(self):
        self.given = {}  # what went with a call, by the call's id

    @property
    def SERVICE_TYPE(self):
        return self.protocol.SERVICE_TYPE

    def good_request(self):
        return {**self.good(self), **self.more}

    # ---- requests ----

    def key_of(self, call):
        return self.protocol.key_of(call)

    def streams(self, call):
        return self.protocol.streams(call)

    def results(self, call):
        return self.protocol.results(call)

    def address_problem(self, call):
        """Asked through a proxy, the request names the whole address."""
        url, base = urlsplit(call.path), urlsplit(self.base)
        if (url.scheme, url.netloc, url.path) != (base.scheme, base.netloc, base.path.rstrip("/") + self.path):
            return 404, f"Invalid URL ({call.method} {call.path})", {}
        if call.key is None:
            return 401, "You didn't provide an API key.", {}
        if call.headers.get("Content-Type") != "application/json" or call.body is None:
            return 400, "We could not parse the JSON body of your request.", {}
        if self.path.startswith("/chat") and call.body.get("model") != self.model:
            return 404, f"The model `{call.body.get('model')}` does not exist", {}
        return None

    def broken_rule(self, body):
        """The first rule that refuses the body, and what it says; or None."""
        for rule in self.rules:
            what = rule.refuses(body, self)
            if what:
                return rule, rule.words.format(what)
        return None

    def problem_of(self, call):
        problem = self.address_problem(call)
        if problem:
            return problem
        broken = self.broken_rule(call.body)
        return broken and (broken[0].status, broken[1], broken[0].more)

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
        yield from itertools.islice(chat.deltas_of(content, calls), 1, None)
        if self.voice == "details" and calls:
            yield {"reasoning_details": self.details_of("", [call["id"] for call in calls])}

    def parts(self, content=None, tool_calls=(), reasoning_content=None):
        """Its clients always ask for streams."""
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
    return Service(name, "http://api.openai.com", model, [*more_rules, *openai_rules(model, efforts, limit)], "/v1/chat/completions",
                   "max_completion_tokens", off=lambda body: effort_of(body) == off, more=more)


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


# ---- the table ----

def services():
    """All of them, fresh."""
    return [
        openai("gpt-5.1", "gpt-5.1", GPT_5_1, 128000, off="none"),
        openai("gpt-5.6 in Chat", "gpt-5.6", GPT_5_6, 128000, off="none", more_rules=[TOOLS_AT_NONE], reasoning_effort="none"),
        openai("o3", "o3", "low medium high", 100000, off="low"),
        Service("DeepSeek V4", "http://api.deepseek.com", "deepseek-v4-pro", DEEPSEEK, "/v1/chat/completions",
                voice="reasoning_content", off=lambda body: not deepseek_thinks(body)),
        Service("Qwen on vLLM", "http://vllm.example:8000/v1", "Qwen/Qwen3.6-35B-A3B", VLLM_QWEN, voice="reasoning",
                off=lambda body: body.get("chat_template_kwargs", {}).get("enable_thinking") is False),
    ]

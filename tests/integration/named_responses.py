"""Services that speak Responses, by name; see named_services."""
from dataclasses import dataclass

import upstream_responses as responses
from strict_service import Rule, Service, member, most, numbers, only_members, schema_rule, strict_tools, value

MEMBERS = ("model input instructions tools tool_choice parallel_tool_calls reasoning text max_output_tokens temperature top_p "
           "safety_identifier prompt_cache_key store include stream")
ITEMS = {
    "message": {"type", "role", "content", "phase"}, "reasoning": {"type", "id", "summary", "encrypted_content"},
    "function_call": {"type", "call_id", "name", "arguments"}, "function_call_output": {"type", "call_id", "output"}}


def plain(item):
    """The item without what only the newer models take."""
    return {name: value for name, value in item.items() if name != "phase"}


def items_of(body, kind):
    return [item for item in body["input"] if item.get("type", "message") == kind]


def reasoning_back(body, service):
    """With each call that was thought of, as it was given."""
    back = items_of(body, "reasoning")
    return next((item["call_id"] for item in items_of(body, "function_call")
                 if service.given.get(item["call_id"]) not in [None, *back]), None)


def foreign_reasoning(body, service):
    known = [given["encrypted_content"] for given in service.given.values() if given]
    return next((item["id"] for item in items_of(body, "reasoning") if item["encrypted_content"] not in known), None)


def phases(body, _):
    """What the assistant said is told from what it concludes with."""
    for item, follows in zip(body["input"], [*body["input"][1:], {}]):
        if item.get("role") == "assistant":
            wanted = "commentary" if follows.get("type") in ("reasoning", "function_call") else "final_answer"
            if item.get("phase") != wanted:
                return wanted
    return None


def effort_of(body):
    return body.get("reasoning", {}).get("effort")


def sampling(name):
    def breaks(body):
        body.update({name: 1, "reasoning": {"effort": "high"}})

    return Rule("1.1 temperature, top_p", "Unsupported parameter: '{}' is not supported with this model.",
                lambda body, _: name if name in body and effort_of(body) != "none" else None, breaks,
                more={"param": name, "code": "unsupported_parameter"})


RESPONSES = [
    only_members("2.4 OpenAI: unknown members", MEMBERS, "Unknown parameter: '{}'.", code="unknown_parameter"),
    Rule("2.3 OpenAI", "Invalid input: {}", lambda body, _: responses.input_problem([plain(item) for item in body["input"]]),
         lambda body: body["input"].pop()),
    Rule("1.2 reasoning goes back", "Item of type 'function_call' ({}) was provided without its required 'reasoning' item.",
         reasoning_back, lambda body: body["input"].remove(items_of(body, "reasoning")[0])),
    Rule("1.2 encrypted reasoning of others", "The encrypted content for item {} could not be verified.", foreign_reasoning,
         lambda body: items_of(body, "reasoning")[0].update(encrypted_content="of another"), more={"code": "invalid_encrypted_content"}),
    Rule("1.2 message phase (the service answers, but worse)", "the phase is missing: {}", phases,
         lambda body: items_of(body, "message")[1].pop("phase")),
    value("1.1 efforts", "reasoning.effort", "none low medium high xhigh max", "Unsupported value: '{}' is not supported with the "
          "'gpt-5.6' model. Supported values are: 'none', 'low', 'medium', 'high', 'xhigh', and 'max'.", "minimal",
          param="reasoning.effort", code="unsupported_value"),
    sampling("temperature"), sampling("top_p"),
    member("1.2 stop", "stop", "Unknown parameter: '{}'.", ["x"]),
    most("1.4 output", "max_output_tokens", 128000, "max_output_tokens is too large: {}. This model supports at most 128000 "
         "completion tokens.", param="max_output_tokens", code="invalid_value"),
    Rule("1.2 strict is the default", "Invalid schema for function '{}': 'strict' is missing", lambda body, _: next(
        (tool["name"] for tool in body.get("tools", []) if tool["type"] == "function" and tool.get("strict") is None), None),
        lambda body: body["tools"][0].pop("strict")),
    strict_tools("1.2 strict", "Invalid schema for function '{}': In context=(), 'additionalProperties' is required to be supplied "
                 "and to be false.", code="invalid_function_parameters"),
    schema_rule("1.2 tool schema: arrays", "Invalid schema for function '{}': array schema missing items.",
                lambda schema, _: schema.get("type") == "array" and "items" not in schema,
                {"type": "object", "properties": {"a": {"type": "array"}}}, code="invalid_function_parameters"),
    Rule("1.2 who the user is", "Invalid '{}': string too long.", lambda body, _: next(
        (name for name, length in (("safety_identifier", 128), ("prompt_cache_key", 64)) if len(body.get(name, "")) > length), None),
        lambda body: body.update(prompt_cache_key="k" * 65), more={"code": "string_above_max_length"}),
]


@dataclass
class ResponsesService(Service):
    path: str = "/responses"
    voice: str = "reasoning"
    protocol: object = responses

    def reasoning_of(self, thinking):
        if not thinking:
            return None
        n = next(numbers)
        return {"type": "reasoning", "id": f"rs_{n}", "summary": [{"type": "summary_text", "text": thinking}],
                "encrypted_content": f"sealed-{n}"}

    def good(self):
        reasoning = self.given["call_of_mine"] = self.reasoning_of("Both, then.")
        return {"model": self.model, "stream": True, "store": False, "max_output_tokens": 1000, "instructions": "Be brief.", "input": [
            {"role": "user", "content": "What is there?"}, {**reasoning},
            {"role": "assistant", "content": "I look.", "phase": "commentary"},
            {"type": "function_call", "call_id": "call_of_mine", "name": "look", "arguments": '{"at":"a"}'},
            {"type": "function_call_output", "call_id": "call_of_mine", "output": "a word"}],
            "tools": [{"type": "function", "name": "look", "strict": False, "description": "Looks.", "parameters": {
                "type": "object", "properties": {"at": {"type": "string"}}}}]}

    def error_body(self, code, message, more=()):
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **dict(more)}}

    def parts(self, content=None, tool_calls=(), reasoning_content=None):
        calls = [{**call, "id": f"call_{next(numbers)}"} for call in tool_calls]
        reasoning = self.reasoning_of(reasoning_content)
        items = [reasoning] if reasoning else []
        if content:
            items.append({"type": "message", "id": f"msg_{next(numbers)}", "role": "assistant", "status": "completed",
                          "phase": "commentary" if calls else "final_answer",
                          "content": [{"type": "output_text", "text": content, "annotations": []}]})
        for call in calls:
            self.given[call["id"]] = reasoning
            items.append({"type": "function_call", "id": f"fc_{next(numbers)}", "call_id": call["id"], "status": "completed",
                          "name": call["function"]["name"], "arguments": call["function"]["arguments"]})
        whole = responses.response(items)

        def answer(call):
            stream = responses.Stream(call)
            stream.send("response.created", response={**whole, "status": "in_progress", "output": [], "usage": None})
            for index, item in enumerate(items):
                stream.item(index, item)
            stream.send("response.completed", response=whole)
            call.end_stream()

        return answer

    def thoughts(self, body):
        for item in items_of(body, "reasoning"):
            yield from (part["text"] for part in item["summary"])


def responses_services():
    return [
        ResponsesService("gpt-5.6 in Responses", "http://api.openai.com", "gpt-5.6", RESPONSES, "/v1/responses",
                         off=lambda body: effort_of(body) == "none"),
    ]

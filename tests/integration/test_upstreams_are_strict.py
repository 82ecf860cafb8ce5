"""The stand-ins refuse what the real services refuse: otherwise the tests that rely on them could not fail."""
import json
from types import SimpleNamespace

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses


def problem(service, path, body, key=None):
    headers = {"x-goog-api-key": "k"} if service is upstream_gemini else {"anthropic-version": "x", "x-api-key": "k",
                                                                         "Content-Type": "application/json"}
    call = SimpleNamespace(method="POST", path=path, body=json.loads(json.dumps(body)), headers=headers, key="k")
    return service.problem_of(call)


USER = {"role": "user", "parts": [{"text": "u"}]}
CALL = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
RESPONSE = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "1"}}}]}


def tool(schema):
    return {"contents": [USER], "tools": [{"functionDeclarations": [{"name": "f", "parameters": {
        "type": "object", "properties": {"a": schema}}}]}]}


@pytest.mark.parametrize("body, refused", [
    ({"contents": [USER]}, False), ({"contents": [USER, CALL, RESPONSE]}, False), (tool({"type": "string"}), False),
    ({"contents": []}, True), ({"contents": [USER], "stream": True}, True), ({"contents": [CALL]}, True),
    ({"contents": [USER, USER]}, True), ({"contents": [USER, CALL]}, True), ({"contents": [USER, CALL, USER]}, True),
    ({"contents": [USER, RESPONSE]}, True), ({"contents": [{"role": "user", "parts": [{"text": ""}]}]}, True),
    ({"contents": [{"role": "user", "parts": []}]}, True), (tool({"type": "string", "format": "uri"}), True),
    (tool({"type": "string", "const": "x"}), True), (tool({}), True), (tool({"type": ["string", "null"]}), True),
    (tool({"type": "integer", "enum": [1]}), True), (tool({"type": "array"}), True),
    ({"contents": [USER], "generationConfig": {"thinkingConfig": {"thinkingBudget": 1}}}, True),
    ({"contents": [USER], "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}}, True)])
def test_gemini(body, refused):
    assert bool(problem(upstream_gemini, "/v1beta/models/gemini-2.0-flash:generateContent", body)) == refused


def test_gemini_3_wants_signatures():
    body = {"contents": [USER, CALL, RESPONSE]}
    assert "thought_signature" in problem(upstream_gemini, "/v1beta/models/gemini-3-pro:generateContent", body)[1]


SAID = {"role": "user", "content": [{"type": "input_text", "text": "u"}]}
CALLED = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": ""}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}


@pytest.mark.parametrize("members, refused", [
    ({"input": [SAID]}, False), ({"input": [SAID, CALLED, OUTPUT, SAID]}, False), ({"input": [SAID, REASONING, CALLED, OUTPUT]}, False),
    ({"input": []}, True), ({"input": [SAID, CALLED]}, True), ({"input": [SAID, CALLED, SAID, OUTPUT]}, True),
    ({"input": [SAID, OUTPUT]}, True), ({"input": [SAID, REASONING, SAID]}, True),
    ({"input": [SAID, {**CALLED, "arguments": "[]"}, OUTPUT]}, True), ({"input": [SAID, {**CALLED, "call_id": "a b"}, OUTPUT]}, True),
    ({"input": [SAID], "stop": ["x"]}, True), ({"input": [SAID], "tools": []}, True), ({"input": [SAID], "max_output_tokens": 1}, True),
    ({"input": [SAID], "reasoning": {}}, True), ({"input": [SAID], "user": "u" * 65}, True),
    ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "u"}]}]}, True)])
def test_responses(members, refused):
    assert bool(problem(upstream_responses, "/v1/responses", {"model": "m", "store": False, **members})) == refused


USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}


def thinks(signature):
    return {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": signature}]}


@pytest.mark.parametrize("messages, refused", [([{"role": "user", "content": "u"}], False), ([USE, RESULT], False), ([], True),
                                               ([USE, {"role": "system", "content": []}, RESULT], False),
                                               ([thinks(upstream_claude.SIGNATURE)], False), ([thinks("cp1.x")], True),
                                               ([{"role": "assistant", "content": []}], True),
                                               ([USE], True), ([RESULT], True), ([USE, {"role": "user", "content": "u"}], True)])
def test_claude(messages, refused):
    assert bool(problem(upstream_claude, "/v1/messages", {"model": "m", "max_tokens": 1, "messages": messages})) == refused


CHAT_CALL = {"role": "assistant", "content": None, "tool_calls": [openai_chat.tool_call("f", "{}")]}
CHAT_RESULT = {"role": "tool", "tool_call_id": "call_1", "content": ""}


@pytest.mark.parametrize("messages, refused", [
    ([{"role": "user", "content": "u"}], False), ([CHAT_CALL, CHAT_RESULT], False), ([], True), ([CHAT_CALL], True),
    ([CHAT_RESULT], True), ([CHAT_CALL, {"role": "user", "content": "u"}], True), ([{"role": "user", "content": ""}], True),
    ([{"role": "developer", "content": "u"}], True), ([{"role": "user", "content": [{"type": "input_text", "text": "u"}]}], True)])
def test_chat_completions(messages, refused):
    assert bool(problem(openai_chat, "/v1/chat/completions", {"model": "m", "messages": messages})) == refused

"""Claude requests answered by a Chat Completions service, through real lighttpd."""
import json
from decimal import Decimal

import pytest

from site_under_test import collect, request
from upstream import message, parts, status, text, tool_call

WEATHER = {"name": "weather", "description": "Tells the weather", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
STRANGE = "a\u0000b \u2028 </script> \u00e9 \u4e16\u754c \U0001f600 \\ \" \t \r\n"


def test_a_plain_message_is_answered(served, upstream):
    answer = served.post(request("hello"))
    assert answer.status == 200
    body = answer.json
    assert body["id"].startswith("msg_") and len(body["id"]) >= 28
    assert body["model"] == "claude-test"
    assert body["content"] == [{"type": "text", "text": "Hello there"}]
    assert body["stop_reason"] == "end_turn" and body["stop_sequence"] is None
    assert body["usage"]["input_tokens"] == 12 and body["usage"]["cache_read_input_tokens"] == 8
    assert body["usage"]["output_tokens"] == 5
    assert answer.headers["request-id"].startswith("req_")
    assert upstream.last["messages"] == [{"role": "user", "content": "hello"}]
    assert upstream.last["max_tokens"] == 100


def test_a_stream_amounts_to_the_same_message(served, upstream):
    upstream.answer = parts("The weather:", reasoning_content="Let me think.",
                            tool_calls=[tool_call("weather", '{"city": "Paris"}')])
    whole = served.ask(tools=[WEATHER])
    streamed = collect(served.stream(tools=[WEATHER]))
    for member in ("content", "stop_reason", "model", "usage"):
        assert streamed[member] == whole[member]
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use"]
    assert whole["content"][2] == {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}
    assert whole["stop_reason"] == "tool_use"


@pytest.mark.parametrize("fragment", [1, 7, None])
def test_every_character_arrives_as_sent(served, upstream, fragment):
    upstream.answer = lambda call: (setattr(call, "fragment", fragment), call.chunk(content=STRANGE),
                                    call.chunk(finish_reason="stop"), call.event("[DONE]"), call.end_stream())
    message = collect(served.stream(STRANGE))
    assert message["content"][0]["text"] == STRANGE
    assert upstream.last["messages"][0]["content"] == STRANGE


def test_numbers_and_key_order_of_tool_input_survive_both_ways(served, upstream):
    text = '{"z":0.1,"a":1e21,"big":12345678901234567890,"huge":123456789012345678901234567890,"zero":-0,"m":1.10,"n":{"b":[[[{}]]]}}'
    upstream.answer = parts(tool_calls=[tool_call("f", text)])
    answer = served.post(request([{"role": "user", "content": "x"}], tools=[{"name": "f", "input_schema": {}}]))
    assert f'"input":{text}'.encode() in answer.body
    history = ('{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":'
               '[{"type":"tool_use","id":"t","name":"f","input":' + text + '}]},{"role":"user","content":'
               '[{"type":"tool_result","tool_use_id":"t","content":"ok"}]}]}')
    assert served.post(history).status == 200
    assert upstream.last["messages"][1]["tool_calls"][0]["function"]["arguments"] == text


def test_a_conversation_with_tools_and_images_satisfies_a_strict_service(served, upstream):
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "look"}, IMAGE]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "of somebody else"},
            {"type": "text", "text": "I call"},
            {"type": "tool_use", "id": "toolu_" + "x" * 60, "name": "mcp__" + "server" * 12, "input": {"a": 1}},
            {"type": "tool_use", "id": "b", "name": "weather", "input": {}},
            {"type": "tool_use", "id": "c", "name": "weather", "input": {}}]},
        {"role": "user", "content": [
            {"type": "text", "text": "and"},
            {"type": "tool_result", "tool_use_id": "c", "is_error": True, "content": "it broke"},
            {"type": "tool_result", "tool_use_id": "toolu_" + "x" * 60, "content": [{"type": "text", "text": "see"}, IMAGE]},
            {"type": "tool_result", "tool_use_id": "nobody", "content": "orphan"}]},
        {"role": "user", "content": "go on"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "d", "name": "weather", "input": {}}]},
    ]
    tools = [WEATHER, {"name": "mcp__" + "server" * 12, "input_schema": {"type": "object"}},
             {"type": "function", "function": {"name": "other"}}, {"type": "web_search_20250305", "name": "web_search"},
             {"type": "bash_20250124", "name": "bash"}]
    served.ask(turns, tools=tools, system=[{"type": "text", "text": "be"}, {"type": "text", "text": "brief"}])
    assert upstream.refused == []
    messages = upstream.last["messages"]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "tool", "tool", "tool", "user", "assistant",
                                             "tool"]
    assert messages[0]["content"].startswith("be\n\nbrief\n\nThere is no web search here")
    calls = messages[2]["tool_calls"]
    assert calls[0]["id"].startswith("call_") and len(calls[0]["id"]) == 29
    assert messages[3] == {"role": "tool", "tool_call_id": "c", "content": "Error: it broke"}
    assert messages[4] == {"role": "tool", "tool_call_id": calls[0]["id"], "content": "see"}
    assert messages[5] == {"role": "tool", "tool_call_id": "b", "content": "(no result)"}
    assert messages[6]["content"][0]["text"] == f"Image from tool result {calls[0]['id']}:"
    assert messages[6]["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="
    assert [part["text"] for part in messages[6]["content"][2:]] == ["orphan", "and", "go on"]
    assert messages[8]["content"] == "(no result)"
    names = [tool["function"]["name"] for tool in upstream.last["tools"]]
    assert names[0] == "weather" and names[2:] == ["other", "bash"]
    assert names[1] == calls[0]["function"]["name"] and len(names[1]) == 64


def test_a_shortened_function_name_comes_back_whole(served, upstream):
    name = "mcp__" + "server" * 12
    upstream.answer = lambda call: call.reply(200, message(
        tool_calls=[tool_call(call.body["tools"][0]["function"]["name"], "{}")]))
    answer = served.ask(tools=[{"name": name, "input_schema": {"type": "object"}}])
    assert answer["content"][0]["name"] == name


def test_extra_content_of_a_call_comes_back_in_its_place(served, upstream):
    extra = {"google": {"thought_signature": "c2lnbmF0dXJl" * 40}}
    call = {**tool_call("weather", "{}", id="function-call-1"), "extra_content": extra}
    upstream.answer = status(200, message(tool_calls=[call]))
    block = served.ask(tools=[WEATHER])["content"][0]
    assert block["id"].startswith("toolu_cp1_")
    upstream.answer = text("done")
    upstream.strict = False
    served.ask([{"role": "user", "content": "x"}, {"role": "assistant", "content": [block]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}]}])
    sent = upstream.last["messages"]
    assert sent[1]["tool_calls"][0]["extra_content"] == extra
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == "function-call-1"


def test_thinking_goes_back_to_the_service_it_came_from(served, upstream):
    upstream.answer = parts("yes", reasoning_content="I thought")
    first = served.ask()
    assert first["content"][0]["signature"].startswith("cp1.")
    upstream.strict = False
    served.ask([{"role": "user", "content": "x"}, {"role": "assistant", "content": first["content"]},
                {"role": "user", "content": "and?"}])
    assert upstream.last["messages"][1] == {"role": "assistant", "content": "yes", "reasoning_content": "I thought"}


def test_thinking_is_left_out_where_it_was_disabled(served, upstream):
    upstream.answer = parts("yes", reasoning_content="I thought")
    message = served.ask(thinking={"type": "disabled"})
    assert [block["type"] for block in message["content"]] == ["text"]


@pytest.mark.parametrize("reason, expected", [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"),
                                              ("tool_calls", "end_turn"), (None, "end_turn"), ("odd", "end_turn")])
def test_stop_reasons(served, upstream, reason, expected):
    upstream.answer = status(200, message("x", finish_reason=reason))
    assert served.ask()["stop_reason"] == expected


@pytest.mark.parametrize("model, member", [("gpt-4o", "max_tokens"), ("o3", "max_completion_tokens"),
                                           ("gpt-5-mini", "max_completion_tokens"), ("deepseek-chat", "max_tokens"),
                                           ("openai/gpt-5", "max_completion_tokens")])
def test_models_get_the_parameters_they_take(served, upstream, model, member):
    served.ask(model=model, temperature=0.5, top_p=0.9, top_k=5, stop_sequences=["a", "b", "c", "d", "e"],
               metadata={"user_id": "\u00e9" * 50}, thinking={"type": "enabled", "budget_tokens": 5000})
    body = upstream.last
    assert body[member] == 100 and body["model"] == model
    assert body["user"] == "\u00e9" * 32
    if member == "max_tokens":
        assert body["temperature"] == 0.5 and body["stop"] == ["a", "b", "c", "d"] and "reasoning_effort" not in body
    else:
        assert body["reasoning_effort"] == "medium"


@pytest.mark.parametrize("choice, expected", [
    ({"type": "auto"}, "auto"), ({"type": "any"}, "required"), ({"type": "none"}, "none"),
    ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}})])
@pytest.mark.parametrize("parallel", [True, False])
def test_tool_choice(served, upstream, choice, expected, parallel):
    served.ask(tools=[WEATHER], tool_choice={**choice, "disable_parallel_tool_use": not parallel})
    assert upstream.last["tool_choice"] == expected
    assert upstream.last.get("parallel_tool_calls", True) == parallel


def test_a_json_answer_to_a_stream_request_is_played_as_a_stream(served, upstream):
    upstream.answer = status(200, message("whole", tool_calls=[tool_call("f", '{"a":1}')]))
    streamed = collect(served.stream())
    assert [block["type"] for block in streamed["content"]] == ["text", "tool_use"]


def test_a_stream_that_was_not_asked_for_is_collected(served, upstream):
    upstream.answer = lambda call: (call.chunk(content="col"), call.chunk(content="lected"),
                                    call.chunk(finish_reason="stop"), call.end_stream())
    assert served.ask()["content"] == [{"type": "text", "text": "collected"}]


def test_arguments_that_are_no_object_are_kept_as_they_are(served, upstream):
    upstream.answer = status(200, message(tool_calls=[tool_call("f", "not json")]))
    assert served.ask()["content"][0]["input"] == {"_raw": "not json"}


def test_a_large_answer_arrives_whole(served, upstream):
    upstream.answer = text("x" * (8 << 20))
    assert len(served.ask()["content"][0]["text"]) == 8 << 20


def test_decimal_fidelity_of_parameters(served, upstream):
    served.post('{"model":"m","max_tokens":5,"temperature":0.30000000000000004,"messages":[{"role":"user","content":"x"}]}')
    assert json.loads(upstream.calls[-1].text, parse_float=Decimal)["temperature"] == Decimal("0.30000000000000004")

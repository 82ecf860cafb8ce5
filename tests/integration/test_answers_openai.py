"""Answers of OpenAI's endpoints and the services that are compatible with them, told as what they are (PROTOCOL §C, §D.2, §E).

test_answers_in_any_form.py has the oddities in all combinations; here is what each means for keys, streams and the next turn.
"""
import pytest

import upstream as openai_chat
import upstream_gemini
import upstream_responses
from site_under_test import collect, next_event, parse_events, request, wait_for
from upstream import message, parts, status, text, tool_call

KEYS = ["sk-first-0123456789", "sk-second-0123456789"]
TRANSLATED = [openai_chat, upstream_responses, upstream_gemini]


def choice(delta, **members):
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None, **members}]}


def stream(*events):
    """Answer with these events, whether or not a stream was asked for."""
    def answer(call):
        for event in events:
            call.event(event)
        call.end_stream()
    return answer


def failing(code, **error):
    """What a gateway makes of a provider that failed: 200, and the error in the choice."""
    error = {"code": code, "message": "Upstream idle timeout exceeded", **error}
    whole = {"id": "g", "choices": [{"index": 0, "error": error, "finish_reason": "error", "message": {"content": ""}}]}
    pieces = stream(choice({"role": "assistant", "content": ""}), choice({"content": ""}, finish_reason="error", error=error), "[DONE]")
    return lambda call: pieces(call) if call.streams else call.reply(200, whole)


FAILURES = {
    "error in the choice": failing(502),
    "finish_reason": lambda call: (stream(choice({}, finish_reason="network_error")) if call.streams else
                                   status(200, message("", finish_reason="network_error")))(call),
    "resources": lambda call: (stream(choice({}, finish_reason="insufficient_system_resource")) if call.streams else
                               status(200, message("", finish_reason="insufficient_system_resource")))(call),
    "error object": status(200, {"error": {"message": "overloaded", "code": 529}}),
    "vLLM": stream({"object": "error", "message": "CUDA out of memory", "code": 500}),
    "MiniMax": status(200, {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}),
    "Groq": stream({"choices": [], "x_groq": {"error": {"message": "broken"}}}),
    "a page": status(200, "<html><title>Maintenance</title></html>", "text/html"),
    "nothing": status(200, ""),
    "half an event": stream('{"choices":[{"delta":{"content":"Hel', "[DONE]"),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_another_key_cures_a_failure_that_looks_like_success(site, upstream, failure, streamed):
    upstream.answer = lambda call: (failure if call.key == KEYS[0] else text("good"))(call)
    site.use(upstream, *KEYS)
    with site.lighttpd():
        got = collect(site.stream()) if streamed else site.ask()
        assert [block["text"] for block in got["content"]] == ["good"]
        assert upstream.keys_seen() == {KEYS[0]: 1, KEYS[1]: 1}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failure_is_told_where_nothing_cures_it(served, upstream, failure):
    upstream.answer = failure
    answer = served.post(request())
    assert answer.status in (429, 500, 502, 529) and answer.error["message"]


ERRORS = [
    choice({}, finish_reason="error", error={"message": "it broke"}), choice({}, finish_reason="error"),
    {"error": {"message": "it broke"}}, {"object": "error", "message": "it broke"}, {"message": "it broke", "code": 500},
    {"detail": "it broke"}, {"choices": [], "x_groq": {"error": {"message": "it broke"}}},
]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_after_content_ends_the_stream_with_it_and_tries_no_key(site, upstream, error):
    upstream.answer = stream(choice({"content": "Let me"}), error, "[DONE]")
    site.use(upstream, *KEYS)
    with site.lighttpd():
        answer = site.post(request(stream=True))
        events = parse_events(answer.body.decode())
        assert events[-1]["type"] == "error" and "message_stop" not in answer.body.decode()
        assert any(event.get("delta", {}).get("text") == "Let me" for event in events)
        assert len(upstream.calls) == 1


def test_an_error_of_minimax_has_the_status_that_it_means(served, upstream):
    for code, expected in [(1002, 429), (1004, 401), (1008, 402), (2013, 400), (1000, 502)]:
        upstream.answer = status(200, {"base_resp": {"status_code": code, "status_msg": "no"}})
        answer = served.post(request())
        assert answer.status == expected and "no" in answer.error["message"]


def test_an_unknown_finish_reason_is_logged(served, upstream):
    upstream.answer = parts("x", finish_reason="sideways")
    assert served.ask()["stop_reason"] == "end_turn"
    wait_for(lambda: "unknown finish_reason 'sideways'" in served.log_text(), "it to be logged")


# ---- stop sequences ----

def overrun(service):
    """A service that does not heed stop sequences."""
    return service.parts("<block>yes</block><reason>long")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("service", TRANSLATED, ids=lambda service: service.SERVICE_TYPE)
def test_stop_sequences_are_carried_out(site, upstream, service, streamed):
    upstream.speak(service)
    upstream.answer = overrun(service)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        for sequences in (["</block>"], ["1", "2", "3", "4", "</block>"], ["</b", "</block>"]):
            ask = dict(stop_sequences=sequences)
            got = collect(site.stream(**ask)) if streamed else site.ask(**ask)
            assert "".join(block["text"] for block in got["content"]) == "<block>yes"
            assert got["stop_reason"] == "stop_sequence"
            assert got["stop_sequence"] == ("</b" if "</b" in sequences else "</block>")


def test_a_stream_is_not_heard_out_after_a_stop_sequence(served, upstream):
    ended = []

    def answer(call):
        call.chunk(content="yes<EN")
        call.chunk(content="D> and on")
        ended.append(call.wait_gone(20))

    upstream.answer = answer
    with served.open_stream(stop_sequences=["<END>"]) as response:
        while (event := next_event(response))["type"] != "message_delta":
            pass
        assert event["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "<END>"}
    wait_for(lambda: ended, "the transfer to end")
    assert ended == [True]


def test_thinking_has_no_stop_sequences(served, upstream):
    upstream.answer = parts("ok", reasoning_content="not <END> yet")
    got = served.ask(stop_sequences=["<END>"])
    assert [block.get("thinking", block.get("text")) for block in got["content"]] == ["not <END> yet", "ok"]
    assert got["stop_reason"] == "end_turn"


# ---- calls ----

def test_calls_that_a_service_tells_again_and_again_come_once(served, upstream):
    """llama.cpp has no output_index, and repeats each item twice."""
    calls = [{"type": "function_call", "call_id": f"fc_{n}", "name": "Bash", "arguments": f'{{"command":"ls {n}"}}'} for n in range(2)]
    events = [{"type": "response.created", "response": {"status": "in_progress"}}]
    for item in calls:
        events.append({"type": "response.output_item.added", "item": {**item, "arguments": ""}})
        events.append({"type": "response.function_call_arguments.delta", "item_id": item["call_id"], "delta": item["arguments"]})
    events += [{"type": "response.output_item.done", "item": item} for item in calls]
    events.append({"type": "response.completed", "response": {"status": "completed", "output": calls}})
    upstream.speak(upstream_responses)
    served.admin("clear", "--yes")
    served.use(upstream, service_type="openai-responses")
    upstream.answer = stream(*events)
    tools = [{"name": "Bash", "input_schema": {"type": "object"}}]
    for got in (served.ask(tools=tools), collect(served.stream(tools=tools))):
        assert [block["input"] for block in got["content"]] == [{"command": "ls 0"}, {"command": "ls 1"}]
        assert got["stop_reason"] == "tool_use"


def test_an_id_that_the_client_cannot_be_given_is_the_same_in_call_and_result(served, upstream):
    """Kimi's ids have a dot and a colon."""
    upstream.answer = parts(tool_calls=[tool_call("f", '{"n":0}', id="functions.f:0"), tool_call("f", '{"n":1}', id="functions.f:1")])
    blocks = served.ask(tools=[{"name": "f", "input_schema": {"type": "object"}}])["content"]
    assert all(block["id"].replace("_", "").replace("-", "").isalnum() for block in blocks)
    results = [{"type": "tool_result", "tool_use_id": block["id"], "content": "ok"} for block in blocks]
    upstream.answer = text("done")
    served.ask([{"role": "user", "content": "x"}, {"role": "assistant", "content": blocks}, {"role": "user", "content": results}],
               tools=[{"name": "f", "input_schema": {"type": "object"}}])
    calls = upstream.last["messages"][1]["tool_calls"]
    assert [call["id"] for call in calls] == [m["tool_call_id"] for m in upstream.last["messages"] if m["role"] == "tool"]
    assert len({call["id"] for call in calls}) == 2

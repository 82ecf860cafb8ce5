"""Failures that look like answers: status 200, and no answer in it (PROTOCOL §C.2, §E)."""
import sqlite3

import pytest

import upstream as openai_chat
import upstream_gemini
import upstream_responses
from site_under_test import ACCESS_KEY, collect, parse_events, request
from upstream import status

KEYS = ["sk-one-0123456789abcdef", "sk-two-0123456789abcdef"]
FAULTS = ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
          "OTHER"]
THOUGHT = {"text": "I will edit the file now.", "thought": True}
HIDDEN = {"thinking": {"type": "disabled"}}


def use(site, upstream, service, bad=None):
    """Two keys of the service; the first one's answer is bad."""
    upstream.speak(service)
    site.use(upstream, *KEYS, service_type=service.SERVICE_TYPE)
    good = service.parts("from another key")
    upstream.answer = lambda call: (bad if call.key == KEYS[0] else good)(call)


def end_pauses(site):
    """Let the time pass for which keys are paused."""
    with sqlite3.connect(site.database, timeout=20) as db:
        db.execute("UPDATE api_keys SET rests_until = 0")


def ends(reason, *parts):
    """An answer of Gemini that ends so after these parts."""
    def answer(call):
        end = {"candidates": [{"index": 0, "finishReason": reason, "finishMessage": "in its words"}]}
        if call.streams:
            for part in parts:
                call.event(upstream_gemini.response([part]))
            call.event(end)
            call.end_stream()
        else:
            end["candidates"][0]["content"] = {"role": "model", "parts": list(parts)}
            call.reply(200, end)

    return answer


def texts_of(message):
    return [block.get("text") for block in message["content"]]


@pytest.mark.parametrize("reason", FAULTS)
def test_a_fault_of_gemini_is_cured_by_another_key(site, upstream, reason):
    """With nothing said, or thoughts alone: as long as no thought has been streamed."""
    bad = {"parts": ()}
    use(site, upstream, upstream_gemini, lambda call: ends(reason, *bad["parts"])(call))
    with site.lighttpd():
        for stream, parts, members in [(True, (), {}), (True, (THOUGHT,), HIDDEN), (False, (), {}), (False, (THOUGHT,), {})]:
            bad["parts"] = parts
            end_pauses(site)
            upstream.calls.clear()
            message = collect(site.stream(**members)) if stream else site.ask(**members)
            assert texts_of(message) == ["from another key"] and len(upstream.calls) == 2, (stream, parts)


@pytest.mark.parametrize("reason", FAULTS)
def test_a_fault_of_gemini_is_told(site, upstream, reason):
    upstream.speak(upstream_gemini)
    site.use(upstream, KEYS[0], service_type="gemini")
    with site.lighttpd():
        for parts in ((), (THOUGHT,)):
            upstream.answer = ends(reason, *parts)
            answer = site.post(request())
            assert answer.status == 502 and reason in answer.error["message"] and "in its words" in answer.error["message"]
            events = parse_events(site.post(request(stream=True)).body.decode())
            assert events[-1]["type"] == "error" and reason in events[-1]["error"]["message"]
        upstream.answer = ends(reason, {"text": "Done."})
        assert site.ask()["stop_reason"] == "end_turn"


@pytest.mark.parametrize("service", [openai_chat, upstream_responses, upstream_gemini], ids=lambda module: module.SERVICE_TYPE)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_is_no_answer_is_cured_by_another_key(site, upstream, service, stream):
    for bad, code in [(status(200, {"error": {"message": "no", "code": 429}}), 429), (status(200, "<html>", "text/html"), 502),
                      (status(200, ""), 502), (status(200, "", "text/event-stream"), 502), (status(200, {}), 502),
                      (status(200, 'data: {"error":{"message":"no","code":503}}\n\n', "text/event-stream"), 529),
                      (status(200, {"error": {"message": "no", "code": 503}}, "text/event-stream"), 529)]:
        site.admin("clear", "--yes")
        use(site, upstream, service, bad)
        upstream.calls.clear()
        with site.lighttpd():
            message = collect(site.stream()) if stream else site.ask()
            assert texts_of(message) == ["from another key"] and len(upstream.calls) == 2
            upstream.answer = bad
            assert site.post(request(stream=stream)).status == code


def test_a_key_that_gemini_refuses_with_400_is_no_missing_endpoint(site, upstream):
    refused = status(400, {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
                                     "details": [{"reason": "API_KEY_INVALID"}]}})
    use(site, upstream, upstream_gemini)
    with site.lighttpd():
        upstream.answer = lambda call: (refused if call.key == KEYS[0] else upstream_gemini.count(42))(call)
        assert site.post(request(), "/v1/messages/count_tokens").json == {"input_tokens": 42}
        end_pauses(site)
        upstream.answer = lambda call: (refused if call.key == KEYS[0] else upstream_gemini.models(["m1"]))(call)
        models = site.request("GET", "/v1/models", headers={"x-api-key": ACCESS_KEY}).json
        assert [model["id"] for model in models["data"]] == ["m1"]

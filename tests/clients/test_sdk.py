"""The official SDK, installed from npm, through real lighttpd."""
import json
import time

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from script import Script, asks, says
from upstream import parts, status, tool_call

SERVICES = [openai_chat, upstream_responses, upstream_gemini, upstream_claude]


@pytest.fixture
def run(node, served):
    return runner(node, served)


def runner(node, site):
    return lambda what, word="": node("client.mjs", site, what, word)


ANSWER = dict(content="Looking.", reasoning_content="Hm, the weather.", tool_calls=[tool_call("weather", '{"city":"Z\\u00fcrich"}')])


@pytest.mark.parametrize("what", ["create", "stream", "bearer"])
def test_messages(run, upstream, what):
    upstream.answer = parts(**ANSWER)
    message = run(what)
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
    assert message["content"][2]["input"] == {"city": "Z\u00fcrich"}
    assert message["stop_reason"] == "tool_use" and message["usage"]["output_tokens"] == 5


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.SERVICE_TYPE)
def test_every_service_streams_into_the_message_that_it_sends_whole(node, site, upstream, service):
    upstream.speak(service)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        run = runner(node, site)
        upstream.answer = service.parts(**ANSWER)
        messages = [run("create"), run("stream")]
        upstream.answer = service.models(["a", "b/c", "d"])
        assert run("models") == {"ids": ["a", "b/c", "d"], "one": {**run("models")["one"], "type": "model", "id": "b/c"}}
        if service is not openai_chat:
            upstream.answer = service.count(123)
        assert run("count")["input_tokens"] == 123 or service is openai_chat
    for message in messages:
        assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
        assert message["content"][2]["input"] == {"city": "Z\u00fcrich"}
        del message["id"], message["content"][2]["id"]
        message.pop("parsed_output", None)
        for block in message["content"]:
            block.pop("parsed", None)
    assert messages[0] == messages[1]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.SERVICE_TYPE)
def test_tools_are_called_until_the_answer(node, site, upstream, service):
    """A loop written by hand, and the SDK's own tool runner, streaming and not."""
    word = "halb-und-halb-\U0001f98a"
    upstream.speak(service)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        run = runner(node, site)
        upstream.answer = Script(asks("Looking.", ("weather", {"city": "Z\u00fcrich"}), ("weather", {"city": "Bern"})),
                                 asks("Once more.", ("weather", {"city": "Chur"})), says(lambda results, _: "|".join(results)))
        looped = run("loop", word)
        assert looped == {"text": f"{word} for Z\u00fcrich|{word} for Bern|{word} for Chur", "turns": 5}
        for what in ("runner", "streamingRunner"):
            upstream.answer = Script(asks("", ("first_half", {}), ("second_half", {"from": 6})),
                                     says(lambda results, _: "".join(results)))
            assert run(what, word)["text"] == word
    assert upstream.refused == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.SERVICE_TYPE)
def test_a_thread_goes_on_though_only_claude_holds_it(node, site, upstream, service):
    """The SDK sends only the new message, hears that nobody has the others, and sends all of them."""
    upstream.speak(service)
    upstream.answer = lambda call: service.parts(f"answer {len(upstream.calls)}")(call)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        assert runner(node, site)("thread") == {"texts": ["answer 1", "answer 2", "answer 3"]}
    assert upstream.refused == []
    for said in ("one", "answer 1", "two", "answer 2", "three"):
        assert json.dumps(said) in json.dumps(upstream.last)


def test_a_client_that_aborts_ends_the_upstream_transfer(run, upstream):
    def answer(call):
        call.chunk(content="I begin")
        call.wait_gone(60)

    upstream.answer = answer
    assert run("abort")["class"] == "APIUserAbortError"
    assert upstream.calls[0].gone.wait(60)


def test_retries_wait_as_long_as_the_service_says(run, upstream):
    came = []

    def answer(call):
        came.append(time.monotonic())
        if len(came) == 1:
            return call.reply(429, {"error": {"message": "slow down"}}, headers=[("retry-after", "2")])
        return parts("patience")(call)

    upstream.answer = answer
    assert run("patient") == {"text": "patience", "retried": True}
    # Unasked, the SDK waits half a second.
    assert len(came) == 2 and came[1] - came[0] > 1.5


@pytest.mark.parametrize("code, requests", [(500, 3), (401, 1), (400, 1)])
def test_only_what_may_pass_is_tried_again(run, upstream, code, requests):
    upstream.answer = status(code, {"error": {"message": "no"}})
    assert run("impatient")["status"] == code
    assert len(upstream.calls) == requests


def test_events(run, upstream):
    types = run("events")["types"]
    assert types[0] == "message_start" and types[-1] == "message_stop"


@pytest.mark.parametrize("code, name, kind", [(400, "BadRequestError", "invalid_request_error"),
                                              (401, "AuthenticationError", "authentication_error"),
                                              (404, "NotFoundError", "not_found_error"), (429, "RateLimitError", "rate_limit_error"),
                                              (500, "InternalServerError", "api_error"),
                                              (503, "OverloadedError", "overloaded_error")])
def test_error_classes(run, upstream, code, name, kind):
    upstream.answer = status(code, {"error": {"message": "no"}})
    error = run("error")
    assert (error["class"], error["type"]) == (name, kind)
    assert error["requestID"].startswith("req_")


def test_an_error_inside_a_stream_is_thrown(run, upstream):
    upstream.answer = lambda call: (call.chunk(content="a"), call.break_off())
    error = run("streamError")
    assert "broke off" in error["message"]

"""The official SDK, installed from npm, through real lighttpd."""
import json
import subprocess

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from site_under_test import ACCESS_KEY
from upstream import parts, status, tool_call

SERVICES = [openai_chat, upstream_responses, upstream_gemini, upstream_claude]


@pytest.fixture
def run(sdk, served):
    return runner(sdk, served)


def runner(sdk, served):
    def act(what):
        done = subprocess.run(["node", "client.mjs", f"http://127.0.0.1:{served.port}", ACCESS_KEY, what], cwd=sdk,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return act


ANSWER = dict(content="Looking.", reasoning_content="Hm, the weather.", tool_calls=[tool_call("weather", '{"city":"Z\\u00fcrich"}')])


@pytest.mark.parametrize("what", ["create", "stream", "bearer"])
def test_messages(run, upstream, what):
    upstream.answer = parts(**ANSWER)
    message = run(what)
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
    assert message["content"][2]["input"] == {"city": "Z\u00fcrich"}
    assert message["stop_reason"] == "tool_use" and message["usage"]["output_tokens"] == 5


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.SERVICE_TYPE)
def test_every_service_streams_into_the_message_that_it_sends_whole(sdk, site, upstream, service):
    upstream.speak(service)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        run = runner(sdk, site)
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


def test_events(run, upstream):
    types = run("events")["types"]
    assert types[0] == "message_start" and types[-1] == "message_stop"


@pytest.mark.parametrize("code, name, kind", [(400, "BadRequestError", "invalid_request_error"),
                                              (401, "AuthenticationError", "authentication_error"),
                                              (404, "NotFoundError", "not_found_error"), (429, "RateLimitError", "rate_limit_error"),
                                              (500, "InternalServerError", "api_error"),
                                              (503, "InternalServerError", "overloaded_error")])
def test_error_classes(run, upstream, code, name, kind):
    upstream.answer = status(code, {"error": {"message": "no"}})
    error = run("error")
    assert (error["class"], error["type"]) == (name, kind)
    assert error["requestID"].startswith("req_")


def test_an_error_inside_a_stream_is_thrown(run, upstream):
    upstream.answer = lambda call: (call.chunk(content="a"), call.break_off())
    error = run("streamError")
    assert "broke off" in error["message"]

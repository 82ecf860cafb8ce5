"""The AI SDK with its Anthropic provider, installed from npm, through real lighttpd."""
import json

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from script import Script, asks, says
from upstream import status, text, tool_call


@pytest.fixture
def run(node, site):
    return lambda what, word="": node("ai.mjs", site, what, word)


@pytest.mark.parametrize("service", [openai_chat, upstream_responses, upstream_gemini, upstream_claude],
                         ids=lambda service: service.SERVICE_TYPE)
def test_several_steps_with_tools(run, site, upstream, service):
    upstream.speak(service)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        for what in ("generate", "stream"):
            upstream.answer = Script(
                asks("Looking.", ("weather", {"city": "Z\u00fcrich"}), ("weather", {"city": "Bern", "days": [1, 2.5]}),
                     thinking="Two cities."),
                asks("Once more.", ("weather", {"city": "Chur"})), says(lambda results, _: "|".join(results)))
            told = run(what, "sun")
            assert told["text"] == "sun for Z\u00fcrich|sun for Bern|sun for Chur"
            assert (told["steps"], told["finishReason"], told["outputTokens"]) == (3, "stop", 15)
        assert told["errors"] == [] and told["parts"].count("tool-result") == 3 and "reasoning-delta" in told["parts"]
    assert upstream.refused == []
    assert [call.streams for call in upstream.calls] == [False] * 3 + [True] * 3


def test_an_object_of_a_schema(run, served, upstream):
    """Asked for by a tool or by a format: whichever the SDK's version prefers."""
    def answer(call):
        if call.body.get("tools"):
            value = tool_call(call.body["tools"][0]["function"]["name"], '{"city":"Bern"}')
            openai_chat.parts(tool_calls=[value])(call)
        else:
            text('{"city":"Bern"}')(call)

    upstream.answer = answer
    assert run("object") == {"city": "Bern"} and upstream.refused == []
    assert '"city"' in json.dumps(upstream.last)


def test_the_access_key_as_a_token(run, served, upstream):
    assert run("bearer") == {"text": "Hello there"}


@pytest.mark.parametrize("code, told, kind, again", [(400, 400, "invalid_request_error", False), (429, 429, "rate_limit_error", True),
                                                     (503, 529, "overloaded_error", True)])
def test_errors(run, served, upstream, code, told, kind, again):
    upstream.answer = status(code, {"error": {"message": "no"}})
    assert run("error") == {"name": "AI_APICallError", "status": told, "type": kind, "again": again}

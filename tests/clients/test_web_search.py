"""Web search as Claude Code and the official SDK use it, at every kind of service."""
import json
from collections import namedtuple

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from script import Script, asks, cast, says
from upstream import tool_call


class BothOfOpenAI:
    """Chat and Responses below one base URL; each request tells by its path which of them it means."""

    SERVICE_TYPE = "openai"
    parts = staticmethod(openai_chat.parts)
    error_body = staticmethod(openai_chat.error_body)
    key_of = staticmethod(openai_chat.key_of)
    streams = staticmethod(openai_chat.streams)

    @staticmethod
    def of(call):
        return upstream_responses if call.path.endswith("/responses") else openai_chat

    @classmethod
    def problem_of(cls, call):
        return cls.of(call).problem_of(call)

    @classmethod
    def results(cls, call):
        return cls.of(call).results(call)


Place = namedtuple("Place", "service model base_url")  # base_url None: the stand-in's own, which nobody knows
SEARCHING = {
    "openrouter": Place(openai_chat, "vendor/model", "http://openrouter.ai/api/v1"),
    "openai search model": Place(openai_chat, "gpt-4o-search-preview", "http://api.openai.com/v1/chat/completions"),
    "openai": Place(BothOfOpenAI, "gpt-5-mini", "http://api.openai.com/v1"),
    "xai": Place(BothOfOpenAI, "grok-4", "http://api.x.ai/v1"),
    "glm": Place(openai_chat, "glm-5", "http://open.bigmodel.cn/api/paas/v4"),
    "qwen": Place(openai_chat, "qwen3-max", "http://dashscope.aliyuncs.com/compatible-mode/v1"),
    "groq": Place(openai_chat, "openai/gpt-oss-120b", "http://api.groq.com/openai/v1"),
    "responses": Place(upstream_responses, "gpt-5-mini", "http://api.openai.com/v1"),
    "responses gateway": Place(upstream_responses, "some-model", None),
    "gemini 3": Place(upstream_gemini, "gemini-3-pro-preview", "http://generativelanguage.googleapis.com"),
    "gemini 2.5": Place(upstream_gemini, "gemini-2.5-flash", None),
    "claude": Place(upstream_claude, "claude-opus-5-5", None),
}
LACKING = {
    "chat": Place(openai_chat, "some-model", None),
    "ollama": Place(upstream_responses, "some-model", "http://localhost:11434/v1"),
    "gemma": Place(upstream_gemini, "gemma-3-27b-it", None),
}
KINDS = {"searching": SEARCHING, "lacking": LACKING}
FOUND = [("The tower", "https://example.com/tower"), ("Towers", "https://example.org/towers?all=1")]
LINKS = 'Links: [{"title":"The tower","url":"https://example.com/tower"},{"title":"Towers","url":"https://example.org/towers?all=1"}]'


def every(places):
    return pytest.mark.parametrize("place", places.values(), ids=places.keys())


def serve(site, upstream, place):
    """The stand-in is the service, behind its own host name if it has one; every model is called as one is there."""
    upstream.speak(place.service)
    site.admin("add", "main", place.base_url or upstream.url, place.service.SERVICE_TYPE)
    site.admin("key", "main", "add", "sk-test-0123456789abcdef")
    if place.base_url:
        site.admin("set", "main", "proxy", upstream.url)
    site.admin("route", "add", "*", place.model)


# ---- Claude Code ----

def searching(parts, conclude):
    """A conversation whose model searches the web by the tool of Claude Code, which asks in a request of its own."""
    return cast(**{
        "Perform a web search": parts,
        "MAINTASK": Script(asks("I load it.", ("ToolSearch", {"query": "select:WebSearch", "max_results": 5})),
                           asks("I search.", ("WebSearch", {"query": "tower opening"})), says(conclude))})


def repeat(results, _):
    return results[-1]


def search(site, upstream, place, claude_code, parts, **environment):
    serve(site, upstream, place)
    upstream.answer = searching(parts, repeat)
    with site.lighttpd():
        return claude_code.run("MAINTASK: search the web for the tower.", tools="WebSearch", **environment)


@every(SEARCHING)
def test_claude_code_searches_the_web(site, upstream, claude_code, place):
    run = search(site, upstream, place, claude_code, answer_of(place, "In 1889.", FOUND))
    assert run.problems() == [] and upstream.refused == []
    if place.model.startswith("qwen"):  # it does not tell where it read that
        assert "In 1889." in run.text and "Links" not in run.text
        return
    assert LINKS in run.text and "In 1889." in run.text and "error" not in run.text
    searched = [event["tool_use_result"] for event in run.events if "searchCount" in str(event.get("tool_use_result"))]
    assert [result["searchCount"] for result in searched] == [1]
    assert sum(used["webSearchRequests"] for used in run.result["modelUsage"].values()) == 1


def answer_of(place, content, found):
    """An answer in the form of the service that is asked, which may be the other of OpenAI's interfaces."""
    def answer(call):
        service = upstream_responses if call.path.endswith("/responses") else place.service
        told = () if place.model.startswith("qwen") else found
        service.parts(content, found=told)(call)

    return answer


@every(LACKING)
def test_claude_code_goes_on_without_a_search(site, upstream, claude_code, place):
    run = search(site, upstream, place, claude_code, place.service.parts("There is no search here."))
    assert run.status == 0 and run.result["subtype"] == "success" and upstream.refused == []
    assert "Web search error: unavailable" in run.text and "Links" not in run.text
    assert sum(used["webSearchRequests"] for used in run.result["modelUsage"].values()) == 0
    assert not any(event.get("subtype") == "api_retry" for event in run.events)


# ---- a search that the model calls ----

KIMI = Place(openai_chat, "kimi-k2.6", "http://api.moonshot.cn/v1")
ARGUMENTS = '{"search_result":{"search_id":"a-1"},"usage":{"total_tokens":13046}}'


def by_kimi(call):
    """Its model calls the search that it has itself, and goes on when it gets back what it called it with."""
    assert call.body["thinking"] == {"type": "disabled"}
    assert call.body["tools"] == [{"type": "builtin_function", "function": {"name": "$web_search"}}]
    done = list(call.service.results(call))
    assert done in ([], [ARGUMENTS])
    calls = [] if done else [{**tool_call("$web_search", ARGUMENTS, id="web:0"), "type": "builtin_function"}]
    call.service.parts("In 1889." if done else None, tool_calls=calls)(call)


def test_claude_code_searches_by_kimi(site, upstream, claude_code):
    run = search(site, upstream, KIMI, claude_code, by_kimi)
    assert run.problems() == [] and upstream.refused == []
    assert "In 1889." in run.text and "error" not in run.text
    assert sum(used["webSearchRequests"] for used in run.result["modelUsage"].values()) == 1


def test_a_function_of_the_client_stays_its_own(site, upstream):
    """Though Kimi calls its search by a name that is as good as this one's."""
    serve(site, upstream, KIMI)
    upstream.answer = openai_chat.parts("Let me see.", tool_calls=[tool_call("web_search", '{"query":"q"}')])
    function = {"name": "web_search", "description": "d", "input_schema": {"type": "object", "properties": {}}}
    with site.lighttpd():
        answer = site.ask(tools=[function])
    assert [tool["type"] for tool in upstream.last["tools"]] == ["function"] and upstream.refused == []
    assert answer["content"][1]["name"] == "web_search" and answer["stop_reason"] == "tool_use"


def test_the_sdk_searches_by_kimi(node, site, upstream):
    serve(site, upstream, KIMI)
    upstream.answer = by_kimi
    with site.lighttpd():
        came = node("client.mjs", site, "search")
    whole = plain(came["whole"])
    assert whole == plain(came["streamed"]) and upstream.refused == [] and len(upstream.calls) == 6
    assert [block["type"] for block in whole["content"]] == ["server_tool_use", "web_search_tool_result", "text"]
    assert whole["content"][1]["content"] == [] and whole["usage"]["server_tool_use"]["web_search_requests"] == 1


# ---- the official SDK ----

def plain(message):
    """Without what no two answers have in common, nor a stream and a message."""
    for name in ("id", "parsed_output"):
        message.pop(name, None)
    for block in message["content"]:
        for name in ("id", "tool_use_id", "parsed"):
            block.pop(name, None)
    return message


def kinds(message):
    return sorted(block["type"] for block in message["content"])


@every({**SEARCHING, **LACKING})
def test_the_sdk_collects_the_answer_that_comes_whole(node, site, upstream, place):
    """What was found, or that nothing can be, goes back in the next turn, and every service takes it."""
    serve(site, upstream, place)
    upstream.answer = answer_of(place, "In 1889.", () if place in LACKING.values() else FOUND)
    with site.lighttpd():
        came = node("client.mjs", site, "search")
    whole, streamed = plain(came["whole"]), plain(came["streamed"])
    assert whole == streamed and upstream.refused == []
    assert {block["type"] for block in came["next"]} >= {"text"}
    if place.model.startswith("qwen"):
        assert kinds(whole) == ["text"]
        return
    assert kinds(whole) == ["server_tool_use", "text", "web_search_tool_result"]
    result = next(block["content"] for block in whole["content"] if block["type"] == "web_search_tool_result")
    counted = (whole["usage"].get("server_tool_use") or {}).get("web_search_requests", 0)
    sent = upstream.calls[-1].text.decode()
    if place in LACKING.values():
        assert result == {"type": "web_search_tool_result_error", "error_code": "unavailable"} and counted == 0
        return
    assert [(page["title"], page["url"]) for page in result] == FOUND and counted == 1
    text = next(block for block in whole["content"] if block["type"] == "text")
    assert [(cited["title"], cited["url"]) for cited in text["citations"]] == FOUND
    assert all(title in sent and url in sent for title, url in FOUND) and "In 1889." in sent


TRANSLATED = {name: place for name, place in {**SEARCHING, **LACKING}.items() if place.service is not upstream_claude}


@every(TRANSLATED)
def test_a_page_that_nobody_can_read_is_said_to_be_so(node, site, upstream, place):
    """web_fetch runs only on Claude's own service."""
    serve(site, upstream, place)
    upstream.answer = answer_of(place, "I cannot read it.", ())
    with site.lighttpd():
        came = node("client.mjs", site, "fetch")
    whole, streamed = plain(came["whole"]), plain(came["streamed"])
    assert whole == streamed and upstream.refused == []
    assert [block["type"] for block in whole["content"]] == ["text", "server_tool_use", "web_fetch_tool_result"]
    assert whole["content"][1]["name"] == "web_fetch" and whole["stop_reason"] == "end_turn"
    assert whole["content"][2]["content"] == {"type": "web_fetch_tool_result_error", "error_code": "unavailable"}

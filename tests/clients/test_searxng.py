"""Web search as Claude Code and the official SDK use it, where the proxy searches by a SearXNG."""
import pytest

from script import Script, asks, says
from test_web_search import LACKING, plain, repeat, searching, serve
from upstream_search import PAGES, searched

TITLE, URL, EXCERPT = PAGES[0]


def answering():
    """A model that searches by the proxy's function, and says what it found."""
    return Script(asks("", ("web_search", {"query": "tower opening"})),
                  says(lambda results, _: f"In 1889: {URL}" if EXCERPT in results[-1] else "Nothing was found."))


@pytest.fixture
def place(request, site, upstream, engine):
    """One of the services that have no search."""
    serve(site, upstream, request.param)
    site.admin("search", "searxng", engine.url)
    return request.param


every_place = pytest.mark.parametrize("place", LACKING.values(), ids=LACKING.keys(), indirect=True)


@every_place
def test_claude_code_searches_the_web(site, upstream, engine, claude_code, place):
    upstream.answer = searching(answering(), repeat)
    with site.lighttpd():
        run = claude_code.run("MAINTASK: search the web for the tower.", tools="WebSearch")
    assert run.problems() == [] and upstream.refused == [] and engine.refused == []
    assert f'{{"title":"{TITLE}","url":"{URL}"}}' in run.text and "In 1889" in run.text and "error" not in run.text
    assert [searched(call) for call in engine.calls] == ["tower opening"]
    counts = [event["tool_use_result"]["searchCount"] for event in run.events if "searchCount" in str(event.get("tool_use_result"))]
    assert counts == [1]
    assert sum(used["webSearchRequests"] for used in run.result["modelUsage"].values()) == 1


@every_place
def test_claude_code_goes_on_when_the_search_fails(site, upstream, engine, claude_code, place):
    engine.answer = lambda call: call.reply(429, {"error": "slow down"})
    upstream.answer = searching(answering(), repeat)
    with site.lighttpd():
        run = claude_code.run("MAINTASK: search the web for the tower.", tools="WebSearch")
    assert run.status == 0 and run.result["subtype"] == "success" and upstream.refused == []
    assert "Web search error: too_many_requests" in run.text and "Nothing was found." in run.text


@every_place
def test_the_sdk_collects_the_answer_that_comes_whole(node, site, upstream, engine, place):
    upstream.answer = answering()
    with site.lighttpd():
        came = node("client.mjs", site, "search")
    whole, streamed = plain(came["whole"]), plain(came["streamed"])
    assert whole == streamed and upstream.refused == []
    assert [block["type"] for block in whole["content"]] == ["server_tool_use", "web_search_tool_result", "text"]
    assert [(page["title"], page["url"]) for page in whole["content"][1]["content"]] == [page[:2] for page in PAGES]
    assert [cited["url"] for cited in whole["content"][2]["citations"]] == [URL]
    assert whole["usage"]["server_tool_use"]["web_search_requests"] == 1 and whole["stop_reason"] == "end_turn"
    assert [block["type"] for block in came["next"]] == ["server_tool_use", "web_search_tool_result", "text"]

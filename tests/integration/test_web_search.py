"""The proxy's own web search, for models whose service has none: SearXNG, Brave and Tavily."""
import json

import pytest

import upstream as openai_chat
import upstream_gemini
import upstream_responses
import upstream_search
from site_under_test import collect, wait_for
from upstream import Upstream, tool_call
from upstream_search import PAGES, searched

TRANSLATED = [openai_chat, upstream_responses, upstream_gemini]
TOOL = {"type": "web_search_20250305", "name": "web_search"}
FORCED = {"type": "tool", "name": "web_search"}
READ = {"name": "read", "description": "Reads.", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}
KEY = "brave-key-0123456789abcdef"


@pytest.fixture(scope="module")
def running_engine():
    engine = Upstream()
    yield engine
    engine.stop()


@pytest.fixture
def engine(running_engine):
    """What searches the web: a SearXNG, until it is told to be another."""
    running_engine.reset()
    running_engine.speak(upstream_search.searxng)
    return running_engine


@pytest.fixture(params=TRANSLATED, ids=lambda service: service.SERVICE_TYPE)
def translated(request):
    return request.param


@pytest.fixture(params=(False, True), ids=("whole", "streamed"))
def streamed(request):
    return request.param


@pytest.fixture
def searching(site, upstream, engine):
    """Be served by a model service that has no search, and search by `engine`."""
    import contextlib

    @contextlib.contextmanager
    def serving(service=openai_chat, server="lighttpd", **settings):
        upstream.speak(service)
        site.use(upstream, service_type=service.SERVICE_TYPE)
        site.admin("set", "main", "search", "proxy")
        site.admin("search", "searxng", engine.url)
        with getattr(site, server)(**settings):
            yield site
        assert upstream.refused == [] and engine.refused == []

    return serving


def query(text, id="call_1"):
    return tool_call("web_search", json.dumps({"query": text}), id=id)


def turns(upstream, *answers):
    """Answer the model's turns one after the other; the last one again and again."""
    left = list(answers)
    upstream.answer = lambda call: (left.pop(0) if len(left) > 1 else left[0])(call)


def ask(site, streamed, content="When?", **members):
    members = {"tools": [TOOL], **members}
    return collect(site.stream(content, **members)) if streamed else site.ask(content, **members)


def kinds(message):
    return [block["type"] for block in message["content"]]


def results(message):
    return [block["content"] for block in message["content"] if block["type"] == "web_search_tool_result"]


def errors(message):
    return [content["error_code"] for content in results(message) if isinstance(content, dict)]


def count(message):
    return message["usage"].get("server_tool_use", {}).get("web_search_requests", 0)


def test_the_proxy_searches_for_a_model_that_cannot(searching, upstream, engine, translated, streamed):
    with searching(translated) as site:
        turns(upstream, translated.parts("Let me look.", tool_calls=[query("eiffel tower opening")]),
              translated.parts("It opened in 1889, says https://example.com/tower."))
        message = ask(site, streamed)
    assert kinds(message) == ["text", "server_tool_use", "web_search_tool_result", "text"]
    said, use, result, answer = message["content"]
    assert said["text"].strip() == "Let me look."
    assert use["name"] == "web_search" and use["input"] == {"query": "eiffel tower opening"}
    assert result["tool_use_id"] == use["id"] and use["id"].startswith("srvtoolu_")
    assert result["content"] == [{"type": "web_search_result", "url": url, "title": title, "encrypted_content": "",
                                  "page_age": None} for title, url, _ in PAGES]
    assert answer["text"] == "It opened in 1889, says https://example.com/tower."
    assert count(message) == 1 and message["stop_reason"] == "end_turn"
    assert [searched(call) for call in engine.calls] == ["eiffel tower opening"]
    first, second = upstream.calls
    assert "web_search" in json.dumps(first.body["tools"])
    sent = second.text.decode()
    assert "It opened in 1889." in sent and "https://example.org/b" in sent and "data" in sent

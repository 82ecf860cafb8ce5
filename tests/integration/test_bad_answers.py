"""Answers that no service should give: wrong types at every field, huge ones, cut ones (PROTOCOL §E, §H.23, §H.28)."""
import copy
import json

import pytest

import upstream as openai_chat
import upstream_gemini
import upstream_responses
from site_under_test import collect, request
from upstream import status, tool_call

TRANSLATED = [openai_chat, upstream_responses, upstream_gemini]
ANSWER = dict(content="some text", reasoning_content="a thought", tool_calls=[tool_call("f", '{"a":1}', "call_a")])
WRONG = [None, 5, -1.5, "x", "", [], [None], {}, {"x": 1}, True]


@pytest.fixture(params=TRANSLATED, ids=lambda service: service.SERVICE_TYPE)
def service(request):
    return request.param


@pytest.fixture
def served_by(site, upstream, service):
    upstream.speak(service)
    upstream.strict = False
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        yield site


class Recorder:
    """What a service's answer writes."""

    def __init__(self, service, stream):
        self.service, self.streams, self.body, self.path = service, stream, {"model": "m", "stream": stream}, ""
        if service is upstream_gemini:
            self.path = "/m:streamGenerateContent?alt=sse" if stream else "/m:generateContent"
        self.events, self.whole, self.fragment = [], None, None

    def event(self, value, name=None):
        self.events.append(value)

    def chunk(self, finish_reason=None, **delta):
        self.event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    def reply(self, code, body, *_):
        self.whole = body

    def end_stream(self):
        pass


def recorded(service, stream):
    call = Recorder(service, stream)
    service.parts(**ANSWER)(call)
    return call.events if stream else call.whole


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in items:
        yield from places(child, (*path, name))


def changed(value, path, wrong):
    if not path:
        return wrong
    copied = copy.deepcopy(value)
    inner = copied
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = wrong
    return copied


def check(body, content_type, site, upstream, stream):
    """A Claude error, or an answer that is whole, and nothing else."""
    upstream.answer = status(200, body, content_type)
    answer = site.post(request("x", stream=stream))
    if answer.status != 200:
        assert answer.json["type"] == "error" and answer.json["error"]["message"], body
    elif not stream:
        assert answer.json["type"] == "message" and isinstance(answer.json["content"], list), body
    else:
        events = answer.body.decode().strip().split("\n\n")
        assert events[-1].startswith(("event: message_stop\n", "event: error\n")), (body, events[-1])


@pytest.mark.slow
def test_wrong_types_at_every_field_of_a_whole_answer(served_by, upstream, service):
    whole = recorded(service, False)
    for path in places(whole):
        for wrong in WRONG:
            check(json.dumps(changed(whole, path, wrong)), "application/json", served_by, upstream, False)
    assert served_by.request("GET", "/health").status == 200


@pytest.mark.slow
def test_wrong_types_at_every_field_of_a_stream(served_by, upstream, service):
    events = recorded(service, True)
    seen = set()
    for n, event in enumerate(events):
        if not isinstance(event, dict):
            continue
        for path in places(event):
            kind = (event.get("type"), path, event.get("item", {}).get("type"), str(sorted(event))[:40])
            if kind in seen:
                continue
            seen.add(kind)
            for wrong in WRONG:
                bad = [*events[:n], changed(event, path, wrong), *events[n + 1:]]
                body = "".join(f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n" for e in bad)
                check(body, "text/event-stream", served_by, upstream, True)
    assert served_by.request("GET", "/health").status == 200


def test_an_answer_cut_anywhere(served_by, upstream, service):
    whole = json.dumps(recorded(service, False))
    events = "".join(f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n" for e in recorded(service, True))
    for text, kind, stream in [(whole, "application/json", False), (events, "text/event-stream", True)]:
        for end in range(0, len(text), max(1, len(text) // 100)):
            check(text[:end], kind, served_by, upstream, stream)


@pytest.mark.slow
def test_large_answers(served_by, upstream, service):
    """H.28: 8 MB of answer, 20,000 chunks, one line of 5 MB."""
    text = "gr\u00fc\u00dfe " * 1_000_000
    upstream.answer = service.parts(text.strip()) if service is not openai_chat else (
        lambda call: call.reply(200, openai_chat.message(text.strip())))
    assert served_by.ask()["content"][0]["text"] == text.strip()
    upstream.answer = service.parts("word " * 20_000)
    assert collect(served_by.stream())["content"][0]["text"] == "word " * 20_000
    word = "w" * 5_000_000
    upstream.answer = service.parts(word)
    assert collect(served_by.stream())["content"][0]["text"] == word

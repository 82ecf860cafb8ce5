"""A Claude upstream's answers: not a byte of a good one changes, and what is no answer is told as what it is (PROTOCOL §B.4, SPEC §8)."""
import json
import threading

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
from site_under_test import ACCESS_KEY, collect, parse_events, request
from upstream import Upstream, status

KEYS = ["sk-one-0123456789abcdef", "sk-two-0123456789abcdef"]
KEY = {"x-api-key": ACCESS_KEY}
START = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                                              "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}}
CLOSE = {"type": "content_block_stop", "index": 0}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}}
STOP = {"type": "message_stop"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded, sk-one-0123456789abcdef"}}


def text_of(*events, names=True):
    return "".join((f"event: {e['type']}\n" if names else "") + f"data: {json.dumps(e)}\n\n" for e in events)


def streamed(*events, **options):
    return status(200, text_of(*events, **options), "text/event-stream")


@pytest.fixture
def second():
    other = Upstream()
    yield other
    other.stop()


@pytest.fixture
def claude(site, upstream):
    """A site with one key of a Claude upstream, which is not strict."""
    upstream.speak(upstream_claude)
    upstream.strict = False
    site.use(upstream, KEYS[0], service_type="claude")
    with site.lighttpd():
        yield site


def add_good_key(site, upstream, bad):
    """The first key's answer is bad, that of another is good."""
    site.admin("key", "main", "add", KEYS[1])
    good = upstream_claude.parts("from another key")
    upstream.answer = lambda call: (bad if call.key == KEYS[0] else good)(call)


# What a service sends with status 200 instead of a message, and the status that this deserves.
NO_MESSAGES = {
    "an error object in a stream": (status(200, {"error": {"message": "no", "code": 429}}, "text/event-stream"), 429),
    "an error object": (status(200, {"error": {"message": "no", "code": 503}}), 529),
    "an error of Claude's": (status(200, OVERLOADED), 529),
    "something else": (status(200, {"code": 404, "msg": "no such interface"}), 502),
    "a page": (status(200, "<!doctype html><title>Log in</title>", "text/html"), 502),
    "nothing": (status(200, ""), 502),
    "a stream of nothing": (status(200, "", "text/event-stream"), 502),
    "a stream of another service": (status(200, 'data: {"choices":[]}\n\ndata: [DONE]\n\n', "text/event-stream"), 502),
}


@pytest.mark.parametrize("event, code", [(text_of(OVERLOADED), 529), ('data: {"error":{"message":"no","code":429}}\n\n', 429),
                                         ("data: {}\n\n" + text_of(OVERLOADED), 529)], ids=["Claude's", "another's", "after nothing"])
def test_a_first_event_that_is_an_error_is_cured_by_another_key(claude, upstream, event, code):
    bad = status(200, event, "text/event-stream")
    add_good_key(claude, upstream, bad)
    assert collect(claude.stream())["content"][0]["text"] == "from another key" and len(upstream.calls) == 2
    upstream.answer = bad
    answer = claude.post(request(stream=True))
    assert answer.status == code and KEYS[0] not in answer.error["message"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("bad, code", NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_what_is_no_message_is_an_error_that_another_key_cures(claude, upstream, bad, code, stream):
    add_good_key(claude, upstream, bad)
    message = collect(claude.stream()) if stream else claude.ask()
    assert message["content"][0]["text"] == "from another key" and len(upstream.calls) == 2
    upstream.answer = bad
    answer = claude.post(request(stream=stream))
    assert answer.status == code and answer.error["message"] and KEYS[0] not in answer.body.decode()


def test_an_error_after_the_start_is_cured_by_another_key(claude, upstream):
    """No content was sent: the next answer goes on after the first one's message_start."""
    bad = streamed(START, {"type": "ping"}, OVERLOADED)
    add_good_key(claude, upstream, bad)
    message = collect(claude.stream())
    assert message["id"] == "msg_1" and message["content"][0]["text"] == "from another key"
    assert message["usage"]["output_tokens"] == upstream_claude.USAGE["output_tokens"]
    upstream.answer = bad
    last = parse_events(claude.post(request(stream=True)).body.decode())[-1]
    assert last["type"] == "error" and last["error"]["type"] == "overloaded_error" and KEYS[0] not in str(last)


@pytest.mark.parametrize("service", [openai_chat, upstream_gemini, upstream_claude], ids=lambda module: module.SERVICE_TYPE)
def test_an_error_after_the_start_is_cured_by_a_fallback(claude, upstream, second, service):
    second.speak(service)
    second.answer = service.parts("from the fallback")
    claude.admin("add", "spare", second.url, service.SERVICE_TYPE)
    claude.admin("key", "spare", "add", "sk-spare-0123456789abcd")
    claude.admin("set", "main", "fallback", "spare")
    upstream.answer = streamed(START, OVERLOADED)
    message = collect(claude.stream())
    assert message["id"] == "msg_1" and message["content"][0]["text"] == "from the fallback"


@pytest.mark.parametrize("events", [[START, OPEN, DELTA], [START, OPEN, DELTA, CLOSE], [START, OPEN, DELTA, OVERLOADED]],
                         ids=["inside a block", "between blocks", "an error"])
@pytest.mark.parametrize("complete", [True, False], ids=["closed", "broken"])
def test_a_stream_never_just_ends(claude, upstream, events, complete):
    def answer(call):
        call.send(text_of(*events))
        call.end_stream() if complete else call.break_off()

    claude.admin("key", "main", "add", KEYS[1])
    upstream.answer = answer
    got = parse_events(claude.post(request(stream=True)).body.decode())
    assert got[:3] == events[:3] and got[-1]["type"] == "error"
    assert len(upstream.calls) == 1  # content was sent


def test_message_stop_is_added_where_the_service_said_why_it_stopped(claude, upstream):
    upstream.answer = streamed(START, OPEN, DELTA, CLOSE, END)
    assert collect(claude.stream())["content"][0]["text"] == "half"


@pytest.mark.parametrize("fragment", [None, 1, 7])
def test_event_lines_are_added_where_they_are_missing(claude, upstream, fragment):
    def answer(call):
        call.fragment = fragment
        call.send(text_of(START, OPEN, DELTA, CLOSE, END, STOP, names=False))
        call.end_stream()

    upstream.answer = answer
    assert claude.post(request(stream=True)).body.decode() == text_of(START, OPEN, DELTA, CLOSE, END, STOP)


def test_a_message_is_played_where_a_stream_was_asked_for(claude, upstream):
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "S"}, {"type": "text", "text": "a"},
              {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}]
    upstream.answer = status(200, upstream_claude.message(blocks, None))
    answer = claude.post(request(stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    message = collect(parse_events(answer.body.decode()))
    assert message["content"] == blocks and message["stop_reason"] == "tool_use"


def test_comments_go_on_before_the_message_begins(claude, upstream):
    got_comment = threading.Event()

    def answer(call):
        call.send(": processing\n\n")
        assert got_comment.wait(20)
        call.send(text_of(START, OPEN, DELTA, CLOSE, END, STOP))
        call.end_stream()

    upstream.answer = answer
    with claude.open_stream() as response:
        assert response.readline() == b": processing\n"
        got_comment.set()
        assert response.read().decode().strip() == text_of(START, OPEN, DELTA, CLOSE, END, STOP).strip()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_context_that_is_too_long_is_told_in_claudes_words(claude, upstream, stream):
    """Claude Code compacts by these words alone."""
    for message, told in [("Prompt exceeds max length", "prompt is too long"),
                          ("This model's maximum context length is 10 tokens. However, your messages resulted in 12 tokens.",
                           "prompt is too long: 12 tokens > 10 maximum")]:
        upstream.answer = status(400, {"error": {"message": message, "code": "1261"}})
        answer = claude.post(request(stream=stream))
        assert answer.status == 400 and answer.error == {"type": "invalid_request_error", "message": told}
    own = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 12 tokens > 10 maximum"}, "x": 1}
    upstream.answer = status(400, own)
    assert claude.post(request(stream=stream)).json == own


# ---- counting and models ----

NO_COUNTS = {
    "400": status(400, {"error": {"message": "No static resource v1/messages/count_tokens", "type": "invalid_request_error"}}),
    "403": status(403, {"error": {"message": "forbidden"}}), "404": status(404, ""), "405": status(405, ""), "500": status(500, "oops"),
    "501": status(501, {}), "502": status(502, "<html>", "text/html"), "a page": status(200, "<html>", "text/html"),
    "something else": status(200, {"code": 404, "msg": "no"}), "an error": status(200, {"error": {"message": "no"}}),
    "no number": status(200, {"input_tokens": "9"}), "a negative one": status(200, {"input_tokens": -1}),
}


@pytest.mark.parametrize("missing", NO_COUNTS.values(), ids=NO_COUNTS)
def test_a_service_that_cannot_count_is_estimated(claude, upstream, missing):
    claude.admin("key", "main", "add", KEYS[1])
    upstream.answer = missing
    answer = claude.post(request("How many tokens are these?"), "/v1/messages/count_tokens")
    assert answer.status == 200 and 5 < answer.json["input_tokens"] < 30
    assert len(upstream.calls) == 1
    keys = json.loads(claude.admin("show", "--json").stdout)["upstreams"][0]["keys"]
    assert [key["state"] for key in keys] == ["ready", "ready"]


def test_a_refused_key_is_no_missing_endpoint(claude, upstream):
    claude.admin("key", "main", "add", KEYS[1])
    upstream.answer = lambda call: (status(401, {}) if call.key == KEYS[0] else upstream_claude.count(42))(call)
    assert claude.post(request(), "/v1/messages/count_tokens").json == {"input_tokens": 42}


OPENAI_LIST = {"object": "list", "data": [{"id": "glm-4.7", "object": "model", "created": 1700000000, "owned_by": "z",
                                           "max_model_len": 32768}]}
CLAUDE_LIST = {"data": [{"type": "model", "id": "claude-x", "display_name": "X", "created_at": "2025-01-01T00:00:00Z", "extra": [1]}],
               "has_more": True, "first_id": "claude-x", "last_id": "claude-x"}
GLM = {"type": "model", "id": "glm-4.7", "display_name": "glm-4.7", "created_at": "2023-11-14T22:13:20Z", "max_input_tokens": 32768}


def models_of(site, path="/v1/models"):
    answer = site.request("GET", path, None, KEY)
    assert answer.status == 200
    return answer.json


def test_models_in_any_shape(claude, upstream):
    def page(*entries):
        return {"data": list(entries), "has_more": False, "first_id": entries[0]["id"] if entries else None,
                "last_id": entries[-1]["id"] if entries else None}

    upstream.answer = status(200, CLAUDE_LIST)
    assert models_of(claude, "/v1/models?limit=1&after_id=x") == CLAUDE_LIST
    assert upstream.calls[-1].path == "/v1/models?limit=1&after_id=x"
    upstream.answer = status(200, CLAUDE_LIST["data"][0])
    assert models_of(claude, "/v1/models/claude-x") == CLAUDE_LIST["data"][0]
    upstream.answer = status(200, OPENAI_LIST)
    assert models_of(claude) == page(GLM)
    upstream.answer = status(200, OPENAI_LIST["data"][0])
    assert models_of(claude, "/v1/models/glm-4.7") == GLM
    for missing in (status(404, ""), status(405, {}), status(200, "<html>", "text/html"), status(200, {"code": 404})):
        upstream.answer = missing
        assert models_of(claude) == page()
        assert claude.request("GET", "/v1/models/glm-4.7", None, KEY).status == 404
    upstream.answer = status(401, {"error": {"message": "no"}})
    assert claude.request("GET", "/v1/models", None, KEY).error["type"] == "authentication_error"


def test_models_beside_routes(claude, upstream):
    claude.admin("route", "add", "claude-routed", "glm-4.7")
    upstream.answer = status(200, OPENAI_LIST)
    routed, served = models_of(claude)["data"]
    assert (routed["id"], served) == ("claude-routed", GLM)
    assert routed["created_at"] == models_of(claude, "/v1/models/claude-routed")["created_at"] == GLM["created_at"]
    assert upstream.calls[-1].path.startswith("/v1/models?limit=1000")
    upstream.answer = status(404, "")
    assert [m["id"] for m in models_of(claude)["data"]] == ["claude-routed"]

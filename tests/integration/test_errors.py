"""Every error in the shape of Claude, and the responder still there afterwards."""
import socket
import threading

import pytest

from site_under_test import ACCESS_KEY, request, wait_for
from upstream import status, text

USER = [{"role": "user", "content": "x"}]


def message(*blocks, role="user"):
    return {"model": "m", "max_tokens": 5, "messages": [{"role": role, "content": list(blocks)}]}


def nested_documents(count):
    """A document of documents of …"""
    block = {"type": "text", "text": "x"}
    for _ in range(count):
        block = {"type": "document", "source": {"type": "content", "content": [block]}}
    return block


BAD_REQUESTS = {
    "": "not valid JSON", "{": "not valid JSON", "[1]": "must be a JSON object", '"x"': "must be a JSON object",
    "{'a':1}": "not valid JSON", '{"a":1,}': "not valid JSON", '{"a":NaN}': "NaN", "[" * 200 + "]" * 200: "128 levels",
    "null": "must be a JSON object", "\xff": "not valid JSON",
}

BAD_MEMBERS = [
    ({}, "model"), ({"model": ""}, "model"), ({"model": 5}, "model"), ({"model": "m"}, "max_tokens"),
    ({"model": "m" * 257, "max_tokens": 5, "messages": USER}, "model: must not be longer than 256 bytes"),
    ({"model": "m", "max_tokens": 0, "messages": USER}, "max_tokens"),
    ({"model": "m", "max_tokens": "5", "messages": USER}, "max_tokens"),
    ({"model": "m", "max_tokens": 1.5, "messages": USER}, "max_tokens"),
    ({"model": "m", "max_tokens": 5}, "messages"), ({"model": "m", "max_tokens": 5, "messages": []}, "messages"),
    ({"model": "m", "max_tokens": 5, "messages": {}}, "messages"),
    ({"model": "m", "max_tokens": 5, "messages": ["x"]}, "messages.0"),
    ({"model": "m", "max_tokens": 5, "messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
    ({"model": "m", "max_tokens": 5, "messages": [{"role": "user"}]}, "messages.0.content"),
    ({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
    (message("x"), "messages.0.content.0"), (message({}), "messages.0.content.0.type"),
    (message({"type": "foo"}), "messages.0.content.0.type: 'foo'"), (message({"type": "text"}), "messages.0.content.0.text"),
    (message({"type": "text", "text": 5}), "messages.0.content.0.text"),
    (message({"type": "image"}), "messages.0.content.0.source"),
    (message({"type": "image", "source": {"type": "file", "file_id": "f"}}), "messages.0.content.0.source.type"),
    (message({"type": "image", "source": {"type": "base64", "data": "x"}}), "messages.0.content.0.source.media_type"),
    (message({"type": "tool_use", "id": "a", "name": "f", "input": {}}), "messages.0.content.0.type"),
    (message({"type": "tool_use", "id": "a", "name": "f", "input": 5}, role="assistant"), "messages.0.content.0.input"),
    (message({"type": "tool_use", "name": "f", "input": {}}, role="assistant"), "messages.0.content.0.id"),
    (message({"type": "tool_result"}), "messages.0.content.0.tool_use_id"),
    (message({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_use"}]}),
     "messages.0.content.0.content.0.type"),
    (message({"type": "tool_result", "tool_use_id": "a", "is_error": "yes"}), "messages.0.content.0.is_error"),
    (message({"type": "text", "text": ""}), "no content"), (message(nested_documents(6)), "'document' is not allowed here"),
    (request(system=5), "system"), (request(system=[{"type": "image"}]), "system.0.type"), (request(stream="yes"), "stream"),
    (request(temperature="hot"), "temperature"), (request(stop_sequences="x"), "stop_sequences"),
    (request(stop_sequences=[1]), "stop_sequences.0"), (request(tools={}), "tools"), (request(tools=[5]), "tools.0"),
    (request(tools=[{"name": "f"}]), "tools.0.input_schema"), (request(tools=[{"input_schema": {}}]), "tools.0.name"),
    (request(tools=[{"type": "function"}]), "tools.0.function"), (request(tool_choice="auto"), "tool_choice"),
    (request(tool_choice={"type": "some"}), "tool_choice.type"), (request(tool_choice={"type": "tool"}), "tool_choice.name"),
    (request(tools=[{"name": "f", "input_schema": {}}], tool_choice={"type": "tool", "name": "g"}), "tool_choice.name"),
    (request(thinking=5), "thinking"), (request(thinking={"type": "enabled", "budget_tokens": "x"}), "thinking.budget_tokens"),
    (request(output_config={"format": {"type": "json_schema"}}), "output_config.format.schema"),
    (request(metadata={"user_id": 5}), "metadata.user_id"),
]


def test_bad_requests_are_told_what_is_wrong(site, upstream):
    site.use(upstream)
    with site.lighttpd() as server:
        before = site.responders(server)
        for body, words in BAD_REQUESTS.items():
            answer = site.post(body.encode("latin-1"))
            assert answer.status == 400 and answer.error["type"] == "invalid_request_error", body[:20]
            assert words in answer.error["message"], (body[:20], answer.error)
        for body, words in BAD_MEMBERS:
            answer = site.post(body)
            assert answer.status == 400 and words in answer.error["message"], (body, answer.body)
        assert upstream.calls == []
        assert site.responders(server) == before
        assert site.ask()["content"][0]["text"] == "Hello there"


def test_null_counts_as_absent(served):
    served.ask(system=None, tools=None, tool_choice=None, thinking=None, stop_sequences=None, temperature=None, metadata=None)


@pytest.mark.parametrize("headers, status_code", [
    ({"x-api-key": ACCESS_KEY}, 200), ({"authorization": f"Bearer {ACCESS_KEY}"}, 200), ({}, 401), ({"x-api-key": "wrong"}, 401),
    ({"authorization": "Bearer wrong"}, 401), ({"authorization": f"Basic {ACCESS_KEY}"}, 401)])
def test_the_access_key(served, headers, status_code):
    answer = served.post(request(), key=None, headers=headers)
    assert answer.status == status_code
    if status_code == 401:
        assert answer.error["type"] == "authentication_error" and ACCESS_KEY not in answer.body.decode()


def test_without_an_access_key_every_message_is_refused(site, upstream):
    site.use(upstream)
    with site.lighttpd(PROXY_ACCESS_KEY=None):
        answer = site.post(request(), key="")
        assert answer.status == 401 and "PROXY_ACCESS_KEY" in answer.error["message"]
        assert site.request("GET", "/health").status == 200


def test_paths_and_methods(served):
    for method, path, code in [("GET", "/v1/messages", 405), ("PUT", "/v1/messages", 405), ("POST", "/health", 405),
                               ("POST", "/", 404), ("GET", "/v1/unknown", 404), ("POST", "/v1/messages/other", 404)]:
        answer = served.request(method, path, b"{}" if method != "GET" else None)
        assert answer.status == code, (method, path)
        assert answer.error["type"] == ("not_found_error" if code == 404 else "invalid_request_error")
        assert ("allow" in answer.headers) == (code == 405)
    assert served.post(request(), path="/v1/messages?beta=true").status == 200


def test_health(site, upstream):
    with site.lighttpd():
        answer = site.request("GET", "/health")
        assert answer.status == 503 and answer.json["status"] == "degraded"
        site.use(upstream)
        answer = site.request("GET", "/health")
        body = answer.json
        assert answer.status == 200 and body["status"] == "healthy" and body["uptime"] >= 0
        assert body["config"] == {"upstreamCount": 1, "currentUpstream": "main", "loadBalance": "failover"}
        assert body["timestamp"].endswith("Z")
        head = site.request("HEAD", "/health")
        assert head.status == 200 and head.body == b""


def test_clients_need_not_ask_again_where_only_the_owner_can_help(site, upstream):
    """The official SDKs ask again after 5xx, Claude Code even after 401, for minutes: unless they are told."""
    def asks_again(**options):
        return site.post(request(), **options).headers.get("x-should-retry") != "false"

    with site.lighttpd():
        assert not asks_again(key="wrong") and not asks_again(key=None)
        assert not asks_again()  # no upstream is configured
        site.admin("add", "main", upstream.url, "openai")
        assert not asks_again()  # no key
        site.admin("key", "main", "add", "sk-test-0123456789abcdef")
        upstream.answer = status(401, {"error": {"message": "no"}})
        assert not asks_again()
        for code in (429, 500, 503):
            upstream.answer = status(code, {"error": {"message": "no"}})
            assert asks_again()


def test_claude_code_says_hello_before_it_asks(served):
    """With no key yet, and nothing in the log that would look like a failure."""
    answer = served.request("GET", "/api/hello")
    assert answer.status == 200 and answer.json == {"message": "hello"} and "request-id" in answer.headers
    head = served.request("HEAD", "/api/hello")
    assert head.status == 200 and head.body == b""
    assert served.request("POST", "/api/hello", b"{}").status == 405
    assert "status=404" not in served.log_text()


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_a_request_of_40_megabytes(site, upstream, server):
    site.use(upstream)
    with getattr(site, server)():
        answer = site.post(b'{"x":"' + b"y" * 40_000_000 + b'"}')
        assert answer.status == 413 and answer.error["type"] == "request_too_large"
        assert "MAX_REQUEST_BYTES" in answer.error["message"]
        assert site.ask()
        assert site.post(request("z" * 20_000_000)).status == 200


UPSTREAM_STATUSES = [
    (400, 400, "invalid_request_error"), (401, 401, "authentication_error"), (402, 402, "billing_error"),
    (403, 403, "permission_error"), (404, 404, "not_found_error"), (405, 400, "invalid_request_error"),
    (409, 400, "invalid_request_error"), (413, 413, "request_too_large"), (422, 400, "invalid_request_error"),
    (429, 429, "rate_limit_error"), (500, 500, "api_error"), (502, 502, "api_error"), (503, 529, "overloaded_error"),
    (504, 504, "timeout_error"), (529, 529, "overloaded_error"), (301, 502, "api_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("given, code, kind", UPSTREAM_STATUSES)
def test_statuses_of_the_upstream(served, upstream, given, code, kind, stream):
    for body, content_type, words in [({"error": {"message": "because"}}, "application/json", "because"),
                                      ("<html><title>Bad day</title></html>", "text/html", "Bad day"), ("", "text/plain", "")]:
        upstream.answer = status(given, body, content_type)
        answer = served.post(request(stream=stream))
        assert answer.status == code and answer.error["type"] == kind, answer.body
        assert given == 301 or words in answer.error["message"]


@pytest.mark.parametrize("body, words", [
    ({"message": "one"}, "one"), ({"error": "two"}, "two"), ({"detail": "three"}, "three"),
    ({"detail": [{"msg": "four"}]}, "four"), ({"errors": [{"message": "five"}]}, "five"),
    ([{"error": {"message": "six"}}], "six"), ("seven " * 100, "seven"), (b"\xff\xfe eight", "eight")])
def test_the_message_is_found_wherever_it_is(served, upstream, body, words):
    upstream.answer = status(400, body)
    assert words in served.post(request()).error["message"]


def test_a_refused_key_is_named_with_the_way_to_mend_it(served, upstream):
    upstream.answer = status(401, {"error": {"message": "Incorrect API key provided: sk-test-0123456789abcdef."}})
    error = served.post(request()).error
    assert "sk-test-0123456789abcdef" not in error["message"] and "sk-t…cdef" in error["message"]
    assert "claude-proxy-admin key main add" in error["message"]


@pytest.mark.parametrize("body, expected", [
    ({"error": {"message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9,001 tokens.",
                "code": "context_length_exceeded"}}, "prompt is too long: 9001 tokens > 8192 maximum"),
    ({"error": {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}},
     "prompt is too long: 1200000 tokens > 1048576 maximum"),
    ({"error": {"message": "too big", "code": "context_length_exceeded"}}, "prompt is too long")])
def test_a_context_that_is_too_long(served, upstream, body, expected):
    upstream.answer = status(400, body)
    error = served.post(request()).error
    assert error == {"type": "invalid_request_error", "message": expected}


def test_retry_after_and_quota(served, upstream):
    upstream.answer = status(429, {"error": {"message": "slow"}}, headers=[("Retry-After", "17")])
    assert served.post(request()).headers["retry-after"] == "17"
    upstream.answer = status(429, {"error": {"message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.3s"}]}})
    assert served.post(request()).headers["retry-after"] == "13"
    upstream.answer = status(429, {"error": {"message": "broke", "type": "insufficient_quota"}})
    assert served.post(request()).status == 402


@pytest.mark.parametrize("body, content_type", [("", "application/json"), ("oops", "application/json"), ("{}", "application/json"),
                                                ('{"choices":[]}', "application/json"), ("<html>", "text/html"),
                                                ("data: nonsense\n\n", "text/event-stream"), ("[]", "application/json")])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_none(served, upstream, body, content_type, stream):
    upstream.answer = status(200, body, content_type)
    answer = served.post(request(stream=stream))
    assert answer.status == 502 and answer.error["type"] == "api_error"


def test_an_error_in_an_answer_with_status_200(served, upstream):
    upstream.answer = status(200, {"error": {"message": "no", "code": 429}})
    assert served.post(request()).status == 429


def test_an_upstream_that_cannot_be_reached(site, upstream):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        site.admin("add", "dead", f"http://127.0.0.1:{closed.getsockname()[1]}", "openai")
        site.admin("key", "dead", "add", "sk-x")
        with site.lighttpd():
            answer = site.post(request())
    assert answer.status == 502 and "127.0.0.1" in answer.error["message"] and "dead" in answer.error["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_stays_silent(site, upstream, stream):
    upstream.answer = lambda call: call.wait_gone(20)
    site.use(upstream)
    with site.lighttpd(REQUEST_TIMEOUT=300):
        answer = site.post(request(stream=stream))
        assert answer.status == 504 and answer.error["type"] == "timeout_error"


def test_a_timeout_never_cuts_a_stream_whose_bytes_arrive(site, upstream):
    tick = threading.Event()

    def answer(call):
        for _ in range(8):
            call.chunk(content="x")
            tick.wait(0.15)
        call.event("[DONE]")
        call.end_stream()

    upstream.answer = answer
    site.use(upstream)
    with site.lighttpd(REQUEST_TIMEOUT=500):
        assert site.stream()[-1]["type"] == "message_stop"


def test_without_upstream_or_key_the_error_says_what_to_do(site, upstream):
    with site.lighttpd():
        assert "claude-proxy-admin add" in site.post(request()).error["message"]
        site.admin("add", "main", upstream.url, "openai")
        assert "claude-proxy-admin key main add" in site.post(request()).error["message"]

"""One suite for every web server in front of the proxy, each started from the example that is shipped for it (fronts.py)."""
import contextlib
import json
import subprocess
import time
from pathlib import Path

import pytest

from fronts import FRONTS
from live_streams import check_chunks_come_one_by_one, check_many_at_once, send_request
from site_under_test import ACCESS_KEY, BUILD, collect, parse_events, request, wait_for
from upstream import models, status, text

if "-address" in BUILD.name or "-thread" in BUILD.name:
    pytest.skip("the web servers differ, the program does not: the plain build is enough", allow_module_level=True)

TEN_MEGABYTES = 10_000_000
QUICK_PING = 100  # ms


# Side by side, all tests of a front are one worker's: the web server starts once.
@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in FRONTS])
def running_front(request, running_upstream):
    if not Path("/etc/debian_version").exists():
        pytest.skip("the web servers' own files are Debian's")
    running_upstream.reset()
    with FRONTS[request.param](running_upstream).served() as front:
        yield front


@pytest.fixture
def front(running_front, upstream):
    running_front.prefix = running_front.mounts[0]
    return running_front


def test_the_server_takes_the_configuration(front):
    done = subprocess.run(front.check_command(), env=front.server_environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "warn" not in done.stderr.lower(), done.stdout + done.stderr


def test_plain_and_streamed_answers(front, upstream):
    upstream.answer = text("Gr\u00fc\u00dfe \U0001f600 to you")
    assert front.ask()["content"][0]["text"] == "Gr\u00fc\u00dfe \U0001f600 to you"
    answer = front.post(request(stream=True))
    assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache" and answer.headers["request-id"].startswith("req_")
    assert "content-encoding" not in answer.headers
    assert collect(parse_events(answer.body.decode()))["content"][0]["text"] == "Gr\u00fc\u00dfe \U0001f600 to you"


def test_at_the_root_and_below_a_prefix_with_a_query(front):
    for front.prefix in front.mounts:
        for path in ("/v1/messages", "/v1/messages?beta=true", "/v1/messages?a=%2F&b"):
            assert front.post(request(), path=path).json["content"][0]["text"] == "Hello there"
        assert front.post({"model": "m", "messages": [{"role": "user", "content": "x"}]},
                          path="/v1/messages/count_tokens?beta=true").json["input_tokens"] > 0
        assert front.request("GET", "/health").json["status"] == "healthy"


@pytest.mark.parametrize("name", [name for name in FRONTS if FRONTS[name].beside])
def test_beside_other_pages(running_upstream, name):
    """Below /ai/, with the change that the example's comment names."""
    running_upstream.reset()
    with FRONTS[name](running_upstream, moved=True).served() as front:
        assert front.post(request(), path="/v1/messages?beta=true").json["content"][0]["text"] == "Hello there"
        assert collect(front.stream())["content"][0]["text"] == "Hello there"
        front.prefix = ""
        assert "request-id" not in front.post(request()).headers


def test_the_head_of_health(front):
    answer = front.request("HEAD", "/health")
    assert answer.status == 200 and answer.body == b"" and answer.headers["request-id"].startswith("req_")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("headers, code", [
    ({"x-api-key": ACCESS_KEY}, 200), ({"authorization": f"Bearer {ACCESS_KEY}"}, 200), ({}, 401),
    ({"x-api-key": "wrong"}, 401), ({"authorization": "Bearer wrong"}, 401)])
def test_both_ways_to_present_the_access_key(front, headers, code):
    for front.prefix in front.mounts:
        assert front.post(request(), key=None, headers=headers).status == code


def test_a_request_of_ten_megabytes(front, upstream):
    assert front.ask("z" * TEN_MEGABYTES)
    assert upstream.last["messages"][0]["content"] == "z" * TEN_MEGABYTES


def test_a_chunked_request(front, upstream):
    said = "".join(f"line {i} \u00e9\n" for i in range(20000))
    data = json.dumps(request(said)).encode()
    pieces = [data[at:at + 7001] for at in range(0, len(data), 7001)]
    connection = front.connect()
    connection.request("POST", front.prefix + "/v1/messages", iter(pieces), encode_chunked=True, headers={
        "content-type": "application/json", "x-api-key": ACCESS_KEY, "transfer-encoding": "chunked"})
    assert connection.getresponse().status == 200
    connection.close()
    assert upstream.last["messages"][0]["content"] == said


def test_each_chunk_reaches_the_client_before_the_next_is_sent(front, upstream):
    check_chunks_come_one_by_one(front, upstream)


ERRORS = {
    "bad json": ("POST", "/v1/messages", b"{", {}, None, 400),
    "refused by the upstream": ("POST", "/v1/messages", None, {}, 400, 400),
    "wrong access key": ("POST", "/v1/messages", None, {"x-api-key": "wrong"}, None, 401),
    "wrong upstream key": ("POST", "/v1/messages", None, {}, 401, 401),
    "no money": ("POST", "/v1/messages", None, {}, 402, 402),
    "no such path": ("GET", "/nowhere", b"", {}, None, 404),
    "no such model": ("POST", "/v1/messages", None, {}, 404, 404),
    "wrong method": ("GET", "/v1/messages", b"", {}, None, 405),
    "too large": ("POST", "/v1/messages", b" " * 12_500_000, {}, None, 413),
    "too large upstream": ("POST", "/v1/messages", None, {}, 413, 413),
    "too fast": ("POST", "/v1/messages", None, {}, 429, 429),
    "broken": ("POST", "/v1/messages", None, {}, 500, 500),
    "bad gateway": ("POST", "/v1/messages", None, {}, 502, 502),
    "timeout": ("POST", "/v1/messages", None, {}, 504, 504),
    "overloaded": ("POST", "/v1/messages", None, {}, 529, 529),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_arrive_as_the_proxy_writes_them(front, upstream, name):
    """Status, headers and body: the program asked directly says the same."""
    method, path, body, headers, given, code = ERRORS[name]
    if given:
        upstream.answer = status(given, {"error": {"message": f"because of {given}"}}, headers=[("Retry-After", "17")])
    if path == "/nowhere" and not front.has_every_path:
        path = "/v1/nowhere"
    body = json.dumps(request()).encode() if body is None else body
    headers = {"content-type": "application/json", "x-api-key": ACCESS_KEY, **headers}
    bare_status, bare_headers, bare_body = front.bare(method, path, body, headers)
    answer = front.request(method, path, body, headers)
    assert (answer.status, bare_status) == (code, code), (answer.body, bare_body)
    assert answer.error["message"] and answer.headers["request-id"] != bare_headers["request-id"]
    assert answer.body == bare_body.replace(bare_headers["request-id"].encode(), answer.headers["request-id"].encode())
    # How the body is framed is the web server's business: Apache trusts no length that a program tells.
    framed = {"request-id", "content-length"} if answer.headers.get("transfer-encoding") == "chunked" else {"request-id"}
    for header in bare_headers.keys() - framed:
        assert answer.headers[header] == bare_headers[header]
    assert code != 429 or answer.headers["retry-after"] == "17"
    assert ("allow" in answer.headers) == (code == 405)


def test_a_model_whose_name_holds_a_slash(front, upstream):
    upstream.answer = models(["vendor/some-model", "other"])
    answer = front.request("GET", "/v1/models/vendor/some-model", headers={"x-api-key": ACCESS_KEY})
    assert answer.json["id"] == "vendor/some-model"
    answer = front.request("GET", "/v1/models/vendor%2Fsome-model", headers={"x-api-key": ACCESS_KEY})
    if front.takes_encoded_slashes:
        assert answer.json["id"] == "vendor/some-model"
    else:
        assert answer.status == 404 and "request-id" not in answer.headers


def test_the_transfer_ends_when_the_client_hangs_up(front, upstream):
    """At once where the web server tells, before any ping could; else at the next ping."""
    calls = []

    def answer(call):
        calls.append(call)
        call.chunk(content="first")
        call.wait_gone(60)

    upstream.answer = answer
    if not front.tells_hang_up:
        front.set(PING_INTERVAL=QUICK_PING)
    try:
        client = send_request(front)
        seen = b""
        while b"first" not in seen:
            seen += client.recv(4096)
        hung_up = time.monotonic()
        client.close()
        assert calls[0].gone.wait(10)  # pings come every 15 s by default
        print(f"the transfer ended after {(calls[0].gone_at - hung_up) * 1000:.1f} ms")
    finally:
        front.set()


@pytest.mark.slow
def test_many_streams_at_once(front, upstream):
    began = time.monotonic()

    def look():
        print(f"{front.streams} streams are open after {time.monotonic() - began:.2f} s, in {len(front.process_ids())} processes, "
              f"{sum(front.resident_bytes()) >> 20} MiB")
        assert len(front.process_ids()) == 1 if front.one_process else len(front.process_ids()) >= front.streams

    check_many_at_once(front, upstream, front.streams, look)


@pytest.mark.slow
def test_a_client_that_does_not_read_delays_no_other_and_costs_no_memory(front, upstream):
    chunks, size, stalled = 2000, 100_000, 4  # 200 MB for each client
    sent, ended = [], []

    def flood(call):
        with contextlib.suppress(OSError):
            for _ in range(chunks):
                call.chunk(content="x" * size)
                sent.append(size)
        ended.append(call)

    front.ask()
    before = max(front.resident_bytes(), default=0)
    upstream.answer = flood
    clients = [send_request(front) for _ in range(stalled)]
    wait_for(lambda: len(upstream.calls) == 1 + stalled, "the stalled streams to begin")

    def held_back():
        seen = len(sent)
        time.sleep(0.3)
        return seen > 0 and seen == len(sent)

    wait_for(held_back, "the upstream to be held back")
    upstream.answer = text("quick")
    for _ in range(10):
        assert front.ask()["content"][0]["text"] == "quick"
        assert collect(front.stream())["content"][0]["text"] == "quick"
    assert not ended
    grown = max(front.resident_bytes()) - before
    print(f"{sum(sent) / 1e6:.1f} MB of {stalled * chunks * size / 1e6:.0f} went in; the largest process has {grown / 1e6:.1f} MB more")
    assert grown < 32 << 20
    for client in clients:
        client.close()
    wait_for(lambda: len(ended) == stalled, "the abandoned transfers to end")


def test_after_a_restart_of_the_responder_it_is_found_at_once(front):
    front.restart_responder()
    wait_for(lambda: front.post(request()).status == 200, "the next responder", 10)


def test_what_strays_into_a_folder_of_the_web_site_is_not_shown(front):
    shared = front.folder / "public_html" / "ai"
    for name in (".htaccess", ".env", "claude-proxy.db", "claude-proxy.db-wal", "config.json", "proxy.log"):
        if shared.exists() and not (shared / name).exists():
            front.write_file(shared / name, "secret")
        assert front.request("GET", "/" + name).status == (403 if shared.exists() else 404), name
    assert b"is running" in front.request("GET", "/claude-proxy.fcgi").body  # run, not shown

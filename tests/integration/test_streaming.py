"""Streams: each event as it comes, many at once, slow and vanishing clients, broken upstreams."""
import contextlib
import json
import select
import threading
import time

import pytest

from live_streams import check_chunks_come_one_by_one, check_many_at_once, send_request
from site_under_test import check_grammar, collect, parse_events, request, wait_for
from upstream import parts, text, tool_call


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_each_chunk_reaches_the_client_before_the_next_is_sent(site, upstream, server):
    site.use(upstream)
    with getattr(site, server)():
        check_chunks_come_one_by_one(site, upstream)


@pytest.mark.parametrize("fragment", [1, 2, 3, 7, 64])
def test_a_stream_cut_anywhere_is_the_same_stream(served, upstream, fragment):
    whole = parts("Gr\u00fc\u00dfe \U0001f600 " * 5, reasoning_content="hm hm", tool_calls=[tool_call("f", '{"a": "\\u00e9\\n"}')])
    upstream.answer = whole
    expected = collect(served.stream())
    upstream.answer = parts("Gr\u00fc\u00dfe \U0001f600 " * 5, reasoning_content="hm hm", fragment=fragment,
                            tool_calls=[tool_call("f", '{"a": "\\u00e9\\n"}')])
    got = collect(served.stream())
    assert (got["content"], got["usage"]) == (expected["content"], expected["usage"])


def test_200_streams_at_once_in_one_process(site, upstream):
    site.use(upstream)
    with site.lighttpd(MAX_CONCURRENT_REQUESTS=300) as server:
        check_many_at_once(site, upstream, 200, lambda: wait_for(lambda: len(site.responders(server)) == 1, "one process"))


def nothing_is_sent(calls):
    """None of the connections takes a byte, for as long as we look."""
    return select.select([], [call.handler.connection for call in calls], [], 0.5)[1] == []


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_a_client_that_stops_reading_delays_no_other(site, upstream, server):
    stalled, size = 4, 20_000
    sent, ended = [], []

    def flood(call):
        with contextlib.suppress(OSError):
            for _ in range(5000):  # 100 MB
                call.chunk(content="x" * size)
                sent.append(size)
        ended.append(call)

    upstream.answer = flood
    site.use(upstream)
    with getattr(site, server)():
        clients = [send_request(site) for _ in range(stalled)]
        wait_for(lambda: len(upstream.calls) == stalled, "the stalled streams to begin")
        upstream.answer = text("quick")
        for _ in range(20):
            assert site.ask()["content"][0]["text"] == "quick"
            assert collect(site.stream())["content"][0]["text"] == "quick"
        wait_for(lambda: nothing_is_sent(upstream.calls[:stalled]), "the upstream to be held back")
        # No more was sent than the sockets on the way contain: some 4 MB each on the way in and out.
        assert sum(sent) < stalled * 16e6 and not ended
        for client in clients:
            client.close()
        wait_for(lambda: len(ended) == stalled, "the abandoned transfers to end")


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_the_upstream_transfer_ends_when_a_streaming_client_hangs_up(site, upstream, server):
    calls = []

    def answer(call):
        calls.append(call)
        call.chunk(content="first")
        call.wait_gone(20)

    upstream.answer = answer
    site.use(upstream)
    with getattr(site, server)():
        client = send_request(site)
        seen = b""
        while b"first" not in seen:
            seen += client.recv(4096)
        hung_up = time.monotonic()
        client.close()
        assert calls[0].gone.wait(5)
        print(f"{server}: the transfer ended after {(calls[0].gone_at - hung_up) * 1000:.1f} ms")


def test_silence_is_filled_with_pings(site, upstream):
    release = threading.Event()

    def answer(call):
        assert release.wait(30)
        parts("late")(call)

    upstream.answer = answer
    site.use(upstream)
    with site.lighttpd(PING_INTERVAL=50), site.open_stream() as response:
        lines = []
        while lines.count(b"event: ping\n") < 4:
            lines.append(response.readline())
        assert lines[0] == b"event: message_start\n"
        release.set()
        rest = response.read()
    events = parse_events((b"".join(lines) + rest).decode().lstrip())
    check_grammar(events)
    assert collect(events)["content"][0]["text"] == "late"


def test_after_a_ping_a_failure_is_an_error_event(site, upstream):
    release = threading.Event()

    def answer(call):
        assert release.wait(30)
        call.reply(429, {"error": {"message": "slow down"}}, headers=[("retry-after", "3")])

    upstream.answer = answer
    site.use(upstream)
    with site.lighttpd(PING_INTERVAL=50), site.open_stream() as response:
        while response.readline() != b"event: ping\n":
            pass
        release.set()
        rest = response.read().decode()
    assert 'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error"' in rest
    assert "message_stop" not in rest


def broken_after(*chunks):
    def answer(call):
        for chunk in chunks:
            call.chunk(**chunk)
        call.break_off()

    return answer


def test_a_stream_that_breaks_ends_in_an_error_event(served, upstream):
    upstream.answer = broken_after({"content": "half an ans"})
    events = served.stream()
    assert events[-1]["type"] == "error" and events[-1]["error"]["type"] == "api_error"
    assert [e["type"] for e in events if e["type"] != "ping"][:3] == ["message_start", "content_block_start",
                                                                    "content_block_delta"]


def test_a_stream_that_breaks_before_it_began_is_an_error(served, upstream):
    upstream.answer = lambda call: (call.begin_stream(), call.break_off())
    answer = served.post(request(stream=True))
    assert answer.status == 502 and answer.error["type"] == "api_error"


def test_an_error_in_the_middle_is_an_error_event(served, upstream):
    upstream.answer = lambda call: (call.chunk(content="a"), call.event({"error": {"message": "gone wrong", "code": 503}}),
                                    call.end_stream())
    last = served.stream()[-1]
    assert last["type"] == "error" and last["error"]["type"] == "overloaded_error"
    assert "gone wrong" in last["error"]["message"]


def test_a_stream_without_done_but_with_content_ends_well(served, upstream):
    upstream.answer = lambda call: (call.chunk(content="a"), call.end_stream())
    message = collect(served.stream())
    assert message["stop_reason"] == "end_turn" and message["usage"]["output_tokens"] == 1


@pytest.mark.parametrize("script", [
    "data:{0}\r\n\r\n: note\r\ndata: [DONE]\r\n\r\n", "event: x\nid: 1\nretry: 5\ndata: {0}\n\ndata:[DONE]",
    "data: {0}\r\rdata: [DONE]\r\r", "data: no json\n\ndata: {0}\n\ndata: [DONE]\n\n", "data: {0}",
    "data: {1}\r\ndata: {2}\r\n\r\n"])  # one event of two lines, whose CR LF may come apart
@pytest.mark.parametrize("fragment", [None, 1])
def test_every_way_to_write_an_event_stream(served, upstream, script, fragment):
    chunk = json.dumps({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]})
    first, second = chunk.split(", ", 1)

    def answer(call):
        call.fragment = fragment
        call.send(script.replace("{0}", chunk).replace("{1}", first + ",").replace("{2}", second))
        call.end_stream()

    upstream.answer = answer
    assert collect(served.stream())["content"] == [{"type": "text", "text": "x"}]


def test_interleaved_calls_come_out_one_after_the_other(served, upstream):
    pieces = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}},
              {"index": 1, "id": "b", "function": {"name": "g"}}, {"index": 0, "function": {"arguments": '{"x":'}},
              {"index": 1, "function": {"arguments": '{"y":2}'}}, {"index": 0, "function": {"arguments": "1}"}},
              {"index": 2, "id": "c", "function": {"name": "h", "arguments": {"z": [1]}}},
              {"index": 3, "id": "d", "function": {"name": "k", "arguments": ""}}]

    def answer(call):
        for piece in pieces:
            call.chunk(tool_calls=[piece])
        call.chunk(finish_reason="tool_calls")
        call.event("[DONE]")
        call.end_stream()

    upstream.answer = answer
    message = collect(served.stream())
    assert [(b["id"], b["name"], b["input"]) for b in message["content"]] == [
        ("a", "f", {"x": 1}), ("b", "g", {"y": 2}), ("c", "h", {"z": [1]}), ("d", "k", {})]
    assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("pieces, expected", [
    ([{"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}, {"id": "b", "function": {"name": "g", "arguments": "{}"}}],
     [("a", "f", {"x": 1}), ("b", "g", {})]),
    ([{"index": 0, "id": "a"}, {"index": 0, "function": {"name": "f"}}, {"index": 0, "id": "a", "function": {"arguments": "{}"}}],
     [("a", "f", {})]),
    ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
      {"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}}], [("a", "f", {}), ("b", "g", {})]),
    ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a":'}},
      {"index": 0, "id": "a", "function": {"name": "f", "arguments": "1}"}}], [("a", "f", {"a": 1})]),
])
def test_how_services_mark_their_calls(served, upstream, pieces, expected):
    def answer(call):
        for piece in pieces:
            call.chunk(tool_calls=[piece])
        call.event("[DONE]")
        call.end_stream()

    upstream.answer = answer
    assert [(b["id"], b["name"], b["input"]) for b in collect(served.stream())["content"]] == expected


def test_50000_chunks(served, upstream):
    def answer(call):
        chunk = json.dumps({"choices": [{"delta": {"content": "ab"}}]})
        for _ in range(500):
            call.send(f"data: {chunk}\n\n" * 100)
        call.event("[DONE]")
        call.end_stream()

    upstream.answer = answer
    assert len(collect(served.stream())["content"][0]["text"]) == 100000


def test_a_data_line_of_five_megabytes(served, upstream):
    upstream.answer = lambda call: (call.chunk(content="y" * (5 << 20)), call.event("[DONE]"), call.end_stream())
    assert len(collect(served.stream())["content"][0]["text"]) == 5 << 20


def test_an_event_beyond_the_bound_is_refused(served, upstream):
    def answer(call):
        call.send("data: " + "y" * (17 << 20))
        call.end_stream()

    upstream.answer = answer
    answer = served.post(request(stream=True))
    assert answer.status == 502 and "8 MiB" in answer.error["message"]


@pytest.mark.parametrize("filler, stream", [(b" ", False), (b" ", True), (b'{"choices":[{"message":{"content":"', False), (b"\r", True)],
                         ids=["blanks", "blanks for a stream", "a whole answer", "carriage returns"])
def test_an_answer_beyond_the_bound_is_refused(served, upstream, filler, stream):
    body = filler + b"y" * (17 << 20) if len(filler) > 1 else filler * (17 << 20)
    upstream.answer = lambda call: call.reply(200, body)
    answer = served.post(request(stream=stream))
    assert answer.status == 502 and "more than 16 MiB" in answer.error["message"]

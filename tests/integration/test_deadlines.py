"""Pings and timeouts follow the state that a request is in now, whatever it was in before."""
import time

import pytest

from live_streams import read_events, send_request
from site_under_test import wait_for

PING = 100  # ms
SILENCE = 1500


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_a_client_that_stalled_gets_its_pings_and_its_timeout(site, upstream, server):
    """A laptop sleeps past a few pings, wakes up and reads on; the upstream says nothing more."""
    def flood(call):
        for _ in range(2000):
            call.chunk(content="x" * 20000)
        call.wait_gone(30)

    upstream.answer = flood
    site.use(upstream)
    with getattr(site, server)(PING_INTERVAL=PING, REQUEST_TIMEOUT=SILENCE):
        client = send_request(site)
        wait_for(lambda: len(upstream.calls) == 1, "the stream to begin")
        time.sleep(10 * PING / 1000)
        events = read_events(client)
    assert events[-1]["type"] == "error" and events[-1]["error"]["type"] == "timeout_error", events[-1]
    names = [event["type"] for event in events]
    last_content = len(names) - 1 - names[::-1].index("content_block_delta")
    assert sum(len(event["delta"]["text"]) for event in events if event["type"] == "content_block_delta") == 2000 * 20000
    assert names[last_content + 1:].count("ping") >= SILENCE // PING // 3


def test_an_upstream_that_is_silent_while_its_client_stalls_is_given_up(site, upstream):
    """Not what the client does decides about the upstream, but whether we read from it."""
    def answer(call):
        call.chunk(content="begun")
        call.wait_gone(30)

    upstream.answer = answer
    site.use(upstream)
    with site.nginx(PING_INTERVAL=PING, REQUEST_TIMEOUT=SILENCE):
        client = send_request(site)
        wait_for(lambda: len(upstream.calls) == 1, "the stream to begin")
        assert upstream.calls[0].gone.wait(20)
        assert read_events(client)[-1]["error"]["type"] == "timeout_error"


def test_a_held_upstream_is_not_taken_for_a_silent_one(site, upstream):
    """We do not read: it cannot send."""
    def flood(call):
        for _ in range(2000):
            call.chunk(content="x" * 20000)
        call.event("[DONE]")
        call.end_stream()

    upstream.answer = flood
    site.use(upstream)
    with site.nginx(PING_INTERVAL=PING, REQUEST_TIMEOUT=400):
        client = send_request(site)
        wait_for(lambda: len(upstream.calls) == 1, "the stream to begin")
        time.sleep(1.2)
        assert read_events(client)[-1]["type"] == "message_stop"

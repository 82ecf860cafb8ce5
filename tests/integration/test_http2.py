"""HTTP/2 upstreams that end their streams in every way there is, against clients that read and clients that stall."""
import contextlib
import os
from pathlib import Path

import pytest

from live_streams import read_events, send_request
from site_under_test import check_grammar, next_event, wait_for
from upstream_h2 import Http2Upstream

WHOLE = ["done", "no-done", "close"]
RESET = ["reset", "cancel", "refuse"]
BROKEN = [*RESET, "goaway", "destroy"]


@pytest.fixture
def http2(site, certificate):
    upstream = Http2Upstream(certificate)
    site.settings["SSL_CERT_FILE"] = certificate[0]
    # A GOAWAY alone ends no stream; what never goes on must be given up.
    site.settings["REQUEST_TIMEOUT"] = "4000"
    site.use(upstream)
    yield upstream
    upstream.stop()


def check_end(events, ending):
    """Node ends a stream before it resets it, when it gets to that first: then the answer was whole."""
    if ending in WHOLE or ending in RESET and events[-1]["type"] == "message_stop":
        check_grammar(events)
    else:
        assert events[-1]["type"] == "error" and "message_stop" not in {event["type"] for event in events}


@pytest.mark.parametrize("ending", WHOLE + BROKEN)
@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_a_client_that_stalls_gets_the_end_and_delays_no_other(site, http2, server, ending):
    with getattr(site, server)() as process:
        model = f"{ending} flood"
        clients = [send_request(site, model=model) for _ in range(3)]
        http2.wait("full", model, 3)
        with site.open_stream(model="done") as response:
            assert next_event(response)["type"] == "message_start"
            http2.wait("begun", "done")
            http2.end("done")
            assert b"message_stop" in response.read()
        http2.end(model)
        for client in clients:
            check_end(read_events(client), ending)
        assert process.poll() is None and site.request("GET", "/health").status == 200


@pytest.mark.parametrize("ending", WHOLE + BROKEN)
def test_a_client_that_reads_gets_the_end(site, http2, ending):
    with site.nginx():
        with site.open_stream(model=ending) as response:
            assert next_event(response)["type"] == "message_start"
            http2.wait("begun", ending)
            http2.end(ending)
            events = []
            while (event := next_event(response)) is not None:
                events.append(event)
        last = events[-1]["type"]
        assert last == ("message_stop" if ending in WHOLE else "error") or ending in RESET and last == "message_stop"


def sockets_of(process):
    """How many it has open now."""
    count = 0
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(descriptor).startswith("socket:")
    return count


def test_streams_of_one_upstream_share_no_connection(site, http2):
    """So that none of them can end or hold up another."""
    with site.nginx() as process:
        clients = [send_request(site, model=ending) for ending in BROKEN + ["done"]]
        for ending in BROKEN + ["done"]:
            http2.wait("begun", ending)
        for ending in BROKEN:
            http2.end(ending)
        http2.end("done")
        check_grammar(read_events(clients[-1]))
        for ending, client in zip(BROKEN, clients):
            check_end(read_events(client), ending)
        wait_for(lambda: sockets_of(process) < 8, "the connections to be closed")

"""The log: nobody waits for it, and nobody forges it."""
import json
import os
import signal
import threading
import time

import pytest

from site_under_test import ACCESS_KEY, request, wait_for
from upstream import status

# What steers a terminal, or ends a line: C0, DEL, C1, separators, writing direction.
NASTY = "a\x1b[2J\x1b]0;x\x07\r\n2030-01-01T00:00:00.000Z error forged\x7f\x9b\u2028\u2029\u200e\u202e\u2066|"
ACTING = [*range(0x20), *range(0x7f, 0xa0), 0x200e, 0x200f, 0x2028, 0x2029, *range(0x202a, 0x202f), *range(0x2066, 0x206a)]


def acting(text):
    return [c for c in text if ord(c) in ACTING and c != "\n"]


@pytest.fixture
def unread_pipe(site):
    """Both ends of a pipe, and its path; nobody reads."""
    path = site.folder / "log.pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    yield reader, writer, path
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("how", ["standard error", "LOG_FILE"])
def test_a_log_that_nobody_reads_holds_up_nothing(site, upstream, unread_pipe, how):
    reader, writer, path = unread_pipe
    site.use(upstream)
    where = {"stderr": writer, "LOG_FILE": None} if how == "standard error" else {"LOG_FILE": path}
    bodies = {"ENABLE_REQUEST_LOGS": "true", "LOG_BODY_LIMIT": 1 << 20}
    with site.nginx(**where, **bodies) as responder:
        for _ in range(20):
            site.ask("x" * (1 << 20))
        began = time.monotonic()
        site.ask()
        assert time.monotonic() - began < 5
        lost = read_until(reader, b"were lost")
        assert b" warn lines of the log were lost: they could not be written lines=" in lost
        site.ask("heard again")
        read_until(reader, b"heard again")
        for _ in range(20):
            site.ask("x" * (1 << 20))
        began = time.monotonic()
        responder.send_signal(signal.SIGTERM)
        assert responder.wait(10) == 0
        assert time.monotonic() - began < 5


def read_until(reader, words):
    text = b""
    deadline = time.monotonic() + 60
    while words not in text or not text.endswith(b"\n"):
        assert time.monotonic() < deadline, text[-200:]
        try:
            text += os.read(reader, 1 << 20)
        except BlockingIOError:
            time.sleep(0.01)
    return text


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_comes_from_outside_neither_forges_a_line_nor_steers_a_terminal(site, upstream, log_format):
    site.use(upstream)
    with site.lighttpd(LOG_FORMAT=log_format, ENABLE_REQUEST_LOGS="true", ENABLE_RESPONSE_LOGS="true", LOG_BODY_LIMIT=100000):
        answer = site.post({**request(NASTY), "model": NASTY})
        assert answer.status == 200 and answer.json["model"] == NASTY
        upstream.answer = status(500, {"error": {"message": NASTY}})
        site.post({**request(stream=True), "model": NASTY})
        upstream.answer = status(400, NASTY, "text/plain")
        site.post(request())
        site.request("GET", "/v1/%1b%5b2J%c2%9b%0a2030", headers={"x-api-key": ACCESS_KEY})
        wait_for(lambda: "2030" in site.log_text() and site.log_text().count("status") >= 4, "the lines")
    text = site.log.read_bytes().decode()
    assert acting(text) == [] and not [line for line in text.split("\n") if line.startswith("2030")]
    if log_format == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert NASTY in [line.get("model") for line in lines]


def test_lines_of_many_threads_are_whole(site, upstream):
    site.use(upstream)
    with site.lighttpd(LOG_FORMAT="json", ENABLE_REQUEST_LOGS="true", ENABLE_RESPONSE_LOGS="true"):
        threads = [threading.Thread(target=lambda: [site.ask("x" * 3000) for _ in range(20)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [json.loads(line) for line in site.log_text().splitlines()]
    assert len([line for line in lines if "upstream_model" in line]) == 160
    assert len([line for line in lines if "body" in line]) == 320

"""What a large request takes of the responder's memory: while it waits for its answer, and while that streams."""
import base64
import contextlib
import random
import threading
from pathlib import Path

import pytest

from site_under_test import BUILD, wait_for

REQUESTS = 40
PATIENCE = 120  # s
SHARED = 3 << 10  # KB that threads and the allocator take, however many requests there are
MOST_WAITING = 3 << 10  # KB for each, as the next
MOST_STREAMING = 100

pytestmark = pytest.mark.skipif(BUILD.name != "build", reason="sanitizers, and other C libraries, have an allocator of their own")


def content():
    """A megabyte, most of it in images, as a client sends screenshots."""
    image = base64.b64encode(random.Random(1).randbytes(240_000)).decode()
    source = {"type": "base64", "media_type": "image/png", "data": image}
    return [{"type": "text", "text": "what has changed here?\n" * 2000}] + [{"type": "image", "source": source}] * 3


def memory(process):
    """What the process takes, in KB; shared pages count in part."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


class Model:
    """It begins to answer when all have asked, and when it is told to; and it ends when it is told to."""

    def __init__(self):
        self.asked = threading.Barrier(REQUESTS + 1)
        self.speak = threading.Event()
        self.end = threading.Event()

    def __call__(self, call):
        self.asked.wait(PATIENCE)
        assert self.speak.wait(PATIENCE)
        call.chunk(content="a")
        assert self.end.wait(PATIENCE)
        call.event("[DONE]")
        call.end_stream()


def test_a_megabyte_of_images_takes_little(site, upstream):
    site.use(upstream)
    model = Model()
    with site.lighttpd() as server, contextlib.ExitStack() as streams:
        site.ask()
        [responder] = site.responders(server)
        before = memory(responder)
        upstream.answer = model

        def each():
            return (memory(responder) - before - SHARED) / REQUESTS

        opening = [threading.Thread(target=lambda: streams.enter_context(site.open_stream(content()))) for _ in range(REQUESTS)]
        for thread in opening:
            thread.start()
        model.asked.wait(PATIENCE)
        wait_for(lambda: 0 < each() <= MOST_WAITING, "requests that wait to take little")
        model.speak.set()
        for thread in opening:
            thread.join(PATIENCE)
        wait_for(lambda: each() <= MOST_STREAMING, "streams to take little")
        model.end.set()

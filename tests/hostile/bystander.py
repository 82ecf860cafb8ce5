"""A well-behaved client: it asks a responder under attack for a stream, again and again, and measures how long each answer took.

It is a process of its own with an upstream of its own, so that nothing but the responder delays it.  `bystander.py <site's folder>`
prints the port of its upstream.  A line on standard input starts it; the next line ends it, and it prints what it saw as JSON.
"""
import json
import socket
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import fastcgi_client  # noqa: E402
from site_under_test import request  # noqa: E402

PAUSE = 0.005    # s between two requests
PATIENCE = 90    # s for one
LAST_WAIT = 10   # s at the end for the one that is under way

CHUNKS = [b'data: {"choices":[{"index":0,"delta":{"content":"quick "}}]}\n\n'] * 3 + [b"data: [DONE]\n\n"]
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def serve(connection):
    """Answer one request after the other, each with the same stream."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as lines:
        while True:
            length = 0
            while (line := lines.readline()) not in (b"", b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not line:
                return
            lines.read(length)
            connection.sendall(STREAM_HEAD)
            for chunk in CHUNKS:
                connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            connection.sendall(b"0\r\n\r\n")


def listen():
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


class Asker:
    def __init__(self, folder):
        self.site = SimpleNamespace(folder=Path(folder))
        self.began, self.longest, self.asked, self.failures, self.stop = None, 0, 0, [], threading.Event()

    def ask(self):
        status, _, body = fastcgi_client.ask(self.site, request(model="bystander", stream=True), PATIENCE)
        if status != 200 or b"event: message_stop" not in body:
            self.failures.append(f"{status}: {body[-300:].decode(errors='replace')}")

    def run(self):
        while not self.stop.is_set():
            self.began = time.monotonic()
            try:
                self.ask()
            except Exception as problem:
                self.failures.append(repr(problem))
            self.longest = max(self.longest, time.monotonic() - self.began)
            self.began = None
            self.asked += 1
            time.sleep(PAUSE)

    def result(self):
        began = self.began
        longest = max(self.longest, time.monotonic() - began) if began else self.longest
        return {"asked": self.asked, "waited_ms": round(longest * 1000), "failures": self.failures[:5], "failed": len(self.failures)}


def main():
    print(listen(), flush=True)
    asker = Asker(sys.argv[1])
    if not sys.stdin.readline():
        return
    thread = threading.Thread(target=asker.run, daemon=True)
    thread.start()
    sys.stdin.readline()
    asker.stop.set()
    thread.join(LAST_WAIT)
    print(json.dumps(asker.result()), flush=True)


main()

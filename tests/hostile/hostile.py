"""What every hostile test needs: an upstream that plays bytes, and a responder that is watched while it is attacked.

During an attack a bystander sends one request after the other (bystander.py).  Afterwards the responder must be alive, with nothing
in flight and no descriptor lost; the bystander must not have waited for long; the memory must have stayed within a bound; and the
responder must stop when it is told to.
"""
import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import fastcgi_client
from site_under_test import BUILD, Answer, free_port, parse_events, program, request, stop, wait_for

SANITIZED = "-" in BUILD.name
PATIENCE = 20000 if SANITIZED else 5000  # ms that another request may wait
MEMORY = 1600 if SANITIZED else 256      # MB that the responder may have had
TIMEOUT = 60                             # s for an answer
KEY = "sk-hostile-0123456789abcdef"
MODEL = "hostile"

OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
JSON = b"content-type: application/json\r\n"
EVENTS = b"content-type: text/event-stream\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


def whole_head(length, kind=JSON):
    return OK + kind + b"content-length: %d\r\n\r\n" % length


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


# To a terminal: clear the screen, another title, red (as one byte), what turns the reading direction, and other ends of lines.
ESCAPES = "\x1b[2J\x1b]0;title\x07 \x9b31m \x7f \u202e \u2028 \u0085 \n"


def controls(text):
    """What of a text does something to a terminal, line feeds apart."""
    return sorted({c for c in text if not c.isprintable()} - {"\n"})


def event(value):
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def delta(**members):
    return {"choices": [{"index": 0, "delta": members}]}


def message(content="hello", usage=None):
    """A whole answer, as bytes."""
    body = {"id": "1", "object": "chat.completion", "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}]}
    return json.dumps({**body, "usage": usage or {"prompt_tokens": 2, "completion_tokens": 1}}).encode()


# ---- the upstream ----

class Played:
    """A connection to the upstream.  Writing to one that is gone ends the script."""

    def __init__(self, upstream, connection):
        self.upstream, self.socket = upstream, connection
        self.input = connection.makefile("rb")

    def request(self):
        """Read one request: its head and body, as bytes.  b"" at the end of the connection."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.input.readline()
            if not line:
                return b""
            head += line
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = self.input.read(int(length[1]) if length else 0)
        self.upstream.requests.append(head + body)
        return head + body

    def send(self, data):
        self.socket.sendall(data)

    def pump(self, data, most):
        """The same again and again, until so many bytes are sent."""
        block = data * max(1, (1 << 18) // len(data))
        for _ in range(max(1, most // len(block))):
            self.socket.sendall(block)

    def drip(self, data, seconds, interval=0.05):
        """The same now and then."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.socket.sendall(data)
            if self.wait_gone(interval):
                raise ConnectionError("gone")

    def wait_gone(self, seconds):
        """Wait for the other side to close; did it?"""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except socket.timeout:
            return False
        except OSError:
            return True
        finally:
            with contextlib.suppress(OSError):
                self.socket.settimeout(None)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        """Close both files: the socket is closed with the last."""
        self.input.close()
        self.socket.close()


class ByteUpstream:
    """Listens until `stop`, and plays ${script} on each connection: a function, or the bytes that answer a request."""

    def __init__(self, script=b"", tls=None):
        self.script, self.requests, self.connections, self.tls = script, [], 0, tls
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.play, args=(connection,), daemon=True).start()

    def play(self, connection):
        with contextlib.suppress(OSError, ValueError):  # a closed file is a ValueError
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            played = Played(self, self.tls.wrap_socket(connection, server_side=True) if self.tls else connection)
            try:
                if callable(self.script):
                    self.script(played)
                else:
                    played.request()
                    played.send(self.script)
            finally:
                played.close()

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# ---- the bystander ----

class Bystander:
    def __init__(self, site, within=()):
        self.process = subprocess.Popen([*within, sys.executable, Path(__file__).with_name("bystander.py"), site.folder],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def result(self):
        self.say("stop")
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


# ---- the attack ----

class Reply(Answer):
    """An answer that came without a web server."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def events(self):
        return parse_events(self.body.decode())

    def check(self):
        """Assert that it is what a client may get: a Claude error, a whole message, or a stream with an end.  Return the error's message, or ""."""
        if self.status != 200:
            assert self.error["type"] and self.error["message"], self.body
            return self.error["message"]
        if not self.headers["content-type"].startswith("text/event-stream"):
            assert self.json["type"] == "message", self.body
            return ""
        last = self.events[-1]
        assert last["type"] in ("message_stop", "error"), self.body[-300:]
        return last.get("error", {}).get("message", "")


def end_of(connection):
    """The last bytes of an answer that is too long to be kept."""
    end = b""
    for data in connection.chunks():
        end = (end + data)[-1000:]
    return end


def body(stream=False, **members):
    return request(model=MODEL, stream=stream, **members)


class Attack:
    """A responder under attack, and what can be seen of it."""

    def __init__(self, site, responder):
        self.site, self.responder, self.inputs = site, responder, 0

    def ask(self, stream=False, timeout=TIMEOUT, **members):
        """Send a request to the hostile upstream; return the answer, after a check that a client may get it."""
        self.inputs += 1
        reply = Reply(*fastcgi_client.ask(self.site, body(stream, **members), timeout))
        reply.check()
        return reply

    def open(self, stream=True, **members):
        """Send one and read nothing yet; return the connection."""
        self.inputs += 1
        return fastcgi_client.Connection(self.site, fastcgi_client.message(body(stream, **members)), TIMEOUT)

    def send(self, data, timeout=TIMEOUT, **parameters):
        """Send any request straight to the responder."""
        self.inputs += 1
        return Reply(*fastcgi_client.ask(self.site, data, timeout, **parameters))

    def get(self, path):
        return Reply(*fastcgi_client.ask(self.site, b"", TIMEOUT, method="GET", path=path))

    # ---- what is seen of it ----

    def alive(self):
        return self.responder.poll() is None

    def in_flight(self):
        found = re.search(r"^claude_proxy_requests_in_flight (\d+)$", self.get("/metrics").body.decode(), re.MULTILINE)
        return int(found[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.responder.pid}/fd"))

    def peak(self):
        """The most memory that it has had, in MB; 0 if it is gone."""
        with contextlib.suppress(OSError, TypeError):
            return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.responder.pid}/status").read_text())[1]) >> 10
        return 0

    def keys(self, name="hostile"):
        """The state of each of its keys."""
        shown = json.loads(self.site.admin("show", "--json").stdout)
        return [key["state"] for key in next(u for u in shown["upstreams"] if u["name"] == name)["keys"]]


LOOP_HOLD = BUILD / "hostile" / "loop_hold.so"


def measured(site, settings):
    """The settings, with those that let the responder say how long its loop was held (loop_hold.c)."""
    if SANITIZED or "LD_PRELOAD" in settings or not LOOP_HOLD.exists():
        return settings
    return {**settings, "LD_PRELOAD": LOOP_HOLD.resolve(), "LOOP_HOLD": site.folder / "loop_hold"}


def loop_held(site):
    """In ms; 0 where it is not known."""
    try:
        return int((site.folder / "loop_hold").read_text() or 0) / 1000
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def responder(site, within=(), stderr=None, **settings):
    """The responder alone, on a listening socket."""
    settings = measured(site, settings)
    with site.listener() as listener, open(site.folder / "server.err", "ab") as errors:
        process = subprocess.Popen([*within, BUILD / "claude-proxy.fcgi"], env=site.environment(**settings), stdin=listener,
                                   stdout=subprocess.DEVNULL, stderr=stderr or errors, start_new_session=True)
    try:
        yield process
    finally:
        stop(process)


def last_words(site):
    """What was written to standard error: the report of a sanitizer, or what a library had to say."""
    return (site.folder / "server.err").read_text()[:5000]


@contextlib.contextmanager
def front_of(site, server):
    """nginx or lighttpd in front of the responder that is listening already; no web server if None."""
    if server is None:
        yield
        return
    site.port = free_port()
    if server == "nginx":
        command = [program("nginx"), "-c", site.nginx_config(), "-p", site.folder, "-e", site.folder / "nginx.log"]
    else:
        whole = site.lighttpd_example(('server.username = "www-data"\nserver.groupname = "www-data"\n', ""))
        config = site.folder / "lighttpd.conf"
        config.write_text(re.sub(r'\n    "(bin-path|max-procs|kill-signal|bin-environment)" .*', "", whole))
        command = [program("lighttpd"), "-D", "-f", config]
    with site.running(command, os.environ):
        yield


def use(site, url, service_type, keys):
    """Send every request to the hostile upstream, except those of the bystander."""
    site.admin("add", "hostile", url, service_type)
    site.admin("key", "hostile", "add", *keys)
    site.admin("use", "hostile")


class Ledger:
    """The figures of one test; the run's summary adds them up (tests/conftest.py)."""

    def __init__(self, node):
        self.figures = {"test": node.name, "inputs": 0, "crashes": 0, "waited_ms": 0, "peak_mb": 0, "held_ms": 0}
        node.user_properties.append(("hostile", self.figures))

    def note(self, inputs=0, crashes=0, waited_ms=0, peak_mb=0, held_ms=0):
        f = self.figures
        f["inputs"] += inputs
        f["crashes"] += crashes
        f["waited_ms"] = max(f["waited_ms"], waited_ms)
        f["peak_mb"] = max(f["peak_mb"], peak_mb)
        f["held_ms"] = max(f["held_ms"], held_ms)


@contextlib.contextmanager
def attacked(site, ledger, url=None, service_type="openai", keys=(KEY,), front=None, memory=MEMORY, patience=PATIENCE, lost=0,
             within=(), bystander_within=None, stderr=None, **settings):
    """
    A responder that is attacked while the block runs, with the web server ${front} before it.  ${memory}: MB that it may take;
    ${patience}: ms that others may wait; ${lost}: how many requests of the bystander may fail; ${within}: words before its command;
    ${bystander_within}: a function of its process that returns the words before the bystander's.
    """
    with responder(site, within, stderr, **settings) as process, front_of(site, front):
        bystander = Bystander(site, bystander_within(process) if bystander_within else ())
        try:
            site.use(bystander)
            site.admin("route", "add", "bystander", "quick", "--upstream", "main")
            if url:
                use(site, url, service_type, keys)
            attack = Attack(site, process)
            attack.get("/health")
            before = attack.descriptors()
            bystander.say("go")
            try:
                yield attack
            finally:
                saw = bystander.result()
                crashed = not attack.alive()
                # A row with a patience of its own waits by design, for the lock of another program.
                ledger.note(attack.inputs, crashed, saw["waited_ms"] if patience <= PATIENCE else 0, attack.peak(),
                            loop_held(site))
            assert not crashed, f"the responder ended with {process.returncode}: {last_words(site)}"
            assert saw["asked"] > 0 and saw["failed"] <= lost, saw
            assert saw["waited_ms"] < patience, f"another request waited {saw['waited_ms']} ms"
            assert attack.peak() < memory, f"{attack.peak()} MB"
            wait_for(lambda: attack.in_flight() == 0, "nothing to be in flight")
            # Connections that are kept for the next request are few.
            wait_for(lambda: attack.descriptors() < before + 24, "the descriptors to be closed")
        finally:
            bystander.end()
    assert process.returncode == 0, f"the responder ended with {process.returncode}: {last_words(site)}"

"""The way in, straight at the FastCGI socket: who sends little, slowly, or what no web server sends, holds nobody up."""
import contextlib
import json
import resource
import select
import socket
import struct
import threading
import time

import pytest

import upstream_claude
from site_under_test import ACCESS_KEY, BUILD, request, wait_for

BEGIN, ABORT, PARAMS, STDIN, STDOUT = 1, 2, 4, 5, 6
PATIENCE = 5  # s that a well-behaved request may take on a busy machine; each of the others would hold it for longer


def record(kind, content=b"", padding=0, id=1):
    return struct.pack("!BBHHBB", 1, kind, id, len(content), padding, 0) + content + b"\0" * padding


def pair(name, value):
    length = struct.pack("!B", len(value)) if len(value) < 128 else struct.pack("!I", len(value) | 1 << 31)
    return bytes([len(name)]) + length + name + value


def head(method=b"POST", path=b"/v1/messages", key=ACCESS_KEY.encode(), **parameters):
    """The records before the body."""
    values = {"REQUEST_METHOD": method, "SCRIPT_NAME": path, "CONTENT_TYPE": b"application/json", "REMOTE_ADDR": b"192.0.2.1",
              **({"HTTP_X_API_KEY": key} if key else {}), **parameters}
    content = b"".join(pair(name.encode(), value) for name, value in values.items() if value is not None)
    return record(BEGIN, struct.pack("!HB5x", 1, 0)) + record(PARAMS, content) + record(PARAMS)


def body(data=None):
    """The records of a body, to its end."""
    data = json.dumps(request()).encode() if data is None else data
    return b"".join(record(STDIN, data[at:at + 60000], 3) for at in range(0, len(data), 60000)) + record(STDIN)


class Client:
    """A web server, as far as the socket shows."""

    def __init__(self, site, first=b"", address=None):
        self.socket = socket.socket(socket.AF_INET if address else socket.AF_UNIX)
        self.socket.connect(address or str(site.folder / "fcgi.sock"))
        self.socket.settimeout(30)
        self.send(first)

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self):
        """Status and body of the answer; None: the connection was closed without one."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := self.socket.recv(65536):
                data += piece
        text = b""
        while len(data) >= 8:
            _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", data[:8])
            text += data[8:8 + length] if kind == STDOUT else b""
            data = data[8 + length + padding:]
        lines, _, rest = text.partition(b"\r\n\r\n")
        return (int(lines.split()[1]), rest) if lines else None

    def has_answer(self):
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self):
        self.socket.close()


@contextlib.contextmanager
def clients_of(site, count, first=b""):
    """So many clients; they hang up at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Client(site, first))) for _ in range(count)]


def check_prompt(site, times=5):
    """A well-behaved request is served at once."""
    for _ in range(times):
        began = time.monotonic()
        with contextlib.closing(Client(site, head() + body())) as client:
            assert client.answer()[0] == 200
        assert time.monotonic() - began < PATIENCE


WAITING = {
    "say nothing": b"",
    "stop in a record's header": head()[:3],
    "stop in the parameters": head()[:60],
    "stop before the end of the parameters": head()[:-8],
    "half a body, no access key": head(key=None) + body(b"{" * 100)[:50],
    "half a body, a wrong access key": head(key=b"wrong") + body(b"{" * 100)[:50],
    "half a body, no such path": head(path=b"/nowhere") + body(b"{" * 100)[:50],
    "half a body, the access key": head() + body(b"{" * 100)[:50],
    "stop in the header of the body's record": head() + body()[:5],
    "an ask for values": record(9, pair(b"FCGI_MPXS_CONNS", b""), id=0),
    "no body yet": head(),
}


@pytest.mark.parametrize("first", WAITING.values(), ids=WAITING)
def test_whoever_does_not_go_on_holds_nobody_up(site, upstream, first):
    site.use(upstream)
    with site.fastcgi(MAX_CONCURRENT_REQUESTS=1000):
        check_prompt(site, 1)
        with clients_of(site, 70, first) as clients:
            check_prompt(site)
            assert sum(client.has_answer() for client in clients) == 0
            # Who goes on after all is served as if nothing had been.
            if first == head()[:len(first)]:
                assert clients[0].send((head() + body())[len(first):]).answer()[0] == 200


def test_who_drips_holds_nobody_up(site, upstream):
    site.use(upstream)
    stop = threading.Event()
    whole = head(key=None) + body(b"x" * 60000)

    def drip(clients):
        for at in range(len(whole)):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(whole[at:at + 1])
            if stop.wait(0.001):
                return

    with site.fastcgi(MAX_CONCURRENT_REQUESTS=1000), clients_of(site, 70) as clients:
        thread = threading.Thread(target=drip, args=(clients,))
        thread.start()
        try:
            check_prompt(site, 20)
        finally:
            stop.set()
            thread.join()


def test_the_answer_to_a_refused_request_does_not_wait_for_ever(site, upstream):
    """Apache's mod_proxy_fcgi loses an answer that comes before the request's end, but not every end comes."""
    site.use(upstream)
    with site.fastcgi(), clients_of(site, 2, head(key=None)) as (early, late):
        early.send(body(b"x" * 100)[:50])
        check_prompt(site, 1)
        assert not early.has_answer()
        assert late.send(body(b"x" * 1_000_000)).answer()[0] == 401
        assert not early.has_answer()
        began = time.monotonic()
        assert early.answer()[0] == 401 and time.monotonic() - began < 20


def test_however_many_refused_bodies_are_waited_for_one_that_is_wanted_is_too(site, upstream):
    """Beyond a bound the refused are answered at once."""
    site.use(upstream)
    text = body()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    with site.fastcgi(), clients_of(site, 1, head() + text[:20]) as wanted:
        with clients_of(site, 1100, head(key=None) + text[:20]) as refused:
            wait_for(lambda: sum(client.has_answer() for client in refused) >= 76, "those beyond the bound to be answered", 9)
            assert refused[-1].answer()[0] == 401 and not refused[0].has_answer()
            with clients_of(site, 1, head() + text[:20]) as (late,):
                check_prompt(site)
                assert late.send(text[20:]).answer()[0] == 200
            assert wanted[0].send(text[20:]).answer()[0] == 200


@pytest.mark.parametrize("parameters, code", [({"key": None}, 401), ({"path": b"/nowhere"}, 404), ({"method": b"PUT"}, 405),
                                              ({"CONTENT_LENGTH": b"1000001"}, 413), ({"key": b"wrong"}, 401)])
def test_what_the_head_says_is_refused_before_the_body_is_there(site, upstream, parameters, code):
    """What comes of the body is thrown away, so that it costs no memory, and counts against no limit."""
    site.use(upstream)
    with site.fastcgi(MAX_REQUEST_BYTES=1_000_000, MAX_CONCURRENT_REQUESTS=3):
        with clients_of(site, 5, head(**parameters) + body(b"x" * 500_000)[:-8]) as refused:
            check_prompt(site, 2)
            assert not any(client.has_answer() for client in refused)
            assert [client.send(record(STDIN)).answer()[0] for client in refused] == [code] * 5


def test_a_body_that_is_too_large_is_refused_and_not_kept(site, upstream):
    site.use(upstream)
    with site.fastcgi(MAX_REQUEST_BYTES=1_000_000):
        assert Client(site, head() + body(b"x" * 1_000_001)).answer()[0] == 413
        assert Client(site, head() + body(json.dumps(request("x" * 900_000)).encode())).answer()[0] == 200


def test_a_body_may_come_in_any_pieces(site, upstream):
    site.use(upstream)
    whole = head() + body(json.dumps(request("Grüße " * 50)).encode())
    with site.fastcgi():
        for size in (1, 7, 100, 1000):
            client = Client(site)
            for at in range(0, len(whole), size):
                client.send(whole[at:at + size])
            assert client.answer()[0] == 200
        assert {call.body["messages"][0]["content"] for call in upstream.calls} == {"Grüße " * 50}


NO_REQUESTS = {
    "another version": b"\x02" + head()[1:] + body(),
    "text": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an authorizer": record(BEGIN, struct.pack("!HB5x", 9, 0)) + head()[16:] + body(),
    "parameters before the beginning": head()[16:] + body(),
    "parameters longer than their record": record(BEGIN, struct.pack("!HB5x", 1, 0)) + record(PARAMS, b"\x7f\x7fab") + record(PARAMS) + body(),
    "parameters of four gigabytes": record(BEGIN, struct.pack("!HB5x", 1, 0)) + record(PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xffab")
    + record(PARAMS) + body(),
    "a head of a mebibyte": record(BEGIN, struct.pack("!HB5x", 1, 0)) + record(PARAMS, b"\x04\x00NAME" * 10000) * 20 + record(PARAMS) + body(),
    "hangs up": head()[:60],
}


@pytest.mark.parametrize("data", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_what_is_no_request_is_closed(site, upstream, data):
    site.use(upstream)
    with site.fastcgi():
        for _ in range(70):
            with contextlib.closing(Client(site)) as client:
                with contextlib.suppress(OSError):  # it may be closed before all is sent
                    client.send(data)
                    client.socket.shutdown(socket.SHUT_WR)
                assert client.answer() is None
        check_prompt(site, 3)


@pytest.mark.parametrize("after", [b"", record(ABORT), b"\x02" * 8, record(STDIN, b"x")[:-1]], ids=["cut", "abort", "garbage", "cut inside"])
def test_a_body_that_breaks_off_is_told_so(site, upstream, after):
    site.use(upstream)
    with site.fastcgi():
        with contextlib.closing(Client(site, head() + body()[:-8] + after)) as client:
            client.socket.shutdown(socket.SHUT_WR)
            assert client.answer()[0] == 400
        assert upstream.calls == []
        check_prompt(site, 1)


def test_records_of_others_do_not_disturb(site, upstream):
    """Multiplexed requests, data for a filter, and what a later version may send."""
    site.use(upstream)
    text = json.dumps(request()).encode()
    odd = record(STDIN, text[:9]) + record(STDIN, b"other", id=2) + record(8, b"data") + record(STDIN, b"", id=7) + record(99, b"x" * 9, 7)
    with site.fastcgi():
        assert Client(site, head() + odd + record(STDIN, text[9:]) + record(STDIN)).answer()[0] == 200


def test_a_stop_waits_for_who_is_at_the_door(site, upstream):
    """Within bounds: whoever has sent nothing does not delay it."""
    site.use(upstream)
    with site.fastcgi() as responder:
        with contextlib.closing(Client(site)), contextlib.closing(Client(site, head())) as half:
            check_prompt(site, 1)
            responder.terminate()
            wait_for(lambda: "finishing" in site.log_text(), "the stop to begin")
            assert half.send(body()).answer()[0] == 200
            assert responder.wait(10) == 0


def test_of_those_who_say_nothing_the_oldest_give_way(site, upstream):
    """A bounded number waits; nobody else does."""
    site.use(upstream)
    with site.fastcgi(), clients_of(site, 300) as silent:
        check_prompt(site)
        wait_for(lambda: all(client.has_answer() for client in silent[:300 - 256]), "the oldest to be closed", 4)
        # A good request says nothing, either, until it does.
        assert not any(client.has_answer() for client in silent[300 - 256 + 10:])


def test_who_says_nothing_is_closed_in_the_end(site, upstream):
    site.use(upstream)
    with site.fastcgi(), clients_of(site, 2) as silent:
        assert [client.answer() for client in silent] == [None, None]


@pytest.mark.parametrize("allowed, answered", [(None, True), ("", True), ("127.0.0.1", True), ("192.0.2.1,127.0.0.1", True),
                                               ("192.0.2.1", False), ("127.0.0.11,27.0.0.1", False)])
def test_over_tcp_the_environment_may_name_the_web_servers(site, upstream, allowed, answered):
    """FastCGI 1.0 §3.2."""
    site.use(upstream)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with site.running([BUILD / "claude-proxy.fcgi"], site.environment(FCGI_WEB_SERVER_ADDRS=allowed), wait_path=None,
                          stdin=listener):
            with contextlib.closing(Client(site, address=listener.getsockname())) as client:
                with contextlib.suppress(OSError):  # it may be closed already
                    client.send(head() + body())
                got = client.answer()
                assert (got and got[0]) == (200 if answered else None)


# ---- what no web server sends inside of a value ----

@pytest.mark.parametrize("name", ["HTTP_ANTHROPIC_BETA", "HTTP_ANTHROPIC_VERSION", "CONTENT_TYPE", "QUERY_STRING", "HTTP_ORIGIN",
                                  "REQUEST_METHOD", "REMOTE_ADDR", "HTTP_X_API_KEY", "HTTP_ANYTHING", "PATH_INFO", "REQUEST_URI"])
@pytest.mark.parametrize("evil", [b"a\r\nX-Evil: 1", b"a\nb", b"a\rb", b"a\x7f", b"\x1b[2J"], ids=["CRLF", "LF", "CR", "DEL", "ESC"])
def test_control_characters_in_a_value_are_refused(site, upstream, name, evil):
    upstream.speak(upstream_claude)
    site.use(upstream, service_type="claude")
    with site.fastcgi(CORS_ORIGIN="https://a.example"):
        code, answer = Client(site, head(**{name: evil}) + body()).answer()
        assert code == 400 and json.loads(answer)["error"]["type"] == "invalid_request_error"
        assert upstream.calls == []
    assert b"\x1b" not in site.log.read_bytes() and b"\nX-Evil" not in site.log.read_bytes()


def test_control_characters_in_a_name_reach_no_upstream(site, upstream):
    upstream.speak(upstream_claude)
    site.use(upstream, service_type="claude")
    with site.fastcgi():
        assert Client(site, head(**{"HTTP_ANTHROPIC_A\r\nX_EVIL": b"1"}) + body()).answer()[0] == 400
        assert Client(site, head(HTTP_ANTHROPIC_BETA=b"a\0\r\nX-Evil: 1") + body()).answer()[0] in (200, 400)
        assert [call.headers.get("x-evil") for call in upstream.calls if call.headers.get("x-evil")] == []
        assert Client(site, head(HTTP_ANTHROPIC_BETA=b"a\tb") + body()).answer()[0] == 200

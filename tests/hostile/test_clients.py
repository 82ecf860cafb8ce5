"""What a client may do to us: through web servers, byte by byte, and straight to the responder's socket."""
import json
import random
import re
import socket
import subprocess
import threading
import time

import pytest

import fastcgi_client
import hostile
from hostile import JSON, KEY, OK, ByteUpstream, body, message, whole_head
from site_under_test import ACCESS_KEY, BUILD, request, wait_for

SERVERS = ["nginx", "lighttpd"]
CLAUDE = json.dumps({"type": "message", "id": "m", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hello"}],
                     "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}).encode()
BODY = json.dumps(body()).encode()


def http(method=b"POST", path=b"/v1/messages", headers=(), content=BODY, key=ACCESS_KEY.encode(), length=None):
    """A request as bytes; `headers` are lines, and stand after the usual ones."""
    lines = [b"%s %s HTTP/1.1" % (method, path), b"Host: site", b"Connection: close", b"Content-Type: application/json"]
    if key is not None:
        lines.append(b"x-api-key: " + key)
    if length is not False:
        lines.append(b"Content-Length: %d" % (len(content) if length is None else length))
    return b"\r\n".join([*lines, *headers, b"", content])


def exchange_bytes(site, data, seconds=5):
    """What comes back, until the connection ends or for so long."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=seconds) as client:
        got = b""
        try:
            client.sendall(data)
            while data := client.recv(65536):
                got += data
        except OSError:
            pass
        return got


# ---- who is let in ----

KEYS = {
    "none": [], "empty": [b"x-api-key: "], "spaces": [b"x-api-key:   "], "a tab": [b"x-api-key: \t"], "60 KB": [b"x-api-key: " + b"k" * 60_000],
    "not ASCII": ["x-api-key: schl\u00fcssel".encode()], "its beginning": [b"x-api-key: " + ACCESS_KEY[:-1].encode()],
    "more than it": [b"x-api-key: " + ACCESS_KEY.encode() + b"x"], "upper case": [b"x-api-key: " + ACCESS_KEY.upper().encode()],
    "thrice": [b"x-api-key: " + b", ".join([ACCESS_KEY.encode()] * 3)], "Basic": [b"Authorization: Basic " + ACCESS_KEY.encode()],
    "no scheme": [b"Authorization: " + ACCESS_KEY.encode()], "an empty Bearer": [b"Authorization: Bearer"],
    "in another header": [b"api-key: " + ACCESS_KEY.encode(), b"x_api_key: x"], "the upstream's": [b"x-api-key: " + KEY.encode()],
}


@pytest.mark.parametrize("server", SERVERS)
def test_only_the_access_key_lets_in(site, ledger, bad, server):
    bad.script = whole_head(len(CLAUDE)) + CLAUDE
    with hostile.attacked(site, ledger, bad.url, "claude", front=server) as attack:
        for name, headers in KEYS.items():
            attack.inputs += 1
            got = exchange_bytes(site, http(headers=headers, key=None))
            assert re.match(rb"HTTP/1\.[01] (400|401|403|413|431|494) ", got) or not got, (name, got[:300])
            assert ACCESS_KEY.encode() not in got
        got = exchange_bytes(site, http(path=b"/v1/messages?x-api-key=" + ACCESS_KEY.encode(), key=None))
        assert b" 401 " in got
        assert bad.requests == []
        assert b" 200 " in exchange_bytes(site, http())


# ---- requests that are none ----

BETA = b"anthropic-beta: "
HEADER_TRICKS = [
    BETA + b"a\rX-Evil: 1", BETA + b"a\nX-Evil: 1", BETA + b"a\0b", BETA + b"a\x0bX-Evil: 1", BETA + b"a\r\n X-Evil: 1",
    BETA + b"a\x85X-Evil: 1", BETA + "a\u560d\u560aX-Evil: 1".encode(), BETA + b"b" * 3000, b"anthropic_beta: x", b"anthropic-: x",
    b"x-evil: 1", b"cookie: x-evil=1", b"x-forwarded-host: x-evil", b"authorization: Bearer x-evil", b"proxy: http://x-evil/",
    b"connection: x-api-key, content-length", b"te: trailers", b"expect: 100-continue", b"expect: x-evil", b"upgrade: x-evil",
    b"content-encoding: gzip", b"content-type: text/x-evil\x0bX-Evil: 1", b"content-type: application/json; charset=utf-16",
    b"accept: x-evil", b"user-agent: x-evil", b": x-evil", b"anthropic-beta", b"anthropic-beta : x", b"anthropic beta: x",
    b"\r\nX-Evil: 1", b"host: x-evil", b"range: bytes=0-1", b"if-none-match: *",
]
MANY_HEADERS = [b"anthropic-x-%d: v" % n for n in range(60)]
PATHS = [
    b"//v1/messages", b"/v1//messages", b"/v1/./messages", b"/v1/../v1/messages", b"/v1/messages/", b"/v1/messages/../../admin/dev/info",
    b"/v1/messages%2f..%2f..%2fv9", b"/V1/MESSAGES", b"/v1/messages;x=1", b"/v1/messages%00", b"/v1/messages%0d%0aX-Evil:%201",
    b"/%76%31/messages", b"http://x-evil/v1/messages", b"*", b"/v1/../../etc/passwd", b"/v1/models/../../v9/x", b"/v1/models/%2e%2e%2fv9",
    b"/v1/files/../../../v9/x", b"/v1/files/%2e%2e/%2e%2e/%2e%2e/v9/x", b"\\v1\\messages", b"/v1/files/a%23b", b"/x/../v1/messages",
    b"/v1/" + b"a" * 7000, b"v1/messages", b"/v1/messages?x=1?y=2#z", b"/v1/files//evil.example/x", b"/v1/files/@x-evil/",
]
QUERIES = [
    b"?beta=true", b"?beta=true&key=evil", b"?key=evil", b"?%0d%0aX-Evil:%201", b"?a=b#c", b"?../../v9", b"?a=%00", b"?", b"?" * 100,
    b"?a=" + b"b" * 3000, b"?a=\xff\xfe", b"?beta=true\tX-Evil:1",
]
METHODS = [b"GET", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"POST\0", b"P OST",
           b"\x16\x03\x01"]
NEXT = b"GET /v1/x-evil HTTP/1.1\r\nHost: x\r\nx-api-key: " + ACCESS_KEY.encode() + b"\r\n\r\n"
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
SMUGGLING = [
    http(headers=[b"Transfer-Encoding: chunked"], content=CHUNKED, length=4), http(headers=[b"Content-Length: 3"]),
    http(headers=[b"Content-Length: -1"], length=False), http(headers=[b"Content-Length: +%d" % len(BODY)], length=False),
    http(headers=[b"Content-Length: 0x10"], length=False), http(headers=[b"Content-Length: 1e2"], length=False),
    http(headers=[b"Content-Length: 99999999999999999999"], length=False),
    http(headers=[b"Transfer-Encoding: xchunked"]), http(headers=[b"Transfer-Encoding: chunked, identity"], content=CHUNKED, length=False),
    http(headers=[b"Transfer-Encoding: chunked"], content=b"zz\r\n" + BODY, length=False),
    http(headers=[b"Transfer-Encoding: chunked"], content=b"ffffffffffffffff\r\n" + BODY, length=False),
    http(headers=[b"Transfer-Encoding: chunked"], content=b"0\r\nX-Evil: 1\r\n\r\n", length=False),
    http(content=BODY + NEXT, length=len(BODY)), http(content=b"0\r\n\r\n" + NEXT, headers=[b"Transfer-Encoding: chunked"], length=5),
    http().replace(b"\r\n", b"\n"), b"\r\n\r\n" + http(), http().replace(b"HTTP/1.1", b"HTTP/9.9"), http().replace(b"HTTP/1.1", b"HTTP/0.9"),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 1000, bytes(range(256)), b"POST /v1/messages\r\n\r\n",
]


def tricks():
    yield from (http(headers=[line]) for line in HEADER_TRICKS)
    yield http(headers=MANY_HEADERS)
    yield from (http(path=path) for path in PATHS)
    yield from (http(b"GET", path, content=b"") for path in PATHS)
    yield from (http(path=b"/v1/messages" + query) for query in QUERIES)
    yield from (http(b"GET", b"/v1/files" + query, content=b"") for query in QUERIES)
    yield from (http(method) for method in METHODS)
    yield from SMUGGLING


ALLOWED = re.compile(rb"host|accept|accept-encoding|user-agent|x-api-key|content-type|content-length|anthropic-[a-z0-9-]*")


def check_request(sent):
    """The upstream gets what a client may send, and nothing else."""
    head, _, _ = sent.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, path, version = first.split(b" ")
    assert method in (b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD") and version == b"HTTP/1.1", first
    segments = re.sub(rb"(?i)%2e", b".", path.partition(b"?")[0]).split(b"/")
    assert path.startswith(b"/v1/") and not {b"..", b"."} & set(segments), first
    for line in lines:
        name, _, value = line.partition(b":")
        assert ALLOWED.fullmatch(name.lower()), line
        assert name.lower() != b"x-api-key" or value.strip() == KEY.encode(), line
        assert name.lower() == b"anthropic-beta" or b"evil" not in value.lower(), line


@pytest.mark.parametrize("server", SERVERS)
def test_tricks_with_requests(site, ledger, bad, server):
    bad.script = whole_head(len(CLAUDE)) + CLAUDE
    with hostile.attacked(site, ledger, bad.url, "claude", front=server) as attack:
        rows = list(tricks())
        gate = threading.Semaphore(8)

        def play(row):
            with gate:
                played.append((row, exchange_bytes(site, row, 2)))

        played = []
        threads = [threading.Thread(target=play, args=(row,)) for row in rows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        attack.inputs += len(rows)
        for row, got in played:
            assert not got or re.match(rb"HTTP/1\.[01] [1-5]\d\d |<", got) or row.startswith(b"PRI "), (row[:300], got[:300])
        assert b"root:" not in b"".join(got for _, got in played)
        assert len(bad.requests) > 10
        for sent in bad.requests:
            check_request(sent)


@pytest.mark.parametrize("value", [b"a\r\nX-Evil: 1", b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a\0\r\nX-Evil: 1"])
@pytest.mark.parametrize("name", ["HTTP_ANTHROPIC_BETA", "CONTENT_TYPE", "HTTP_ANTHROPIC_VERSION", "QUERY_STRING"])
def test_line_breaks_in_parameters_make_no_header(site, ledger, bad, name, value):
    """No web server passes them, but the socket may be spoken to by others."""
    bad.script = whole_head(len(CLAUDE)) + CLAUDE
    with hostile.attacked(site, ledger, bad.url, "claude") as attack:
        attack.send(body(), **{name: value})
        assert b"x-evil: 1" not in b"\n".join(line for sent in bad.requests for line in sent.lower().partition(b"\r\n\r\n")[0].split(b"\n")[1:]
                                              if line.startswith(b"x-evil"))


# ---- bodies ----

def in_message(text):
    """A request with this JSON in a member that nobody reads."""
    return json.dumps({**body(), "x": "HERE"}).replace('"HERE"', text).encode()


BODIES = {
    "32 MB of objects": (lambda: in_message("[" + "{}," * 10_400_000 + "{}]"), {400}),
    "32 MB of arrays": (lambda: in_message("[" + "[]," * 10_400_000 + "[]]"), {400}),
    "32 MB of numbers": (lambda: in_message("[" + "1," * 16_000_000 + "1]"), {400}),
    "a million members of one name": (lambda: in_message("{" + '"a":1,' * 1_000_001 + '"a":1}'), {200, 400}),
    "129 levels": (lambda: in_message("[" * 129 + "]" * 129), {400}),
    "10 million levels": (lambda: in_message("[" * 10_000_000), {400}),
    "a number of 10 MB": (lambda: in_message("1" * 10_000_000), {200, 400}),
    "a number of 10 MB after a point": (lambda: in_message("0." + "1" * 10_000_000), {200, 400}),
    "a string of 10 MB that does not end": (lambda: in_message('"' + "a" * 10_000_000), {400}),
    "30 MB of escapes": (lambda: in_message('"' + "\\ud800" * 5_000_000 + '"'), {200, 400}),
    "30 MB of spaces": (lambda: in_message(" " * 30_000_000 + "1"), {200}),
    "beyond the limit": (lambda: in_message('"' + "a" * 33_554_432 + '"'), {413}),
    "not UTF-8": (lambda: in_message('"') + b"\xff\xfe\xc0\x80" * 1000 + b'"}', {400}),
    "UTF-16": (lambda: json.dumps(body()).encode("utf-16"), {400}),
}


@pytest.mark.parametrize("row", BODIES)
def test_a_body_that_is_large_or_none(attacked, bad, row):
    make, expected = BODIES[row]
    bad.script = whole_head(len(message())) + message()
    data = make()
    # The body itself, once as it came and once for the upstream, and what it is in memory.
    with attacked(memory=hostile.MEMORY + 128) as attack:
        assert attack.send(data).status in expected


def test_small_objects_take_little_memory(attacked, bad):
    bad.script = whole_head(len(message())) + message()
    with attacked() as attack:
        for _ in range(3):
            assert attack.send(in_message("[" + "{}," * 650_000 + "{}]")).status in (200, 400)


def turns(calls, id_of):
    """A conversation in which the model made so many calls at once."""
    return [{"role": "user", "content": "x"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": id_of(i), "name": "f", "input": {}} for i in range(calls)]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id_of(i), "content": "y"} for i in range(calls)]}]


@pytest.mark.parametrize("service_type", ["openai", "openai-responses", "gemini"])
@pytest.mark.parametrize("row", ["equal", "of equal form"])
def test_many_tool_ids_cost_no_time(site, ledger, bad, service_type, row):
    bad.script = b"HTTP/1.1 400 No\r\n" + JSON + b"content-length: 2\r\n\r\n{}"
    messages = turns(30_000, (lambda i: "toolu_1") if row == "equal" else (lambda i: f"toolu \u00fc {i % 7}"))
    with hostile.attacked(site, ledger, bad.url, service_type) as attack:
        began = time.monotonic()
        assert attack.send({**body(), "messages": messages}).status in (200, 400)
        assert time.monotonic() - began < hostile.PATIENCE / 1000


def doubling(levels):
    """A schema that doubles at each of its levels when its references are resolved."""
    definitions = {"a0": {"type": "string", "description": "x" * 100}}
    for n in range(levels):
        definitions[f"a{n + 1}"] = {"type": "object", "properties": {name: {"$ref": f"#/$defs/a{n}"} for name in "pq"}}
    return {"type": "object", "properties": {"a": {"$ref": f"#/$defs/a{levels}"}}, "$defs": definitions}


@pytest.mark.parametrize("service_type", ["openai", "openai-responses", "gemini"])
@pytest.mark.parametrize("levels", [8, 40])
def test_schemas_whose_references_multiply(site, ledger, bad, service_type, levels):
    bad.script = b"HTTP/1.1 400 No\r\n" + JSON + b"content-length: 2\r\n\r\n{}"
    tools = [{"name": f"f{n}", "input_schema": doubling(levels)} for n in range(300)]
    with hostile.attacked(site, ledger, bad.url, service_type) as attack:
        began = time.monotonic()
        assert attack.send({**body(), "tools": tools}).status in (200, 400)
        assert time.monotonic() - began < hostile.PATIENCE / 1000


# ---- names ----

@pytest.mark.parametrize("service_type", ["openai", "claude"])
def test_a_model_name_has_a_length(site, ledger, bad, service_type):
    good = CLAUDE if service_type == "claude" else message()
    bad.script = whole_head(len(good)) + good
    with hostile.attacked(site, ledger, bad.url, service_type) as attack:
        for length, status in [(1, 200), (256, 200), (257, 400), (3_000_000, 400)]:
            assert attack.send(request(model="m" * length)).status == status, length
        assert max(map(len, site.log_text().splitlines())) < 100_000


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_control_characters_of_a_model_name_reach_no_terminal(site, ledger, bad, log_format):
    bad.script = whole_head(len(message())) + message()
    with hostile.attacked(site, ledger, bad.url, LOG_FORMAT=log_format) as attack:
        assert attack.send(request(model=f"evil {hostile.ESCAPES} model")).status in (200, 400)
        attack.send(request(model="plain model"))
        wait_for(lambda: "plain model" in site.admin("usage", "--by", "model").stdout, "the usage")
        for shown in (site.admin("usage", "--by", "model").stdout, site.admin("show").stdout, site.log_text()):
            assert not hostile.controls(shown), hostile.controls(shown)
            assert not any(line.startswith(" model") for line in shown.splitlines())


@pytest.mark.parametrize("name", ["../../v1/evil", "a/../../x?y#z", "%2e%2e%2f", "a:b", "..", "a\\..\\b", "models/../x", "\u00fc?"])
def test_a_model_name_is_one_segment_of_geminis_path(site, ledger, bad, name):
    bad.script = b"HTTP/1.1 404 No\r\n" + JSON + b"content-length: 2\r\n\r\n{}"
    with hostile.attacked(site, ledger, bad.url, "gemini") as attack:
        attack.send(request(model=name))
        for sent in bad.requests:
            path = sent.split(b" ")[1]
            assert re.fullmatch(rb"/v1beta/models/([^/?#]+|models/[^/?#]+):generateContent", path) and b"/../" not in path, path


# ---- whom else it could be made to ask ----

@pytest.mark.parametrize("service_type", ["openai", "openai-responses", "gemini"])
def test_addresses_in_a_message_are_handed_on_and_not_fetched(site, ledger, bad, service_type):
    bad.script = b"HTTP/1.1 400 No\r\n" + JSON + b"content-length: 2\r\n\r\n{}"
    other = ByteUpstream()
    source = {"type": "url", "url": f"{other.url}/secret"}
    try:
        with hostile.attacked(site, ledger, bad.url, service_type) as attack:
            for block in ("image", "document"):
                attack.ask(content=[{"type": block, "source": source}])
            attack.ask(mcp_servers=[{"type": "url", "url": other.url, "name": "m"}])
            assert other.connections == 0
    finally:
        other.stop()


def cgi(site, *arguments, **environment):
    """Run the program as a CGI program; what it writes."""
    data = json.dumps(request()).encode()
    env = site.environment(GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST", SCRIPT_NAME="/x.fcgi", PATH_INFO="/v1/messages",
                           CONTENT_LENGTH=len(data), HTTP_X_API_KEY=ACCESS_KEY, REMOTE_ADDR="192.0.2.1", **environment)
    return subprocess.run([BUILD / "claude-proxy.fcgi", *arguments], env=env, input=data, capture_output=True, timeout=60).stdout


def test_a_proxy_header_is_no_setting_of_a_cgi_program(site, upstream, ledger):
    """httpoxy."""
    other = ByteUpstream()
    try:
        site.use(upstream)
        ledger.note(inputs=1)
        assert cgi(site, HTTP_PROXY=other.url).startswith(b"Status: 200")
        assert other.connections == 0 and len(upstream.calls) == 1
    finally:
        other.stop()


@pytest.mark.parametrize("argument", ["beta", "--version", "--help", "-x", "", "a b", "/etc/passwd"])
def test_a_cgi_query_without_an_equals_sign_is_no_argument(site, upstream, ledger, argument):
    """Web servers may pass it as one (RFC 3875 4.4)."""
    site.use(upstream)
    ledger.note(inputs=1)
    assert cgi(site, argument, QUERY_STRING=argument).startswith(b"Status: 200")


@pytest.mark.parametrize("server", SERVERS)
def test_the_rate_limit_knows_clients_by_their_address_alone(site, upstream, ledger, server):
    site.use(upstream)
    with getattr(site, server)(ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS=3):
        statuses = [site.post(request(), headers={"x-forwarded-for": f"192.0.2.{n}", "x-real-ip": f"192.0.2.{n}", "forwarded": f"for={n}",
                                                  "remote-addr": f"192.0.2.{n}"}).status for n in range(6)]
        ledger.note(inputs=len(statuses))
    assert statuses == [200] * 3 + [429] * 3


# ---- those who stay, and those who leave ----

@pytest.mark.parametrize("server", [*SERVERS, None])
def test_hanging_up_after_any_byte(site, ledger, bad, server):
    bad.script = whole_head(len(CLAUDE)) + CLAUDE
    with hostile.attacked(site, ledger, bad.url, "claude", front=server) as attack:
        whole = http() if server else fastcgi_client.message(body())
        for end in range(0, len(whole), 7):
            attack.inputs += 1
            with connect(site, server) as client:
                client.sendall(whole[:end])


def connect(site, server):
    if server:
        return socket.create_connection(("127.0.0.1", site.port), timeout=30)
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(site.folder / "fcgi.sock"))
    return client


@pytest.mark.parametrize("server", [*SERVERS, None])
def test_hanging_up_in_60_streams(site, ledger, bad, server):
    gone = []

    def script(played):
        played.request()
        played.send(OK + hostile.EVENTS + b"\r\n" + hostile.event(hostile.delta(content="begun")))
        gone.append(played.wait_gone(30))

    bad.script = script
    with hostile.attacked(site, ledger, bad.url, front=server) as attack:
        whole = http(content=json.dumps(body(True)).encode()) if server else fastcgi_client.message(body(True))
        clients = [connect(site, server) for _ in range(60)]
        for client in clients:
            client.sendall(whole)
            attack.inputs += 1
        for client in clients:
            seen = b""
            while b"begun" not in seen:
                seen += client.recv(65536)
        for client in clients:
            client.close()
        wait_for(lambda: gone == [True] * 60, "all transfers to end")


@pytest.mark.parametrize("row", ["idle", "half a head", "half a body", "half a body without a key"])
@pytest.mark.parametrize("server", SERVERS)
def test_many_connections_that_stay_silent(site, ledger, bad, server, row):
    start = {"idle": b"", "half a head": http()[:60], "half a body": http()[:-20], "half a body without a key": http(key=None)[:-20]}[row]
    bad.script = whole_head(len(CLAUDE)) + CLAUDE
    with hostile.attacked(site, ledger, bad.url, "claude", front=server) as attack:
        clients = [connect(site, server) for _ in range(300)]
        for client in clients:
            client.sendall(start)
            attack.inputs += 1
        for _ in range(20):
            assert b" 200 " in exchange_bytes(site, http())
        for client in clients:
            client.close()


HALVES = {
    "nothing": b"", "a byte": b"\x01", "half the parameters": fastcgi_client.head(length=1000)[:60],
    "half a body without a key": fastcgi_client.head(length=1000, key=None) + fastcgi_client.record(fastcgi_client.STDIN, b"{"),
    "half a body with a wrong key": fastcgi_client.head(length=1000, key="no") + fastcgi_client.record(fastcgi_client.STDIN, b"{"),
    "no end of a request without a body": fastcgi_client.head("GET", "/health"),
}


@pytest.mark.parametrize("row", HALVES)
def test_70_connections_to_the_socket_that_say_half(attacked, bad, row):
    bad.script = whole_head(len(message())) + message()
    with attacked() as attack:
        clients = [fastcgi_client.Connection(attack.site, HALVES[row]) for _ in range(70)]
        attack.inputs += len(clients)
        assert attack.send(request()).status == 200
        for client in clients:
            client.close()


# A larger byte may become the length of a parameter, of up to 2 GB: at the memory for it an assertion of libfcgi ends the process.
# No web server sends such a one: only what speaks to the socket itself, as its owner may.
BYTES = 128


@pytest.mark.skipif("-thread" in BUILD.name, reason="libcurl closes sockets that still connect: see test_soak.py")
def test_3000_fastcgi_requests_with_random_bytes(attacked, bad, seed):
    bad.script = whole_head(len(message())) + message()
    chance = random.Random(seed)
    whole = fastcgi_client.message(body(), HTTP_ANTHROPIC_BETA="a,b", QUERY_STRING="beta=true")
    with attacked(MAX_CONCURRENT_REQUESTS=3000) as attack:
        for _ in range(3000):
            data = bytearray(whole)
            for _ in range(chance.choice([0, 1, 1, 3, 20])):
                data[chance.randrange(len(data))] = chance.randrange(BYTES)
            if chance.random() < 0.5:
                del data[chance.randrange(len(data)):]
            attack.inputs += 1
            try:
                with fastcgi_client.Connection(attack.site, bytes(data)):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass


def test_a_client_that_reads_a_byte_at_a_time_delays_nobody(attacked, bad):
    bad.script = lambda played: (played.request(), played.send(OK + hostile.EVENTS + b"\r\n"),
                                 played.pump(hostile.event(hostile.delta(content="a" * 1000)), 8 << 20))
    with attacked() as attack, attack.open() as client:
        for _ in range(2000):
            client.socket.recv(1)
        assert attack.get("/health").status == 200

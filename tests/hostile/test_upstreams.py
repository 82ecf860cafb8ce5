"""What an upstream may do to us: end, stall, lie, flood.  Each row is played for a whole answer and for a stream."""
import base64
import gzip
import json
import ssl
import subprocess
import zlib
from pathlib import Path

import pytest

import hostile
from hostile import CHUNKED, EVENTS, JSON, KEY, OK, ByteUpstream, chunk, delta, end_of, event, message, whole_head
from site_under_test import request, wait_for

SILENCE = 700  # ms, where a row waits for the limit


def answer(data, *more):
    """Read a request, and answer with these bytes; what is a function does as it likes."""

    def script(played):
        played.request()
        for part in (data, *more):
            part(played) if callable(part) else played.send(part)

    return script


def wait_gone(seconds=20):
    return lambda played: played.wait_gone(seconds)


def pump(data, most):
    return lambda played: played.pump(data, most)


def drip(data, seconds=20):
    return lambda played: played.drip(data, seconds)


def reset(played):
    played.reset()


STREAM = OK + EVENTS + b"\r\n"              # ends with the connection
CHUNKS = OK + EVENTS + CHUNKED + b"\r\n"
HELLO = event(delta(content="hello"))
DONE = event(b"[DONE]")
WHOLE = message()

# ---- answers that end, or do not begin ----

# The status that a client gets for the whole answer and for the stream; 0: an `error` event in a stream that has begun.
ENDINGS = {
    "reset at once": (reset, 502, 502),
    "closed at once": (lambda played: None, 502, 502),
    "reset once it has the request": (answer(reset), 502, 502),
    "closed once it has the request": (answer(b""), 502, 502),
    "silent from the start": (wait_gone(), 504, 504),
    "silent once it has the request": (answer(wait_gone()), 504, 504),
    "silent in the head": (answer(OK, wait_gone()), 504, 504),
    "silent after the head": (answer(CHUNKS, wait_gone()), 504, 504),
    "silent in the body": (answer(whole_head(len(WHOLE)), WHOLE[:30], wait_gone()), 504, 504),
    "silent in an event": (answer(CHUNKS, chunk(HELLO), chunk(HELLO[:10]), wait_gone()), 504, 0),
    "cut in the status line": (answer(b"HTTP/1.1 2"), 502, 502),
    "cut in the head": (answer(OK + b"content-ty"), 502, 502),
    "cut after the head": (answer(CHUNKS), 502, 502),
    "reset after the head": (answer(CHUNKS, reset), 502, 502),
    "cut in the body": (answer(whole_head(len(WHOLE)), WHOLE[:30]), 502, 502),
    "cut in the first event": (answer(CHUNKS, chunk(HELLO[:20])), 502, 502),
    "cut in an event": (answer(CHUNKS, chunk(HELLO), chunk(HELLO[:20])), 502, 0),
    "reset in an event": (answer(CHUNKS, chunk(HELLO), chunk(HELLO[:20]), reset), 502, 0),
}


@pytest.mark.parametrize("row", ENDINGS)
def test_an_upstream_that_ends_or_stalls(attacked, bad, row):
    bad.script, whole, stream = ENDINGS[row]
    with attacked(REQUEST_TIMEOUT=SILENCE) as attack:
        assert attack.ask().status == whole
        reply = attack.ask(stream=True)
        if stream:
            assert reply.status == stream
        elif reply.status == 200 or "reset" not in row:
            assert reply.status == 200 and reply.events[-1]["type"] == "error"
        else:
            assert reply.status == 502  # a reset may take with it what was sent before
        words = reply.body.decode()
        assert "select/poll" not in words and '"message":""' not in words


# ---- heads ----

HEADS = {
    "headers without end": answer(OK, pump(b"x-filler: " + b"a" * 100 + b"\r\n", 100 << 20)),
    "one header of 13 MB": answer(OK, b"x-filler: ", pump(b"a" * 1000, 13 << 20), b"\r\n\r\n", WHOLE),
    "20,000 interim answers": answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 20000, wait_gone()),
    "early hints for ever": answer(drip(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")),
    "a head byte by byte": answer(OK, drip(b"x")),
    "HTTP/0.9": answer(WHOLE),
    "HTTP/9.9": answer(b"HTTP/9.9 200 OK\r\n\r\n" + WHOLE),
    "nothing but NULs": answer(bytes(100_000)),
    "random bytes": answer(bytes(range(256)) * 100),
    "another protocol": answer(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "a length that is too long": answer(whole_head(len(WHOLE) + 1) + WHOLE),
    "a negative length": answer(whole_head(-5) + WHOLE),
    "a length beyond 64 bits": answer(whole_head(1 << 70) + WHOLE[:-1]),
    "a huge length": answer(whole_head((1 << 62)) + WHOLE, wait_gone()),
    "two lengths": answer(OK + JSON + b"content-length: 5\r\ncontent-length: 70\r\n\r\n" + WHOLE),
    "chunks that are none": answer(CHUNKS, b"zzz\r\n" + HELLO),
    "a chunk of 2^64 bytes": answer(CHUNKS, b"ffffffffffffffff\r\n" + HELLO, wait_gone()),
    "a chunk of more than 2^64 bytes": answer(CHUNKS, b"fffffffffffffffffff\r\n" + HELLO),
    "gzip that is none": answer(OK + JSON + b"content-encoding: gzip\r\n\r\n" + WHOLE),
    "gzip that is cut": answer(OK + JSON + b"content-encoding: gzip\r\n\r\n" + gzip.compress(WHOLE)[:-12]),
    "an unknown encoding": answer(OK + JSON + b"content-encoding: rot13\r\n\r\n" + WHOLE),
    "100 encodings": answer(OK + JSON + b"content-encoding: " + b"gzip, " * 99 + b"gzip\r\n\r\n" + WHOLE),
}


@pytest.mark.parametrize("row", HEADS)
def test_a_head_that_is_none(attacked, bad, row):
    """It is an error, never half an answer, and never takes longer than the timeout."""
    bad.script = HEADS[row]
    with attacked(REQUEST_TIMEOUT=SILENCE) as attack:
        for stream in (False, True):
            assert attack.ask(stream).status in (502, 504)


def test_a_length_that_is_too_short_ends_the_answer_there(attacked, bad):
    bad.script = answer(whole_head(len(WHOLE)) + WHOLE + b"HTTP/1.1 500 No\r\n\r\n" + b"x" * 1000)
    with attacked() as attack:
        for _ in range(3):
            assert attack.ask().text == "hello"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(attacked, bad, code):
    other = ByteUpstream(whole_head(len(WHOLE)) + WHOLE)
    try:
        bad.script = answer(b"HTTP/1.1 %d Elsewhere\r\nlocation: %s/v1/chat/completions\r\ncontent-length: 0\r\n\r\n" % (
            code, other.url.encode()))
        with attacked() as attack:
            for stream in (False, True):
                assert attack.ask(stream).status == 502
            assert other.connections == 0
    finally:
        other.stop()


def test_nothing_is_kept_of_an_answers_headers_nor_passed_on(attacked, bad):
    bad.script = answer(OK + JSON + b"set-cookie: id=1; Path=/\r\nstrict-transport-security: max-age=99999\r\n"
                        b"alt-svc: h2=\":1\"; ma=99999\r\nx-secret: 1\r\ncontent-length: %d\r\n\r\n" % len(WHOLE) + WHOLE)
    with attacked() as attack:
        for _ in range(3):
            reply = attack.ask()
            assert reply.text == "hello" and not {"set-cookie", "strict-transport-security", "alt-svc", "x-secret"} & set(reply.headers)
        assert len(bad.requests) == 3 and b"cookie" not in b"".join(bad.requests).lower()


# ---- TLS ----

def make_certificate(folder, name, *within):
    """Of an authority of its own, for this address; its two files."""
    subprocess.run([*within, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=stand-in", "-addext", f"subjectAltName=IP:{name}", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("fault, name, trusted, within", [
    ("of another address", "127.0.0.9", True, ()), ("that has expired", "127.0.0.1", True, ("faketime", "2020-01-01")),
    ("of nobody we know", "127.0.0.1", False, ())], ids=lambda value: value if isinstance(value, str) and " " in value else "")
def test_a_certificate(site, ledger, tmp_path, fault, name, trusted, within):
    certificate, key = make_certificate(tmp_path, name, *within)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    upstream = ByteUpstream(whole_head(len(WHOLE)) + WHOLE, context)
    try:
        with hostile.attacked(site, ledger, upstream.url, SSL_CERT_FILE=certificate if trusted else None) as attack:
            for stream in (False, True):
                reply = attack.ask(stream)
                assert reply.status == 502 and "certificate" in reply.error["message"].lower(), reply.body
        assert upstream.requests == []
    finally:
        upstream.stop()


# ---- floods ----

BRACES = b"[" + b"{}," * 2_600_000 + b"{}]"       # 8 MB
LONG = b"a" * 1000
CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}


def in_chunks(*parts):
    """A stream of these parts, each a chunk, or a function that writes chunks; and its end."""
    return answer(CHUNKS, *[part if callable(part) else chunk(part) for part in parts], b"0\r\n\r\n")


def pump_chunks(data, most):
    """The same in chunks of some 64 KiB."""
    return pump(chunk(data * max(1, 65536 // len(data))), most)


def calls(count):
    return b"".join(event(delta(tool_calls=[{**CALL, "index": i, "id": f"c{i}"}])) for i in range(count))


def piece(index, arguments):
    return event(delta(tool_calls=[{"index": index, "function": {"arguments": arguments}}]))


# What a client gets: a failure (502), or the answer all the same (200).
FLOODS = {
    "an answer of 1 GB": (answer(OK + JSON + b"\r\n", b'{"choices":"', pump(LONG, 1 << 30)), 502),
    "a line without end": (answer(STREAM, b"data: ", pump(LONG, 1 << 30)), 502),
    "an event without end": (answer(STREAM, pump(b"data: " + LONG + b"\n", 1 << 30)), 502),
    "an error of 1 GB": (answer(b"HTTP/1.1 500 No\r\n" + JSON + b"\r\n", pump(LONG, 1 << 30)), 500),
    "spaces, not declared as a stream": (answer(OK + JSON + b"\r\n", pump(b" " * 1000, 12 << 20)), 502),
    "carriage returns, not declared as a stream": (answer(OK + JSON + b"\r\n", b"\r" * (3 << 20) + b":"), 502),
    "a million empty events": (in_chunks(HELLO, pump_chunks(b"data:\n\n", 7_000_000), DONE), 200),
    "500,000 events without anything in them": (in_chunks(HELLO, pump_chunks(b"data: {}\n\n", 5_000_000), DONE), 200),
    "32 MB of line feeds": (in_chunks(HELLO, pump_chunks(b"\n", 32 << 20), DONE), 200),
    "an event of 8 MB that is 2,600,000 objects": (in_chunks(b'data: {"choices":' + BRACES + b"}\n\n"), 502),
    "an answer of 8 MB that is 2,600,000 objects": (answer(whole_head(len(BRACES)) + BRACES), 502),
    "100,000 levels of JSON": (answer(whole_head(200_000) + b"[" * 100_000 + b"]" * 100_000), 502),
    "an event of 100,000 levels": (in_chunks(event(b"[" * 100_000 + b"]" * 100_000)), 502),
    "10,000 tool calls": (in_chunks(calls(10_000), DONE), 502),
    "trailers without end": (answer(CHUNKS, chunk(HELLO), b"0\r\n", pump(b"x-trailer: " + LONG + b"\r\n", 400 << 20)), 502),
}


@pytest.mark.parametrize("row", FLOODS)
def test_a_flood(attacked, bad, row):
    bad.script, expected = FLOODS[row]
    with attacked(REQUEST_TIMEOUT=10_000) as attack:
        reply = attack.ask(stream=True)
        failed = reply.status >= 400 or reply.events[-1]["type"] == "error"
        assert failed == (expected != 200) and reply.status in (200, expected), reply.body[-300:]
        if b"text/event-stream" not in reply.headers["content-type"].encode():
            assert attack.ask().status == expected


def test_arguments_of_100_mb_are_passed_on_as_they_come(attacked, bad):
    part = "a" * 8000
    bad.script = in_chunks(event(delta(tool_calls=[CALL])), piece(0, '{"a":"'), pump_chunks(piece(0, part), 100 << 20), piece(0, '"}'), DONE)
    with attacked(memory=hostile.MEMORY if hostile.SANITIZED else 128) as attack, attack.open() as connection:
        length = sum(len(data) for data in connection.chunks())
        assert length > 100 << 20


@pytest.mark.parametrize("row", ["interleaved", "before the name"])
def test_arguments_that_must_be_kept_have_a_bound(attacked, bad, row):
    part = "a" * 8000
    first = [event(delta(tool_calls=[CALL])), event(delta(tool_calls=[{**CALL, "index": 1, "id": "d"}]))] if row == "interleaved" else []
    bad.script = in_chunks(*first, pump_chunks(piece(0 if not first else 1, part), 64 << 20), DONE)
    with attacked() as attack:
        reply = attack.ask(stream=True)
        assert reply.status == 502 or reply.events[-1]["type"] == "error"


# ---- what is small until it is decoded ----

def gzip_of(unit, repeat):
    """gzip of the unit, repeated: made of one block, so that it takes no time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(unit) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(repeat):
        checksum = zlib.crc32(unit, checksum)
    size = len(unit) * repeat & 0xffffffff
    return (b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block * repeat + b"\x03\0" + checksum.to_bytes(4, "little") + size.to_bytes(4, "little"))


def brotli_of(unit, size):
    """Of the unit again and again, so many bytes; node has the library."""
    script = """
        const zlib = require('zlib'), c = zlib.constants, [unit, size] = process.argv.slice(1)
        const block = Buffer.alloc(16 << 20, Buffer.from(unit, 'base64'))
        const packer = zlib.createBrotliCompress({params: {[c.BROTLI_PARAM_QUALITY]: 5, [c.BROTLI_PARAM_LGWIN]: 24}})
        require('stream').Readable.from(Array(size / block.length | 0).fill(block)).pipe(packer).pipe(process.stdout)"""
    return subprocess.run(["node", "-e", script, base64.b64encode(unit), str(size)], capture_output=True, check=True).stdout


def zstd_of(byte, size):
    """One byte again and again: a frame of blocks that are run lengths."""
    block = ((131072 << 3) | 2).to_bytes(3, "little") + byte
    return b"\x28\xb5\x2f\xfd\x00\x58" + block * (size // 131072) + b"\x01\x00\x00"


MB = 1 << 20
EMPTY = b":\n\n"
DENSE = event(delta(content="a" * 1000))

# status line, content type, encoding, how the body is made
BOMBS = {
    "gzip of spaces": (OK, JSON, b"gzip", lambda: gzip_of(b" " * MB, 512)),
    "gzip of empty events": (OK, EVENTS, b"gzip", lambda: gzip_of(EMPTY * (MB // 3), 512)),
    "gzip of text in an error": (b"HTTP/1.1 400 No\r\n", JSON, b"gzip", lambda: gzip_of(b"a" * MB, 512)),
    "brotli of spaces": (OK, JSON, b"br", lambda: brotli_of(b" ", 512 * MB)),
    "brotli of spaces in an error": (b"HTTP/1.1 400 No\r\n", JSON, b"br", lambda: brotli_of(b" ", 512 * MB)),
    "brotli of empty events": (OK, EVENTS, b"br", lambda: brotli_of(EMPTY, 768 * MB)),
    "zstd of line feeds": (OK, EVENTS, b"zstd", lambda: zstd_of(b"\n", 512 * MB)),
    "zstd of letters": (OK, JSON, b"zstd", lambda: zstd_of(b"a", 512 * MB)),
}


def bomb_of(row):
    status, kind, encoding, make = BOMBS[row]
    packed = make()
    return answer(status + kind + b"content-encoding: %s\r\ncontent-length: %d\r\n\r\n" % (encoding, len(packed)) + packed)


@pytest.mark.parametrize("row", BOMBS)
def test_a_bomb(attacked, bad, row):
    bad.script = bomb_of(row)
    with attacked() as attack:
        for stream in (False, True):
            reply = attack.ask(stream)
            assert reply.status >= 400 or reply.events[-1]["type"] == "error"


def test_a_bomb_for_clients_that_do_not_read(attacked, bad):
    """What cannot be passed on is not decoded either, and the failure that ends it finds them still there."""
    packed = brotli_of(DENSE, 300 * MB)
    ended = []
    bad.script = answer(OK + EVENTS + b"content-encoding: br\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed,
                        lambda played: ended.append(played.wait_gone(3)))
    with attacked() as attack:
        clients = [attack.open() for _ in range(3)]
        # Either the responder has given up by now, or it waits.
        wait_for(lambda: len(ended) == 3 or not attack.alive(), "what the upstream sees")
        assert attack.alive()
        for client in clients:
            with client:
                end = end_of(client)
                assert b"event: message_stop" in end or b'"type":"error"' in end


# ---- HTTP/2 ----

@pytest.mark.parametrize("how", ["reset", "goaway", "destroy", "end"])
def test_an_http_2_stream_that_ends_while_its_client_does_not_read(site, ledger, certificate, how):
    process = subprocess.Popen(["node", Path(__file__).with_name("http2_upstream.mjs"), how, *certificate], stdout=subprocess.PIPE, text=True)
    try:
        url = f"https://127.0.0.1:{int(process.stdout.readline())}"
        with hostile.attacked(site, ledger, url, SSL_CERT_FILE=certificate[0], REQUEST_TIMEOUT=5000) as attack:
            clients = [attack.open() for _ in range(3)]
            for _ in clients:
                assert process.stdout.readline() == f"{how}\n"
            # Nobody has read yet, and all is well with the others.
            assert attack.get("/health").status == 200
            for client in clients:
                with client:
                    end = end_of(client)
                    last = "message_stop" if b"event: message_stop" in end else "error" if b'"type":"error"' in end else end
                    # Node may end a stream before it resets it.
                    ends = {"end": ("message_stop",), "goaway": ("message_stop",), "reset": ("error", "message_stop")}
                    assert last in ends.get(how, ("error",))
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


# ---- what it says ----

def test_counts_that_are_absurd(attacked, bad):
    counts = [9223372036854775807, 18446744073709551615, 10 ** 30, 1e30, -1, 10 ** 12 + 1]
    with attacked() as attack:
        for count in counts:
            body = message(usage={"prompt_tokens": count, "completion_tokens": count, "total_tokens": count})
            bad.script = answer(whole_head(len(body)) + body)
            assert attack.ask().text == "hello"
        shown = attack.site.admin("usage", "--json")
        assert json.loads(shown.stdout)["total"]["outputTokens"] < 10 ** 6, shown.stdout
    total = json.loads(attack.site.admin("usage", "--json", "--by", "model").stdout)
    assert next(row for row in total["rows"] if row["name"] == hostile.MODEL)["requests"] == len(counts)
    assert "cannot store" not in attack.site.log_text()


def test_comments_are_signs_of_life_and_clients_get_pings(attacked, bad):
    bad.script = answer(CHUNKS, drip(chunk(b": alive\n\n"), 2), chunk(HELLO), chunk(DONE), b"0\r\n\r\n")
    with attacked(REQUEST_TIMEOUT=SILENCE, PING_INTERVAL=200) as attack:
        reply = attack.ask(stream=True)
        assert reply.events[-1]["type"] == "message_stop" and [e["type"] for e in reply.events].count("ping") > 3


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_control_characters_of_an_error_reach_no_terminal(attacked, bad, log_format):
    body = json.dumps({"error": {"message": f"no {hostile.ESCAPES} way"}}, ensure_ascii=False).encode()
    bad.script = answer(b"HTTP/1.1 500 No\r\n" + JSON + b"content-length: %d\r\n\r\n" % len(body) + body)
    with attacked(LOG_FORMAT=log_format, ENABLE_RESPONSE_LOGS="true") as attack:
        assert attack.ask().status >= 500
        wait_for(lambda: "way" in attack.site.log_text(), "the log to be written")
        log = attack.site.log_text()
        for shown in (attack.site.admin("show").stdout, log):
            assert not hostile.controls(shown), hostile.controls(shown)


@pytest.mark.parametrize("code", [100, 101, 199, 204, 205, 304, 600, 999, 0])
def test_a_status_that_is_no_answer_is_not_passed_on(site, ledger, bad, code):
    body = b'{"type":"error","error":{"type":"api_error","message":"x"}}'
    bad.script = answer(b"HTTP/1.1 %03d Odd\r\n" % code + JSON + b"content-length: %d\r\n\r\n" % len(body) + body)
    with hostile.attacked(site, ledger, bad.url, "claude", REQUEST_TIMEOUT=SILENCE) as attack:
        for stream in (False, True):
            reply = attack.ask(stream)
            assert reply.status in (502, 504)


HEADERS = {
    "90 KB of headers": b"".join(b"anthropic-x-%d: %s\r\n" % (i, b"v" * 900) for i in range(100)),
    "one of 60 KB": b"anthropic-x: " + b"v" * 60_000 + b"\r\n",
    "a carriage return": b"anthropic-x: a\rSet-Cookie: b=1\r\n",
    "a folded line": b"anthropic-x: a\r\n Set-Cookie: b=1\r\n",
    "control characters": b"anthropic-x: a\x01\x7f\x85\xffb\r\n",
    "a line break in UTF-8": "anthropic-x: a\u560d\u560aSet-Cookie: b=1\r\n".encode(),
}


@pytest.mark.parametrize("row", HEADERS)
def test_headers_that_are_passed_on(site, ledger, bad, row):
    """Through a web server: it gets an answer that it understands, and no header that it was not to get."""
    body = json.dumps({"type": "message", "id": "m", "role": "assistant", "model": "m", "content": [], "stop_reason": "end_turn",
                       "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}).encode()
    bad.script = answer(OK + JSON + HEADERS[row] + b"content-length: %d\r\n\r\n" % len(body) + body)
    with site.nginx():
        hostile.use(site, bad.url, "claude", [KEY])
        got = site.post(request())
        ledger.note(inputs=1)
        assert got.json["type"] == ("message" if got.status == 200 else "error"), got.body
        assert "set-cookie" not in got.headers and sum(map(len, got.headers.values())) < 70_000


def test_a_key_in_the_url_is_told_to_nobody(site, ledger):
    secret = "SECRETKEY0123456789"
    with hostile.attacked(site, ledger, f"http://127.0.0.1:1/v1?key={secret}", NODE_ENV="development", ENABLE_REQUEST_LOGS="true",
                          ENABLE_RESPONSE_LOGS="true") as attack:
        told = [attack.ask(stream).body.decode() for stream in (False, True)]
        told.append(attack.get("/admin/dev/info").body.decode())
        told += [site.admin(*words, check=False).stdout for words in (
            ["show"], ["show", "--json"], ["doctor"], ["test", "hostile"], ["export"])]
        told.append(site.log_text())
    for text in told:
        assert secret not in text, text[:2000]

"""A web server's half of FastCGI, without a web server: requests as bytes on the responder's Unix socket."""
import http.client
import io
import json
import socket
import struct

from site_under_test import ACCESS_KEY, request

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
MOST = 65535  # bytes in a record


def record(kind, content=b""):
    return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def records(kind, content):
    """The content in as many records as it needs, and the empty one that ends it."""
    return b"".join(record(kind, content[at:at + MOST]) for at in range(0, len(content), MOST)) + record(kind)


def pair(name, value):
    def length(text):
        return bytes([len(text)]) if len(text) < 128 else struct.pack("!I", len(text) | 1 << 31)

    return length(name) + length(value) + name + value


def begin():
    """A responder's request; the connection ends with it."""
    return record(BEGIN, struct.pack("!HB5x", 1, 0))


def head(method="POST", path="/v1/messages", length=None, key=ACCESS_KEY, **parameters):
    """The begin and the parameters; those of headers by name, as HTTP_ANTHROPIC_BETA=b"x"."""
    values = {"REQUEST_METHOD": method, "SCRIPT_NAME": path, "REMOTE_ADDR": "127.0.0.1", "CONTENT_TYPE": "application/json"}
    if length is not None:
        values["CONTENT_LENGTH"] = str(length)
    if key:
        values["HTTP_X_API_KEY"] = key
    values.update(parameters)
    pairs = [pair(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in values.items()]
    return begin() + records(PARAMS, b"".join(pairs))


def message(body, **parameters):
    """All bytes of a request with this body, a dict or bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(length=len(data), **parameters) + records(STDIN, data)


class Connection:
    """One connection to the responder's socket, for one request."""

    def __init__(self, site, sent=b"", timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        # A socket that does not block would not wait for room in the queue.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", timeout, 0))
        self.socket.connect(str(site.folder / "fcgi.sock"))
        self.socket.settimeout(timeout)
        self.input = self.socket.makefile("rb")
        self.socket.sendall(sent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.input.close()
        self.socket.close()

    def chunks(self):
        """What the responder writes, as it comes, until it says that this is all."""
        while True:
            header = self.input.read(8)
            if len(header) < 8:
                raise ConnectionError("the connection ended in the middle of an answer")
            kind, length, padding = header[1], *struct.unpack("!HB", header[4:7])
            content = self.input.read(length + padding)[:length]
            if kind == END:
                return
            if kind == STDOUT and content:
                yield content

    def answer(self):
        """The whole answer: status, headers by lower-case name, body."""
        return parse(b"".join(self.chunks()))


def parse(output):
    top, _, body = output.partition(b"\r\n\r\n")
    headers = {name.lower(): value for name, value in http.client.parse_headers(io.BytesIO(top + b"\r\n\r\n")).items()}
    return int(headers["status"].split()[0]), headers, body


def ask(site, body=None, timeout=60, **parameters):
    """One whole request; its answer."""
    with Connection(site, message(body if body is not None else request(), **parameters), timeout) as connection:
        return connection.answer()

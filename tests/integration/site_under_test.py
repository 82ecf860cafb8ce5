"""A site: a database, the admin command, and a real web server with the real responder, on loopback."""
import contextlib
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CLAUDE_PROXY_BUILD", ROOT / "build")).resolve()
ACCESS_KEY = "test-access-key-0123456789"

LIGHTTPD = """
server.modules = ("mod_fastcgi")
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/lighttpd.log"
server.upload-dirs = ("{folder}")
server.max-request-size = 131072
server.max-fds = 4096
server.max-connections = 2000
server.stream-response-body = {stream}
fastcgi.server = ("/" => ((
    "socket" => "{folder}/fcgi.sock",
    "bin-path" => "{program}",
    "max-procs" => {processes},
    "check-local" => "disable",
    "tcp-fin-propagate" => "enable",
    "kill-signal" => 15)))
"""

LIGHTTPD_CGI = """
server.modules = ("mod_cgi", "mod_alias", "mod_setenv")
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/lighttpd.log"
server.upload-dirs = ("{folder}")
server.stream-response-body = {stream}
setenv.set-environment = ({environment})
alias.url = ("/cgi-bin/" => "{program_folder}/")
$HTTP["url"] =~ "^/cgi-bin/" {{ cgi.assign = (".fcgi" => "") }}
"""

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/fastcgi; proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            include {nginx_etc}/fastcgi_params;
            fastcgi_pass unix:{folder}/fcgi.sock;
            fastcgi_read_timeout 600s;
        }}
    }}
}}
"""


# Tests run side by side: each worker has ports of its own, below those that the system gives to clients.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
PORTS = itertools.cycle(range(20000 + 1500 * WORKER, 20000 + 1500 * (WORKER + 1)))
for _ in range(random.randrange(1500)):
    next(PORTS)


def free_port():
    for port in PORTS:
        with contextlib.suppress(OSError), socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            return port


def program(name):
    """A server's path: those of Debian are not in everybody's PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def wait_for(condition, what, seconds=20):
    """Wait until the condition holds; its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s for {what}")


class Answer:
    """A response: status, headers by lower-case name, and the body."""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The error of an answer in the shape of Claude."""
        body = self.json
        assert body["type"] == "error", body
        assert body["request_id"] == self.headers["request-id"]
        return body["error"]

    @property
    def text(self):
        return "".join(block["text"] for block in self.json["content"] if block["type"] == "text")


def parse_events(stream_text):
    """The events of a Claude stream; each must have both lines, and they must agree."""
    events = []
    for block in stream_text.split("\n\n")[:-1]:
        first, second = block.split("\n")
        assert first.startswith("event: ") and second.startswith("data: "), block
        value = json.loads(second[len("data: "):])
        assert value["type"] == first[len("event: "):]
        events.append(value)
    return events


def check_grammar(events):
    """PROTOCOL §D.1: blocks one after the other, each closed, message_delta and message_stop at the end."""
    names = [event["type"] for event in events if event["type"] != "ping"]
    assert names[0] == "message_start" and names[-2:] == ["message_delta", "message_stop"], names
    index, inside = -1, False
    for event in events:
        if event["type"] == "content_block_start":
            assert not inside and event["index"] == index + 1
            index, inside = index + 1, True
        elif event["type"] == "content_block_delta":
            assert inside and event["index"] == index
        elif event["type"] == "content_block_stop":
            assert inside and event["index"] == index
            inside = False
    assert not inside


def collect(events):
    """The message that a stream amounts to."""
    check_grammar(events)
    message, inputs = None, {}
    for event in events:
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            message["content"].append(event["content_block"])
        elif event["type"] == "content_block_delta":
            block, delta = message["content"][event["index"]], event["delta"]
            if delta["type"] == "input_json_delta":
                inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
            else:
                name = delta["type"][:-len("_delta")]
                block[name] += delta[name]
        elif event["type"] == "content_block_stop" and event["index"] in inputs:
            message["content"][event["index"]]["input"] = json.loads(inputs[event["index"]])
        elif event["type"] == "message_delta":
            message.update(event["delta"])
            message["usage"].update(event["usage"])
    return message


class Site:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.database = self.folder / "state" / "proxy.db"
        self.log = self.folder / "proxy.log"
        self.port = None
        self.prefix = ""
        self.settings = {"PROXY_ACCESS_KEY": ACCESS_KEY, "LOG_FILE": str(self.log), "LOG_LEVEL": "debug"}

    # ---- configuration ----

    def environment(self, **settings):
        """A clean environment with the site's settings; None leaves one out."""
        env = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "CLAUDE_PROXY_DB": str(self.database)}
        env.update({name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")})
        merged = {**self.settings, **settings}
        env.update({name: str(value) for name, value in merged.items() if value is not None})
        return env

    def admin(self, *arguments, input=None, check=True):
        done = subprocess.run([BUILD / "claude-proxy-admin", *arguments], env=self.environment(LOG_FILE=None), input=input,
                              capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done

    def use(self, upstream, *keys, name="main", service_type="openai"):
        """Configure the stand-in as current upstream."""
        self.admin("add", name, upstream.url, service_type)
        self.admin("key", name, "add", *(keys or ["sk-test-0123456789abcdef"]))

    # ---- servers ----

    def write(self, name, template, **values):
        path = self.folder / name
        path.write_text(template.format(folder=self.folder, port=self.port, program=BUILD / "claude-proxy.fcgi",
                                        program_folder=BUILD, **values))
        return path

    @contextlib.contextmanager
    def running(self, command, env, wait_path="/health", **options):
        process = subprocess.Popen(command, env=env, stdin=options.pop("stdin", subprocess.DEVNULL), start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=open(self.folder / "server.err", "ab"), **options)
        try:
            if wait_path:
                wait_for(lambda: process.poll() is not None or self.is_up(wait_path), f"{command[0]} to answer")
                assert process.poll() is None, (self.folder / "server.err").read_text()
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def is_up(self, path):
        try:
            return self.request("GET", path).status in (200, 503, 404)
        except OSError:
            return False

    def responders(self, server):
        """The ids of the responder processes that the web server started."""
        done = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(server.pid)], capture_output=True, text=True)
        return [int(line.split()[0]) for line in done.stdout.splitlines() if "claude-proxy" in line]

    @contextlib.contextmanager
    def lighttpd(self, processes=1, stream=2, **settings):
        self.port = free_port()
        config = self.write("lighttpd.conf", LIGHTTPD, processes=processes, stream=stream)
        with self.running([program("lighttpd"), "-D", "-f", str(config)], self.environment(**settings)) as server:
            self.responder = (self.responders(server) or [None])[0]
            yield server

    @contextlib.contextmanager
    def cgi(self, stream=2, **settings):
        self.port = free_port()
        self.prefix = "/cgi-bin/claude-proxy.fcgi"
        # mod_cgi hands on no environment of its own.
        passed = ", ".join(f'"{name}" => "{value}"' for name, value in self.environment(**settings).items())
        config = self.write("cgi.conf", LIGHTTPD_CGI, stream=stream, environment=passed)
        with self.running([program("lighttpd"), "-D", "-f", str(config)], self.environment(**settings)) as server:
            yield server

    def listener(self):
        """The socket that a web server passes requests to."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.folder / "fcgi.sock"))
        listener.listen(1024)
        return listener

    @contextlib.contextmanager
    def fastcgi(self, **settings):
        """The responder alone, on a listening Unix socket."""
        with self.listener() as listener, self.running([BUILD / "claude-proxy.fcgi"], self.environment(**settings),
                                                       wait_path=None, stdin=listener) as responder:
            listener.close()
            yield responder

    @contextlib.contextmanager
    def nginx(self, **settings):
        self.port = free_port()
        config = self.write("nginx.conf", NGINX, nginx_etc="/etc/nginx")
        with self.fastcgi(**settings) as responder:
            command = [program("nginx"), "-c", str(config), "-p", str(self.folder), "-e", str(self.folder / "nginx.log")]
            with self.running(command, os.environ):
                yield responder

    # ---- requests ----

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=60):
        connection = self.connect(timeout)
        try:
            connection.request(method, self.prefix + path, body, headers or {})
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def post(self, body, path="/v1/messages", key=ACCESS_KEY, headers=None):
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        send = {"content-type": "application/json", **({"x-api-key": key} if key else {}), **(headers or {})}
        return self.request("POST", path, data, send)

    def ask(self, content="hello", **members):
        """Send one message and get the Claude message."""
        answer = self.post(request(content, **members))
        assert answer.status == 200, answer.body
        return answer.json

    def stream(self, content="hello", **members):
        """Ask for a stream; its events."""
        answer = self.post(request(content, stream=True, **members))
        assert answer.status == 200, answer.body
        assert answer.headers["content-type"].startswith("text/event-stream")
        return parse_events(answer.body.decode())

    @contextlib.contextmanager
    def open_stream(self, content="hello", timeout=60, **members):
        """Ask for a stream and read it line by line while it comes."""
        connection = self.connect(timeout)
        connection.request("POST", self.prefix + "/v1/messages", json.dumps(request(content, stream=True, **members)),
                           {"content-type": "application/json", "x-api-key": ACCESS_KEY})
        try:
            yield connection.getresponse()
        finally:
            connection.close()

    def log_text(self):
        return self.log.read_text() if self.log.exists() else ""


def request(content="hello", **members):
    """The body of a Claude request; `content` may be a whole list of messages."""
    whole = isinstance(content, list) and content and "role" in content[0]
    messages = content if whole else [{"role": "user", "content": content}]
    return {"model": "claude-test", "max_tokens": 100, "messages": messages, **members}


def next_event(response):
    """The next event of an open stream, pings left out; None at its end."""
    while True:
        line = response.readline()
        if not line:
            return None
        if line.startswith(b"data: "):
            value = json.loads(line[len(b"data: "):])
            if value["type"] != "ping":
                return value

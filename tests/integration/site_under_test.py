"""A site: a database, the admin command, and a real web server with the real responder, on loopback."""
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CLAUDE_PROXY_BUILD", ROOT / "build")).resolve()
# The paths in the examples that are shipped.
INSTALLED = "/usr/local/lib/claude-proxy"
INSTALLED_DATABASE = "/var/lib/claude-proxy/claude-proxy.db"
INSTALLED_SOCKET = "/run/claude-proxy/claude-proxy.sock"
ACCESS_KEY = "test-access-key-0123456789"

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

# The site itself is nginx.conf.example.  One process: it starts and stops faster.
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
    include {site};
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


def replace(text, *replacements):
    """The text with each first replaced by its second: all must be there."""
    for old, new in replacements:
        assert old in text, f"nothing to replace: {old}"
        text = text.replace(old, str(new))
    return text


def program(name):
    """A server's path: those of Debian are not in everybody's PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def stop(process):
    """End a process that was started here: as its owner would, or else by force."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(condition, what, seconds=20):
    """Wait until the condition holds; its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s for {what}")


def runs(process):
    """Does it run?  One that has ended, and whose parent has not looked, does not."""
    try:
        return not re.search(r"^State:\s+Z", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    except OSError:
        return False


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
            elif delta["type"] == "citations_delta":
                block.setdefault("citations", []).append(delta["citation"])
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
        self.programs = BUILD
        self.run_as = {}  # user and group, where they are not our own
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
        done = subprocess.run([self.programs / "claude-proxy-admin", *arguments], env=self.environment(LOG_FILE=None),
                              input=input, capture_output=True, text=True, timeout=60, **self.run_as)
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
                                   stdout=subprocess.DEVNULL, stderr=options.pop("stderr", None) or open(self.folder / "server.err", "ab"),
                                   **options)
        try:
            if wait_path:
                wait_for(lambda: process.poll() is not None or self.is_up(wait_path), f"{command[0]} to answer")
                assert process.poll() is None, (self.folder / "server.err").read_text()
            yield process
        finally:
            stop(process)

    def is_up(self, path):
        try:
            return self.request("GET", path).status in (200, 503, 404)
        except OSError:
            return False

    def lighttpd_example(self, *replacements):
        """lighttpd.conf.example with this site's paths and port, on loopback."""
        return replace((ROOT / "lighttpd.conf.example").read_text(), *replacements,
                       ("/var/www/html", self.folder), ("/var/cache/lighttpd/uploads", self.folder),
                       ("/var/log/lighttpd/error.log", self.folder / "lighttpd.log"),
                       ("/run/lighttpd.pid", self.folder / "lighttpd.pid"),
                       ("server.port = 80", f'server.port = {self.port}\nserver.bind = "127.0.0.1"'),
                       ("/run/lighttpd/claude-proxy.sock", self.folder / "fcgi.sock"),
                       (f"{INSTALLED}/claude-proxy.fcgi", self.programs / "claude-proxy.fcgi"),
                       (INSTALLED_DATABASE, self.database))

    def nginx_config(self):
        """A whole configuration around the example; its path."""
        site = self.folder / "nginx-site.conf"
        site.write_text(self.nginx_example())
        return self.write("nginx.conf", NGINX, site=site)

    def nginx_example(self):
        """nginx.conf.example with this site's socket and port, on loopback."""
        return replace((ROOT / "fcgi" / "deploy" / "nginx.conf.example").read_text(),
                       ("listen 80;", f"listen 127.0.0.1:{self.port};"),
                       ("include fastcgi_params", "include /etc/nginx/fastcgi_params"),
                       (f"unix:{INSTALLED_SOCKET}", f"unix:{self.folder}/fcgi.sock"))

    def responders(self, server):
        """The ids of the responder processes that the web server started."""
        done = subprocess.run(["ps", "-A", "-o", "ppid=,pid=,comm="], capture_output=True, text=True)
        rows = [line.split(None, 2) for line in done.stdout.splitlines()]
        return [int(row[1]) for row in rows if int(row[0]) == server.pid and "claude-proxy" in row[-1]]

    @contextlib.contextmanager
    def lighttpd(self, processes=1, stream=2, **settings):
        self.port = free_port()
        config = self.folder / "lighttpd.conf"
        config.write_text(self.lighttpd_example(
            ('"max-procs" => 1,', f'"max-procs" => {processes},'),
            ("server.stream-response-body = 2", f"server.stream-response-body = {stream}"),
            # Whoever runs the tests is the user.
            ('server.username = "www-data"\nserver.groupname = "www-data"\n', "")))
        with self.running([program("lighttpd"), "-D", "-f", str(config)], self.environment(**settings)) as server:
            # One of them may answer while the others still have lighttpd's name.
            wait_for(lambda: len(self.responders(server)) == processes, "every responder to start")
            responders = self.responders(server)
            self.responder = responders[0]
            yield server
        # lighttpd does not wait for them, and they have still something to log.
        wait_for(lambda: not any(runs(responder) for responder in responders), "every responder to end", 40)

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
    def fastcgi(self, stderr=None, **settings):
        """The responder alone, on a listening Unix socket."""
        with self.listener() as listener, self.running([self.programs / "claude-proxy.fcgi"], self.environment(**settings),
                                                       wait_path=None, stdin=listener, stderr=stderr) as responder:
            listener.close()
            yield responder

    @contextlib.contextmanager
    def nginx(self, **settings):
        self.port = free_port()
        config = self.nginx_config()
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

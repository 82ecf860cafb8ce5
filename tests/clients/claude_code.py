"""Claude Code, run headless with nothing but a fresh home folder, a made-up key and the proxy's address."""
import contextlib
import json
import os
import queue
import socket
import subprocess
import tempfile
import threading

from site_under_test import ACCESS_KEY

PATIENCE = 120  # seconds that a run may take on a busy machine
QUIET = {
    "DISABLE_TELEMETRY": "1", "DISABLE_AUTOUPDATER": "1", "DISABLE_ERROR_REPORTING": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}


KNOWN = "[claude-code:unrecognized_model]"  # said on standard error of a model that is not Claude's


class Elsewhere:
    """Takes every connection that does not go to loopback, as its HTTP proxy, and only writes down where to."""

    def __init__(self):
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.refuse, daemon=True).start()

    def refuse(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    self.asked.append(connection.recv(1000).split(b"\r\n")[0])
                except OSError:
                    self.asked.append(b"a connection")

    def stop(self):
        self.listener.close()


class Run:
    """What came of a run: its exit status, the events that it printed, and its own log."""

    def __init__(self, status, output, errors, log):
        self.status = status
        self.events = [json.loads(line) for line in output.splitlines()]
        self.errors = "".join(line for line in errors.splitlines(True) if not line.startswith(KNOWN))
        self.log = log
        results = [event for event in self.events if event["type"] == "result"]
        self.result = results[-1] if results else {}

    @property
    def text(self):
        return self.result.get("result", "")

    def tool_results(self):
        return [block for event in self.events if event["type"] == "user" and isinstance(event["message"]["content"], list)
                for block in event["message"]["content"] if block["type"] == "tool_result"]

    def problems(self):
        """Everything that a user would notice, or that cost a request too many."""
        problems = [line for line in self.log.splitlines() if "[ERROR]" in line]
        problems += [event for event in self.events if event.get("subtype") == "api_retry"]
        problems += [block for block in self.tool_results() if block.get("is_error")]
        if self.status != 0 or self.errors or self.result.get("is_error", True) or self.result["subtype"] != "success":
            problems.append((self.status, self.errors, self.result))
        return problems


class Conversation:
    """Several turns in one process, which is told each when the one before has ended."""

    def __init__(self, process):
        self.process = process
        self.lines = queue.Queue()
        self.output = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def wait_for(self, kind):
        """The next event of that type."""
        while True:
            line = self.lines.get(timeout=PATIENCE)
            assert line is not None, f"Claude Code ended before its {kind}: {self.process.stderr.read()}"
            self.output.append(line)
            event = json.loads(line)
            if event["type"] == kind:
                return event

    def tell(self, **event):
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()

    def say(self, prompt):
        """One turn; what is said at its end."""
        self.tell(type="user", message={"role": "user", "content": prompt})
        return self.wait_for("result").get("result")

    def think(self, tokens):
        """How much to think from now on: 0 tokens for not at all, None for what is usual."""
        self.tell(type="control_request", request_id="thinking",
                  request={"subtype": "set_max_thinking_tokens", "max_thinking_tokens": tokens})
        assert self.wait_for("control_response")["response"]["subtype"] == "success"


class ClaudeCode:
    def __init__(self, program, site, folder):
        self.program = program
        self.site = site
        self.home = folder / "home"
        self.work = folder / "work"
        self.elsewhere = Elsewhere()
        self.sockets = tempfile.TemporaryDirectory(prefix="claude-proxy-cc.")  # those of earlier processes are not here
        self.runs = 0
        for made in (self.home, self.work):
            made.mkdir()
        (self.home / ".claude.json").write_text("{}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.site.port}{self.site.prefix}"

    def environment(self, **more):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", **QUIET,
               "XDG_RUNTIME_DIR": self.sockets.name,
               "ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": ACCESS_KEY,
               "HTTPS_PROXY": self.elsewhere.url, "HTTP_PROXY": self.elsewhere.url, "NO_PROXY": "127.0.0.1", **more}
        return {name: value for name, value in env.items() if value is not None}

    def open(self, arguments, tools, environment, stdin=subprocess.DEVNULL):
        """The running process, and its log."""
        self.runs += 1
        log = self.home / f"log-{self.runs}"
        command = [self.program, "-p", *arguments, "--output-format", "stream-json", "--verbose", "--debug-file", log,
                   "--allowedTools", tools]
        return subprocess.Popen(command, env=self.environment(**environment), cwd=self.work, stdin=stdin, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, start_new_session=True), log

    @contextlib.contextmanager
    def converse(self, *options, tools="Bash,Read,Agent", **environment):
        """A conversation; when it is over, its `run` tells of all of it."""
        process, log = self.open(["--input-format", "stream-json", *options], tools, environment, subprocess.PIPE)
        conversation = Conversation(process)
        try:
            yield conversation
            process.stdin.close()
            process.wait(PATIENCE)
            conversation.output += iter(conversation.lines.get, None)
            conversation.run = Run(process.returncode, "".join(conversation.output), process.stderr.read(), log.read_text())
        finally:
            process.kill()
            process.wait()

    def start(self, prompt, *options, tools="Bash,Read", **environment):
        """The running process, and what becomes a Run once it has ended."""
        process, log = self.open([prompt, *options], tools, environment)

        def finish():
            try:
                output, errors = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
            return Run(process.returncode, output, errors, log.read_text())

        return process, finish

    def run(self, prompt, *options, **more):
        return self.start(prompt, *options, **more)[1]()

    def stop(self):
        self.sockets.cleanup()
        self.elsewhere.stop()

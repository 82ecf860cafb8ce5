"""README's quick start and every chapter about deployment, followed to the letter on a bare machine until an answer streams.

The commands are those of the documents, typed at a terminal; the prompts are answered.  At the end of the run a line for
each chapter tells how many commands and seconds that took.
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from chapters import blocks, commands
from machine import ANSWERS_OF_SETUP, TYPED_KEY, bare_root, booted
from site_under_test import BUILD, ROOT
from terminal import plain

if "-address" in BUILD.name or "-thread" in BUILD.name or os.environ.get("CLAUDE_PROXY_SUITE"):
    pytest.skip("once is enough: the plain build's run on the host", allow_module_level=True)
if os.geteuid() != 0 or not shutil.which("apt-get"):
    pytest.skip("only root makes machines, and only on Debian", allow_module_level=True)
if not (ROOT / ".git").exists():
    pytest.skip("a newcomer has a clone", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chapters")]

README = ROOT / "README.md"
MANUAL = ROOT / "fcgi/claude-proxy.fcgi.8"
DEPLOY = ROOT / "fcgi/deploy"
HOST = re.search(r"VERSION_CODENAME=(\w+)", open("/etc/os-release").read())[1]
MACHINE = ["systemd", "sudo", "ca-certificates"]
BUILDING = ["git", "make", "gcc", "pkg-config", "libfcgi-dev", "libcurl4-openssl-dev", "libjson-c-dev", "libsqlite3-dev",
            "libuv1-dev"]
SERVING = ["lighttpd", "curl", "python3", "procps"]
FRONTS = ["nginx-light", "apache2", "libapache2-mod-fcgid", "caddy", "spawn-fcgi"]
SERVICES = "nginx lighttpd apache2 caddy"
UPSTREAM = f"""
import sys
sys.path.insert(0, {str(ROOT / 'tests/integration')!r})
from upstream import Upstream, models, parts
upstream = Upstream()
answer = parts("Hello from the model")
upstream.answer = lambda call: (models(["tiny", "large"]) if call.method == "GET" else answer)(call)
print(upstream.url, flush=True)
__import__('signal').pause()
"""
# Of the build folder: with these, make has nothing to do.
BUILT = ["fcgi", "cli", "schema.h", "shared.a", "responder.a", "admin.a", "claude-proxy.fcgi", "claude-proxy-admin"]


def files_of_the_clone():
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [name for name in listed if name and (ROOT / name).exists()]


class Newcomer:
    """Somebody at a terminal of a machine, who follows a chapter."""

    def __init__(self, machine, upstream, record):
        self.machine, self.record = machine, record
        self.count, self.began = 0, time.monotonic()
        self.answers = [(r"\[Y/n\] ", "y"), ("Number, name or URL: ", upstream), *ANSWERS_OF_SETUP]
        machine.run("useradd -m -s /bin/bash newcomer; echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/newcomer")
        # Who types a request just after a web server was started comes later than a script does.
        machine.run("printf 'retry = 9\\nretry-connrefused\\n' | tee ~/.curlrc >/home/newcomer/.curlrc")
        self.clone(files_of_the_clone(), ROOT, "claude-proxy")

    def clone(self, names, source, target):
        pack = subprocess.Popen(["tar", "-C", source, "-cf", "-", *names], stdout=subprocess.PIPE)
        subprocess.run(self.machine.enter("sh", "-c", f"mkdir -p /home/newcomer/{target}; tar -C /home/newcomer/{target} -xf -; "
                                          "chown -R newcomer: /home/newcomer"), stdin=pack.stdout, check=True)
        assert pack.wait() == 0

    def follow(self, block, user="newcomer", folder=None):
        """Type the commands of a block; what the screen shows."""
        self.count += len(commands(block))
        with self.machine.terminal(block, user, folder or ("~" if user == "root" else "~/claude-proxy")) as t:
            screen, code = t.answer(self.answers)
        assert code == 0, "\n".join([block, plain(screen)[-3000:], self.machine.journal()])
        assert TYPED_KEY not in screen
        return plain(screen)

    def ask(self, url, key, *options):
        """A streamed request; it must be answered to its end."""
        body = json.dumps({"model": "claude-sonnet-5-5", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]})
        command = self.machine.enter("curl", "-sN", *options, f"{url}/v1/messages", "-H", f"x-api-key: {key}",
                                     "-H", "content-type: application/json", "-d", body)
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
        text = "".join(re.findall(r'"text_delta","text":"(.*?)"', answer))
        assert text == "Hello from the model" and "message_stop" in answer, (answer, self.machine.journal())
        if self.began:
            self.record("chapter", (self.count, time.monotonic() - self.began))
        self.began = None

    def access_key(self, path):
        return re.search(r"^PROXY_ACCESS_KEY=(\S{20,})$", self.machine.run(f"cat {path}"), re.M)[1]


@pytest.fixture
def newcomer(request, record_property):
    """On a machine that has what the chapter presumes: these packages, and the web server running."""
    with contextlib.ExitStack() as stack:
        def arrive(root, server=None):
            machine = stack.enter_context(booted(root))
            upstream = stack.enter_context(machine.beside(sys.executable, "-c", UPSTREAM)).readline().strip()
            machine.run(f"systemctl stop {SERVICES} 2>/dev/null; systemctl reset-failed", check=False)
            if server:
                machine.run(f"systemctl start {server}")
            return Newcomer(machine, upstream, record_property)

        yield arrive


def test_the_quick_start(newcomer):
    """On a machine that has nothing: every package is installed on the way."""
    n = newcomer(bare_root(HOST, "newcomer", *MACHINE, fetched=[*BUILDING, *SERVING]))
    serve, setup, by_hand, ask = blocks(README, "Quick start")
    n.follow(re.search(r"`(sudo apt-get install [a-z ]+)`", README.read_text())[1])
    demo, run = commands(serve)
    assert "It works." in n.follow(demo)
    n.count += 1
    with n.machine.terminal(run, "newcomer", "~/claude-proxy") as server:
        server.expect("Ctrl-C stops it.", 120)
        assert "ok" in n.follow(setup)
        assert "Hello from the model" in n.follow(ask)
        n.ask("http://127.0.0.1:3000", n.access_key("/home/newcomer/claude-proxy/.env"))
        server.type("\x03")
        server.end()


INSTALLED = "/var/lib/claude-proxy/.env"


@pytest.fixture
def served(newcomer):
    """A machine with the web servers, and the clone in which everything was built."""

    def arrive(server):
        n = newcomer(bare_root(HOST, "fronts", *MACHINE, *BUILDING, *SERVING, *FRONTS), server)
        n.clone(BUILT, BUILD, "claude-proxy/build")
        return n

    return arrive


def install(n):
    """What the man pages and examples presume."""
    n.machine.run("make -s -C /home/newcomer/claude-proxy install")


@pytest.mark.parametrize("readme", [README, DEPLOY / "README.zh-CN.md"], ids=lambda path: path.name)
def test_the_server_of_the_readme(served, readme):
    n = served("nginx")
    block, = blocks(readme, "Deployment" if readme == README else 4)
    assert '"healthy"' in n.follow(block)
    n.ask("http://127.0.0.1", n.access_key(INSTALLED))


@pytest.mark.parametrize("example, server", [("nginx", "nginx"), ("apache-proxy-fcgi", "apache2"), ("lighttpd-socket", "lighttpd")])
def test_a_web_server_in_front_of_systemd(served, example, server):
    n = served(server)
    install(n)
    for block in blocks(MANUAL, "systemd") + blocks(DEPLOY / f"{example}.conf.example"):
        screen = n.follow(block, "root")
    assert '"healthy"' in screen
    n.ask("http://127.0.0.1", n.access_key(INSTALLED))


def test_nginx_in_front_of_spawn_fcgi(served):
    n = served("nginx")
    install(n)
    start, stop = blocks(MANUAL, "spawn-fcgi")
    for block in (start, *blocks(DEPLOY / "nginx.conf.example")):
        screen = n.follow(block, "root")
    assert '"healthy"' in screen
    n.ask("http://127.0.0.1", n.access_key(INSTALLED))
    n.follow(stop + commands(start)[-1], "root")
    n.ask("http://127.0.0.1", n.access_key(INSTALLED))


@pytest.mark.parametrize("example, server", [(ROOT / "lighttpd.conf.example", "lighttpd"), (DEPLOY / "apache-fcgid.conf.example", "apache2")],
                         ids=["lighttpd", "apache-fcgid"])
def test_a_web_server_that_starts_the_proxy(served, example, server):
    n = served(server)
    install(n)
    block, = blocks(example)
    assert '"healthy"' in n.follow(block, "root")
    n.ask("http://127.0.0.1", n.access_key(INSTALLED))


def test_caddy(served):
    """Nobody outside can vouch for the name here: Caddy vouches for localhost by itself."""
    n = served("caddy")
    install(n)
    block, = blocks(DEPLOY / "Caddyfile.example")
    example = "/usr/local/share/doc/claude-proxy/examples/Caddyfile.example"
    n.machine.run(f"sed -i 's/claude.example.com/localhost/' {example}; echo insecure >>~/.curlrc")
    for text in (*blocks(MANUAL, "systemd"), block.replace("claude.example.com", "localhost")):
        screen = n.follow(text, "root")
    assert '"healthy"' in screen
    n.ask("https://localhost", n.access_key(INSTALLED), "-k")


WEB_SPACE = """
<VirtualHost *:80>
	DocumentRoot /home/newcomer/public_html
	<Directory /home/newcomer/public_html>
		AllowOverride All
		Require all granted
	</Directory>
</VirtualHost>
"""


@pytest.fixture
def web_space(served):
    """A host that runs the programs of its customer as the customer, and lets him use .htaccess."""
    n = served("apache2")
    n.machine.run("a2enmod cgid rewrite; cat >/etc/apache2/sites-available/000-default.conf; chmod 755 /home/newcomer; "
                  "sed -i 's/www-data/newcomer/' /etc/apache2/envvars; systemctl restart apache2", WEB_SPACE)
    return n


def test_web_space_with_programs_of_its_own(web_space):
    block, = blocks(DEPLOY / "htaccess.example")
    assert '"healthy"' in web_space.follow(block.replace("https://<host>", "http://127.0.0.1"))
    web_space.ask("http://127.0.0.1/ai", web_space.access_key("/home/newcomer/.local/share/claude-proxy/.env"))


def test_web_space_with_the_bundle(web_space, bundle):
    n = web_space
    n.clone([bundle.name], bundle.parent, ".")
    n.machine.run("tar -xzf /home/newcomer/claude-proxy-*.tar.gz -C /tmp")
    guide, = n.machine.root.glob("tmp/claude-proxy-*/README")
    for number in (1, 2, 3):
        block, = blocks(guide, f"{number}\\. ")
        # Claude Code itself is not here.
        block = block.replace("<where it is>", "~").replace("https://<your site>", "http://127.0.0.1").split("ANTHROPIC_BASE_URL")[0]
        screen = n.follow(block, folder="~/public_html/ai" if number > 1 else "~")
    assert '"healthy"' in screen
    n.ask("http://127.0.0.1/ai", n.access_key("/home/newcomer/.local/share/claude-proxy/.env"))


@pytest.fixture(scope="module")
def bundle():
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.run(["make", "-s", f"BUILD={os.path.relpath(BUILD, ROOT)}", "bundle"], cwd=ROOT, env=env,
                          capture_output=True, text=True, check=True, timeout=300).stdout
    return ROOT / re.search(r"^(\S+\.tar\.gz): ", made, re.M)[1]

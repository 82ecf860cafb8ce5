"""The Containerfile: no engine runs it here, so each of its lines is carried out in bare roots, with the same commands."""
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from machine import bare_root
from site_under_test import ACCESS_KEY, BUILD, ROOT, free_port, wait_for

if "-address" in BUILD.name or "-thread" in BUILD.name or os.environ.get("CLAUDE_PROXY_SUITE"):
    pytest.skip("once is enough: the plain build's run on the host", allow_module_level=True)
if os.geteuid() != 0 or not shutil.which("apt-get"):
    pytest.skip("only root makes roots, and only on Debian", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("container")]

FILE = ROOT / "fcgi/deploy/Containerfile"
# What holds the mounts of a stage: its root is a layer in memory above the bare root.
HOLD = r"""
set -e
mount -t tmpfs -o mode=755 tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cd "$2/root"
for name in null zero full random urandom; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mount -t proc proc proc
rm usr/sbin/policy-rc.d
echo ready
exec cat
"""


def instructions():
    """Each instruction with its text, in stages."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.M))
    stages = []
    for line in filter(None, text.splitlines()):
        word, rest = line.split(None, 1)
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


def packages():
    """Those that the file installs: they are downloaded once, not in each run."""
    return sorted({word for names in re.findall(r"apt-get install -y --no-install-recommends ([a-z0-9 .-]+)", re.sub(r"\\\n", " ", FILE.read_text()))
                   for word in names.split()})


class Image:
    """A stage: a root with what its instructions did to it."""

    def __init__(self, folder, suite):
        folder.mkdir()
        self.workdir, self.user, self.env, self.command, self.health = "/", "root", {}, None, None
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", HOLD, "hold", bare_root(suite, "container", fetched=packages()), folder],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        self.root = Path(f"/proc/{self.holder.pid}/root{folder}/root")
        self.inside = folder / "root"  # of the holder's namespace

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(20)

    def enter(self, command):
        words = " ".join(shlex.quote(f"{name}={value}") for name, value in self.env.items())
        as_user = f"setpriv --reuid {self.user} --regid {self.user} --clear-groups " if self.user != "root" else ""
        inside = f"cd {self.workdir} && exec {as_user}env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin {words} {command}"
        return ["nsenter", f"--target={self.holder.pid}", "--mount", "chroot", self.inside, "/bin/sh", "-c", inside]

    def run(self, command, **options):
        return output(*self.enter(command), **options)

    def copy(self, arguments, stages):
        words = arguments.split()
        source = ROOT
        if words[0].startswith("--from="):
            source = stages[words.pop(0)[len("--from="):]].root
        if words[0] == ".":
            target = self.root / words[1].lstrip("/")
            target.mkdir(parents=True)
            subprocess.run(f"tar -C {source} --exclude=./build --exclude='./build-*' --exclude=./.git --exclude=node_modules -cf - . | tar -xf - -C {target}",
                           shell=True, check=True)
        elif (source / words[0].lstrip("/")).is_dir():
            output("cp", "-aT", source / words[0].lstrip("/"), self.root / words[1].lstrip("/"))
        else:
            output("install", "-D", "-m", "644", source / words[0].lstrip("/"), self.root / words[1].lstrip("/"))

    def carry_out(self, word, rest, stages):
        if word == "RUN":
            self.run(f"sh -e -c {shlex.quote(rest)}")
        elif word == "COPY":
            self.copy(rest, stages)
        elif word == "WORKDIR":
            self.workdir = rest
        elif word == "USER":
            self.user = rest
        elif word == "ENV":
            self.env.update([rest.split("=", 1)])
        elif word == "CMD":
            self.command = shlex.join(json.loads(rest))
        elif word == "HEALTHCHECK":
            self.health = rest.split(" CMD ", 1)[1]
        else:
            assert word in ("FROM", "VOLUME", "EXPOSE"), word

    @contextlib.contextmanager
    def running(self, **env):
        self.env.update(env)
        process = subprocess.Popen(self.enter(self.command), stdin=subprocess.DEVNULL, stderr=open(self.root / "tmp/errors", "w"),
                                   start_new_session=True)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(40)


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, **options)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


@pytest.fixture
def image(request, tmp_path):
    stages, last = {}, None
    for number, stage in enumerate(instructions()):
        name = re.search(r"debian:(\w+)-slim(?: AS (\w+))?", stage[0][1])
        last = Image(tmp_path / f"stage{number}", name[1])
        stages[name[2]] = last
        request.addfinalizer(last.close)
        # debootstrap's root has the names of the host; an engine gives them, too.
        shutil.copy("/etc/resolv.conf", last.root / "etc/resolv.conf")
        for word, rest in stage[1:]:
            last.carry_out(word, rest, stages)
    return last


def test_the_container_serves_as_a_user_of_its_own(image, upstream):
    assert image.user == "claude-proxy" and not (image.root / "usr/bin/gcc").exists()
    config = image.root / "etc/lighttpd/claude-proxy.conf"
    port = free_port()
    assert "server.port = 3000" in config.read_text() and image.health.count(":3000/") == 1
    config.write_text(config.read_text().replace("server.port = 3000", f'server.port = {port}\nserver.bind = "127.0.0.1"'))
    health = image.health.replace(":3000/", f":{port}/")
    healthy = lambda: subprocess.run(image.enter(f"sh -c {shlex.quote(health)}"), capture_output=True).returncode == 0  # noqa: E731
    assert not healthy()
    with image.running(PROXY_ACCESS_KEY=ACCESS_KEY) as process:
        wait_for(healthy, "the container to be healthy", 30)
        assert os.stat(f"/proc/{process.pid}").st_uid != 0
        image.run(f"claude-proxy-admin add main {upstream.url} openai")
        image.run("claude-proxy-admin key main add -", input="sk-test-0123456789abcdef\n")
        body = json.dumps({"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]})
        answer = output("curl", "-sN", f"http://127.0.0.1:{port}/v1/messages", "-H", f"x-api-key: {ACCESS_KEY}",
                        "-H", "content-type: application/json", "-d", body)
        assert "message_start" in answer and "message_stop" in answer
        assert os.stat(image.root / "var/lib/claude-proxy/claude-proxy.db").st_mode & 0o777 == 0o600

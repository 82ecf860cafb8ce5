"""Packages on bare machines: the Debian package on Debian 12 and 13, the bundle on a system too old for its libraries."""
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from chapters import blocks
from machine import ANSWERS_OF_SETUP, bare_root, booted
from site_under_test import BUILD, ROOT, wait_for

if "-address" in BUILD.name or "-thread" in BUILD.name:
    pytest.skip("packages are made from the plain build", allow_module_level=True)
if os.environ.get("CLAUDE_PROXY_SUITE"):
    pytest.skip("in a root of another suite: the host's own run installs on every suite", allow_module_level=True)
if os.geteuid() != 0 or not shutil.which("apt-get"):
    pytest.skip("only root makes machines, and only on Debian", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packages")]

GUIDE = ROOT / "fcgi/deploy/README.Debian"
SUITES = ["bookworm", "trixie"]
HOST = re.search(r"VERSION_CODENAME=(\w+)", open("/etc/os-release").read())[1]
# A package runs on the suite that it was made on and on newer ones.
SUITES = SUITES[SUITES.index(HOST):] if HOST in SUITES else [HOST]
NEEDED = ["systemd", "curl", "nginx-light", "lighttpd", "logrotate",
          "libcurl4", "libfcgi0ldbl", "libjson-c5", "libsqlite3-0", "libuv1"]
UPSTREAM = f"""
import sys
sys.path.insert(0, {str(ROOT / 'tests/integration')!r})
from upstream import Upstream
print(Upstream().url, flush=True)
sys.stdin.read() or __import__('signal').pause()
"""
STATE = {"/var/lib/claude-proxy", "/var/lib/claude-proxy/claude-proxy.db", "/var/lib/claude-proxy/claude-proxy.db-wal",
         "/var/lib/claude-proxy/claude-proxy.db-shm"}
LEFT_BY_HAND = {"/etc/nginx/sites-available/claude-proxy", "/etc/nginx/sites-enabled/claude-proxy",
                "/etc/lighttpd/conf-available/50-claude-proxy.conf", "/etc/lighttpd/conf-enabled/50-claude-proxy.conf"}


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def package():
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    path = ROOT / output("make", "-s", f"BUILD={os.path.relpath(BUILD, ROOT)}", "deb", cwd=ROOT, env=env).strip().splitlines()[-1]
    assert path.exists()
    return path


@pytest.fixture(scope="module")
def older(package, tmp_path_factory):
    """The same package with a lower version."""
    folder = tmp_path_factory.mktemp("older")
    output("dpkg-deb", "-R", package, folder / "tree")
    control = folder / "tree/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 0.0.1", control.read_text(), flags=re.M))
    output("dpkg-deb", "-b", folder / "tree", folder / "older.deb")
    return folder / "older.deb"


def follow(machine, title, upstream=None):
    """Type the commands of a chapter of the guide; what the screen shows."""
    block, = blocks(GUIDE, title)
    with machine.terminal(block) as t:
        screen, code = t.answer(ANSWERS_OF_SETUP + [("Number, name or URL: ", upstream)])
    assert code == 0, screen + machine.journal()
    return screen


def install(machine, package):
    machine.copy(package, "/root/claude-proxy.deb")
    return machine.run("DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ./claude-proxy.deb")


def ask(machine, key, streamed):
    body = json.dumps({"model": "m", "max_tokens": 9, "stream": streamed, "messages": [{"role": "user", "content": "hi"}]})
    return machine.run(f"curl -sN http://127.0.0.1/v1/messages -H 'x-api-key: {key}' -H 'content-type: application/json' -d @-", body)


def check_answers(machine, key):
    assert "Hello there" in ask(machine, key, False)
    answer = ask(machine, key, True)
    assert "message_start" in answer and "message_stop" in answer


def found_files(machine, word="claude-proxy"):
    """Whatever has the word in its name."""
    return set(machine.run(f"find / /run -xdev -name '*{word}*' ! -path '/root/*' ! -path '/tmp/*'").split())


def serve_with(machine, name, other, key):
    # Both began with the machine, and wanted the same port.
    machine.run(f"systemctl stop {other}; systemctl reset-failed")
    assert '"healthy"' in follow(machine, f"With {name}")
    check_answers(machine, key)


def check_log_rotation(machine, key):
    machine.run("echo LOG_FILE=/var/log/claude-proxy/claude-proxy.log >>/etc/claude-proxy/claude-proxy.env; systemctl reload claude-proxy")
    log = machine.root / "var/log/claude-proxy/claude-proxy.log"
    wait_for(lambda: log.exists(), "the log file")
    ask(machine, key, False)
    wait_for(lambda: "status=200" in log.read_text(), "a line about the request")
    machine.run("logrotate -f /etc/logrotate.d/claude-proxy")
    wait_for(lambda: log.exists() and "read again" in log.read_text(), "the new log file")
    ask(machine, key, False)
    wait_for(lambda: "status=200" in log.read_text(), "a line in the new log file")
    assert log.with_name("claude-proxy.log.1").exists()


def check_upgrade(machine, package, key):
    """No request fails meanwhile; settings, upstreams and keys stay."""
    before = machine.run("claude-proxy-admin show; cat /etc/claude-proxy/claude-proxy.env; systemctl show -p MainPID claude-proxy")
    machine.run("(while [ ! -e /tmp/done ]; do curl -sS -f http://127.0.0.1/health >/dev/null 2>>/tmp/failed; done) "
                ">/dev/null 2>&1 & echo $!")
    install(machine, package)
    machine.run("touch /tmp/done")
    assert (machine.root / "tmp/failed").read_text() == "", machine.journal()
    check_answers(machine, key)
    after = machine.run("claude-proxy-admin show; cat /etc/claude-proxy/claude-proxy.env; systemctl show -p MainPID claude-proxy")
    assert before.splitlines()[:-1] == after.splitlines()[:-1]
    assert before.splitlines()[-1] != after.splitlines()[-1], "the new program runs"
    assert machine.run("dpkg-query -W -f '${Version}' claude-proxy").strip() != "0.0.1"


def check_removal(machine):
    machine.run("apt-get remove -y -q claude-proxy")
    left = found_files(machine) - LEFT_BY_HAND
    assert {name for name in left if not name.startswith(("/var/lib/dpkg/info/", "/var/log/", "/etc/", "/var/lib/systemd/"))} <= STATE
    assert "claude-proxy" not in machine.run("cat /proc/[0-9]*/comm", check=False)
    machine.run("apt-get purge -y -q claude-proxy")
    assert found_files(machine) - LEFT_BY_HAND <= STATE
    assert "/var/lib/claude-proxy/claude-proxy.db" in found_files(machine)
    assert "claude-proxy" not in machine.run("systemctl list-units --all --no-pager; systemctl list-unit-files --no-pager")


def test_lintian_has_nothing_to_say(package):
    done = subprocess.run(["lintian", "--fail-on", "error,warning,info", "--allow-root", package], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("suite", SUITES)
def test_the_package_is_installed_serves_is_upgraded_and_removed(package, older, suite):
    with booted(bare_root(suite, "web", *NEEDED)) as machine, \
            machine.beside(sys.executable, "-c", UPSTREAM) as told:
        upstream = told.readline().strip()
        install(machine, older)
        key = re.search(r"^PROXY_ACCESS_KEY=([0-9a-f]{48})$", machine.run("cat /etc/claude-proxy/claude-proxy.env"), re.M)[1]
        assert machine.run("stat -c '%a %U' /etc/claude-proxy/claude-proxy.env /var/lib/claude-proxy").split() == \
            ["600", "claude-proxy", "700", "claude-proxy"]
        # lighttpd is told to be started before it listens; who types comes later.
        machine.run("printf 'retry = 9\\nretry-connrefused\\n' >~/.curlrc")
        follow(machine, "Say where", upstream)
        serve_with(machine, "nginx", "lighttpd", key)
        check_log_rotation(machine, key)
        check_upgrade(machine, package, key)
        serve_with(machine, "lighttpd", "nginx", key)
        assert machine.run("systemctl show -p User claude-proxy").strip() == "User=claude-proxy"
        doctor = machine.run("claude-proxy-admin doctor", check=False)
        assert re.search("^ok +settings .*/etc/claude-proxy/claude-proxy.env$", doctor, re.M), doctor
        check_removal(machine)


# The oldest suite that the mirrors still have.
OLD_SUITE = "bullseye"
OLD_HOST = r"""
set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount -t proc proc "$2/root/proc"
mkdir -p "$2/root/srv/ai" "$2/root/srv/plain"
tar xzf "$3" -C "$2/root/srv/ai" --strip-components=1
tar xzf "$4" -C "$2/root/srv/plain" --strip-components=1
exec chroot "$2/root" /bin/sh -e -c "$5"
"""
OLD_SCRIPT = r"""
export HOME=/home
if /srv/plain/claude-proxy.fcgi --version 2>/dev/null; then echo "the usual bundle runs, too"; fi
cd /srv/ai
mkdir -p -m 700 ~/.local/share/claude-proxy
echo PROXY_ACCESS_KEY=0123456789abcdef01 >~/.local/share/claude-proxy/.env
./claude-proxy-admin add main %s openai
echo sk-test-0123456789abcdef | ./claude-proxy-admin key main add -
body='{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}]}'
echo "$body" | GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST SCRIPT_NAME=/ai/claude-proxy.fcgi PATH_INFO=/v1/messages \
	CONTENT_LENGTH=${#body} HTTP_X_API_KEY=0123456789abcdef01 ./claude-proxy.fcgi
"""


def test_the_bundle_with_its_own_c_library_serves_on_an_old_host(upstream, tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    for static in ("", "1"):
        output("make", "-s", f"BUILD={os.path.relpath(BUILD, ROOT)}", f"STATIC={static}", "bundle", cwd=ROOT, env=env)
    version = output(BUILD / "claude-proxy-admin", "--version").split()[1]
    plain = BUILD / f"claude-proxy-{version}-linux-{os.uname().machine}.tar.gz"
    whole = plain.with_name(plain.name.replace(".tar.gz", "-static.tar.gz"))
    told = output("unshare", "--mount", "--pid", "--fork", "sh", "-c", OLD_HOST, "old", bare_root(OLD_SUITE, "old"), tmp_path, whole,
                  plain, OLD_SCRIPT % upstream.url)
    assert "Status: 200" in told and "message_stop" in told
    assert "next: ./claude-proxy-admin key main add -\n" in told, "hints name the program that runs here, not the one in lib/"
    assert ("the usual bundle runs, too" in told) == (HOST == OLD_SUITE)
    assert upstream.keys_seen()["sk-test-0123456789abcdef"] == 1

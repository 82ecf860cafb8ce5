"""The database under kill -9, a full disk and without the right to write (SPEC §8)."""
import json
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from site_under_test import ACCESS_KEY, BUILD, free_port, program, request, wait_for
from upstream import status, text

KEYS = [f"sk-{n}-0123456789abcdef" for n in range(3)]
NOBODY = 65534


def check(site):
    """The database is whole: SQLite says so, and the configuration is all there."""
    with sqlite3.connect(site.database, timeout=20) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM upstreams WHERE name = 'main'").fetchone() == (1,)
        assert {row[0] for row in db.execute("SELECT secret FROM api_keys JOIN upstreams u ON u.id = upstream_id "
                                             "WHERE u.name = 'main'")} == set(KEYS)
        # A batch of usage, and the keys of one `key add`, are there as a whole or not at all.
        for (count,) in db.execute("SELECT count(*) FROM api_keys JOIN upstreams u ON u.id = upstream_id "
                                   "WHERE u.name LIKE 'more%' GROUP BY u.id"):
            assert count == 20


class Responder:
    """The responder on a socket that outlives it, behind nginx."""

    def __init__(self, site):
        self.site = site
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(site.folder / "fcgi.sock"))
        self.listener.listen(1024)
        self.process = None

    def start(self):
        self.process = subprocess.Popen([BUILD / "claude-proxy.fcgi"], env=self.site.environment(), stdin=self.listener,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.mark.slow
def test_kill_at_any_moment_leaves_a_whole_database(site, upstream, seed):
    site.use(upstream, *KEYS)
    site.admin("balance", "round-robin")
    upstream.answer = lambda call: (status(500, "{}") if random.random() < 0.3 else text("hello"))(call)
    site.port = free_port()
    config = site.nginx_config()
    responder, stop, killed = Responder(site), threading.Event(), {"responder": 0, "admin": 0}

    def clients():
        while not stop.is_set():
            try:
                site.post(request())
            except OSError:
                pass

    def admins(n):
        turn = 0
        while not stop.is_set():
            turn += 1
            name = f"more-{n}-{turn}"
            for command in (["add", name, "http://127.0.0.1:1", "openai"],
                            ["key", name, "add", *[f"sk-{n}-{turn}-{i}" for i in range(20)]],
                            ["balance", random.choice(["round-robin", "random"])], ["remove", f"more-{n}-{turn - 3}"]):
                process = subprocess.Popen([BUILD / "claude-proxy-admin", *command], env=site.environment(LOG_FILE=None),
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    process.wait(random.random() * 0.012)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    killed["admin"] += 1

    responder.start()
    with site.running([program("nginx"), "-c", str(config), "-p", str(site.folder), "-e", str(site.folder / "nginx.log")],
                      os.environ):
        threads = [threading.Thread(target=clients) for _ in range(4)] + \
            [threading.Thread(target=admins, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        try:
            while sum(killed.values()) < 200 or killed["responder"] < 100:
                time.sleep(random.random() * 0.06)
                responder.kill()
                killed["responder"] += 1
                if killed["responder"] % 20 == 0:
                    check(site)
                responder.start()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        check(site)
        upstream.answer = text("still here")
        assert site.ask()["content"][0]["text"] == "still here"
        assert killed["responder"] >= 100 and killed["admin"] > 10, killed
    responder.kill()
    check(site)


def limit_files(pid, size):
    """No file may grow beyond so many bytes: to SQLite it is a disk without room."""
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.parametrize("strategy", ["round-robin", "failover"])
def test_a_full_disk_stops_no_request(site, upstream, strategy):
    site.use(upstream, *KEYS)
    site.admin("balance", strategy)
    # The log is short enough to have room; the write-ahead log may not grow.
    with site.nginx(LOG_LEVEL="warn", ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS="1000") as responder:
        site.ask()
        limit_files(responder.pid, os.path.getsize(f"{site.database}-wal"))
        upstream.answer = lambda call: (status(500, "{}") if call.key == KEYS[0] else text("hello"))(call)
        for stream in (False, True):
            for _ in range(5):
                assert site.post(request(stream=stream)).status == 200
        limit_files(responder.pid, resource.RLIM_INFINITY)
        wait_for(lambda: site.post(request()).status == 200 and
                 json.loads(site.admin("usage", "--json").stdout)["total"]["requests"] >= 10, "the usage to be written after all", 30)
    assert f"database {site.database}" in site.log_text() and "disk" in site.log_text()


def test_on_a_full_disk_the_admin_command_fails_clearly_and_changes_nothing(site, upstream):
    site.use(upstream, *KEYS)
    before = site.admin("export", "--secrets").stdout
    for command in (["add", "x", "http://127.0.0.1:1", "openai"], ["key", "main", "add", "sk-new"], ["balance", "random"],
                    ["remove", "main"], ["clear", "--yes"], ["set", "main", "timeout", "5"]):
        done = subprocess.run([BUILD / "claude-proxy-admin", *command], env=site.environment(LOG_FILE=None), capture_output=True,
                              text=True, timeout=60, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)))
        assert done.returncode == 1 and "claude-proxy-admin: " in done.stderr, (command, done)
        assert str(site.database) in done.stderr
        assert site.admin("export", "--secrets").stdout == before, command


@pytest.fixture
def read_only(site, upstream):
    """A copy of the site's database that the user who reads it may not write, nor its folder; and that user's programs."""
    site.use(upstream, *KEYS)
    with sqlite3.connect(site.database) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    folder = Path(tempfile.mkdtemp())
    shutil.copy(site.database, folder / "proxy.db")
    for name in ("claude-proxy.fcgi", "claude-proxy-admin"):
        shutil.copy(BUILD / name, folder)
    (folder / "proxy.db").chmod(0o444)
    folder.chmod(0o555)
    user = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}

    def run(name, *arguments, input=None, **environment):
        env = site.environment(LOG_FILE=None, CLAUDE_PROXY_DB=folder / "proxy.db", HOME="/", **environment)
        return subprocess.run([folder / name, *arguments], env=env, input=input, capture_output=True, text=True, timeout=60,
                              cwd="/", **user)

    yield run
    folder.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


@pytest.mark.parametrize("strategy", ["round-robin", "failover"])
def test_a_read_only_database_serves(site, upstream, read_only, strategy):
    body = json.dumps(request())
    for _ in range(3):
        done = read_only("claude-proxy.fcgi", input=body, GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST", SCRIPT_NAME="/x.fcgi",
                         PATH_INFO="/v1/messages", CONTENT_LENGTH=len(body), HTTP_X_API_KEY=ACCESS_KEY, REMOTE_ADDR="192.0.2.1",
                         ENABLE_RATE_LIMIT="true", LOAD_BALANCE_STRATEGY=strategy)
        assert done.stdout.startswith("Status: 200"), (done.stdout, done.stderr)
        assert "read-only" in done.stderr


def test_a_read_only_database_is_not_changed(read_only):
    shown = read_only("claude-proxy-admin", "show")
    assert shown.returncode == 0 and "main" in shown.stdout
    done = read_only("claude-proxy-admin", "balance", "random")
    assert done.returncode == 1 and "readonly" in done.stderr.replace("-", "").replace(" ", "").lower()
    assert read_only("claude-proxy-admin", "show").stdout == shown.stdout
    assert "is not writable" in read_only("claude-proxy-admin", "doctor").stdout


def test_a_stop_in_the_middle_of_retries_is_clean(site, upstream):
    site.use(upstream, *KEYS)
    upstream.answer = status(500, "{}")
    with site.nginx() as responder:
        threads = [threading.Thread(target=lambda: [site.post(request()) for _ in range(5)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(upstream.calls) > 20, "retries")
        responder.send_signal(signal.SIGTERM)
        assert responder.wait(40) == 0
        for thread in threads:
            thread.join()
    check(site)


# ---- a file system without shared memory ----

NO_SHARED_MEMORY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As on some network file systems: a file cannot be mapped by two processes. */
void *mmap64(void *start, size_t length, int protection, int flags, int fd, off64_t offset)
{
	void *(*real)(void *, size_t, int, int, int, off64_t) = dlsym(RTLD_NEXT, "mmap64");
	char link[64], name[4096] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fd >= 0 && (flags & MAP_SHARED) && readlink(link, name, sizeof(name) - 1) > 0 && strstr(name, "-shm") != NULL) {
		errno = ENODEV;
		return MAP_FAILED;
	}
	return real(start, length, protection, flags, fd, offset);
}

void *mmap(void *start, size_t length, int protection, int flags, int fd, off_t offset)
{
	return mmap64(start, length, protection, flags, fd, offset);
}
"""


@pytest.mark.skipif("-" in BUILD.name, reason="sanitizers must come before everything else that is loaded")
def test_where_a_write_ahead_log_does_not_work_there_is_none(site, upstream):
    (site.folder / "mmap.c").write_text(NO_SHARED_MEMORY)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", site.folder / "mmap.so", site.folder / "mmap.c", "-ldl"], check=True)
    site.settings["LD_PRELOAD"] = str(site.folder / "mmap.so")
    site.use(upstream, *KEYS)
    site.admin("balance", "round-robin")
    assert "does not support a write-ahead log" in site.admin("doctor", check=False).stdout
    upstream.calls.clear()
    with site.nginx():
        threads = [threading.Thread(target=lambda: [site.ask() for _ in range(6)]) for _ in range(5)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            site.admin("show")
        for thread in threads:
            thread.join()
        assert set(upstream.keys_seen().values()) == {10}
        site.admin("balance", "failover")
        site.ask()
        assert upstream.calls[-1].key == KEYS[0]
        wait_for(lambda: json.loads(site.admin("usage", "--json").stdout)["total"]["requests"] == 31, "the usage")


# ---- other programs, and other files ----

@pytest.mark.slow
def test_a_lock_that_another_program_keeps_is_waited_for_once_not_by_every_request(site, upstream):
    site.use(upstream, *KEYS)
    site.admin("balance", "round-robin")
    with site.lighttpd(ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS="1000"):
        site.ask()
        upstream.answer = lambda call: (status(500, "{}") if call.key == KEYS[0] else text("hello"))(call)
        other = sqlite3.connect(site.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began, asked, admin = time.monotonic(), [], []
        threads = [threading.Thread(target=lambda: [asked.append(site.ask()) for _ in range(2)]) for _ in range(6)]
        threads.append(threading.Thread(target=lambda: admin.append(site.admin("balance", "random", check=False))))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Each of them alone would wait five seconds.
        assert len(asked) == 12 and time.monotonic() - began < 30
        other.execute("ROLLBACK")
        assert admin[0].returncode == 1 and "locked" in admin[0].stderr
        upstream.answer = text("hello")
        wait_for(lambda: site.ask() and len({call.key for call in upstream.calls[-3:]}) == 3, "the keys to take turns again")
    assert f"database {site.database}" in site.log_text() and "locked" in site.log_text()


def test_a_stream_has_its_pings_while_a_retry_waits_for_the_database(site, upstream):
    site.use(upstream, *KEYS)
    upstream.answer = lambda call: (status(500, "{}") if call.key == KEYS[0] else text("hello"))(call)
    with site.nginx(PING_INTERVAL=50) as responder:
        other = sqlite3.connect(site.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with site.open_stream() as response:
            for _ in range(3):
                while (line := response.readline()) != b"event: ping\n":
                    assert line, "the stream ended without a ping"
            assert len(upstream.calls) == 1
            other.execute("ROLLBACK")
            assert b"hello" in response.read()
        assert responder.poll() is None


@pytest.mark.parametrize("leftovers", [True, False], ids=["the file alone", "all its files"])
def test_a_database_that_was_removed_and_made_anew_is_read(site, upstream, leftovers):
    site.use(upstream, KEYS[0])
    with site.lighttpd(processes=2) as server:
        wait_for(lambda: len(site.responders(server)) == 2, "both processes")
        for _ in range(6):
            site.ask()
        for name in [""] if leftovers else ["", "-wal", "-shm"]:
            os.unlink(f"{site.database}{name}")
        # Better the last configuration known than no answer.
        assert site.ask() and upstream.calls[-1].key == KEYS[0]
        site.use(upstream, KEYS[1])
        for turn in range(20):
            site.ask()
            assert upstream.calls[-1].key == KEYS[1], turn
        site.admin("key", "main", "add", KEYS[2])
        site.admin("key", "main", "disable", "0")
        site.ask()
        assert upstream.calls[-1].key == KEYS[2]
        wait_for(lambda: json.loads(site.admin("usage", "--json").stdout)["total"]["requests"] > 0, "usage in the new one")
    with sqlite3.connect(site.database) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

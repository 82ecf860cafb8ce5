"""What the machine may do to us: no descriptors, memory, disk, name server; a database that is locked, moved or spoiled."""
import contextlib
import os
import random
import re
import resource
import select
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

import fastcgi_client
import faults
import hostile
from hostile import CHUNKED, EVENTS, KEY, OK, chunk, delta, event, message, whole_head
from site_under_test import BUILD, request, wait_for

WHOLE = whole_head(len(message())) + message()
BEGUN = OK + EVENTS + CHUNKED + b"\r\n" + chunk(event(delta(content="begun")))
REST = chunk(event(delta(content=" and finished"))) + chunk(event(b"[DONE]")) + b"0\r\n\r\n"


# ---- the network ----

@pytest.fixture
def nowhere(site, ledger, tmp_path):
    """A responder under attack whose upstream has a name that no server resolves."""
    if not faults.may_make_networks():
        pytest.skip("networks of our own are not allowed here")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.77\noptions timeout:2 attempts:2\n")

    @contextlib.contextmanager
    def run(**settings):
        with hostile.attacked(site, ledger, "http://upstream.example", within=faults.in_network_with(tmp_path / "resolv.conf"),
                              bystander_within=faults.beside, **settings) as attack:
            with faults.silent_name_server(attack.responder):
                yield attack

    return run


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_name_server_that_is_silent_delays_nobody(nowhere, stream):
    with nowhere(REQUEST_TIMEOUT=1000, patience=1000 if not hostile.SANITIZED else hostile.PATIENCE) as attack:
        for _ in range(3):
            began = time.monotonic()
            assert attack.ask(stream).status in (502, 504)
            assert time.monotonic() - began < 4


def test_clients_that_leave_while_a_name_is_looked_up_delay_nobody(nowhere):
    with nowhere(patience=1000 if not hostile.SANITIZED else hostile.PATIENCE) as attack:
        for _ in range(8):
            with attack.open():
                assert attack.get("/health").status == 200
        # The lookups themselves end by and by.
        wait_for(lambda: attack.in_flight() <= 1, "the abandoned requests to end")


def test_a_kept_connection_that_the_upstream_resets_costs_no_answer(attacked, bad):
    """Nobody knows of the reset before the next request is sent on that connection."""
    def script(played):
        played.request()
        played.send(WHOLE.replace(b"connection: close\r\n", b""))
        played.reset()

    bad.script = script
    with attacked() as attack:
        for _ in range(50):
            assert attack.ask().status == 200
        assert attack.keys() == ["ready"]


# ---- what a process may have ----

def readable(clients):
    return select.select([client.socket for client in clients], [], [], 0)[0]


def status_of(client):
    """Of the whole answer; 0 if it is not whole."""
    with client, contextlib.suppress(ConnectionError):
        status, _, body = client.answer()
        return status if status != 200 or b"message_stop" in body else 0
    return 0


def begun_until(release):
    """A stream that begins, and goes on when it is released."""
    def script(played):
        played.request()
        played.send(BEGUN)
        release.wait(30)
        played.send(REST)

    return script


def test_when_descriptors_run_out_others_are_told_to_wait(site, ledger, bad):
    release = threading.Event()
    bad.script = begun_until(release)
    with hostile.attacked(site, ledger, bad.url, keys=(KEY, KEY + "2"), lost=1 << 30, patience=1 << 30, MAX_CONCURRENT_REQUESTS=1000) as attack:
        resource.prlimit(attack.responder.pid, resource.RLIMIT_NOFILE, (64, resource.prlimit(attack.responder.pid, resource.RLIMIT_NOFILE)[1]))
        clients = [attack.open() for _ in range(120)]
        wait_for(lambda: attack.descriptors() >= 40 or len(readable(clients)) > 60, "the descriptors to run out")
        release.set()
        statuses = [status_of(client) for client in clients]
        assert set(statuses) <= {200, 529} and 200 in statuses, {code: statuses.count(code) for code in statuses}
        assert attack.keys() == ["ready", "ready"]
        wait_for(lambda: attack.ask(True).status == 200, "all to be well again")


@pytest.mark.skipif(hostile.SANITIZED, reason="sanitizers take address space without measure")
def test_when_memory_runs_out_it_is_not_called_bad_json(attacked, bad):
    bomb = b"[" + b"{}," * 150_000 + b"{}]"
    bad.script = whole_head(len(bomb)) + bomb
    with attacked(lost=10) as attack:
        attack.ask()
        status = Path(f"/proc/{attack.responder.pid}/status").read_text()
        size = int(re.search(r"VmSize:\s+(\d+) kB", status)[1]) << 10
        resource.prlimit(attack.responder.pid, resource.RLIMIT_AS, (size + (48 << 20), resource.RLIM_INFINITY))
        client_bomb = (b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}],"x":' + bomb + b"}")
        for _ in range(5):
            assert "not valid JSON" not in attack.ask().check()
            assert "not valid JSON" not in attack.send(client_bomb).body.decode()
            assert attack.alive()


def test_a_log_that_nobody_reads_stops_neither_requests_nor_the_end(site, ledger, bad):
    bad.script = WHOLE
    site.use(bad)
    reader, writer = os.pipe()
    with open(reader, "rb"), open(writer, "wb"), hostile.responder(site, stderr=writer, LOG_FILE=None) as process:
        # Some lines each: more than the pipe has room for.
        for _ in range(400):
            assert fastcgi_client.ask(site, timeout=15)[0] == 200
            ledger.note(inputs=1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def core_of(command, folder, env, stdin):
    """Does a process leave its memory in a file when it is ended by a fault?"""
    def allow():
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    process = subprocess.Popen(command, cwd=folder, env=env, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=allow)
    yield process
    process.send_signal(signal.SIGSEGV)
    yield os.WCOREDUMP(os.waitpid(process.pid, 0)[1])


@pytest.mark.skipif(hostile.SANITIZED, reason="sanitizers switch them off themselves")
def test_a_crash_leaves_no_memory_with_keys_behind(site, ledger, bad):
    control = core_of(["sleep", "60"], site.folder, {}, subprocess.DEVNULL)
    next(control)
    if not next(control):
        pytest.skip("this system keeps no cores")
    with site.listener() as listener:
        running = core_of([BUILD / "claude-proxy.fcgi"], site.folder, site.environment(), listener)
        next(running)
        assert fastcgi_client.ask(site, b"", method="GET", path="/health")[0] in (200, 503)
        ledger.note(inputs=1)
        assert not next(running)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_stop_under_100_streams_loses_none(site, ledger, bad, number):
    release = threading.Event()
    bad.script = begun_until(release)
    site.admin("add", "main", bad.url, "openai")
    site.admin("key", "main", "add", KEY)
    with hostile.responder(site, MAX_CONCURRENT_REQUESTS=200) as process:
        clients = [fastcgi_client.Connection(site, fastcgi_client.message(request(stream=True))) for _ in range(100)]
        ledger.note(inputs=100)
        for client in clients:
            assert next(client.chunks())
        process.send_signal(number)
        wait_for(lambda: "finishing 100 requests" in site.log_text(), "the responder to hear the signal")
        release.set()
        for client in clients:
            with client:
                assert b"message_stop" in b"".join(client.chunks())
        assert process.wait(40) == 0


def has_signal(process, name, number):
    """Is the signal in that set of the process?"""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(rf"{name}:\s+([0-9a-f]+)", status)[1], 16) >> (number - 1) & 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_stop_while_it_starts_is_not_forgotten(site, ledger, number):
    site.admin("add", "main", "http://127.0.0.1:1", "openai")
    with contextlib.closing(sqlite3.connect(site.database, isolation_level=None)) as other:
        # Opening it waits for whoever has it locked.
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with hostile.responder(site) as process:
            wait_for(lambda: has_signal(process, "SigCgt", number) or has_signal(process, "SigBlk", number), "it to begin")
            process.send_signal(number)
            ledger.note(inputs=1)
            other.execute("ROLLBACK")
            assert process.wait(20) == 0


# ---- the database ----

def checkpoint(site):
    with contextlib.closing(sqlite3.connect(site.database, timeout=20)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def names(site):
    return [f"{site.database}{suffix}" for suffix in ("", "-wal", "-shm") if os.path.exists(f"{site.database}{suffix}")]


def remove(site):
    for name in names(site):
        os.unlink(name)


def replace_it(site):
    checkpoint(site)
    shutil.copy(site.database, f"{site.database}.new")
    os.replace(f"{site.database}.new", site.database)


def remove_folder(site):
    shutil.rmtree(site.database.parent)


def truncate(site):
    """Not the memory that SQLite shares (-shm): to truncate that ends every process that has the database open."""
    for name in names(site)[:2]:
        os.truncate(name, 0)


def write_at_random(site):
    checkpoint(site)
    size = os.path.getsize(site.database)
    with open(site.database, "r+b", buffering=0) as file:
        for _ in range(400):
            file.seek(random.randrange(size))
            file.write(random.randbytes(8))


def destroy_head(site):
    with open(site.database, "r+b") as file:
        file.write(random.randbytes(100))


def make_newer(site):
    with contextlib.closing(sqlite3.connect(site.database, timeout=20)) as db:
        db.execute("PRAGMA user_version = 99")


def drop_tables(site):
    with contextlib.closing(sqlite3.connect(site.database, timeout=20, isolation_level=None)) as db:
        for table in ("usage", "request_totals", "rotations", "rate_windows", "settings"):
            db.execute(f"DROP TABLE {table}")


def make_read_only(site):
    for name in names(site):
        os.chmod(name, 0o400)


@pytest.mark.parametrize("mischief", [remove, replace_it, remove_folder, truncate, write_at_random, destroy_head, make_newer, drop_tables,
                                      make_read_only], ids=lambda function: function.__name__)
@pytest.mark.parametrize("strategy", ["round-robin", "failover"])
def test_a_database_that_is_spoiled_while_it_is_open_stops_no_request(attacked, bad, seed, mischief, strategy):
    bad.script = WHOLE
    with attacked(keys=(KEY, KEY + "2"), ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS=10 ** 6) as attack:
        attack.site.admin("balance", strategy)
        for _ in range(5):
            assert attack.ask().status == 200
        mischief(attack.site)
        for _ in range(40):
            assert attack.ask().status == 200
        assert attack.get("/health").status in (200, 503)


def key_of(sent):
    return re.search(rb"(?i)\r\nauthorization: Bearer (.*)\r\n", sent)[1]


def test_a_database_that_another_program_locks_stops_no_request(attacked, bad):
    bad.script = WHOLE
    with attacked(keys=(KEY, KEY + "2"), ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS=10 ** 6, patience=hostile.PATIENCE + 8000) as attack:
        attack.site.admin("balance", "round-robin")
        for mode in ("IMMEDIATE", "EXCLUSIVE"):
            with contextlib.closing(sqlite3.connect(attack.site.database, timeout=20, isolation_level=None)) as other:
                other.execute(f"BEGIN {mode}")
                for _ in range(30):
                    assert attack.ask().status == 200
                other.execute("ROLLBACK")
        wait_for(lambda: attack.ask() and len({key_of(sent) for sent in bad.requests[-2:]}) == 2, "the keys to take turns again")


def test_a_disk_that_is_full_stops_no_request(site, ledger, bad):
    bad.script = WHOLE
    # SQLite's log grows to 4 MB before its pages go into the file: that much room there must be without the filler.
    with faults.small_disk(site.database.parent, 16 << 20) as mounted:
        with hostile.attacked(site, ledger, bad.url, keys=(KEY, KEY + "2"), patience=hostile.PATIENCE + 8000, LOG_LEVEL="warn",
                              ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS=10 ** 6) as attack:
            site.admin("balance", "round-robin")
            asked = 0
            for _ in range(3):
                assert attack.ask().status == 200
                with faults.full(site.database.parent, [attack.responder.pid], mounted):
                    for _ in range(40):
                        assert attack.ask().status == 200
                    # It succeeds only where SQLite's log has room left over from before.
                    change = site.admin("balance", "random", check=False)
                    assert change.returncode == 0 or (change.returncode == 1 and "database" in change.stderr), change
                asked += 41
            assert attack.get("/health").status == 200

            def recorded():
                with contextlib.closing(sqlite3.connect(site.database, timeout=20)) as db:
                    return db.execute("SELECT count(*) FROM usage WHERE model = ?", (hostile.MODEL,)).fetchone()[0]

            wait_for(lambda: recorded() == asked, "all usage to be written after all", 40)


# ---- the clock ----

@pytest.mark.skipif(not faults.Clock.library, reason="libfaketime is not here, or in the way of a sanitizer")
def test_a_clock_that_jumps_stops_no_request_and_no_key_for_long(site, ledger, bad):
    clock = faults.Clock(site.folder)
    with hostile.attacked(site, ledger, bad.url, keys=(KEY, KEY + "2"), ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS=10 ** 6,
                          **clock.environment) as attack:
        for offset in ("+0", "+400d", "+0", "-20d", "-7000d", "+3h", "+0"):
            clock.set(offset)
            bad.script = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"
            assert attack.ask().status >= 500
            bad.script = WHOLE
            for _ in range(5):
                assert attack.ask().status == 200, offset
        health = attack.get("/health").json
        assert 0 <= health["uptime"] < 600

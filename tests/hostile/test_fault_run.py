"""Faults under load: kill -9 every three seconds, resets, locks, a full disk, another database, clocks that jump.

Two responders share a socket that outlives them, as under a supervisor.  Every request has a name of its own, which its usage row
and the upstream know it by, so that nothing is counted in the sum that is lost in the single case.  What must hold:

- every request is answered, but those whose connection a kill cut;
- no answered request is without its usage row, but those of a killed process's last seconds (rows are written in batches, once a second);
- no request has two rows, and none has a row that was never asked;
- the counter of round-robin gives each number once: key by key, the upstream has seen what the counter says;
- the database is whole.

FAULT_SECONDS (30) lets it last longer, TEST_SEED chooses the same again.
"""
import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter

import fastcgi_client
import faults
from hostile import CHUNKED, EVENTS, ByteUpstream, chunk, delta, event, message
from site_under_test import BUILD, request

SECONDS = float(os.environ.get("FAULT_SECONDS", 30))
KILL_EVERY = 3  # s
CLIENTS = 6
KEYS = [f"sk-fault-{n}-0123456789abcdef" for n in range(3)]
# A row waits for the others of its second, and then for a lock; and the machine may be busy.
UNWRITTEN = 2.5  # s
LONGEST_LOCK = 0.5

HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = message()
BEGUN = HEAD + EVENTS + CHUNKED + b"\r\n" + chunk(event(delta(content="hello")))
# What a request asks the upstream to do, and how often.
KINDS = {"whole": 6, "stream": 6, "cut": 1, "leave": 1, "refused": 1}


class Asked:
    """A request, from its client's side."""

    def __init__(self, name, kind):
        self.name, self.kind, self.began, self.ended = name, kind, time.monotonic(), None
        self.process, self.problem = None, None
        self.outcome = "cut"

    def note(self, outcome, process=None):
        self.outcome, self.process, self.ended = outcome, process, time.monotonic()


class Responders:
    """Two of them, told apart by the one origin that each allows."""

    def __init__(self, site, listener, **settings):
        self.site, self.listener, self.settings, self.running, self.kills = site, listener, settings, {}, []

    def start(self, name):
        env = self.site.environment(CORS_ORIGIN=f"http://{name}", **self.settings)
        with open(self.site.folder / "server.err", "ab") as errors:
            self.running[name] = subprocess.Popen([BUILD / "claude-proxy.fcgi"], env=env, stdin=self.listener, stdout=subprocess.DEVNULL,
                                                  stderr=errors)

    def kill(self, name):
        before = time.monotonic()
        assert self.running[name].poll() is None, f"a responder ended with {self.running[name].returncode}"
        self.running[name].kill()
        self.running[name].wait()
        self.kills.append((name, before, time.monotonic()))
        self.start(name)

    def stop(self):
        """They finish what they have, and write what they know."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(40) for process in self.running.values()]
        self.running = {}
        # One that was started a moment ago may not be listening to signals yet.
        assert set(codes) <= {0, -signal.SIGTERM}, codes

    def end(self):
        for process in self.running.values():
            process.kill()
            process.wait()


class Storm:
    def __init__(self, site, responders, clock):
        self.site, self.responders, self.clock = site, responders, clock
        self.numbers, self.asked, self.seen, self.lock = itertools.count(), [], {}, threading.Lock()
        self.stop = threading.Event()

    # ---- the upstream ----

    def play(self, played):
        """It keeps connections; what it does is what the request's text says."""
        while sent := played.request():
            name, kind = re.search(rb'"model":"([^"]*)"', sent)[1].decode(), re.search(rb"do: (\w+)", sent)[1].decode()
            with self.lock:
                self.seen.setdefault(name, re.search(rb"(?i)authorization: Bearer (\S+)", sent)[1].decode())
            if kind == "refused":
                played.reset()
                return
            if kind == "whole":
                played.send(HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE) + WHOLE)
                continue
            played.send(BEGUN)
            if kind == "cut":
                return  # with a reset, what was sent before might be lost on the way
            played.send(chunk(event(b"[DONE]")) + b"0\r\n\r\n")

    # ---- the clients ----

    def client(self):
        chance = random.Random(random.random())
        while not self.stop.is_set():
            kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
            # A key that is refused rests: those are of another upstream, so that the others stay in turn.
            asked = Asked("flaky" if kind == "refused" else f"r-{next(self.numbers)}", kind)
            try:
                self.ask(asked, kind in ("stream", "cut", "leave"))
            except (ConnectionError, BrokenPipeError):
                asked.note("cut")
            except Exception as problem:
                asked.note("wrong")
                asked.problem = repr(problem)
            with self.lock:
                self.asked.append(asked)
            time.sleep(chance.random() * 0.01)

    def ask(self, asked, stream):
        body = request(f"do: {asked.kind}", model=asked.name, stream=stream)
        with fastcgi_client.Connection(self.site, fastcgi_client.message(body, HTTP_ORIGIN="http://a")) as connection:
            if asked.kind == "leave":
                next(connection.chunks())
                asked.note("left")
                return
            status, headers, answer = connection.answer()
        process = "a" if "access-control-allow-origin" in headers else "b"
        expected = {"whole": (200, b'"text":"hello"'), "stream": (200, b"event: message_stop"), "cut": (200, b"event: error"),
                    "refused": (502, b"api_error")}[asked.kind]
        asked.note("answered" if status == expected[0] and expected[1] in answer else "wrong", process)
        if asked.outcome == "wrong":
            asked.problem = f"{status}: {answer[-300:]}"

    @contextlib.contextmanager
    def load(self):
        """Clients at work while the block runs; afterwards nothing is under way, and all that is known is written."""
        with self.database() as db:
            db.execute("DELETE FROM usage")
        self.asked, self.seen, self.responders.kills = [], {}, []
        self.stop.clear()
        for name in "ab":
            self.responders.start(name)
        threads = [threading.Thread(target=self.client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        self.responders.stop()

    # ---- what must hold ----

    def database(self):
        return contextlib.closing(sqlite3.connect(self.site.database, timeout=30, isolation_level=None))

    def rotation(self):
        with self.database() as db:
            row = db.execute("SELECT count FROM rotations JOIN upstreams ON id = upstream_id WHERE name = 'main'").fetchone()
        return row[0] if row else -1

    def check_answers(self):
        """All but those that a kill cut."""
        for asked in self.asked:
            assert asked.outcome != "wrong", (asked.name, asked.kind, asked.problem)
            assert asked.outcome != "cut" or any(asked.began <= after and before <= asked.ended for _, before, after in self.responders.kills), \
                (asked.name, asked.kind, "was cut, and nobody killed anything")
        with self.database() as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("SELECT count(*) FROM api_keys").fetchone() == (len(KEYS) + 1,)
        assert any(asked.outcome == "answered" for asked in self.asked)

    def may_be_lost(self, asked):
        return any(asked.process in (name, None) and before - UNWRITTEN < asked.ended for name, before, _ in self.responders.kills
                   if asked.began <= before)

    def check_usage(self):
        named = [asked for asked in self.asked if asked.kind != "refused"]
        with self.database() as db:
            rows = Counter(dict(db.execute("SELECT model, count(*) FROM usage WHERE model GLOB 'r-*' GROUP BY model")))
        twice = [name for name, count in rows.items() if count > 1]
        assert not twice and set(rows) <= {asked.name for asked in named}, (twice, set(rows) - {asked.name for asked in named})
        lost = [asked.name for asked in named if asked.outcome == "answered" and asked.name not in rows and not self.may_be_lost(asked)]
        assert not lost, f"{len(lost)} of {len(named)} rows are lost: {lost[:5]}"
        return len(rows), len(named)

    def check_rotation(self, before):
        """The numbers from there on, and the key that each stands for."""
        numbers = range(before + 1, self.rotation() + 1)
        named = [asked for asked in self.asked if asked.kind != "refused"]
        seen = Counter(key for name, key in self.seen.items() if name != "flaky")
        unsent = [KEYS[n % len(KEYS)] for n in numbers]
        missing = {key: unsent.count(key) - seen[key] for key in KEYS}
        cut = sum(asked.outcome in ("cut", "left") for asked in named)
        assert all(count >= 0 for count in missing.values()) and sum(missing.values()) <= cut, (missing, cut)
        assert len(named) - cut <= len(numbers) <= len(named), (len(named), cut, len(numbers))

    # ---- the faults ----

    def lock_for(self, seconds):
        with self.database() as other:
            other.execute(random.choice(["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"]))
            time.sleep(seconds)
            other.execute("ROLLBACK")

    def kills(self, seconds):
        """With locks and clocks that jump in between."""
        until = time.monotonic() + seconds
        for name in itertools.cycle("ab"):
            next_kill = time.monotonic() + KILL_EVERY
            self.lock_for(random.random() * LONGEST_LOCK)
            self.clock.set(random.choice(["+0", "+9d", "-9d", "+1h", "-61s"]))
            time.sleep(max(0, next_kill - time.monotonic()))
            self.responders.kill(name)
            if time.monotonic() > until:
                self.clock.set("+0")
                return

    def full_disk(self, mounted):
        for name in "ab":
            with faults.full(self.site.database.parent, [process.pid for process in self.responders.running.values()], mounted):
                time.sleep(0.7)
                self.responders.kill(name)
                time.sleep(0.7)

    def other_databases(self):
        """A copy in its place; the name of the file never leads to nothing."""
        for _ in range(3):
            with self.database() as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(self.site.database, f"{self.site.database}.copy")
            os.replace(f"{self.site.database}.copy", self.site.database)
            time.sleep(0.7)


def configure(site, main, flaky):
    site.admin("add", "main", main.url, "openai")
    site.admin("key", "main", "add", *KEYS)
    site.admin("balance", "round-robin")
    site.admin("add", "flaky", flaky.url, "openai")
    site.admin("key", "flaky", "add", "sk-flaky-0123456789abcdef")
    site.admin("route", "add", "flaky", "flaky", "--upstream", "flaky")


def test_nothing_is_lost_but_requests_on_cut_connections(site, ledger, seed):
    clock = faults.Clock(site.folder)
    with contextlib.ExitStack() as stack:
        mounted = stack.enter_context(faults.small_disk(site.database.parent, 32 << 20))
        listener = stack.enter_context(site.listener())
        responders = Responders(site, listener, LOG_LEVEL="warn", MAX_CONCURRENT_REQUESTS=1000, **clock.environment)
        stack.callback(responders.end)
        storm = Storm(site, responders, clock)
        upstream = ByteUpstream(storm.play)
        stack.callback(upstream.stop)
        configure(site, upstream, upstream)
        end, took = time.monotonic() + SECONDS, 0
        kills = recorded = asked = 0
        while took == 0 or time.monotonic() + took < end:
            began, before = time.monotonic(), storm.rotation()
            with storm.load():
                storm.kills(3 * KILL_EVERY)
            storm.check_answers()
            storm.check_rotation(before)
            rows, named = storm.check_usage()
            kills, recorded, asked = kills + len(responders.kills), recorded + rows, asked + named
            ledger.note(inputs=len(storm.asked) + len(responders.kills))
            for fault in (lambda: storm.full_disk(mounted), storm.other_databases):
                with storm.load():
                    fault()
                storm.check_answers()
                ledger.note(inputs=len(storm.asked))
            took = time.monotonic() - began
        # All is well again.
        before = storm.rotation()
        with storm.load():
            time.sleep(1.5)
        storm.check_answers()
        storm.check_rotation(before)
        rows, named = storm.check_usage()
        assert rows == named, (rows, named)
        print(f"{kills} kills: {recorded} of {asked} rows, and what is missing was of their last seconds")

"""Everything at once: failures of every kind, clients that hang up, reloads, and an owner who changes everything.

What is proven is that the responder survives it: no report of a sanitizer, every answer one that a client may get, nothing
left in flight, nothing leaked.  SOAK_SECONDS lets it last longer, TEST_SEED chooses the same again.
"""
import http.client
import json
import os
import random
import signal
import sqlite3
import threading
import time

import pytest

import upstream_claude
import upstream_gemini
from site_under_test import ACCESS_KEY, BUILD, parse_events, request, wait_for
from upstream import Upstream, status, text

SECONDS = float(os.environ.get("SOAK_SECONDS", 5))
MOST = 12  # requests in flight
# libcurl 7.88 closes a socket that still connects and then takes it out of the loop.  That is harmless where only the loop
# puts sockets in, but a report of ThreadSanitizer where another thread got the same number in between.
HANG_UP_EARLY = "-thread" not in BUILD.name
KEYS = [f"sk-{n}-0123456789abcdef" for n in range(3)]
HEAD = {"content-type": "application/json", "x-api-key": ACCESS_KEY}


def nap(most):
    time.sleep(random.random() * most)


def begin_and_cut(call):
    call.begin_stream("text/event-stream" if call.streams else "application/json")
    nap(0.02)
    call.break_off()


def content_and_cut(call):
    if call.streams:
        call.service.parts("begun and ")(Cutting(call))
    call.break_off()


class Cutting:
    """A call whose stream never ends properly."""

    def __init__(self, call):
        self.__dict__["call"] = call

    def __getattr__(self, name):
        return getattr(self.call, name)

    def __setattr__(self, name, value):
        setattr(self.call, name, value)

    def end_stream(self):
        pass


def silence(call):
    call.wait_gone(0.6)


def refuse(call):
    """Of the statuses and waits that services use, some."""
    code = random.choice([400, 401, 402, 403, 404, 408, 429, 500, 502, 503, 529])
    headers = [("retry-after", random.choice(["1", "0", "soon"]))] if random.random() < 0.5 else []
    status(code, call.service.error_body(code, "no"), headers=headers)(call)


def answer_at_random(call):
    nap(random.choice([0, 0.01, 0.05]))
    if call.method == "GET":
        random.choice([call.service.models(["m1", "m2"]), refuse])(call)
        return
    answers = [call.service.parts(random.choice(["hello", "word " * 3000]))] * 6 + \
        [refuse, refuse, refuse, silence, begin_and_cut, content_and_cut, lambda c: c.break_off()]
    random.choice(answers)(call)


class Soak:
    def __init__(self, site, upstreams):
        self.site, self.upstreams, self.stop = site, upstreams, threading.Event()
        self.statuses, self.wrong, self.failed = {}, [], []

    def client(self):
        while not self.stop.is_set():
            connection = self.site.connect()
            stream = random.random() < 0.6
            members = {"stream": True} if stream else {}
            path = random.choice(["/v1/messages"] * 8 + ["/v1/messages/count_tokens", "/v1/models"])
            try:
                connection.request("GET" if path == "/v1/models" else "POST", path,
                                   None if path == "/v1/models" else json.dumps(request("hello " * random.choice([1, 5000]), **members)), HEAD)
                if HANG_UP_EARLY and random.random() < 0.25:
                    nap(0.2)  # and hang up, in whatever phase it is
                    continue
                response = connection.getresponse()
                if random.random() < 0.15:
                    response.read(random.randrange(2000))
                    continue
                self.check(path, response.status, response.read(), stream and path == "/v1/messages")
            except (OSError, http.client.HTTPException) as problem:
                self.failed.append(repr(problem))
            finally:
                connection.close()

    def check(self, path, code, body, stream):
        self.statuses[code] = self.statuses.get(code, 0) + 1
        try:
            if code == 200 and stream:
                # An error that ends what was passed through begins with a line break of its own.
                last = parse_events(body.decode().replace("\n\n\n", "\n\n"))[-1]["type"]
                assert last in ("message_stop", "error"), body[-300:]
            else:
                value = json.loads(body)
                assert code == 200 or value["type"] == "error", body[:300]
        except Exception as problem:
            self.wrong.append((path, code, body[-400:], repr(problem)))

    def owner(self):
        """Changes that leave an upstream and a key to ask, most of the time."""
        changes = [["balance", s] for s in ("failover", "round-robin", "random")] + \
            [["use", name] for name in ("chat", "gemini", "claude")] + \
            [["set", "chat", "fallback", name] for name in ("gemini", "claude", "")] + \
            [["set", "claude", "fallback", "gemini"], ["set", "gemini", "fallback", "chat"], ["set", "chat", "timeout", "200"],
             ["set", "chat", "timeout", ""], ["key", "chat", "disable", "0"], ["key", "chat", "enable", "0"],
             ["key", "gemini", "remove", "0"], ["key", "gemini", "add", *KEYS], ["set", "claude", "header.X-Title", "soak"],
             ["route", "add", "claude-*", "small", "--upstream", "claude"], ["route", "remove", "0"], ["remove", "spare"],
             ["add", "spare", self.upstreams[0].url, "openai"], ["set", "claude", "fallback", "spare"], ["usage"]]
        while not self.stop.is_set():
            self.site.admin(*random.choice(changes), check=False)
            if random.random() < 0.3:
                with sqlite3.connect(self.site.database, timeout=20) as db:
                    db.execute("UPDATE api_keys SET rests_until = 0")
            nap(0.02)

    def reloader(self, pid):
        while not self.stop.is_set():
            for _ in range(random.choice([1, 20])):
                os.kill(pid, signal.SIGHUP)
            self.site.request("POST", "/admin/config/reload", b"", {"x-api-key": ACCESS_KEY})
            nap(0.1)


@pytest.mark.slow
def test_everything_at_once(site, seed):
    upstreams = [Upstream(), Upstream(), Upstream()]
    modules = [upstreams[0].service, upstream_gemini, upstream_claude]
    for name, upstream, module in zip(("chat", "gemini", "claude"), upstreams, modules):
        upstream.speak(module)
        upstream.answer = answer_at_random
        site.admin("add", name, upstream.url, module.SERVICE_TYPE)
        site.admin("key", name, "add", *KEYS)
    env_file = site.folder / "settings.env"
    env_file.write_text(f"MAX_CONCURRENT_REQUESTS={MOST}\nREQUEST_TIMEOUT=400\nPING_INTERVAL=20\n")
    soak = Soak(site, upstreams)
    try:
        with site.nginx(CLAUDE_PROXY_ENV=env_file, LOG_LEVEL="info") as responder:
            threads = [threading.Thread(target=soak.client) for _ in range(10)] + \
                [threading.Thread(target=soak.owner), threading.Thread(target=soak.reloader, args=(responder.pid,))]
            for thread in threads:
                thread.start()
            time.sleep(SECONDS)
            soak.stop.set()
            for thread in threads:
                thread.join()
            assert responder.poll() is None
            assert soak.wrong == [] and soak.statuses.get(200, 0) > 20, (soak.wrong[:3], soak.statuses, soak.failed[:3])
            nothing_is_left_in_flight(site, upstreams[0], env_file)
            responder.send_signal(signal.SIGTERM)
            assert responder.wait(40) == 0
    finally:
        for upstream in upstreams:
            upstream.stop()
    with sqlite3.connect(site.database) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def nothing_is_left_in_flight(site, upstream, env_file):
    """As many as may be in flight find room, and not one more."""
    release = threading.Event()

    def hold(call):
        assert release.wait(60)
        text("hello")(call)

    env_file.write_text(f"MAX_CONCURRENT_REQUESTS={MOST}\n")
    site.admin("clear", "--yes")
    site.use(upstream)
    assert site.request("POST", "/admin/config/reload", b"", {"x-api-key": ACCESS_KEY}).status == 200
    upstream.answer = text("hello")
    wait_for(lambda: site.post(request()).status == 200, "the last of the others to end")
    # What clients left behind ends as soon as it is noticed.
    upstream.calls.clear()
    upstream.answer = hold
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(site.post(request()).status)) for _ in range(MOST)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(upstream.calls) == MOST, f"all to be in flight: {len(upstream.calls)} are, {statuses}")
    assert site.post(request()).status == 529
    release.set()
    for thread in threads:
        thread.join()
    assert statuses == [200] * MOST

"""Pages of other origins (SPEC §3, §4): the headers, the preflight, and a real browser that reads a stream."""
import contextlib
import http.server
import os
import queue
import shutil
import signal
import subprocess
import threading

import pytest

from site_under_test import ACCESS_KEY, BUILD, request
from upstream import models, status

ORIGIN = "https://page.example"


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_every_answer_lets_the_page_read_it(site, upstream, server):
    site.use(upstream)
    origin = {"origin": ORIGIN}
    with getattr(site, server)():
        answers = [site.post(request(), headers=origin), site.post(request(stream=True), headers=origin),
                   site.post("{}", headers=origin), site.post(request(), key="wrong", headers=origin),
                   site.request("GET", "/health", headers=origin), site.request("GET", "/nothing", headers=origin),
                   site.request("PUT", "/v1/messages", b"", origin)]
        upstream.answer = status(429, {"error": {"message": "no"}}, headers=[("retry-after", "5")])
        answers.append(site.post(request(), headers=origin))
        assert [a.status for a in answers] == [200, 200, 400, 401, 200, 404, 405, 429]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["access-control-expose-headers"] == "*"


@pytest.mark.parametrize("server", ["lighttpd", "nginx", "cgi"])
def test_a_preflight_needs_no_key(site, server):
    with getattr(site, server)(CORS_ORIGIN=f"https://other.example, {ORIGIN}"):
        for path in ("/v1/messages", "/v1/models", "/anything"):
            answer = site.request("OPTIONS", path, headers={
                "origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "content-type,x-api-key"})
            assert answer.status == 204 and answer.body == b""
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            assert answer.headers["access-control-allow-headers"] == "content-type,x-api-key"
            assert "POST" in answer.headers["access-control-allow-methods"]
            assert "Origin" in answer.headers["vary"]
        stranger = site.request("OPTIONS", "/v1/messages", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers and "Origin" in stranger.headers["vary"]


def test_without_cors_no_page_may_ask(site, upstream):
    site.use(upstream)
    with site.lighttpd(ENABLE_CORS="false"):
        answer = site.request("OPTIONS", "/v1/messages", headers={"origin": ORIGIN, "access-control-request-method": "POST"})
        assert answer.headers["allow"] == "POST, OPTIONS"
        for headers in (answer.headers, site.post(request(), headers={"origin": ORIGIN}).headers):
            assert not [name for name in headers if name.startswith("access-control-")]


def test_head_is_answered_like_get(served, upstream):
    upstream.answer = models(["m"])
    for path, key in (("/health", None), ("/v1/models", ACCESS_KEY)):
        answer = served.request("HEAD", path, headers={"x-api-key": key} if key else {})
        assert answer.status == 200 and answer.body == b"", path


# ---- a browser ----

PAGE = """<!doctype html><script>
const tell = (what) => fetch("/told", {method: "POST", body: what});
(async () => {
  try {
    const response = await fetch("%(url)s/v1/messages?beta=true", {method: "POST", body: %(body)r,
      headers: {"content-type": "application/json", "x-api-key": "%(key)s", "anthropic-version": "2023-06-01"}});
    await tell(response.status + " " + (response.headers.get("request-id") || "").slice(0, 4));
    const decoder = new TextDecoder();
    for await (const chunk of response.body) await tell(decoder.decode(chunk));
    await tell("END");
  } catch (error) { await tell("ERROR " + error); }
})();
</script>"""


class PageServer(http.server.ThreadingHTTPServer):
    """Another origin: serves the page, and takes what it tells."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), PageHandler)
        self.page, self.told = "", queue.Queue()
        self.origin = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class PageHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(self.server.page.encode())

    def do_POST(self):
        self.server.told.put(self.rfile.read(int(self.headers["content-length"])).decode())
        self.reply(b"")

    def reply(self, body):
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def browser(folder, url):
    command = [shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
               f"--user-data-dir={folder}/profile", url]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def page():
    server = PageServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here")
@pytest.mark.skipif("-" in BUILD.name, reason="a browser is tried with the plain build")
def test_a_page_of_another_origin_reads_a_stream_as_it_comes(site, upstream, page, tmp_path):
    words = ["first ", "second ", "third"]
    seen = [threading.Event() for _ in words]

    def one_by_one(call):
        for word, arrived in zip(words, seen):
            call.chunk(content=word)
            assert arrived.wait(30), f"the page did not get {word!r} before the next was sent"
        call.chunk(finish_reason="stop")
        call.event("[DONE]")
        call.end_stream()

    upstream.answer = one_by_one
    site.use(upstream)
    with site.lighttpd(CORS_ORIGIN=page.origin):
        page.page = PAGE % {"url": f"http://127.0.0.1:{site.port}", "key": ACCESS_KEY,
                            "body": '{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}'}
        with browser(tmp_path, page.origin):
            assert page.told.get(timeout=60) == "200 req_"
            text = ""
            while "END" not in text:
                text += page.told.get(timeout=60)
                assert "ERROR" not in text, text
                for word, arrived in zip(words, seen):
                    if f'"text":"{word}"' in text:
                        arrived.set()
        assert "message_stop" in text


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here")
@pytest.mark.skipif("-" in BUILD.name, reason="a browser is tried with the plain build")
def test_a_page_of_an_origin_that_is_not_listed_gets_nothing(site, upstream, page, tmp_path):
    site.use(upstream)
    with site.lighttpd(CORS_ORIGIN="https://elsewhere.example"):
        page.page = PAGE % {"url": f"http://127.0.0.1:{site.port}", "key": ACCESS_KEY, "body": "{}"}
        with browser(tmp_path, page.origin):
            assert page.told.get(timeout=60).startswith("ERROR")
        assert upstream.calls == []

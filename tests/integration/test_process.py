"""The responder as a process: shutdown, signals, plain CGI, secrets."""
import json
import os
import select
import signal
import stat
import subprocess
import threading

import pytest

import fastcgi_client
from live_streams import check_chunks_come_one_by_one
from site_under_test import ACCESS_KEY, BUILD, collect, next_event, parse_events, request, wait_for
from upstream import parts, status, tool_call

SECRET = "sk-test-0123456789abcdef"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_stop_finishes_what_is_in_flight(site, upstream, number):
    release = threading.Event()

    def answer(call):
        call.chunk(content="begun")
        assert release.wait(30)
        call.chunk(content=" and finished")
        call.event("[DONE]")
        call.end_stream()

    upstream.answer = answer
    site.use(upstream)
    with site.nginx() as responder, site.open_stream() as response:
        while next_event(response)["type"] != "content_block_delta":
            pass
        responder.send_signal(number)
        wait_for(lambda: "finishing 1 requests" in site.log_text(), "the responder to hear the signal")
        release.set()
        assert b"and finished" in (rest := response.read()) and b"message_stop" in rest
        assert responder.wait(20) == 0


def test_an_idle_responder_stops_at_once(site, upstream):
    site.use(upstream)
    with site.nginx() as responder:
        site.ask()
        responder.terminate()
        assert responder.wait(10) == 0


def test_hangup_reads_settings_and_opens_the_log_again(site, upstream):
    site.use(upstream)
    env_file = site.folder / "settings.env"
    env_file.write_text("MAX_REQUEST_BYTES=1024\n")
    with site.nginx(CLAUDE_PROXY_ENV=env_file) as responder:
        assert site.post(request("x" * 2000)).status == 413
        os.rename(site.log, str(site.log) + ".1")
        env_file.write_text("MAX_REQUEST_BYTES=100000\n")
        responder.send_signal(signal.SIGHUP)
        wait_for(lambda: "settings read again" in site.log_text(), "the new log")
        assert site.post(request("x" * 2000)).status == 200
        env_file.write_text("MAX_REQUEST_BYTES=none\n")
        responder.send_signal(signal.SIGHUP)
        wait_for(lambda: "the settings stay as they were" in site.log_text(), "the complaint")
        assert site.post(request("x" * 2000)).status == 200


def test_the_same_program_serves_as_cgi(site, upstream):
    site.use(upstream)
    with site.cgi():
        assert site.ask()["content"][0]["text"] == "Hello there"
        upstream.answer = parts("streamed", tool_calls=[tool_call("f", '{"a":1}')])
        assert [b["type"] for b in collect(site.stream())["content"]] == ["text", "tool_use"]
        assert site.request("GET", "/health").status == 200
        assert site.post("{").status == 400
        assert site.post(request(), key="wrong").status == 401
        assert site.request("GET", "/v1/messages").status == 405


def test_a_cgi_stream_arrives_as_it_is_sent(site, upstream):
    site.use(upstream)
    with site.cgi():
        check_chunks_come_one_by_one(site, upstream)


def test_cgi_output_may_be_a_file(site, upstream):
    site.use(upstream)
    body = '{"model":"m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"x"}]}'
    env = site.environment(GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST", SCRIPT_NAME="/x.fcgi", PATH_INFO="/v1/messages",
                           CONTENT_LENGTH=len(body), HTTP_X_API_KEY=ACCESS_KEY)
    with open(site.folder / "out", "wb") as out:
        done = subprocess.run([BUILD / "claude-proxy.fcgi"], env=env, input=body.encode(), stdout=out, timeout=30)
    assert done.returncode == 0
    head, _, rest = (site.folder / "out").read_bytes().decode().partition("\r\n\r\n")
    assert head.startswith("Status: 200") and collect(parse_events(rest))["content"][0]["text"] == "Hello there"


@pytest.mark.parametrize("encoding, code", [("chunked", 200), (None, 400)])
def test_cgi_reads_a_chunked_request_to_its_end(site, upstream, encoding, code):
    """Apache's mod_cgid hands on a chunked body without its length; without either there is no body (RFC 3875 4.3.2)."""
    site.use(upstream)
    env = site.environment(GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST", SCRIPT_NAME="/x.fcgi", PATH_INFO="/v1/messages",
                           HTTP_TRANSFER_ENCODING=encoding, HTTP_X_API_KEY=ACCESS_KEY)
    done = subprocess.run([BUILD / "claude-proxy.fcgi"], env=env, input=json.dumps(request("x" * 300_000)).encode(),
                          capture_output=True, timeout=30)
    assert done.stdout.startswith(b"Status: %d" % code), done.stdout
    assert len(upstream.calls) == (code == 200) and (not upstream.calls or len(upstream.last["messages"][0]["content"]) == 300_000)


def test_cgi_that_cannot_start_tells_its_client(site):
    env = site.environment(GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="GET", PATH_INFO="/health", PORT="x")
    done = subprocess.run([BUILD / "claude-proxy.fcgi"], env=env, capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("Status: 500") and '"api_error"' in done.stdout and "PORT" in done.stdout


@pytest.mark.parametrize("words", [["beta"], ["--version"], ["--help"], ["a", "b"]], ids=lambda words: "+".join(words))
def test_cgi_arguments_are_the_query_and_no_options(site, upstream, words):
    """A query without `=` comes as arguments, too (RFC 3875 4.4): `POST /v1/messages?beta`."""
    site.use(upstream)
    env = site.environment(GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST", SCRIPT_NAME="/x.fcgi", PATH_INFO="/v1/messages",
                           QUERY_STRING="+".join(words), HTTP_X_API_KEY=ACCESS_KEY, CONTENT_LENGTH=len(json.dumps(request())))
    done = subprocess.run([BUILD / "claude-proxy.fcgi", *words], env=env, input=json.dumps(request()), capture_output=True,
                          text=True, timeout=30)
    assert (done.returncode, done.stdout[:11]) == (0, "Status: 200"), done


def test_started_by_hand_it_says_what_it_is(site):
    done = subprocess.run([BUILD / "claude-proxy.fcgi"], env=site.environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "web server" in done.stderr
    done = subprocess.run([BUILD / "claude-proxy.fcgi", "--version"], env=site.environment(), capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("claude-proxy ")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_in_logs_and_errors(site, upstream, log_format):
    site.use(upstream)
    site.admin("set", "main", "header.X-Secret", "sk-header-0123456789abcdef")
    with site.lighttpd(LOG_FORMAT=log_format, ENABLE_REQUEST_LOGS="true", ENABLE_RESPONSE_LOGS="true", LOG_BODY_LIMIT=100000):
        site.ask(f"my keys are {SECRET} and {ACCESS_KEY}")
        site.stream()
        for code in (400, 401, 403, 429, 500):
            upstream.answer = status(code, f"you sent {SECRET} and {SECRET}" + "x" * 300, "text/plain")
            assert SECRET not in site.post(request()).body.decode()
        site.post(request(), key="wrong")
        for i in range(0, 60, 3):
            upstream.answer = status(500, "x" * (170 + i) + SECRET, "text/plain")
            assert "sk-test-012" not in site.post(request()).body.decode()
    log = site.log_text() + (site.folder / "lighttpd.log").read_text() + (site.folder / "server.err").read_text()
    assert "my keys are" in log and "sk-t" in log
    for secret in (SECRET, ACCESS_KEY, "sk-header-0123456789abcdef"):
        assert secret not in log


def test_request_lines_carry_the_request_id(served):
    answer = served.post(request())
    line = wait_for(lambda: [l for l in served.log_text().splitlines() if answer.headers["request-id"] in l], "the log line")[0]
    assert "status=200" in line and "upstream=main" in line and "output_tokens=5" in line


def test_the_database_is_nobody_elses(site, upstream):
    site.use(upstream)
    with site.lighttpd():
        site.ask()
        for name in os.listdir(site.database.parent):
            assert stat.S_IMODE(os.stat(site.database.parent / name).st_mode) == 0o600, name


@pytest.mark.parametrize("method, path, code", [
    ("GET", "/health", 503), ("HEAD", "/health", 503), ("OPTIONS", "/v1/messages", 204), ("GET", "/nowhere", 404),
    ("GET", "/v1/messages", 405), ("GET", "/v1/models", 401), ("POST", "/v1/messages", 401), ("POST", "/admin/config/reload", 401),
    ("GET", "/metrics", 401), ("GET", "/admin/dev/info", 404)])
def test_no_answer_comes_before_the_whole_request(site, method, path, code):
    """Apache's mod_proxy_fcgi sends the end of a body apart, also of an empty one; who is gone by then has not answered."""
    with site.fastcgi():
        head = fastcgi_client.head(method, path, key=None)
        with fastcgi_client.Connection(site, head) as early, fastcgi_client.Connection(site, head) as whole:
            whole.socket.sendall(fastcgi_client.record(fastcgi_client.STDIN))
            # The later one has its answer: the earlier would have, too.
            assert whole.answer()[0] == code
            assert select.select([early.socket], [], [], 0)[0] == []
            early.socket.sendall(fastcgi_client.record(fastcgi_client.STDIN))
            assert early.answer()[0] == code

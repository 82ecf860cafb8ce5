"""The rate limit, the concurrency limit, and reloading the settings (SPEC §3, §4)."""
import subprocess
import threading
import time
from datetime import datetime

import pytest

from site_under_test import ACCESS_KEY, BUILD, request, wait_for
from upstream import parts, text

LIMITED = {"ENABLE_RATE_LIMIT": "true", "RATE_LIMIT_MAX_REQUESTS": 3, "RATE_LIMIT_WINDOW": 60000}


def test_over_the_limit_a_client_is_told_when_to_come_back(site, upstream):
    site.use(upstream)
    with site.lighttpd(**LIMITED):
        left = []
        for _ in range(3):
            answer = site.post(request())
            assert answer.status == 200 and answer.headers["anthropic-ratelimit-requests-limit"] == "3"
            left.append(answer.headers["anthropic-ratelimit-requests-remaining"])
        assert left == ["2", "1", "0"]
        answer = site.post(request(stream=True))
        assert answer.status == 429 and answer.error["type"] == "rate_limit_error"
        assert 0 < int(answer.headers["retry-after"]) <= 60
        reset = datetime.fromisoformat(answer.headers["anthropic-ratelimit-requests-reset"].replace("Z", "+00:00")).timestamp()
        assert time.time() < reset <= time.time() + 61
        assert len(upstream.calls) == 3
        assert site.request("GET", "/health").status == 200


def test_streams_tell_the_limit_too(site, upstream):
    site.use(upstream)
    upstream.answer = parts("hello")
    with site.nginx(**LIMITED):
        assert site.post(request(stream=True)).headers["anthropic-ratelimit-requests-remaining"] == "2"


def test_the_window_ends(site, upstream):
    site.use(upstream)
    with site.lighttpd(ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS=1, RATE_LIMIT_WINDOW=900):
        assert site.post(request()).status == 200
        refused = site.post(request())
        assert refused.status == 429 and "per 0.9 s" in refused.error["message"]
        wait_for(lambda: site.post(request()).status == 200, "the window to end", 5)


def test_the_limit_is_exact_over_four_processes(site, upstream):
    site.use(upstream)
    statuses = []
    with site.lighttpd(processes=4, ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS=25) as server:
        assert len(site.responders(server)) == 4
        threads = [threading.Thread(target=lambda: [statuses.append(site.post(request()).status) for _ in range(5)])
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (statuses.count(200), statuses.count(429)) == (25, 15)
    with site.cgi(ENABLE_RATE_LIMIT="true", RATE_LIMIT_MAX_REQUESTS=25):
        assert site.post(request()).status == 429


def cgi(site, address, **settings):
    body = '{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}'
    env = site.environment(GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST", SCRIPT_NAME="/x.fcgi", PATH_INFO="/v1/messages",
                           CONTENT_LENGTH=len(body), HTTP_X_API_KEY=ACCESS_KEY, REMOTE_ADDR=address, **settings)
    done = subprocess.run([BUILD / "claude-proxy.fcgi"], env=env, input=body, capture_output=True, text=True, timeout=30)
    return int(done.stdout.split()[1])


def test_each_address_has_its_own_window(site, upstream):
    site.use(upstream)
    limit = {"ENABLE_RATE_LIMIT": "true", "RATE_LIMIT_MAX_REQUESTS": 1}
    assert [cgi(site, address, **limit) for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1")] == \
        [200, 200, 429, 200]


def test_one_request_too_many_gets_529(site, upstream):
    release = threading.Event()

    def answer(call):
        assert release.wait(30)
        text("hello")(call)

    upstream.answer = answer
    site.use(upstream)
    with site.lighttpd(MAX_CONCURRENT_REQUESTS=2):
        threads = [threading.Thread(target=site.ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(upstream.calls) == 2, "both to be in flight")
        refused = site.post(request())
        assert refused.status == 529 and refused.error["type"] == "overloaded_error" and refused.headers["retry-after"] == "1"
        release.set()
        for thread in threads:
            thread.join()
        assert site.post(request()).status == 200


# ---- reload ----

def reload(site, key=ACCESS_KEY):
    return site.request("POST", "/admin/config/reload", b"", {"x-api-key": key} if key else {})


def test_a_reload_reaches_every_process(site, upstream):
    site.use(upstream)
    env_file = site.folder / "settings.env"
    env_file.write_text("MAX_REQUEST_BYTES=1024\n")
    with site.lighttpd(processes=4, CLAUDE_PROXY_ENV=env_file) as server:
        assert len(site.responders(server)) == 4
        assert {site.post(request("x" * 2000)).status for _ in range(20)} == {413}
        env_file.write_text("MAX_REQUEST_BYTES=100000\n")
        answer = reload(site)
        assert answer.status == 200
        assert answer.json["settings"]["MAX_REQUEST_BYTES"] == 100000
        assert answer.json["config"] == {"upstreamCount": 1, "currentUpstream": "main", "loadBalance": "failover"}
        assert ACCESS_KEY not in answer.body.decode()
        assert {site.post(request("x" * 2000)).status for _ in range(40)} == {200}


def test_a_reload_of_bad_settings_changes_nothing(site, upstream):
    site.use(upstream)
    env_file = site.folder / "settings.env"
    env_file.write_text("MAX_REQUEST_BYTES=100000\n")
    with site.lighttpd(CLAUDE_PROXY_ENV=env_file):
        env_file.write_text("MAX_REQUEST_BYTES=lots\n")
        answer = reload(site)
        assert answer.status == 500 and "MAX_REQUEST_BYTES: 'lots'" in answer.error["message"]
        assert site.post(request("x" * 2000)).status == 200


@pytest.mark.parametrize("server", ["lighttpd", "nginx", "cgi"])
def test_a_reload_needs_the_access_key_and_post(site, upstream, server):
    site.use(upstream)
    with getattr(site, server)():
        assert reload(site, None).status == 401 and reload(site, "wrong").status == 401
        answer = site.request("GET", "/admin/config/reload", headers={"x-api-key": ACCESS_KEY})
        assert answer.status == 405 and answer.headers["allow"] == "POST"
        assert reload(site).status == 200


def test_a_reload_is_not_missed_after_everything_was_cleared(site, upstream):
    site.use(upstream)
    env_file = site.folder / "settings.env"
    env_file.write_text("MAX_REQUEST_BYTES=1024\n")
    with site.lighttpd(CLAUDE_PROXY_ENV=env_file):
        assert reload(site).status == 200
        assert site.post(request("x" * 2000)).status == 413
        site.admin("clear", "--yes")
        site.use(upstream)
        env_file.write_text("MAX_REQUEST_BYTES=100000\n")
        # Another process is asked; this one saw a first reload, and neither the clearing nor the second one.
        head = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/x.fcgi", "CONTENT_LENGTH": "0",
                "PATH_INFO": "/admin/config/reload", "HTTP_X_API_KEY": ACCESS_KEY, "CLAUDE_PROXY_ENV": env_file}
        done = subprocess.run([BUILD / "claude-proxy.fcgi"], env=site.environment(**head), input="", capture_output=True, text=True,
                              timeout=30)
        assert done.stdout.startswith("Status: 200"), done
        assert site.post(request("x" * 2000)).status == 200

"""No key is seen where it does not belong: logs with bodies, errors, lists, the process list (SPEC §8)."""
import json
import os
import pty
import re
import select
import sqlite3
import subprocess
import termios
from pathlib import Path

import pytest

from site_under_test import ACCESS_KEY, BUILD, request, wait_for
from upstream import status

KEYS = ["sk-first-0123456789abcdef", "AIzaSecond0123456789abcdefghijklmnop", "plainthird0123456789"]
# What `set` is given stands in the process list for a moment: no other run on this machine may be mistaken for this one.
HEADER, PROXY_WORD = f"header-secret-{os.getpid():010}", f"proxy-secret-word-{os.getpid()}"
SECRETS = [*KEYS, HEADER, PROXY_WORD, ACCESS_KEY]


def process_list(site):
    """How the processes of this build and this site were started; others on the machine may hand on what they like."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    ours = [line for line in listed.splitlines() if str(BUILD) in line or str(site.folder) in line]
    assert ours, listed
    return "\n".join(ours)


def add_keys_unseen(site, name, keys):
    """`key add -` with the process list looked at while it waits for its input."""
    process = subprocess.Popen([BUILD / "claude-proxy-admin", "key", name, "add", "-"], env=site.environment(LOG_FILE=None),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write("\n".join(keys))
    process.stdin.flush()
    listed = process_list(site)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    return listed + output


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_after_a_whole_run_no_secret_is_found(site, upstream, log_format):
    seen = []
    site.admin("add", "main", upstream.url, "openai")
    site.admin("add", "spare", upstream.url, "claude")
    seen.append(add_keys_unseen(site, "main", KEYS))
    seen.append(add_keys_unseen(site, "spare", KEYS[:1]))
    site.admin("set", "main", "fallback", "spare")
    site.admin("set", "main", "header.X-Token", HEADER)

    def echo(code):
        return lambda call: status(code, f"your key {call.key} is no good, nor {HEADER}", "text/plain")(call)

    settings = {"LOG_FORMAT": log_format, "ENABLE_REQUEST_LOGS": "true", "ENABLE_RESPONSE_LOGS": "true", "LOG_BODY_LIMIT": 100000,
                "ENABLE_RATE_LIMIT": "true", "RATE_LIMIT_MAX_REQUESTS": 1000, "NODE_ENV": "development"}
    with site.lighttpd(**settings):
        for code in (400, 401, 429, 500):
            upstream.answer = echo(code)
            for stream in (False, True):
                seen.append(site.post(request(f"I say {KEYS[0]} and {ACCESS_KEY}", stream=stream)).body.decode())
        upstream.strict = False
        upstream.answer = status(200, {"data": []})
        seen.append(site.post(request(), key="wrong-access-key").body.decode())
        for path in ("/health", "/admin/dev/info", "/metrics", "/v1/models"):
            seen.append(site.request("GET", path, headers={"x-api-key": ACCESS_KEY}).body.decode())
        seen.append(site.request("POST", "/admin/config/reload", b"", {"x-api-key": ACCESS_KEY}).body.decode())
        for command in (["show"], ["show", "--json"], ["key", "main", "list"], ["export"], ["usage", "--by", "key"], ["doctor"],
                        ["doctor", "--json"], ["test", "--all", "--model", "m"], ["key", "main", "remove", "9"]):
            done = site.admin(*command, check=False)
            seen.append(done.stdout + done.stderr)
        site.admin("set", "main", "proxy", f"http://me:{PROXY_WORD}@127.0.0.1:9")
        seen.append(site.post(request()).body.decode())
        for command in (["show"], ["show", "--json"], ["export"], ["doctor"], ["test", "--model", "m"]):
            done = site.admin(*command, check=False)
            seen.append(done.stdout + done.stderr)
        seen.append(process_list(site))
    seen.append(site.log_text())
    for name in ("lighttpd.log", "server.err"):
        seen.append((site.folder / name).read_text())
    for secret in SECRETS:
        for text in seen:
            assert secret not in text, (secret, text[max(0, text.find(secret) - 300):text.find(secret) + 100])
    assert "I say" in site.log_text() and "attempt failed" in site.log_text()


# Secrets that the process list may show for a moment, where the test above runs at the same time.
SEEN_KEY, SEEN_HEADER, SEEN_WORD = "sk-seen-0123456789abcdef", "seen-header-0123456789", "seen-proxy-word"


@pytest.mark.parametrize("proxy", ["http://me:{}@[::1", "http://me:{}@host:99999999", "http://me:{}@127.0.0.1:port", "http://me:{}@",
                                   "socks5://me:{}@ho st", "socks9://me:{}@host"])
def test_a_proxy_that_curl_cannot_read_is_refused_without_its_password(site, upstream, proxy):
    """curl quotes all of it when it complains."""
    proxy = proxy.format(SEEN_WORD)
    site.use(upstream, SEEN_KEY)
    said = site.admin("set", "main", "proxy", proxy, check=False)
    assert said.returncode == 2
    imported = site.admin("import", "-", check=False, input=json.dumps(
        {"upstream": [{"name": "x", "baseUrl": "http://x", "serviceType": "openai", "options": {"proxy": proxy}}]}))
    assert imported.returncode == 1 and "upstream[0].options" in imported.stderr
    # One that an older version stored.
    with sqlite3.connect(site.database) as db:
        db.execute("INSERT INTO upstream_options VALUES (1, 'proxy', ?)", (proxy,))
    with site.lighttpd():
        answer = site.post(request())
        assert answer.status == 502
        shown = [site.admin(*command, check=False) for command in (["show"], ["test", "--model", "m"], ["doctor"])]
    said = [*shown, said, imported]
    assert SEEN_WORD not in "".join(done.stdout + done.stderr for done in said) + answer.body.decode() + site.log_text()


def test_a_password_in_a_base_url_is_refused_and_not_repeated(site):
    url = f"http://me:{SEEN_WORD}@a.example"
    added = site.admin("add", "a", url, "openai", check=False)
    imported = site.admin("import", "-", check=False, input=json.dumps({"upstream": [{"baseUrl": url, "serviceType": "openai"}]}))
    assert (added.returncode, imported.returncode) == (2, 1) and "password" in added.stderr and "upstream[0]" in imported.stderr
    assert SEEN_WORD not in added.stderr + imported.stderr


def test_a_header_that_is_refused_is_not_repeated(site, upstream):
    site.use(upstream, SEEN_KEY)
    done = site.admin("set", "main", "header.X-Token", SEEN_HEADER + "\r\nX: y", check=False)
    assert done.returncode == 2 and "line breaks" in done.stderr and SEEN_HEADER not in done.stderr


@pytest.mark.parametrize("command, secret", [
    (["key", "main", "remove", SEEN_KEY], SEEN_KEY), (["key", "main", "add", "k" + SEEN_KEY], SEEN_KEY),
    (["set", "main", "header.X-Token", SEEN_HEADER], SEEN_HEADER),
    (["set", "main", "proxy", f"http://me:{SEEN_WORD}@127.0.0.1:9"], SEEN_WORD),
    (["add", "main2", f"http://127.0.0.1:9?key={SEEN_WORD}", "openai"], SEEN_WORD)],
    ids=["remove", "add", "header", "proxy", "base URL"])
def test_a_secret_argument_leaves_the_process_list_at_once(site, upstream, command, secret):
    """Here the command waits for a lock that another program keeps."""
    site.use(upstream, SEEN_KEY)
    other = sqlite3.connect(site.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    process = subprocess.Popen([BUILD / "claude-proxy-admin", *command], env=site.environment(LOG_FILE=None),
                               stdout=subprocess.DEVNULL)

    def listed():
        return subprocess.run(["ps", "-o", "args=", "-p", str(process.pid)], capture_output=True, text=True).stdout

    wait_for(lambda: "main" in (seen := listed()) and secret not in seen and process.poll() is None, "the secret to go", 4)
    other.execute("ROLLBACK")
    assert process.wait(20) == 0


# As it stands in the base URL, and as it is meant.
URL_KEY, URL_KEY_DECODED = f"url%2Fkey-{os.getpid():010}", f"url/key-{os.getpid():010}"


def test_a_key_in_the_query_of_a_base_url_is_told_to_nobody(site, upstream):
    """The owner sees where it stands, others only where requests go."""
    upstream.strict = False
    for name, service_type, url in [("main", "custom", upstream.url), ("claude", "claude", upstream.url),
                                    ("gone", "openai", "http://127.0.0.1:9"), ("nowhere", "gemini", "http://host.invalid")]:
        site.admin("add", name, f"{url}/tenant-path/v1?api-version=1&key={URL_KEY}", service_type)
        site.admin("key", name, "add", SEEN_KEY)
        site.admin("route", "add", f"to-{name}", "m", "--upstream", name)
    seen = []
    with site.lighttpd(NODE_ENV="development", ENABLE_REQUEST_LOGS="true", ENABLE_RESPONSE_LOGS="true", LOG_BODY_LIMIT=100000):
        for code in (200, 302, 400, 401, 404, 429, 500):
            for words in ("{}", {"error": {"message": f"bad call {upstream.url}/?key={URL_KEY}, or {URL_KEY_DECODED}"}},
                          f"<title>{URL_KEY} {URL_KEY_DECODED}</title>", f"data: {URL_KEY} {URL_KEY_DECODED}"):
                upstream.answer = status(code, words)
                seen += [site.post({**request(stream=stream), "model": f"to-{name}"}).body.decode()
                         for name in ("main", "claude") for stream in (False, True) if not (code == 200 and name == "claude")]
        assert f"key={URL_KEY}" in upstream.calls[0].path
        seen += [site.post({**request(), "model": f"to-{name}"}).body.decode() for name in ("gone", "nowhere")]
        assert "http://127.0.0.1:9" in seen[-2] and "http://host.invalid" in seen[-1]
        information = site.request("GET", "/admin/dev/info", headers={"x-api-key": ACCESS_KEY})
        assert [u["baseUrl"] for u in information.json["config"]["upstreams"]][2:] == ["http://127.0.0.1:9", "http://host.invalid"]
        seen += [information.body.decode(), site.request("GET", "/metrics", headers={"x-api-key": ACCESS_KEY}).body.decode()]
        for command in (["doctor"], ["doctor", "--json"], ["test", "--all", "--model", "m"], ["test", "--all", "--model", "m", "--json"]):
            done = site.admin(*command, check=False)
            seen.append(done.stdout + done.stderr)
        seen.append(site.log_text())
    shown = [site.admin(*command).stdout for command in (["show"], ["show", "--json"], ["export"])]
    for text in shown:
        assert "/tenant-path/v1?api-version=…&key=url%" in text
    for text in [*seen, *shown]:
        assert URL_KEY not in text and URL_KEY_DECODED not in text, text
    for text in seen:
        assert "tenant-path" not in text, text
    whole = site.admin("export", "--secrets").stdout
    assert f"key={URL_KEY}" in whole
    masked = site.admin("import", "-", input=shown[2].replace('"main"', '"copy"'), check=False)
    assert masked.returncode == 1 and "masked" in masked.stderr
    assert site.admin("import", "-", input=whole).returncode == 0


@pytest.mark.parametrize("url", ["ftp://h/v1?key={}", "http://h/v1?key={}#top", "h/v1?key={}", "http://h:99999999/v1?key={}",
                                 "http://h/v1?key={} x"])
def test_a_base_url_that_is_refused_is_shown_without_its_key(site, url):
    url = url.format(URL_KEY)
    added = site.admin("add", "a", url, "openai", check=False)
    imported = site.admin("import", "-", check=False, input=json.dumps({"upstream": [{"baseUrl": url, "serviceType": "openai"}]}))
    assert (added.returncode, imported.returncode) == (2, 1)
    assert URL_KEY not in added.stderr + imported.stderr and "?key=url%" in added.stderr


def test_a_key_with_a_nul_is_refused_and_not_cut(site):
    site.admin("add", "a", "http://a", "openai")
    done = site.admin("key", "a", "add", "-", input="sk-good-0123456789abcdef\nsk-abcdefgh\0ijklmnopqrstu\n", check=False)
    assert done.returncode == 2 and "key 1" in done.stderr and "NUL" in done.stderr
    assert json.loads(site.admin("key", "a", "list", "--json").stdout) == []


def core_limits(process):
    found = re.search(r"^Max core file size +(\S+) +(\S+)", Path(f"/proc/{process}/limits").read_text(), re.M)
    return found.groups()


def test_programs_that_hold_keys_leave_no_core_dump(site, upstream):
    """Nor may one be allowed again: the hard limit is 0, too."""
    site.use(upstream)
    admin = subprocess.Popen([BUILD / "claude-proxy-admin", "key", "main", "add", "-"], env=site.environment(LOG_FILE=None),
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    with site.fastcgi() as responder:
        for process in (admin.pid, responder.pid):
            wait_for(lambda: core_limits(process) == ("0", "0"), "the limit of 0")
    admin.communicate(b"sk-of-a-process-0123456789\n", timeout=20)
    assert admin.returncode == 0


def option_of(site, name):
    with sqlite3.connect(site.database) as db:
        found = db.execute("SELECT value FROM upstream_options WHERE name = ?", (name,)).fetchone()
    return found and found[0]


@pytest.mark.parametrize("typed", ["a value: 0123456789\n", "a value: 0123456789", "a value: 0123456789\r\n\n"])
def test_a_secret_option_comes_from_standard_input(site, upstream, typed):
    site.use(upstream, SEEN_KEY)
    assert "set header.X-Token" in site.admin("set", "main", "header.X-Token", "-", input=typed).stdout
    assert option_of(site, "header.X-Token") == "a value: 0123456789"


@pytest.mark.parametrize("typed, words", [("", "empty"), ("\n", "empty"), ("first-0123\nsecond-0123\n", "more than one line"),
                                          ("first-0123\0second-0123\n", "NUL"), ("first-0123\x01\n", "control characters")])
def test_what_is_no_value_is_refused_and_not_repeated(site, upstream, typed, words):
    site.use(upstream, SEEN_KEY)
    done = site.admin("set", "main", "header.X-Token", "-", input=typed, check=False)
    assert done.returncode != 0 and words in done.stderr and "-0123" not in done.stderr
    assert option_of(site, "header.X-Token") is None


@pytest.mark.parametrize("command, end", [(["set", "main", "header.X-Token", "-"], b"\n"), (["key", "main", "add", "-"], b"\n\x04")],
                         ids=["set", "key"])
def test_a_secret_that_is_typed_does_not_show(site, upstream, command, end):
    site.use(upstream, SEEN_KEY)
    terminal, theirs = pty.openpty()
    process = subprocess.Popen([BUILD / "claude-proxy-admin", *command], env=site.environment(LOG_FILE=None),
                               stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    seen = b""

    def read_until(words):
        nonlocal seen
        while words not in seen:
            assert select.select([terminal], [], [], 20)[0], seen
            seen += os.read(terminal, 4096)

    read_until(b"(not shown)")
    os.write(terminal, SEEN_HEADER.encode() + end)
    read_until(b"\r\nset header" if command[0] == "set" else b"\r\nadded 1 key")
    assert process.wait(20) == 0 and SEEN_HEADER.encode() not in seen
    assert termios.tcgetattr(theirs)[3] & termios.ECHO
    os.close(terminal)
    os.close(theirs)

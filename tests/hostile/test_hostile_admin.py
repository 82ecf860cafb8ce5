"""Bad input to the admin command, and what its output may give away."""
import json
import os
import sqlite3
import stat
import subprocess

import pytest

import hostile
from site_under_test import ACCESS_KEY, BUILD, request
from upstream import models, status

SECRET = "sk-admin-0123456789abcdef"


@pytest.fixture
def main(site):
    site.admin("add", "main", "http://127.0.0.1:1", "openai")
    return site


def unchanged(site, ledger, *arguments, input=None):
    """The command is refused, in words, and nothing has changed."""
    before = site.admin("export", "--secrets").stdout
    done = site.admin(*arguments, input=input, check=False)
    ledger.note(inputs=1)
    assert done.returncode in (1, 2) and done.stderr.startswith("claude-proxy-admin: "), (arguments, done)
    assert site.admin("export", "--secrets").stdout == before, arguments
    return done


# Each by its name on the command line, and where that can be, one a line on standard input.
BAD_KEYS = {"empty": "", "a line feed": "sk-a\nsk-b", "a carriage return": "sk-a\rX-Evil: 1", "both": "sk-a\r\nX-Evil: 1", "a space": "sk a",
            "a tab": "sk\ta", "an escape": "sk-\x1b[2J", "delete": "sk-\x7f", "C1": "sk-\x9b", "not ASCII": "schl\u00fcssel",
            "another direction": "sk-\u202eabc", "only spaces": "   ", "100 KB": "k" * 100_000}


@pytest.mark.parametrize("row", BAD_KEYS)
def test_a_key_that_is_none(main, ledger, row):
    key = BAD_KEYS[row]
    unchanged(main, ledger, "key", "main", "add", key)
    unchanged(main, ledger, "key", "main", "add", "sk-good-0123456789", key)
    if "\n" not in key and row != "only spaces":
        unchanged(main, ledger, "key", "main", "add", "-", input=key)


def test_a_key_with_a_nul_on_standard_input(main, ledger):
    unchanged(main, ledger, "key", "main", "add", "-", input="sk-a\0b\n")


BAD_URLS = [
    "", "127.0.0.1", "file:///etc/passwd", "gopher://127.0.0.1:1/x", "ftp://x", "dict://x", "javascript:1", "http://", "https://:443",
    "http://user:pw@x/v1", "http://user@x/v1", "http://x:65536", "http://x:-1", "http://x:http", "http://x y/v1",
    "http://x/v1\r\nX-Evil: 1", "http://x/\x1b[2J", "http://x\\@evil/", "http://[::1", "http://x/\x01",
]


@pytest.mark.parametrize("url", BAD_URLS, ids=lambda url: repr(url[:40]))
def test_an_address_that_is_none(main, ledger, url):
    unchanged(main, ledger, "add", "other", url, "openai")


BAD_OPTIONS = [
    ("header.X-A", "a\r\nX-Evil: 1"), ("header.X-A", "a\nX-Evil: 1"), ("header.X-A", "a\x01"), ("header.X\r\nEvil", "1"), ("header.X: Y", "1"),
    ("header.", "1"), ("header.X Y", "1"), ("header.Host", "evil"), ("header.Transfer-Encoding", "chunked"), ("header.Content-Length", "1"),
    ("header.\u00fc", "1"), ("proxy", "file:///etc/passwd"), ("proxy", "http://x y"), ("proxy", "gopher://x"), ("timeout", "-1"),
    ("timeout", "1e9"), ("max-output-tokens", "0"), ("max-output-tokens", "99999999999999999999"), ("fallback", "main"),
]


@pytest.mark.parametrize("name, value", BAD_OPTIONS, ids=repr)
def test_an_option_that_is_none(main, ledger, name, value):
    unchanged(main, ledger, "set", "main", name, value)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[2J", "a\x7f", "12"], ids=repr)
def test_a_name_that_is_none(main, ledger, name):
    unchanged(main, ledger, "add", name, "http://x", "openai")


@pytest.mark.parametrize("pattern, model", [("", "m"), ("x", "")], ids=repr)
def test_a_route_that_is_none(main, ledger, pattern, model):
    unchanged(main, ledger, "route", "add", pattern, model)


def test_names_that_are_taken_are_shown_without_what_is_in_them_for_the_terminal(main, ledger):
    """Refused or taken; and a configuration may have come from somebody else."""
    odd = hostile.ESCAPES.replace("\n", "")
    for command in (["add", "a\u202e\u0085b", "http://x", "openai"], ["route", "add", odd, "m"], ["route", "add", "x", odd],
                    ["set", "main", "header.X-A", "\u202e"]):
        main.admin(*command, check=False)
        ledger.note(inputs=1)
    for command in (["show"], ["route", "list"], ["doctor"]):
        shown = main.admin(*command, check=False).stdout
        assert not hostile.controls(shown), (command, hostile.controls(shown))


@pytest.mark.parametrize("config", [
    "", "[]", "null", "{", '{"upstream": 5}', '{"upstream": [5]}', '{"upstream":[{"name":"x","baseUrl":"file:///x","serviceType":"openai"}]}',
    '{"upstream":[{"name":"x","baseUrl":"http://x","serviceType":"openai","apiKeys":["a\\r\\nX-Evil: 1"]}]}',
    '{"upstream":[{"name":"a\\u001b[2J","baseUrl":"http://x","serviceType":"openai"}]}', "[" * 100_000, "\x00" * 100,
    '{"upstream":[{"name":"x","baseUrl":"http://u:p@x","serviceType":"openai"}]}',
], ids=lambda text: repr(text[:40]))
def test_a_configuration_that_is_none(main, ledger, config):
    unchanged(main, ledger, "import", "-", input=config)


# ---- what is shown, and to whom ----

def test_a_secret_option_is_read_from_standard_input(main, ledger):
    """What stands on a command line is in the process list, and in the shell's history."""
    for name, value in [("header.Authorization", f"Bearer {SECRET}"), ("proxy", f"http://me:{SECRET}@127.0.0.1:9")]:
        main.admin("set", "main", name, "-", input=value + "\n")
        ledger.note(inputs=1)
        with sqlite3.connect(main.database) as db:
            assert db.execute("SELECT value FROM upstream_options WHERE name = ?", (name,)).fetchone() == (value,)
        assert SECRET not in main.admin("show").stdout


def test_what_an_upstream_says_reaches_no_terminal_raw(site, upstream, ledger):
    site.use(upstream, SECRET)
    upstream.answer = status(401, {"error": {"message": f"key {SECRET} {hostile.ESCAPES} is no good"}})
    with site.lighttpd():
        site.post(request())
        for command in (["show"], ["test", "--model", "m"], ["test", "--all", "--model", "m"], ["doctor"], ["key", "main", "list"], ["usage"]):
            done = site.admin(*command, check=False)
            ledger.note(inputs=1)
            assert not hostile.controls(done.stdout + done.stderr), (command, hostile.controls(done.stdout + done.stderr))
            assert SECRET not in done.stdout + done.stderr, command


def test_models_that_an_upstream_names_reach_no_terminal_raw(site, upstream, ledger):
    site.use(upstream, SECRET)
    upstream.answer = models([f"m{hostile.ESCAPES}"])
    ledger.note(inputs=1)
    for command in (["doctor"], ["test"]):
        done = site.admin(*command, check=False)
        assert not hostile.controls(done.stdout + done.stderr), command


def test_files_that_others_may_read_are_found_and_fixed(site, upstream, ledger):
    site.use(upstream)
    env_file = site.database.parent / ".env"
    env_file.write_text(f"PROXY_ACCESS_KEY={ACCESS_KEY}\n")
    env_file.chmod(0o666)
    site.database.chmod(0o666)
    ledger.note(inputs=2)
    assert "chmod 600" in site.admin("doctor", check=False).stdout
    with site.lighttpd():
        site.ask()
        for name in ("", "-wal", "-shm"):
            assert stat.S_IMODE(os.stat(f"{site.database}{name}").st_mode) == 0o600


def test_an_upstream_that_repeats_every_header_tells_no_secret(site, upstream, ledger):
    """In whatever form: JSON, HTML, text."""
    site.use(upstream, SECRET)
    site.admin("set", "main", "header.X-Token", "token-0123456789abcdef")

    def echo(kind):
        def answer(call):
            lines = [f"{name}: {value}" for name, value in call.headers.items()]
            text = {"application/json": json.dumps({"error": {"message": " ".join(lines)}}), "text/html": "<p>" + "<br>".join(lines),
                    "text/plain": "\n".join(lines)}[kind]
            call.reply(500, text, kind)
        return answer

    told = []
    with site.lighttpd(NODE_ENV="development", ENABLE_REQUEST_LOGS="true", ENABLE_RESPONSE_LOGS="true", LOG_BODY_LIMIT=100_000):
        for kind in ("application/json", "text/html", "text/plain"):
            upstream.answer = echo(kind)
            for stream in (False, True):
                told.append(site.post(request(stream=stream)).body.decode())
                ledger.note(inputs=1)
        for path in ("/metrics", "/admin/dev/info", "/health"):
            told.append(site.request("GET", path, headers={"x-api-key": ACCESS_KEY}).body.decode())
    told += [site.log_text(), *(site.admin(*command, check=False).stdout for command in (["show"], ["show", "--json"], ["export"], ["doctor"]))]
    for text in told:
        for secret in (SECRET, "token-0123456789abcdef", ACCESS_KEY):
            assert secret not in text, text[max(0, text.find(secret) - 200):][:400]


def test_two_hundred_admins_at_once_lose_nothing(site, ledger):
    env = site.environment(LOG_FILE=None)
    site.admin("add", "main", "http://127.0.0.1:1", "openai")
    for start in range(0, 200, 20):
        running = [subprocess.Popen([BUILD / "claude-proxy-admin", "key", "main", "add", f"sk-many-{n:010}"], env=env,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for n in range(start, start + 20)]
        for process in running:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
    ledger.note(inputs=200)
    assert len(json.loads(site.admin("key", "main", "list", "--json").stdout)) == 200

"""Keys that a command prints: run when they are needed, kept for every process until they expire."""
import json
import threading

import pytest

from site_under_test import request, wait_for
from upstream import models, parts, status


@pytest.fixture
def command(site, upstream):
    """Configure a key whose command counts its runs: each prints the next token."""
    runs = site.folder / "runs"

    def configure(output="token-$n-0123456789abcdef", name="main"):
        site.admin("add", name, upstream.url, "openai")
        site.admin("key", name, "add", "--command", f'echo run >>{runs}; n=$(wc -l <{runs}); echo "{output}"')

    configure.runs = lambda: len(runs.read_text().splitlines()) if runs.exists() else 0
    return configure


def keys_of(site):
    return json.loads(site.admin("key", "main", "list", "--json").stdout)


def test_it_is_run_once_for_all_processes(site, upstream, command):
    upstream.strict = False
    command()
    assert command.runs() == 0 and "(not fetched yet)" in site.admin("show").stdout
    with site.lighttpd(processes=2):
        for _ in range(12):
            site.ask()
    with site.cgi():
        site.ask()
    assert set(upstream.keys_seen()) == {"token-1-0123456789abcdef"} and command.runs() == 1
    shown = site.admin("show").stdout
    assert "toke…cdef" in shown and "command: echo run" in shown and "token-1-0" not in shown
    assert "token-1-0" not in site.log_text()


def test_many_at_once_run_it_once(site, upstream, command):
    upstream.strict = False
    command("token-$n-0123456789abcdef$(sleep 0.3)")
    with site.lighttpd():
        threads = [threading.Thread(target=site.ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(upstream.calls) == 8 and command.runs() == 1


def test_a_token_that_expires_is_replaced(site, upstream, command):
    upstream.strict = False
    command('{\\"access_token\\":\\"token-$n-0123456789abcdef\\",\\"expires_in\\":30}')  # less than the minute of grace
    with site.lighttpd():
        site.ask()
        site.ask()
    assert [call.key[:7] for call in upstream.calls] == ["token-1", "token-2"]


def test_a_token_that_is_refused_is_replaced(site, upstream, command):
    upstream.strict = False
    good = parts("OK")
    command()
    upstream.answer = lambda call: (status(401, {"error": {"message": "revoked"}}) if call.key.startswith("token-1") else good)(call)
    with site.lighttpd():
        assert site.post(request()).status == 401
        assert site.post(request()).status == 200
    assert command.runs() == 2


def test_when_it_fails_the_next_key_serves_and_the_reason_is_told(site, upstream):
    upstream.strict = False
    site.admin("add", "main", upstream.url, "openai")
    site.admin("key", "main", "add", "--command", "echo no login >&2; exit 3")
    with site.lighttpd():
        answer = site.post(request())
        assert answer.status == 502 and "the command that prints it failed" in answer.error["message"]
        wait_for(lambda: "it failed with status 3: no login" in site.log_text(), "the reason in the log")
        key = keys_of(site)[0]
        assert key["state"] == "resting" and "no login" in key["lastError"]
        site.admin("key", "main", "add", "sk-plain-0123456789abcdef")
        assert site.post(request()).status == 200
    assert set(upstream.keys_seen()) == {"sk-plain-0123456789abcdef"}


def test_no_header_of_a_client_reaches_it(site, upstream):
    """As CGI, HTTP_PROXY would be the client's."""
    upstream.strict = False
    site.admin("add", "main", upstream.url, "openai")
    site.admin("key", "main", "add", "--command", f"env >{site.folder}/env; echo token-0123456789abcdef")
    with site.cgi():
        assert site.post(request(), headers={"proxy": "http://evil.example", "x-foo": "bar"}).status == 200
    assert "HTTP_" not in (site.folder / "env").read_text()


def test_test_and_doctor_run_it_and_export_keeps_it(site, upstream, command):
    upstream.strict = False
    answer = parts("OK")
    upstream.answer = lambda call: (models(["m"]) if call.method == "GET" else answer)(call)
    command()
    assert "ok" in site.admin("test").stdout and command.runs() == 1
    site.admin("doctor")
    exported = site.admin("export").stdout
    assert "token-1" not in exported
    site.admin("clear", "--yes")
    site.admin("import", "-", input=exported)
    assert keys_of(site)[0]["command"].startswith("echo run") and "ok" in site.admin("test").stdout
    assert command.runs() == 2
    site.admin("key", "main", "add", "--command", "exit 1")
    done = site.admin("test", check=False)
    assert done.returncode == 1 and "its command failed" in done.stdout and "status 1" in done.stderr


@pytest.mark.parametrize("arguments", [("--command", ""), ("--command", "a\nb"), ("--command", "x", "k-0123456789"), (), ("!x-0123456789",)])
def test_wrong_usage(site, arguments):
    site.admin("add", "main", "https://api.example.com", "openai")
    assert site.admin("key", "main", "add", *arguments, check=False).returncode == 2

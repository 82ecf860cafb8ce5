"""claude-proxy-admin: commands, exit statuses, masks, and two at once (SPEC §7)."""
import json
import os
import signal
import sqlite3
import subprocess
import threading

import pytest

from site_under_test import BUILD

SECRETS = ["sk-first-0123456789abcdef", "sk-second-0123456789abcdef"]


@pytest.fixture
def admin(site):
    """Run the command; its output may never hold a whole key."""

    def run(*arguments, status=0, input=None):
        done = site.admin(*arguments, input=input, check=False)
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        for secret in SECRETS:
            assert secret not in done.stdout + done.stderr
        assert status == 0 or done.stderr.startswith(("claude-proxy-admin: ", "usage: "))
        return done.stdout if status == 0 else done.stderr

    return run


def test_a_configuration_from_nothing(admin):
    assert "key openai add" in admin("add", "openai", "https://api.example.com", "openai")
    admin("add", "other", "http://127.0.0.1:8080/x", "custom")
    assert "added 2 keys" in admin("key", "openai", "add", *SECRETS)
    assert "was there already" in admin("key", "0", "add", SECRETS[0])
    admin("balance", "random")
    admin("route", "add", "claude-*haiku*", "small", "--upstream", "other")
    shown = admin("show")
    assert "* 0  openai" in shown and "sk-f…cdef  ready" in shown and "strategy  random" in shown
    assert "claude-*haiku*  ->  small  at other" in shown


def test_show_as_json(admin, site):
    admin("add", "a", "https://a.example/v1", "openai")
    admin("key", "a", "add", *SECRETS)
    admin("key", "a", "disable", "1")
    admin("set", "a", "header.X-Token", SECRETS[0])
    admin("set", "a", "timeout", "500")
    shown = json.loads(admin("show", "--json"))
    assert shown["database"] == str(site.database)
    assert shown["strategy"] == "failover" and shown["currentUpstream"] == "a" and shown["routes"] == []
    upstream = shown["upstreams"][0]
    assert (upstream["name"], upstream["baseUrl"], upstream["serviceType"]) == ("a", "https://a.example/v1", "openai")
    assert upstream["options"] == {"timeout": 500, "header.X-Token": "sk-f…cdef"}
    assert [(key["key"], key["state"]) for key in upstream["keys"]] == [("sk-f…cdef", "ready"), ("sk-s…cdef", "disabled")]
    assert json.loads(admin("key", "a", "list", "--json"))[1]["enabled"] is False
    assert json.loads(admin("route", "list", "--json")) == []


def test_keys_from_standard_input(admin, site):
    admin("add", "a", "http://a", "openai")
    assert "added 2 keys" in admin("key", "a", "add", "-", input=f"\n  {SECRETS[0]} \r\n\n{SECRETS[1]}")
    with sqlite3.connect(site.database) as database:
        assert [row[0] for row in database.execute("SELECT secret FROM api_keys ORDER BY id")] == SECRETS
    admin("key", "a", "add", "-", input="", status=1)
    admin("key", "a", "add", "-", input="two words\n", status=2)


def test_names_and_indexes(admin):
    for name in ("a", "b", "c"):
        admin("add", name, f"http://{name}", "openai")
    admin("use", "1")
    assert json.loads(admin("show", "--json"))["currentUpstream"] == "b"
    admin("remove", "1")
    assert json.loads(admin("show", "--json"))["currentUpstream"] == "a"
    admin("use", "c")
    admin("key", "c", "add", *SECRETS)
    admin("key", "c", "remove", SECRETS[0])
    admin("key", "c", "remove", "0")
    assert json.loads(admin("key", "c", "list", "--json")) == []
    admin("route", "add", "x*", "y")
    admin("route", "add", "x*", "z")
    assert "index" in admin("route", "remove", "x*", status=1)
    admin("route", "remove", "1")
    admin("route", "remove", "x*")


@pytest.mark.parametrize("arguments, status", [
    ((), 2), (("frobnicate",), 2), (("add",), 2), (("add", "a", "http://a"), 2), (("add", "a", "http://a", "openai", "x"), 2),
    (("add", "a", "http://a", "nothing"), 2), (("add", "a", "ftp://a", "openai"), 2), (("add", "12", "http://a", "openai"), 2),
    (("add", "", "http://a", "openai"), 2), (("add", "a ", "http://a", "openai"), 2), (("use", "nobody"), 1),
    (("remove", "7"), 1), (("key", "nobody", "list"), 1), (("key", "main"), 2), (("key", "main", "juggle"), 2),
    (("key", "main", "add"), 2), (("key", "main", "remove", "9"), 1), (("key", "main", "enable"), 2), (("balance", "best"), 2),
    (("route", "add", "x"), 2), (("route", "add", "x", "y", "--upstream", "nobody"), 1), (("route", "remove", "0"), 1),
    (("route", "juggle"), 2), (("set", "main", "volume", "11"), 2), (("set", "main", "timeout", "soon"), 2),
    (("set", "main", "volume", ""), 2), (("set", "main", "timeout", "86400001"), 2), (("set", "main", "header.A B", ""), 0),
    (("set", "main", "fallback", "nobody"), 1), (("set", "main", "fallback", "main"), 1), (("set", "nobody", "timeout", "1"), 1),
    (("clear",), 2), (("show", "me"), 2), (("show", "--loud"), 2), (("add", "main", "http://a", "openai"), 1),
])
def test_exit_statuses(admin, arguments, status):
    admin("add", "main", "http://main", "openai")
    admin(*arguments, status=status)


def test_an_unknown_service_type_names_those_that_are_known(admin):
    assert "openai, openai-responses, gemini, claude, custom" in admin("add", "a", "http://a", "opnai", status=2)


@pytest.mark.parametrize("arguments", [("--help",), ("help",), ("key", "--help"), ("key", "main", "add", "--help"),
                                       ("route", "add", "--help"), ("set", "--help"), ("clear", "--help")])
def test_help_on_every_level(admin, arguments):
    assert admin(*arguments).startswith("usage: claude-proxy-admin")


def test_version_and_clear(admin):
    assert admin("--version").startswith("claude-proxy-admin ")
    admin("add", "a", "http://a", "openai")
    admin("route", "add", "x", "y")
    admin("balance", "random")
    admin("clear", "--yes")
    shown = json.loads(admin("show", "--json"))
    assert shown["upstreams"] == [] and shown["routes"] == [] and shown["strategy"] == "failover"


def test_a_bad_setting_is_named(site):
    done = subprocess.run([BUILD / "claude-proxy-admin", "show"], env=site.environment(LOG_LEVEL="loud"), capture_output=True,
                          text=True)
    assert done.returncode == 1 and "LOG_LEVEL" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(site):
    done = subprocess.run([BUILD / "claude-proxy-admin", "show"], env=site.environment(CLAUDE_PROXY_DB="/proc/none/x.db"),
                          capture_output=True, text=True)
    assert done.returncode == 1 and "/proc/none/x.db" in done.stderr and "CLAUDE_PROXY_DB" in done.stderr


def test_two_admins_at_once(admin, site):
    admin("add", "a", "http://a", "openai")

    def add(number):
        for i in range(10):
            site.admin("key", "a", "add", f"key-{number}-{i}-0123456789")

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(admin("key", "a", "list", "--json"))) == 40


def test_a_kill_at_any_moment_loses_nothing_that_was_reported(admin, site):
    admin("add", "a", "http://a", "openai")
    reported = 0
    for i in range(30):
        process = subprocess.Popen([BUILD / "claude-proxy-admin", "key", "a", "add", f"key-{i}-0123456789"], env=site.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if i % 3:
            os.kill(process.pid, signal.SIGKILL)
        reported += b"added 1 key" in process.communicate()[0]
    assert reported >= 10
    assert len(json.loads(admin("key", "a", "list", "--json"))) >= reported
    with sqlite3.connect(site.database) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("service", ["openai", "openai-responses", "gemini", "custom", "claude"])
def test_translate_needs_neither_network_nor_database(admin, site, service):
    out = admin("translate", "--to", service, input='{"model":"m","max_tokens":20,"messages":[{"role":"user","content":"hi there"}]}')
    assert "hi there" in json.dumps(json.loads(out)) and out.count("\n") == 1
    assert not site.database.exists()


def test_translate_answers_and_streams(admin, site):
    (site.folder / "answer").write_text('{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}')
    message = json.loads(admin("translate", "--to", "openai", "--response", str(site.folder / "answer")))
    assert message["content"] == [{"type": "text", "text": "hi"}]
    stream = 'data: {"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}\r\n\r\n'
    assert "event: message_stop" in admin("translate", "--to", "gemini", "--response", "-", input=stream)
    broken = site.admin("translate", "--to", "openai", "--response", check=False,
                        input='data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":"no"}\n\n')
    assert "text_delta" in broken.stdout and "event: error" in broken.stdout and "no" in broken.stderr and broken.returncode == 1
    assert "is required" in admin("translate", "--to", "openai", input="{}", status=1)
    assert "No such file" in admin("translate", "--to", "openai", "missing", status=1)
    assert "must be one of" in admin("translate", "--to", "nothing", status=2)
    assert "--to" in admin("translate", status=2)

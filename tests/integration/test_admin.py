"""claude-proxy-admin: commands, exit statuses, masks, and two at once (SPEC §7)."""
import json
import os
import signal
import sqlite3
import subprocess
import threading

import pytest

from site_under_test import BUILD, request
from upstream import status

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
    admin("route", "add", "x*", "z", "--upstream", "c")
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


# ---- what others chose: names of models, words of upstreams ----

# What steers a terminal, or ends a line: C0, DEL, C1, separators, writing direction.
NASTY = "a\x1b[2J\x1b]0;x\x07\r\n * 9  forged\x7f\x9b\u2028\u200e\u202e\u2066|"
SHOWN = NASTY.encode("unicode_escape").decode().replace("\\x", "\\u00").replace("\\r", "\\u000d").replace("\\n", "\\u000a")
ACTING = [*range(0x20), *range(0x7f, 0xa0), 0x200e, 0x200f, 0x2028, 0x2029, *range(0x202a, 0x202f), *range(0x2066, 0x206a)]


def check_harmless(text):
    acting = [c for c in text if ord(c) in ACTING and c not in "\n\t"]
    assert acting == [] and "\n * 9" not in text, text
    return text


def test_what_others_chose_steers_no_terminal(site, upstream):
    """It came in by requests and answers, or lies in the database since before names were checked."""
    site.use(upstream)
    upstream.answer = status(500, {"error": {"message": NASTY, "code": NASTY}})
    with site.lighttpd():
        assert site.post({**request(), "model": NASTY}).status == 500
    with sqlite3.connect(site.database) as database:
        database.execute("INSERT INTO routes (pattern, model) VALUES (?, ?)", (NASTY, NASTY))
        database.execute("UPDATE upstreams SET name = ?, service_type = 'openai'", (f"up{NASTY}",))
        database.execute("UPDATE api_keys SET last_error = ?", (NASTY,))
        database.execute("INSERT INTO upstream_options SELECT id, 'header.X', ? FROM upstreams", (NASTY * 2,))
    for command in (["show"], ["key", "0", "list"], ["route", "list"], ["usage", "--by", "model"],
                    ["doctor"], ["test"], ["test", NASTY], ["export"], ["use", "0"], ["set", "0", "timeout", "500"],
                    ["route", "remove", NASTY + "x"], ["add", "new", NASTY, "openai"], ["add", "new", "http://x", NASTY], [NASTY],
                    ["balance", NASTY], ["usage", "--since", NASTY], ["translate", "--to", NASTY], ["import", NASTY]):
        done = site.admin(*command, check=False)
        check_harmless(done.stdout + done.stderr)
        if command[0] in ("show", "route", "usage", "test", "use", "balance"):
            assert SHOWN in done.stdout + done.stderr, (command, done)
    for command in (["show", "--json"], ["key", "0", "list", "--json"], ["route", "list", "--json"], ["usage", "--by", "model", "--json"],
                    ["doctor", "--json"], ["test", "--json"], ["export"]):
        done = site.admin(*command, check=False)
        check_harmless(done.stdout)
        assert [text for text in texts_of(json.loads(done.stdout)) if NASTY in text], command


def texts_of(value):
    """Every text in a JSON value."""
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value] if isinstance(value, str) else [text for v in inside for text in texts_of(v)]


def test_a_file_steers_no_terminal_either(site):
    done = site.admin("import", "-", input=json.dumps({NASTY: 1, "upstream": [
        {"name": f"x{NASTY}", "baseUrl": "http://x", "serviceType": "openai", NASTY: 2}]}), check=False)
    assert done.returncode == 1 and SHOWN in check_harmless(done.stderr)


def test_lengths_are_bounded(admin, site):
    """Each refusal names the bound."""
    admin("add", "a", "http://a", "openai")
    name, url, key, value, model = "n" * 65, "http://h/" + "p" * 2048, "k" * 4097, "v" * 8193, "m" * 257
    assert "64" in admin("add", name, "http://a", "openai", status=2)
    assert "2048 bytes" in admin("add", "b", url, "openai", status=2)
    assert "4096 bytes" in admin("key", "a", "add", key, status=2)
    assert "8192 bytes" in admin("set", "a", "header.X", value, status=2)
    assert "header" in admin("set", "a", "header." + "X" * 257, "v", status=2)
    assert "pattern must not be longer than 256 bytes" in admin("route", "add", model, "m", status=2)
    assert "model must not be longer than 256 bytes" in admin("route", "add", "m", model, status=2)
    good = {"name": "n", "baseUrl": "http://x", "serviceType": "openai"}
    for bad, bound in [({"name": name}, "64"), ({"baseUrl": url}, "2048"), ({"apiKeys": [key]}, "4096"),
                       ({"options": {"header.X": value}}, "8192")]:
        assert bound in admin("import", "-", input=json.dumps({"upstream": [{**good, **bad}]}), status=1)
    for route in ({"pattern": model, "model": "m"}, {"pattern": "m", "model": model}):
        assert "256 bytes" in admin("import", "-", input=json.dumps({"upstream": [good], "routes": [route]}), status=1)
    assert "256 bytes" in admin("import", "-", input=json.dumps(
        {"upstream": [{**good, "modelMapping": {"opus": model}}], "currentUpstream": 0}), status=1)
    admin("add", "n" * 64, url[:2048], "openai")
    admin("key", "a", "add", key[:4096])
    admin("set", "a", "header.X", value[:8192])
    admin("route", "add", model[:256], model[:256])
    assert json.loads(admin("show", "--json"))["routes"][0]["model"] == model[:256]

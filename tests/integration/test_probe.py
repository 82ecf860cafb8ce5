"""`test` asks an upstream with each key, as the responder would (SPEC §7)."""
import json
import sqlite3

import pytest

import upstream as upstream_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from site_under_test import free_port
from upstream import status, text

SERVICES = [upstream_chat, upstream_responses, upstream_gemini, upstream_claude]
KEYS = ["sk-good-0123456789abcdef", "sk-bad-0123456789abcdef"]


def answer_by_path(service, names):
    """A service that lists models, and answers messages."""
    models, message = service.models(names), service.parts("OK.")
    return lambda call: (models if call.method == "GET" else message)(call)


@pytest.mark.parametrize("service", SERVICES, ids=lambda module: module.SERVICE_TYPE)
def test_each_key_is_asked_for_a_small_model_of_the_services_own(site, upstream, service):
    upstream.speak(service)
    answer = answer_by_path(service, ["text-embedding-1", "big-model", "model-mini"])
    refusal = status(401, service.error_body(401, f"bad key {KEYS[1]}"))
    upstream.answer = lambda call: (refusal if call.key == KEYS[1] else answer)(call)
    site.use(upstream, *KEYS, service_type=service.SERVICE_TYPE)
    done = site.admin("test", "--json", check=False)
    assert done.returncode == 1 and upstream.refused == []
    good, bad = json.loads(done.stdout)
    assert (good["ok"], good["status"], good["model"], good["index"]) == (True, 200, "model-mini", 0) and good["ms"] >= 0
    assert (bad["ok"], bad["status"], bad["error"]) == (False, 401, "authentication_error")
    assert not any(key in done.stdout + done.stderr for key in KEYS)
    assert len([call for call in upstream.calls if call.method == "POST"]) == 2


def test_the_model_of_a_route_or_of_the_command_line_is_asked(site, upstream):
    site.use(upstream, KEYS[0])
    site.admin("route", "add", "claude-*", "gpt-x")
    assert "ok" in (shown := site.admin("test").stdout) and "gpt-x" in shown
    site.admin("test", "main", "--model", "gpt-y")
    assert [call.body["model"] for call in upstream.calls] == ["gpt-x", "gpt-y"]


def test_a_disabled_key_is_not_asked_and_nothing_changes(site, upstream):
    site.use(upstream, *KEYS)
    site.admin("key", "main", "disable", "0")
    upstream.answer = status(429, {"error": {"message": "slow down"}})
    before = site.admin("show", "--json").stdout
    done = site.admin("test", "--model", "m", check=False)
    assert done.returncode == 1 and "disabled: not tested" in done.stdout and "429 rate_limit_error" in done.stdout
    assert [call.key for call in upstream.calls] == [KEYS[1]]
    assert site.admin("show", "--json").stdout == before
    with sqlite3.connect(site.database) as db:
        assert db.execute("SELECT count(*) FROM usage").fetchone() == (0,)


def test_all_upstreams(site, upstream):
    site.use(upstream, KEYS[0])
    site.admin("add", "down", f"http://127.0.0.1:{free_port()}", "openai")
    site.admin("key", "down", "add", KEYS[0])
    done = site.admin("test", "--all", "--model", "m", "--json", check=False)
    rows = json.loads(done.stdout)
    assert done.returncode == 1 and [(row["upstream"], row["ok"], row["status"]) for row in rows] == \
        [("main", True, 200), ("down", False, 502)]


def test_what_cannot_be_tested_says_why(site, upstream):
    assert "add <name>" in site.admin("test", check=False).stderr
    site.admin("add", "main", upstream.url, "openai")
    assert "key main add" in site.admin("test", check=False).stderr
    site.admin("key", "main", "add", KEYS[0])
    upstream.answer = status(404, {"error": {"message": "no list here"}})
    assert "--model" in site.admin("test", check=False).stderr
    upstream.answer = text("")
    upstream.strict = False
    upstream.answer = status(200, "<html>hello</html>", "text/html")
    done = site.admin("test", "--model", "m", check=False)
    assert done.returncode == 1 and "502 api_error" in done.stdout


def test_silence_ends(site, upstream):
    site.use(upstream, KEYS[0])
    site.admin("set", "main", "timeout", "200")
    upstream.answer = lambda call: call.wait_gone(20)
    assert "504 timeout_error" in site.admin("test", "--model", "m", check=False).stdout


@pytest.mark.parametrize("model, path", [("gpt-5.3-codex", "/v1/responses"), ("o3-pro", "/v1/responses"),
                                         ("gpt-5.6", "/v1/chat/completions")])
def test_a_model_that_chat_does_not_serve_is_tested_by_responses(site, upstream, model, path):
    def answer(call):
        (upstream_responses if call.path.endswith("/responses") else upstream_chat).parts("OK.")(call)

    upstream.strict, upstream.answer = False, answer
    site.admin("add", "main", "http://api.openai.com", "openai")
    site.admin("key", "main", "add", KEYS[0])
    site.admin("set", "main", "proxy", upstream.url)
    site.admin("test", "--model", model)
    assert [call.path for call in upstream.calls] == [f"http://api.openai.com{path}"]

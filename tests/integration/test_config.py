"""The configuration: in force for the next request, strategies exact over processes, routes, options, settings."""
import json
import os
import re
import subprocess
import threading
from collections import Counter

import pytest

from site_under_test import ACCESS_KEY, BUILD, request


def test_admin_changes_are_in_force_for_the_next_request(site, upstream):
    with site.lighttpd():
        site.admin("add", "main", upstream.url, "openai")
        site.admin("key", "main", "add", "k-one")
        site.ask()
        assert upstream.calls[-1].key == "k-one"
        site.admin("key", "main", "remove", "0")
        site.admin("key", "main", "add", "-", input="k-two\n")
        site.ask()
        assert upstream.calls[-1].key == "k-two"
        site.admin("route", "add", "claude-*", "gpt-x")
        assert site.ask()["model"] == "claude-test"
        assert upstream.last["model"] == "gpt-x"
        site.admin("remove", "main")
        assert site.post(request()).status == 500


def test_round_robin_is_exact_over_two_processes(site, upstream):
    site.use(upstream, "k1", "k2", "k3")
    site.admin("balance", "round-robin")
    with site.lighttpd(processes=2) as server:
        assert len(site.responders(server)) == 2
        threads = [threading.Thread(target=lambda: [site.ask() for _ in range(6)]) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert upstream.keys_seen() == Counter(k1=10, k2=10, k3=10)


def test_failover_takes_the_first_enabled_key(served, upstream):
    served.admin("key", "main", "add", "second")
    served.ask()
    served.admin("key", "main", "disable", "0")
    served.ask()
    served.admin("key", "main", "enable", "0")
    served.ask()
    assert [call.key for call in upstream.calls] == ["sk-test-0123456789abcdef", "second", "sk-test-0123456789abcdef"]


def test_random_takes_every_key(site, upstream):
    site.use(upstream, "k1", "k2", "k3")
    site.admin("balance", "random")
    with site.lighttpd():
        for _ in range(60):
            site.ask()
    assert set(upstream.keys_seen()) == {"k1", "k2", "k3"}


def test_a_route_can_name_another_upstream(served, upstream):
    served.admin("add", "other", upstream.url + "/deep", "custom")
    served.admin("key", "other", "add", "k-other")
    served.admin("route", "add", "claude-*haiku*", "small", "--upstream", "other")
    served.ask(model="claude-3-haiku")
    assert (upstream.calls[-1].path, upstream.calls[-1].key) == ("/deep/chat/completions", "k-other")
    served.ask(model="claude-sonnet")
    assert (upstream.calls[-1].path, upstream.last["model"]) == ("/v1/chat/completions", "claude-sonnet")


def test_options_of_an_upstream(served, upstream):
    served.admin("set", "main", "max-output-tokens", "50")
    served.admin("set", "main", "header.X-Title", "the proxy")
    served.admin("set", "main", "reasoning", "off")
    served.ask(max_tokens=100, model="gpt-5")
    assert upstream.last["max_completion_tokens"] == 50 and upstream.last["reasoning_effort"] == "minimal"
    assert upstream.calls[-1].headers["X-Title"] == "the proxy"
    served.admin("set", "main", "max-output-tokens", "")
    served.ask(max_tokens=100)
    assert upstream.last["max_tokens"] == 100


def test_a_header_has_one_value_however_it_is_spelled(served, upstream):
    served.admin("set", "main", "header.X-Title", "one")
    served.admin("set", "main", "header.x-title", "two")
    served.ask()
    assert upstream.calls[-1].headers.get_all("X-Title") == ["two"]
    served.admin("import", "-", input=json.dumps({"upstream": [{"name": "main", "baseUrl": upstream.url, "serviceType": "openai",
                                                               "options": {"header.X-TITLE": "three"}}]}))
    served.ask()
    assert upstream.calls[-1].headers.get_all("X-Title") == ["three"]
    served.admin("set", "main", "header.x-Title", "")
    served.ask()
    assert upstream.calls[-1].headers.get_all("X-Title") is None


@pytest.mark.parametrize("name, value", [("PORT", "many"), ("LOG_LEVEL", "loud"), ("ENABLE_CORS", "perhaps"),
                                         ("MAX_REQUEST_BYTES", "0"), ("CLAUDE_PROXY_ENV", "/nonexistent/.env")])
def test_a_bad_setting_stops_the_program_with_one_line(site, name, value):
    done = subprocess.run([BUILD / "claude-proxy.fcgi"], env=site.environment(**{name: value}), capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and value in done.stderr
    assert name in done.stderr or name == "CLAUDE_PROXY_ENV"


SYSTEM = """
umask 077
mount -t tmpfs -o mode=755 tmpfs /etc && mount -t tmpfs -o mode=755 tmpfs /var/lib && mkdir /etc/claude-proxy /var/lib/claude-proxy
echo PROXY_ACCESS_KEY=of-etc-0123456789 >/etc/claude-proxy/claude-proxy.env
echo PROXY_ACCESS_KEY=beside-0123456789 >/var/lib/claude-proxy/.env
%s
"""


@pytest.mark.parametrize("change, database, file", [
    ("", None, "/etc/claude-proxy/claude-proxy.env"),
    ("", "/var/lib/claude-proxy/claude-proxy.db", "/etc/claude-proxy/claude-proxy.env"),
    ("rm -r /etc/claude-proxy", None, "/var/lib/claude-proxy/.env"),
    ("mkdir /var/lib/own; echo PORT=3001 >/var/lib/own/.env", "/var/lib/own/own.db", "/var/lib/own/.env"),
    ("mkdir /var/lib/own", "/var/lib/own/own.db", None),
])
def test_the_settings_in_etc_are_read_first_for_the_database_of_the_system(site, change, database, file):
    """In a mount namespace of its own, where /etc and /var/lib are empty."""
    enter = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount", "sh", "-e", "-c"]
    if subprocess.run([*enter, "mount -t tmpfs tmpfs /mnt"], capture_output=True).returncode != 0:
        pytest.skip("no namespaces here")
    env = site.environment(PROXY_ACCESS_KEY=None, LOG_FILE=None, HOME="/nowhere")
    env["CLAUDE_PROXY_DB"] = database or ""
    done = subprocess.run([*enter, SYSTEM % change + f"exec {BUILD}/claude-proxy-admin doctor"], env=env, cwd=site.folder,
                          capture_output=True, text=True, timeout=60)
    told, = re.findall(r"settings\s+from the environment, (?:and )?(.*)", done.stdout.replace("environment;", "environment,"))
    assert told == (file or "there is no settings file"), done.stdout


def test_an_env_file_beside_the_database_is_read(site, upstream):
    site.use(upstream)
    (site.database.parent / ".env").write_text("PROXY_ACCESS_KEY='from the file'\nNODE_ENV=production\nPORT=3000\n")
    with site.lighttpd(PROXY_ACCESS_KEY=None):
        assert site.post(request(), key=ACCESS_KEY).status == 401
        assert site.post(request(), key="from the file").status == 200

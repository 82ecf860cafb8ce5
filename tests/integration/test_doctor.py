"""`doctor` finds what is wrong and explains how to fix it (SPEC §7)."""
import json
import os
import sqlite3
import time

import pytest

from site_under_test import free_port
from upstream import models, status

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def doctor(site):
    def run(expected, **settings):
        site.settings.update(settings)
        done = site.admin("doctor", "--json", check=False)
        assert done.returncode == expected, (done.stdout, done.stderr)
        assert KEY not in done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


def worst(findings, words):
    """The level of the finding that holds these words."""
    levels = [f["level"] for f in findings if words in f["subject"] + ": " + f["message"]]
    assert levels, (words, findings)
    return levels[0]


def test_all_is_well(site, upstream, doctor):
    site.use(upstream)
    upstream.answer = models(["m"])
    findings = doctor(0)
    assert {f["level"] for f in findings} == {"ok"}
    assert {f["subject"] for f in findings} == {"versions", "settings", "access key", "certificates", "database", "upstreams", "main"}
    assert "ok" in site.admin("doctor").stdout


def test_a_database_that_is_not_there_is_not_made(site, doctor):
    findings = doctor(1)
    assert worst(findings, "claude-proxy-admin add") == "problem"
    assert not site.database.exists()


def test_settings(site, upstream, doctor):
    site.use(upstream)
    upstream.answer = models(["m"])
    told = f"into {site.database.parent}/.env"
    assert worst(doctor(1, PROXY_ACCESS_KEY=None), told) == "problem"
    assert worst(doctor(0, PROXY_ACCESS_KEY="short"), "only 5 characters") == "warning"
    env_file = site.database.parent / ".env"
    env_file.write_text("PROXY_ACCESS_KEY=0123456789abcdef0123\n")
    env_file.chmod(0o644)
    assert worst(doctor(0, PROXY_ACCESS_KEY=None), "chmod 600") == "warning"
    env_file.chmod(0o600)
    assert worst(doctor(0), str(env_file)) == "ok"
    assert worst(doctor(1, PORT="many"), "PORT: 'many'") == "problem"


def test_the_database(site, upstream, doctor):
    site.use(upstream)
    upstream.answer = models(["m"])
    site.database.chmod(0o644)
    assert worst(doctor(0), "others can open") == "warning"
    data = site.database.read_bytes()
    site.database.write_bytes(data[:4096] + b"\x55" * 4096 + data[8192:])
    assert worst(doctor(1), "database") == "problem"
    site.database.write_bytes(b"this is no database at all" * 100)
    for name in ("-wal", "-shm"):
        if os.path.exists(f"{site.database}{name}"):
            os.unlink(f"{site.database}{name}")
    assert worst(doctor(1), "could not open") == "problem"


def test_upstreams_and_keys(site, upstream, doctor):
    site.admin("add", "main", upstream.url, "openai")
    upstream.answer = models(["m"])
    assert worst(doctor(1), "key main add") == "problem"
    site.admin("key", "main", "add", KEY)
    site.admin("add", "other", upstream.url, "openai")
    site.admin("key", "other", "add", KEY)
    site.admin("key", "other", "disable", "0")
    site.admin("set", "main", "fallback", "other")
    site.admin("set", "other", "fallback", "main")
    with sqlite3.connect(site.database) as db:
        db.execute("UPDATE api_keys SET rests_until = ?, last_error = '401: no' WHERE id = 1", (int(time.time() + 600) * 1000,))
    findings = doctor(0)
    assert worst(findings, "main: key 0 sk-t…cdef is paused") == "warning"
    assert worst(findings, "all its keys are disabled") == "warning"
    assert worst(findings, "lead back to itself") == "warning"


def test_reaching_upstreams(site, upstream, doctor):
    site.use(upstream)
    upstream.answer = status(401, {"error": {"message": f"wrong key {KEY}"}})
    assert worst(doctor(1), "refuses the key") == "problem"
    upstream.answer = status(500, "down")
    assert worst(doctor(0), "responds with 500") == "warning"
    upstream.answer = status(404, "no list")
    assert worst(doctor(0), "responds (404") == "ok"
    site.admin("add", "down", f"http://127.0.0.1:{free_port()}", "gemini")
    assert worst(doctor(1), "down: could not reach upstream 'down' at http://127.0.0.1") == "problem"

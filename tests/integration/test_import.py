"""import and export: the original's config.json, all or nothing (SPEC §7)."""
import json
import os
import subprocess
import threading

import pytest

from site_under_test import BUILD

KEYS = ["sk-first-0123456789abcdef", "sk-second-0123456789abcdef", "sk-third-0123456789abcdef"]

ORIGINAL = {
    "upstream": [
        {"baseUrl": "https://generativelanguage.googleapis.com/v1beta", "apiKeys": [KEYS[0]], "serviceType": "gemini",
         "name": "My Gemini", "description": "a note", "modelMapping": {"haiku": "gemini-2.5-flash"}},
        {"baseUrl": "https://api.openai.com/v1", "apiKeys": KEYS[1:], "serviceType": "openaiold",
         "modelMapping": {"opus": "gpt-5", "haiku": "gpt-5-mini"}},
        {"baseUrl": "https://api.deepseek.com", "apiKeys": [], "serviceType": "openai"},
    ],
    "currentUpstream": 1,
    "loadBalance": "round-robin",
}


@pytest.fixture
def put(site):
    """Import a value; the text on standard error where it fails."""

    def run(value, status=0):
        path = site.folder / "config.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        done = site.admin("import", str(path), check=False)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr

    return run


def exported(site):
    return json.loads(site.admin("export", "--secrets").stdout)


def test_the_originals_file(site, put):
    assert put(ORIGINAL) == "imported 3 upstreams, 3 keys and 2 routes\n"
    assert exported(site) == {
        "upstream": [
            {"name": "My Gemini", "baseUrl": "https://generativelanguage.googleapis.com/v1beta", "serviceType": "gemini",
             "apiKeys": [KEYS[0]]},
            {"name": "openai", "baseUrl": "https://api.openai.com/v1", "serviceType": "openai", "apiKeys": KEYS[1:]},
            {"name": "openai-2", "baseUrl": "https://api.deepseek.com", "serviceType": "openai", "apiKeys": []},
        ],
        "currentUpstream": 1, "loadBalance": "round-robin",
        "routes": [{"pattern": "*opus*", "model": "gpt-5"}, {"pattern": "*haiku*", "model": "gpt-5-mini"}],
    }


def test_what_means_nothing_here_is_said(site, put):
    put(ORIGINAL)
    done = site.admin("import", "-", input=json.dumps({**ORIGINAL, "theme": 1}))
    assert "upstream[0].description is not known here" in done.stderr and ": theme is not known here" in done.stderr
    assert "upstream[0].modelMapping: the upstream is not current" in done.stderr


def test_twice_is_the_same_as_once_and_nothing_is_removed(site, put):
    site.admin("add", "mine", "http://127.0.0.1:1", "custom")
    site.admin("key", "mine", "add", "sk-mine-0123456789abcdef")
    put(ORIGINAL)
    once = exported(site)
    put(ORIGINAL)
    assert exported(site) == once and [u["name"] for u in once["upstream"]] == ["mine", "My Gemini", "openai", "openai-2"]
    put({"upstream": [{"name": "mine", "baseUrl": "http://127.0.0.1:2", "serviceType": "openai", "apiKeys": [KEYS[0]]}]})
    assert exported(site)["upstream"][0] == {"name": "mine", "baseUrl": "http://127.0.0.1:2", "serviceType": "openai",
                                             "apiKeys": ["sk-mine-0123456789abcdef", KEYS[0]]}
    assert exported(site)["currentUpstream"] == 2


def test_everything_goes_through_export_and_import(site):
    site.admin("add", "a", "https://a.example/v1", "openai")
    site.admin("add", "b b", "https://b.example", "gemini")
    site.admin("key", "a", "add", *KEYS)
    site.admin("key", "a", "disable", "2")
    for option in (("max-output-tokens", "5"), ("timeout", "7"), ("reasoning", "off"), ("fallback", "b b"),
                   ("proxy", "http://me:secret-word@p:1"), ("header.X-Token", "header-0123456789abcdef")):
        site.admin("set", "a", *option)
    site.admin("route", "add", "x*", "y", "--upstream", "b b")
    site.admin("route", "add", "*", "z")
    site.admin("use", "b b")
    site.admin("balance", "random")
    shown, whole = site.admin("show", "--json").stdout, site.admin("export", "--secrets").stdout
    site.admin("clear", "--yes")
    site.admin("import", "-", input=whole)
    assert site.admin("show", "--json").stdout == shown
    assert site.admin("export", "--secrets").stdout == whole


def test_without_secrets_nothing_secret_is_shown_and_it_cannot_be_imported(site, put):
    put(ORIGINAL)
    site.admin("set", "openai", "header.X-Token", "header-0123456789abcdef")
    site.admin("set", "openai", "proxy", "http://me:secret-word@p:1")
    shown = site.admin("export").stdout
    for secret in (*KEYS, "header-0123456789abcdef", "secret-word"):
        assert secret not in shown
    assert "sk-f…cdef" in shown
    assert "upstream[0].apiKeys[0]" in (problem := put(shown, 1)) and "--secrets" in problem


def upstream_with(**members):
    good = {"name": "n", "baseUrl": "https://n.example", "serviceType": "openai", "apiKeys": ["sk-0123456789abcdef"]}
    return {"upstream": [ORIGINAL["upstream"][0], {**good, **members}]}


BROKEN = [
    ("", "line 1"), ("{", "line 1, column 2"), ('{\n "upstream": [\n  {"name": "x",}\n]}', "line 3"), ("[]", "must be a JSON object"),
    ("{}", "upstream: must be an array"), ({"upstream": {}}, "upstream: must be an array"), ({"upstream": [5]}, "upstream[0]: must be"),
    (upstream_with(name=5), "upstream[1].name: must be a string"), (upstream_with(name="a\u0007"), "upstream[1]: name"),
    (upstream_with(name="My Gemini"), "another upstream already has it"), (upstream_with(baseUrl=None), "upstream[1]: has no baseUrl"),
    (upstream_with(baseUrl="ftp://x"), "upstream[1]: baseUrl 'ftp://x'"), (upstream_with(baseUrl=[]), "upstream[1].baseUrl"),
    (upstream_with(serviceType="telepathy"), "upstream[1]: serviceType 'telepathy'"),
    (upstream_with(apiKeys="x"), "upstream[1].apiKeys: must be an array"),
    (upstream_with(apiKeys=["sk-0123456789abcdef", 5]), "upstream[1].apiKeys[1]: must be a string"),
    (upstream_with(apiKeys=["a b"]), "upstream[1].apiKeys[0]: it cannot be an API key"), (upstream_with(apiKeys=[""]), "it is empty"),
    (upstream_with(apiKeys=["a\u0000b"]), "upstream[1].apiKeys[0]"),
    (upstream_with(options=[]), "upstream[1].options: must be an object"),
    (upstream_with(options={"timeout": "soon"}), "upstream[1].options: timeout: 'soon'"),
    (upstream_with(options={"colour": "red"}), "upstream[1].options: colour"),
    (upstream_with(options={"timeout": 5}), "upstream[1].options.timeout: must be a string"),
    (upstream_with(options={"fallback": "nobody"}), "fallback 'nobody'"), (upstream_with(options={"fallback": "n"}), "fallback 'n'"),
    ({**ORIGINAL, "currentUpstream": 3}, "currentUpstream"), ({**ORIGINAL, "currentUpstream": -1}, "currentUpstream"),
    ({**ORIGINAL, "currentUpstream": "nobody"}, "currentUpstream"), ({**ORIGINAL, "currentUpstream": []}, "currentUpstream"),
    ({**ORIGINAL, "loadBalance": "chance"}, "loadBalance"), ({**ORIGINAL, "loadBalance": 5}, "loadBalance"),
    ({**ORIGINAL, "routes": [{"pattern": "a"}]}, "routes[0]: has no model"), ({**ORIGINAL, "routes": 5}, "routes"),
    ({**ORIGINAL, "routes": [{"pattern": "a", "model": "b", "upstream": "nobody"}]}, "routes[0]: there is no upstream"),
    ({**ORIGINAL, "upstream": [*ORIGINAL["upstream"][:1], {**ORIGINAL["upstream"][1], "modelMapping": 5}]}, "upstream[1].modelMapping"),
]


def test_a_broken_file_changes_nothing_and_names_the_place(site, put):
    site.admin("add", "before", "http://127.0.0.1:1", "custom")
    before = exported(site)
    for value, words in BROKEN:
        problem = put(value, 1)
        assert words in problem and "config.json" in problem and "nothing was changed" in problem, (value, problem)
        assert exported(site) == before
    assert site.admin("import", "/nonexistent.json", check=False).returncode == 1


def test_two_imports_at_once_lose_nothing(site):
    def one(n):
        site.admin("import", "-", input=json.dumps({"upstream": [
            {"name": "shared", "baseUrl": "http://127.0.0.1:1", "serviceType": "openai", "apiKeys": [f"sk-{n}-{i}" for i in range(50)]},
            {"name": f"own-{n}", "baseUrl": "http://127.0.0.1:1", "serviceType": "openai", "apiKeys": []}]}))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_name = {u["name"]: u for u in exported(site)["upstream"]}
    assert set(by_name) == {"shared", "own-0", "own-1", "own-2", "own-3"} and len(by_name["shared"]["apiKeys"]) == 200


def test_killed_in_the_middle_it_is_all_or_nothing(site):
    keys = [f"sk-{i:05}" for i in range(9000)]
    text = json.dumps({"upstream": [{"name": "big", "baseUrl": "http://127.0.0.1:1", "serviceType": "openai", "apiKeys": keys}]})
    path = site.folder / "big.json"
    path.write_text(text)
    site.admin("add", "before", "http://127.0.0.1:1", "custom")
    whole = 0
    for n in range(12):
        site.admin("remove", "big", check=False)
        process = subprocess.Popen([BUILD / "claude-proxy-admin", "import", path], env=site.environment(LOG_FILE=None),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(0.004 * n)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        by_name = {u["name"]: u for u in exported(site)["upstream"]}
        assert "before" in by_name and ("big" not in by_name or len(by_name["big"]["apiKeys"]) == 9000)
        whole += "big" in by_name
    assert os.stat(site.database).st_mode & 0o777 == 0o600

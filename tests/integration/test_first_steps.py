"""The first five minutes: prompts on a terminal, hints that can be pasted, typos, the wrong database."""
import json
import os
import shlex
import shutil
import signal
import subprocess

import pytest

from site_under_test import ACCESS_KEY, BUILD, ROOT, free_port, request, wait_for
from terminal import Terminal, plain
from upstream import models, parts, status

ADMIN = BUILD / "claude-proxy-admin"
SECRET = "sk-typed-0123456789abcdef"


@pytest.fixture
def terminal(site):
    """Start the admin command at a terminal."""

    def start(*arguments, **settings):
        return Terminal([ADMIN, *arguments], site.environment(LOG_FILE=None, TERM="xterm", **settings), cwd=site.folder)

    return start


def shown(site):
    return json.loads(site.admin("show", "--json").stdout)


# ---- keys are typed without being seen ----

def test_a_key_is_asked_for_and_does_not_show(site, terminal):
    site.admin("add", "my box", "https://api.example.com", "openai")
    with terminal("key", "my box", "add", "-") as t:
        t.expect("API key for my box (not shown): ")
        t.type(SECRET + "\n")
        screen, code = t.end()
    assert code == 0 and SECRET not in screen and "added 1 key to my box" in screen
    assert shown(site)["upstreams"][0]["keys"][0]["key"] == "sk-t…cdef"


@pytest.mark.parametrize("arguments", [("brave",), ("tavily", "-")], ids=" ".join)
def test_the_key_of_a_search_is_asked_for_and_does_not_show(site, terminal, arguments):
    with terminal("search", *arguments) as t:
        t.expect(f"API key for {arguments[0]} (not shown): ")
        t.type(SECRET + "\n")
        screen, code = t.end()
    assert code == 0 and SECRET not in screen and f"made by {arguments[0]}" in screen
    assert json.loads(site.admin("search", "--json").stdout)["key"] == "sk-t…cdef"


def test_several_keys_that_are_pasted_together_are_all_taken(site, terminal):
    site.admin("add", "main", "https://api.example.com", "openai")
    with terminal("key", "main", "add", "-") as t:
        t.expect("(not shown): ")
        t.type(f"{SECRET}1\n{SECRET}2\n{SECRET}3\n")
        screen, code = t.end()
    assert code == 0 and "added 3 keys" in screen and SECRET not in screen


def test_ctrl_c_at_the_prompt_ends_it_and_leaves_the_terminal_as_it_was(site, terminal):
    site.admin("add", "main", "https://api.example.com", "openai")
    with Terminal(["sh", "-c", 'trap : INT; "$0" key main add -; stty -a; echo over'.replace("$0", str(ADMIN))],
                  site.environment(LOG_FILE=None)) as t:
        t.expect("(not shown): ")
        t.type("sk-half\x03")
        screen = t.expect("over")
    assert " echo " in screen and "-echo " not in screen and "sk-half" not in screen
    assert shown(site)["upstreams"][0]["keys"] == []


def test_add_asks_for_the_key_of_a_known_service(site, terminal):
    with terminal("add", "openrouter") as t:
        t.expect("API key for openrouter (not shown): ")
        t.type(SECRET + "\n")
        screen, code = t.end()
    assert code == 0 and "added 1 key to openrouter" in screen
    upstream = shown(site)["upstreams"][0]
    assert (upstream["baseUrl"], upstream["serviceType"]) == ("https://openrouter.ai/api/v1", "openai")


def test_add_without_a_key_says_how_to_add_one_later(site, terminal):
    with terminal("add", "main", "https://api.example.com", "openai") as t:
        t.expect("(not shown): ")
        t.type("\n")
        screen, code = t.end()
    assert code == 0 and f"{ADMIN} key main add -" in screen and shown(site)["upstreams"][0]["keys"] == []


def test_a_local_service_needs_no_key(site):
    site.admin("add", "ollama")
    upstream = shown(site)["upstreams"][0]
    assert upstream["baseUrl"] == "http://127.0.0.1:11434/v1" and len(upstream["keys"]) == 1


def test_every_known_service_can_be_added(site):
    known = [word.strip(" ,") for line in site.admin("add", "--help").stdout.splitlines()[4:6] for word in line.split(",")]
    known = [word for word in known if word]
    assert len(known) >= 20
    for name in known:
        site.admin("add", name)
    assert [u["name"] for u in shown(site)["upstreams"]] == known
    assert "did you mean 'openrouter'" in site.admin("add", "openruter", check=False).stderr


# ---- setup ----

def test_setup_leads_from_nothing_to_an_answer(site, upstream, terminal):
    answer = parts("OK.")
    upstream.answer = lambda call: (models(["m"]) if call.method == "GET" else answer)(call)
    with terminal("setup", PROXY_ACCESS_KEY=None) as t:
        assert "openrouter" in t.expect("Number, name or URL: ")
        t.type("opnai\n")
        t.expect("did you mean 'openai'?")
        t.expect("Number, name or URL: ")
        t.type(f"{upstream.url}\n")
        t.expect("A name for it [main]: ")
        t.type("\n")
        t.expect("[openai]: ")
        t.type("\n")
        t.expect("API key for main (not shown): ")
        t.type(SECRET + "\n")
        t.expect("For small tasks: ")
        t.type("tiny\n")
        t.expect("For everything else: ")
        t.type("large\n")
        screen, code = t.end()
    text = plain(screen)
    assert code == 0 and "ok" in text and "tiny" in text and "ANTHROPIC_BASE_URL=http://127.0.0.1:3000" in text
    now = shown(site)
    assert [(r["pattern"], r["model"]) for r in now["routes"]] == [("claude-*haiku*", "tiny"), ("claude-*", "large")]
    env_file = site.database.parent / ".env"
    assert env_file.read_text().startswith("PROXY_ACCESS_KEY=") and env_file.stat().st_mode & 0o777 == 0o600
    assert SECRET not in screen


def test_the_access_key_that_setup_makes_opens_a_proxy_that_runs_already(site, upstream, terminal):
    with site.lighttpd(PROXY_ACCESS_KEY=None):
        assert site.post({}).status == 401
        with terminal("setup", PROXY_ACCESS_KEY=None) as t:
            code = t.answer([("or URL: ", upstream.url), (r"\[main\]: ", ""), (r"\[openai\]: ", ""), ("not shown\\): ", SECRET),
                             ("For .*: ", "m")])[1]
        key = (site.database.parent / ".env").read_text().split("=")[1].strip()
        assert code == 0 and site.post(request("hello"), key=key).status == 200


def test_setup_proposes_models_of_a_known_service(site, terminal):
    with terminal("setup") as t:
        t.expect("URL: ")
        t.type("deepseek\n")
        t.expect("(not shown): ")
        t.type("\n")
        t.expect("For small tasks [deepseek-flash]: ")
        t.type("\n")
        t.expect("For everything else [deepseek-v4-pro]: ")
        t.type("\n")
        t.end()
    assert [r["model"] for r in shown(site)["routes"]] == ["deepseek-flash", "deepseek-v4-pro"]


def test_setup_needs_a_terminal_and_may_be_left(site, terminal):
    assert "terminal" in site.admin("setup", check=False).stderr
    with terminal("setup") as t:
        t.expect("URL: ")
        t.type("\x04")
        screen, code = t.end()
    assert code == 1 and "not finished" in screen and shown(site)["upstreams"] == []


# ---- routes ----

def route(site, *arguments, code=0):
    done = site.admin("route", *arguments, check=False)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done.stdout + done.stderr


def order(site):
    return [(r["pattern"], r["model"]) for r in shown(site)["routes"]]


def test_a_route_that_is_never_used_is_told_with_the_cure(site, upstream):
    site.use(upstream)
    route(site, "add", "claude-*", "large")
    told = route(site, "add", "claude-*haiku*", "small")
    assert "route 1, claude-*haiku*, is never used: route 0, claude-*, matches first" in told
    cure = next(line for line in told.split("; ") if "route move" in line).split(" changes that")[0]
    assert "never used" in route(site, "list") and "never used" in site.admin("show").stdout
    assert shown(site)["routes"][1]["shadowedBy"] == 0
    upstream.answer = models(["m"])
    assert any(f["subject"] == "routes" and f["level"] == "warning"
               for f in json.loads(site.admin("doctor", "--json").stdout))
    subprocess.run(["sh", "-c", cure], env=site.environment(LOG_FILE=None), check=True)
    assert order(site) == [("claude-*haiku*", "small"), ("claude-*", "large")]
    assert "never used" not in route(site, "list")


def test_routes_are_placed_replaced_and_moved(site):
    route(site, "add", "claude-*", "a")
    assert "never used" not in route(site, "add", "claude-*haiku*", "b", "--first")
    route(site, "add", "claude-x", "c", "--before", "claude-*")
    assert order(site) == [("claude-*haiku*", "b"), ("claude-x", "c"), ("claude-*", "a")]
    assert "it was a" in route(site, "add", "claude-*", "d")
    assert order(site)[2] == ("claude-*", "d") and len(order(site)) == 3
    route(site, "move", "claude-x", "--before", "0")
    assert order(site)[0] == ("claude-x", "c")
    route(site, "move", "2", "--first")
    assert order(site)[0] == ("claude-*", "d")
    for wrong in (["move", "0"], ["move", "--first"], ["add", "x", "y", "--first", "--before", "0"], ["mve", "0"]):
        route(site, *wrong, code=2)
    for missing in (["move", "9", "--first"], ["move", "0", "--before", "nobody"], ["add", "x", "y", "--before", "9"]):
        route(site, *missing, code=1)


# ---- hints and typos ----

def test_hints_can_be_pasted(site):
    """Quoted, and with the program as it was called."""
    name = "it's my \"box\" $(touch bad)"
    told = site.admin("add", name, "https://api.example.com", "openai").stdout
    command = next(line for line in told.splitlines() if line.startswith("next: "))[len("next: "):]
    assert shlex.split(command) == [str(ADMIN), "key", name, "add", "-"]
    subprocess.run(["sh", "-c", command], input=SECRET, env=site.environment(LOG_FILE=None), text=True, check=True,
                   capture_output=True)
    assert len(shown(site)["upstreams"][0]["keys"]) == 1 and not (site.folder / "bad").exists()


@pytest.mark.parametrize("arguments, meant", [
    (["sow"], "show"), (["ad"], "add"), (["key", "mock", "lst"], "list"), (["use", "mok"], "mock"),
    (["set", "mock", "timout", "3s"], "timeout"), (["add", "x", "http://x", "opnai"], "openai"), (["balance", "robin-round"], None),
    (["balance", "failovr"], "failover"), (["show", "--jsn"], "--json"), (["route", "lsit"], "list"), (["quux"], None),
    (["help", "kye"], "key"), (["learned", "lst"], "list"), (["search", "tst", "x"], "test"),
])
def test_typos_get_a_suggestion(site, arguments, meant):
    site.admin("add", "mock", "https://api.example.com", "openai")
    told = site.admin(*arguments, check=False).stderr
    assert (f"did you mean '{meant}'?" in told) if meant else ("did you mean" not in told), told


def test_an_option_without_its_text_is_told_as_that(site):
    assert site.admin("usage", "--since", check=False).stderr == "claude-proxy-admin: the option --since needs a value\n"


def test_help_for_a_command_and_the_version_in_short(site):
    assert site.admin("help", "key").stdout == site.admin("key", "--help").stdout
    assert site.admin("-V").stdout == site.admin("-v").stdout == site.admin("--version").stdout
    for arguments in ((), ("show",), ("setup",)):
        assert not [line for line in site.admin(*arguments, "--help").stdout.splitlines() if line != line.rstrip()]


def test_set_lists_options_and_takes_durations(site):
    site.admin("add", "mock", "https://api.example.com", "openai")
    site.admin("set", "mock", "timeout", "3s")
    told = site.admin("set", "mock").stdout
    assert "timeout 3000 ms\n" in told or "timeout 3s" in told
    assert "max-output-tokens" in told
    assert site.admin("set", "mock", "timeout").stdout == "timeout 3000 ms\n"
    assert site.admin("set", "mock", "fallback").stdout == "fallback of mock is not set\n"
    site.admin("set", "mock", "header.X-Key", SECRET)
    assert site.admin("set", "mock", "header.X-Key").stdout == "header.X-Key sk-t…cdef\n"
    assert "such as 30s" in site.admin("set", "mock", "timeout", "soon", check=False).stderr


def test_one_key_is_one_key(site):
    site.admin("add", "mock", "https://api.example.com", "openai")
    site.admin("key", "mock", "add", SECRET)
    assert "and its 1 key\n" in site.admin("remove", "mock").stdout
    site.admin("add", "mock", "https://api.example.com", "openai")
    assert site.admin("remove", "mock").stdout == "removed upstream mock\n"


def test_colours_are_for_terminals_that_want_them(site, terminal):
    site.admin("add", "mock", "https://api.example.com", "openai")
    site.admin("key", "mock", "add", SECRET)
    assert "\x1b" not in site.admin("show").stdout
    for settings, coloured in [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)]:
        with terminal("show", **settings) as t:
            assert ("\x1b[32mready" in t.end()[0]) == coloured


# ---- test tells why ----

def test_test_tells_why_an_upstream_cannot_be_reached(site):
    port = free_port()
    site.admin("add", "dead", f"http://127.0.0.1:{port}", "openai")
    site.admin("key", "dead", "add", SECRET)
    for arguments in (["test", "dead"], ["test", "--all"]):
        done = site.admin(*arguments, check=False)
        assert done.returncode == 1 and "could not reach upstream 'dead'" in done.stdout and str(port) in done.stdout


def test_models_tells_why_there_is_no_list(site, upstream):
    site.admin("add", "dead", "http://127.0.0.1:9", "openai")
    told = site.admin("models", "dead", check=False)
    assert told.returncode == 1 and "could not reach upstream 'dead'" in told.stderr and "models dead <model>" in told.stderr
    site.admin("add", "empty", upstream.url, "openai")  # 404
    assert "empty does not list its models" in site.admin("models", "empty", check=False).stderr


def test_test_tells_why_there_is_no_model(site, upstream):
    site.use(upstream)
    upstream.answer = status(404, {"error": {"message": "no list here"}})
    told = site.admin("test", check=False).stderr
    assert "no list here" in told and "--model" in told
    upstream.answer = status(401, {"error": {"message": "bad key"}})
    assert "401 authentication_error" in site.admin("test", check=False).stdout


# ---- whose database it is ----

in_a_namespace = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv") or
    subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="only root can make a /var/lib of its own")


def run_in_own_var_lib(script, folder):
    """Run a shell script that sees a /var/lib/claude-proxy of its own, which belongs to www-data."""
    whole = f"""mount -t tmpfs tmpfs /var/lib && install -d -o www-data -g www-data -m 700 /var/lib/claude-proxy &&
        cp {ADMIN} /var/lib/admin && cd / && {script}"""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(["unshare", "--mount", "sh", "-c", whole], env=env, capture_output=True, text=True, timeout=60)


@in_a_namespace
def test_an_ordinary_user_is_not_led_to_another_database(tmp_path):
    tmp_path.chmod(0o777)
    done = run_in_own_var_lib("HOME=/var/lib/nobody setpriv --reuid=65534 --clear-groups "
                              "/var/lib/admin add oops http://x.example openai", tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    for words in ("/var/lib/claude-proxy", "belongs to www-data", "sudo ", "CLAUDE_PROXY_DB=/var/lib/nobody/.local"):
        assert words in done.stderr, done.stderr
    done = run_in_own_var_lib("mkdir -m 777 /var/lib/own; CLAUDE_PROXY_DB=/var/lib/own/x.db setpriv --reuid=65534 --clear-groups "
                              "/var/lib/admin add mine http://x.example openai", tmp_path)
    assert done.returncode == 0 and "the database is /var/lib/own/x.db" in done.stdout and done.stderr == ""


@in_a_namespace
def test_root_acts_as_the_owner_of_the_database(tmp_path):
    backup = tmp_path / "backup.json"
    backup.write_text('{"upstream": [{"name": "a", "baseUrl": "http://a.example", "serviceType": "openai", "apiKeys": ["k-0123456789"]}]}')
    backup.chmod(0o600)
    tmp_path.chmod(0o700)
    done = run_in_own_var_lib(f"cp {backup} /root-backup-of-test 2>/dev/null; /var/lib/admin import {backup} && /var/lib/admin doctor; "
                              "stat -c '%U %G %a %n' /var/lib/claude-proxy/*; rm -f /root-backup-of-test", tmp_path)
    assert "www-data www-data 600 /var/lib/claude-proxy/claude-proxy.db\n" in done.stdout, done.stdout + done.stderr
    assert "root" not in done.stdout and "belongs to user" not in done.stdout


# ---- the front page ----

def test_the_front_page_says_where_one_is(served):
    answer = served.request("GET", "/")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain")
    text = answer.body.decode()
    assert f"export ANTHROPIC_BASE_URL=http://127.0.0.1:{served.port}\n" in text and len(text.splitlines()) <= 24
    assert served.request("HEAD", "/").body == b"" and ACCESS_KEY not in text
    answer = served.post({}, path="/v1/chat/completions")
    assert answer.status == 404 and "Claude Messages API" in answer.error["message"]


def test_the_front_page_below_a_script(site, upstream):
    site.use(upstream)
    with site.cgi():
        assert f"http://127.0.0.1:{site.port}/cgi-bin/claude-proxy.fcgi/v1/messages" in site.request("GET", "/").body.decode()


# ---- the log ----

def test_lines_have_what_applies(served, upstream):
    served.ask("hello")
    upstream.answer = models(["m"])
    served.request("GET", "/v1/models", headers={"x-api-key": ACCESS_KEY})
    lines = wait_for(lambda: (found := [l for l in served.log_text().splitlines() if "status=200" in l and "attempts=" in l])
                     and len(found) == 2 and found, "both lines")
    assert "method=POST path=/v1/messages addr=127.0.0.1" in lines[0] and "input_tokens=" in lines[0]
    assert "method=GET path=/v1/models" in lines[1]
    for absent in ("model=", "tokens=", "stop_reason", " stream="):
        assert absent not in lines[1], lines[1]


# ---- make ----

def run_make(*arguments, **env):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", "-s", *arguments], cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, timeout=120)


def test_make_tells_which_packages_are_missing(tmp_path):
    """A machine whose pkg-config knows no library."""
    (tmp_path / "pkg-config").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pkg-config").chmod(0o755)
    done = run_make(f"BUILD={tmp_path}/build", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode != 0 and not list(tmp_path.glob("build/**/*.o"))
    assert "Packages are missing.  Please run: " in done.stderr and "libcurl4-openssl-dev" in done.stderr
    assert "fatal error" not in done.stderr


@pytest.fixture
def make_run(site):
    """`make run` without make: its script, at a terminal."""

    def start(**settings):
        env = {**site.environment(LOG_FILE=None, PROXY_ACCESS_KEY=None), **settings}
        return Terminal([ROOT / "fcgi/deploy/run.sh", BUILD], env, cwd=site.folder)

    return start


@pytest.mark.parametrize("name, value", [("PORT", "99999"), ("LOG_LEVEL", "foo"), ("PORT", "http")])
def test_make_run_tells_of_a_wrong_setting_in_one_line(make_run, name, value):
    with make_run(**{"PORT": str(free_port()), name: value}) as t:
        screen, code = t.end()
    assert code == 1 and screen.startswith(f"make run: {name}: '{value}' is not allowed") and screen.count("\n") == 1


def test_make_run_prints_lines_that_can_be_pasted(site, make_run):
    port = free_port()
    with make_run(PORT=str(port)) as t:
        screen = t.expect("Ctrl-C stops it.")
        t.type("\x03")
        t.end()
    key = (site.folder / ".env").read_text().split("=")[1].strip()
    assert f"  export ANTHROPIC_BASE_URL=http://127.0.0.1:{port}\n  export ANTHROPIC_AUTH_TOKEN={key}\n" in screen
    assert "claude-proxy-admin setup" in screen


def test_make_run_needs_no_env_file(site, make_run):
    with make_run(PORT=str(free_port()), PROXY_ACCESS_KEY="a-key-of-the-environment") as t:
        screen = t.expect("Ctrl-C stops it.")
        t.type("\x03")
        t.end()
    assert "ANTHROPIC_AUTH_TOKEN=a-key-of-the-environment\n" in screen and not (site.folder / ".env").exists()


@pytest.mark.parametrize("host, address", [("::1", "[::1]"), ("[::1]", "[::1]"), ("0.0.0.0", "127.0.0.1")])
def test_make_run_listens_where_it_is_told(make_run, host, address):
    port = free_port()
    with make_run(PORT=str(port), HOST=host) as t:
        screen = t.expect("Ctrl-C stops it.")
        t.type("\x03")
        t.end()
    assert f"serves on http://{address}:{port}\n" in screen
    assert ("without encryption" in screen) == (host == "0.0.0.0")

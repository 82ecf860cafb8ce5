"""What comes with the programs: manual pages, completion, installation, service files, tarballs."""
import re
import subprocess

import pytest

from site_under_test import BUILD, ROOT

ADMIN = BUILD / "claude-proxy-admin"
PAGES = [ROOT / "cli/claude-proxy-admin.1", ROOT / "fcgi/claude-proxy.fcgi.8"]
COMPLETION = ROOT / "cli/claude-proxy-admin.bash"


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


# ---- what there is to document ----

def commands():
    """The commands by name, with their arguments, as --help lists them."""
    found = dict(re.findall(r"^  ([a-z]+) +(.*)\n {12}\S", output(ADMIN, "--help"), re.M))
    assert len(found) >= 15
    return found


def settings():
    found = re.findall(r'(?:\{|_ROW\()"([A-Z_]{4,})"', (ROOT / "fcgi/base/settings.c").read_text())
    assert len(found) >= 23
    return found


def service_types():
    found = re.findall(r'\.name = "([a-z-]+)"', (ROOT / "fcgi/upstream/service.c").read_text())
    assert len(found) >= 5
    return found


def options_of_upstreams():
    found = re.findall(r"^  ([a-z][a-z.<>N-]+) ", output(ADMIN, "set", "--help").replace("<Name>", ""), re.M)
    assert len(found) >= 6
    return found


def read_page(page):
    """The page as it is read: a line for each heading and item, words as they are printed."""
    return re.sub(".\b", "", output("mandoc", "-T", "utf8", "-O", "width=200", page))


# ---- manual pages ----

@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_manual_page_is_well_formed(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_page_of_the_admin_command_is_complete():
    text = read_page(PAGES[0])
    for name, arguments in commands().items():
        assert re.search(rf"^ +{name}\b", text, re.M), name
        details = output(ADMIN, name, "--help")
        for option in re.findall(r"--[a-z]+", arguments + details):
            assert option in text, (name, option)
    for word in options_of_upstreams() + service_types() + re.findall(r"[a-z-]+", commands()["balance"]):
        assert word in text, word
    for action in re.findall(r"[a-z]+", commands()["key"].split("> <")[1]):
        assert re.search(rf"^ +key name \| index {action}\b", text, re.M), action


def test_the_page_of_the_responder_has_every_setting():
    text = read_page(PAGES[1])
    for name in settings() + ["CLAUDE_PROXY_ENV"]:
        assert re.search(rf"\b{name}\b", text), name


def test_the_readme_has_every_command_and_every_setting():
    readme = (ROOT / "README.md").read_text()
    for name in commands():
        assert re.search(rf"^\|.*`{name}\b", readme, re.M), name
    table = readme[readme.index("## Settings"):readme.index("## HTTP")]
    for name in settings():
        assert f"`{name}`" in table, name


# ---- completion ----

class Shell:
    """A bash with the completion, whose words are divided as readline divides them."""

    def __init__(self, site):
        self.site = site

    def complete(self, line, **env):
        words = re.findall(r"(?:\\.|[^\s:=\\])+|[:=]+", line) + ([""] if line.endswith(" ") else [])
        script = f"source {COMPLETION}\n" + """
            COMP_LINE=$1 COMP_POINT=${#1}; shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _claude_proxy_admin
            [[ ${#COMPREPLY[@]} = 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
        """
        env = {**self.site.environment(LC_ALL="C.UTF-8"), **env}
        env["PATH"] = f"{BUILD}:{env['PATH']}"
        return output("bash", "-u", "-c", script, "bash", line, *words, env=env, cwd=self.site.folder).splitlines()


@pytest.fixture
def shell(site):
    return Shell(site)


def test_bash_completes_commands_and_words(shell):
    assert set(shell.complete("claude-proxy-admin ")) == set(commands()) | {"--help", "--version"}
    assert shell.complete("claude-proxy-admin tr") == ["translate"]
    assert set(shell.complete("claude-proxy-admin add x https://a.example/v1?a=b ")) == set(service_types())
    assert shell.complete("claude-proxy-admin add x http://a openai-") == ["openai-responses"]
    assert set(shell.complete("claude-proxy-admin balance ")) == {"round-robin", "random", "failover"}
    assert shell.complete("claude-proxy-admin key main e") == ["enable"]
    assert set(shell.complete("claude-proxy-admin set main ")) == set(options_of_upstreams())
    assert set(shell.complete("claude-proxy-admin set main reasoning ")) == {"auto", "off"}
    assert set(shell.complete("claude-proxy-admin usage --by ")) == {"upstream", "key", "model", "day"}
    assert shell.complete("claude-proxy-admin usage --since 24h --by m") == ["model"]
    assert set(shell.complete("claude-proxy-admin translate --to ")) == set(service_types())
    assert shell.complete("claude-proxy-admin add main ") == []
    assert shell.complete("claude-proxy-admin nonsense ") == []


def test_bash_completes_the_options_of_each_command(shell):
    listing = {"show", "key", "route", "usage", "test", "doctor"}
    for name, arguments in commands().items():
        wanted = set(re.findall(r"--[a-z]+", arguments)) | {"--help"} | ({"--json"} if name in listing else set())
        wanted |= {"--upstream"} if name == "route" else set()
        assert set(shell.complete(f"claude-proxy-admin {name} --")) == wanted, name


def test_bash_completes_names_and_never_makes_a_database(shell, site):
    assert shell.complete("claude-proxy-admin use ") == []
    assert not site.database.parent.exists()
    for name in ("main", "my \"own\" $(touch bad)", "größte"):
        site.admin("add", name, "https://a.example", "openai")
    site.admin("key", "main", "add", "sk-0123456789abcdef", "sk-1123456789abcdef")
    site.admin("route", "add", "claude-*", "gpt-4o")
    quoted = "my\\ \\\"own\\\"\\ \\$\\(touch\\ bad\\)"
    assert shell.complete("claude-proxy-admin use ") == ["main", quoted, "größte"]
    assert shell.complete("claude-proxy-admin use my\\ ") == [quoted]
    for line in ("remove m", "key m", "set m", "test m", "route add a b --upstream m", "set main fallback m"):
        assert shell.complete("claude-proxy-admin " + line) == ["main", quoted], line
    assert shell.complete("claude-proxy-admin key main remove ") == ["0", "1"]
    assert shell.complete("claude-proxy-admin key --json main disable 1") == ["1"]
    assert shell.complete("claude-proxy-admin key main add ") == []
    assert shell.complete("claude-proxy-admin route remove ") == ["0"]
    assert not (site.folder / "bad").exists()

"""What README says is true: its commands are run as they are printed, at a terminal."""
import json
import os
import re
import shutil
import subprocess

import pytest

from chapters import markdown_blocks
from site_under_test import BUILD, ROOT, free_port
from terminal import Terminal, plain
from upstream_responses import SERVICE_TYPE, models, parts
import upstream_responses

READMES = [ROOT / "README.md", ROOT / "fcgi/deploy/README.zh-CN.md"]
SECRET = "sk-typed-0123456789abcdef"


@pytest.fixture(params=READMES, ids=lambda path: path.name)
def readme(request):
    return request.param.read_text()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= 1400


def test_files_and_pages_that_are_named_exist(readme):
    for name in re.findall(r"`((?:fcgi|cli|tests)/[A-Za-z0-9_./-]+|[a-z]+\.conf\.example)`", readme):
        assert (ROOT / name).exists(), name
    for section, name in re.findall(r"man ([0-9]) ([a-z.-]+)", readme):
        assert list(ROOT.glob(f"*/{name}.{section}")), name
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / target).exists() or (ROOT / "fcgi/deploy" / target).exists(), target
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for target in re.findall(r"make ([a-z][a-z-]+)", readme):
        assert target in targets or target in ("tells",), target


@pytest.mark.parametrize("document", [ROOT / "fcgi/DESIGN.md", ROOT / "fcgi/translate/PROTOCOL.md"], ids=lambda path: path.name)
def test_what_the_documents_of_the_code_name_exists(document):
    """Files by their path from fcgi/, from the top, or beside the document."""
    text = document.read_text()
    files = re.findall(r"`([a-z][A-Za-z_/.-]*\.(?:[ch]|md|py|sql|example|[0-9]))`", text)
    assert files
    for file in files:
        assert any((folder / file).exists() for folder in (ROOT / "fcgi", ROOT, document.parent)), file


def test_bounds_are_named_as_in_the_code():
    sources = "\n".join(path.read_text() for path in (ROOT / "fcgi").rglob("*.[ch]"))
    names = re.findall(r"`([A-Z]+_[A-Z_]+)`", (ROOT / "fcgi/DESIGN.md").read_text())
    assert len(names) > 30
    for name in names:
        assert re.search(rf"\b{name}\b", sources), name


def test_files_that_comments_name_exist():
    sources = [path for folder in ("fcgi", "cli", "tests/unit", "tests/fuzz", "tests/bench") for path in (ROOT / folder).rglob("*.[ch]")]
    for source in sources:
        for comment in re.findall(r"/\*.*?\*/", source.read_text(), re.S):
            for file in re.findall(r"(?<![\w*./-])([a-z_]+(?:/[a-z_]+)*\.[ch])\b", comment):
                assert any(f"/{path}".endswith(f"/{file}") for path in sources), (source, file)


def test_its_model_names_are_current(readme):
    old = re.findall(r"claude-(?:3|sonnet-4|opus-4|haiku-4)[a-z0-9.-]*|gpt-(?:3|4|5)[a-z0-9.-]*|gemini-(?:1|2)[a-z0-9.-]*", readme)
    assert old == []


@pytest.fixture
def clone(site):
    """The working folder of somebody who has just built it."""
    folder = site.folder / "clone"
    folder.mkdir()
    for name in ("fcgi", "cli", "tests", "Makefile", "README.md", "schema.sql"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "build").symlink_to(BUILD)
    return folder


@pytest.fixture
def newcomer(site, clone):
    """A shell at a terminal, in that folder; nothing is set."""
    env = {"PATH": os.environ["PATH"], "HOME": str(site.folder), "TERM": "xterm", "CLAUDE_PROXY_DB": str(site.database), "PS1": "",
           **{name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")}}

    def start(*command):
        return Terminal(command, env, cwd=clone)

    return start


@pytest.mark.parametrize("guided", [True, False], ids=["setup", "by hand"])
def test_the_quick_start_leads_to_an_answer(readme, site, upstream, newcomer, clone, guided):
    upstream.speak(upstream_responses)
    answer = parts("Hello from the model")
    upstream.answer = lambda call: (models(["m"]) if call.method == "GET" else answer)(call)
    serve, setup, by_hand, ask = markdown_blocks(readme, 1)
    assert re.findall(r"^make \w+", serve, re.M) == ["make demo", "make run"]
    port = free_port()
    (clone / ".env").write_text(f"PORT={port}\n")
    with newcomer("fcgi/deploy/run.sh", "build") as server:
        server.expect("Ctrl-C stops it.")
        # The stand-in in the place of the service: its address is the one thing that differs.
        with newcomer("sh", "-c", setup) if guided else newcomer(
                "sh", "-ec", by_hand.replace("add openai ", f"add openai {upstream.url} {SERVICE_TYPE} ")) as t:
            if guided:
                t.expect("URL: ")
                t.type(f"{upstream.url}\n")
                t.expect("[main]: ")
                t.type("openai\n")
                t.expect("]: ")
                t.type(f"{SERVICE_TYPE}\n")
            t.expect("API key for openai (not shown): ")
            t.type(f"{SECRET}\n")
            for model in ("gpt-6-luna", "gpt-6.1-sol") if guided else ():
                t.expect("For ")
                t.expect(": ")
                t.type(f"{model}\n")
            screen, code = t.end()
            assert code == 0 and "ok" in plain(screen) and "gpt-6-luna" in screen, screen
        with newcomer("sh", "-ec", ask.replace(":3000", f":{port}")) as t:
            screen, code = t.end()
            assert code == 0 and "Hello from the model" in screen, screen
        server.type("\x03")
        server.end()
    assert SECRET in upstream.keys_seen() and upstream.refused == []
    assert upstream.calls[-1].body["model"] == "gpt-6.1-sol"


def test_other_commands_run_as_printed(readme, site, upstream, newcomer):
    for block in re.findall(r"^```sh\n(.*?)^```", readme, re.M | re.S):
        if "translate" not in block:
            continue
        with newcomer("bash", "-ec", "set -o pipefail\n" + block) as t:
            screen, code = t.end()
        assert code == 0 and json.loads(screen)["contents"], screen
        return
    raise AssertionError("no translate in README")


@pytest.mark.skipif(not shutil.which("node"), reason="no node here")
def test_examples_are_well_formed(readme, tmp_path):
    for kind, text in re.findall(r"^```(js|json)\n(.*?)^```", readme, re.M | re.S):
        if kind == "json":
            json.loads(text)
            continue
        (tmp_path / "example.mjs").write_text(text)
        subprocess.run(["node", "--check", tmp_path / "example.mjs"], check=True)


def test_shell_commands_are_well_formed(readme):
    for block in re.findall(r"^```sh\n(.*?)^```", readme, re.M | re.S):
        subprocess.run(["bash", "-n", "-c", block.replace("<", "").replace(">", "")], check=True)

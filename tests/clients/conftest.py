"""The packages from npm that the clients need, and Claude Code among them."""
import contextlib
import fcntl
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from claude_code import ClaudeCode
from site_under_test import ACCESS_KEY, BUILD

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def packages():
    """The folder of the clients with their packages beside them: installed once for each build folder's parent."""
    if os.environ.get("CLAUDE_PROXY_OFFLINE"):
        pytest.skip("CLAUDE_PROXY_OFFLINE is set: the clients cannot be installed")
    folder = BUILD.parent / "build" / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        install(folder)
    return folder


def install(folder):
    for path in [HERE / "package.json", HERE / "package-lock.json", *HERE.glob("*.mjs")]:
        shutil.copy(path, folder / path.name)
    wanted = (HERE / "package-lock.json").read_bytes()
    installed = folder / "node_modules" / "installed.json"
    if installed.exists() and installed.read_bytes() == wanted:
        return
    # No script of a package is run: Claude Code's only puts its program in a second place.
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                          timeout=540)
    assert done.returncode == 0, "npm could not install the clients (offline? then set CLAUDE_PROXY_OFFLINE=1):\n" + done.stderr
    installed.write_bytes(wanted)


@pytest.fixture
def node(packages):
    """Run a script of ours against a site; the JSON that it prints last."""
    def act(script, site, *arguments):
        env = {**os.environ, "PROXY_ACCESS_KEY": ACCESS_KEY}
        done = subprocess.run(["node", script, f"http://127.0.0.1:{site.port}", *arguments], env=env, cwd=packages,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return act


@functools.cache
def program_of(packages):
    """Claude Code's program.  An older npm brings those of both C libraries: it is the one that runs."""
    programs = list(packages.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    for program in programs:
        with contextlib.suppress(OSError):
            if subprocess.run([program, "--version"], env={"PATH": os.environ["PATH"], "HOME": str(packages)}, timeout=60,
                              capture_output=True).returncode == 0:
                return program
    raise AssertionError(f"no Claude Code for this system: {programs}")


@pytest.fixture
def claude_code(packages, site, tmp_path):
    """Claude Code with a home folder of its own, to be run against ${site}.  It may talk to nobody else."""
    claude = ClaudeCode(program_of(packages), site, tmp_path)
    yield claude
    claude.stop()
    assert claude.elsewhere.asked == []

"""The packages from npm that the clients need."""
import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from site_under_test import BUILD

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def sdk():
    """The folder of the clients with their packages beside them: installed once for each build folder's parent."""
    if os.environ.get("CLAUDE_PROXY_OFFLINE"):
        pytest.skip("CLAUDE_PROXY_OFFLINE is set: the SDK cannot be installed")
    folder = BUILD.parent / "build" / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        install(folder)
    return folder


def install(folder):
    for name in ("package.json", "package-lock.json", "client.mjs", "tokens.mjs"):
        shutil.copy(HERE / name, folder / name)
    wanted = (HERE / "package-lock.json").read_bytes()
    installed = folder / "node_modules" / "installed.json"
    if not installed.exists() or installed.read_bytes() != wanted:
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, "npm could not install the SDK (offline? then set CLAUDE_PROXY_OFFLINE=1):\n" + done.stderr
        installed.write_bytes(wanted)

"""`make bench` works: it measures, with next to nothing to do, and nothing that it asks fails."""
import subprocess
import sys

import pytest

from site_under_test import BUILD, ROOT


@pytest.mark.skipif(not (BUILD / "bench" / "load").exists(), reason="its programs are not built: make bench_programs")
def test_the_load_test_measures_every_workload_behind_both_web_servers():
    done = subprocess.run([sys.executable, ROOT / "tests" / "bench" / "bench.py", BUILD, "--smallest", "--front", "lighttpd", "nginx"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stdout, done.stderr)
    rows = [line.split() for line in done.stdout.splitlines()]
    measured = {(row[0], row[1]) for row in rows if len(row) > 3 and row[1] in ("lighttpd", "nginx") and row[2] == "floor"}
    assert len(measured) == 20, done.stdout
    assert "Upstream connections for the 6 requests of W6: 0." in done.stdout

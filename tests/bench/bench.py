"""make bench: a load test that needs nothing but this repository.  bench.py <build folder>

Sequential requests, requests from several clients at once, and many streams at once, through real lighttpd to the stand-in
upstream.  The clients and the stand-in are Python and cost more than the proxy, so the figures are for comparing two
versions on one machine, taken in turns; they are no limits.
"""
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["CLAUDE_PROXY_BUILD"] = str(Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve())
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from site_under_test import Site  # noqa: E402
from upstream import Upstream, parts  # noqa: E402


def in_parallel(clients, work):
    """Seconds that `clients` threads take for their work."""
    threads = [threading.Thread(target=work) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


def main():
    upstream = Upstream()
    upstream.strict = False
    with tempfile.TemporaryDirectory(prefix="claude-proxy-bench.") as folder:
        site = Site(folder)
        site.use(upstream)
        with site.lighttpd(LOG_LEVEL="warn", MAX_CONCURRENT_REQUESTS=1000):
            for title, clients, each, action in [("requests, one client", 1, 300, site.ask), ("requests, 16 clients", 16, 40, site.ask),
                                                 ("streams of 50 words, 64 at once", 64, 3, site.stream)]:
                upstream.answer = parts("word " * 50)
                seconds = in_parallel(clients, lambda: [action() for _ in range(each)])
                print(f"{title:34} {clients * each / seconds:8.0f} a second")
    upstream.stop()


if __name__ == "__main__":
    main()

"""make bench: how fast and how large the responder is, beside the least that any responder can do.

bench.py BUILD [--workloads W1b W7…] [--front lighttpd nginx] [--rounds N] [--quick | --smallest]

Real lighttpd or nginx with the example that is shipped, load.c as clients, stand_in.c as upstream (Chat Completions).  Each
round measures limit.c, a FastCGI program that translates nothing, and the responder, one after the other and both fresh;
the table has medians.  Figures are of this machine in this hour: compare ratios within one table.
"""
import argparse
import contextlib
import http.client
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
CLOCK_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Workload:
    title: str
    body: str = "small"
    clients: int = 1
    seconds: float = 2  # for which all of them ask, unless there is a number of
    requests: int = 0
    chunks: int = 0  # of a stream; 0: an answer that is none
    gap: int = 0  # ms between two of them; 0: back to back
    first: int = 0  # ms before the first
    ramp: int = 0  # ms over which the first requests are spread

    @property
    def is_paced(self):
        """The upstream decides how long it takes: then delay and memory are what counts."""
        return self.gap > 0

    def shape(self):
        return {"BENCH_CHUNKS": str(self.chunks), "BENCH_GAP_MS": str(self.gap), "BENCH_FIRST_MS": str(self.first)}


WORKLOADS = {
    "W1a": Workload("small requests, 1 client"),
    "W1b": Workload("small requests, 64 clients", clients=64),
    "W2a": Workload("100 KB requests of a coding agent, 1 client", body="100 KB"),
    "W2b": Workload("100 KB requests of a coding agent, 16 clients", body="100 KB", clients=16),
    "W3": Workload("1 MB requests, 4 clients", body="1 MB", clients=4, seconds=3),
    "W4": Workload("64 streams of 200 chunks, back to back", clients=64, seconds=3, chunks=200),
    "W5a": Workload("500 streams of 100 chunks, 20 ms apart", clients=500, requests=1000, chunks=100, gap=20, ramp=1000),
    "W5b": Workload("1000 streams of 100 chunks, 20 ms apart", clients=1000, requests=2000, chunks=100, gap=20, ramp=1000),
    "W6": Workload("2000 requests one after the other", requests=2000),
    "W7": Workload("300 streams after 100 KB requests, first chunk after 3 s, 60 chunks, 100 ms apart", body="100 KB", clients=300,
                   requests=300, chunks=60, gap=100, first=3000, ramp=1500),
}
QUICK = ["W1b", "W2b", "W4", "W5a"]


def smallest(workload):
    """The same with next to nothing to do: whether it works is all that can be seen."""
    return replace(workload, clients=min(workload.clients, 3), requests=6, chunks=min(workload.chunks, 3), gap=min(workload.gap, 1),
                   first=min(workload.first, 10), ramp=min(workload.ramp, 10))


# ---- processes ----

def cpu_seconds(process_id):
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICK


def memory(process_id):
    """What it takes of the machine's memory, in MB; shared pages count in part."""
    text = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


class Peak(threading.Thread):
    """Watches the memory of processes; `most` has the most of each, at the moment at which all took most."""

    def __init__(self, process_ids):
        super().__init__()
        self.process_ids, self.most, self.over = process_ids, [0], threading.Event()

    def run(self):
        while not self.over.wait(0.2):
            self.most = max(self.most, [memory(i) for i in self.process_ids], key=sum)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.most = max(self.most, [memory(i) for i in self.process_ids], key=sum)


# ---- what is measured ----

class Bench:
    def __init__(self, build, folder):
        os.environ["CLAUDE_PROXY_BUILD"] = str(build)
        sys.path.insert(0, str(ROOT / "tests" / "integration"))
        import bodies
        import site_under_test
        self.tools, self.folder, self.bodies, self.sites = build / "bench", folder, bodies, site_under_test
        self.runs = 0

    def new_folder(self):
        self.runs += 1
        folder = self.folder / str(self.runs)
        folder.mkdir()
        return folder

    def body(self, workload):
        """The file of its request."""
        path = self.folder / f"{workload.body} {workload.chunks > 0}.json"
        if not path.exists():
            path.write_bytes(self.bodies.body(workload.body, workload.chunks > 0))
        return path

    @contextlib.contextmanager
    def upstream(self, workload):
        port = self.sites.free_port()
        process = subprocess.Popen([self.tools / "stand_in", str(port)], env={**os.environ, **workload.shape()})
        try:
            self.sites.wait_for(lambda: self.connections(port), "the stand-in to listen")
            yield port
        finally:
            process.kill()
            process.wait()

    def connections(self, port):
        """How many an upstream has accepted; None: it does not listen."""
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/")
            return int(connection.getresponse().read())
        except OSError:
            return None
        finally:
            connection.close()

    @contextlib.contextmanager
    def site(self, is_floor, front, workload, upstream):
        """A fresh one; its port, and the process ids of responder and web server."""
        site = self.sites.Site(self.new_folder())
        settings = {**workload.shape(), "LOG_LEVEL": "warn", "MAX_CONCURRENT_REQUESTS": 10000}
        if is_floor:
            site.programs = site.folder / "programs"
            site.programs.mkdir()
            (site.programs / "claude-proxy.fcgi").symlink_to(self.tools / "limit")
        else:
            site.admin("add", "main", f"http://127.0.0.1:{upstream}", "openai")
            site.admin("key", "main", "add", "sk-bench")
        with getattr(site, front)(**settings) as server:
            if front == "nginx":
                yield site.port, [server.pid, int((site.folder / "nginx.pid").read_text())]
            else:
                yield site.port, [site.responder, server.pid]

    def load(self, port, workload, **changes):
        w = replace(workload, **changes)
        amount = ["-n", str(w.requests)] if w.requests else ["-d", str(w.seconds)]
        done = subprocess.run([self.tools / "load", *amount, "-c", str(w.clients), "-r", str(w.ramp), "-e", str(max(1, w.chunks)),
                               "-k", self.sites.ACCESS_KEY, str(port), self.body(w)], check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def measure(self, is_floor, front, workload, patience):
        with self.upstream(workload) as upstream, self.site(is_floor, front, workload, upstream) as (port, processes):
            if not workload.is_paced:
                self.load(port, workload, seconds=0.3, requests=min(workload.requests, 3), ramp=0)
            before, connected = [cpu_seconds(i) for i in processes], self.connections(upstream)
            with Peak(processes) as peak:
                result = self.load(port, workload)
            # The connection that asks is counted, too.
            result["connections"] = self.connections(upstream) - connected - 1
            cpu = [cpu_seconds(i) - b for i, b in zip(processes, before)]
            units = max(1, result["events"] if workload.chunks else result["requests"])
            result["responder"], result["web server"] = (1e6 * seconds / units for seconds in cpu)
            result["peak"], result["peak server"] = peak.most
            if workload.is_paced:
                time.sleep(patience)
                result["later"], result["later server"] = [memory(i) for i in processes]
            return result


# ---- the table ----

def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def middle(runs, member):
    return median(run[member] for run in runs)


def cells(workload, runs):
    """A row's figures, as text."""
    seconds = middle(runs, "seconds")
    times = "delay" if workload.chunks else "latency"
    p50, p99 = (median(run[times][i] for run in runs) for i in (0, 1))
    megabytes = [f"{figure(middle(runs, m))} + {figure(middle(runs, m + ' server'))}" if m in runs[0] else "" for m in ("peak", "later")]
    return [figure(middle(runs, "requests") / seconds), figure(middle(runs, "events") / seconds) if workload.chunks else "",
            figure(p50), figure(p99), figure(middle(runs, "responder")), figure(middle(runs, "web server")), *megabytes,
            str(sum(run["failed"] for run in runs))]


def ratios(workload, floor, ours):
    """What the responder does for each that the floor does, and what it takes for each that the floor takes."""
    def ratio(member):
        all_rounds = [mine[member] / its[member] for mine, its in zip(ours, floor) if its[member]]
        return figure(median(all_rounds)) if all_rounds else ""

    unit = "events" if workload.chunks else "requests"
    rates = [mine[unit] / mine["seconds"] / max(its[unit] / its["seconds"], 1e-9) for mine, its in zip(ours, floor)]
    return ["" if workload.is_paced else figure(median(rates)), ratio("responder")]


HEAD = ["", "web server", "responder", "requests/s", "events/s", "p50 ms", "p99 ms", "responder µs", "web server µs", "peak MB", "5 s later",
        "failed", "× floor", "CPU × floor"]
NOTE = """
p50, p99: of a whole answer; of streams the delay of a chunk on its way through.  µs: CPU for a request; of streams for a chunk.
MB: proportional set size, of the responder + of the web server."""


def table(workloads, results):
    rows = [HEAD]
    for (name, front), (floor, ours) in results.items():
        workload = workloads[name]
        rows.append([name, front, "floor", *cells(workload, floor), "", ""])
        rows.append(["", "", "claude-proxy", *cells(workload, ours), *ratios(workload, floor, ours)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) if i < 3 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths)))
             for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def run(bench, workloads, fronts, rounds, patience):
    results = {}
    for name, workload in workloads.items():
        for front in fronts:
            runs = [[bench.measure(is_floor, front, workload, patience) for is_floor in (True, False)] for _ in range(rounds)]
            results[name, front] = tuple(zip(*runs))
            print(f"{name} {front}: measured", file=sys.stderr)
    return results


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("build", type=Path)
    options.add_argument("--workloads", nargs="+", choices=WORKLOADS, metavar="W", help=" ".join(WORKLOADS))
    options.add_argument("--front", nargs="+", choices=["lighttpd", "nginx"], default=["lighttpd"])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--quick", action="store_true", help=f"one round of {' '.join(QUICK)}")
    options.add_argument("--smallest", action="store_true", help="a few requests each: does it work?")
    chosen = options.parse_args()
    names = chosen.workloads or (QUICK if chosen.quick else list(WORKLOADS))
    workloads = {name: smallest(WORKLOADS[name]) if chosen.smallest else WORKLOADS[name] for name in names}
    rounds = 1 if chosen.quick or chosen.smallest else chosen.rounds
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="claude-proxy-bench.") as folder:
        results = run(Bench(chosen.build.resolve(), Path(folder)), workloads, chosen.front, rounds, 0 if chosen.smallest else 5)
    print("\n".join(f"{name}: {workload.title}" for name, workload in workloads.items()), end="\n\n")
    print(table(workloads, results))
    print(NOTE)
    if ("W6", chosen.front[0]) in results:
        print(f"Upstream connections for the {workloads['W6'].requests} requests of W6: {results['W6', chosen.front[0]][1][0]['connections']}.")
    failed = sum(run["failed"] for both in results.values() for runs in both for run in runs)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Fixtures of the integration tests: a site, the stand-in upstream, and the watch over the sanitizers' reports."""
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "integration"))

import upstream_search  # noqa: E402
from site_under_test import Site  # noqa: E402
from upstream import Upstream  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes seconds; `make test QUICK=1` leaves it out")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Real clients take seconds to start, and attacks seconds to be survived: all of them are slow."""
    for item in items:
        if {"clients", "hostile"} & set(item.path.relative_to(Path(__file__).parent).parts):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def running_upstream():
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture
def upstream(running_upstream):
    running_upstream.reset()
    return running_upstream


@pytest.fixture(scope="session")
def running_engine():
    engine = Upstream()
    yield engine
    engine.stop()


@pytest.fixture
def engine(running_engine):
    """What searches the web for the proxy: a SearXNG, until it is told to be another."""
    running_engine.reset()
    running_engine.speak(upstream_search.searxng)
    return running_engine


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that no authority knows, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=stand-in", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def secure_upstream(certificate):
    upstream = Upstream(certificate)
    yield upstream
    upstream.stop()


@pytest.fixture
def seed():
    """Seed what a test draws at random.  A failure shows the seed; TEST_SEED sets it."""
    value = int(os.environ.get("TEST_SEED") or random.randrange(1 << 32))
    random.seed(value)
    print(f"TEST_SEED={value}")
    return value


@pytest.fixture(autouse=True)
def no_sanitizer_report():
    """A report of a sanitizer fails the test that caused it."""
    folder = os.environ.get("SANITIZER_REPORTS")
    before = set(os.listdir(folder)) if folder else set()
    yield
    reports = sorted(set(os.listdir(folder)) - before) if folder else []
    assert not reports, "\n".join((Path(folder) / name).read_text() for name in reports)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture
def served(site, upstream):
    """A site whose current upstream is the stand-in, behind lighttpd."""
    site.use(upstream)
    with site.lighttpd():
        yield site


def pytest_terminal_summary(terminalreporter):
    reports = [report for group in terminalreporter.stats.values() for report in group if getattr(report, "when", "") == "call"]
    sum_up_chapters(terminalreporter, reports)
    sum_up_hostile(terminalreporter, reports)


def sum_up_chapters(terminalreporter, reports):
    """A line for each chapter that was followed (test_chapters.py): what it takes to get there."""
    for report in reports:
        followed = dict(report.user_properties).get("chapter")
        if followed:
            terminalreporter.write_line(f"chapter: {report.nodeid.split('::test_')[1].split('@')[0]}: {followed[0]} commands, {followed[1]:.1f} s "
                                        "to a streamed answer")


def sum_up_hostile(terminalreporter, reports):
    """Sum up the hostile tests (tests/hostile) in one line: what they tried, and the worst that they saw."""
    seen = [figures for report in reports for name, figures in report.user_properties if name == "hostile"]
    if not seen:
        return
    slowest, longest, largest = (max(seen, key=lambda figures: figures[name]) for name in ("waited_ms", "held_ms", "peak_mb"))
    terminalreporter.write_line(
        f"hostile: {sum(f['inputs'] for f in seen)} inputs tried, {sum(f['crashes'] for f in seen)} crashes; another request waited "
        f"{slowest['waited_ms']} ms at most ({slowest['test']}), the loop was held for {longest['held_ms']:.1f} ms of processor time at "
        f"most ({longest['test']}), peak memory {largest['peak_mb']} MB ({largest['test']})")

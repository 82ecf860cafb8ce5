"""What the admin command shows on a terminal of 80 columns: every line fits, and what is cut nowhere can be pasted."""
import sqlite3
import time

import pytest

from site_under_test import BUILD
from terminal import Terminal, plain

ADMIN = BUILD / "claude-proxy-admin"
LONG = "an-upstream-whose-name-is-long"
REASON = "429 rate_limit_error: Rate limit reached for requests, please try again in 20 s, or ask for a higher limit"


@pytest.fixture
def full(site):
    """A site with something to show everywhere."""
    site.admin("add", "main", "http://127.0.0.1:9", "openai")
    site.admin("key", "main", "add", "sk-0123456789abcdef", "sk-1123456789abcdef")
    site.admin("add", LONG, "http://127.0.0.1:9/v1", "openai")
    site.admin("route", "add", "claude-*", "gpt-6.1-sol")
    now = int(time.time() * 1000)
    with sqlite3.connect(site.database) as db:
        db.execute("UPDATE api_keys SET rests_until = ?, last_error = ? WHERE secret LIKE 'sk-1%'", (now + 60_000, REASON))
        db.execute("INSERT INTO lessons SELECT id, 'gpt-6.1-sol', 'limit max_completion_tokens - 16384', ?, 3 FROM upstreams "
                   "WHERE name = 'main'", (now,))
        db.executemany("INSERT INTO usage (finished, upstream, key_id, model, status, input_tokens, output_tokens, "
                       "cache_read_input_tokens, cache_creation_input_tokens, first_byte, duration) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                       [(now, name, 1, "m", 200, 12_345_678, 9_999, 1_234_567_890, 0, 480, 112_480) for name in ("main", LONG)])
    return site


def screen(site, columns, *arguments):
    with Terminal([ADMIN, *arguments], site.environment(LOG_FILE=None, TERM="xterm"), cwd=site.folder, columns=columns) as t:
        return [line.rstrip() for line in plain(t.end()[0]).splitlines()]


@pytest.mark.parametrize("arguments", [("show",), ("usage",), ("usage", "--by", "key"), ("doctor",), ("learned", "list"),
                                       ("key", "main", "list"), ("--help",)], ids=" ".join)
def test_every_line_fits(full, arguments):
    lines = screen(full, 80, *arguments)
    # Paths and commands to paste are as long as they are.
    long = [line for line in lines if len(line) > 80 and str(ADMIN) not in line and str(full.folder) not in line]
    assert lines and long == []


def test_what_goes_on_below_stands_where_it_began(full):
    lines = screen(full, 80, "doctor")
    begin = next(i for i, line in enumerate(lines) if "is paused" in line)
    assert lines[begin].startswith("warning  main         key 1") and lines[begin + 1].startswith(" " * 22 + "rate_limit_error: ")
    # A name that is longer than its column has a line of its own.
    begin = lines.index(f"warning  {LONG}")
    assert lines[begin + 1] == " " * 22 + "has no API key:"
    assert lines[begin + 2] == " " * 22 + f"{ADMIN} key {LONG} add -"
    assert f"warning  {LONG} has no API key: {ADMIN} key {LONG} add -\n" in full.admin("doctor", check=False).stdout


def test_names_that_are_too_long_for_the_table_are_cut(full):
    heading, *rows = screen(full, 80, "usage")
    assert {len(line) for line in (heading, *rows[:2])} == {80} and "an-upstream-whos… " in "\n".join(rows)
    wide = screen(full, 140, "usage")
    assert any(line.startswith(LONG + " ") for line in wide) and {len(line) for line in wide[:3]} == {80 - 17 + len(LONG)}
    assert LONG in full.admin("usage").stdout

"""Usage: recorded for each message, in batches, and reported (SPEC §7)."""
import json
import re
import signal
import sqlite3
import time

import pytest

import upstream as openai_chat
import upstream_claude
from site_under_test import ACCESS_KEY, request, wait_for
from upstream import status, text

DAY = 86400000


def usage(site, *arguments):
    return json.loads(site.admin("usage", "--json", *arguments).stdout)


def rows_when(site, requests, *arguments):
    """The report, once that many requests are in it."""
    return wait_for(lambda: (report := usage(site, *arguments))["total"]["requests"] == requests and report, "the rows")


def insert(site, rows):
    with sqlite3.connect(site.database) as db:
        db.executemany("INSERT INTO usage (finished, upstream, key_id, model, status, input_tokens, output_tokens, "
                       "cache_read_input_tokens, cache_creation_input_tokens, first_byte, duration) "
                       "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def test_what_was_asked_is_told(site, upstream):
    site.use(upstream)
    site.admin("route", "add", "claude-*", "gpt-x")
    with site.lighttpd():
        for _ in range(3):
            site.ask()
        site.stream()
        upstream.answer = status(400, {"error": {"message": "no"}})
        site.post(request())
        site.post(request(), path="/v1/messages/count_tokens")
        report = rows_when(site, 5)
    row = report["rows"][0]
    assert report["by"] == "upstream" and len(report["rows"]) == 1
    # The stand-in tells 20 tokens of input, 8 of them cached, and 5 of output.
    expected = {"requests": 5, "errors": 1, "inputTokens": 48, "outputTokens": 20, "cacheReadInputTokens": 32,
                "cacheCreationInputTokens": 0}
    assert {name: row[name] for name in expected} == expected == report["total"]
    assert row["name"] == "main" and 0 <= row["firstByteMs"]["average"] <= row["durationMs"]["average"]
    assert usage(site, "--by", "model")["rows"][0]["name"] == "gpt-x"
    assert usage(site, "--by", "key")["rows"][0]["name"] == "main sk-t…cdef"
    assert usage(site, "--by", "day")["rows"][0]["name"] == time.strftime("%Y-%m-%d")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_usage_of_what_is_passed_through_is_read(site, upstream, stream):
    upstream.speak(upstream_claude)
    site.use(upstream, service_type="claude")
    with site.lighttpd():
        site.post(request(stream=stream))
        total = rows_when(site, 1)["total"]
        told = upstream_claude.USAGE
        assert (total["inputTokens"], total["outputTokens"]) == (told["input_tokens"], told["output_tokens"])
        assert total["cacheReadInputTokens"] == told["cache_read_input_tokens"]
        wait_for(lambda: f"output_tokens={told['output_tokens']}" in site.log_text(), "the log line")


# ---- absurd counts ----

ABSURD = ["9223372036854775807", "18446744073709551615", "1e30", "-1", "1000000000001", '"many"']


def counted(service, count):
    """An answer that reports this count, as it is spelled here, for everything."""
    usage = {"prompt_tokens": "COUNT", "completion_tokens": "COUNT", "input_tokens": "COUNT", "output_tokens": "COUNT",
             "prompt_tokens_details": {"cached_tokens": "COUNT"}, "cache_read_input_tokens": "COUNT"}
    body = service.message("hello" if service is openai_chat else [{"type": "text", "text": "hello"}], "stop")
    return status(200, json.dumps({**body, "usage": usage}).replace('"COUNT"', count))


@pytest.mark.parametrize("service", [openai_chat, upstream_claude], ids=lambda service: service.SERVICE_TYPE)
def test_absurd_counts_do_not_count_and_hold_nothing_back(site, upstream, service):
    upstream.speak(service)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        for count in ABSURD:
            upstream.answer = counted(service, count)
            for _ in range(2):
                assert site.post(request()).status == 200, count
        upstream.answer = service.parts("hello")
        site.ask()
        total = rows_when(site, 2 * len(ABSURD) + 1)["total"]
        # What stands in their place is nothing, or an estimate.
        assert 5 <= total["outputTokens"] < 100 and 12 <= total["inputTokens"] < 1000, total
        metrics = site.request("GET", "/metrics", headers={"x-api-key": ACCESS_KEY}).body.decode()
        assert f'claude_proxy_tokens_total{{upstream="main",type="output"}} {total["outputTokens"]}\n' in metrics
    assert "cannot store" not in site.log_text() and "output_tokens=5" in site.log_text()


def test_a_database_with_absurd_counts_is_read_and_written_again(site, upstream):
    """An older version took them for true."""
    site.use(upstream)
    most = 2 ** 63 - 1
    insert(site, [(int(time.time() * 1000), "main", 0, "m", 200, most, most, most, -1, 1, 1)] * 3)
    with sqlite3.connect(site.database) as db:
        db.execute("INSERT INTO request_totals VALUES ('main', 'message', 200, 3, ?, -2, ?, 7)", (most, most - 1))
    assert usage(site)["total"]["inputTokens"] == 0 and " 3 " in site.admin("usage").stdout
    with site.lighttpd():
        site.ask()
        total = rows_when(site, 4)["total"]
    assert (total["inputTokens"], total["outputTokens"], total["cacheReadInputTokens"]) == (12, 5, 8)
    with sqlite3.connect(site.database) as db:
        assert db.execute("SELECT requests, input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens "
                          "FROM request_totals WHERE upstream = 'main'").fetchall() == [(4, 12, 5, 8, 7)]
    assert site.log_text().count("recording usage") == 0


def test_a_stream_that_fails_is_an_error(site, upstream):
    site.use(upstream)

    def answer(call):
        call.chunk(content="begun")
        call.break_off()

    upstream.answer = answer
    with site.lighttpd():
        assert site.stream()[-1]["type"] == "error"
        assert rows_when(site, 1)["total"]["errors"] == 1


def test_a_request_that_needed_two_keys_counts_once(site, upstream):
    site.use(upstream, "sk-bad-0123456789abcdef", "sk-good-0123456789abcdef")
    upstream.answer = lambda call: (status(500, "{}") if "bad" in call.key else text("hello"))(call)
    with site.lighttpd():
        site.ask()
        rows = rows_when(site, 1, "--by", "key")["rows"]
    assert [(row["name"], row["errors"]) for row in rows] == [("main sk-g…cdef", 0)]


@pytest.mark.parametrize("server", ["nginx", "cgi"])
def test_nothing_is_lost_when_the_process_ends(site, upstream, server):
    site.use(upstream)
    with getattr(site, server)() as process:
        for _ in range(7):
            site.ask()
        if server == "nginx":
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            assert usage(site)["total"]["requests"] == 7
    rows_when(site, 7)


def test_old_rows_are_forgotten(site, upstream):
    site.use(upstream)
    now = int(time.time() * 1000)
    insert(site, [(now - 91 * DAY, "old", 0, "m", 200, 1, 1, 0, 0, 1, 1), (now - 89 * DAY, "kept", 0, "m", 200, 1, 1, 0, 0, 1, 1)])
    assert usage(site, "--since", "100d")["total"]["requests"] == 2
    with site.lighttpd():
        site.ask()
        wait_for(lambda: {row["name"] for row in usage(site, "--since", "100d")["rows"]} == {"kept", "main"}, "the old row to go")


def test_the_report(site):
    site.admin("add", "a", "http://127.0.0.1:1", "openai")
    site.admin("key", "a", "add", "sk-0123456789abcdef")
    now = int(time.time() * 1000)
    insert(site, [(now - 1000, "a", 1, "m1", 200, 10, 1, 0, 0, n, 10 * n) for n in range(1, 101)])
    insert(site, [(now - 1000, "a", 1, "m2", 500, 0, 0, 0, 0, -1, 99999), (now - 1000, "b", 7, "m2", 200, 5, 6, 7, 8, 9, 10),
                  (now - 3 * DAY, "b", 0, "m3", 200, 1, 1, 1, 1, 1, 1)])
    report = usage(site)
    assert [(row["name"], row["requests"], row["errors"]) for row in report["rows"]] == [("a", 101, 1), ("b", 1, 0)]
    assert report["rows"][0]["firstByteMs"] == {"average": 50.5, "p95": 95}
    assert report["rows"][0]["durationMs"] == {"average": 505.0, "p95": 950}
    assert report["total"]["inputTokens"] == 1005 and report["total"]["cacheCreationInputTokens"] == 8
    assert [row["name"] for row in usage(site, "--by", "key", "--since", "7d")["rows"]] == \
        ["a sk-0…cdef", "b (no key)", "b (removed key)"]
    days = [row["name"] for row in usage(site, "--by", "day", "--since", time.strftime("%Y-%m-%d", time.localtime(now / 1000 - 400000)))["rows"]]
    assert days == sorted(days) and len(days) == 2
    shown = site.admin("usage").stdout
    assert "total" in shown and "101" in shown and re.search(r"0\.05 \(0\.(09|10)\)", shown)


def test_the_table_fits_a_terminal(site, upstream):
    site.use(upstream)
    site.admin("show")
    now = int(time.time() * 1000)
    with sqlite3.connect(site.database) as db:
        db.executemany("INSERT INTO usage (finished, upstream, key_id, model, status, input_tokens, output_tokens, "
                       "cache_read_input_tokens, cache_creation_input_tokens, first_byte, duration) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                       [(now, "main", 1, "m", 200, 12_345_678, 9_999, 1_234_567_890, 0, 480, 112_480),
                        (now, "dead", 1, "m", 502, 0, 0, 0, 0, -1, 12_480)])
    shown = site.admin("usage").stdout.splitlines()
    assert all(len(line) <= 84 for line in shown)
    rows = {line.split(" ")[0]: line for line in shown if line}
    assert re.search(r"^main +1 +0 +12\.3M +1\.23G +9999 +0\.48 \(0\.48\) +112 \(112\)$", rows["main"])
    assert re.search(r"^dead +1 +1 +0 +0 +0 +- +-$", rows["dead"])


def test_an_empty_time_says_so(site):
    assert "no requests" in site.admin("usage", "--since", "5m").stdout
    assert usage(site)["rows"] == []


@pytest.mark.parametrize("arguments", [("--since", "soon"), ("--since", "0h"), ("--since", "5x"), ("--since", "2026-13-01"),
                                       ("--by", "colour"), ("--by",)])
def test_wrong_usage_of_usage(site, arguments):
    done = site.admin("usage", *arguments, check=False)
    assert done.returncode == 2 and arguments[0] in done.stderr

"""What the service tells of itself: /metrics, /admin/dev/info, and uptime where a process lives for one request (SPEC §4)."""
import re
import threading

import pytest

from site_under_test import ACCESS_KEY, request, wait_for
from upstream import status, text

KEYS = ["sk-one-0123456789abcdef", "sk-two-0123456789abcdef", "sk-three-0123456789abc"]
LINE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([0-9.]+|\+Inf)$')


def get(site, path, key=ACCESS_KEY):
    return site.request("GET", path, headers={"x-api-key": key} if key else {})


def metrics(site):
    """The samples: {name: {labels: value}}; every line must be one that Prometheus takes."""
    answer = get(site, "/metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples, types, families = {}, {}, []
    for line in answer.body.decode().split("\n")[:-1]:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types
            types[name] = kind
            families.append(name)
        elif not line.startswith("# HELP "):
            found = LINE.match(line)
            assert found, line
            name, labels, value = found.groups()
            family = re.sub(r"_(bucket|sum|count)$", "", name) if types.get(name) is None else name
            assert families[-1] == family, f"{name} stands among {families[-1]}"
            labels = tuple(sorted(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels or "")))
            assert labels not in samples.setdefault(name, {}), line
            samples[name][labels] = float(value)
    return samples


def value(samples, name, **labels):
    return samples.get(name, {}).get(tuple(sorted(labels.items())))


def requests(samples, **labels):
    return value(samples, "claude_proxy_requests_total", **labels)


@pytest.mark.parametrize("server", ["lighttpd", "nginx", "cgi"])
def test_requests_tokens_and_latencies_are_counted(site, upstream, server):
    site.use(upstream, *KEYS)
    site.admin("key", "main", "disable", "2")
    with getattr(site, server)():
        for _ in range(3):
            site.ask()
        site.stream()
        site.post(request(), key="wrong")
        site.post("{}")
        upstream.answer = status(404, {"error": {"message": "no such model"}})
        site.post(request())
        upstream.answer = status(401, {"error": {"message": "no"}})
        assert site.post(request()).status == 401
        seen = wait_for(lambda: (m := metrics(site)) and requests(m, upstream="main", kind="message", status="401") and m, "totals")
        assert requests(seen, upstream="main", kind="message", status="200") == 3
        assert requests(seen, upstream="main", kind="stream", status="200") == 1
        assert requests(seen, upstream="main", kind="message", status="404") == 1
        assert requests(seen, upstream="", kind="message", status="401") == 1
        assert requests(seen, upstream="", kind="message", status="400") == 1
        assert value(seen, "claude_proxy_tokens_total", upstream="main", type="input") == 4 * 12
        assert value(seen, "claude_proxy_tokens_total", upstream="main", type="output") == 4 * 5
        assert value(seen, "claude_proxy_tokens_total", upstream="main", type="cache_read") == 4 * 8
        for measure in ("first_byte", "request_duration"):
            labels = dict(upstream="main", kind="message", status="200")
            name = f"claude_proxy_{measure}_seconds"
            buckets = [v for k, v in seen[name + "_bucket"].items() if set(labels.items()) <= set(k)]
            assert buckets == sorted(buckets) and buckets[-1] == value(seen, name + "_count", **labels) == 3
            assert value(seen, name + "_bucket", le="+Inf", **labels) == 3
            assert 0 <= value(seen, name + "_sum", **labels) < 60
        assert {dict(k)["state"]: v for k, v in seen["claude_proxy_api_keys"].items()} == {"ready": 0, "resting": 2, "disabled": 1}
        assert value(seen, "claude_proxy_upstream_current", upstream="main", service_type="openai") == 1
        assert value(seen, "claude_proxy_requests_in_flight") == 0


def test_totals_are_those_of_all_processes_and_survive_them(site, upstream):
    site.use(upstream)
    with site.lighttpd(processes=3):
        threads = [threading.Thread(target=lambda: [site.ask() for _ in range(10)]) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(lambda: requests(metrics(site), upstream="main", kind="message", status="200") == 60, "all to be counted")
    with site.cgi():
        site.ask()
        assert wait_for(lambda: requests(metrics(site), upstream="main", kind="message", status="200") == 61, "one more")


@pytest.mark.parametrize("server", ["lighttpd", "cgi"])
def test_what_is_in_flight_in_other_processes_is_known(site, upstream, server):
    site.use(upstream)
    go = threading.Event()

    def wait(call):
        assert go.wait(60)
        text("hello")(call)

    upstream.answer = wait
    with site.lighttpd(processes=4) if server == "lighttpd" else site.cgi():
        threads = [threading.Thread(target=lambda: site.post(request())) for _ in range(5)]
        for thread in threads:
            thread.start()
        wait_for(lambda: value(metrics(site), "claude_proxy_requests_in_flight") == 5, "five in flight")
        go.set()
        for thread in threads:
            thread.join()
        wait_for(lambda: value(metrics(site), "claude_proxy_requests_in_flight") == 0, "none in flight")


def test_a_killed_process_has_nothing_in_flight_for_long(site, upstream):
    """Its word is forgotten when it has said nothing for half a minute: the clock of its last word is set back."""
    import sqlite3
    site.use(upstream)
    with sqlite3.connect(site.database, timeout=20) as db:
        db.execute("INSERT INTO processes VALUES (1, 7, 0)")
        db.execute("INSERT INTO processes VALUES (2, 3, strftime('%s', 'now') * 1000)")
    with site.lighttpd():
        assert value(metrics(site), "claude_proxy_requests_in_flight") == 3
        site.ask()
        wait_for(lambda: metrics(site) and [row[0] for row in db.execute("SELECT id FROM processes")] == [2], "it to be forgotten")


def test_metrics_need_the_access_key(served):
    assert get(served, "/metrics", key=None).status == 401
    assert get(served, "/metrics", key="wrong").error["type"] == "authentication_error"
    bearer = served.request("GET", "/metrics", headers={"authorization": f"Bearer {ACCESS_KEY}"})
    assert bearer.status == 200 and bearer.headers["cache-control"] == "no-store"
    head = served.request("HEAD", "/metrics", headers={"x-api-key": ACCESS_KEY})
    assert head.status == 200 and head.body == b""
    assert served.request("POST", "/metrics", b"").status == 405


def test_odd_names_of_upstreams_are_labels(site, upstream):
    site.use(upstream, name='a "b" \\ c')
    with site.lighttpd():
        site.ask()
        wait_for(lambda: requests(metrics(site), upstream='a \\"b\\" \\\\ c', kind="message", status="200") == 1, "it to be counted")


# ---- development ----

@pytest.mark.parametrize("server", ["lighttpd", "cgi"])
def test_developers_are_told_everything_but_secrets(site, upstream, server):
    site.use(upstream, *KEYS)
    site.admin("set", "main", "header.X-Token", "header-secret-0123456789")
    site.admin("route", "add", "claude-*", "gpt-x")
    upstream.answer = lambda call: (status(401, {"error": {"message": "no"}}) if call.key == KEYS[0] else text("hello"))(call)
    with getattr(site, server)(NODE_ENV="development"):
        site.ask()
        answer = get(site, "/admin/dev/info")
        assert answer.status == 200
        for secret in (*KEYS, ACCESS_KEY, "header-secret-0123456789"):
            assert secret not in answer.body.decode()
        info = answer.json
        assert info["process"]["mode"] == ("cgi" if server == "cgi" else "fastcgi") and info["process"]["id"] > 1
        assert info["version"] == site.admin("--version").stdout.split()[-1]
        assert info["settings"]["NODE_ENV"] == "development" and info["settings"]["PING_INTERVAL"] == 15000
        keys = info["config"]["upstreams"][0]["keys"]
        assert [key["state"] for key in keys] == ["resting", "ready", "ready"] and keys[0]["key"] == "sk-o…cdef"
        assert info["config"]["routes"] == [{"index": 0, "pattern": "claude-*", "model": "gpt-x", "upstream": None}]
        assert get(site, "/admin/dev/info", key=None).status == 401


def test_in_production_there_is_no_such_page(served):
    for key in (None, ACCESS_KEY):
        answer = get(served, "/admin/dev/info", key=key)
        assert answer.status == 404 and answer.error["type"] == "not_found_error"


# ---- uptime ----

def test_as_cgi_the_service_is_up_since_its_database_was_made(site, upstream):
    import sqlite3
    site.use(upstream)
    with sqlite3.connect(site.database, timeout=20) as db:
        db.execute("UPDATE service SET began = began - 3600000")
    with site.cgi():
        uptime = get(site, "/health").json["uptime"]
        assert 3600 <= uptime < 4000
        assert uptime <= value(metrics(site), "claude_proxy_uptime_seconds") < 4000
    with site.lighttpd():
        site.prefix = ""
        assert get(site, "/health").json["uptime"] < 3000

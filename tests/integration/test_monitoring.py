"""What comes for Prometheus and Grafana, with Debian's Prometheus reading a running site."""
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from site_under_test import ACCESS_KEY, BUILD, ROOT, free_port, replace, wait_for
from upstream import status

DEPLOY = ROOT / "fcgi/deploy"
RULES = DEPLOY / "prometheus.rules.yml"

pytestmark = [pytest.mark.skipif("-address" in BUILD.name or "-thread" in BUILD.name, reason="only in the plain build"),
              pytest.mark.skipif(not shutil.which("promtool"), reason="a system without Prometheus")]


def promtool(*arguments, **options):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions():
    """Of the dashboard as Grafana sends them, and of the rules."""
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    found = [target["expr"].replace("$upstream", ".*") for panel in dashboard["panels"] for target in panel["targets"]]
    lines = re.findall(r"expr: (?:>-\n((?: {10}.*\n)+)|(.*))", RULES.read_text())
    assert len(found) >= 10 and len(lines) >= 9
    return found, [" ".join((folded or plain).split()) for folded, plain in lines]


def get(port, path, **query):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}", timeout=20) as answer:
        return json.load(answer)["data"]


def test_promtool_accepts_metrics_and_rules(served):
    served.ask()
    metrics = served.request("GET", "/metrics", headers={"x-api-key": ACCESS_KEY}).body
    subprocess.run(["promtool", "check", "metrics"], input=metrics, check=True, timeout=60)
    promtool("check", "rules", RULES)
    known = set(re.findall(r"^# TYPE (\S+)", metrics.decode(), re.M))
    for expression in sum(expressions(), []):
        for name in re.findall(r"claude_proxy_[a-z_]+", expression):
            assert re.sub("_(bucket|sum|count)$", "", name) in known or name in known, expression


def test_prometheus_reads_a_site_and_answers_dashboard_and_rules(served, upstream, tmp_path):
    (tmp_path / "claude-proxy.key").write_text(ACCESS_KEY)
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}\n" + replace(
        (DEPLOY / "prometheus.yml.example").read_text(), ("/etc/prometheus/claude-proxy.rules.yml", RULES),
        ("/etc/prometheus/claude-proxy.key", tmp_path / "claude-proxy.key"), ("127.0.0.1:80", f"127.0.0.1:{served.port}")))
    promtool("check", "config", config)
    port = free_port()
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}"]
    served.ask()
    with served.running(command, {"PATH": "/usr/bin"}, wait_path=None) as server:
        def data(expression):
            assert server.poll() is None
            try:
                return get(port, "/api/v1/query", query=expression)["result"]
            except urllib.error.HTTPError as error:
                assert error.code == 503, (expression, error.read())
            except OSError:
                pass
            return []  # it begins

        wait_for(lambda: data('up{job="claude-proxy"} == 1'), "Prometheus to read the metrics", 30)
        for _ in range(20):
            served.ask()
        wait_for(lambda: data("rate(claude_proxy_requests_total[5m]) > 0"), "a rate", 30)
        dashboard, rules = expressions()
        for expression in dashboard:
            wait_for(lambda: data(expression), expression, 10)
        for expression in rules:
            data(expression)  # an error would be told
        wait_for(lambda: data("claude_proxy:requests:rate5m"), "the recorded rate", 10)
        # The keys are refused: this is told.
        upstream.answer = status(401, {"error": {"message": "no"}})
        served.post({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]})
        wait_for(lambda: any(alert["labels"]["alertname"] in ("ClaudeProxyNoKeyReady", "ClaudeProxyKeyRefused")
                             for alert in get(port, "/api/v1/alerts")["alerts"]), "an alert", 20)
        assert all(rule["health"] == "ok" for group in get(port, "/api/v1/rules")["groups"] for rule in group["rules"])

"""Each example with its lines for HTTPS: HTTP/2 by curl, and the official SDK."""
import json
import os
import subprocess
from pathlib import Path

import pytest

from fronts import FRONTS, Caddy
from site_under_test import ACCESS_KEY, free_port
from upstream import text

LETSENCRYPT = "/etc/letsencrypt/live/claude.example.com"
ALL = {"caddy": Caddy, **{name: FRONTS[name] for name in ("lighttpd", "nginx", "apache-proxy-fcgi", "apache-fcgid")}}


def lines_for_https(name, front, certificate):
    """What the comment says to change, and the test's own port and certificate."""
    files = [(f"{LETSENCRYPT}/fullchain.pem", certificate[0]), (f"{LETSENCRYPT}/privkey.pem", certificate[1])]
    if name == "nginx":
        return [("#listen 443 ssl http2;", "listen 443 ssl http2;"), ("#ssl_certificate ", "ssl_certificate "),
                ("#ssl_certificate_key ", "ssl_certificate_key "), ("listen 443", f"listen 127.0.0.1:{front.https}"), *files]
    if name == "lighttpd":
        return [('#server.modules += ("mod_openssl")', 'server.modules += ("mod_openssl")'), ('#$SERVER["socket"]', '$SERVER["socket"]'),
                ("#    ssl.engine", "ssl.engine"), ("#    ssl.pemfile", "ssl.pemfile"), ("#    ssl.privkey", "ssl.privkey"),
                ("#}", "}"), ('":443"', f'"127.0.0.1:{front.https}"'), *files]
    if name == "caddy":
        return [("claude.example.com {", f"https://127.0.0.1:{front.https} {{\n\ttls {certificate[0]} {certificate[1]}")]
    return [(f"#{word} ", f"{word} ") for word in ("Protocols", "SSLEngine", "SSLCertificateFile", "SSLCertificateKeyFile")] + files


def curl(front, certificate, path, *arguments):
    command = ["curl", "-sS", "--http2", "--cacert", certificate[0], "-w", "\n%{http_version} %{http_code}", *arguments,
               f"https://127.0.0.1:{front.https}{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("name", ALL)
def test_https_with_http2_and_the_official_sdk(running_upstream, certificate, packages, name):
    if not Path("/etc/debian_version").exists():
        pytest.skip("the web servers' own files are Debian's")
    running_upstream.reset()
    front = ALL[name](running_upstream)
    front.https = front.port if name.startswith("apache") or name == "caddy" else free_port()
    if name.startswith("apache"):
        front.modules = (*front.modules, "socache_shmcb", "ssl", "http2")
    front.moved = lines_for_https(name, front, certificate)
    front.is_up = lambda path: curl(front, certificate, path).endswith((" 200", " 503"))
    with front.served():
        assert curl(front, certificate, "/health").endswith("\n2 200")
        running_upstream.answer = text("Gr\u00fc\u00dfe")
        body = json.dumps({"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]})
        for header in (f"x-api-key: {ACCESS_KEY}", f"authorization: Bearer {ACCESS_KEY}"):
            answer = curl(front, certificate, "/v1/messages", "-H", header, "-H", "content-type: application/json", "-d", body)
            assert "message_start" in answer and "message_stop" in answer and answer.endswith("\n2 200"), answer
        env = {**os.environ, "PROXY_ACCESS_KEY": ACCESS_KEY, "NODE_EXTRA_CA_CERTS": str(certificate[0])}
        for what in ("create", "stream"):
            done = subprocess.run(["node", "client.mjs", f"https://127.0.0.1:{front.https}", what], env=env, cwd=packages,
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout.splitlines()[-1])["content"][0]["text"] == "Gr\u00fc\u00dfe"

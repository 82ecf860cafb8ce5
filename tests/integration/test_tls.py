"""TLS to an upstream: whose certificates are believed, and that the others are not."""
import signal

from site_under_test import request, wait_for
from upstream import models


def test_an_unknown_certificate_is_refused_until_the_settings_name_it(site, secure_upstream, certificate):
    site.use(secure_upstream)
    env_file = site.folder / "settings.env"
    env_file.write_text("")
    with site.nginx(CLAUDE_PROXY_ENV=env_file) as responder:
        answer = site.post(request())
        assert answer.status == 502 and "certificate" in answer.error["message"]
        assert secure_upstream.calls == []
        env_file.write_text(f"SSL_CERT_FILE={certificate[0]}\n")
        responder.send_signal(signal.SIGHUP)
        wait_for(lambda: "settings read again" in site.log_text(), "the settings to be read")
        assert site.ask()["content"][0]["text"] == "Hello there"


def test_the_admin_command_believes_the_same(site, secure_upstream, certificate):
    site.use(secure_upstream)
    secure_upstream.answer = models(["m"])
    assert "certificate" in site.admin("doctor", check=False).stdout
    site.settings["SSL_CERT_FILE"] = certificate[0]
    done = site.admin("doctor")
    assert f"CA bundle {certificate[0]}" in done.stdout


def test_a_certificate_file_that_cannot_be_read_is_told(site, secure_upstream):
    site.use(secure_upstream)
    site.settings["SSL_CERT_FILE"] = site.folder / "nothing.pem"
    assert "nothing.pem" in site.admin("doctor", check=False).stdout
    with site.lighttpd():
        assert site.post(request()).status == 502

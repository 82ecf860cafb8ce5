"""starter.fcgi.example, for those who can upload files and give no commands: what is in config.json is imported when it changes."""
import json
import os
import shutil
import subprocess

import pytest

from site_under_test import ACCESS_KEY, BUILD, ROOT, replace


class Space:
    def __init__(self, folder):
        self.folder = folder
        for name in ("claude-proxy.fcgi", "claude-proxy-admin"):
            shutil.copy(BUILD / name, folder / name)
        (folder / ".env").write_text(f"PROXY_ACCESS_KEY={ACCESS_KEY}\n")
        self.starter = folder / "starter.fcgi"
        self.starter.write_text(replace((ROOT / "fcgi/deploy/starter.fcgi.example").read_text(), ("/home/you/claude-proxy", folder)))
        self.starter.chmod(0o755)
        self.moment = 1_700_000_000

    def upload(self, config):
        """With a time of its own: FTP programs may keep the one that the file had at home, older or newer."""
        path = self.folder / "config.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        self.moment += 60 if self.moment % 120 else -300
        os.utime(path, (self.moment, self.moment))

    def ask(self):
        body = json.dumps({"model": "claude-test-haiku", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]})
        env = {"PATH": "/usr/bin:/bin", "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/ai/claude-proxy.fcgi",
               "PATH_INFO": "/v1/messages", "CONTENT_LENGTH": str(len(body)), "HTTP_X_API_KEY": ACCESS_KEY}
        env.update({name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")})
        return subprocess.run([self.starter], env=env, input=body, capture_output=True, text=True, timeout=60)


@pytest.fixture
def space(tmp_path):
    return Space(tmp_path)


def config(upstream, key):
    """The example with our address, key and service type."""
    value = json.loads((ROOT / "fcgi/deploy/config.json.example").read_text())
    value["upstream"][0].update(baseUrl=upstream.url, apiKeys=[key], serviceType=upstream.service.SERVICE_TYPE)
    return value


def test_config_json_is_imported_when_it_changes(space, upstream):
    assert "no upstream is configured" in space.ask().stdout
    space.upload(config(upstream, "sk-one-0123456789abcdef"))
    for _ in range(2):
        done = space.ask()
        assert done.stdout.startswith("Status: 200"), done
    assert upstream.last["model"] == "gpt-6-luna"
    assert upstream.keys_seen() == {"sk-one-0123456789abcdef": 2}

    # What is wrong with it is told once, and changes nothing.
    space.upload("{nonsense")
    done = space.ask()
    assert done.stdout.startswith("Status: 200") and "config.json" in done.stderr
    assert "config.json" not in space.ask().stderr

    changed = config(upstream, "sk-one-0123456789abcdef")
    changed["routes"] = [{"pattern": "other-*", "model": "m-2"}]
    changed["upstream"][0]["name"] = changed["currentUpstream"] = "second"
    space.upload(changed)
    assert space.ask().stdout.startswith("Status: 200")
    shown = subprocess.run([space.folder / "claude-proxy-admin", "show"], capture_output=True, text=True,
                           env={**os.environ, "CLAUDE_PROXY_DB": str(space.folder / "claude-proxy.db")}).stdout
    assert "second" in shown and "m-2" in shown

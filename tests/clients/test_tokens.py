"""count_tokens without an upstream that counts: within 10 % of the o200k_base tokenizer (SPEC §4), measured on each kind of text."""
import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from site_under_test import ROOT, request

HERE = Path(__file__).parent
PYTHON = Path(sysconfig.get_path("stdlib"))
SCHEMAS = [{"name": f"tool_{i}", "description": "Reads a file from the local file system and returns its lines.", "input_schema": {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": False,
    "properties": {"file_path": {"type": "string", "description": "The absolute path of the file to read"},
                   "offset": {"type": "integer", "minimum": 0, "description": "The line to start from"},
                   "limit": {"type": ["integer", "null"], "exclusiveMinimum": 0}}, "required": ["file_path"]}} for i in range(20)]

TEXTS = {
    "prose": lambda: Path("/usr/share/common-licenses/GPL-3").read_text(),
    "documentation": lambda: (ROOT / "README.md").read_text(),
    "c": lambda: "".join(p.read_text() for p in sorted((ROOT / "fcgi/translate/claude").glob("*.c"))),
    "python": lambda: (PYTHON / "argparse.py").read_text()[:40000],
    "javascript": lambda: (HERE / "client.mjs").read_text() + (HERE / "tokens.mjs").read_text(),
    "sql and make": lambda: (ROOT / "schema.sql").read_text() + (ROOT / "Makefile").read_text(),
    "json": lambda: json.dumps(SCHEMAS),
    "pretty json": lambda: json.dumps(SCHEMAS, indent=2),
    "chinese": lambda: (HERE / "texts/chinese.txt").read_text(),
    "mixed": lambda: (HERE / "texts/mixed.md").read_text(),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_the_estimate_is_within_a_tenth(served, packages, tmp_path, kind):
    text = TEXTS[kind]()
    (tmp_path / "text").write_text(text)
    done = subprocess.run(["node", "tokens.mjs", tmp_path / "text"], cwd=packages, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    body = request(text)
    del body["max_tokens"]
    estimate = served.post(body, "/v1/messages/count_tokens").json["input_tokens"]
    assert 0.9 < estimate / int(done.stdout) < 1.1, (estimate, int(done.stdout))

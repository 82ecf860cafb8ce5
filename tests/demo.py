"""make demo: the main job end to end on a stand-in upstream.  demo.py <build folder>

A throw-away database, real lighttpd, the real responder; one plain and one streamed request with a tool.  Prints what
Claude clients get, checks it, stops everything.  Exit status 0, or 1 with the reason.
"""
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["CLAUDE_PROXY_BUILD"] = str(Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve())
sys.path.insert(0, str(Path(__file__).parent / "integration"))

from site_under_test import Site, collect  # noqa: E402
from upstream import Upstream, parts, tool_call  # noqa: E402

TOOL = {"name": "get_weather", "description": "The weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}


def show(title, message):
    print(f"\n{title}")
    print(json.dumps({name: message[name] for name in ("content", "stop_reason", "usage")}, indent=2))


def demonstrate(site, upstream):
    site.use(upstream, name="stand-in")
    with site.lighttpd():
        print(f"serving on http://127.0.0.1:{site.port}, upstream {upstream.url} (a stand-in for Chat Completions)")
        upstream.answer = parts("Hello! I am a stand-in for a model.")
        plain = site.ask("Hello")
        show("a plain request, as a Claude client gets its answer:", plain)
        assert plain["content"][0]["text"].startswith("Hello!") and plain["stop_reason"] == "end_turn"

        upstream.answer = parts("Let me look.", reasoning_content="The user asks for the weather.",
                                tool_calls=[tool_call("get_weather", '{"city": "Paris"}')])
        events = site.stream("What is the weather in Paris?", tools=[TOOL])
        print("\na streamed request with a tool:")
        for event in events:
            print("  event:", event["type"], json.dumps(event.get("delta") or event.get("content_block") or ""))
        streamed = collect(events)
        show("which amounts to:", streamed)
        assert streamed["content"][2]["input"] == {"city": "Paris"} and streamed["stop_reason"] == "tool_use"
        assert upstream.refused == [], upstream.refused


def main():
    upstream = Upstream()
    try:
        with tempfile.TemporaryDirectory(prefix="claude-proxy-demo.") as folder:
            demonstrate(Site(folder), upstream)
    except Exception as problem:  # whatever it is, the user wants the reason and not a trace
        print(f"\ndemo failed: {type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    finally:
        upstream.stop()
    print("\nIt works.  Next: make run")
    return 0


if __name__ == "__main__":
    sys.exit(main())

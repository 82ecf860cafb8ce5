"""Claude Code at work on the services and models that people use: each refuses what the real one refuses, and has no reason to.

One conversation has it all: two tools side by side, a sub-agent that does not think, a turn that brings back what was
thought before, a compaction, and a hook that wants an answer in JSON.
"""
import json

import pytest

from named_services import services
from script import Script, asks, cast, says

# Claude Code asks each in its own way: with an effort, or with a budget.  The last is for a model that it does not know.
# Each service is asked as the first and as one of the others.
FIRST, *OTHERS = ["claude-opus-4-8", "claude-sonnet-4-5", "claude-opus-5-5", None]
PAIRS = [pytest.param(service, model, id=f"{service.name}, {model or 'its own name'}") for n, service in enumerate(services())
         for model in (FIRST, OTHERS[n % len(OTHERS)])]
CAN_BE_OFF = ["claude-opus-4-8", "claude-sonnet-4-5"]  # of others it does not say so
HOOK = {"hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "prompt", "prompt": "HOOKED: may it run? $ARGUMENTS"}]}]}}
TASK = {"description": "look", "prompt": "SUBTASK: read a.txt", "subagent_type": "general-purpose", "run_in_background": False}


def use(site, upstream, service):
    """The service is asked at its own address, for which the stand-in answers as a proxy."""
    upstream.speak(service)
    site.admin("add", "main", service.base, service.SERVICE_TYPE)
    site.admin("key", "main", "add", "sk-test-0123456789abcdef")
    site.admin("set", "main", "proxy", upstream.url)
    for option in service.options:
        site.admin("set", "main", *option)
    site.admin("route", "add", "claude-*", service.model)


class Story:
    """A conversation with the model, in a folder with two files."""

    def __init__(self, upstream, claude_code, talk):
        self.upstream, self.talk = upstream, talk
        self.files = [claude_code.work / name for name in ("a.txt", "b.txt")]
        for file, word in zip(self.files, ("w\u00f6rd-of-a", "word-of-b")):
            file.write_text(word)

    def turn(self, prompt, *steps):
        """One turn, which ends well; its requests, those of the main conversation and those of others."""
        before = len(self.upstream.calls)
        self.upstream.answer = cast(
            HOOKED=Script(says('{"ok": true, "reason": "why not"}')), MAINTASK=Script(*steps),
            SUBTASK=Script(asks("I look.", ("Bash", {"command": f"cat {self.files[0]}"})), says("It says: word-of-a.")))
        said = self.talk.say(prompt)
        assert said == (steps[-1].said if prompt != "/compact" else "")
        calls = self.upstream.calls[before:]
        others = [call for call in calls if b"MAINTASK" not in call.text or b"HOOKED" in call.text]
        return [call for call in calls if call not in others], others

    def two_tools(self):
        return asks("Both.", ("Read", {"file_path": str(self.files[0])}), ("Bash", {"command": f"cat {self.files[1]}"}),
                    thinking="Two files, then.")


@pytest.mark.parametrize("service, model", PAIRS)
def test_a_conversation(site, upstream, claude_code, service, model):
    use(site, upstream, service)
    with site.lighttpd(), claude_code.converse("--settings", json.dumps(HOOK), ANTHROPIC_MODEL=model or service.model) as talk:
        story = Story(upstream, claude_code, talk)
        calls, _ = story.turn("MAINTASK: read both files.", story.two_tools(), says("Read."))
        first, second = service.results(calls[-1])
        assert "w\u00f6rd-of-a" in first and second.startswith("word-of-b")
        talk.think(0)
        calls, others = story.turn("MAINTASK: let an agent look.", asks("An agent.", ("Agent", TASK)), says("It looked."))
        assert len(others) >= 2
        if model in CAN_BE_OFF:
            assert all(service.off(call.body) for call in calls + others)
        talk.think(None)
        again = asks("Once more.", ("Bash", {"command": "echo again"}), thinking="The first, again.")
        calls, _ = story.turn("MAINTASK: and again.", again, says("Done."))
        if service.voice:
            thoughts = list(service.thoughts(calls[-1].body))
            assert "Two files, then." in thoughts and thoughts[-1] == "The first, again."
        story.turn("/compact", says("<summary>MAINTASK: two files were read.</summary>"))
        story.turn("MAINTASK: the last time.", story.two_tools(), says("The end."))
    assert talk.run.problems() == [] and (upstream.refused == [] or service.teaches)
    assert "compact_boundary" in [event.get("subtype") for event in talk.run.events]
    log = site.log_text()
    assert " warn " not in log and " error " not in log

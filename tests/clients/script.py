"""What the stand-in says in a conversation with a client that uses tools, whichever service it speaks.

How far a conversation has come is told by the tool results in it, so that the clients may ask as often and in as many
conversations at once as they like.
"""
import itertools
import json
from collections import namedtuple

from upstream import tool_call

Step = namedtuple("Step", "said calls thinking")
numbers = itertools.count(1)


def asks(said, *calls, thinking=None):
    """A step that calls tools, each a pair of name and input, side by side."""
    return Step(said, calls, thinking)


def says(said):
    """A step that ends the turn.  ${said} may be a function of the turn's tool results and the whole request."""
    return Step(said, (), None)


class Script:
    """The answers to one turn of the user: steps that call tools, then one that concludes."""

    def __init__(self, *steps):
        self.steps = [(step, [f"call_{next(numbers)}" for _ in step.calls]) for step in steps]
        self.before = None  # tool results of earlier turns

    def __call__(self, call):
        results = list(call.service.results(call))
        if self.before is None:
            self.before = len(results)
        done = results[self.before:]
        awaited = 0
        for step, ids in self.steps:
            if awaited == len(done):
                return self.answer(call, step, ids, done)
            awaited += len(step.calls)
        raise AssertionError(f"the script has no step after {len(done)} results")

    @staticmethod
    def answer(call, step, ids, results):
        said = step.said(results, call.text.decode()) if callable(step.said) else step.said
        members = {"reasoning_content": step.thinking} if step.thinking else {}
        if step.calls:
            members["tool_calls"] = [tool_call(name, json.dumps(value, ensure_ascii=False), id)
                                     for id, (name, value) in zip(ids, step.calls)]
        call.service.parts(said, **members)(call)


def cast(**scripts):
    """Several conversations at once: each is known by a word in its first prompt, the first name that is found counts."""
    def answer(call):
        for word, script in scripts.items():
            if word.encode() in call.text:
                return script(call)
        raise AssertionError("nobody's conversation")

    return answer

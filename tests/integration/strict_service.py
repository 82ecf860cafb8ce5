"""What a stand-in for a service by name refuses, as data; see named_services.

The modules upstream, upstream_responses, upstream_gemini and upstream_claude speak a protocol each, and check what every
service of it checks.  A service here is one address with one model, and a list of rules: what this service refuses
besides, in its own words and with its own status, and which fact says so.  The numbers of the facts are the parts of
SERVICES.md.  A rule knows how to break itself, so that test_named_services_are_strict can show of each that it refuses.
"""
import itertools
from dataclasses import dataclass, field
from types import ModuleType
from typing import Callable
from urllib.parse import urlsplit

numbers = itertools.count(1)


@dataclass(frozen=True)
class Rule:
    """${refuses} is given a request's body and the service; what it returns, if anything, stands for {} in ${words}."""
    fact: str
    words: str
    refuses: Callable
    breaks: Callable  # changes a good body so that it is refused by this rule
    status: int = 400
    more: dict = field(default_factory=dict)  # members of the error beside its message


# ---- rules that many services have ----

def member(fact, name, words, value=1, **more):
    """A member that is not taken."""
    return Rule(fact, words, lambda body, _: name if name in body else None, lambda body: body.update({name: value}), more=more)


def only_members(fact, names, words, status=400, **more):
    """Nothing but these members is taken."""
    known = set(names.split())
    return Rule(fact, words, lambda body, _: next((name for name in body if name not in known), None),
                lambda body: body.update(never_heard_of=1), status, more)


def value(fact, path, taken, words, bad, **more):
    """A value, at a path with dots, that must be one of those ${taken}."""
    *outer, last = path.split(".")

    def holder(body):
        for name in outer:
            body = body.get(name) or {}
        return body

    def breaks(body):
        for name in outer:
            body = body.setdefault(name, {})
        body[last] = bad

    return Rule(fact, words, lambda body, _: holder(body)[last] if last in holder(body) and holder(body)[last] not in taken.split()
                else None, breaks, more=more)


def most(fact, name, limit, words, status=400, **more):
    """A number that has a limit."""
    return Rule(fact, words, lambda body, _: body[name] if body.get(name, 0) > limit else None,
                lambda body: body.update({name: limit + 1}), status, more)


def schemas(body):
    """Each function's name and schema, in either form of OpenAI's."""
    for tool in body.get("tools", []):
        function = tool.get("function", tool)
        if "parameters" in function:
            yield function["name"], function["parameters"], function.get("strict")


def schemas_in(schema):
    """A schema and all schemas in it."""
    yield schema
    for name in ("properties", "$defs", "definitions"):
        for inner in (schema.get(name) or {}).values():
            if isinstance(inner, dict):
                yield from schemas_in(inner)
    for name in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(name) or []:
            yield from schemas_in(inner)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from schemas_in(schema[name])


def schema_rule(fact, words, wrong, example, status=400, **more):
    """A function whose schema, or one in it, is wrong."""
    def refuses(body, _):
        return next((name for name, schema, _ in schemas(body) if any(wrong(inner, inner is schema) for inner in schemas_in(schema))),
                    None)

    def breaks(body):
        tool = body["tools"][0]
        tool.get("function", tool)["parameters"] = example

    return Rule(fact, words, refuses, breaks, status, more)


def is_closed(schema):
    """May it be strict?"""
    return all(inner.get("additionalProperties") is False and set(inner.get("required") or []) == set(inner.get("properties") or {})
               for inner in schemas_in(schema) if inner.get("type") == "object")


def strict_tools(fact, words, **more):
    def breaks(body):
        tool = body["tools"][0]
        tool.get("function", tool).update(strict=True, parameters={"type": "object", "properties": {"a": {"type": "string"}}})

    return Rule(fact, words, lambda body, _: next((name for name, schema, strict in schemas(body) if strict and not is_closed(schema)),
                                                  None), breaks, more=more)


# ---- a service ----

@dataclass
class Service:
    """Can be spoken by an Upstream, as the modules can."""
    name: str
    base: str  # the base URL
    model: str
    rules: list
    path: str = ""  # behind the base URL
    voice: str = ""  # how it tells what it thinks, as each protocol has it; "": it does not
    off: Callable = lambda body: True  # is it told not to think, or as little as it can?
    options: tuple = ()  # of the upstream, that its owner sets
    more: dict = field(default_factory=dict)  # members of a good request
    error: Callable = None  # the body of an error from status, message and members
    teaches: bool = False  # nobody can know beforehand what it refuses
    protocol: ModuleType = None

    def __post_init__(self):
        self.given = {}  # what went with a call, by the call's id

    @property
    def SERVICE_TYPE(self):
        return self.protocol.SERVICE_TYPE

    def good_request(self):
        """A request that nobody could mind: with a call, its result and a tool."""
        return {**self.good(), **self.more}

    def key_of(self, call):
        return self.protocol.key_of(call)

    def streams(self, call):
        return self.protocol.streams(call)

    def results(self, call):
        return self.protocol.results(call)

    def path_of(self, call):
        return urlsplit(self.base).path.rstrip("/") + self.path

    def address_problem(self, call):
        """Asked through a proxy, the request names the whole address."""
        url, base = urlsplit(call.path), urlsplit(self.base)
        if (url.scheme, url.netloc, url.path) != (base.scheme, base.netloc, self.path_of(call)):
            return 404, f"Invalid URL ({call.method} {call.path})", {}
        if call.key is None:
            return 401, "You didn't provide an API key.", {}
        if call.headers.get("Content-Type") != "application/json" or call.body is None:
            return 400, "We could not parse the JSON body of your request.", {}
        if call.body.get("model", self.model) != self.model:
            return 404, f"The model `{call.body.get('model')}` does not exist", {}
        return None

    def broken_rule(self, body):
        """The first rule that refuses the body, and what it says; or None."""
        for rule in self.rules:
            what = rule.refuses(body, self)
            if what:
                return rule, rule.words.format(what)
        return None

    def body_of(self, call):
        """What the rules look at."""
        return call.body

    def problem_of(self, call):
        problem = self.address_problem(call)
        if problem:
            return problem
        broken = self.broken_rule(self.body_of(call))
        return broken and (broken[0].status, broken[1], broken[0].more)

    def error_body(self, code, message, more=()):
        if self.error:
            return self.error(code, message, dict(more))
        return self.protocol.error_body(code, message)

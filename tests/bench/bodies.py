"""The requests of the load test: the same ones at each run."""
import json
import random

WORDS = ("the a to of in it is that for on with as this from or be by an at not are we can if then when each path line value "
         "buffer socket event stream header request answer timer thread queue lock file folder table index number string list "
         "parser writer reader client server worker process signal test build commit branch error warning retry limit").split()
TOOLS = [f"{verb}_{noun}" for verb in ("read", "write", "search", "edit", "run") for noun in ("file", "folder", "command", "page")]


def prose(rng, size):
    """About `size` bytes of text, with a character of several bytes here and there."""
    words = []
    while size > 0:
        word = rng.choice(WORDS) if rng.random() < 0.98 else rng.choice(("“so”", "naïve", "→", "変数", "🙂"))
        words.append(word + rng.choice(("", "", "", "", "", ",", ".", ".\n")))
        size -= len(words[-1].encode()) + 1
    return " ".join(words)


def source(rng, size):
    """About `size` bytes of a program as a tool returns it: JSON must escape much of it."""
    lines = []
    while size > 0:
        a, b = rng.sample(WORDS, 2)
        line = rng.choice((f'\tlog_warn("{a} of %s is \\"{b}\\"\\n", {a});', f"\tif ({a} == NULL || {b}->count > {rng.randrange(100)})",
                           f"\t\treturn {a}_{b}({b}, '\\0'); /* {prose(rng, 25)} */", "", f"{len(lines) + 1}: {{\"{a}\": \"{b}\"}},"))
        lines.append(line)
        size -= len(line.encode()) + 1
    return "\n".join(lines)


def schema(rng, depth=0):
    properties = {}
    for name in rng.sample(WORDS, rng.randint(3, 5)):
        kind = rng.choice(("string", "integer", "boolean", "array", "object") if depth < 2 else ("string", "integer"))
        properties[name] = {"type": kind, "description": prose(rng, 60)}
        if kind == "array":
            properties[name]["items"] = {"type": "string", "enum": rng.sample(WORDS, 4)}
        elif kind == "object":
            properties[name] |= schema(rng, depth + 1)
    return {"type": "object", "properties": properties, "required": list(properties)[:2], "additionalProperties": False}


def tool_round(rng, number, text, result):
    """The model calls a tool, and the client answers: two messages."""
    call = {"type": "tool_use", "id": f"toolu_{number:024d}", "name": rng.choice(TOOLS),
            "input": {"path": f"src/{rng.choice(WORDS)}.c", "old": source(rng, 200), "limit": rng.randrange(2000)}}
    returned = {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": source(rng, result)}]}
    return [{"role": "assistant", "content": [{"type": "text", "text": prose(rng, text)}, call]},
            {"role": "user", "content": [returned]}]


def session(rounds, text, result):
    """What a coding agent sends in the middle of its work: 20 tools, and a conversation that is mostly their results."""
    rng = random.Random(20)
    messages = [{"role": "user", "content": prose(rng, text)}]
    for number in range(rounds):
        messages += tool_round(rng, number, text, result)
    return {"max_tokens": 4096, "temperature": 1, "messages": messages,
            "system": [{"type": "text", "text": prose(rng, 14000), "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": name, "description": prose(rng, 1300), "input_schema": schema(rng)} for name in TOOLS],
            "metadata": {"user_id": "user_bench"}}


REQUESTS = {
    "small": {"max_tokens": 256, "messages": [{"role": "user", "content": prose(random.Random(1), 200)}]},
    "100 KB": session(15, 400, 1450),
    "1 MB": session(60, 500, 13300),
}


def body(name, stream):
    """The bytes of a request."""
    return json.dumps({"model": "m", **REQUESTS[name], "stream": stream}, ensure_ascii=False, separators=(",", ":")).encode()

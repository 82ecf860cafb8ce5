"""One neutral answer, rendered as a service might really give it: with random oddities of every kind that is known.

A `Told` is what the client must get in the end.  `chat_…`, `responses_…`, `gemini_…` and `claude_…` render it, as a body or as
an event stream; each choice among forms that mean the same is left to the random generator, so a seed tells the whole answer
again.  Forms that no reader could understand (two calls of one name without ids, numbers and arguments) are not rendered.
"""
import json
from dataclasses import dataclass, field

WORDS = ["The", " weather", " in", " Paris", " is", " f", "ine", ".\n", "\n", "- ", "{\"a\"", ": 1}", "<b>", " na\u00efve", " \u4e16\u754c",
         " \U0001f600", " \"quoted\"", " \\n", "\t", "</think", " 1", "0", "0", "ha", "ha"]
NAMES = ["Read", "Bash", "mcp__srv__do"]


@dataclass
class Told:
    thinking: str
    text: str
    calls: list  # of (name, input)
    usage: dict  # input, cached, written, output
    reason: str  # end_turn, max_tokens, tool_use, refusal
    error: str = field(default=None)

    def outline(self):
        """What a message must amount to."""
        blocks = [("thinking", self.thinking)] if self.thinking else []
        blocks += [("text", self.text)] if self.text else []
        return [*blocks, *(("tool_use", name, value) for name, value in self.calls)]


def sentence(rng, most):
    """Text that begins with a word."""
    count = rng.randrange(0, most)
    return "Well," + "".join(rng.choice(WORDS) for _ in range(count)) if count else ""


def neutral(rng):
    calls = [(rng.choice(NAMES), {"n": n, "path": sentence(rng, 4), **({"in": {"n": [1, {"n": 2}]}} if rng.random() < 0.3 else {})})
             for n in range(rng.choice([0, 0, 1, 1, 2, 3]))]
    told = Told(thinking=sentence(rng, 12) if rng.random() < 0.5 else "", text=sentence(rng, 20), calls=calls,
                usage={"input": rng.randrange(100, 5000), "cached": rng.choice([0, 40]), "written": rng.choice([0, 30]),
                       "output": rng.randrange(1, 500)},
                reason=rng.choice(["end_turn", "end_turn", "max_tokens"]))
    if not told.text and not calls:
        told.text = "Yes."
    if calls and told.reason != "max_tokens":
        told.reason = "tool_use"
    return told


def cut(rng, text, most=6):
    """The text in pieces."""
    places = sorted(rng.randrange(len(text) + 1) for _ in range(rng.randrange(most))) if text else []
    return [piece for piece in (text[a:b] for a, b in zip([0, *places], [*places, len(text)])) if piece]


def sums(pieces):
    """Each piece with all that came before it."""
    return ["".join(pieces[:n + 1]) for n in range(len(pieces))]


def restating(rng, text):
    """The pieces of a text, as most services send them or as those do that repeat themselves."""
    pieces = cut(rng, text)
    if not pieces or rng.random() < 0.6:
        return pieces
    # A first piece without a word is not recognised when it is repeated.
    first, rest = (pieces[0], pieces[1:]) if any(c.isalpha() for c in pieces[0]) else (pieces[0] + "".join(pieces[1:]), [])
    return sums([first, *rest])


def arguments_of(rng, value):
    """The texts of the pieces in which a call's arguments come."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=rng.choice([(",", ":"), (", ", ": ")]))
    pieces = cut(rng, text, 4)
    form = rng.randrange(5)
    if form == 1:
        pieces = sums(pieces)
    elif form == 2:
        pieces = [*pieces, text]
    elif form == 3:
        pieces = ["{}", *pieces]
    return pieces


# ---- event streams ----

def writer(rng):
    """How a service writes its JSON: a text that it repeats it writes as it did before."""
    options = {"ensure_ascii": rng.random() < 0.5, "separators": rng.choice([(",", ":"), (", ", ": ")])}
    escapes = [("<", "\\u003c"), (">", "\\u003E"), ("/", "\\/")] if rng.random() < 0.3 else []

    def write(value):
        text = json.dumps(value, **options)
        for plain, escaped in escapes:
            text = text.replace(plain, escaped)
        return text
    return write


def stream_of(rng, events, named=False):
    """The bytes of a stream of these events (objects, or texts as they are)."""
    out = rng.choice(["", "", "\ufeff", ": waiting\n\n"])
    end = rng.choice(["\n\n", "\n\n", "\r\n\r\n", "\r\r"])
    write = writer(rng)
    for event in events:
        data = event if isinstance(event, str) else write(event)
        name = f"event: {event.get('type', 'error')}\n" if named and isinstance(event, dict) and rng.random() < 0.7 else ""
        field_name = rng.choice(["data: ", "data:"])
        gap = end
        if rng.random() < 0.15:
            gap = rng.choice(["", " ", "\n", "\n\n: comment\n\n"])
        if isinstance(event, dict) and rng.random() < 0.05 and out.endswith(("\n\n", "\r\r")):
            field_name = name = ""
        # A name begins a line.
        if name and out and out[-1] not in "\n\r":
            name = ""
        out += name + field_name + data + gap
    return (out if rng.random() < 0.8 else out.rstrip()).encode()


# ---- Chat Completions ----

def chat_usage(rng, usage):
    input, cached, written, output = (usage[name] for name in ("input", "cached", "written", "output"))
    counts = {"prompt_tokens": input, "completion_tokens": output}
    details = {rng.choice(["cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"]): written}
    beside = rng.choice([None, "cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens"])
    if beside:
        counts[beside] = cached
    else:
        details["cached_tokens"] = cached
    if rng.random() < 0.3 and output > 1:
        counts["completion_tokens"] -= 1
        counts["completion_tokens_details"] = {"reasoning_tokens": 1}
        counts["total_tokens"] = input + output
    return {**counts, "prompt_tokens_details": details}


def thinking_parts(told):
    return [{"type": "thinking", "thinking": [{"type": "text", "text": told.thinking}]}] if told.thinking else []


def chat_message(rng, told):
    """The message of a whole answer."""
    message = {"role": "assistant", "content": told.text or None}
    form = rng.choice(["reasoning_content", "reasoning", "reasoning_text", "reasoning_details", "parts", "tags"])
    if told.thinking and form == "parts":
        message["content"] = [*thinking_parts(told), *([{"type": "text", "text": told.text}] if told.text else [])]
    elif told.thinking and form == "tags":
        message["content"] = f"<think>{told.thinking}</think>\n\n{told.text}"
    elif told.thinking and form == "reasoning_details":
        message[form] = [{"type": "reasoning.text", "text": told.thinking, "index": 0}]
    elif told.thinking:
        message[form] = told.thinking
    if told.calls:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function",
             "function": {"name": name, "arguments": value if rng.random() < 0.2 else json.dumps(value)}}
            for n, (name, value) in enumerate(told.calls)]
    return message


FINISH = {"end_turn": ["stop", "eos"], "max_tokens": ["length", "model_length"], "tool_use": ["tool_calls", "stop", "function_call"]}


def chat_body(rng, told):
    message, reason = chat_message(rng, told), rng.choice(FINISH[told.reason])
    choices = [{"index": 0, "message": message, "finish_reason": reason}]
    if message.get("tool_calls") and told.text and rng.random() < 0.3:
        calls = {"role": "assistant", "tool_calls": message.pop("tool_calls")}
        choices = [{"message": message, "finish_reason": reason}, {"message": calls, "finish_reason": reason}]
    return json.dumps({"id": "c", "choices": choices, "usage": chat_usage(rng, told.usage)}).encode()


def thinking_deltas(rng, told):
    """Thinking, and what of the text comes with it when it is between tags."""
    form = rng.choice(["reasoning_content", "reasoning", "reasoning_text", "reasoning_details", "parts", "tags"])
    if form == "tags":
        tag = rng.choice(["think", "thought"])
        whole = f"<{tag}>{told.thinking}</{tag}>" + rng.choice(["", "\n\n"]) + told.text
        return [{"content": piece} for piece in cut(rng, whole, 12)]
    pieces = restating(rng, told.thinking)
    if form == "parts":
        deltas = [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]}]} for piece in pieces]
    elif form == "reasoning_details":
        deltas = [{"reasoning_details": [{"type": "reasoning.text", "text": piece, "index": 0}]} for piece in pieces]
    else:
        deltas = [{form: piece, "content": rng.choice([None, ""])} for piece in pieces]
    return [*deltas, *({"content": piece} for piece in restating(rng, told.text))]


def call_deltas(rng, told):
    """The pieces of the calls: numbered, all alike, or not at all; ids of every kind."""
    numbers = rng.choice(["right", "right", "gaps", "zero", "none"])
    ids = rng.choice(["own", "own", "none", "blank", "same", "changing"])
    each = []
    for n, (name, value) in enumerate(told.calls):
        pieces = arguments_of(rng, value)
        if numbers in ("zero", "none") and pieces[0] == "{}":
            pieces = pieces[1:]
        index = {"right": {"index": n}, "gaps": {"index": 3 * n + 1}, "zero": {"index": 0}, "none": {}}[numbers]
        deltas = []
        if rng.random() < 0.3:
            pieces = ["", *pieces]
        for k, piece in enumerate(pieces):
            head = {"own": {"id": f"call_{n}"}, "none": {}, "blank": {"id": " "}, "same": {"id": "call_0"},
                    "changing": {"id": f"call_{n}_{k}"}}[ids] if k == 0 or ids == "changing" else {}
            deltas.append({"tool_calls": [{**index, **head, "function": {**({"name": name} if k == 0 else {}), "arguments": piece}}]})
        each.append(deltas)
    if numbers in ("right", "gaps") and rng.random() < 0.3:
        return interleaved(rng, each)
    return [delta for deltas in each for delta in deltas]


def interleaved(rng, lists):
    """Elements of all lists, of each in its order; the lists begin in theirs."""
    waiting, open_lists, out = [list(one) for one in lists], [], []
    while waiting or open_lists:
        if waiting and (not open_lists or rng.random() < 0.5):
            open_lists.append(waiting.pop(0))
            one = open_lists[-1]
        else:
            one = rng.choice(open_lists)
        out.append(one.pop(0))
        open_lists = [one for one in open_lists if one]
    return out


def repeated(told):
    """All that a stream has told, once more: as a message, or in the place of another piece."""
    yield {"index": 0, "message": {"role": "assistant", "content": told.text or None}}
    calls = [{"index": n, "id": f"call_{n}", "function": {"name": name, "arguments": json.dumps(value)}}
             for n, (name, value) in enumerate(told.calls)]
    yield {"index": 0, "message": {"role": "assistant", "content": told.text, "tool_calls": calls}}
    if len(told.text) > 40:
        yield {"index": 0, "delta": {"content": told.text}}


def chat_stream(rng, told):
    def chunk(delta, reason=None, index=0, **more):
        return {"id": "c", "object": "chat.completion.chunk",
                "choices": [{"index": index, "delta": delta, "finish_reason": reason, **more}]}

    second = 1 if told.text and rng.random() < 0.2 else 0
    events = [chunk({"role": "assistant", "content": ""})] if rng.random() < 0.5 else []
    events += [chunk(delta) for delta in thinking_deltas(rng, told)] if told.thinking else [
        chunk({"content": piece}) for piece in restating(rng, told.text)]
    events += [chunk(delta, index=second) for delta in call_deltas(rng, told)]
    if rng.random() < 0.2 and not told.thinking:
        calls_known = not told.calls or "call_0" in json.dumps(events) and "call_0_" not in json.dumps(events)
        events.append({"choices": [rng.choice([choice for choice in repeated(told) if calls_known or not choice.get(
            "message", {}).get("tool_calls")])]})
    usage, end = chat_usage(rng, told.usage), chunk({}, rng.choice(FINISH[told.reason]))
    place = rng.choice(["last", "finish", "choice", "groq", "each"])
    if place == "finish":
        end["usage"] = usage
    elif place == "choice":
        end["choices"][0]["usage"] = usage
    events.append(end)
    if place == "last":
        events.append({"choices": [], "usage": usage})
    elif place == "groq":
        events.append({"choices": [], "x_groq": {"id": "x", "usage": usage}})
    elif place == "each":
        events = [{**event, "usage": usage} for event in events]
    if rng.random() < 0.3:
        events.append({"choices": [], "usage": rng.choice([{}, None])})
    return stream_of(rng, events + ["[DONE]"] * (rng.random() < 0.8))


CHAT_ERRORS = [
    {"error": {"message": "it broke", "code": 502}}, {"error": "it broke"}, {"object": "error", "message": "it broke", "code": 50001},
    {"message": "it broke"}, {"detail": "it broke"}, {"code": 500, "msg": "it broke"}, {"errors": [{"message": "it broke"}]},
    {"choices": [{"index": 0, "error": {"message": "it broke"}, "delta": {}, "finish_reason": "error"}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "network_error"}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "insufficient_system_resource"}]},
    {"choices": [], "x_groq": {"error": {"message": "it broke"}}}, {"base_resp": {"status_code": 1000, "status_msg": "it broke"}},
]


def begun(rng, events, at_once):
    """The events that come before a failure; none, if it comes at once."""
    return [] if at_once else events[:rng.randrange(len(events) + 1)]


def chat_failure(rng, told, at_once=False):
    """The beginning of an answer, and an error in one of its forms."""
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in cut(rng, told.text)]
    role = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}] * rng.randrange(2)
    return stream_of(rng, [*role, *begun(rng, events, at_once), rng.choice(CHAT_ERRORS)])


# ---- Responses ----

def items_of(told):
    if told.thinking:
        yield {"type": "reasoning", "id": "rs_0", "summary": [{"type": "summary_text", "text": told.thinking}]}
    if told.text:
        yield {"type": "message", "id": "msg_0", "content": [{"type": "output_text", "text": told.text}]}
    for n, (name, value) in enumerate(told.calls):
        yield {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": name, "arguments": json.dumps(value)}


def response_of(rng, told, output):
    usage = told.usage
    counts = {"input_tokens": usage["input"], "output_tokens": usage["output"],
              "input_tokens_details": {"cached_tokens": usage["cached"], "cache_write_tokens": usage["written"]}}
    cut_off = told.reason == "max_tokens"
    details = rng.choice([{"reason": "max_output_tokens"}, None]) if cut_off else None
    return {"id": "resp_0", "status": "incomplete" if cut_off else "completed", "output": output, "error": None,
            "incomplete_details": details, "usage": counts}


def responses_body(rng, told):
    return json.dumps(response_of(rng, told, list(items_of(told)))).encode()


def without(item, *names):
    return {name: value for name, value in item.items() if name not in names}


def item_events(rng, item, at):
    """What a stream tells of one item: when it begins, its pieces, and the whole."""
    kind = item["type"]
    hollow = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}}[kind]
    if kind == "function_call":
        pieces, name = arguments_of(rng, json.loads(item["arguments"])), "response.function_call_arguments"
    elif kind == "message":
        pieces, name = restating(rng, item["content"][0]["text"]), "response.output_text"
    else:
        pieces, name = cut(rng, item["summary"][0]["text"]), rng.choice(
            ["response.reasoning_summary_text", "response.reasoning_text"])
    if rng.random() < 0.8 or kind == "function_call":
        yield {"type": "response.output_item.added", **without(at, "item_id"), "item": {**item, **hollow}}
    for piece in pieces:
        yield {"type": name + ".delta", **at, "delta": piece}
    if rng.random() < 0.5:
        whole = {"arguments": item["arguments"]} if kind == "function_call" else {"text": item.get("content", item.get("summary"))[0]["text"]}
        yield {"type": name + ".done", **at, **whole}
    if rng.random() < 0.7:
        yield {"type": "response.output_item.done", **without(at, "item_id"), "item": item}


def responses_stream(rng, told):
    form = rng.choice(["right", "right", "ids", "order", "zero", "changing"])
    output, events = [], [{"type": "response.created", "response": {"status": "in_progress"}}]
    for n, item in enumerate(items_of(told)):
        ident = item.get("call_id") if rng.random() < 0.5 and item["type"] == "function_call" else item["id"]
        at = {"right": {"output_index": n, "item_id": item["id"]}, "ids": {"item_id": ident}, "order": {},
              "zero": {"output_index": 0, "item_id": item["id"]}, "changing": {"output_index": n, "item_id": f"x{rng.random()}"}}[form]
        shown = without(item, "id") if form == "order" else {**item, "id": f"y{rng.random()}"} if form == "changing" else item
        events += item_events(rng, shown, at)
        output.append({**item, "id": f"z{rng.random()}"} if form == "changing" else shown)
    if rng.random() < 0.3:
        output = []
    end = response_of(rng, told, output)
    return stream_of(rng, [*events, {"type": "response." + end["status"], "response": end}], named=True)


RESPONSES_ERRORS = [
    {"type": "error", "message": "it broke"}, {"type": "error", "error": {"message": "it broke"}}, {"error": {"message": "it broke"}},
    {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "it broke"}}},
    {"type": "response.completed", "response": {"status": "cancelled", "output": []}}, {"object": "error", "message": "it broke"},
]


def responses_failure(rng, told, at_once=False):
    """The beginning of an answer, and an error or nothing more."""
    events = [{"type": "response.output_text.delta", "output_index": 0, "delta": piece} for piece in cut(rng, told.text)]
    start = [{"type": "response.created", "response": {"status": "in_progress"}}] * rng.randrange(2)
    return stream_of(rng, [*start, *begun(rng, events, at_once), *rng.choice([[], *([error] for error in RESPONSES_ERRORS)])], named=True)


# ---- Gemini ----

def gemini_usage(rng, usage, share=1.0):
    """The counts when that share of the output was told."""
    told, tools = max(1, int(usage["output"] * share)), rng.choice([0, 5])
    thoughts = rng.randrange(told + 1)
    counts = {"promptTokenCount": usage["input"] - tools, "toolUsePromptTokenCount": tools, "cachedContentTokenCount": usage["cached"],
              "candidatesTokenCount": told - thoughts, "thoughtsTokenCount": thoughts}
    return {name: count for name, count in counts.items() if count or rng.random() < 0.5}


def gemini_parts(rng, told):
    thinking = [{"text": piece, "thought": True} for piece in cut(rng, told.thinking)]
    text = told.text
    if told.thinking and told.text and rng.random() < 0.2:
        thinking, text = [], f"<think>{told.thinking}</think>\n{told.text}"
    calls = [{"functionCall": {**rng.choice([{}, {"id": f"call_{n}"}, {"id": "call_0"}]), "name": name, "args": value},
              **rng.choice([{}, {"thoughtSignature": "c2ln"}])} for n, (name, value) in enumerate(told.calls)]
    return [*thinking, *({"text": piece} for piece in cut(rng, text)), *calls]


GEMINI_FINISH = {"end_turn": ["STOP"], "max_tokens": ["MAX_TOKENS", "CONTINUATION"], "tool_use": ["STOP"]}


def gemini_chunks(rng, told):
    """The chunks of a stream: parts one by one or together, the end with the last of them or behind."""
    told.usage["written"] = 0
    parts, candidates = gemini_parts(rng, told), []
    while parts:
        taken = rng.choice([1, 1, 2, 3])
        candidates.append({"content": {"role": "model", "parts": parts[:taken]}, "index": 0})
        parts = parts[taken:]
    if rng.random() < 0.5:
        candidates.append(rng.choice([{}, {"content": {}}, {"content": {"parts": [{"text": "", "thoughtSignature": "c2ln"}]}}]))
    candidates[-1]["finishReason"] = rng.choice(GEMINI_FINISH[told.reason])
    chunks = [{"candidates": [one, *([{"index": 1, "content": {"parts": [{"text": "other"}]}}] if rng.random() < 0.1 else [])]}
              for one in candidates]
    if rng.random() < 0.5:
        for n, chunk in enumerate(chunks):
            chunk["usageMetadata"] = {**gemini_usage(rng, told.usage, n / len(chunks)), "totalTokenCount": 1}
    chunks.append({**rng.choice([{}, {"candidates": []}]), "usageMetadata": {
        **dict.fromkeys(["toolUsePromptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount"], 0),
        **gemini_usage(rng, told.usage)}})
    if rng.random() < 0.3:
        chunks.append({"usageMetadata": rng.choice([{}, {"promptTokenCount": -1, "candidatesTokenCount": "many"}])})
    return chunks


def gemini_body(rng, told):
    chunks = gemini_chunks(rng, told)
    if rng.random() < 0.5:
        return rng.choice([", ", ",\r\n"]).join(json.dumps(chunk) for chunk in chunks).join(["[", "]\n"]).encode()
    told.usage["written"] = 0
    candidate = {"content": {"role": "model", "parts": gemini_parts(rng, told)}, "finishReason": rng.choice(GEMINI_FINISH[told.reason])}
    return json.dumps({"candidates": [candidate], "usageMetadata": gemini_usage(rng, told.usage)}).encode()


def gemini_stream(rng, told):
    return stream_of(rng, gemini_chunks(rng, told))


GEMINI_ERRORS = [
    {"error": {"code": 500, "message": "it broke", "status": "INTERNAL"}}, {"error": "it broke"}, {"errors": [{"message": "it broke"}]},
    [{"error": {"code": 503, "message": "it broke", "status": "UNAVAILABLE"}}], {"object": "error", "message": "it broke"},
    {"type": "error", "error": {"message": "it broke"}},
]
GEMINI_FAULTS = ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
                 "MISSING_THOUGHT_SIGNATURE", "OTHER"]


def gemini_failure(rng, told, at_once=False):
    """The beginning of an answer and an error; or thoughts and what went wrong then."""
    if rng.random() < 0.5:
        thoughts = [] if at_once else [{"candidates": [{"content": {"parts": [{"text": piece, "thought": True}]}}]} for piece in cut(rng, told.thinking)]
        return stream_of(rng, [*thoughts, {"candidates": [{"finishReason": rng.choice(GEMINI_FAULTS)}]}])
    events = [{"candidates": [{"content": {"parts": [{"text": piece}]}}]} for piece in cut(rng, told.text)]
    return stream_of(rng, [*begun(rng, events, at_once), rng.choice(GEMINI_ERRORS)])


# ---- Claude, passed through ----

def claude_usage(usage):
    return {"input_tokens": usage["input"] - usage["cached"] - usage["written"], "cache_read_input_tokens": usage["cached"],
            "cache_creation_input_tokens": usage["written"], "output_tokens": usage["output"]}


def claude_blocks(told):
    blocks = [{"type": "thinking", "thinking": told.thinking, "signature": "c2ln"}] if told.thinking else []
    blocks += [{"type": "text", "text": told.text}] if told.text else []
    return blocks + [{"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": value} for n, (name, value) in enumerate(told.calls)]


def claude_message(told, **more):
    return {"id": "msg_0", "type": "message", "role": "assistant", "model": "m", "content": claude_blocks(told),
            "stop_reason": told.reason, "stop_sequence": None, "usage": claude_usage(told.usage), **more}


def claude_body(rng, told):
    return rng.choice(["", "\n", " \n"]).encode() + json.dumps(claude_message(told), ensure_ascii=rng.random() < 0.5).encode()


def claude_block_events(rng, index, block):
    kind = block["type"]
    hollow = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}[kind]
    name, whole = {"thinking": ("thinking_delta", block.get("thinking")), "text": ("text_delta", block.get("text")),
                   "tool_use": ("input_json_delta", json.dumps(block.get("input")))}[kind]
    yield {"type": "content_block_start", "index": index, "content_block": {**block, **hollow}}
    for piece in cut(rng, whole):
        yield {"type": "content_block_delta", "index": index,
               "delta": {"type": name, {"text": "text", "thinking": "thinking", "tool_use": "partial_json"}[kind]: piece}}
    if kind == "thinking":
        yield {"type": "content_block_delta", "index": index, "delta": {"type": "signature_delta", "signature": block["signature"]}}
    yield {"type": "content_block_stop", "index": index}


def claude_events(rng, told):
    late = rng.random() < 0.3
    start = claude_message(told, content=[], stop_reason=None)
    start["usage"] = {"input_tokens": 0, "output_tokens": 0} if late else {**start["usage"], "output_tokens": 1}
    yield from [{"type": "ping"}] if rng.random() < 0.2 else []
    yield {"type": "message_start", "message": start}
    yield from [{"type": "ping"}] if rng.random() < 0.5 else []
    for index, block in enumerate(claude_blocks(told)):
        yield from claude_block_events(rng, index, block)
    usage = claude_usage(told.usage)
    yield {"type": "message_delta", "delta": {"stop_reason": told.reason, "stop_sequence": None},
           "usage": usage if late else {"output_tokens": usage["output_tokens"]}}


def claude_lines(rng, events, stop=True):
    """As a Claude-compatible service may write its stream: names of events, pings, or the last event are missing."""
    named, end, out = rng.random() < 0.6, rng.choice(["\n\n", "\n\n", "\r\n\r\n"]), rng.choice(["", "", ": waiting\n\n", "\n"])
    for event in [*events, *([{"type": "message_stop"}] if stop and rng.random() < 0.7 else [])]:
        name = f"event: {event.get('type', 'error')}{end[:len(end) // 2]}" if named else ""
        out += name + rng.choice(["data: ", "data:"]) + json.dumps(event) + end + rng.choice(["", "", "", ": comment\n\n"])
    return (out if rng.random() < 0.8 else out.rstrip()).encode()


def claude_stream(rng, told):
    return claude_lines(rng, claude_events(rng, told))


CLAUDE_ERRORS = [
    {"type": "error", "error": {"type": "overloaded_error", "message": "it broke"}}, {"error": {"message": "it broke", "code": 500}},
    {"error": "it broke"}, {"object": "error", "message": "it broke"}, {"errors": [{"message": "it broke"}]},
    {"base_resp": {"status_code": 1000, "status_msg": "it broke"}},
]


def claude_failure(rng, told, at_once=False):
    """The beginning of a message, and an error or nothing more."""
    events = list(claude_events(rng, told))
    content = next(n for n, event in enumerate(events) if event["type"] == "content_block_start")
    first = events[:rng.randrange(content + 1 if at_once else len(events))]
    return claude_lines(rng, [*first, *([rng.choice(CLAUDE_ERRORS)] if not first or rng.random() < 0.6 else [])], stop=False)

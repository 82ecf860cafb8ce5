"""A property: whichever way a service tells an answer, the client gets the same message, streamed or not; and an error
where it is one.  The oddities are those of odd_answers.py, the streams are cut anywhere (PROTOCOL §C, §D.2).

ODD_ANSWERS_SEED repeats a failure, which prints its seed; ODD_ANSWERS_ROUNDS makes the test as long as one likes.
"""
import contextlib
import json
import os
import random
import re

import pytest

import odd_answers
import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from site_under_test import collect, parse_events, request

KEYS = ["sk-first-0123456789", "sk-second-0123456789"]
ROUNDS = int(os.environ.get("ODD_ANSWERS_ROUNDS", 250))
TRANSLATED = [
    (openai_chat, odd_answers.chat_body, odd_answers.chat_stream, odd_answers.chat_failure),
    (upstream_responses, odd_answers.responses_body, odd_answers.responses_stream, odd_answers.responses_failure),
    (upstream_gemini, odd_answers.gemini_body, odd_answers.gemini_stream, odd_answers.gemini_failure),
]
PASSED = (upstream_claude, odd_answers.claude_body, odd_answers.claude_stream, odd_answers.claude_failure)


def name_of(row):
    return row[0].SERVICE_TYPE


@contextlib.contextmanager
def serving(site, upstream, row):
    upstream.speak(row[0])
    upstream.strict = False
    site.use(upstream, *KEYS, service_type=row[0].SERVICE_TYPE)
    with site.lighttpd():
        yield row


@pytest.fixture(params=TRANSLATED, ids=name_of)
def translated(request, site, upstream):
    with serving(site, upstream, request.param) as row:
        yield row


@pytest.fixture(params=[*TRANSLATED, PASSED], ids=name_of)
def service(request, site, upstream):
    with serving(site, upstream, request.param) as row:
        yield row


def seeds(count):
    seed = os.environ.get("ODD_ANSWERS_SEED")
    return [int(seed)] if seed else [random.randrange(1 << 32) for _ in range(count)]


def send(data, content_type, rng):
    """Answer with these bytes, in pieces of one size."""
    def answer(call):
        call.fragment = rng.choice([1, 7, 64, 4096]) if len(data) < 3000 else 4096
        call.begin_stream(content_type)
        call.send(data)
        call.end_stream()
    return answer


def outline(message):
    shapes = {"thinking": lambda b: ("thinking", b["thinking"]), "text": lambda b: ("text", b["text"]),
              "tool_use": lambda b: ("tool_use", b["name"], b["input"])}
    return [shapes[block["type"]](block) for block in message["content"]]


def plain(stream):
    """What is passed through, as the proxy's own streams are written: it keeps the service's comments, blanks and line ends."""
    lines = re.split("\r\n|\r|\n", stream)
    kept = "\n".join(line.replace("data:{", "data: {", 1) for line in lines if not line.startswith(":"))
    return re.sub("\n\n+", "\n\n", kept).lstrip("\n")


def got(site, stream, **members):
    """The message that the client gets, or the error; whichever way it asks."""
    answer = site.post(request("x", stream=stream, **members))
    if answer.status != 200:
        return None, answer.json["error"]
    if not stream:
        return answer.json, None
    events = parse_events(plain(answer.body.decode()))
    return (None, events[-1]["error"]) if events[-1]["type"] == "error" else (collect(events), None)


def rendered(rng, told, body, stream):
    """The answer in one of its forms, and a content type that it may come with."""
    form, content_type = rng.choice([(body, "application/json"), (stream, "text/event-stream"), (stream, "text/event-stream"),
                                     (stream, rng.choice(["text/plain", "application/octet-stream"]))])
    return form(rng, told), content_type, form is stream


def check_usage(usage, want, where):
    assert usage["cache_read_input_tokens"] == want["cached"], where
    assert usage["cache_creation_input_tokens"] == want["written"], where
    assert usage["input_tokens"] == want["input"] - want["cached"] - want["written"], where
    assert usage["output_tokens"] == want["output"], where


def test_the_same_message_comes_of_every_form(service, site, upstream):
    module, body, stream, _ = service
    for seed in seeds(ROUNDS):
        rng = random.Random(seed)
        told = odd_answers.neutral(rng)
        data, content_type, is_stream = rendered(rng, told, body, stream)
        upstream.answer = send(data, content_type, rng)
        # What is passed through is a stream where one was asked for.
        for streamed in (True,) if is_stream and module is upstream_claude else (False, True):
            message, error = got(site, streamed)
            where = f"ODD_ANSWERS_SEED={seed} streamed={streamed}\n{data.decode()}\n"
            assert error is None, f"{where}{error}"
            assert outline(message) == told.outline(), f"{where}{json.dumps(message['content'])}"
            assert message["stop_reason"] == told.reason, where
            check_usage(message["usage"], told.usage, f"{where}{message['usage']} {told.usage}")
            ids = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
            assert len(set(ids)) == len(ids), where


def test_a_stop_sequence_ends_every_form(translated, site, upstream):
    """Wherever it is cut, and whatever follows."""
    _, body, stream, _ = translated
    for seed in seeds(ROUNDS // 2):
        rng = random.Random(seed)
        told = odd_answers.neutral(rng)
        if len(told.text.strip()) < 2:
            continue
        begin = rng.randrange(len(told.text.strip()) - 1)
        sequence = told.text.strip()[begin:begin + rng.randrange(1, 8)]
        data, content_type, _ = rendered(rng, told, body, stream)
        upstream.answer = send(data, content_type, rng)
        before = told.text[:told.text.index(sequence)]
        expected = [one for one in told.outline() if one[0] == "thinking"] + ([("text", before)] if before else [])
        for streamed in (False, True):
            message, error = got(site, streamed, stop_sequences=["never said", sequence])
            where = f"ODD_ANSWERS_SEED={seed} streamed={streamed} {sequence!r}\n{data.decode()}\n"
            assert error is None, f"{where}{error}"
            assert outline(message) == expected, f"{where}{json.dumps(message['content'])}"
            assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", sequence), where


def test_a_failure_is_an_error_in_every_form(service, site, upstream):
    module, _, _, failure = service
    for seed in seeds(ROUNDS // 2):
        rng = random.Random(seed)
        data = failure(rng, odd_answers.neutral(rng))
        upstream.answer = send(data, "text/event-stream", rng)
        for streamed in (True,) if module is upstream_claude else (False, True):
            # The key that failed is paused; it is the only one, so it is tried all the same.
            message, error = got(site, streamed)
            assert error is not None, f"ODD_ANSWERS_SEED={seed} streamed={streamed}\n{data.decode()}\n{message}"


def test_a_failure_before_any_content_is_cured_by_another_key(service, site, upstream):
    module, body, stream, failure = service
    for seed in seeds(ROUNDS // 5):
        rng = random.Random(seed)
        told = odd_answers.neutral(rng)
        bad, good = failure(rng, told, at_once=True), {True: stream(rng, told), False: body(rng, told)}
        for streamed in (True,) if module is upstream_claude else (False, True):
            answers = [send(bad, "text/event-stream", rng), send(good[streamed], "text/event-stream" if streamed else "application/json", rng)]
            asked = len(upstream.calls)
            upstream.answer = lambda call: answers[min(len(upstream.calls) - asked, 2) - 1](call)
            message, error = got(site, streamed)
            where = f"ODD_ANSWERS_SEED={seed} streamed={streamed}\n{bad.decode()}\n{good[streamed].decode()}\n"
            assert error is None, f"{where}{error}"
            assert outline(message) == told.outline(), f"{where}{json.dumps(message['content'])}"
            assert len({call.key for call in upstream.calls[asked:]}) == 2, where

"""A property: whichever way a service tells an answer, the client gets the same message, streamed or not; and an error
where it is one.  The oddities are those of odd_answers.py, the streams are cut anywhere (PROTOCOL §C, §D.2).

ODD_ANSWERS_SEED repeats a failure, which prints its seed; ODD_ANSWERS_ROUNDS makes the test as long as one likes.
"""
import json
import os
import random

import pytest

import odd_answers
import upstream as openai_chat
import upstream_responses
from site_under_test import collect, parse_events, request

ROUNDS = int(os.environ.get("ODD_ANSWERS_ROUNDS", 250))
SERVICES = [
    (openai_chat, odd_answers.chat_body, odd_answers.chat_stream, odd_answers.chat_failure),
    (upstream_responses, odd_answers.responses_body, odd_answers.responses_stream, odd_answers.responses_failure),
]


@pytest.fixture(params=SERVICES, ids=lambda row: row[0].SERVICE_TYPE)
def service(request, site, upstream):
    upstream.speak(request.param[0])
    upstream.strict = False
    site.use(upstream, service_type=request.param[0].SERVICE_TYPE)
    with site.lighttpd():
        yield request.param


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


def got(site, stream):
    """The message that the client gets, or the error; whichever way it asks."""
    answer = site.post(request("x", stream=stream))
    if answer.status != 200:
        return None, answer.json["error"]
    if not stream:
        return answer.json, None
    events = parse_events(answer.body.decode())
    return (None, events[-1]["error"]) if events[-1]["type"] == "error" else (collect(events), None)


def test_the_same_message_comes_of_every_form(service, site, upstream):
    _, body, stream, _ = service
    for seed in seeds(ROUNDS):
        rng = random.Random(seed)
        told = odd_answers.neutral(rng)
        form, content_type = rng.choice([(body, "application/json"), (stream, "text/event-stream"), (stream, "text/event-stream"),
                                         (stream, rng.choice(["text/plain", "application/octet-stream"]))])
        data = form(rng, told)
        upstream.answer = send(data, content_type, rng)
        for streamed in (False, True):
            message, error = got(site, streamed)
            where = f"ODD_ANSWERS_SEED={seed} streamed={streamed}\n{data.decode()}\n"
            assert error is None, f"{where}{error}"
            assert outline(message) == told.outline(), f"{where}{json.dumps(message['content'])}"
            assert message["stop_reason"] == told.reason, where
            usage, want = message["usage"], told.usage
            assert usage["cache_read_input_tokens"] == want["cached"], where
            assert usage["cache_creation_input_tokens"] == want["written"], where
            assert usage["input_tokens"] == want["input"] - want["cached"] - want["written"], where
            assert usage["output_tokens"] == want["output"], where
            ids = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
            assert len(set(ids)) == len(ids), where


def test_a_failure_is_an_error_in_every_form(service, site, upstream):
    failure = service[3]
    for seed in seeds(ROUNDS // 2):
        rng = random.Random(seed)
        data = failure(rng, odd_answers.neutral(rng))
        upstream.answer = send(data, "text/event-stream", rng)
        for streamed in (False, True):
            # The key that failed is paused; it is the only one, so it is tried all the same.
            message, error = got(site, streamed)
            assert error is not None, f"ODD_ANSWERS_SEED={seed} streamed={streamed}\n{data.decode()}\n{message}"

"""Refusals that teach (SPEC §5): a request that is refused for what it says is corrected and sent once more, and no
later request is refused for it, in whichever process."""
import json
import random
import string
import time

import pytest

import upstream as upstream_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from site_under_test import collect, request, wait_for
from upstream import error_body

EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]


def word():
    return "".join(random.choice(string.ascii_lowercase) for _ in range(9))


class Service:
    """Refuses what its rule finds wrong in a request; counts what it refused and took."""

    def __init__(self, upstream, service, rule):
        self.refused, self.taken, self.rule = [], [], rule
        upstream.speak(service)
        upstream.strict = False
        self.good, self.error_body = service.parts("fine"), service.error_body
        upstream.answer = self.answer

    def answer(self, call):
        problem = self.rule(call)
        if problem:
            self.refused.append(problem)
            code, body = (400, self.error_body(400, problem)) if isinstance(problem, str) else problem
            call.reply(code, body)
        else:
            self.taken.append(call)
            self.good(call)


# ---- what is refused: each makes a rule, the members of a request that breaks it, and headers ----

def unknown_member():
    name = "x_" + word()
    return upstream_claude, lambda call: f"{name}: Extra inputs are not permitted" if name in call.body else None, {name: 1}, {}


def member_inside():
    name = "x_" + word()
    blocks = [{"type": "text", "text": "hello", name: True}]
    return (upstream_claude,
            lambda call: f"messages.0.content.0.text.{name}: Extra inputs are not permitted"
            if name in call.body["messages"][0]["content"][0] else None,
            {"messages": [{"role": "user", "content": blocks}]}, {})


def value():
    accepted = sorted(random.sample(EFFORTS[2:6], 2), key=EFFORTS.index)
    refused = random.choice([e for e in EFFORTS[2:6] if e not in accepted])

    def rule(call):
        if call.body.get("reasoning_effort") in [None, *accepted]:
            return None
        return (400, {"error": {
            "message": f"Unsupported value: '{call.body['reasoning_effort']}' is not supported with the '{call.body['model']}' "
                       f"model. Supported values are: {' and '.join(repr(e) for e in accepted)}.",
            "type": "invalid_request_error", "param": "reasoning_effort", "code": "unsupported_value"}})

    return upstream_chat, rule, {"model": "gpt-9", "thinking": {"type": "adaptive"}, "output_config": {"effort": refused}}, {}


def beta():
    bad = f"{word()}-2026-01-01"
    return (upstream_claude,
            lambda call: f"Unexpected value(s) `{bad}` for the `anthropic-beta` header."
            if bad in call.headers.get("anthropic-beta", "") else None,
            {}, {"anthropic-beta": f"good-2025-01-01,{bad},fine-2025-01-01"})


def header():
    name = f"anthropic-{word()}"
    return upstream_claude, lambda call: f"Unsupported header: {name}" if name in call.headers else None, {}, {name: "1"}


def limit():
    most = random.randrange(2000, 9000)
    wordings = [
        "max_tokens is too large: {asked}. This model supports at most {most} completion tokens, whereas you provided {asked}.",
        "Invalid max_tokens value, the valid range of max_tokens is [1, {most}]",
        "`max_tokens` must be less than or equal to `{most}`, the maximum value for `max_tokens` is less than the "
        "`context_window` for this model",
        "Range of max_tokens should be [1, {most}]"]
    wording = random.choice(wordings)
    return (upstream_chat,
            lambda call: wording.format(asked=call.body["max_tokens"], most=most) if call.body["max_tokens"] > most else None,
            {"max_tokens": 20000}, {})


def window():
    """vLLM with a window that is smaller than the output asked for: the prompt always comes to 100 tokens."""
    most = random.randrange(8000, 40000)

    def rule(call):
        asked = call.body["max_tokens"]
        return (f"'max_tokens' or 'max_completion_tokens' is too large: {asked}. This model's maximum context length is {most} tokens "
                f"and your request has 100 input tokens ({asked} > {most} - 100).") if asked > most - 100 else None

    return upstream_chat, rule, {"max_tokens": 64000}, {}


def other_name():
    return (upstream_chat,
            lambda call: "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            if "max_tokens" in call.body else None, {}, {})


def summary():
    def rule(call):
        if "summary" not in call.body.get("reasoning", {}):
            return None
        return (400, {"error": {"message": "Your organization must be verified to generate reasoning summaries.",
                                "param": "reasoning.summary", "code": "unsupported_value"}})

    return upstream_responses, rule, {"model": "gpt-5", "thinking": {"type": "adaptive"}}, {}


def extra_forbidden():
    def rule(call):
        if "user" not in call.body:
            return None
        return (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "user"], "msg": "Extra inputs are not permitted"}]})

    return upstream_chat, rule, {"metadata": {"user_id": "somebody"}}, {}


def images():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    return (upstream_chat,
            lambda call: "messages[0]: unknown variant `image_url`, expected `text`" if "image_url" in call.text.decode() else None,
            {"messages": [{"role": "user", "content": [image, {"type": "text", "text": "what is it?"}]}]}, {})


def system_role():
    return (upstream_chat,
            lambda call: "System role not supported" if call.body["messages"][0]["role"] == "system" else None,
            {"system": "Be brief."}, {})


def answer_format():
    schema = {"type": "object", "properties": {"verdict": {"type": "string"}}}
    return (upstream_chat,
            lambda call: "response_format is not supported by this model" if "response_format" in call.body
            else None if "verdict" in call.text.decode() else "where is the schema?",
            {"output_config": {"format": {"type": "json_schema", "schema": schema}}}, {})


def stream_only():
    return (upstream_chat, lambda call: None if call.body.get("stream") else "This model only support stream mode, please enable it",
            {}, {})


def search():
    service, wording = random.choice([
        (upstream_responses, "Hosted tool 'web_search' is not supported with this model."),
        (upstream_responses, "Invalid value: 'web_search'. Supported values are: 'function' and 'custom'."),
        (upstream_responses, "tools.0.type: Input should be 'function'"),
        (upstream_gemini, "Search as a tool is not enabled for this model")])
    return (service, lambda call: wording if "tools" in call.body else None,
            {"model": "gemini-9", "tools": [{"type": "web_search_20250305", "name": "web_search"}],
             "tool_choice": random.choice([{"type": "auto"}, {"type": "tool", "name": "web_search"}])}, {})


def auth():
    return (upstream_claude,
            lambda call: (401, error_body(401, "Missing Authorization header: expected a Bearer token"))
            if "Authorization" not in call.headers else None, {}, {})


KINDS = [auth, unknown_member, member_inside, value, beta, header, limit, window, other_name, summary, extra_forbidden, images, system_role,
         answer_format, stream_only, search]


def learned(site):
    return json.loads(site.admin("learned", "list", "--json").stdout)


def lines(site):
    return site.log_text().count("learned from a refusal")


def serve(site, upstream, kind):
    """The upstream that refuses what is of this kind, and what a request must have that it refuses."""
    service, rule, members, headers = kind()
    site.use(upstream, service_type=service.SERVICE_TYPE)
    return Service(upstream, service, rule), members, headers


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_refusal_is_met_once(site, upstream, seed, kind):
    s, members, headers = serve(site, upstream, kind)

    def ask():
        answer = site.post({**request(), **members}, headers=headers)
        assert answer.status == 200, (answer.body, s.refused)
        assert answer.json["content"][0]["text"] == "fine"

    with site.lighttpd(processes=2):
        for _ in range(9):  # either process
            ask()
        assert len(s.refused) == 1 and len(s.taken) == 9
        wait_for(lambda: lines(site) == 1, "the lesson to be logged once")
        assert "attempt failed" not in site.log_text()  # nor is the key paused
    with site.cgi():
        ask()
        assert len(s.refused) == 1
    rows = learned(site)
    assert len(rows) == 1 and rows[0]["times"] == 1 and rows[0]["upstream"] == "main"
    assert rows[0]["lesson"] in site.admin("show").stdout
    site.prefix = ""
    with site.lighttpd(processes=2):
        assert "1 lesson" in site.admin("learned", "forget", "main").stdout
        for _ in range(3):
            ask()
        assert len(s.refused) == 2 and len(learned(site)) == 1


@pytest.mark.parametrize("kind", [unknown_member, value, beta, limit], ids=lambda kind: kind.__name__)
def test_a_cgi_program_learns_for_all(site, upstream, seed, kind):
    """The process that learned it has ended before the next one begins."""
    s, members, headers = serve(site, upstream, kind)
    with site.cgi():
        for _ in range(3):
            assert site.post({**request(), **members}, headers=headers).status == 200
            assert len(s.refused) == 1
        assert "1 lesson" in site.admin("learned", "forget").stdout
        for _ in range(2):
            assert site.post({**request(), **members}, headers=headers).status == 200
            assert len(s.refused) == 2
    site.prefix = ""
    with site.lighttpd(processes=2):
        for _ in range(4):
            assert site.post({**request(), **members}, headers=headers).status == 200
    assert len(s.refused) == 2 and len(learned(site)) == 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_streams_are_corrected_as_well(site, upstream, seed, kind):
    s, members, headers = serve(site, upstream, kind)
    with site.lighttpd():
        for _ in range(2):
            answer = site.post({**request(stream=True), **members}, headers=headers)
            assert answer.status == 200 and "fine" in answer.body.decode()
    assert len(s.refused) == (0 if kind is stream_only else 1)


def test_a_lesson_counts_for_its_model_and_its_upstream(site, upstream, seed):
    s, members, headers = serve(site, upstream, unknown_member)
    with site.lighttpd():
        for model in ("one", "one", "two", "two"):
            assert site.post({**request(model=model), **members}).status == 200
        assert len(s.refused) == 2
        site.use(upstream, name="again", service_type="claude")
        site.admin("use", "again")
        assert site.post({**request(model="one"), **members}).status == 200
        assert len(s.refused) == 3
        site.admin("remove", "again")
    assert sorted((row["upstream"], row["model"]) for row in learned(site)) == [("main", "one"), ("main", "two")]


REFUSALS_OF_NOBODY = ["I would rather not", "Invalid schema for function 'f': bad", "The model `m` does not exist",
                      "messages: text content blocks must be non-empty", "content_policy_violation: not allowed",
                      "Unknown parameter: 'no_such_member_of_ours'", "'model' is not supported", "Unsupported value: 'messages'"]


@pytest.mark.parametrize("words", REFUSALS_OF_NOBODY)
def test_nothing_is_learned_where_no_row_knows_the_refusal(site, upstream, words):
    s = Service(upstream, upstream_chat, lambda call: words)
    site.use(upstream)
    with site.lighttpd():
        answer = site.post(request(model="m", temperature=0.5))
        assert answer.status == 400 and answer.error["message"] == words
    assert len(s.refused) == 1 and learned(site) == []


def one_by_one(upstream, names):
    """Refuses one of these members at a time."""
    return Service(upstream, upstream_claude,
                   lambda call: next((f"{n}: Extra inputs are not permitted" for n in names if n in call.body), None))


def test_each_fault_of_a_request_is_corrected(site, upstream):
    s = one_by_one(upstream, ["x_first", "x_second"])
    site.use(upstream, service_type="claude")
    with site.lighttpd():
        for _ in range(2):
            assert site.post({**request(), "x_first": 1, "x_second": 1}).status == 200 and len(s.refused) == 2
    assert [row["lesson"] for row in learned(site)] == ["drop x_first", "drop x_second"]


@pytest.mark.parametrize("betas", [2, 3])
def test_betas_that_are_refused_one_at_a_time_cost_no_error(site, upstream, betas):
    names = [f"{word()}-2026-01-0{n + 1}" for n in range(betas)]
    s = Service(upstream, upstream_claude, lambda call: next(
        (f"Unexpected value(s) `{n}` for the `anthropic-beta` header." for n in names
         if n in call.headers.get("anthropic-beta", "")), None))
    site.use(upstream, service_type="claude")
    with site.lighttpd():
        for _ in range(2):
            assert site.post(request(), headers={"anthropic-beta": ",".join(["fine-2025-01-01", *names])}).status == 200
            assert len(s.refused) == betas
    assert all(call.headers["anthropic-beta"] == "fine-2025-01-01" for call in s.taken)


def test_a_service_that_always_finds_something_is_not_asked_forever(site, upstream):
    """Nine refusals of one request, of which the last is told; what they taught is known to the next."""
    names = [f"x_{n}{word()}" for n in range(12)]
    s = one_by_one(upstream, names)
    site.use(upstream, service_type="claude")
    members = dict.fromkeys(names, 1)
    with site.lighttpd():
        answer = site.post({**request(), **members})
        assert answer.status == 400 and names[8] in answer.json["error"]["message"] and len(s.refused) == 9
        assert site.post({**request(), **members}).status == 200 and len(s.refused) == 12
    assert len(learned(site)) == 12


def test_a_service_that_wants_now_this_and_now_that_is_not_followed_in_a_circle(site, upstream):
    """It takes the key in no form, and always asks for the other."""
    def rule(call):
        other = "x-api-key" if "Authorization" in call.headers else "Authorization: Bearer"
        return 401, upstream_claude.error_body(401, f"{other} header is required")

    s = Service(upstream, upstream_claude, rule)
    site.use(upstream, service_type="claude")
    with site.lighttpd():
        assert site.post(request()).status == 401
    assert len(s.refused) == 3


@pytest.mark.parametrize("service", (upstream_responses, upstream_gemini), ids=lambda service: service.SERVICE_TYPE)
def test_a_search_that_is_refused_is_said_to_be_missing(site, upstream, service):
    s = Service(upstream, service, lambda call: "web search is not supported by this model" if "tools" in call.body else None)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        for times in (1, 1):
            answer = site.ask(model="gemini-9", tools=[{"type": "web_search_20250305", "name": "web_search"}])
            assert len(s.refused) == times
            said, use, result = answer["content"]
            assert said["text"] == "fine" and use["name"] == "web_search" and result["tool_use_id"] == use["id"]
            assert result["content"]["error_code"] == "unavailable" and "server_tool_use" not in answer["usage"]
    assert [row["lesson"] for row in learned(site)] == ["fix no-search"]
    assert "There is no web search here" in s.taken[-1].text.decode()


def test_what_does_not_help_is_forgotten(site, upstream):
    s = Service(upstream, upstream_chat, lambda call: "temperature is not supported with this model")
    site.use(upstream)
    with site.lighttpd():
        for times in (2, 4):
            assert site.post(request(model="m", temperature=0.5)).status == 400
            assert len(s.refused) == times
    assert learned(site) == []


def test_never_a_second_try_after_a_byte(site, upstream):
    """Neither after a part of the answer nor after a ping."""
    def late(call):
        if call.body["model"] == "mid":
            call.chunk(content="half")
            call.event(error_body(400, "temperature is not supported"))
            call.end_stream()
        else:
            time.sleep(1)
            call.reply(400, error_body(400, "temperature is not supported"))

    upstream.answer = late
    upstream.strict = False
    site.use(upstream)
    with site.lighttpd(PING_INTERVAL=200):
        for model in ("mid", "slow"):
            events = site.stream(model=model, temperature=0.5)
            assert events[-1]["type"] == "error"
    assert len(upstream.calls) == 2 and learned(site) == []


def test_a_refused_request_is_accounted_once(site, upstream, seed):
    service, rule, members, headers = limit()
    Service(upstream, service, rule)
    site.use(upstream)
    with site.lighttpd():
        assert site.post({**request(), **members}).status == 200

        def requests():
            return [row["requests"] for row in json.loads(site.admin("usage", "--json").stdout)["rows"]]

        wait_for(lambda: sum(requests()) == 1, "the request in the usage")
    assert all(key["state"] == "ready" for u in json.loads(site.admin("show", "--json").stdout)["upstreams"] for key in u["keys"])


# ---- conversations that heal ----

def test_refused_thinking_is_left_out_of_that_conversation(site, upstream):
    upstream.speak(upstream_claude)
    site.use(upstream, service_type="claude")
    foreign = {"type": "thinking", "thinking": "x", "signature": "of somebody else"}
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [foreign, call]},
             {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]}]
    with site.lighttpd():
        for stream in (False, True):
            upstream.refused.clear()
            answer = site.post({**request(stream=stream, max_tokens=3000), "messages": turns,
                                "thinking": {"type": "enabled", "budget_tokens": 1024}})
            assert answer.status == 200 and len(upstream.refused) == 1
            assert upstream.last["thinking"] == {"type": "disabled"}
            assert [b["type"] for b in upstream.last["messages"][1]["content"]] == ["tool_use"]
        own = {**foreign, "signature": upstream_claude.SIGNATURE}
        turns[1]["content"] = [own, call]
        upstream.refused.clear()
        assert site.post({**request(), "messages": turns}).status == 200
        assert upstream.refused == [] and upstream.last["messages"][1]["content"][0] == own
    assert learned(site) == []


def test_what_is_carried_goes_back_to_its_upstream_and_model_alone(site, upstream):
    """Reasoning of one model goes back to it, and to no other, whatever its service type."""
    upstream.speak(upstream_responses)
    upstream.answer = upstream_responses.parts(reasoning_content="because", tool_calls=[upstream_chat.tool_call("f", "{}")])
    site.use(upstream, service_type="openai-responses")
    site.admin("add", "second", upstream.url, "openai-responses")
    site.admin("key", "second", "add", "sk-test-0123456789abcdef")
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    members = {"model": "gpt-5.2", "tools": tools, "thinking": {"type": "adaptive"}}
    with site.lighttpd():
        first = collect(site.stream(**members))
        turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": first["content"]},
                 {"role": "user", "content": [{"type": "tool_result", "tool_use_id": b["id"], "content": "ok"}
                                              for b in first["content"] if b["type"] == "tool_use"]}]

        def carried():
            return [item for item in upstream.last["input"] if item.get("type") == "reasoning"]

        site.ask(turns, **members)
        assert len(carried()) == 1
        site.ask(turns, **{**members, "model": "gpt-5.1"})
        assert carried() == []
        site.admin("use", "second")
        site.ask(turns, **members)
        assert carried() == []


def test_models_tells_what_is_known(site, upstream):
    upstream.answer = upstream_chat.models(["gpt-5.2", "o3"])
    site.use(upstream)
    listed = json.loads(site.admin("models", "main", "--json").stdout)
    assert [(m["model"], m["effort"]) for m in listed] == [("gpt-5.2", "none low medium high xhigh"), ("o3", "low medium high")]
    shown = site.admin("models", "main", "gpt-4o", "nobody-knows-it").stdout
    assert "16384" in shown and "not in the table" in shown


# ---- what is known beforehand ----

def use_host(site, upstream, base_url, service_type="openai"):
    """An upstream with that host, which the stand-in answers for as a proxy."""
    site.admin("add", "main", base_url, service_type)
    site.admin("key", "main", "add", "sk-test-0123456789abcdef")
    site.admin("set", "main", "proxy", upstream.url)


@pytest.mark.parametrize("model,tools,path", [
    ("gpt-6-astra", True, "/responses"), ("gpt-6-astra", False, "/chat/completions"), ("gpt-5.3-codex", False, "/responses"),
    ("o3-pro", True, "/responses"), ("gpt-5.6", True, "/chat/completions"), ("gpt-4o", True, "/chat/completions")])
def test_models_that_chat_does_not_serve_are_asked_by_responses(site, upstream, model, tools, path):
    def answer(call):
        service = upstream_responses if call.path.endswith("/responses") else upstream_chat
        service.parts("fine")(call)

    upstream.strict, upstream.answer = False, answer
    use_host(site, upstream, "http://api.openai.com")
    members = {"tools": [{"name": "f", "input_schema": {"type": "object"}}]} if tools else {}
    with site.lighttpd():
        assert site.ask(model=model, **members)["content"][0]["text"] == "fine"
        assert upstream.calls[-1].path == f"http://api.openai.com/v1{path}"
        # A whole address is taken as it is.
        site.admin("remove", "main")
        use_host(site, upstream, "http://api.openai.com/v1/chat/completions")
        site.ask(model=model, **members)
    assert upstream.calls[-1].path.endswith("/chat/completions")


@pytest.mark.parametrize("host,by,path", [("api.openai.com", "auto", "/responses"), ("api.x.ai", "auto", "/responses"),
                                          ("api.openai.com", "hosted", "/responses"), ("api.openai.com", "off", "/chat/completions"),
                                          ("gateway.example", "auto", "/chat/completions")])
def test_a_search_goes_where_the_service_has_one(site, upstream, host, by, path):
    def answer(call):
        service = upstream_responses if call.path.endswith("/responses") else upstream_chat
        service.parts("fine")(call)

    upstream.strict, upstream.answer = False, answer
    use_host(site, upstream, f"http://{host}/v1")
    site.admin("set", "main", "search", by)
    with site.lighttpd():
        for choice, where in (({"type": "auto"}, path), ({"type": "none"}, "/chat/completions")):
            site.ask(model="m", tools=[{"type": "web_search_20250305", "name": "web_search"}], tool_choice=choice)
            assert upstream.calls[-1].path == f"http://{host}/v1{where}"

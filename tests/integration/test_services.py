"""Every service type through the real web server: the same conversations, each in the service's own language."""
import json
import re
import threading
import time
from pathlib import Path

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from site_under_test import ACCESS_KEY, collect, parse_events, request
from upstream import tool_call

TRANSLATED = [openai_chat, upstream_responses, upstream_gemini]
SERVICES = [*TRANSLATED, upstream_claude]
MODELS = {"openai": "gpt-5-mini", "openai-responses": "gpt-5-mini", "gemini": "gemini-3-pro-preview", "claude": "claude-x"}

TOOLS = [{"name": "read", "description": "Reads.", "input_schema": {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": False,
    "properties": {"path": {"type": "string", "format": "uri"}, "format": {"type": ["string", "null"]},
                   "mode": {"anyOf": [{"const": "a"}, {"type": "integer", "exclusiveMinimum": 0}]}}, "required": ["path"]}},
    {"name": "list.all", "input_schema": {"type": "object"}}]
EDGES = "\u0000 \u2028 </script> \U0001f600 \u6f22\u5b57 e\u0301 \"\\/ \uffff"


def ids(service):
    return service.SERVICE_TYPE


@pytest.fixture(params=SERVICES, ids=ids)
def service(request):
    return request.param


@pytest.fixture(params=TRANSLATED, ids=ids)
def translated(request):
    return request.param


@pytest.fixture
def serve(site, upstream):
    """Be served by this service, through lighttpd; every request asks for a model of its kind."""
    import contextlib

    @contextlib.contextmanager
    def serving(service):
        upstream.speak(service)
        site.use(upstream, service_type=service.SERVICE_TYPE)
        site.admin("route", "add", "claude-test", MODELS[service.SERVICE_TYPE])
        with site.lighttpd():
            yield site
        assert upstream.refused == []

    return serving


def turn(message):
    return {"role": "assistant", "content": message["content"]}


def results(message, *texts):
    calls = [block for block in message["content"] if block["type"] == "tool_use"]
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": text}
                                        for call, text in zip(calls, texts)]}


ANSWER = dict(content="Let me look. ", reasoning_content="I should read it.",
              tool_calls=[tool_call("read", '{"path":"a","n":1.10}', "call_a"), tool_call("read", '{"path":"b"}', "call_b")])


def test_a_streamed_and_a_whole_answer_agree(serve, upstream, service):
    """H.1, C.1, D.1: for any cut of the stream."""
    with serve(service) as site:
        for answer in [ANSWER, dict(content="Only text, gr\u00fc\u00dfe \U0001f600"),
                       dict(content="cut", finish_reason="length"), dict(content="no", finish_reason="content_filter")]:
            upstream.answer = service.parts(**answer)
            whole = site.ask(tools=TOOLS)
            for fragment in (1, 7, None):
                upstream.answer = service.parts(fragment=fragment, **answer)
                streamed = collect(site.stream(tools=TOOLS))
                for block in whole["content"] + streamed["content"]:
                    if block.get("id", "").startswith("toolu_") or service is upstream_gemini:
                        block.pop("id", None)
                assert streamed["content"] == whole["content"]
                assert (streamed["stop_reason"], streamed["usage"]) == (whole["stop_reason"], whole["usage"])
        assert whole["usage"] == {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 8,
                                  "output_tokens": 5}


def test_stop_reasons(serve, upstream, service):
    """C.2"""
    expected = {None: "end_turn", "length": "max_tokens", "content_filter": "refusal"}
    with serve(service) as site:
        for reason, told in expected.items():
            upstream.answer = service.parts("a", finish_reason=reason)
            assert site.ask()["stop_reason"] == told
        upstream.answer = service.parts(**ANSWER)
        assert site.ask(tools=TOOLS)["stop_reason"] == "tool_use"


def test_three_turns_with_parallel_calls_of_one_function(serve, upstream, service):
    """H.4, H.16, H.17, H.18: what the service needs back comes back, over several turns; results in any order."""
    with serve(service) as site:
        messages = [{"role": "user", "content": "go"}]
        for streamed in (True, False, True):
            upstream.answer = service.parts(**ANSWER)
            message = collect(site.stream(messages, tools=TOOLS)) if streamed else site.ask(messages, tools=TOOLS)
            assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use", "tool_use"]
            back = results(message, "first", "second")
            back["content"].reverse()
            back["content"].append({"type": "text", "text": "and now?"})
            messages += [turn(message), back]
        upstream.answer = service.parts("done")
        assert site.ask(messages, tools=TOOLS)["content"] == [{"type": "text", "text": "done"}]


def test_gemini_gets_its_signatures_back(serve, upstream):
    with serve(upstream_gemini) as site:
        upstream.answer = upstream_gemini.parts(**ANSWER)
        message = collect(site.stream(tools=TOOLS))
        site.ask([{"role": "user", "content": "go"}, turn(message), results(message, '{"ok": true}', "2")], tools=TOOLS)
    parts = upstream.last["contents"][1]["parts"]
    assert [p.get("thoughtSignature") for p in parts] == [None, upstream_gemini.signature(0), None]
    assert [p["functionResponse"]["response"] for p in upstream.last["contents"][2]["parts"]] == [{"ok": True}, {"result": "2"}]


@pytest.mark.parametrize("thinking", ["enabled", "disabled"])
def test_responses_gets_its_reasoning_back(serve, upstream, thinking):
    members = {"thinking": {"type": thinking, "budget_tokens": 2000} if thinking == "enabled" else {"type": thinking}}
    with serve(upstream_responses) as site:
        upstream.answer = upstream_responses.parts(**ANSWER)
        message = collect(site.stream(tools=TOOLS, **members))
        site.ask([{"role": "user", "content": "go"}, turn(message), results(message, "1", "2")], tools=TOOLS, **members)
    item = [item for item in upstream.last["input"] if item.get("type") == "reasoning"]
    assert [(i["id"], i["encrypted_content"]) for i in item] == [("rs_1", "enc-1")]
    assert ("thinking" in [block["type"] for block in message["content"]]) == (thinking == "enabled")


def test_a_conversation_moves_from_one_service_to_the_next(site, upstream):
    """Ids, signatures and thinking of one service are no trouble to another."""
    messages = [{"role": "user", "content": "go"}]
    for service in SERVICES:
        site.use(upstream, name=service.SERVICE_TYPE, service_type=service.SERVICE_TYPE)
    with site.lighttpd():
        for service in [upstream_gemini, openai_chat, upstream_claude, upstream_responses] * 2:
            site.admin("use", service.SERVICE_TYPE)
            upstream.speak(service)
            upstream.answer = service.parts(**ANSWER)
            message = site.ask(messages, model=MODELS[service.SERVICE_TYPE], tools=TOOLS)
            messages += [turn(message), results(message, "1", "2")]
    assert upstream.refused == []


def test_thinking_of_others_is_not_shown_to_claude(serve, upstream):
    """It refuses what it did not sign.  Everything else of the conversation arrives as it was sent."""
    own = {"type": "thinking", "thinking": "mine", "signature": upstream_claude.SIGNATURE}
    foreign = {"type": "thinking", "thinking": "theirs", "signature": "cp1.eyJrIjoib3BlbmFpIn0"}
    said = {"type": "text", "text": "caf\u00e9"}
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [foreign, said], "more": 1.10},
                {"role": "user", "content": "b"}, {"role": "assistant", "content": [foreign]},
                {"role": "user", "content": "c"}, {"role": "assistant", "content": [own, said]}, {"role": "user", "content": "d"}]
    with serve(upstream_claude) as site:
        body = request(messages, system="s")
        assert site.post(body).status == 200
        sent = upstream.calls[-1].body
        upstream.answer = upstream_claude.count(9)
        assert site.post(body, "/v1/messages/count_tokens").status == 200
    kept = [{**messages[1], "content": [said]}, messages[2], messages[4], messages[5], messages[6]]
    assert sent == {**body, "model": "claude-x", "messages": [messages[0], *kept]}
    assert upstream.calls[-1].body["messages"] == sent["messages"]


def test_what_newer_clients_say_beside_the_conversation(serve, upstream, translated):
    """Tools that wait until they are found, system turns that change them, the effort of a turn: as Claude Code sends them."""
    late = {"name": "late", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    waiting = [{**late, "name": name, "defer_loading": True} for name in ("found", "never")]
    search = {"type": "tool_use", "id": "call_1", "name": "read", "input": {"path": "x"}}
    messages = [
        {"role": "user", "content": "go"}, {"role": "system", "content": [], "output_config": {"effort": "high"}},
        {"role": "system", "content": "only now", "clear_at": "next_user_message"}, {"role": "assistant", "content": [search]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1",
                                      "content": [{"type": "tool_reference", "tool_name": "found"}]}]},
        {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_definition", "definition": late}},
                                       {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "list.all"}}]}]
    with serve(translated) as site:
        site.ask(messages, tools=TOOLS + waiting)
    sent = json.dumps(upstream.last)
    assert sorted(re.findall(r'"name": "(read|late|found|never|list[^"]*)", "(?:description|parameters)', sent)) == [
        "found", "late", "read"]
    assert "only now" not in sent and "The tool found can be called now." in sent
    assert translated is upstream_gemini or "high" in sent


def test_the_client_sends_all_again_where_no_conversation_is_held(serve, upstream, translated):
    """The official SDK's tool runner sends only what is new, until it hears this."""
    with serve(translated) as site:
        assert site.ask(thread={"type": "create"})
        answer = site.post(request(thread={"type": "continue", "previous_message_id": "msg_x"}))
        assert answer.status == 404 and answer.error["type"] == "not_found_error"
        assert answer.error["details"] == {"error_code": "thread_not_found"}
        for wrong in ({"type": "fork"}, {}, "x"):
            assert site.post(request(thread=wrong)).error["message"].startswith("thread")
        assert "details" not in site.post(request(thread={})).error
    assert len(upstream.calls) == 1


def test_history_that_services_refuse_is_put_right(serve, upstream, service):
    """What Claude takes and others do not."""
    if service is upstream_claude:
        pytest.skip("passed through as it is")
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    use = {"type": "tool_use", "id": "toolu.odd:" + "x" * 60, "name": "mcp__" + "n" * 80, "input": {}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "a"}]},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "EqQB"}, use,
                                          {**use, "id": "unanswered"}]},
        {"role": "system", "content": "remember"},
        {"role": "user", "content": [{"type": "text", "text": "c"},
                                     {"type": "tool_result", "tool_use_id": use["id"], "is_error": True,
                                      "content": [{"type": "text", "text": "no"}, image]},
                                     {"type": "tool_result", "tool_use_id": "orphan", "content": "o"}]},
        {"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]},
        {"role": "user", "content": [{"type": "document", "source": {"type": "base64", "media_type": "application/pdf",
                                                                     "data": "JVBERi0="}}]},
        {"role": "assistant", "content": "So"}]
    with serve(service) as site:
        site.ask(messages, system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], tools=TOOLS,
                 tool_choice={"type": "auto", "disable_parallel_tool_use": True}, top_k=5, temperature=0.5,
                 stop_sequences=["x"] * 7, metadata={"user_id": "u" * 100}, thinking={"type": "adaptive"},
                 context_management={}, output_config={"effort": "high"})
        site.ask(messages[:2], tool_choice={"type": "any"})
        site.ask(messages[:2], tools=[{"type": "web_search_20250305", "name": "web_search"},
                                      {"type": "bash_20250124", "name": "bash"}], max_tokens=1)


SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8, "allowed_domains": ["example.com"]}


@pytest.mark.parametrize("stream", (False, True))
@pytest.mark.parametrize("beside", ((), TOOLS), ids=("alone", "beside functions"))
def test_a_forced_search_is_made_or_known_to_be_missing(serve, upstream, translated, stream, beside):
    """It is what Claude Code's WebSearch asks for."""
    with serve(translated) as site:
        members = {"tools": [SEARCH, *beside], "tool_choice": {"type": "tool", "name": "web_search"}}
        answer = collect(site.stream(**members)) if stream else site.ask(**members)
    sent = upstream.calls[-1].body
    if translated.SERVICE_TYPE != "openai":
        assert any("googleSearch" in tool or tool.get("type") == "web_search" for tool in sent["tools"]), sent
        assert "functionDeclarations" not in json.dumps(sent)
        return
    said, use, result = answer["content"]
    assert use["name"] == "web_search" and result["tool_use_id"] == use["id"]
    assert result["content"] == {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    assert said["type"] == "text" and "server_tool_use" not in answer["usage"] and answer["stop_reason"] == "end_turn"
    assert "There is no web search here" in sent["messages"][0]["content"] and "tool_choice" not in sent


def without_ids(content):
    return json.loads(re.sub(r"srvtoolu_cp1_\w+", "srvtoolu", json.dumps(content)))


def test_what_was_found_is_told_and_stays_in_the_conversation(serve, upstream, translated):
    """The same blocks whole and streamed; the next turn tells the service its sources, and Claude's service no others."""
    found = (("The tower", "https://example.com/tower"), ("B", "https://example.org/b"))
    question = {"role": "user", "content": "When did it open?"}
    tools = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}
    with serve(translated) as site:
        upstream.answer = translated.parts("In 1889 it did.", found=found)
        whole, streamed = site.ask([question], **tools), collect(site.stream([question], **tools))
        assert without_ids(whole["content"]) == without_ids(streamed["content"])
        use, result = (next(b for b in streamed["content"] if b["type"] == kind)
                       for kind in ("server_tool_use", "web_search_tool_result"))
        said = next(b for b in streamed["content"] if b["type"] == "text")
        assert use["name"] == "web_search" and result["tool_use_id"] == use["id"]
        assert use["input"] == {"query": "" if translated is openai_chat else "the query"}
        assert [(page["title"], page["url"]) for page in result["content"]] == list(found)
        assert said["text"] == "In 1889 it did."
        assert [(cited["title"], cited["url"]) for cited in said["citations"]] == list(found)
        for message in (whole, streamed):
            assert message["usage"]["server_tool_use"]["web_search_requests"] == 1 and message["stop_reason"] == "end_turn"
        turns = [question, turn(streamed), {"role": "user", "content": "Where did you read that?"}]
        upstream.answer = translated.parts("There.")
        assert site.ask(turns)["content"] == [{"type": "text", "text": "There."}]
        sent = upstream.calls[-1].text.decode()
        assert all(url in sent and title in sent for title, url in found) and "In 1889 it did." in sent


def test_claude_is_not_asked_about_searches_of_others(serve, upstream):
    foreign = "srvtoolu_cp1_x"
    content = [{"type": "server_tool_use", "id": foreign, "name": "web_search", "input": {"query": "q"}},
               {"type": "web_search_tool_result", "tool_use_id": foreign, "content": [
                   {"type": "web_search_result", "url": "https://example.com/a", "title": "A", "encrypted_content": ""}]},
               {"type": "text", "text": "In 1889.", "citations": [
                   {"type": "web_search_result_location", "url": "https://example.com/a", "title": "A", "cited_text": "",
                    "encrypted_index": ""}]},
               {"type": "server_tool_use", "id": foreign + "y", "name": "web_fetch", "input": {"url": ""}},
               {"type": "web_fetch_tool_result", "tool_use_id": foreign + "y", "content": {
                   "type": "web_fetch_tool_result_error", "error_code": "unavailable"}}]
    with serve(upstream_claude) as site:
        site.ask([{"role": "user", "content": "When?"}, {"role": "assistant", "content": content},
                  {"role": "user", "content": "Where?"}])
    assert upstream.calls[-1].body["messages"][1]["content"] == [
        {"type": "text", "text": "The web search found:\n- A: https://example.com/a"}, {"type": "text", "text": "In 1889."}]


def test_images_of_parallel_results_keep_the_order_of_the_calls(serve, upstream, translated):
    """A client sends results as they come: in any order, and in more than one message."""
    png = [f"iVBORw0KGg{letter}=" for letter in "abc"]
    result = [{"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]} for n, data in enumerate(png)]
    with serve(translated) as site:
        site.ask([{"role": "user", "content": "look"},
                  {"role": "assistant", "content": [
                      {"type": "tool_use", "id": f"toolu_{n}", "name": "read", "input": {"path": "p"}} for n in range(3)]},
                  {"role": "user", "content": [result[2], result[0]]},
                  {"role": "user", "content": [{"type": "text", "text": "and"}, result[1]]}], tools=TOOLS)
    sent = upstream.calls[-1].text.decode()
    places = [sent.index(data) for data in png]
    assert places == sorted(places) and sent.rindex('"and"') > places[-1], sent
    assert all(sent.count(data) == 1 for data in png), sent
    if translated is not upstream_gemini:
        labels = [sent.index(f"Image from tool result toolu_{n}:") for n in range(3)]
        assert sorted([*labels, *places]) == [place for pair in zip(labels, places) for place in pair], sent


def exactly(text):
    """JSON as a text that tells spelling of numbers and order of keys."""
    return json.dumps(json.loads(text, parse_float=str, parse_int=str))


def found(value, name):
    """Every value of that name, wherever it stands."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    own = [value[name]] if isinstance(value, dict) and name in value else []
    return own + [each for child in children for each in found(child, name)]


def sent_arguments(call):
    """Of the first tool call in the request that the service got."""
    if call.service is upstream_gemini:
        return json.dumps(found(json.loads(call.text, parse_float=str, parse_int=str), "args")[0])
    return exactly(found(call.body, "arguments")[0])


def raw_answer(service, arguments):
    """Gemini's arguments are no text: they must not go through Python's numbers."""
    if service is not upstream_gemini:
        return service.parts(EDGES.strip(), tool_calls=[tool_call("read", arguments, "call_a")], fragment=1)
    part = '{"candidates":[{"content":{"parts":[{"text":%s},{"functionCall":{"name":"read","args":%s}}]},"finishReason":"STOP"}]}'
    return lambda call: call.reply(200, part % (json.dumps(EDGES.strip()), arguments))


def test_text_and_arguments_arrive_unchanged(serve, upstream, translated):
    """H.1, H.2"""
    arguments = '{"z":1,"a":[0.1,1e21,12345678901234567890,-0,1.10],"t":"\\u0000\\u2028\U0001f600","d":{"e":{}}}'
    with serve(translated) as site:
        upstream.answer = raw_answer(translated, arguments)
        events = parse_events(site.post(request(EDGES, stream=True, tools=TOOLS)).body.decode())
        message = collect(events)
        assert message["content"][0]["text"] == EDGES.strip()
        assert exactly("".join(found(events, "partial_json"))) == exactly(arguments)
        assert EDGES in (found(upstream.last, "text") + found(upstream.last, "content"))
        history = [{"role": "user", "content": "u"}, turn(message), results(message, EDGES)]
        raw = json.dumps(request(history)).replace(json.dumps(message["content"][1]["input"]), arguments)
        site.post(raw.encode())
        assert sent_arguments(upstream.calls[-1]) == exactly(arguments)
        sent = found(upstream.last, "output") + found(upstream.last, "result") + found(upstream.last, "content")
        assert EDGES in sent


@pytest.mark.slow
def test_random_text_and_arguments_arrive_unchanged(serve, upstream, translated):
    """A property test: what the client sends is what the service gets, and back."""
    import random
    chance = random.Random(20)

    def text():
        planes = [(0, 0x7f), (0x80, 0x7ff), (0x800, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x10ffff)]
        return "".join(chr(chance.randint(*chance.choice(planes))) for _ in range(chance.randint(1, 40)))

    def value(depth):
        if depth == 0 or chance.random() < 0.4:
            return chance.choice([text(), chance.randint(-2**70, 2**70), chance.uniform(-1e9, 1e9), True, None, {}, []])
        if chance.random() < 0.5:
            return [value(depth - 1) for _ in range(chance.randint(0, 4))]
        return {text(): value(depth - 1) for _ in range(chance.randint(0, 4))}

    with serve(translated) as site:
        for _ in range(40):
            said, arguments = text(), json.dumps({"x": value(4)}, ensure_ascii=chance.random() < 0.5)
            upstream.answer = raw_answer(translated, arguments)
            events = parse_events(site.post(request(said, stream=True, tools=TOOLS)).body.decode())
            assert exactly("".join(found(events, "partial_json"))) == exactly(arguments)
            assert said in (found(upstream.last, "text") + found(upstream.last, "content"))
            message = collect(events)
            history = [{"role": "user", "content": "u"}, turn(message), results(message, said)]
            message["content"][1]["input"] = "HERE"
            site.post(json.dumps(request(history)).replace('"HERE"', arguments).encode())
            assert sent_arguments(upstream.calls[-1]) == exactly(arguments)
            sent = found(upstream.last, "output") + found(upstream.last, "result") + found(upstream.last, "content")
            assert said in sent or is_object(said)


def is_object(text):
    return text.lstrip().startswith("{")


# ---- errors ----

REFUSALS = {
    "openai": ("This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.", {}),
    "openai-responses": ("This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.", {}),
    "gemini": ("The input token count (130001) exceeds the maximum number of tokens allowed (128000).", {}),
}


def test_too_long_is_said_as_claude_code_knows_it(serve, upstream, translated):
    """H.26"""
    with serve(translated) as site:
        upstream.answer = openai_chat.status(400, translated.error_body(400, REFUSALS[translated.SERVICE_TYPE][0]))
        answer = site.post(request("x"))
        assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
        assert answer.json["error"]["message"] == "prompt is too long: 130001 tokens > 128000 maximum"


def test_statuses(serve, upstream, translated):
    """H.24, H.25, H.27: JSON, HTML and empty bodies."""
    told = {400: 400, 401: 401, 402: 402, 403: 403, 404: 404, 413: 413, 422: 400, 429: 429, 500: 500, 502: 502, 503: 529,
            504: 504, 529: 529}
    with serve(translated) as site:
        for code, expected in told.items():
            for body, kind in [(translated.error_body(code, "why sk-test-0123456789abcdef"), "application/json"),
                               ("<html><title>why</title></html>", "text/html"), ("", "text/plain")]:
                for stream in (False, True):
                    upstream.answer = openai_chat.status(code, body, kind, [("retry-after", "7")])
                    answer = site.post(request("x", stream=stream))
                    assert answer.status == expected and answer.json["type"] == "error", (code, answer.body)
                    assert "0123456789abcdef" not in answer.body.decode()
                    if code == 429:
                        assert answer.headers["retry-after"] == "7"


def test_gemini_says_when_to_try_again(serve, upstream):
    """H.25"""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.3s"}]
    with serve(upstream_gemini) as site:
        upstream.answer = openai_chat.status(
            429, upstream_gemini.error_body(429, "Quota exceeded", "RESOURCE_EXHAUSTED", details))
        answer = site.post(request("x"))
        assert (answer.status, answer.headers["retry-after"]) == (429, "13")


def test_gemini_refuses_a_key_with_400(serve, upstream):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    with serve(upstream_gemini) as site:
        upstream.answer = openai_chat.status(400, upstream_gemini.error_body(400, "API key not valid.", details=details))
        answer = site.post(request("x"))
        assert answer.status == 401 and "claude-proxy-admin key main add" in answer.json["error"]["message"]


def test_a_stream_that_breaks_ends_in_an_error(serve, upstream, service):
    """H.23"""
    with serve(service) as site:
        def broken(call):
            stream = service.parts("one two three four five six")
            sent = call.send

            def send(data):
                sent(data)
                if "three" in (data if isinstance(data, str) else data.decode()):
                    call.break_off()
                    raise BrokenPipeError
            call.send = send
            stream(call)

        upstream.answer = broken
        body = site.post(request("x", stream=True)).body.decode()
        assert body.rstrip().split("\n\n")[-1].lstrip().startswith("event: error\ndata: {"), body
        assert "message_stop" not in body


def test_an_answer_that_is_none(serve, upstream, translated):
    """E: 200 with no JSON, or JSON of something else."""
    with serve(translated) as site:
        for body, kind in [("<html>", "text/html"), ("{}", "application/json"), ("[]", "application/json"),
                           ('{"choices":', "application/json"), ("", "application/json"), ("data: {}\n\n", "text/event-stream")]:
            for stream in (False, True):
                upstream.answer = openai_chat.status(200, body, kind)
                answer = site.post(request("x", stream=stream))
                assert answer.status == 502 and answer.json["error"]["type"] == "api_error", (body, answer.body)


# ---- Claude's own language ----

def test_claude_is_passed_through_byte_for_byte(serve, upstream):
    """B.4"""
    odd = b'{ "max_tokens" : 10 , "model":"claude-own",\n "messages":[{"role":"user","content":"\\u00e9 x"}], "new_field":[1.10,-0] }'
    with serve(upstream_claude) as site:
        answer = site.post(odd, "/v1/messages?beta=true", headers={"anthropic-beta": "a,b", "anthropic-version": "2024-01-01"})
        call = upstream.calls[-1]
        assert call.text == odd and call.path.endswith("/v1/messages?beta=true")
        assert (call.headers["anthropic-beta"], call.headers["anthropic-version"]) == ("a,b", "2024-01-01")
        assert answer.headers["request-id"] == "req_of_upstream" and answer.json["id"].startswith("msg_of_upstream_")
        routed = odd.replace(b'"claude-own"', b'"claude-test"')
        site.post(routed)
        assert upstream.calls[-1].text == odd.replace(b'"claude-own"', b'"claude-x"')
        assert upstream.calls[-1].headers["anthropic-version"] == "2023-06-01"
        assert upstream.calls[-1].headers["Content-Type"] == "application/json"
        site.request("POST", "/v1/messages", odd, {"x-api-key": "test-access-key-0123456789"})
        assert upstream.calls[-1].headers["Content-Type"] == "application/json"
        site.admin("set", "main", "max-output-tokens", "4")
        site.post(odd)
        assert upstream.calls[-1].text == odd.replace(b": 10 ,", b": 4 ,")
        for modest in (b": 4 ,", b": 3 ,"):
            site.post(odd.replace(b": 10 ,", modest))
            assert upstream.calls[-1].text == odd.replace(b": 10 ,", modest)


def test_claude_streams_are_passed_byte_for_byte(serve, upstream):
    sent = []
    with serve(upstream_claude) as site:
        def answer(call):
            whole = call.send
            call.send = lambda data: (sent.append(data), whole(data))
            upstream_claude.parts(fragment=3, **ANSWER)(call)

        upstream.answer = answer
        answer = site.post(request("x", stream=True))
        assert answer.body.decode() == "".join(sent)
        assert answer.headers["content-type"].startswith("text/event-stream")


def test_a_silent_claude_stream_costs_nothing(site, upstream):
    """It gets no pings of ours, and nothing runs while nothing comes."""
    upstream.speak(upstream_claude)
    site.use(upstream, service_type="claude")
    gate = threading.Event()

    def answer(call):
        call.event({"type": "message_start", "message": {}}, "message_start")
        assert gate.wait(30)
        call.event({"type": "message_stop"}, "message_stop")
        call.end_stream()

    upstream.answer = answer
    with site.lighttpd(PING_INTERVAL=50), site.open_stream() as response:
        assert response.readline() == b"event: message_start\n"

        def wakings():
            tasks = Path(f"/proc/{site.responder}/task").glob("*/status")
            return sum(int(line.split()[1]) for task in tasks for line in task.read_text().splitlines()
                       if line.startswith("voluntary_ctxt_switches"))

        before = wakings()
        time.sleep(1)
        assert wakings() - before < 100
        gate.set()
        rest = response.read()
        assert b"event: message_stop" in rest and b"ping" not in rest


def test_claude_says_itself_whether_to_ask_again(serve, upstream):
    with serve(upstream_claude) as site:
        upstream.answer = lambda call: call.reply(500, upstream_claude.error_body(500, "no"), headers=[("x-should-retry", "false")])
        assert site.post(request()).headers["x-should-retry"] == "false"


def test_claude_errors_come_back_as_they_are(serve, upstream):
    with serve(upstream_claude) as site:
        body = {**upstream_claude.error_body(529, "Overloaded"), "more": [1]}
        upstream.answer = openai_chat.status(529, body, headers=[("retry-after", "3"), ("request-id", "req_up"),
                                                                 ("anthropic-ratelimit-x", "1"), ("set-cookie", "a=b")])
        answer = site.post(request("x"))
        assert (answer.status, answer.json) == (529, body)
        assert (answer.headers["retry-after"], answer.headers["anthropic-ratelimit-x"]) == ("3", "1")
        assert answer.headers["request-id"] == "req_up" and "set-cookie" not in answer.headers
        upstream.answer = openai_chat.status(401, upstream_claude.error_body(401, "bad key sk-test-0123456789abcdef!"))
        assert site.post(request("x")).json["error"]["message"] == "bad key sk-t\u2026cdef!"
        upstream.answer = openai_chat.status(500, "")
        assert (site.post(request("x")).status, site.post(request("x")).body) == (500, b"")


@pytest.mark.parametrize("code", [101, 202, 204, 206, 302, 304, 600, 999])
def test_a_status_that_no_client_could_use_is_not_passed_on(serve, upstream, code):
    def answer(call):
        openai_chat.status(code, "" if code in (101, 204, 304) else "words of the service")(call)
        call.handler.close_connection = True  # 101 lasts until then

    with serve(upstream_claude) as site:
        upstream.answer = answer
        for stream in (False, True):
            refused = site.post(request("x", stream=stream))
            assert (refused.status, refused.error["type"]) == (502, "api_error") and "main" in refused.error["message"]
        other = site.request("DELETE", "/v1/files/file_1", None, {"x-api-key": ACCESS_KEY})
        assert other.status == (code if 200 <= code < 300 else 502)


def raw_reply(*headers, body=b'{"type":"message","content":[]}'):
    """An answer with these header lines, as they are."""
    def answer(call):
        call.handler.wfile.write(b"\r\n".join([b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers]) + b"\r\n\r\n" + body)
    return answer


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_headers_that_are_passed_on_are_bounded(site, upstream, server):
    """nginx takes a head of 4 KiB, lighttpd more; real answers have some 30 such headers with 2 KiB in all."""
    upstream.speak(upstream_claude)
    upstream.strict = False
    site.use(upstream, service_type="claude")
    flood = [b"anthropic-x-%d: %s" % (n, b"v" * 80) for n in range(900)]
    with getattr(site, server)():
        def headers(*lines):
            upstream.answer = raw_reply(*lines)
            answer = site.post(request("x"))
            assert (answer.status, answer.json["type"]) == (200, "message")
            return answer.headers

        got = headers(*flood, b"content-type: application/json", b"request-id: of-theirs", b"retry-after: 7")
        assert (got["content-type"], got["request-id"], got["retry-after"]) == ("application/json", "of-theirs", "7")
        passed = [name for name in got if name.startswith("anthropic-x-")]
        assert passed == [f"anthropic-x-{n}" for n in range(len(passed))] and 15 < len(passed) < 30
        got = headers(b"anthropic-long: " + b"v" * 4000, b"anthropic-short: v", *[b"request-id: %d" % n for n in range(500)])
        assert "anthropic-long" not in got and (got["anthropic-short"], got["request-id"]) == ("v", "0")
        got = headers(b"anthropic-a: x\x01y", b"anthropic-b: x\x7fy", b"anthropic-c: x\x1b[2J", b"anthropic-d: x\ty")
        assert [name for name in got if name.startswith("anthropic-")] == ["anthropic-d"]
        got = headers(*[b"anthropic-ratelimit-%s-%s: 2026-01-01T00:00:00Z" % (what, which) for which in (b"limit", b"remaining", b"reset")
                        for what in (b"requests", b"tokens", b"input-tokens", b"output-tokens", b"unified-5h", b"unified-7d", b"unified")])
        assert len([name for name in got if name.startswith("anthropic-")]) == 21


def test_other_paths_reach_a_claude_service(serve, upstream):
    with serve(upstream_claude) as site:
        upstream.answer = lambda call: call.reply(200, {"method": call.method, "path": call.path})
        for method, path in [("GET", "/v1/files?limit=2"), ("DELETE", "/v1/files/file_1"), ("POST", "/v1/messages/batches")]:
            answer = site.request(method, path, b"{}" if method == "POST" else None, {"x-api-key": "test-access-key-0123456789"})
            assert answer.json == {"method": method, "path": path}
        assert site.request("GET", "/v1/files").status == 401


def test_a_claude_oauth_token_goes_as_bearer(site, upstream):
    upstream.speak(upstream_claude)
    site.use(upstream, "sk-ant-oat01-0123456789", service_type="claude")
    with site.lighttpd():
        site.ask()
    assert upstream.calls[-1].headers["Authorization"] == "Bearer sk-ant-oat01-0123456789"
    assert "x-api-key" not in upstream.calls[-1].headers


# ---- counting and models ----

def counted(site, **members):
    body = request("How many tokens are these?", tools=TOOLS, **members)
    del body["max_tokens"]
    return site.post(body, "/v1/messages/count_tokens?beta=true")


def test_tokens_are_counted_by_the_service_where_it_can(serve, upstream, service):
    """F"""
    with serve(service) as site:
        if service is not openai_chat:
            upstream.answer = service.count(123)
            assert counted(site).json == {"input_tokens": 123}
            assert len(upstream.calls) == 1
            assert upstream.calls[0].path.endswith("?beta=true") == (service is upstream_claude)
            upstream.answer = openai_chat.status(404, {"error": {"message": "no such endpoint"}})
        estimate = counted(site)
        assert estimate.status == 200 and 50 < estimate.json["input_tokens"] < 200
        assert counted(site, messages=[]).status == 400
        upstream.refused.clear()


def test_models(serve, upstream, service):
    """F"""
    with serve(service) as site:
        key = {"x-api-key": "test-access-key-0123456789"}
        site.admin("route", "add", "claude-*", "x")
        upstream.answer = service.models(["a", "b/c", "d"])
        page = site.request("GET", "/v1/models", None, key).json
        assert [m["id"] for m in page["data"]] == ["claude-test", "a", "b/c", "d"]
        assert (page["has_more"], page["first_id"], page["last_id"]) == (False, "claude-test", "d")
        assert all(m["type"] == "model" and m["display_name"] and m["created_at"].endswith("Z") for m in page["data"])
        assert page["data"][0]["display_name"] == f"{MODELS[service.SERVICE_TYPE]} (main)"
        page = site.request("GET", "/v1/models?limit=2&after_id=claude-test", None, key).json
        assert ([m["id"] for m in page["data"]], page["has_more"]) == (["a", "b/c"], True)
        page = site.request("GET", "/v1/models?limit=2&before_id=d", None, key).json
        assert ([m["id"] for m in page["data"]], page["has_more"]) == (["a", "b/c"], True)
        assert site.request("GET", "/v1/models/b%2Fc", None, key).json["id"] == "b/c"
        assert site.request("GET", "/v1/models/b/c", None, key).json["id"] == "b/c"
        assert site.request("GET", "/v1/models/embedder", None, key).status == 404
        assert site.request("GET", "/v1/models?limit=0", None, key).status == 400
        assert site.request("GET", "/v1/models").status == 401


@pytest.mark.parametrize("server", ["nginx", "cgi"])
def test_behind_other_servers(site, upstream, service, server):
    """Messages, counts, models and other paths do not depend on what stands in front."""
    upstream.speak(service)
    site.use(upstream, service_type=service.SERVICE_TYPE)
    site.admin("route", "add", "claude-test", MODELS[service.SERVICE_TYPE])
    key = {"x-api-key": "test-access-key-0123456789"}
    with getattr(site, server)():
        upstream.answer = service.parts(**ANSWER)
        assert len(site.ask(tools=TOOLS)["content"]) == 4
        assert len(collect(site.stream(tools=TOOLS))["content"]) == 4
        upstream.answer = openai_chat.status(404, {}) if service is openai_chat else service.count(9)
        assert counted(site).json["input_tokens"] == 9 or service is openai_chat
        upstream.answer = service.models(["a"])
        assert len(site.request("GET", "/v1/models?limit=1", None, key).json["data"]) == 1
        upstream.answer = lambda call: call.reply(200, {"path": call.path})
        other = site.request("GET", "/v1/files/a%20b?x=1", None, key)
        assert other.json == {"path": "/v1/files/a%20b?x=1"} if service is upstream_claude else other.status == 404
    assert upstream.refused == []

"""What the owner of an upstream decides of its requests: body.<member>, auth, beta; and translate, which shows it."""
import json

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from site_under_test import request

SERVICES = [openai_chat, upstream_responses, upstream_gemini, upstream_claude]
KEY = "sk-test-0123456789abcdef"


@pytest.mark.parametrize("service", SERVICES, ids=lambda module: module.SERVICE_TYPE)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_members_of_the_body_are_the_owners(site, upstream, service, stream):
    upstream.speak(service)
    upstream.strict = False
    upstream.answer = service.parts("OK")
    site.use(upstream, service_type=service.SERVICE_TYPE)
    for member, value in [("provider.order", '["a","b"]'), ("service_tier", '"flex"'), ("seed", "7"), ("temperature", "null")]:
        site.admin("set", "main", f"body.{member}", value)
    with site.lighttpd():
        if stream:
            site.stream(temperature=0.5)
        else:
            site.ask(temperature=0.5)
    body = upstream.calls[-1].body
    assert (body["provider"], body["service_tier"], body["seed"]) == ({"order": ["a", "b"]}, "flex", 7)
    assert "temperature" not in body


def test_members_of_the_body_are_not_put_into_a_count(site, upstream):
    upstream.speak(upstream_claude)
    upstream.answer = upstream_claude.count(5)
    site.use(upstream, service_type="claude")
    site.admin("set", "main", "body.max_tokens", "9")
    with site.lighttpd():
        assert site.post({"model": "m", "messages": [{"role": "user", "content": "hi"}]},
                         path="/v1/messages/count_tokens").json == {"input_tokens": 5}
    assert "max_tokens" not in upstream.calls[-1].body


def test_the_next_upstream_gets_its_own_members(site, upstream):
    """After a failure the request is written anew, for the fallback."""
    site.use(upstream)
    site.admin("add", "other", upstream.url, "openai")
    site.admin("key", "other", "add", "sk-other-0123456789abcdef")
    site.admin("set", "main", "fallback", "other")
    site.admin("set", "main", "body.user", '"first"')
    site.admin("set", "other", "body.user", '"second"')
    good = openai_chat.parts("OK")
    upstream.answer = lambda call: (openai_chat.status(500, {}) if call.key == KEY else good)(call)
    with site.lighttpd():
        site.ask()
    assert [call.body["user"] for call in upstream.calls] == ["first", "second"]


@pytest.mark.parametrize("auth, header", [("bearer", "authorization"), ("x-api-key", "x-api-key"), ("api-key", "api-key")])
def test_the_key_is_sent_as_the_owner_says(site, upstream, auth, header):
    upstream.strict = False
    site.use(upstream)
    site.admin("set", "main", "auth", auth)
    with site.lighttpd():
        site.ask()
    headers = {name.lower(): value for name, value in upstream.calls[-1].headers.items()}
    sent = {name for name, value in headers.items() if KEY in value}
    assert sent == {header}


def use_claude(site, upstream, beta):
    upstream.speak(upstream_claude)
    upstream.answer = upstream_claude.parts("OK")
    site.use(upstream, service_type="claude")
    if beta:
        site.admin("set", "main", "beta", beta)


@pytest.mark.parametrize("beta, goes", [(None, True), ("-other-2025-01-01", True), ("-context-management-2025-06-27", False),
                                        ("none", False)])
def test_what_only_a_withheld_beta_makes_known_is_withheld_as_well(site, upstream, beta, goes):
    use_claude(site, upstream, beta)
    with site.lighttpd():
        answer = site.post({**request(), "context_management": {"edits": []}},
                           headers={"anthropic-beta": "other-2025-01-01,context-management-2025-06-27"})
        assert answer.status == 200
    assert ("context_management" in upstream.last) == goes


@pytest.mark.parametrize("beta, sent", [(None, "a-1,b-2"), ("-a-1", "b-2"), ("-a-1,-b-2", None), ("none", None)])
def test_betas_are_withheld(site, upstream, beta, sent):
    use_claude(site, upstream, beta)
    with site.lighttpd():
        assert site.post(request(), headers={"anthropic-beta": "a-1,b-2"}).status == 200
    headers = {name.lower(): value for name, value in upstream.calls[-1].headers.items()}
    assert headers.get("anthropic-beta") == sent and headers["anthropic-version"]


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}


@pytest.mark.parametrize("service", SERVICES, ids=lambda module: module.SERVICE_TYPE)
def test_a_model_without_eyes_gets_a_sentence_for_each_image(site, upstream, service):
    """In results of tools, too."""
    upstream.speak(service)
    upstream.answer = service.parts("OK")
    site.use(upstream, service_type=service.SERVICE_TYPE)
    site.admin("set", "main", "images", "off")
    tool = {"name": "look", "input_schema": {"type": "object"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "before"}, IMAGE, {"type": "text", "text": "after"}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [IMAGE]}]}]
    with site.lighttpd():
        assert site.post({"model": "m", "max_tokens": 9, "messages": messages, "tools": [tool]}).status == 200
        sent = json.dumps(upstream.calls[-1].body)
        assert "iVBORw0KGgo" not in sent and "image/png" not in sent and "before" in sent and "after" in sent
        site.admin("set", "main", "images", "on")
        assert site.post({"model": "m", "max_tokens": 9, "messages": messages, "tools": [tool]}).status == 200
        assert "iVBORw0KGgo" in json.dumps(upstream.calls[-1].body)


def test_translate_takes_the_interface_that_the_model_needs(site):
    site.admin("add", "main", "https://api.openai.com", "openai")
    tool = {"name": "look", "input_schema": {"type": "object"}}
    message = {"model": "gpt-6.1-sol", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "tools": [tool]}
    done = site.admin("translate", "--upstream", "main", input=json.dumps(message))
    assert done.stderr.startswith("POST https://api.openai.com/v1/responses\n") and "input" in json.loads(done.stdout)


@pytest.mark.parametrize("service", SERVICES, ids=lambda module: module.SERVICE_TYPE)
def test_translate_shows_what_would_be_sent(site, upstream, service):
    upstream.speak(service)
    upstream.answer = service.parts("OK")
    site.use(upstream, service_type=service.SERVICE_TYPE)
    upstream.strict = False
    site.admin("route", "add", "claude-*", "model-x")
    site.admin("set", "main", "body.seed", "7")
    site.admin("set", "main", "header.X-Title", "a-secret-title-0123456789")
    site.admin("set", "main", "max-output-tokens", "50")
    message = {"model": "claude-test", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    done = site.admin("translate", "--upstream", "main", input=json.dumps(message))
    with site.lighttpd():
        assert site.post(message).status == 200
    call = upstream.calls[-1]
    assert json.loads(done.stdout) == call.body and call.body["seed"] == 7
    assert done.stderr.startswith(f"POST {upstream.url}{call.path}\n")
    assert KEY not in done.stderr and "a-secret-title" not in done.stderr and "sk-t…cdef" in done.stderr
    assert "X-Title: " in done.stderr


def test_translate_names_one_of_the_two(site):
    for arguments in ((), ("--to", "openai", "--upstream", "x")):
        done = site.admin("translate", *arguments, input="{}", check=False)
        assert done.returncode == 2 and "--to <serviceType> or --upstream <name>" in done.stderr
    assert site.admin("translate", "--upstream", "nobody", input="{}", check=False).returncode == 1


def test_the_owners_words_survive_export_and_import(site):
    site.admin("add", "main", "https://api.example.com", "openai")
    words = {"body.a.b": '{"c":[1,null]}', "auth": "api-key", "beta": "-x,-y", "images": "off", "timeout": "3s"}
    for name, value in words.items():
        site.admin("set", "main", name, value)
    before = json.loads(site.admin("show", "--json").stdout)["upstreams"][0]["options"]
    exported = site.admin("export").stdout
    site.admin("clear", "--yes")
    site.admin("import", "-", input=exported)
    assert json.loads(site.admin("show", "--json").stdout)["upstreams"][0]["options"] == before
    assert before["images"] == "off" and before["timeout"] == 3000
    told = site.admin("set", "main", "body.tier", "flex", check=False)
    assert told.returncode == 2 and '\'"flex"\'' in told.stderr

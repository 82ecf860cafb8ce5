"""Claude Code itself, from npm, at work through the proxy: on every service, behind real web servers."""
import base64
import json
import re
import secrets
import signal
import sys
import threading
import zlib
from pathlib import Path

import pytest

import upstream as openai_chat
import upstream_claude
import upstream_gemini
import upstream_responses
from script import Script, asks, cast, says
from site_under_test import ACCESS_KEY
from upstream import Upstream

SERVICES = [openai_chat, upstream_responses, upstream_gemini, upstream_claude]
MODELS = {"openai": "gpt-5-mini", "openai-responses": "gpt-5-mini", "gemini": "gemini-3-pro-preview", "claude": "claude-x"}
WORD = re.compile("w\u00f6rd-[0-9a-f]{8}-\u6f22\U0001f98a")


@pytest.fixture(params=SERVICES, ids=lambda service: service.SERVICE_TYPE)
def service(request):
    return request.param


@pytest.fixture
def upstreams():
    """More stand-ins, each made by asking for a service."""
    made = []

    def make(service):
        made.append(Upstream())
        made[-1].speak(service)
        return made[-1]

    yield make
    for one in made:
        one.stop()


def speak(site, upstream, service, *keys):
    """The stand-in is ${service} and the current upstream; models are named as that service names them."""
    upstream.speak(service)
    site.use(upstream, *keys, service_type=service.SERVICE_TYPE)
    site.admin("route", "add", "claude-*", MODELS[service.SERVICE_TYPE])


def word():
    """A word that nobody can guess."""
    return f"w\u00f6rd-{secrets.token_hex(4)}-\u6f22\U0001f98a"


def quote(results, _):
    return "I found " + " and ".join(WORD.findall("\n".join(results))) + "."


def check(run, site, upstream, requests):
    """A run as it should be: nothing went wrong, and nothing was asked twice or without a stream."""
    assert run.problems() == []
    assert upstream.refused == []
    assert len(upstream.calls) == requests == len({call.text for call in upstream.calls})
    assert all(call.streams for call in upstream.calls)
    log = site.log_text()
    assert len(re.findall(r" status=200 .*upstream=\S", log)) == requests == log.count(" attempts=1 ")
    assert " warn " not in log and " error " not in log and "error=" not in log


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_a_task_with_tools(site, upstream, service, server, claude_code):
    """Reads a file, runs a command, calls two tools side by side, and tells what only their results could."""
    words = [word() for _ in range(4)]
    for n in (0, 1, 2, 3):
        (claude_code.work / f"{n}.txt").write_text(words[n])
    speak(site, upstream, service)
    upstream.answer = Script(
        asks("I read the file.", ("Read", {"file_path": f"{claude_code.work}/0.txt"}), thinking="A file, then."),
        asks("Now a command.", ("Bash", {"command": "cat 1.txt", "description": "Shows the file"})),
        asks("Two more.", ("Read", {"file_path": f"{claude_code.work}/2.txt"}), ("Bash", {"command": "cat 3.txt"}),
             thinking="Both at once."),
        says(quote))
    with getattr(site, server)():
        run = claude_code.run("Find the words.")
    check(run, site, upstream, 4)
    assert sorted(WORD.findall(run.text)) == sorted(words)
    assert "A file, then." in json.dumps(run.events)


def test_a_conversation_goes_on_at_other_services(site, upstreams, claude_code):
    """The owner changes the current upstream between two turns, with one command."""
    words = [word() for _ in SERVICES]
    used = [openai_chat, upstream_gemini, upstream_claude, upstream_responses]
    made = [upstreams(service) for service in used]
    for one in made:
        site.use(one, name=one.service.SERVICE_TYPE, service_type=one.service.SERVICE_TYPE)
    with site.lighttpd():
        for turn, one in enumerate(made):
            site.admin("use", one.service.SERVICE_TYPE)
            (claude_code.work / f"{turn}.txt").write_text(words[turn])
            one.answer = Script(
                asks("Reading.", ("Read", {"file_path": f"{claude_code.work}/{turn}.txt"}), ("Bash", {"command": "echo x"}),
                     thinking=f"Thoughts of {one.service.SERVICE_TYPE}."),
                says(quote))
            run = claude_code.run(f"Turn {turn}.", *(["--continue"] if turn else []))
            assert run.problems() == [] and run.text == f"I found {words[turn]}."
    for one in made:
        # Claude's model is unknown there: what it refuses is learned, and sent once more.
        assert len(one.refused) <= (one.service is upstream_responses) and len(one.calls) == 2 + len(one.refused)
    for earlier in words[:-1]:
        assert earlier in json.dumps(made[-1].last, ensure_ascii=False)


def test_a_key_that_is_used_up_is_not_noticed(site, upstream, claude_code):
    found, keys = word(), ["sk-first-0123456789abcdef", "sk-second-0123456789abcdef"]
    (claude_code.work / "a.txt").write_text(found)
    speak(site, upstream, openai_chat, *keys)
    script = Script(asks("Reading.", ("Bash", {"command": "cat a.txt"})), asks("More.", ("Bash", {"command": "echo x"})), says(quote))

    def answer(call):
        if call.key == keys[0] and len(upstream.calls) > 1:
            return call.reply(429, {"error": {"message": "slow down"}}, headers=[("retry-after", "60")])
        return script(call)

    upstream.answer = answer
    with site.nginx():
        run = claude_code.run("Find the word.")
    assert run.problems() == [] and run.text == f"I found {found}."
    assert [call.key for call in upstream.calls] == [keys[0], *keys, keys[1]]


def test_what_goes_wrong_would_be_noticed(site, upstream, claude_code):
    """The checks above can fail; and Claude Code asks again by itself when the service has too much to do."""
    speak(site, upstream, upstream_claude)
    script = Script(says("done"))
    upstream.answer = lambda call: (script(call) if len(upstream.calls) > 1 else
                                    call.reply(529, upstream_claude.error_body(529, "busy"), headers=[("retry-after", "0")]))
    with site.lighttpd():
        run = claude_code.run("Hello.")
        assert run.text == "done" and len(upstream.calls) == 2
        assert any("api_retry" in str(problem) for problem in run.problems())
        assert any("[ERROR]" in str(problem) for problem in run.problems())
        upstream.answer = Script(asks("Failing.", ("Bash", {"command": "exit 3"})), says("done"))
        assert claude_code.run("Hello.").problems() != []


@pytest.mark.parametrize("server", ["lighttpd", "nginx"])
def test_an_interrupt_ends_the_upstream_transfer(site, upstream, server, claude_code):
    began = threading.Event()

    def answer(call):
        call.chunk(content="I begin")
        began.set()
        call.wait_gone(60)

    speak(site, upstream, openai_chat)
    upstream.answer = answer
    with getattr(site, server)():
        process, finish = claude_code.start("Tell a long story.")
        assert began.wait(60)
        process.send_signal(signal.SIGINT)
        finish()
        assert upstream.calls[0].gone.wait(60)
    assert len(upstream.calls) == 1


TOO_LONG = {
    "openai": "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.",
    "openai-responses": "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.",
    "gemini": "The input token count (130001) exceeds the maximum number of tokens allowed (128000).",
    "claude": "prompt is too long: 130001 tokens > 128000 maximum",
}


def test_a_conversation_that_grew_too_long_is_compacted(site, upstream, service, claude_code):
    """Claude Code knows what the service means, has the conversation summed up, and goes on from there."""
    (claude_code.work / "a.txt").write_text("a long text\n" * 1000)
    speak(site, upstream, service)
    script = Script(asks("Reading.", ("Read", {"file_path": f"{claude_code.work}/a.txt"})), says("never said"))
    asked = []

    def answer(call):
        if not call.streams:
            return service.count(4000)(call)
        asked.append(call)
        if len(asked) == 1:
            script(call)
        elif len(asked) == 2:
            call.reply(400, service.error_body(400, TOO_LONG[service.SERVICE_TYPE]))
        else:
            service.parts("<summary>It is a long text.</summary>" if len(asked) == 3 else "done")(call)

    upstream.answer = answer
    with site.lighttpd():
        run = claude_code.run("What is in the file?")
    assert (run.status, run.text, upstream.refused) == (0, "done", [])
    assert "compact_boundary" in [event.get("subtype") for event in run.events]
    assert len(asked) == 4 and b"It is a long text." in asked[3].text


# ---- what the tools of Claude Code send ----

def picture():
    """A PNG of 4 × 4 red points."""
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (4).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    rows = (b"\0" + b"\xff\0\0" * 4) * 4
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def document():
    """A PDF of one empty page."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>"]
    text, places = b"%PDF-1.4\n", []
    for n, value in enumerate(objects, 1):
        places.append(len(text))
        text += b"%d 0 obj%s endobj\n" % (n, value)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return text + b"xref\n0 4\n0000000000 65535 f \n" + table + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(text)


def test_a_picture_and_a_pdf_are_read(site, upstream, service, claude_code):
    (claude_code.work / "a.png").write_bytes(picture())
    (claude_code.work / "a.pdf").write_bytes(document())
    speak(site, upstream, service)
    upstream.answer = Script(
        asks("Looking.", ("Read", {"file_path": f"{claude_code.work}/a.png"}), ("Read", {"file_path": f"{claude_code.work}/a.pdf"})),
        says("A red square and an empty page."))
    with site.lighttpd():
        run = claude_code.run("What is in the files?")
    check(run, site, upstream, 2)
    assert run.text == "A red square and an empty page."
    assert base64.b64encode(document()) in upstream.calls[1].text
    assert re.search(rb"iVBORw0KGgo[A-Za-z0-9+/=]+", upstream.calls[1].text)


def test_a_sub_agent_works_and_reports(site, upstream, service, claude_code):
    """It runs beside the main conversation, which hears of its end by a message of its own."""
    found = word()
    (claude_code.work / "a.txt").write_text(found)
    speak(site, upstream, service)
    task = {"description": "find it", "prompt": "SUBTASK: read a.txt", "subagent_type": "general-purpose"}

    def report(_, request):
        reported = WORD.findall(request)
        return "It found " + reported[-1] + "." if reported else "It is on its way."

    upstream.answer = cast(MAINTASK=Script(asks("I delegate.", ("Agent", task)), says(report)),
                           SUBTASK=Script(asks("I look.", ("Bash", {"command": "cat a.txt"})), says(quote)))
    with site.nginx():
        run = claude_code.run("MAINTASK: let an agent find the word.")
    assert len(upstream.calls) in (4, 5)  # the main conversation may hear of it before it has answered
    check(run, site, upstream, len(upstream.calls))
    assert run.text == f"It found {found}."


def test_a_tool_of_an_mcp_server_is_found_and_called(site, upstream, service, claude_code):
    """Claude Code tells of most tools by their names only; the model must load them first."""
    found, server = word(), Path(__file__).with_name("mcp_server.py")
    servers = {"mcpServers": {"words": {"command": sys.executable, "args": [str(server), found]}}}
    speak(site, upstream, service)
    upstream.answer = Script(
        asks("Loading.", ("ToolSearch", {"query": "select:mcp__words__say", "max_results": 5})),
        asks("Now.", ("mcp__words__say", {"loud": True})), says(quote))
    with site.lighttpd():
        run = claude_code.run("Say the word.", "--mcp-config", json.dumps(servers), tools="mcp__words__say")
    check(run, site, upstream, 3)
    assert run.text == f"I found {found}."
    sent = [b'"mcp__words__say"' in call.text for call in upstream.calls]
    assert sent == [False, True, True] or service is upstream_claude
    assert service is upstream_claude or b"DeferredToolPlaceholder" not in upstream.calls[0].text


def test_tokens_are_counted_for_the_context_command(site, upstream, service, claude_code):
    speak(site, upstream, service)
    if service is not openai_chat:
        upstream.answer = service.count(1234)
    with site.lighttpd():
        run = claude_code.run("/context")
    assert run.problems() == [] and upstream.refused == []
    assert "tokens" in run.text.lower()
    assert "status=200" in site.log_text() and "error=" not in site.log_text()


# ---- how it is set up ----

@pytest.mark.parametrize("way", [
    {"ANTHROPIC_API_KEY": ACCESS_KEY},
    {"ANTHROPIC_API_KEY": None, "ANTHROPIC_AUTH_TOKEN": ACCESS_KEY},
    {"ANTHROPIC_API_KEY": None, "ANTHROPIC_AUTH_TOKEN": "of something else", "ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: {ACCESS_KEY}"},
], ids=["api key", "auth token", "custom header"])
def test_the_access_key_is_shown_in_each_way(site, upstream, claude_code, way):
    speak(site, upstream, openai_chat)
    upstream.answer = Script(says("done"))
    with site.lighttpd():
        run = claude_code.run("Hello.", **way)
    check(run, site, upstream, 1)
    assert run.text == "done"


def test_a_settings_file_says_it_all(site, upstream, claude_code):
    """As README has it: nothing in the environment."""
    speak(site, upstream, openai_chat)
    upstream.answer = Script(says("done"))
    with site.lighttpd():
        (claude_code.home / ".claude").mkdir()
        (claude_code.home / ".claude" / "settings.json").write_text(json.dumps({
            "env": {"ANTHROPIC_BASE_URL": claude_code.url, "ANTHROPIC_AUTH_TOKEN": ACCESS_KEY}}))
        run = claude_code.run("Hello.", ANTHROPIC_BASE_URL=None, ANTHROPIC_API_KEY=None)
    check(run, site, upstream, 1)
    assert run.text == "done"


def test_below_a_prefix_as_plain_cgi(site, upstream, claude_code):
    """As on rented hosting: each request is a process of its own."""
    found = word()
    (claude_code.work / "a.txt").write_text(found)
    speak(site, upstream, openai_chat)
    upstream.answer = Script(asks("Reading.", ("Bash", {"command": "cat a.txt"})), says(quote))
    with site.cgi():
        run = claude_code.run("Find the word.")
    check(run, site, upstream, 2)
    assert run.text == f"I found {found}."


def test_a_wrong_access_key_is_told_at_once(site, upstream, claude_code):
    speak(site, upstream, openai_chat)
    with site.lighttpd():
        run = claude_code.run("Hello.", ANTHROPIC_API_KEY="wrong")
    assert run.status != 0 and "PROXY_ACCESS_KEY" in run.text
    assert upstream.calls == [] and site.log_text().count("status=401") == 1


def test_models_are_named_by_the_environment_or_by_routes(site, upstreams, claude_code):
    """The small model of a sub-agent is served elsewhere than the large one."""
    large, small = upstreams(openai_chat), upstreams(upstream_gemini)
    site.use(large, name="large")
    site.use(small, name="small", service_type="gemini")
    site.admin("route", "add", "claude-haiku-*", "gemini-2.5-flash", "--upstream", "small")
    task = {"description": "x", "prompt": "SUBTASK", "subagent_type": "general-purpose", "model": "haiku", "run_in_background": False}
    large.answer = Script(asks("I delegate.", ("Agent", task)), says("done"))
    small.answer = Script(says("small"))
    with site.lighttpd():
        run = claude_code.run("Hello.", ANTHROPIC_MODEL="gpt-4o")
        assert run.problems() == [] and run.text == "done"
        assert {call.body["model"] for call in large.calls} == {"gpt-4o"}
        assert [call.path for call in small.calls] == ["/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"]
        large.answer = Script(says("done"))
        run = claude_code.run("Hello.", "--model", "haiku", ANTHROPIC_DEFAULT_HAIKU_MODEL="gpt-4o-mini")
        assert run.problems() == [] and large.last["model"] == "gpt-4o-mini"
    assert large.refused == small.refused == []

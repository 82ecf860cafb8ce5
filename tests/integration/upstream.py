"""A stand-in for an AI service: on loopback, strict like the real one, scriptable.

It refuses what the service refuses (`problem_of`), answers what the script of the test says, and records what it was
sent.  An answer is a function of a `Call`; the helpers at the end make the usual ones.  This module itself speaks Chat
Completions; the others (upstream_gemini, upstream_responses, upstream_claude) offer the same functions for theirs.
"""
import json
import re
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SERVICE_TYPE = "openai"
PATH = "/chat/completions"  # of messages

MEMBERS = {
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "tools", "tool_choice",
    "parallel_tool_calls", "reasoning_effort", "response_format", "user", "stream", "stream_options",
}
ID = re.compile(r"^[a-zA-Z0-9_.:-]{1,40}$")  # as services give them: Kimi "functions.f:0"
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
REASONING_MODEL = re.compile(r"(^|/)(o[0-9]|gpt-([5-9]|[1-9][0-9]))")
# What some services take besides, where the stand-in answers for their host: members, and tools by type.
SEARCHES = {
    "api.openai.com": ({"safety_identifier", "prompt_cache_key"}, {}),
    "openrouter.ai": ({"reasoning"}, {"openrouter:web_search": {"type", "parameters"}}),
    "open.bigmodel.cn": ({"thinking"}, {"web_search": {"type", "web_search"}}),
    "api.moonshot.cn": ({"thinking", "prompt_cache_key"}, {"builtin_function": {"type", "function"}}),
    "api.groq.com": ({"reasoning_format"}, {"browser_search": {"type"}}),
    "dashscope.aliyuncs.com": ({"enable_thinking", "thinking_budget", "enable_search", "search_options"}, {}),
}
CACHES = {"openrouter.ai", "dashscope.aliyuncs.com"}  # whose texts may be lists of parts with marks for the cache
SEARCH_MODEL = re.compile(r"^gpt-4o(-mini)?-search-preview|^gpt-5-search-api")


def content_problem(message, where):
    content = message.get("content")
    role = message["role"]
    if role == "assistant" and content is None:
        return None if message.get("tool_calls") else f"{where}: content is null without tool_calls"
    if isinstance(content, str):
        return None if content or role == "tool" else f"{where}: content is empty"
    if role != "user" or not isinstance(content, list) or not content:
        return f"{where}: content of {role} must be a string"
    for part in content:
        kind = part.get("type")
        if kind == "text":
            if not part.get("text"):
                return f"{where}: empty text part"
        elif kind == "image_url":
            if not re.match(r"^(data:image/[a-z+.-]+;base64,|https?://)", part["image_url"]["url"]):
                return f"{where}: bad image url"
        elif kind == "file":
            if not part["file"]["file_data"].startswith("data:application/pdf;base64,"):
                return f"{where}: bad file"
        else:
            return f"{where}: part type {kind}"
    return None


def plain(message, host):
    """The message without what only such a host takes."""
    content = message.get("content")
    if host in CACHES and isinstance(content, list) and all(part.keys() <= {"type", "text", "cache_control"} for part in content):
        return {**message, "content": "".join(part["text"] for part in content)}
    return message


def calls_problem(message, where):
    calls = message.get("tool_calls")
    if calls is None:
        return None
    if message["role"] != "assistant" or not calls:
        return f"{where}: tool_calls are misplaced or empty"
    for call in calls:
        function = call.get("function", {})
        builtin = call.get("type") == "builtin_function" and function.get("name") == "$web_search"
        if not (builtin or call.get("type") == "function") or not ID.match(call.get("id", "")):
            return f"{where}: bad tool call {call.get('id')}"
        if not (builtin or NAME.match(function.get("name", ""))) or not isinstance(function.get("arguments"), str):
            return f"{where}: bad function {function}"
        if not isinstance(json.loads(function["arguments"]), dict):
            return f"{where}: arguments are no object"
    if len({call["id"] for call in calls}) != len(calls):
        return f"{where}: duplicate tool call ids"
    return None


def messages_problem(messages, host):
    """Roles, contents, and the order of tool calls and tool messages."""
    if not isinstance(messages, list) or not messages:
        return "messages is empty"
    awaited = []
    for i, message in enumerate(plain(message, host) for message in messages):
        where = f"messages[{i}]"
        role = message.get("role")
        if role not in ("system", "user", "assistant", "tool"):
            return f"{where}: unknown role {role}"
        if role == "tool":
            if message.get("tool_call_id") not in awaited:
                return f"{where}: no call waits for tool message {message.get('tool_call_id')}"
            awaited.remove(message["tool_call_id"])
        elif awaited:
            return f"{where}: tool calls {awaited} were not answered"
        problem = content_problem(message, where) or calls_problem(message, where)
        if problem:
            return problem
        if role == "assistant":
            awaited = [call["id"] for call in message.get("tool_calls") or []]
    return f"tool calls {awaited} were not answered" if awaited else None


def tool_problem(tool, searches):
    if tool["type"] in searches:
        return None if set(tool) == searches[tool["type"]] else f"bad tool {tool}"
    if tool["type"] != "function":
        return f"Invalid value: '{tool['type']}'. Supported values are: 'function' and 'custom'."
    function = tool["function"]
    if not NAME.match(function["name"]):
        return f"bad tool name {function['name']}"
    if function["parameters"].get("type") == "object" and "properties" not in function["parameters"]:
        return "object schema missing properties"
    return None


def parameters_problem(body, host):
    members, searches = SEARCHES.get(host, (set(), {}))
    if SEARCH_MODEL.match(body.get("model", "")):
        members = members | {"web_search_options"}
        if {"temperature", "top_p"} & set(body):
            return "Model incompatible request argument supplied: temperature"
    unknown = set(body) - MEMBERS - members
    if unknown:
        return f"unrecognized arguments: {sorted(unknown)}"
    if not body.get("model"):
        return "model is missing"
    if REASONING_MODEL.search(body["model"]):
        wrong = {"max_tokens", "temperature", "top_p", "stop"} & set(body)
        if wrong:
            return f"unsupported parameter for this model: {sorted(wrong)}"
    if len(body.get("stop", [])) > 4:
        return "too many stop sequences"
    if len(body.get("user", "").encode()) > 64:
        return "user is too long"
    tools = body.get("tools")
    if tools is None and {"tool_choice", "parallel_tool_calls"} & set(body):
        return "tool_choice without tools"
    if tools == []:
        return "tools is empty"
    for tool in tools or []:
        problem = tool_problem(tool, searches)
        if problem:
            return problem
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["function"]["name"] not in [t["function"]["name"] for t in tools if "function" in t]:
        return f"Tool choice '{choice['function']['name']}' not found in 'tools' parameter."
    if "stream_options" in body and not body.get("stream"):
        return "stream_options without stream"
    return None


def key_of(call):
    bearer = call.headers.get("Authorization", "")
    return bearer[len("Bearer "):] if bearer.startswith("Bearer ") else None


def streams(call):
    return bool(call.body.get("stream"))


def results(call):
    """What the conversation has of tools, as texts."""
    return (message["content"] for message in call.body["messages"] if message["role"] == "tool")


def error_body(code, message):
    return {"error": {"message": message, "type": "invalid_request_error", "code": None}}


def problem_of(call):
    """What the service would refuse the request for, or None."""
    if call.method == "GET":
        return None if call.path.endswith("/models") and call.key else (404, "Invalid URL")
    if not call.path.endswith("/chat/completions"):
        return 404, "Invalid URL"
    if call.key is None:
        return 401, "You didn't provide an API key."
    if call.headers.get("Content-Type") != "application/json" or call.headers.get("Expect"):
        return 400, "wrong headers"
    if call.body is None:
        return 400, "We could not parse the JSON body of your request."
    host = urlsplit(call.path).hostname
    problem = parameters_problem(call.body, host) or messages_problem(call.body.get("messages"), host)
    return (400, problem) if problem else None


class Call:
    """One request to the stand-in, and the way to answer it."""

    def __init__(self, handler, text):
        self.handler = handler
        self.service = handler.server.upstream.service
        self.method = handler.command
        self.path = handler.path
        self.headers = handler.headers
        self.text = text
        try:
            self.body = json.loads(text)
        except ValueError:
            self.body = None
        self.key = self.service.key_of(self)
        self.began = False
        self.gone = threading.Event()
        self.gone_at = None
        self.fragment = None

    @property
    def streams(self):
        return self.service.streams(self)

    def reply(self, status, body, content_type="application/json", headers=()):
        data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", content_type)
        self.handler.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def begin_stream(self, content_type="text/event-stream"):
        self.began = True
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", content_type)
        self.handler.send_header("Transfer-Encoding", "chunked")
        self.handler.end_headers()

    def send(self, data):
        """Bytes of a stream, in pieces of `fragment` bytes if that is set."""
        data = data.encode() if isinstance(data, str) else data
        size = self.fragment or len(data)
        if not self.began:
            self.begin_stream()
        for at in range(0, len(data), size):
            piece = data[at:at + size]
            self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.handler.wfile.flush()

    def event(self, value, name=None):
        data = value if isinstance(value, str) else json.dumps(value)
        self.send((f"event: {name}\n" if name else "") + f"data: {data}\n\n")

    def chunk(self, finish_reason=None, **delta):
        self.event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": self.body["model"],
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    def end_stream(self):
        self.handler.wfile.write(b"0\r\n\r\n")
        self.handler.wfile.flush()

    def wait_gone(self, timeout):
        """Wait until the other side closes the connection; True if it did."""
        self.handler.connection.settimeout(timeout)
        try:
            while self.handler.connection.recv(4096):
                pass
            self.gone_at = time.monotonic()
            self.gone.set()
        except socket.timeout:
            return False
        except OSError:
            self.gone_at = time.monotonic()
            self.gone.set()
        return True

    def break_off(self):
        """Close the connection in the middle of the answer."""
        self.handler.wfile.flush()
        self.handler.connection.shutdown(socket.SHUT_RDWR)
        self.handler.close_connection = True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        call = Call(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
        upstream = self.server.upstream
        problem = upstream.service.problem_of(call) if upstream.strict else None
        with upstream.lock:
            upstream.calls.append(call)
        try:
            if problem:
                upstream.refused.append(problem)
                call.reply(problem[0], upstream.service.error_body(*problem))
            else:
                upstream.answer(call)
        except (BrokenPipeError, ConnectionResetError):
            call.gone_at = time.monotonic()
            call.gone.set()
            self.close_connection = True

    do_GET = do_POST
    do_DELETE = do_POST

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        """A connection that was reset between two requests is none."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def speak_tls(server, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # The handshake belongs to the thread of the connection: a client that refuses us must not end the server.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None


class Upstream:
    """The service, running until `stop`; with the files of a certificate and its key it speaks TLS."""

    def __init__(self, certificate=None):
        self.lock = threading.Lock()
        self.strict = True
        self.reset()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.upstream = self
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"
        if certificate:
            speak_tls(self.server, *certificate)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def reset(self):
        self.calls = []
        self.refused = []
        self.strict = True
        self.service = sys.modules[__name__]
        self.answer = text("Hello there")

    def speak(self, service):
        """Be another service from now on: one of the modules upstream, upstream_gemini, …"""
        self.service = service
        self.answer = service.parts("Hello there")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def last(self):
        return self.calls[-1].body

    def keys_seen(self):
        return Counter(call.key for call in self.calls)


USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25, "prompt_tokens_details": {"cached_tokens": 8}}


def message(content=None, finish_reason="stop", usage=USAGE, **members):
    """A whole answer."""
    body = {"id": "chatcmpl-1", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "finish_reason": finish_reason,
                         "message": {"role": "assistant", "content": content, **members}}]}
    return {**body, "usage": usage} if usage else body


def deltas_of(content=None, tool_calls=(), reasoning_content=None):
    """The chunks of a streamed answer with these parts, cut as the service cuts them."""
    yield {"role": "assistant", "content": ""}
    for word in re.findall(r"\s*\S+\s*", reasoning_content or ""):
        yield {"reasoning_content": word}
    for word in re.findall(r"\s*\S+\s*", content or ""):
        yield {"content": word}
    for index, call in enumerate(tool_calls):
        arguments = call["function"]["arguments"]
        yield {"tool_calls": [{"index": index, "id": call["id"], "type": "function",
                               "function": {"name": call["function"]["name"], "arguments": ""}}]}
        for at in range(0, len(arguments), 7):
            yield {"tool_calls": [{"index": index, "function": {"arguments": arguments[at:at + 7]}}]}


def parts(content=None, finish_reason=None, fragment=None, found=(), **members):
    """Answer with these parts, streamed or whole as asked.  Found on the web: titles and addresses."""
    annotations = [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "title": title, "url": url}}
                   for title, url in found]
    reason = finish_reason or ("tool_calls" if members.get("tool_calls") else "stop")

    def answer(call):
        if not call.streams:
            whole = message(content, reason, **members)
            whole["choices"][0]["message"]["annotations"] = annotations
            call.reply(200, whole)
            return
        call.fragment = fragment
        for delta in deltas_of(content, **members):
            call.chunk(**delta)
        if annotations:
            call.chunk(annotations=annotations)
        call.chunk(finish_reason=reason)
        call.event({"choices": [], "usage": USAGE})
        call.event("[DONE]")
        call.end_stream()

    return answer


def text(content, **options):
    return parts(content, **options)


def tool_call(name, arguments, id="call_1"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def status(code, body, content_type="application/json", headers=()):
    return lambda call: call.reply(code, body, content_type, headers)


def models(names):
    return lambda call: call.reply(200, {"object": "list", "data": [{"id": n, "object": "model", "created": 1700000000}
                                                                    for n in names]})

"""Services that are like Claude's own, by name; see named_services."""
import re
from dataclasses import dataclass

import upstream_claude as claude
from strict_service import Rule, Service, numbers, only_members

MEMBERS = ("model messages system max_tokens temperature top_p top_k stop_sequences stream tools tool_choice thinking metadata "
           "output_config cache_control")


def betas_of(request):
    return request["headers"].get("anthropic-beta")


def no_betas(fact):
    def refuses(request, _):
        return ", ".join(f"`{beta.strip()}`" for beta in (betas_of(request) or "").split(",") if beta.strip()) or None

    return Rule(fact, "Unexpected value(s) {} for the `anthropic-beta` header.", refuses,
                lambda request: request["headers"].update({"anthropic-beta": "of-tomorrow-2027-01-01"}))


def thinks(request):
    return request.get("thinking", {}).get("type") in ("enabled", "adaptive")


def blocks_of(message):
    return message["content"] if isinstance(message["content"], list) else []


def thinking_back(request, service):
    """What was thought stands before the calls, as it was given."""
    for i, message in enumerate(request["messages"] if thinks(request) else []):
        calls = [block["id"] for block in blocks_of(message) if block["type"] == "tool_use"]
        wanted = service.given.get(calls[0]) if calls else None
        if wanted and wanted not in [block.get("thinking") for block in blocks_of(message)]:
            return str(i)
    return None


def forced(request):
    return request.get("tool_choice", {}).get("type") in ("any", "tool")


def drop_thinking(request):
    request["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    request["messages"][1]["content"].pop(0)


def of_messages(problem):
    return lambda request, _: problem(request["messages"])


COMMON = [
    Rule("4.1 calls and results", "{}", of_messages(claude.pairing_problem), lambda request: request["messages"].pop()),
    Rule("4.1 empty content", "{}", of_messages(claude.empty_problem),
         lambda request: request["messages"].insert(0, {"role": "user", "content": ""})),
]
THINKING_BACK = Rule("4.2 thinking must come back", "messages.{}: the content[].thinking in the thinking mode must be passed back to the "
                     "API.", thinking_back, drop_thinking)
DEEPSEEK = [
    *COMMON, THINKING_BACK,
    Rule("4.2 DeepSeek: no effort beside disabled", "output_config.effort is not supported when thinking is disabled", lambda request, _:
         request.get("thinking", {}).get("type") == "disabled" and "effort" in request.get("output_config", {}) or None,
         lambda request: request.update(thinking={"type": "disabled"}, output_config={"effort": "high"})),
    Rule("4.2 DeepSeek: user_id", "metadata.user_id must match the pattern ^[a-zA-Z0-9_-]+$", lambda request, _: not re.fullmatch(
        r"[a-zA-Z0-9_-]+", request.get("metadata", {}).get("user_id", "u")) or None,
        lambda request: request.update(metadata={"user_id": '{"session_id":"a"}'})),
    Rule("4.3 DeepSeek: forced tool", "Thinking mode does not support this tool_choice", lambda request, _:
         thinks(request) and forced(request) or None,
         lambda request: request.update(thinking={"type": "adaptive"}, tool_choice={"type": "any"})),
]
GATEWAY = [
    *COMMON, no_betas("4.3 betas"),
    only_members("4.3 unknown members", MEMBERS + " headers", "{}: Extra inputs are not permitted"),
]


@dataclass
class ClaudeService(Service):
    path: str = "/v1/messages"
    voice: str = "thinking"
    bearer: bool = True  # and no other
    protocol: object = claude

    def key_of(self, call):
        bearer = call.headers.get("Authorization", "")
        if self.bearer:
            return bearer[len("Bearer "):] if bearer.startswith("Bearer ") and "x-api-key" not in call.headers else None
        return call.headers.get("x-api-key")

    def body_of(self, call):
        return {**call.body, "headers": {name.lower(): value for name, value in call.headers.items()}}

    def address_problem(self, call):
        call.path = call.path.partition("?")[0]
        problem = super().address_problem(call)
        return (401, "Missing Authorization header: expected a Bearer token", {}) if problem and problem[0] == 401 else problem

    def good(self):
        self.given["toolu_of_mine"] = "Both, then."
        return {"headers": {}, "model": self.model, "max_tokens": 1000, "stream": True, "system": "Be brief.", "messages": [
            {"role": "user", "content": "What is there?"}, {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Both, then.", "signature": claude.SIGNATURE}, {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_of_mine", "name": "look", "input": {"at": "a"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_of_mine", "content": "a word"}]}],
            "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}]}

    def error_body(self, code, message, more=()):
        return claude.error_body(code, message)

    def parts(self, content=None, tool_calls=(), reasoning_content=None):
        calls = [{**call, "id": f"toolu_{next(numbers)}"} for call in tool_calls]
        for call in calls:
            self.given[call["id"]] = reasoning_content
        return claude.parts(content, calls, reasoning_content)

    def thoughts(self, body):
        return (block["thinking"] for message in body["messages"] for block in blocks_of(message) if block["type"] == "thinking")


def told_off(body):
    return not thinks(body)


def claude_services():
    return [
        ClaudeService("DeepSeek's Messages", "http://api.deepseek.com/anthropic", "deepseek-v4-pro", DEEPSEEK, bearer=False, off=told_off),
        ClaudeService("MiniMax's Messages", "http://api.minimax.io/anthropic", "MiniMax-M3", [*COMMON, THINKING_BACK], off=told_off),
        ClaudeService("a gateway", "http://gateway.example/claude", "house-model", GATEWAY, off=told_off,
                      options=(("auth", "bearer"), ("beta", "none"))),
        ClaudeService("a gateway that teaches", "http://gateway.example/claude", "house-model", GATEWAY, off=told_off, teaches=True),
    ]

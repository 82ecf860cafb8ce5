"""A stand-in for Anthropic's Messages API (PROTOCOL.md §B.4)."""
import itertools
import json
import re
from urllib.parse import unquote, urlsplit

SERVICE_TYPE = "claude"
PATH = "/messages"
SIGNATURE = "of-anthropic"
SEALED = "sealed-by-anthropic"  # what a search found, for nobody else to read


def key_of(call):
    bearer = call.headers.get("Authorization", "")
    return call.headers.get("x-api-key") or (bearer[len("Bearer "):] if bearer.startswith("Bearer sk-ant-oat") else None)


def streams(call):
    return bool(call.body.get("stream"))


def error_body(code, message):
    kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}.get(code, "invalid_request_error")
    details = {"details": {"error_code": "thread_not_found"}} if "Thread" in message else {}
    return {"type": "error", "error": {"type": kind, "message": message, **details}, "request_id": "req_of_upstream"}


def pairing_problem(messages):
    """Each tool_use is answered in the turn behind it."""
    awaited = set()
    for i, message in enumerate(messages):
        if message["role"] == "system":  # between the turns
            continue
        blocks = message["content"] if isinstance(message["content"], list) else []
        answered = {b["tool_use_id"] for b in blocks if b["type"] == "tool_result"}
        if awaited != answered:
            return f"messages.{i}: tool_use ids {awaited} and tool_result ids {answered} do not agree"
        awaited = {b["id"] for b in blocks if b["type"] == "tool_use"}
    return f"tool_use ids {awaited} without tool_result" if awaited else None


def signature_problem(messages):
    """Thinking must have been signed here."""
    for i, message in enumerate(messages):
        for j, block in enumerate(message["content"] if isinstance(message["content"], list) else []):
            if block["type"] == "thinking" and block.get("signature") != SIGNATURE:
                return f"messages.{i}.content.{j}: Invalid `signature` in `thinking` block"
    return None


def search_problem(messages):
    """What a search found must have been found here, in the turn of the assistant, by the call before it."""
    for i, message in enumerate(messages):
        calls = set()
        for j, block in enumerate(message["content"] if isinstance(message["content"], list) else []):
            where = f"messages.{i}.content.{j}"
            if block["type"] == "server_tool_use":
                calls.add(block["id"])
            if block["type"] in ("web_search_tool_result", "web_fetch_tool_result") and block["tool_use_id"] not in calls:
                return f"{where}: unexpected `tool_use_id`"
            found = block.get("content") if block["type"] == "web_search_tool_result" else block.get("citations")
            for page in found if isinstance(found, list) else []:
                if SEALED not in (page.get("encrypted_content"), page.get("encrypted_index")):
                    return f"{where}: Invalid `encrypted_content` in `web_search_result` block"
    return None


def empty_problem(messages):
    """Only the assistant's last turn may be empty."""
    for i, message in enumerate(messages):
        if not message["content"] and message["role"] != "system":
            return f"messages.{i}: all messages must have non-empty content except for the optional final assistant message"
    return None


threads = {}  # the conversation up to a message, by its id


def resume(call):
    """The messages of a thread that goes on, before those that are new.  False: there is no such thread."""
    thread = call.body.get("thread") or {}
    if thread.get("type") != "continue":
        return True
    held = threads.get(thread["previous_message_id"])
    call.body["messages"] = (held or []) + call.body["messages"]
    return held is not None


def problem_of(call):
    if not call.key:
        return 401, "x-api-key header is required"
    if not call.headers.get("anthropic-version"):
        return 400, "anthropic-version: header is required"
    if not re.search(r"/v1/[a-zA-Z_/0-9.%-]+(\?|$)", call.path):
        return 404, "Not found"
    if "/v1/messages" not in call.path or call.method != "POST" or "batches" in call.path:
        return None
    if call.body is None or not call.body.get("messages") or not call.body.get("model"):
        return 400, "messages: Field required"
    if "max_tokens" not in call.body and "count_tokens" not in call.path:
        return 400, "max_tokens: Field required"
    if not resume(call):
        return 404, "No usable Thread state was found for `previous_message_id`."
    messages = call.body["messages"]
    problem = empty_problem(messages) or pairing_problem(messages) or signature_problem(messages) or search_problem(messages)
    return (400, problem) if problem else None


def results(call):
    """What the conversation has of tools, as texts."""
    for message in call.body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else []:
            if block["type"] == "tool_result":
                content = block.get("content") or ""
                yield content if isinstance(content, str) else "\n".join(b.get("text", "") for b in content)


# ---- answers ----

numbers = itertools.count(1)
USAGE = {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 8, "output_tokens": 5}


def blocks_of(content, tool_calls, reasoning_content, found):
    if reasoning_content:
        yield {"type": "thinking", "thinking": reasoning_content, "signature": SIGNATURE}
    if found:
        yield {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "the query"}}
        yield {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
            {"type": "web_search_result", "url": url, "title": title, "encrypted_content": SEALED, "page_age": None}
            for title, url in found]}
        yield {"type": "text", "text": content, "citations": [
            {"type": "web_search_result_location", "url": url, "title": title, "cited_text": "c", "encrypted_index": SEALED}
            for title, url in found]}
    elif content:
        yield {"type": "text", "text": content}
    for call in tool_calls:
        yield {"type": "tool_use", "id": call["id"], "name": call["function"]["name"],
               "input": json.loads(call["function"]["arguments"] or "{}")}


def message(blocks, finish_reason):
    reason = {"length": "max_tokens", "content_filter": "refusal"}.get(finish_reason)
    if not reason:
        reason = "tool_use" if any(b["type"] == "tool_use" for b in blocks) else "end_turn"
    searches = sum(b["type"] == "server_tool_use" for b in blocks)
    usage = {**USAGE, "server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 0}} if searches else USAGE
    return {"id": f"msg_of_upstream_{next(numbers)}", "type": "message", "role": "assistant", "model": "m", "content": blocks,
            "stop_reason": reason, "stop_sequence": None, "usage": usage}


def deltas_of(block):
    if block["type"] == "web_search_tool_result":
        return block, []
    if block["type"] in ("tool_use", "server_tool_use"):
        text = json.dumps(block["input"])
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": text[at:at + 7]}
                                        for at in range(0, len(text), 7)]
    name = block["type"]
    deltas = [{"type": name + "_delta", name: piece} for piece in re.findall(r"\s*\S+\s*", block[name])]
    if name == "thinking":
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {"type": name, name: "", "signature": ""}, deltas
    return {"type": name, name: ""}, [{"type": "citations_delta", "citation": citation}
                                      for citation in block.get("citations", [])] + deltas


def events_of(whole):
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        empty, deltas = deltas_of(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None}, "usage": whole["usage"]}
    yield {"type": "message_stop"}


def parts(content=None, tool_calls=(), reasoning_content=None, finish_reason=None, fragment=None, found=()):
    def answer(call):
        whole = message(list(blocks_of(content, tool_calls, reasoning_content, found)), finish_reason)
        if call.body.get("thread"):
            threads[whole["id"]] = call.body["messages"] + [{"role": "assistant", "content": whole["content"]}]
        if not call.streams:
            call.reply(200, whole, headers=[("request-id", "req_of_upstream")])
            return
        call.fragment = fragment
        for event in events_of(whole):
            call.event(event, event["type"])
        call.end_stream()

    return answer


def models(names):
    all_of_them = [{"type": "model", "id": n, "display_name": n.title(), "extra": 1, "created_at": "2025-01-01T00:00:00Z"}
                   for n in names]

    def answer(call):
        one = unquote(urlsplit(call.path).path.partition("/models/")[2])
        if one:
            call.reply(200, next(m for m in all_of_them if m["id"] == one))
        else:
            call.reply(200, {"data": all_of_them, "has_more": False, "first_id": names[0], "last_id": names[-1]})

    return answer


def count(n):
    return lambda call: call.reply(200, {"input_tokens": n})

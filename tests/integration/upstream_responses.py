"""A stand-in for OpenAI's Responses, as strict as the service (PROTOCOL.md §B.3)."""
import json
import re

from upstream import NAME, REASONING_MODEL, error_body, key_of, models, streams  # noqa: F401

SERVICE_TYPE = "openai-responses"
PATH = "/responses"

PROMPT = {"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text"}
MEMBERS = PROMPT | {"max_output_tokens", "temperature", "top_p", "safety_identifier", "prompt_cache_key", "user", "store",
                    "include", "stream"}
CALL_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
PARTS = {"user": {"input_text", "input_image", "input_file"}, "system": {"input_text"}, "assistant": set()}


def message_problem(item, where):
    if set(item) != {"role", "content"} or item["role"] not in PARTS or not item["content"]:
        return f"{where}: bad message"
    if isinstance(item["content"], str):
        return None
    if item["role"] == "assistant":
        return f"{where}: Input should be a valid string"  # vLLM; others take a whole message item, too
    for part in item["content"]:
        if part.get("type") not in PARTS[item["role"]]:
            return f"Invalid value: '{part.get('type')}' in a message of {item['role']}"
        if part["type"].endswith("_text") and not part["text"]:
            return f"{where}: empty text"
        if part["type"] == "input_image" and not re.match(r"^(data:image/|https?://)", part["image_url"]):
            return f"{where}: bad image_url"
        if part["type"] == "input_file" and not ("file_url" in part or part["file_data"].startswith("data:application/pdf")):
            return f"{where}: bad file"
    return None


def item_problem(item, where, awaited, called):
    kind = item.get("type", "message")
    if kind == "function_call":
        if set(item) != {"type", "call_id", "name", "arguments"} or not CALL_ID.match(item["call_id"]):
            return f"{where}: bad function_call {item}"
        if not NAME.match(item["name"]) or not isinstance(json.loads(item["arguments"]), dict) or item["call_id"] in called:
            return f"{where}: bad function_call {item}"
        awaited.append(item["call_id"])
        called.add(item["call_id"])
    elif kind == "function_call_output":
        if set(item) != {"type", "call_id", "output"} or not isinstance(item["output"], str):
            return f"{where}: bad function_call_output"
        if item["call_id"] not in awaited:
            return f"No tool call found for function call output with call_id {item['call_id']}."
        awaited.remove(item["call_id"])
    elif kind == "reasoning":
        if set(item) != {"type", "id", "summary", "encrypted_content"} or not item["id"].startswith("rs_"):
            return f"{where}: bad reasoning item"
        if not item["encrypted_content"] or not isinstance(item["summary"], list):
            return f"{where}: bad reasoning item"
    elif kind == "message":
        if awaited and item.get("role") in ("user", "assistant"):
            return f"No tool output found for function call {awaited[0]}."
        return message_problem(item, where)
    else:
        return f"{where}: Invalid value: '{kind}'"
    return None


def input_problem(items):
    if not isinstance(items, list) or not items:
        return "input is missing"
    awaited, called = [], set()
    for i, item in enumerate(items):
        problem = item_problem(item, f"input[{i}]", awaited, called)
        if problem:
            return problem
        follows = items[i + 1] if i + 1 < len(items) else {}
        if item.get("type") == "reasoning" and not (follows.get("type") == "function_call" or follows.get("role") == "assistant"):
            return f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
    return f"No tool output found for function call {awaited[0]}." if awaited else None


def tools_problem(body):
    tools = body.get("tools")
    if tools is None:
        return "tool_choice without tools" if {"tool_choice", "parallel_tool_calls"} & set(body) else None
    if not tools:
        return "tools is empty"
    for tool in tools:
        if tool["type"] == "web_search":
            if not set(tool) <= {"type", "filters", "user_location", "search_context_size"}:
                return f"bad tool {tool}"
            if any(not domains or any("/" in d for d in domains) for domains in tool.get("filters", {}).values()):
                return "Invalid value: filters"
            continue
        if tool["type"] != "function" or not set(tool) <= {"type", "name", "description", "parameters", "strict"}:
            return f"bad tool {tool}"
        if not NAME.match(tool["name"]) or "strict" not in tool or tool["parameters"].get("type") != "object":
            return f"bad tool {tool}"
        if "properties" not in tool["parameters"]:
            return "object schema missing properties"
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and not any(choice["type"] == t["type"] and choice.get("name") == t.get("name") for t in tools):
        return f"Tool choice '{choice.get('name', choice['type'])}' not found in 'tools' parameter."
    return None


def parameters_problem(body, allowed):
    if set(body) - allowed:
        return f"Unknown parameter: {sorted(set(body) - allowed)}"
    reasons = bool(REASONING_MODEL.search(body["model"]))
    if "reasoning" in body and not reasons:
        return "Unsupported parameter: 'reasoning.effort' is not supported with this model."
    if reasons and {"temperature", "top_p"} & set(body):
        return "Unsupported parameter: 'temperature' is not supported with this model."
    if body.get("reasoning", {}).get("effort", "low") not in ("minimal", "low", "medium", "high", "xhigh"):
        return "bad effort"
    if set(body.get("include", [])) - {"reasoning.encrypted_content", "web_search_call.action.sources"}:
        return "Invalid value: 'include'"
    if "reasoning.encrypted_content" in body.get("include", []) and body["model"].startswith("gpt-4"):
        return "Encrypted content is not supported with this model."
    if body.get("max_output_tokens", 16) < 16:
        return "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16"
    if "max_output_tokens" in body and body.get("store") is not False:
        return "store must be false"
    if len(body.get("user", "").encode()) > 64:
        return "user is too long"
    return None


def problem_of(call):
    if call.key is None:
        return 401, "You didn't provide an API key."
    if call.method == "GET":
        return None if call.path.endswith("/v1/models") else (404, "Invalid URL")
    counts = call.path.endswith("/v1/responses/input_tokens")
    if not counts and not call.path.endswith("/v1/responses"):
        return 404, "Invalid URL"
    if call.body is None or not call.body.get("model"):
        return 400, "We could not parse the JSON body of your request."
    problem = parameters_problem(call.body, PROMPT if counts else MEMBERS) or tools_problem(call.body) or input_problem(
        call.body.get("input"))
    return (400, problem) if problem else None


def results(call):
    """What the conversation has of tools, as texts."""
    return (item["output"] for item in call.body["input"] if item.get("type") == "function_call_output")


# ---- answers ----

USAGE = {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 8}, "output_tokens": 5,
         "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 25}


def items_of(content, tool_calls, reasoning_content, found):
    if found:
        yield {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "the query"}}
    if reasoning_content:
        yield {"type": "reasoning", "id": "rs_1", "encrypted_content": "enc-1",
               "summary": [{"type": "summary_text", "text": reasoning_content}]}
    if content:
        yield {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
               "content": [{"type": "output_text", "text": content, "annotations": [
                   {"type": "url_citation", "start_index": 0, "end_index": 1, "title": title, "url": url} for title, url in found]}]}
    for n, call in enumerate(tool_calls):
        yield {"type": "function_call", "id": f"fc_{n}", "call_id": call["id"], "status": "completed",
               "name": call["function"]["name"], "arguments": call["function"]["arguments"]}


def response(items, finish_reason=None):
    status = "incomplete" if finish_reason in ("length", "content_filter") else "completed"
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish_reason)
    return {"id": "resp_1", "object": "response", "status": status, "error": None, "model": "m", "output": items,
            "incomplete_details": {"reason": reason} if reason else None, "usage": USAGE}


class Stream:
    """The events of one answer, numbered."""

    def __init__(self, call):
        self.call, self.number = call, 0

    def send(self, kind, **members):
        self.call.event({"type": kind, "sequence_number": self.number, **members}, kind)
        self.number += 1

    def pieces(self, kind, text, **members):
        for piece in re.findall(r"\s*\S+\s*", text):
            self.send(kind + ".delta", delta=piece, **members)

    def item(self, index, item):
        at = {"output_index": index, "item_id": item["id"]}
        empty = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}, "web_search_call": {"action": None}}
        self.send("response.output_item.added", output_index=index, item={**item, **empty[item["type"]], "status": "in_progress"})
        if item["type"] == "web_search_call":
            self.send("response.web_search_call.searching", **at)
            self.send("response.web_search_call.completed", **at)
        elif item["type"] == "reasoning":
            text = item["summary"][0]["text"]
            self.send("response.reasoning_summary_part.added", summary_index=0, part={"type": "summary_text", "text": ""}, **at)
            self.pieces("response.reasoning_summary_text", text, summary_index=0, **at)
            self.send("response.reasoning_summary_text.done", summary_index=0, text=text, **at)
        elif item["type"] == "message":
            text = item["content"][0]["text"]
            self.send("response.content_part.added", content_index=0, part={"type": "output_text", "text": ""}, **at)
            self.pieces("response.output_text", text, content_index=0, **at)
            for n, annotation in enumerate(item["content"][0]["annotations"]):
                self.send("response.output_text.annotation.added", content_index=0, annotation_index=n, annotation=annotation,
                          **at)
            self.send("response.output_text.done", content_index=0, text=text, **at)
            self.send("response.content_part.done", content_index=0, part=item["content"][0], **at)
        else:
            self.pieces("response.function_call_arguments", item["arguments"], **at)
            self.send("response.function_call_arguments.done", arguments=item["arguments"], **at)
        self.send("response.output_item.done", output_index=index, item=item)


def parts(content=None, tool_calls=(), reasoning_content=None, finish_reason=None, fragment=None, found=()):
    items = list(items_of(content, tool_calls, reasoning_content, found))
    whole = response(items, finish_reason)

    def answer(call):
        if not call.streams:
            call.reply(200, whole)
            return
        call.fragment = fragment
        stream = Stream(call)
        stream.send("response.created", response={**whole, "status": "in_progress", "output": [], "usage": None})
        stream.send("response.in_progress", response={**whole, "status": "in_progress", "output": [], "usage": None})
        for index, item in enumerate(items):
            stream.item(index, item)
        stream.send("response." + whole["status"], response=whole)
        call.end_stream()

    return answer


def count(n):
    return lambda call: call.reply(200, {"object": "response.input_tokens", "input_tokens": n})

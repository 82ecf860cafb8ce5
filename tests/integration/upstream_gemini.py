"""A stand-in for Gemini's generateContent, as strict as the service (PROTOCOL.md §B.2)."""
import base64
import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

SERVICE_TYPE = "gemini"
PATH = ":generateContent"

PATHS = re.compile(r"/v1beta/models/([^/:]+):(generateContent|streamGenerateContent|countTokens)$")
FUNCTION = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_.-]{0,63}$")
MEMBERS = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
CONFIG = {"maxOutputTokens", "temperature", "topP", "topK", "stopSequences", "thinkingConfig", "responseMimeType",
          "responseJsonSchema"}
STRINGS = {"type", "format", "title", "description", "pattern"}
WHOLE = {"maxItems", "minItems", "minProperties", "maxProperties", "minLength", "maxLength"}
SCHEMA = STRINGS | WHOLE | {"nullable", "enum", "properties", "required", "example", "anyOf", "propertyOrdering", "default",
                            "items", "minimum", "maximum"}
STAND_IN = "skip_thought_signature_validator"


def key_of(call):
    return call.headers.get("x-goog-api-key")


def streams(call):
    url = urlsplit(call.path)
    return url.path.endswith(":streamGenerateContent") and parse_qs(url.query).get("alt") == ["sse"]


def error_body(code, message, status="INVALID_ARGUMENT", details=()):
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def unknown(value, allowed, where):
    for name in value:
        if name not in allowed:
            return f'Invalid JSON payload received. Unknown name "{name}" at \'{where}\': Cannot find field.'
    return None


def schema_problem(schema, where):
    problem = unknown(schema, SCHEMA, where)
    if problem:
        return problem
    kind = schema.get("type")
    if kind is None and "anyOf" not in schema:
        return f"{where}: type is missing"
    if kind is not None and kind not in ("string", "number", "integer", "boolean", "array", "object"):
        return f"{where}.type: {kind}"
    for name in STRINGS & set(schema):
        if not isinstance(schema[name], str):
            return f"{where}.{name} must be a string"
    for name in WHOLE & set(schema):
        if not isinstance(schema[name], int):
            return f"{where}.{name} must be a number"
    if "enum" in schema and (kind != "string" or not all(isinstance(e, str) and e for e in schema["enum"])):
        return f"{where}.enum: only allowed for STRING type"
    if kind == "string" and schema.get("format") not in (None, "enum", "date-time"):
        return f"{where}.format: only 'enum' and 'date-time' are supported for STRING type"
    if (kind == "array") != ("items" in schema):
        return f"{where}.items: missing field or not an array"
    if set(schema.get("required", [])) - set(schema.get("properties", {})):
        return f"{where}.required: property is not defined"
    for name, value in schema.get("properties", {}).items():
        problem = problem or schema_problem(value, f"{where}.properties[{name}]")
    for i, value in enumerate(schema.get("anyOf", [])):
        problem = problem or schema_problem(value, f"{where}.any_of[{i}]")
    return problem or (schema_problem(schema["items"], where + ".items") if "items" in schema else None)


def tools_problem(body):
    names = set()
    for i, tool in enumerate(body.get("tools", [])):
        problem = unknown(tool, {"functionDeclarations", "googleSearch"}, f"tools[{i}]")
        if problem:
            return problem
        for f, function in enumerate(tool.get("functionDeclarations", [])):
            where = f"tools[{i}].function_declarations[{f}]"
            problem = unknown(function, {"name", "description", "parameters"}, where)
            if problem:
                return problem
            if not FUNCTION.match(function["name"]) or function["name"] in names:
                return f"{where}.name: invalid or duplicate function name {function['name']}"
            names.add(function["name"])
            if "parameters" in function:
                parameters = function["parameters"]
                if parameters.get("type") != "object" or not parameters.get("properties"):
                    return f"{where}.parameters.properties: should be non-empty for OBJECT type"
                problem = schema_problem(parameters, where + ".parameters")
                if problem:
                    return problem
    if "tools" in body and not body["tools"]:
        return "tools is empty"
    if "toolConfig" in body:
        if not names:
            return "Function calling config is set without function_declarations."
        config = body["toolConfig"]["functionCallingConfig"]
        if config["mode"] not in ("AUTO", "ANY", "NONE", "VALIDATED") or set(config.get("allowedFunctionNames", [])) - names:
            return f"bad functionCallingConfig {config}"
    return None


def part_problem(part, role, where):
    allowed = {"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse"}
    problem = unknown(part, allowed, where)
    if problem:
        return problem
    data = {"text", "inlineData", "fileData", "functionCall", "functionResponse"} & set(part)
    if len(data) != 1:
        return f"{where}: required oneof field 'data' must have one initialized field"
    if "text" in part and not part["text"]:
        return f"{where}: empty text parameter"
    if "thoughtSignature" in part and part["thoughtSignature"] != STAND_IN:
        try:
            base64.b64decode(part["thoughtSignature"], validate=True)
        except ValueError:
            return f"{where}: Base64 decoding failed"
    if ("functionCall" in part) and (role != "model" or not isinstance(part["functionCall"].get("args", {}), dict)
                                     or not FUNCTION.match(part["functionCall"]["name"])):
        return f"{where}: bad function call"
    if "functionResponse" in part and (role != "user" or not isinstance(part["functionResponse"].get("response"), dict)):
        return f"{where}: bad function response"
    return None


def contents_problem(contents, model):
    if not isinstance(contents, list) or not contents:
        return "contents is not specified"
    awaited, last = [], None
    for i, content in enumerate(contents):
        where = f"contents[{i}]"
        role, parts = content.get("role"), content.get("parts")
        if role not in ("user", "model") or role == last or (i == 0 and role != "user"):
            return f"{where}: please ensure that contents alternate between user and model ({role})"
        if not parts:
            return f"{where}.parts: contents.parts must not be empty."
        for p, part in enumerate(parts):
            problem = unknown(content, {"role", "parts"}, where) or part_problem(part, role, f"{where}.parts[{p}]")
            if problem:
                return problem
        answered = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
        if answered != awaited:
            return ("Please ensure that the number of function response parts is equal to the number of function call parts "
                    f"of the function call turn: {awaited}, {answered}")
        calls = [part for part in parts if "functionCall" in part]
        if calls and model.startswith("gemini-3") and not calls[0].get("thoughtSignature"):
            return f"Function call `{calls[0]['functionCall']['name']}` in {where} is missing a thought_signature."
        awaited, last = [part["functionCall"]["name"] for part in calls], role
    return f"function calls {awaited} were not answered" if awaited else None


def config_problem(config, model):
    problem = unknown(config, CONFIG, "generation_config")
    if problem:
        return problem
    thinking = config.get("thinkingConfig", {})
    problem = unknown(thinking, {"includeThoughts", "thinkingBudget", "thinkingLevel"}, "generation_config.thinking_config")
    if problem:
        return problem
    if thinking and not re.match(r"gemini-(2\.5|3)", model):
        return "Thinking is not enabled for this model"
    if "thinkingLevel" in thinking and (not model.startswith("gemini-3") or thinking["thinkingLevel"] not in ("LOW", "MEDIUM", "HIGH")):
        return "Thinking level is not supported for this model."
    if "thinkingBudget" in thinking and (not model.startswith("gemini-2.5") or thinking["thinkingBudget"] > 32768 or
                                         ("pro" in model and thinking["thinkingBudget"] < 128)):
        return "The thinking budget is invalid."
    if len(config.get("stopSequences", [])) > 5 or not config.get("maxOutputTokens", 1) >= 1:
        return "bad stopSequences or maxOutputTokens"
    return None


def request_problem(body, model):
    problem = unknown(body, MEMBERS, "")
    if not problem and "systemInstruction" in body:
        system = body["systemInstruction"]
        problem = unknown(system, {"parts"}, "system_instruction") or part_problem(system["parts"][0], "user", "system_instruction")
    return problem or tools_problem(body) or contents_problem(body.get("contents"), model) or config_problem(
        body.get("generationConfig", {}), model)


def problem_of(call):
    url = urlsplit(call.path)
    found = PATHS.search(url.path)
    if not call.key or "Authorization" in call.headers:
        return 403, "Method doesn't allow unregistered callers"
    if call.method == "GET":
        return None if url.path.endswith("/v1beta/models") else (404, "not found")
    if not found:
        return 404, f"models{url.path} is not found for API version v1beta"
    if call.body is None:
        return 400, "Invalid JSON payload received."
    model, body = unquote(found.group(1)), call.body
    if found.group(2) == "countTokens":
        inner = body.get("generateContentRequest", {})
        if set(body) != {"generateContentRequest"} or inner.pop("model", None) != f"models/{model}" or "generationConfig" in inner:
            return 400, "bad countTokens request"
        body = inner
    problem = request_problem(body, model)
    return (400, problem) if problem else None


def results(call):
    """What the conversation has of tools, as texts."""
    for content in call.body["contents"]:
        for part in content["parts"]:
            if "functionResponse" in part:
                response = part["functionResponse"]["response"]
                yield response.get("result") or response.get("error") or json.dumps(response)


# ---- answers ----

USAGE = {"promptTokenCount": 20, "cachedContentTokenCount": 8, "candidatesTokenCount": 4, "thoughtsTokenCount": 1,
         "totalTokenCount": 25}


def signature(n):
    return base64.b64encode(b"\xfb\xff signature %d" % n).decode()


def parts_of(content, tool_calls, reasoning_content):
    if reasoning_content:
        yield {"text": reasoning_content, "thought": True}
    if content:
        yield {"text": content}
    for n, call in enumerate(tool_calls):
        part = {"functionCall": {"name": call["function"]["name"], "args": json.loads(call["function"]["arguments"] or "{}")}}
        yield {**part, "thoughtSignature": signature(n)} if n == 0 else part


def pieces_of(content, tool_calls, reasoning_content):
    for part in parts_of(content, tool_calls, reasoning_content):
        for piece in re.findall(r"\s*\S+\s*", part.get("text", "")) or [None]:
            yield {**part, "text": piece} if piece else part


def response(parts, finish_reason=None, usage=USAGE):
    candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
    body = {"candidates": [{**candidate, "finishReason": finish_reason} if finish_reason else candidate], "modelVersion": "m"}
    return {**body, "usageMetadata": usage} if usage else body


def grounded(body, found):
    if found:
        body["candidates"][0]["groundingMetadata"] = {
            "webSearchQueries": ["the query"], "searchEntryPoint": {"renderedContent": "<div>"},
            "groundingChunks": [{"web": {"title": title, "uri": url}} for title, url in found],
            "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 1, "text": "a"},
                                   "groundingChunkIndices": list(range(len(found)))}]}
    return body


def parts(content=None, tool_calls=(), reasoning_content=None, finish_reason=None, fragment=None, found=()):
    reason = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(finish_reason, "STOP")

    def answer(call):
        if not streams(call):
            whole = response(list(parts_of(content, tool_calls, reasoning_content)), reason)
            call.reply(200, grounded(whole, found))
            return
        call.fragment = fragment
        for piece in pieces_of(content, tool_calls, reasoning_content):
            call.event(response([piece]))
        call.event(grounded(response([]), found))
        call.event(response([], reason))
        call.end_stream()

    return answer


def models(names):
    return lambda call: call.reply(200, {"models": [
        {"name": f"models/{n}", "displayName": n.title(), "supportedGenerationMethods": ["generateContent", "countTokens"]}
        for n in names] + [{"name": "models/embedder", "supportedGenerationMethods": ["embedContent"]}]})


def count(n):
    return lambda call: call.reply(200, {"totalTokens": n})

"""Models of Gemini's own interface, by name; see named_services."""
import base64
import json
from dataclasses import dataclass

import upstream_gemini as gemini
from strict_service import Rule, Service, numbers


def config_of(body):
    return body.get("generationConfig", {})


def thinking_of(body):
    return config_of(body).get("thinkingConfig", {})


def parts_with(body, name):
    return [part for content in body["contents"] for part in content["parts"] if name in part]


def without_ids(contents):
    """As the older generations have them."""
    contents = json.loads(json.dumps(contents))
    for content in contents:
        for part in content["parts"]:
            for name in ("functionCall", "functionResponse"):
                part.get(name, {}).pop("id", None)
    return contents


def put_thinking(**members):
    return lambda body: body.setdefault("generationConfig", {}).update(thinkingConfig=members)


def most_output(body, service):
    asked = config_of(body).get("maxOutputTokens", 0)
    return asked if asked > service.output else None


RULES = [
    Rule("3.3 members", "{}", lambda body, _: gemini.unknown(body, gemini.MEMBERS, ""), lambda body: body.update(never_heard_of=1)),
    Rule("3.3 members of the configuration", "{}", lambda body, _: gemini.unknown(config_of(body), gemini.CONFIG, "generation_config"),
         lambda body: body.update(generationConfig={"seedling": 1})),
    Rule("3.3 tools", "{}", lambda body, _: gemini.tools_problem(body),
         lambda body: body["tools"][0]["functionDeclarations"][0].update(name="1 2")),
    Rule("3.3 contents", "{}", lambda body, service: gemini.contents_problem(without_ids(body["contents"]), service.model),
         lambda body: body["contents"].append({"role": "user", "parts": [{"text": "and then?"}]})),
    Rule("3.3 maxOutputTokens", "Unable to submit request because it has a maxOutputTokens value of {} but the supported range is "
         "exceeded.", most_output, lambda body: body.update(generationConfig={"maxOutputTokens": 100000})),
    Rule("3.1 a budget or a level", "You can only set only one of thinking budget and thinking level.", lambda body, _:
         {"thinkingBudget", "thinkingLevel"} <= set(thinking_of(body)) or None, put_thinking(thinkingBudget=1024, thinkingLevel="LOW")),
]


def budgets(least, zero):
    def refuses(body, _):
        budget = thinking_of(body).get("thinkingBudget", -1)
        return None if budget == -1 or least <= budget <= 32768 or (zero and budget == 0) else str(budget)

    return [Rule("3.1 budget", "The thinking budget {} is invalid. Please choose a value between " + f"{least} and 32768.", refuses,
                 put_thinking(thinkingBudget=32769)),
            Rule("3.1 no level", "Thinking level is not supported for this model.",
                 lambda body, _: thinking_of(body).get("thinkingLevel"), put_thinking(thinkingLevel="LOW")),
            Rule("3.3 JSON format beside functions", "Function calling with a response mime type: 'application/json' is unsupported",
                 lambda body, _: "tools" in body and config_of(body).get("responseMimeType"),
                 lambda body: body.update(generationConfig={"responseMimeType": "application/json"}))]


def levels(words):
    return Rule("3.1 level", "Thinking level {} is not supported for this model.", lambda body, _: thinking_of(body).get(
        "thinkingLevel", "LOW") not in words.split() and thinking_of(body)["thinkingLevel"] or None,
        put_thinking(thinkingLevel="XHIGH"))


NO_BUDGET = Rule("3.1 no budget", "Thinking budget is not supported for this model. ({})", lambda body, _:
                 "thinkingBudget" in thinking_of(body) or None, put_thinking(thinkingBudget=1024))
NO_PREFILL = Rule("3.3 last turn from the model", "Please ensure that the last content is of role user.", lambda body, _:
                  body["contents"][-1]["role"] == "model" or None,
                  lambda body: body["contents"].append({"role": "model", "parts": [{"text": "It is"}]}))


def unsigned(body, service):
    """The first call of each step, with what was given with it."""
    for content in body["contents"]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and calls[0].get("thoughtSignature") != service.given.get(calls[0]["functionCall"].get("id")):
            return calls[0]["functionCall"]["name"]
    return None


def unnamed(body, _):
    """Each response repeats its call's id."""
    calls = [part["functionCall"].get("id") for part in parts_with(body, "functionCall")]
    answers = [part["functionResponse"].get("id") for part in parts_with(body, "functionResponse")]
    return None if all(calls) and calls == answers else f"{calls}, {answers}"


SIGNED = [
    Rule("3.2 function call", "Function call is missing a thought_signature in functionCall parts: {}", unsigned,
         lambda body: parts_with(body, "functionCall")[0].pop("thoughtSignature")),
    Rule("3.3 call ids", "the ids of calls and responses differ: {}", unnamed,
         lambda body: parts_with(body, "functionResponse")[0]["functionResponse"].pop("id")),
]


@dataclass
class GeminiService(Service):
    voice: str = "thought"
    signs: bool = True  # and gives ids
    output: int = 65536
    protocol: object = gemini

    def path_of(self, call):
        method = "streamGenerateContent" if self.streams(call) else "generateContent"
        return f"/v1beta/models/{self.model}:{method}"

    def call_part(self, name, arguments, signed):
        part = {"functionCall": {"name": name, "args": arguments}}
        if not self.signs:
            return part
        id = f"id-{next(numbers)}"
        part["functionCall"]["id"] = id
        if signed:
            self.given[id] = base64.b64encode(f"signed {id}".encode()).decode()
            part["thoughtSignature"] = self.given[id]
        return part

    def good(self):
        call = self.call_part("look", {"at": "a"}, True)
        answer = {"name": "look", "response": {"result": "a word"}}
        if self.signs:
            answer["id"] = call["functionCall"]["id"]
        return {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [
            {"role": "user", "parts": [{"text": "What is there?"}]}, {"role": "model", "parts": [{"text": "I look."}, call]},
            {"role": "user", "parts": [{"functionResponse": answer}]}],
            "tools": [{"functionDeclarations": [{"name": "look", "description": "Looks.", "parameters": {
                "type": "object", "properties": {"at": {"type": "string"}}}}]}]}

    def error_body(self, code, message, more=()):
        return gemini.error_body(code, message)

    def parts(self, content=None, tool_calls=(), reasoning_content=None):
        pieces = list(gemini.pieces_of(content, (), reasoning_content))
        pieces += [self.call_part(call["function"]["name"], json.loads(call["function"]["arguments"]), not n)
                   for n, call in enumerate(tool_calls)]

        def answer(call):
            for piece in pieces:
                call.event(gemini.response([piece]))
            call.event(gemini.response([], "STOP"))
            call.end_stream()

        return answer

    def thoughts(self, body):
        return (part["text"] for part in parts_with(body, "text") if part.get("thought"))


def level_of(body):
    return thinking_of(body).get("thinkingLevel")


def gemini_services():
    base = "http://generativelanguage.googleapis.com"
    return [
        GeminiService("Gemini 2.5 Flash", base, "gemini-2.5-flash", [*RULES, *budgets(1, True)], signs=False, voice="",
                      off=lambda body: thinking_of(body).get("thinkingBudget") == 0),
        GeminiService("Gemini 3", base, "gemini-3.1-pro-preview", [*RULES, *SIGNED, levels("LOW MEDIUM HIGH")], voice="",
                      off=lambda body: level_of(body) == "LOW"),
        GeminiService("Gemini 4", base, "gemini-4-argon", [*RULES, *SIGNED, levels("LOW MEDIUM HIGH"), NO_BUDGET, NO_PREFILL], voice="",
                      off=lambda body: level_of(body) == "LOW"),
    ]

"""Stand-ins for services that search the web: as strict as they are, run by upstream.Upstream (`speak`)."""
import re
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

PAGES = [("The tower", "https://example.com/tower", "It opened in 1889."), ("B", "https://example.org/b", "Another page.")]


def query(call):
    return {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}


def searched(call):
    """What was searched for."""
    return call.body["query"] if call.body else query(call)["q"]


def answering(whole):
    """The parts of a service's answers: pages are titles, addresses and excerpts."""

    def parts(pages=None, **page):
        given = PAGES if pages is None or isinstance(pages, str) else pages
        return lambda call: call.reply(200, whole(call, [{"title": t, "url": u, "text": x, **page} for t, u, x in given]))

    return parts


def service(problem_of, key_of, whole):
    return SimpleNamespace(problem_of=problem_of, key_of=key_of, streams=lambda call: False, parts=answering(whole),
                           error_body=lambda code, message: {"error": message})


# ---- SearXNG: HTML, unless JSON is asked for and allowed ----

def searxng_problem(call):
    asked = query(call)
    if call.method != "GET" or urlsplit(call.path).path != "/search":
        return 404, "not found"
    if set(asked) != {"q", "format"} or asked["format"] != "json":
        return 400, f"unknown parameters: {asked}"
    return None


searxng = service(searxng_problem, lambda call: None, lambda call, pages: {
    "query": searched(call), "number_of_results": len(pages), "answers": [], "infoboxes": [], "unresponsive_engines": [],
    "results": [{"url": p["url"], "title": p["title"], "content": p["text"], "publishedDate": p.get("age"), "engine": "e",
                 "parsed_url": ["https", "x", "/", "", "", ""], "score": 1.0} for p in pages]})


# ---- Brave ----

def brave_problem(call):
    asked = query(call)
    if call.method != "GET" or urlsplit(call.path).path != "/res/v1/web/search":
        return 404, "not found"
    if not call.key:
        return 422, "SUBSCRIPTION_TOKEN_INVALID"
    if set(asked) - {"q", "count", "country", "text_decorations"} or not asked.get("q") or len(asked["q"]) > 400:
        return 422, f"validation error: {asked}"
    if int(asked.get("count", "20")) > 20 or call.headers.get("Accept") != "application/json":
        return 422, "validation error"
    return None


brave = service(brave_problem, lambda call: call.headers.get("X-Subscription-Token"), lambda call, pages: {
    "type": "search", "query": {"original": searched(call)}, **({"web": {"type": "search", "results": [
        {"title": p["title"], "url": p["url"], "description": p["text"], "page_age": p.get("age"),
         "extra_snippets": p.get("more", [])} for p in pages]}} if pages else {})})


# ---- Tavily ----

def tavily_problem(call):
    if call.method != "POST" or urlsplit(call.path).path != "/search":
        return 404, "not found"
    if not call.key:
        return 401, "Unauthorized: missing or invalid API key."
    if call.headers.get("Content-Type") != "application/json" or not isinstance(call.body, dict):
        return 422, "no JSON"
    unknown = set(call.body) - {"query", "max_results", "include_domains", "exclude_domains"}
    if unknown or not call.body.get("query") or len(call.body["query"]) > 400 or not 0 <= call.body.get("max_results", 5) <= 20:
        return 400, f"validation error: {call.body}"
    return None


def bearer(call):
    found = re.match(r"Bearer (\S+)$", call.headers.get("Authorization", ""))
    return found and found[1]


tavily = service(tavily_problem, bearer, lambda call, pages: {
    "query": searched(call), "follow_up_questions": None, "answer": None, "images": [], "response_time": 0.5,
    "results": [{"title": p["title"], "url": p["url"], "content": p["text"], "score": 0.9, "raw_content": None} for p in pages]})

PROVIDERS = {"searxng": searxng, "brave": brave, "tavily": tavily}

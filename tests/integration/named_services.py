"""Stand-ins for services and models by name: what each of them refuses, as data.

The modules upstream, upstream_responses, upstream_gemini and upstream_claude speak a protocol each, and check what every
service of it checks.  A service here is one address with one model, and a list of rules: what this service refuses
besides, in its own words and with its own status, and which fact says so.  The numbers of the facts are the parts of
SERVICES.md.  A rule knows how to break itself, so that test_named_services_are_strict can show of each that it refuses.
"""
from named_chat import chat_services
from named_claude import claude_services
from named_gemini import gemini_services
from named_responses import responses_services


def services():
    """All of them, fresh."""
    return [*chat_services(), *responses_services(), *gemini_services(), *claude_services()]

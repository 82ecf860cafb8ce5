"""Each rule of each named service refuses what it is about, and none of them a request that is right."""
import pytest

from named_services import services

RULES = [pytest.param(service, rule, id=f"{service.name}: {rule.fact}") for service in services() for rule in service.rules]


@pytest.mark.parametrize("service", services(), ids=lambda service: service.name)
def test_a_good_request_is_taken(service):
    assert service.broken_rule(service.good_request()) is None


@pytest.mark.parametrize("service, rule", RULES)
def test_a_broken_rule_is_refused(service, rule):
    body = service.good_request()
    assert not rule.refuses(body, service)
    rule.breaks(body)
    assert rule.refuses(body, service) and service.broken_rule(body)

"""Fixtures of the hostile tests."""
import functools

import pytest

import hostile
from hostile import ByteUpstream


@pytest.fixture
def ledger(request):
    return hostile.Ledger(request.node)


@pytest.fixture
def bad():
    """An upstream that plays whatever `script` says."""
    upstream = ByteUpstream()
    yield upstream
    upstream.stop()


@pytest.fixture
def attacked(site, ledger, bad):
    """A responder whose route `hostile` leads to that upstream, under attack: see hostile.attacked."""
    return functools.partial(hostile.attacked, site, ledger, bad.url)

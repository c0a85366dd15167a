"""Running web roles."""

from collections.abc import Iterator

import httpx
import pytest

from tests.web.house import House, serving


@pytest.fixture
def house() -> Iterator[House]:
    """A running web role."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def standing() -> Iterator[House]:
    """A running web role for tests that change nothing in it."""
    with serving(hosts=("stats.example.org",)) as running:
        yield running


@pytest.fixture
def stranger(standing) -> Iterator[httpx.Client]:
    """A client without the token."""
    with httpx.Client(base_url=standing.url) as client:
        yield client

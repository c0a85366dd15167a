"""What somebody should see to."""

from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.operate.notices import Notice, notices
from pixelake.registry.base import NOTICES, UNDECLARED_PROXY
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import NAMES
from pixelake.testing import FakeClock

CLOCK = FakeClock()
DAY = 86_400 * SECOND


@pytest.fixture
def registry(tmp_path: Path) -> SqliteRegistry:
    """A registry of its own."""
    return SqliteRegistry(tmp_path / "registry.sqlite", clock=CLOCK)


def test_none(registry: SqliteRegistry) -> None:
    """Nothing was noticed."""
    assert notices(registry.noticed, CLOCK) == []


def test_the_last_day(registry: SqliteRegistry) -> None:
    """What was so a day ago is shown, what was before is not."""
    registry.notice(UNDECLARED_PROXY, "10.0.0.1", CLOCK.now() - DAY)
    registry.notice(UNDECLARED_PROXY, "10.0.0.2", CLOCK.now() - DAY - 1)
    (found,) = notices(registry.noticed, CLOCK)
    assert (found.level, found.code, found.setting) == ("error", UNDECLARED_PROXY, "trusted_proxies")
    assert "10.0.0.1" in found.text
    assert "10.0.0.2" not in found.text
    assert "trusted_proxies" in found.text


def test_several_are_one(registry: SqliteRegistry) -> None:
    """One notice for all places where it is so; some are told, the latest first, the others counted."""
    for number in range(5):
        registry.notice(UNDECLARED_PROXY, f"10.0.0.{number}", CLOCK.now() - number)
    (found,) = notices(registry.noticed, CLOCK)
    assert "10.0.0.0, 10.0.0.1, 10.0.0.2, 2 more" in found.text


def test_a_code_of_a_newer_version(registry: SqliteRegistry) -> None:
    """What this version does not know is shown as it is, also if it looks like a pattern."""
    registry.notice("solar_flare", "{x} {0}", CLOCK.now())
    assert notices(registry.noticed, CLOCK) == [Notice("warning", "solar_flare", "solar_flare: {x} {0}", "")]


def test_a_registry_that_cannot_be_read(registry: SqliteRegistry) -> None:
    """That is a notice, too: the sums are shown all the same."""
    registry.close()
    (found,) = notices(registry.noticed, CLOCK)
    assert (found.level, found.code) == ("error", "registry_unavailable")


@pytest.mark.parametrize("code", NOTICES)
def test_every_notice_says_what_to_do(code: str) -> None:
    """A setting that it names exists, and the text names it too."""
    advice = NOTICES[code]
    assert advice.level in ("error", "warning")
    assert "{detail}" in advice.text
    assert not advice.setting or (advice.setting in NAMES and advice.setting in advice.text)

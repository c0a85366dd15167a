"""What the consumer cannot do just now, told to the other roles."""

from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.operate.notices import notices
from pixelake.operate.pulse import EVERY, is_stalled, pulse
from pixelake.registry.base import NOTICES, STALLED
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """The time."""
    return FakeClock()


@pytest.fixture
def registry(tmp_path: Path, clock: FakeClock) -> SqliteRegistry:
    """A registry of its own."""
    return SqliteRegistry(tmp_path / "registry.sqlite", clock=clock)


def test_it_is_told_as_long_as_it_is_so(registry: SqliteRegistry, clock: FakeClock) -> None:
    """What is wrong shows at the next look, each once, and is forgotten soon after it is put right."""
    errors = ["", ""]
    tell = pulse(registry, lambda: errors, clock)
    tell()
    assert not is_stalled(registry, clock)
    errors[:] = ["", "cannot open the lake: gone", "cannot open the lake: gone"]
    for _ in range(5):
        tell()
        clock.advance(EVERY)
        assert is_stalled(registry, clock)
    (found,) = notices(registry.noticed, clock)
    assert (found.level, found.code) == ("error", STALLED)
    assert found.text.count("cannot open the lake: gone") == 1
    errors.clear()
    tell()
    clock.advance(NOTICES[STALLED].seconds)
    assert not is_stalled(registry, clock)
    assert notices(registry.noticed, clock) == []


def test_a_look_or_two_may_be_late() -> None:
    """It counts for longer than two looks take."""
    assert NOTICES[STALLED].seconds > 3 * EVERY


def test_a_registry_that_cannot_be_asked(registry: SqliteRegistry, clock: FakeClock) -> None:
    """Then nobody knows of a stall."""
    registry.notice(STALLED, "x", clock.now() - SECOND)
    assert is_stalled(registry, clock)
    registry.close()
    assert not is_stalled(registry, clock)

"""Tests of `pixelake.operate.status`, on a real lake and a real stream."""

import asyncio
import shutil
import threading
import time
from pathlib import Path

import pytest

from pixelake import build
from pixelake.clock import SECOND
from pixelake.hit import Hit
from pixelake.operate.status import Status, status
from pixelake.settings import Settings
from pixelake.stream.sqlite import SqliteWatcher
from pixelake.testing import FakeClock
from pixelake.warehouse.lake import LakeReader

CLOCK = FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A house of its own."""
    return Settings(data=tmp_path, lake_window=0.05, live_window=0.05)


def _accept(settings: Settings, targets: list[str], age: float = 0.0) -> None:
    received_at = CLOCK.now() - round(age * SECOND)
    hits = [Hit(received_at, "192.0.2.1", "192.0.2.1", "GET", target.encode(), b"") for target in targets]

    async def append() -> None:
        writer = build.writer(settings)
        await writer.append(hits)
        await writer.close()

    asyncio.run(append())


def _settle(settings: Settings) -> None:
    """What the consumer does, until it has nothing left to do."""
    stop = threading.Event()
    consumer = threading.Thread(target=build.consumer(settings).run, args=(stop,))
    consumer.start()
    deadline = time.monotonic() + 20
    while _status(settings).in_stream and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    consumer.join()


def _status(settings: Settings) -> Status:
    return status(LakeReader(settings.data / "lake"), SqliteWatcher(settings.data / "stream"), CLOCK)


VIEW = "/pixel.gif?site=a"
REJECT = "/pixel.gif?site=a&value=much"


def test_nothing_yet(settings: Settings) -> None:
    """Before the first hit all is zero."""
    assert set(_status(settings).as_dict().values()) == {0}


def test_waiting(settings: Settings) -> None:
    """Hits that wait are in the stream; the lag is the age of the oldest."""
    _accept(settings, [VIEW] * 3, age=7.0)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled) == (3, 3, 0)
    assert (found.lag_seconds, found.oldest_hit_age_seconds) == (7.0, 7.0)
    assert found.hits_hold
    assert found.outcomes_hold


def test_settled(settings: Settings) -> None:
    """Settled hits are events or rejects; the stream still holds them, but nothing lags."""
    _accept(settings, [VIEW, REJECT, VIEW], age=7.0)
    _settle(settings)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled) == (3, 0, 3)
    assert (found.outcomes, found.in_lake, found.rejected, found.withheld, found.removed) == (3, 2, 1, 0, 0)
    assert (found.lag_seconds, found.oldest_hit_age_seconds) == (0.0, 7.0)


def test_between(settings: Settings) -> None:
    """Several partitions, one of them settled."""
    _accept(settings, [VIEW] * 2, age=9.0)
    _settle(settings)
    _accept(settings, [VIEW] * 5, age=4.0)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled) == (7, 5, 2)
    assert (found.lag_seconds, found.oldest_hit_age_seconds) == (4.0, 9.0)


def test_a_wiped_stream(settings: Settings) -> None:
    """The lake remembers what it has settled of a stream that is gone; new hits are counted on top."""
    _accept(settings, [VIEW] * 4)
    _settle(settings)
    shutil.rmtree(settings.data / "stream")
    assert _status(settings).accepted == _status(settings).settled == 4
    _accept(settings, [VIEW])
    _settle(settings)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled, found.in_lake) == (5, 0, 5, 5)


def test_what_is_lost_shows(settings: Settings) -> None:
    """If the stream has let hits go that were not settled, the sum does not hold, and says so."""
    held = LakeReader(settings.data / "lake"), _Forgetful()
    found = status(*held, CLOCK)
    assert (found.accepted, found.in_stream, found.settled) == (10, 6, 0)
    assert not found.hits_hold


class _Forgetful(SqliteWatcher):
    """A stream that holds positions 5 to 10 of a partition, of which nothing is settled."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))

    def extents(self) -> list[tuple[str, int, int, int]]:
        from pixelake.stream.base import Extent

        return [Extent("p", 5, 10, 0)]

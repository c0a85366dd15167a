"""Tests of `pixelake.operate.status`, on a real lake and a real stream."""

import asyncio
import shutil
import threading
import time
from dataclasses import fields
from pathlib import Path

import pytest

from pixelake import build
from pixelake.clock import SECOND
from pixelake.hit import Hit
from pixelake.operate.status import Status, as_text, status
from pixelake.settings import Settings
from pixelake.stream.sqlite import SqliteWatcher
from pixelake.testing import FakeClock
from pixelake.warehouse.lake import Lake, LakeReader
from pixelake.warehouse.recover import BROKEN
from tests.warehouse.outcomes import event, outcome

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
    found = _status(settings)
    assert {value for value in found.as_dict().values() if value != []} == {0}
    assert found.troubles == []


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


def test_a_damaged_lake_shows(settings: Settings) -> None:
    """An old file that is gone takes its events out of the sum, which then does not hold; the file is named."""
    _accept(settings, [VIEW] * 4)
    _settle(settings)
    lost = next((settings.data / "lake/events").rglob("*.parquet"))
    lost.unlink()
    found = _status(settings)
    assert (found.outcomes, found.in_lake, found.hits_hold, found.outcomes_hold) == (4, 0, True, False)
    assert found.damaged == [str(lost)]
    assert str(lost) in found.troubles[0]


def test_what_was_set_aside_shows(settings: Settings) -> None:
    """What a power cut broke is not forgotten once the lake goes on without it."""
    aside = settings.data / "lake/events" / BROKEN / "20260210T210000-000001"
    aside.mkdir(parents=True)
    _accept(settings, [VIEW])
    _settle(settings)
    found = _status(settings)
    assert (found.hits_hold, found.outcomes_hold) == (True, True)
    assert found.set_aside == [str(aside)]
    assert str(aside) in found.troubles[0]
    assert as_text(found).splitlines()[-1] == f"! {found.troubles[0]}"


def test_a_gap_shows_for_good(settings: Settings) -> None:
    """Hits that the stream had let go before the lake had them do not count as settled."""
    Lake(settings.data / "lake").write(outcome([event("p", 5)]))
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled, found.missed) == (5, 0, 1, 4)
    assert not found.hits_hold
    assert found.outcomes_hold
    assert "4 hits are lost" in found.troubles[0]


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


def test_as_text() -> None:
    """A sum that holds is ticked, one that does not is crossed."""
    counts = dict.fromkeys((field.name for field in fields(Status)), 0) | {"damaged": (), "set_aside": ()}
    found = Status(**counts | {"accepted": 1_234, "settled": 1_234, "outcomes": 5, "in_lake": 2, "rejected": 4})
    good, bad = as_text(found).splitlines()[:2]
    assert good == "✓ hits      1,234 accepted = 0 in the stream + 1,234 settled"
    assert bad.startswith("✗ outcomes  5 = 2 in the lake + 4 rejected + 0 withheld")
